"""Intents that a plan leaves out negotiate, one after the other, on what the plan leaves.

Those of higher priority come first, equal ones by name. What is placed already stays placed, and no offer and
no stretch makes it any worse while it is looked for; who then joins the plan is placed with the others as if
the changed intent had been asked for from the beginning. What is offered is held for as long as others of the
same plan negotiate.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from flare_core.explanation.relax import Solved, Unproven
from flare_core.negotiation.deal import Deal, Verdict, negotiate
from flare_core.placement.packing import Ask, Loads, Packing, Problem, totals
from flare_core.placement.types import Outcome
from flare_core.requirements.types import Objective, Requirements
from flare_core.solve.result import Search

if TYPE_CHECKING:
    from flare_core.intent.types import Intent


@dataclass(frozen=True, slots=True)
class Means:
    """How a plan is made.

    Attributes
    ----------
    lower
        What an intent means.
    ask
        Where it could go and what it wants.
    search, trial
        Look for a packing; one that is kept, and one that only has to be there, as cheap as possible.
    timer
        Monotonic seconds.
    """

    lower: Callable[["Intent"], Requirements]
    ask: Callable[[Requirements], Ask]
    search: Callable[[Problem], Search]
    trial: Callable[[Problem], Search]
    timer: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Table:
    """A plan in the making.

    Attributes
    ----------
    problem
        The intents; who is placed or offered something under changed terms asks for these.
    found
        Who is placed where, offers included.
    proven
        Whether it is proven that those who were left out at first could not be placed.
    deals
        How negotiations ended, by intent.
    """

    problem: Problem
    found: Search
    proven: bool
    deals: Mapping[str, Deal] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, found: Search) -> "Table":
        """Return the table before anybody negotiates."""
        return cls(
            problem, found, found.left_proven or found.outcome in (Outcome.OPTIMAL, Outcome.INFEASIBLE)
        )

    def settled(self, ask: Ask) -> bool:
        """Whether it is proven that an intent that is left out cannot be placed as it stands."""
        return self.proven or not len(ask.found)

    def offered(self, name: str) -> bool:
        """Whether an intent has an offer and no more."""
        return self.verdict(name) is Verdict.OFFERED

    def verdict(self, name: str) -> Verdict | None:
        """Return how the negotiation of an intent ended; None where there was none."""
        return self.deals[name].verdict if name in self.deals else None

    @property
    def warnings(self) -> Iterator[str]:
        """Yield what cut negotiations short."""
        for name, deal in self.deals.items():
            yield from (f"{name}: {text}" if self.problem.several else text for text in deal.warnings)


def settle(table: Table, intents: "Sequence[Intent]", means: Means) -> Table:
    """Return the table after everybody who was left out and may negotiate has done so."""
    named = {intent.name: intent for intent in intents}
    left = [ask for ask, loads in zip(table.problem.asks, table.found.packing, strict=True) if not loads]
    for ask in sorted(left, key=lambda ask: (-ask.priority, ask.name)):
        intent = named[ask.name]
        if intent.constraints.negotiation is not None and table.settled(ask) and not _too_late(ask):
            table = _negotiated(table, intent, means)
    return table


def _too_late(ask: Ask) -> bool:
    """Whether it could not end by its deadline: then there is nothing to negotiate about, or to wait for."""
    needs = ask.needs
    return (
        needs.deadline is not None and needs.end is not None and not needs.start < needs.end <= needs.deadline
    )


def _negotiated(table: Table, intent: "Intent", means: Means) -> Table:
    def tried(changed: "Intent") -> Solved | None:
        return beside(table, means.lower(changed), means)

    deal = negotiate(intent, table.problem.inventory, tried, means.timer)
    after = replace(table, deals={**table.deals, intent.name: deal})
    return after if deal.terms is None else _seated(after, means.ask(means.lower(deal.terms.intent)), means)


def _seated(table: Table, ask: Ask, means: Means) -> Table:
    """Return the table with one more in the plan; an offer makes nobody's place worse."""
    held = table.offered(ask.name)
    for way in (ask, silent(ask)):
        joined = _joined(table, way, means.search)
        if _kept(table, joined, ask.name) and not (held and _harmed(table, joined)):
            # What is offered is no part of the plan; of a plan, nothing is proven without its own wishes.
            return joined if way is ask else _as_asked(joined, ask, proven=held)
    deals = {name: deal for name, deal in table.deals.items() if name != ask.name}
    placed = any(table.found.packing)
    found = replace(table.found, outcome=Outcome.FEASIBLE if placed else Outcome.UNKNOWN)
    return replace(table, found=found, deals=deals, proven=False)


def instead(table: Table, ask: Ask, means: Means) -> Table | None:
    """Return a plan of those who are placed and of a changed ask alone; None where none is found.

    Nobody's place gets worse for it.
    """
    for way in (ask, silent(ask)):
        joined = _joined(table, way, means.search)
        if _kept(table, joined, ask.name) and not _harmed(table, joined):
            return _inside(_as_asked(joined, ask, proven=way is ask))
        if not any(table.found.packing):
            break
    return None


def _inside(table: Table) -> Table:
    """Return the table without those who are not placed."""
    pairs = zip(table.problem.asks, table.found.packing, strict=True)
    placed = [(ask, loads) for ask, loads in pairs if loads]
    problem = replace(table.problem, asks=tuple(ask for ask, _ in placed))
    return replace(
        table, problem=problem, found=replace(table.found, packing=tuple(own for _, own in placed))
    )


def _as_asked(table: Table, ask: Ask, *, proven: bool) -> Table:
    """Return the table with `ask` in the place of its silent self."""
    asks = tuple(ask if old.name == ask.name else old for old in table.problem.asks)
    found = table.found if proven else replace(table.found, outcome=Outcome.FEASIBLE)
    return replace(table, problem=replace(table.problem, asks=asks), found=found)


def beside(table: Table, needs: Requirements, means: Means) -> Solved | None:
    """Place changed needs as cheaply as possible beside what is placed, which gets no worse for it.

    Raises
    ------
    Unproven
        Where neither a place was found nor that there is none.
    """
    least = replace(needs, tasks=1, max_tasks=1) if needs.any_tasks else needs
    ask = means.ask(replace(least, objective=Objective.COST))
    joined = _joined(table, silent(ask) if any(table.found.packing) else ask, means.trial)
    if _kept(table, joined, ask.name) and not _harmed(table, joined):
        loads = _loads(joined, ask.name)
        return Solved(ask, loads, totals(ask, loads))
    left = joined.found.left_proven and not _loads(joined, ask.name)
    if left or joined.found.outcome in (Outcome.OPTIMAL, Outcome.INFEASIBLE):
        return None
    raise Unproven


def silent(ask: Ask) -> Ask:
    """Return `ask` without a wish of its own beyond being placed."""
    found, score = ask.found, ask.score
    zero = np.zeros(len(found), np.int64)
    return replace(
        ask,
        needs=replace(ask.needs, infiniband=ask.needs.infiniband and ask.needs.hard_wishes),
        found=replace(found, misses=zero),
        score=replace(score, task=zero, node=zero, peak=zero, fabric=np.zeros_like(score.fabric), offset=0),
    )


def _joined(table: Table, ask: Ask, search: Callable[[Problem], Search]) -> Table:
    """Return the table with one more ask in the plan, beside those that are in it."""
    problem = table.problem
    asks = tuple(ask if old.name == ask.name else old for old in problem.asks)
    pairs = zip(asks, table.found.packing, strict=True)
    inside = tuple(one for one, loads in pairs if loads or one.name == ask.name)
    found = search(Problem(inside, problem.inventory))
    packing = dict(zip((one.name for one in inside), found.packing, strict=True))
    whole: Packing = tuple(packing.get(one.name, ()) for one in asks)
    return replace(table, problem=Problem(asks, problem.inventory), found=replace(found, packing=whole))


def _loads(table: Table, name: str) -> Loads:
    pairs = zip(table.problem.asks, table.found.packing, strict=True)
    return next(loads for ask, loads in pairs if ask.name == name)


def _kept(before: Table, after: Table, name: str) -> bool:
    """Whether everybody who was placed is placed, and `name` too."""
    pairs = zip(before.found.packing, after.found.packing, strict=True)
    return bool(_loads(after, name)) and all(new or not old for old, new in pairs)


def _harmed(before: Table, after: Table) -> bool:
    """Whether the plan of those who were placed has become worse."""
    pairs = zip(before.problem.asks, before.found.packing, after.found.packing, strict=True)
    placed = [(ask, old, new) for ask, old, new in pairs if old]
    return _worth((ask, new) for ask, _, new in placed) > _worth((ask, old) for ask, old, _ in placed)


def _worth(placed: Iterable[tuple[Ask, Loads]]) -> tuple[int, ...]:
    """Return what is minimised first, summed: tasks left out, preferences missed, the objective."""
    sums = [totals(ask, loads) for ask, loads in placed]
    return -sum(s.tasks for s in sums), sum(s.misses for s in sums), sum(s.primary for s in sums)
