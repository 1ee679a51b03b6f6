"""The terms of a front as whole numbers, smaller is better, and what they are for people."""

from collections.abc import Sequence

import numpy as np

from flare_core.errors import OptionsError, found_expected
from flare_core.inventory.types import IntArray, Mask
from flare_core.model.constraints.ceiling import amount
from flare_core.options import TERMS
from flare_core.placement.packing import Ask, Loads, totals
from flare_core.placement.score import Score, per_node, task_cost
from flare_core.requirements.types import Requirements

Vector = tuple[int, ...]
"""What a placement has of each term of a front."""

_LARGEST = 2**50
"""What a term of a sum may reach by being multiplied."""

_PUBLIC = {"cost": 1e-6, "performance": -1e-3, "latency": 1e-3, "carbon": 1e-6}


def checked(terms: Sequence[str]) -> tuple[str, ...]:
    """Return `terms` if a front can be made of them.

    Raises
    ------
    OptionsError
        Where they are not two or three different ones.
    """
    listed = (terms,) if isinstance(terms, str) else tuple(terms)
    for term in listed:
        if term not in TERMS:
            raise OptionsError("terms", found_expected(term, f"terms out of {', '.join(TERMS)}"))
    if not 2 <= len(set(listed)) == len(listed) <= 3:
        found = ", ".join(listed) or "none"
        raise OptionsError(
            "terms", found_expected(found, f"two or three different ones of {', '.join(TERMS)}")
        )
    return listed


def units(needs: Requirements) -> dict[str, str]:
    """Return the unit of each term."""
    cost = "EUR" if needs.costs_in_total else "EUR/hour"
    return {"cost": cost, "performance": "TFLOPS", "latency": "ms", "carbon": "g CO2/h"}


def public(term: str, value: int) -> float:
    """Return a term in its unit; more performance is better there."""
    return round(value * _PUBLIC[term], 6) + 0.0


def vector(ask: Ask, loads: Loads, terms: Sequence[str]) -> Vector:
    """Return what `loads` have of each term."""
    sums = totals(ask, loads)
    return tuple(amount(sums, term) for term in terms)


def per_task(ask: Ask, term: str) -> IntArray:
    """Return what one task (on a node that its tasks share the price of: the node) has of a term."""
    found = ask.found
    if term == "performance":
        return -found.performance_mtflops
    cost = task_cost(ask.needs, found)
    return {"cost": cost, "latency": found.latency_us, "carbon": found.carbon_ug}[term]


def known(ask: Ask, term: str) -> Mask:
    """Return on which candidates a term is known, not assumed."""
    found, every = ask.found, np.ones(len(ask.found), np.bool_)
    return {
        "performance": found.performance_known,
        "latency": found.latency_known,
        "carbon": found.carbon_known,
    }.get(term, every)


def summed(ask: Ask, terms: Sequence[str]) -> Score:
    """Return a sum of `terms` as an objective: what is least in it is not dominated.

    Each term is multiplied so that their ranges are about as wide, for answers in the middle of a front.
    """
    zero = np.zeros(len(ask.found), np.int64)
    task, node, peak, fabric = zero, zero, zero, np.zeros_like(ask.found.fabric.loss)
    for term, factor in _factors(ask, terms).items():
        one = factor * per_task(ask, term)
        if term == "cost":
            whole = per_node(ask.needs, ask.found)
            task, node = task + np.where(whole, 0, one), np.where(whole, one, 0)
        elif term == "latency":
            peak = one
        else:
            task = task + one
            fabric = factor * ask.found.fabric.loss if term == "performance" else fabric
    return Score(task, node, peak, fabric, 0, 1.0)


def _factors(ask: Ask, terms: Sequence[str]) -> dict[str, int]:
    """Return how often each term counts; sums stay far below what the model holds."""
    amounts = {term: per_task(ask, term) for term in terms}
    if not len(ask.found):
        return dict.fromkeys(terms, 1)
    widths = {term: max(1, int(np.ptp(amount))) for term, amount in amounts.items()}
    return {
        term: max(1, min(max(widths.values()) // widths[term], _most(ask, amounts[term]))) for term in terms
    }


def _most(ask: Ask, amounts: IntArray) -> int:
    return _LARGEST // (ask.needs.tasks * max(1, int(np.abs(amounts).max())))
