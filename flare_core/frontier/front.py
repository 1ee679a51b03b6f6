"""A front as callers see it: points in real units, as a document, a table, a frame and a drawing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flare_core.placement.packing import Loads
from flare_core.placement.types import Outcome, Plan, Rejection

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Point:
    """One compromise that nothing beats in all terms of the front.

    Attributes
    ----------
    terms
        All four terms of the placement in their units, those of the front first.
    assumed
        Terms that rest on figures which are not known, and count as the docs say.
    packing
        How many tasks on which candidate's nodes.
    """

    terms: Mapping[str, float]
    assumed: tuple[str, ...]
    packing: Loads = field(repr=False)
    _plan: Callable[[Loads], Plan] = field(repr=False, compare=False)

    @property
    def plan(self) -> Plan:
        """The plan of this placement, made and checked by `verify` when it is read.

        Its outcome is ``feasible``: it is no optimum of the intent's own objective, or not said to be one.
        """
        return self._plan(self.packing)

    @property
    def placement(self) -> dict[str, Any]:
        """The placement as a public document, made and checked when it is read."""
        document: dict[str, Any] = self.plan.to_dict()["placements"][0]
        return document

    @property
    def offers(self) -> dict[str, int]:
        """How many tasks are on which offer, by offer id; ``spot`` is said beside it."""
        plan = self.plan
        rows = plan.assignments
        counts: dict[str, int] = {}
        for offer, spot in zip(rows.offer.tolist(), rows.spot.tolist(), strict=True):
            name = plan.inventory.ids[offer] + (" (spot)" if spot else "")
            counts[name] = counts.get(name, 0) + 1
        return counts


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Front:
    """All placements of one intent that no other placement beats in the terms of the front.

    Of several that are equal in them it has the first in the one order of plans.

    Attributes
    ----------
    intent
        The intent's name.
    terms
        What is weighed against each other, in the order asked for.
    units
        The unit of each of the four terms.
    outcome
        ``optimal``: the front is complete, and proven to be. ``feasible``: every point is on the front, and
        others may be missing. ``infeasible``: the intent cannot be placed. ``unknown``: the search ended
        before a point was found.
    points
        Best first in the first term, then in the next.
    gaps
        Where points may be missing: such a point is better than one of these in every term that it names.
        Empty where the front is complete.
    error
        Why the intent cannot be placed.
    warnings
        What figures rest on, and what cut the search short.
    """

    intent: str
    terms: tuple[str, ...]
    units: Mapping[str, str]
    outcome: Outcome
    points: tuple[Point, ...]
    gaps: tuple[Mapping[str, float], ...] = ()
    error: Rejection | None = None
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.points)

    @property
    def complete(self) -> bool:
        """Whether it is proven that no point is missing."""
        return self.outcome in (Outcome.OPTIMAL, Outcome.INFEASIBLE)

    def to_dict(self) -> dict[str, Any]:
        """Return the front as a JSON document, with the placement of each point."""
        return {
            "status": self.outcome.value,
            "intent": self.intent,
            "terms": list(self.terms),
            "units": dict(self.units),
            "complete": self.complete,
            "points": [
                {**point.terms, "assumed": list(point.assumed), "placement": point.placement}
                for point in self.points
            ],
            "gaps": [dict(gap) for gap in self.gaps],
            "warnings": list(self.warnings),
            "error": None if self.error is None else self.error.to_dict(),
        }

    def frame(self) -> "pandas.DataFrame":
        """Return a row for each point: the four terms, those of the front first, and the offers."""
        import pandas

        names = [*self.terms, *(term for term in self.units if term not in self.terms)]
        rows = [[*(point.terms[name] for name in names), named(point.offers)] for point in self.points]
        return pandas.DataFrame(rows, columns=[*names, "offers"])

    def svg(self) -> str:
        """Return a drawing of the front, the same bytes for the same front; see `frontier.plot`.

        Raises
        ------
        OptionsError
            Where the extra ``plot`` is not installed.
        """
        from flare_core.frontier.plot import drawn

        return drawn(self).svg()

    def __repr__(self) -> str:
        return (
            f"<Front of {self.intent}: {len(self)} points in {', '.join(self.terms)}, {self.outcome.value}>"
        )

    def _repr_html_(self) -> str:
        from flare_core.shown import paragraph, table

        names = [*self.terms, *(term for term in self.units if term not in self.terms)]
        titles = [f"{name}, {self.units[name]}" for name in names]
        rows = (
            [*(f"{point.terms[name]:.6g}" for name in names), named(point.offers)] for point in self.points
        )
        return paragraph(self.intent, self.outcome.value) + table([*titles, "offers"], rows)

    def __str__(self) -> str:
        return self.frame().to_string(index=False)


def named(offers: Mapping[str, int]) -> str:
    """Return offers and the tasks on each as text."""
    return ", ".join(
        name if len(offers) == tasks == 1 else f"{tasks} × {name}" for name, tasks in offers.items()
    )
