"""What `explain` returns: one JSON document, and the same in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import fill
from types import MappingProxyType
from typing import Any

from flare_core.candidates.types import Funnel
from flare_core.explanation.account import Account, Instead, Movement, Price, Standing
from flare_core.explanation.words import sections
from flare_core.placement.types import Placement, Plan
from flare_core.quantities import format_eur, format_rate
from flare_core.requirements.types import Objective, Requirements
from flare_core.shown import lines

_UNITS: Mapping[Objective, str] = MappingProxyType(
    {
        Objective.COST: "EUR/hour",
        Objective.PERFORMANCE: "TFLOPS",
        Objective.LATENCY: "ms",
        Objective.BALANCED: "",
        Objective.ENERGY: "gCO2/h",
    }
)

_WIDTH = 100
"""Columns of an explanation in words."""


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """Why one intent is placed where it is, or why it is not; `str` of it is for people.

    Attributes
    ----------
    plan
        The plan of the intent alone.
    needs
        What the intent asks.
    account
        What the placement rests on; empty where it is rejected or not proven best.
    """

    plan: Plan
    needs: Requirements
    account: Account

    @property
    def placement(self) -> Placement:
        """What became of the intent."""
        return self.plan.placements[0]

    @property
    def funnel(self) -> Funnel:
        """What each rule removed."""
        return self.plan.funnels[0]

    @property
    def unit(self) -> str:
        """Unit of the objective, "" of a balance."""
        in_total = self.needs.objective is Objective.COST and self.needs.costs_in_total
        return "EUR" if in_total else _UNITS[self.needs.objective]

    def __str__(self) -> str:
        parts = ("\n".join((title, *map(_wrapped, texts))) for title, texts in sections(self))
        return "\n\n".join(parts) + "\n"

    def __repr__(self) -> str:
        return f"<Explanation of {self.placement.intent}: {self.placement.status.value}>"

    def _repr_html_(self) -> str:
        return "".join(lines(title, texts) for title, texts in sections(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as a JSON document.

        ``plan`` is the document of `Plan`. Where it is rejected ``error`` is its error object. Differences
        are those of the other placement less those of the chosen one.
        """
        told, error = self.account, self.placement.error
        return {
            "intent": self.placement.intent,
            "status": self.placement.status.value,
            "objective": self.needs.objective.value,
            "unit": self.unit,
            "plan": self.plan.to_dict(),
            "funnel": _funnel(self.funnel),
            "runner_up": _instead(told.runner_up),
            "prices": [_price(price) for price in told.prices],
            "constraints": [_standing(one) for one in told.constraints],
            "unsettled": list(told.unsettled),
            "error": None if error is None else error.to_dict(),
        }


def _wrapped(line: str) -> str:
    return fill(line, _WIDTH, initial_indent=" - ", subsequent_indent="   ", break_on_hyphens=False)


def _funnel(funnel: Funnel) -> dict[str, Any]:
    steps = [
        {
            "path": step.path,
            "rule": step.rule,
            "asked": step.asked,
            "alone": step.alone,
            "first": step.first,
            "only": step.only,
        }
        for step in funnel.steps
    ]
    return {"offers": funnel.offers, "accepted": funnel.accepted, "steps": steps}


def _price(price: Price) -> dict[str, Any]:
    rises = None if price.rises_to_ueur is None else format_rate(price.rises_to_ueur)
    return {
        "offer": price.offer,
        "spot": price.spot,
        "hourly": format_rate(price.hourly_ueur),
        "settled": price.settled,
        "may_rise_to": rises,
        "then": _instead(price.then),
        "without_it": _instead(price.gone),
    }


def _standing(one: Standing) -> dict[str, Any]:
    return {
        "path": one.path,
        "asked": one.asked,
        "written": one.written,
        "got": one.got,
        "slack": one.slack,
        "binding": one.binding,
        "without_it": _instead(one.instead),
        "may_move": None if one.move is None else _movement(one.move),
    }


def _movement(move: Movement) -> dict[str, Any]:
    return {
        "stays_to": move.stays_to,
        "possible_to": move.possible_to,
        "better_from": move.better_from,
        "better": _instead(move.better),
        "stricter_is": "more" if move.rising else "less",
    }


def _instead(other: Instead | None) -> dict[str, Any] | None:
    if other is None:
        return None
    return {
        "offers": [{"offer": offer, "spot": spot, "tasks": tasks} for offer, spot, tasks in other.offers],
        "objective": other.objective,
        "tasks": other.tasks,
        "preferences_missed": other.misses,
        "hourly_cost": format_rate(other.hourly_ueur),
        "total_cost": None if other.total_ueur is None else format_eur(other.total_ueur),
        "performance_tflops": other.performance_tflops,
        "latency_ms": other.latency_ms,
        "carbon_g_per_hour": other.carbon_g,
    }
