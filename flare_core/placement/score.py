"""The primary objective of one intent as whole numbers, the same for every path that optimises.

A placement's primary value, to be minimised, is::

    sum over tasks of task[j]  +  sum over nodes of node[j]  +  max over used j of peak[j]

with ``j`` the candidate on which the task or node lies. Every term of the objectives fits this shape: cost
by the GPU, performance and carbon add up over tasks, cost by the node over nodes, and latency is that of
the worst task. A sum of scaled terms (``Balanced_Optimization``, and every objective where several
intents share a plan) is quantised here, once, in steps of 2**-36 of a term's range.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flare_core.candidates.types import Candidates
from flare_core.inventory.types import FloatArray, IntArray, Mask
from flare_core.requirements.types import Objective, Requirements

STEPS = 2**36
"""Quantisation of scaled terms: one range is this many steps."""

FLATNESS = 2**-16
"""A term whose range is less than this part of its worst value counts as this much: differences of a
thousandth of a percent are not blown up to the full range, and coefficients stay bounded."""

_PURE: Mapping[Objective, Mapping[str, float]] = {
    Objective.COST: {"cost": 1.0},
    Objective.PERFORMANCE: {"performance": 1.0},
    Objective.LATENCY: {"latency": 1.0},
    Objective.ENERGY: {"carbon": 1.0},
}

_UNITS = {
    Objective.COST: 1e-6,  # micro-EUR -> EUR
    Objective.PERFORMANCE: -1e-3,  # minus thousandths -> TFLOPS
    Objective.LATENCY: 1e-3,  # microseconds -> ms
    Objective.ENERGY: 1e-6,  # micro-gram -> g
}


@dataclass(frozen=True, slots=True)
class Score:
    """Coefficients of the primary value (see the module), shape (candidates,).

    ``offset`` is added and the sum multiplied by ``unit`` to give the public figure.
    """

    task: IntArray
    node: IntArray
    peak: IntArray
    offset: int
    unit: float

    def public(self, value: int) -> float:
        """Return the public figure of a primary `value`."""
        return round((value + self.offset) * self.unit, 6) + 0.0


def per_node(needs: Requirements, found: Candidates) -> Mask:
    """Return which candidates hold several tasks on a node that is paid once: their price does not split."""
    if needs.tasks == 1:
        return np.zeros(len(found), np.bool_)
    most = np.zeros(len(found), np.int64)
    np.maximum.at(most, found.group_candidate, found.group_tasks)
    return found.by_node & (most > 1)


def task_cost(needs: Requirements, found: Candidates) -> IntArray:
    """Return what the cost term counts for one task (or node): EUR/hour of services, EUR in total of jobs."""
    return found.task_total_ueur if needs.costs_in_total else found.task_ueur


def score(needs: Requirements, found: Candidates, balance: Mapping[str, float], *, scaled: bool) -> Score:
    """Return the primary objective of `needs` over `found`.

    Parameters
    ----------
    balance
        Weights of ``Balanced_Optimization``, every term present.
    scaled
        Whether the value is added to that of other intents and so must be without unit, 0..1.
    """
    if scaled or needs.objective is Objective.BALANCED:
        weights = balance if needs.objective is Objective.BALANCED else _PURE[needs.objective]
        return _scaled(needs, found, weights)
    zero = np.zeros(len(found), np.int64)
    task, node, peak = zero, zero, zero
    if needs.objective is Objective.COST:
        whole = per_node(needs, found)
        cost = task_cost(needs, found)
        task, node = np.where(whole, 0, cost), np.where(whole, cost, 0)
    elif needs.objective is Objective.PERFORMANCE:
        task = -found.performance_mtflops
    elif needs.objective is Objective.LATENCY:
        peak = found.latency_us
    else:
        task = found.carbon_ug
    return Score(task, node, peak, 0, _UNITS[needs.objective])


def _scaled(needs: Requirements, found: Candidates, weights: Mapping[str, float]) -> Score:
    zero = np.zeros(len(found), np.int64)
    if len(found) == 0:
        return Score(zero, zero, zero, 0, 1 / STEPS)
    total = sum(weights.values())
    share = {term: weight / total for term, weight in weights.items()}
    task, node, offset = _scaled_cost(needs, found, share.get("cost", 0.0))
    for term, values in (("performance", -found.performance_mtflops), ("carbon", found.carbon_ug)):
        task = task + _steps(values - values.min(), values, share.get(term, 0.0) / needs.tasks)
    latency = found.latency_us
    peak = _steps(latency - latency.min(), latency, share.get("latency", 0.0))
    return Score(task, node, peak, offset, 1 / STEPS)


def _scaled_cost(needs: Requirements, found: Candidates, weight: float) -> tuple[IntArray, IntArray, int]:
    """Return (task, node, offset) of the cost term.

    Best and worst are those of all tasks on one candidate, capacity aside: a node's price counts once
    for as many tasks as it holds.
    """
    cost, whole = task_cost(needs, found), per_node(needs, found)
    if not whole.any():
        return _steps(cost - cost.min(), cost, weight / needs.tasks), np.zeros_like(cost), 0
    most = np.ones(len(found), np.int64)
    np.maximum.at(most, found.group_candidate, found.group_tasks)
    units = np.where(whole, -(-needs.tasks // most), needs.tasks)
    alone = cost * units
    steps = _steps_of(cost.astype(np.float64), alone, weight)
    zero = np.zeros_like(cost)
    offset = -int(_steps_of(np.array([float(alone.min())]), alone, weight)[0])
    return np.where(whole, zero, steps), np.where(whole, steps, zero), offset


def _steps(shifted: IntArray, values: IntArray, weight: float) -> IntArray:
    return _steps_of(shifted.astype(np.float64), values, weight)


def _steps_of(amounts: FloatArray, values: IntArray, weight: float) -> IntArray:
    best, worst = int(values.min()), int(values.max())
    width = max(worst - best, FLATNESS * max(abs(worst), abs(best)))
    if width == 0 or weight == 0:
        return np.zeros(len(amounts), np.int64)
    return np.rint(amounts * (weight * STEPS / width)).astype(np.int64)
