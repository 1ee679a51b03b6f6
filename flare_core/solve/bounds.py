"""Lower bounds on the primary value, each intent for itself on the seats there are."""

import numpy as np

from flare_core.inventory.types import ELASTIC, FloatArray, IntArray
from flare_core.placement.packing import Ask, Problem


def seats(ask: Ask) -> IntArray:
    """Return how many tasks each candidate holds, at most as many as are asked."""
    found, tasks = ask.found, ask.needs.tasks
    nodes = np.where(found.group_nodes == ELASTIC, tasks, np.minimum(found.group_nodes, tasks))
    total = np.zeros(len(found), np.int64)
    np.add.at(total, found.group_candidate, nodes * np.minimum(found.group_tasks, tasks))
    return np.minimum(total, tasks)


def cannot_fit(ask: Ask) -> bool:
    """Whether even all candidates together hold too few tasks of the intent: a certificate."""
    room = int(seats(ask).sum())
    return room == 0 if ask.needs.any_tasks else room < ask.needs.tasks


def floors(ask: Ask) -> FloatArray:
    """Return for each candidate the least primary value of a placement of all tasks that uses it.

    All tasks on the cheapest seats, a node's price split over its seats, is a lower bound; putting ``t``
    tasks on candidate ``j`` instead saves at most the dearest of those seats ``t`` times. Between one task
    and a full node the difference is linear in ``t``, so its ends suffice. The peak is at least ``j``'s own,
    and at least that within which there are enough seats.
    """
    tasks, score, room = ask.needs.tasks, ask.score, seats(ask)
    most = np.ones(len(ask.found), np.int64)
    np.maximum.at(most, ask.found.group_candidate, ask.found.group_room)
    full = np.minimum(most, tasks)
    rate = score.task + score.node / full
    least, dearest = _cheapest(rate, room, tasks)
    one = score.task + score.node - dearest
    node = full * (score.task - dearest) + score.node
    peak = np.maximum(score.peak, _cheapest(score.peak.astype(np.float64), room, tasks)[1])
    result: FloatArray = least + np.maximum(0, np.minimum(one, node)) + peak + score.offset
    return result


def least_primary(problem: Problem) -> int | None:
    """Return a bound for plans that place whole every intent with candidates.

    None with intents of "Any", and with those whose costs depend on when they begin.
    """
    asks = [ask for ask in problem.asks if len(ask.found)]
    if any(ask.needs.any_tasks or ask.found.tariffs is not None for ask in asks):
        return None
    return sum(int(np.floor(floors(ask).min())) for ask in asks)


def _cheapest(price: FloatArray, room: IntArray, tasks: int) -> tuple[float, float]:
    """Return the price of the `tasks` cheapest seats in all, and that of the dearest of them."""
    order = np.argsort(price, kind="stable")
    before = np.cumsum(room[order]) - room[order]
    taken = np.clip(tasks - before, 0, room[order])
    used = price[order][taken > 0]
    return float((price[order] * taken).sum()), float(used[-1]) if len(used) else 0.0
