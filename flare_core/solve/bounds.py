"""Lower bounds on the primary value, by Lagrangian relaxation of the capacity that intents share.

With a price ``lam[o] >= 0`` on each unit of a finite offer ``o``, every plan that places all intents is worth
at least::

    L(lam) = sum over i of (n[i] * rate[i] + least peak[i] + offset[i]) - sum over o of lam[o] * units[o]
    rate[i] = min over j of (task[j] + node[j] / k[j] + lam[o(j)] * use[j])

where a unit is a GPU of an offer billed by the GPU, a node of one billed by the node, and ``use`` what one
task takes of it at least. A plan that uses candidate ``j`` of intent ``i`` is worth at least as much more as
``j`` is worse than the best: its floor. Any prices give a valid bound; a few subgradient steps
(Polyak's rule, towards the value of a known plan) find good ones.
"""

from dataclasses import dataclass

import numpy as np

from flare_core.inventory.types import ELASTIC, FloatArray, IntArray, Inventory
from flare_core.placement.packing import Ask, Problem

STEPS = 60
"""Subgradient steps; a step is a dozen numpy operations over all candidates."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """All candidates of all intents, one after another.

    ``full`` is how many tasks fill a node, ``units`` how many of each offer there are.
    """

    begins: IntArray  # of each intent
    tasks: FloatArray  # of each intent
    full: FloatArray  # tasks on a full node
    task: FloatArray
    node: FloatArray
    peak: FloatArray
    offset: float
    offer: IntArray  # dense code
    use: FloatArray
    units: FloatArray  # of each offer; infinite where elastic


def floors(problem: Problem, worth: int | None) -> FloatArray:
    """Return for each candidate the least primary value of a plan that places all intents and uses it.

    Parameters
    ----------
    problem
        Every intent has candidates; none has ``completion_policy: "Any"``.
    worth
        Value of a known plan, towards which the prices are raised; None leaves capacity aside.

    Returns
    -------
    ndarray
        Shape (candidates of the first intent + of the second + …,).
    """
    columns = _columns(problem)
    price = np.zeros(len(columns.units))
    bound, best = _floors(columns, price)
    if worth is None or not problem.several:
        return bound
    finite = np.isfinite(columns.units)
    for _ in range(STEPS):
        taken = _taken(columns, price)
        slope = np.where(finite, taken - np.where(finite, columns.units, 0), 0.0)
        slope[(price <= 0) & (slope < 0)] = 0
        size = float(slope @ slope)
        if size == 0:
            break
        price = np.maximum(0, price + (worth - best) / size * slope)
        tried, least = _floors(columns, price)
        bound, best = np.maximum(bound, tried), max(best, least)
    return bound


def _floors(columns: _Columns, price: FloatArray) -> tuple[FloatArray, float]:
    """Return (floor of each candidate, bound of the whole) under `price`."""
    c, charge = columns, price[columns.offer] * columns.use
    widths = np.diff(np.append(c.begins, len(c.task)))
    rate = np.minimum.reduceat(c.task + c.node / c.full + charge, c.begins)
    peak = np.minimum.reduceat(c.peak, c.begins)
    paid = float((price * np.where(np.isfinite(c.units), c.units, 0)).sum())
    least = float((c.tasks * rate + peak).sum()) + c.offset - paid
    own, rest = np.repeat(rate, widths), np.repeat(c.tasks, widths)
    one = c.task + c.node + charge - own
    node = c.full * (c.task + charge - own) + c.node
    single = rest == 1
    return least + np.where(single, one, np.minimum(one, node)) + c.peak - np.repeat(peak, widths), least


def _taken(columns: _Columns, price: FloatArray) -> FloatArray:
    """Return the units of each offer that the cheapest choice of every intent takes."""
    c = columns
    cost = c.task + c.node / c.full + price[c.offer] * c.use
    widths = np.diff(np.append(c.begins, len(cost)))
    cheapest = cost == np.repeat(np.minimum.reduceat(cost, c.begins), widths)
    first = np.unique(np.repeat(np.arange(len(c.begins)), widths)[cheapest], return_index=True)[1]
    chosen = np.flatnonzero(cheapest)[first]
    taken = np.zeros(len(c.units))
    np.add.at(taken, c.offer[chosen], c.tasks * c.use[chosen])
    return taken


def _columns(problem: Problem) -> _Columns:
    asks = problem.asks
    rows = np.concatenate([ask.found.rows for ask in asks])
    offers, code = np.unique(rows, return_inverse=True)
    units = np.full(len(offers), np.inf)
    full, use = [], []
    for ask in asks:
        most = np.ones(len(ask.found), np.int64)
        np.maximum.at(most, ask.found.group_candidate, ask.found.group_tasks)
        full.append(np.minimum(most, ask.needs.tasks).astype(np.float64))
        use.append(np.where(ask.found.by_node, 1 / most, ask.needs.gpus))
        at = np.searchsorted(offers, ask.found.rows)
        units[at] = np.minimum(units[at], _units(problem.inventory, ask))
    # A single task's sum and peak are one thing; for several the peak is bounded apart.
    alone = [ask.needs.tasks == 1 for ask in asks]
    return _Columns(
        begins=np.cumsum([0, *(len(ask.found) for ask in asks)])[:-1],
        tasks=np.array([ask.needs.tasks for ask in asks], np.float64),
        full=np.concatenate(full),
        task=np.concatenate(
            [a.score.task + (a.score.peak if one else 0) for a, one in zip(asks, alone, strict=True)]
        ).astype(np.float64),
        node=np.concatenate([ask.score.node for ask in asks]).astype(np.float64),
        peak=np.concatenate(
            [np.zeros(len(a.found)) if one else a.score.peak for a, one in zip(asks, alone, strict=True)]
        ).astype(np.float64),
        offset=float(sum(ask.score.offset for ask in asks)),
        offer=code.reshape(-1),
        use=np.concatenate(use),
        units=units,
    )


def _units(inventory: Inventory, ask: Ask) -> FloatArray:
    """Return how many units (free GPUs, or unused nodes) each candidate's offer has in all its groups."""
    found, groups = ask.found, inventory.groups
    count = np.maximum(groups.count, 0)
    total = np.zeros(len(inventory))
    np.add.at(total, groups.offer, count * np.maximum(groups.free_gpus, 0))
    nodes = np.zeros(len(inventory))
    np.add.at(nodes, groups.offer, count)
    endless = np.zeros(len(inventory), np.bool_)
    endless[groups.offer[groups.count == ELASTIC]] = True
    units = np.where(found.by_node, nodes[found.rows], total[found.rows])
    return np.where(endless[found.rows], np.inf, units)
