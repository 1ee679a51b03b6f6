"""The primary objective of one intent as whole numbers, the same for every path that optimises.

A placement's primary value, to be minimised, is::

    sum over tasks of task[j]  +  sum over nodes of node[j]  +  max over used j of peak[j]
    + sum over tasks of fabric[j, s]        for a gang of span s

with ``j`` the candidate on which the task or node lies. Every term of the objectives fits this shape: cost
by the GPU, performance and carbon add up over tasks, cost by the node over nodes, and latency is that of
the worst task.

A sum of scaled terms (``Balanced_Optimization``, and every objective where several intents share a plan) is
quantised here, once, in steps of 2**-36 of a term's range. The best and worst value of a term are those of
all tasks on one candidate, capacity aside; where a node is paid once for several tasks, the best is with
full nodes and the worst with a node for each task; a node has its best seats, and a gang no distance. A term
that is the same everywhere counts nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from flare_core.candidates.types import Candidates
from flare_core.inventory.types import IntArray, Mask
from flare_core.requirements.types import Objective, Requirements

STEPS = 2**36
"""Quantisation of scaled terms: one range is this many steps."""

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


class Linear(NamedTuple):
    """How a column adds to the primary value: ``rint((amount - least) * per)``."""

    least: int = 0
    per: float = 0.0

    def __call__(self, amounts: IntArray) -> IntArray:
        """Return what `amounts` add."""
        steps: IntArray = np.rint((amounts - self.least) * self.per).astype(np.int64)
        return steps


NOTHING = Linear()


@dataclass(frozen=True, slots=True)
class Score:
    """Coefficients of the primary value (see the module), shape (candidates,).

    ``fabric`` has a column for each span of a gang, none for others. ``offset`` is added once for an intent
    that is placed; ``unit`` turns the value into the public figure. ``cost`` and ``carbon`` say how
    much of it is due to these terms, which may depend on when a run begins.
    """

    task: IntArray
    node: IntArray
    peak: IntArray
    fabric: IntArray
    offset: int
    unit: float
    cost: Linear = NOTHING
    carbon: Linear = NOTHING

    def public(self, value: int) -> float:
        """Return the public figure of a primary `value`."""
        return round(value * self.unit, 6) + 0.0


def per_node(needs: Requirements, found: Candidates) -> Mask:
    """Return which candidates hold several tasks on a node that is paid once: their price does not split."""
    if needs.tasks == 1:
        return np.zeros(len(found), np.bool_)
    most = np.zeros(len(found), np.int64)
    np.maximum.at(most, found.group_candidate, found.group_room)
    return found.by_node & (most > 1)


def task_cost(needs: Requirements, found: Candidates) -> IntArray:
    """Return what the cost term counts for one task (or node): EUR/hour of services, EUR in total of jobs."""
    return found.task_total_ueur if needs.costs_in_total else found.task_ueur


def repriced(score: Score, needs: Requirements, old: Candidates, new: Candidates) -> Score:
    """Return the score of candidates whose prices and emissions have changed from `old` to `new`."""
    cost = score.cost(task_cost(needs, new)) - score.cost(task_cost(needs, old))
    carbon, whole = score.carbon(new.carbon_ug) - score.carbon(old.carbon_ug), per_node(needs, new)
    task = score.task + carbon + np.where(whole, 0, cost)
    return replace(score, task=task, node=score.node + np.where(whole, cost, 0))


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
    task, node, peak, fabric = zero, zero, zero, np.zeros_like(found.fabric.loss)
    if needs.objective is Objective.COST:
        whole = per_node(needs, found)
        cost = task_cost(needs, found)
        task, node = np.where(whole, 0, cost), np.where(whole, cost, 0)
    elif needs.objective is Objective.PERFORMANCE:
        task, fabric = -found.performance_mtflops, found.fabric.loss
    elif needs.objective is Objective.LATENCY:
        peak = found.latency_us
    else:
        task = found.carbon_ug
    own = Linear(0, 1.0)
    return Score(
        task,
        node,
        peak,
        fabric,
        0,
        _UNITS[needs.objective],
        cost=own if needs.objective is Objective.COST else NOTHING,
        carbon=own if needs.objective is Objective.ENERGY else NOTHING,
    )


def _scaled(needs: Requirements, found: Candidates, weights: Mapping[str, float]) -> Score:
    zero = np.zeros(len(found), np.int64)
    if len(found) == 0:
        return Score(zero, zero, zero, np.zeros_like(found.fabric.loss), 0, 1 / STEPS)
    total = sum(weights.values())
    share = {term: weight / total for term, weight in weights.items()}
    whole = per_node(needs, found)
    cost, offset = _scaled_cost(needs, found, share.get("cost", 0.0))
    carbon = _linear(_carbon_range(needs, found), share.get("carbon", 0.0) / needs.tasks)
    steps = cost(task_cost(needs, found))
    # What lesser seats on the same nodes yield does not change what is best and worst.
    best = found.performance_mtflops[found.best]
    slower = _scale(int(np.ptp(best)), share.get("performance", 0.0) / needs.tasks)
    lost = np.rint((best.max() - found.performance_mtflops) * slower).astype(np.int64)
    return Score(
        np.where(whole, 0, steps) + lost + carbon(found.carbon_ug),
        np.where(whole, steps, 0),
        _linear(found.latency_us, share.get("latency", 0.0))(found.latency_us),
        np.rint(found.fabric.loss * slower).astype(np.int64),
        offset,
        1 / STEPS,
        cost,
        carbon,
    )


def _scaled_cost(needs: Requirements, found: Candidates, weight: float) -> tuple[Linear, int]:
    """Return (steps of a task or node, offset) of the cost term."""
    least, most = _cost_range(needs, found)
    whole = per_node(needs, found)
    if not whole.any():
        return _linear(np.concatenate([least, most]), weight / needs.tasks), 0
    held = np.ones(len(found), np.int64)
    np.maximum.at(held, found.group_candidate, found.group_room)
    best = int((least * np.where(whole, -(-needs.tasks // held), needs.tasks)).min())
    scale = _scale(needs.tasks * int(most.max()) - best, weight)
    return Linear(0, scale), -round(best * scale)


def _cost_range(needs: Requirements, found: Candidates) -> tuple[IntArray, IntArray]:
    """Return the least and the most that the cost term counts for a task, whenever it may begin."""
    if found.tariffs is None or not needs.patient:
        return task_cost(needs, found), task_cost(needs, found)
    extremes = found.tariffs.extremes()
    return extremes.least_ueur[found.tariff], extremes.most_ueur[found.tariff]


def _carbon_range(needs: Requirements, found: Candidates) -> IntArray:
    """Return the least and the most that a task emits, whenever it may begin."""
    if found.tariffs is None or not needs.patient:
        return found.carbon_ug
    extremes = found.tariffs.extremes()
    return np.concatenate([extremes.least_carbon_ug, extremes.most_carbon_ug])


def _linear(values: IntArray, weight: float) -> Linear:
    """Return steps of the range of `values`, from the best on."""
    return Linear(int(values.min()), _scale(int(np.ptp(values)), weight))


def _scale(width: int, weight: float) -> float:
    return weight * STEPS / width if width else 0.0
