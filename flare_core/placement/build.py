"""From a packing to the public plan: rows, sums and what they mean for people."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from flare_core.inventory.types import IntArray, Inventory
from flare_core.placement.headroom import most_more
from flare_core.placement.packing import Ask, Load, Loads, Packing, Problem, totals, up_probability
from flare_core.placement.types import Assignments, Headroom, Placement, RunnerUp, Status
from flare_core.requirements.types import Workload


class Seat(NamedTuple):
    """One task on one node."""

    offer: int
    node: int
    candidate: int
    gpus: tuple[int, ...]


def seats(problem: Problem, packing: Packing) -> list[list[Seat]]:
    """Return the seats of every intent in task order: by offer id, then node, then GPUs.

    The free GPUs of a node are taken from the lowest on, intent by intent.
    """
    groups = problem.inventory.groups
    count = problem.inventory.whole["gpu_count"]
    taken: dict[tuple[int, int], int] = {}
    result: list[list[Seat]] = []
    for ask, loads in zip(problem.asks, packing, strict=True):
        own: list[Seat] = []
        for load in sorted(loads, key=lambda load: _place(problem, ask, load)):
            offer, number = _place(problem, ask, load)
            group, need = int(ask.found.group[load.group]), ask.needs.gpus
            free = groups.free_indices(group, int(count[offer]))
            for _ in range(load.tasks):
                first = taken.get((offer, number), 0)
                taken[offer, number] = first + need
                own.append(Seat(offer, number, load.candidate, free[first : first + need]))
        result.append(own)
    return result


def _place(problem: Problem, ask: Ask, load: Load) -> tuple[int, int]:
    group = int(ask.found.group[load.group])
    return int(ask.found.rows[load.candidate]), problem.inventory.groups.node(group, load.node)


def assignments(problem: Problem, all_seats: Sequence[Sequence[Seat]]) -> Assignments:
    """Return the columns of all seats, intents in the order given."""
    rows = list(_rows(problem, all_seats))
    gpus = [row[-1] for row in rows]
    offsets = np.concatenate([[0], np.cumsum([len(g) for g in gpus])]).astype(np.int64)

    def column(k: int) -> IntArray:
        return np.array([row[k] for row in rows], np.int64)

    return Assignments(
        placement=column(0),
        task=column(1),
        offer=column(2),
        node=column(3),
        spot=column(4).astype(np.bool_),
        hourly_ueur=column(5),
        start_s=column(6),
        end_s=column(7),
        efficiency=np.ones(len(rows)),
        gpu_offsets=offsets,
        gpu_indices=np.array([i for g in gpus for i in g], np.int64),
    )


_Row = tuple[int, int, int, int, bool, int, int, int, tuple[int, ...]]


def _rows(problem: Problem, all_seats: Sequence[Sequence[Seat]]) -> Iterator[_Row]:
    for i, (ask, own) in enumerate(zip(problem.asks, all_seats, strict=True)):
        found = ask.found
        start, end = _epoch(ask.needs.start), _epoch(ask.needs.end)
        paid: set[tuple[int, int]] = set()
        for task, seat in enumerate(own):
            j, node = seat.candidate, (seat.offer, seat.node)
            price = 0 if found.by_node[j] and node in paid else int(found.task_ueur[j])
            paid.add(node)
            yield i, task, seat.offer, seat.node, bool(found.spot[j]), price, start, end, seat.gpus


def _epoch(moment: datetime | None) -> int:
    return -1 if moment is None else int(moment.timestamp())


def placed(problem: Problem, packing: Packing, i: int, rows: slice, wishes: Mapping[int, str]) -> Placement:
    """Return the placement of intent `i`, which has loads.

    Parameters
    ----------
    rows
        Its slice of the assignments.
    wishes
        What it prefers as written, by number of the preference.
    """
    ask, loads = problem.asks[i], packing[i]
    needs, found, inventory = ask.needs, ask.found, problem.inventory
    sums = totals(ask, loads)
    used = sorted({load.candidate for load in loads})
    replicas, hourly = most_more(problem, packing, i)
    return Placement(
        intent=ask.name,
        status=Status.PLACED,
        rows=rows,
        relaxed=tuple(_relaxed(ask, inventory, loads, wishes)),
        hourly_ueur=sums.hourly_ueur,
        total_ueur=None if needs.end is None else sums.total_ueur,
        start=needs.start,
        end=needs.end,
        latency_ms=float(found.network_ms[used].max()) if found.latency_known[used].all() else None,
        carbon_g_per_hour=round(sums.carbon_ug / 1e6, 6) if found.carbon_known[used].all() else None,
        performance_tflops=sums.performance_mtflops / 1000 if found.performance_known[used].all() else None,
        availability_percent=_availability(ask, inventory, loads, used),
        headroom=Headroom(replicas, hourly) if needs.auto_scale else None,
    )


def _relaxed(
    ask: Ask, inventory: Inventory, loads: Loads, wishes: Mapping[int, str]
) -> Iterator[Mapping[str, object]]:
    """Yield one entry a preference and kind of offer that misses it."""
    for bit, preference in enumerate(ask.needs.preferences):
        missed = [load for load in loads if int(ask.found.missed[load.candidate]) >> bit & 1]
        got = sorted({str(_got(ask, inventory, preference.column, load)) for load in missed})
        if missed:
            yield {"path": preference.path, "asked": wishes[bit], "got": ", ".join(got)}


def _got(ask: Ask, inventory: Inventory, column: str, load: Load) -> object:
    said = inventory.value(column, int(ask.found.rows[load.candidate]))
    return "unknown" if said is None else said


def _availability(ask: Ask, inventory: Inventory, loads: Loads, used: list[int]) -> float | None:
    uptime = inventory.number["uptime_percent"][ask.found.rows[used]]
    if np.isnan(uptime).any():
        return None
    if ask.needs.workload is Workload.SERVICE:
        return _floored(100 * up_probability(ask, loads))
    return float(uptime.min())


def _floored(percent: float) -> float:
    """Return `percent` with nine decimals, not more than it is: what is told can be asked for."""
    told = round(percent, 9)
    return told if told - percent < 1e-11 else round(told - 1e-9, 9)


def runner_up(ask: Ask, loads: Loads) -> RunnerUp | None:
    """Return the candidate, not used by `loads`, on which all tasks alone would be best, capacity aside."""
    found, score, tasks = ask.found, ask.score, ask.needs.tasks
    free = np.ones(len(found), np.bool_)
    free[[load.candidate for load in loads]] = False
    rest = np.flatnonzero(free)
    if not loads or not len(rest):
        return None
    held = np.ones(len(found), np.int64)
    np.maximum.at(held, found.group_candidate, found.group_tasks)
    nodes = -(-tasks // held)
    price = found.task_ueur * np.where(found.by_node, nodes, tasks)
    for key in (found.misses, tasks * score.task + nodes * score.node + score.peak, price):
        keys = key[rest]
        rest = rest[keys == keys.min()]
    best = int(rest[0])
    more = int(price[best]) - totals(ask, loads).hourly_ueur
    return RunnerUp(int(found.rows[best]), bool(found.spot[best]), more)
