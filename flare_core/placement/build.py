"""From a packing to the public plan: rows, sums and what they mean for people."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from flare_core.candidates.inside import linked
from flare_core.inventory.held import Held
from flare_core.inventory.kinds import read_kind
from flare_core.inventory.types import IntArray, Inventory
from flare_core.placement.headroom import most_more
from flare_core.placement.ledger import demand
from flare_core.placement.occupied import group_of, occupied
from flare_core.placement.packing import (
    Ask,
    Load,
    Loads,
    Packing,
    Problem,
    is_off_fabric,
    span_of,
    totals,
    up_probability,
)
from flare_core.placement.seating import Guests, seat
from flare_core.placement.types import Assignments, Headroom, Placement, RunnerUp, Status
from flare_core.placement.worlds import World
from flare_core.requirements.types import Limit, Workload
from flare_core.sharing.cards import milli
from flare_core.topology.graph import LinkClass
from flare_core.topology.shapes import set_class


class Seat(NamedTuple):
    """One task on one node; ``start`` as in `Load`."""

    start: int
    offer: int
    node: int
    gpus: tuple[int, ...]
    candidate: int


def settled(problem: Problem, packing: Packing) -> tuple[Packing, list[list[Seat]]]:
    """Return the seats of every intent in task order, by start, offer id, node, GPUs; and their packing.

    The GPUs of each node are chosen for all tasks together that begin there at a moment, beside those that
    run already, so some may come into seats of another grade: as good altogether, or better where the search
    was cut short.
    """
    on_node: dict[tuple[int, int], dict[int, dict[int, list[Load]]]] = {}
    for i, (ask, loads) in enumerate(zip(problem.asks, packing, strict=True)):
        for load in loads:
            node = (int(ask.found.group[load.group]), load.node)
            on_node.setdefault(node, {}).setdefault(load.start, {}).setdefault(i, []).append(load)
    spans = [span_of(ask, loads) for ask, loads in zip(problem.asks, packing, strict=True)]
    seats: list[list[Seat]] = [[] for _ in problem.asks]
    counted: list[Counter[tuple[int, int, int]]] = [Counter() for _ in problem.asks]
    for (group, v), starts in on_node.items():
        number, offer = problem.inventory.groups.node(group, v), int(problem.inventory.groups.offer[group])
        beside = [one for one in problem.inventory.busy if (one.offer, one.node) == (offer, number)]
        for start, guests in sorted(starts.items()):
            end = _last_end(problem, start, guests)
            running = [one for one in beside if one.meets(start, end)]
            world = occupied(problem.inventory, running)
            here = group if world is problem.inventory else group_of(world, offer, number)[0]
            every = [Guests(problem.asks[i], spans[i], own) for i, own in guests.items()]
            for i, tasks in zip(guests, seat(world, here, every), strict=True):
                owner = problem.asks[i].found.group_candidate
                own = [Seat(start, offer, number, one.gpus, int(owner[one.group])) for one in tasks]
                seats[i] += own
                counted[i].update((one.group, v, start) for one in tasks)
                if len(starts) > 1:
                    beside += (_held(problem.asks[i], one) for one in own)
    again = tuple(
        tuple(
            sorted(
                Load(int(ask.found.group_candidate[g]), g, v, tasks, start)
                for (g, v, start), tasks in counts.items()
            )
        )
        for ask, counts in zip(problem.asks, counted, strict=True)
    )
    return again, [sorted(own) for own in seats]


def _last_end(problem: Problem, start: int, guests: Iterable[int]) -> int | None:
    """Return when the last of some intents' tasks ends that begin at `start`; None where one never does."""
    lengths = [problem.asks[i].needs.length_s for i in guests]
    known = [length for length in lengths if length is not None]
    return start + max(known) if len(known) == len(lengths) else None


def held(problem: Problem, packing: Packing) -> list[Held]:
    """Return what the tasks of a packing take of their nodes, and when."""
    _, seats = settled(problem, packing)
    return [_held(ask, one) for ask, own in zip(problem.asks, seats, strict=True) for one in own]


def _held(ask: Ask, one: Seat) -> Held:
    end = None if ask.needs.length_s is None else one.start + ask.needs.length_s
    slots, profile = _parts(ask, one.candidate)
    return Held(one.offer, one.node, one.gpus, *demand(ask.needs), one.start, end, slots, profile)


def _parts(ask: Ask, j: int) -> tuple[int, str | None]:
    """Return (slots of each GPU, MIG profile) that a task has; 0 and None where it has whole GPUs."""
    code = int(ask.found.cut[j])
    cut = None if code < 0 else ask.found.cuts[code]
    if cut is None:
        return 0, None
    return (0, cut.share) if isinstance(cut.share, str) else (cut.share, None)


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
        efficiency=column(8) / 1e6,
        mig_profile=tuple(row[9] for row in rows),
        gpu_milli=column(10),
        gpu_offsets=offsets,
        gpu_indices=np.array([i for g in gpus for i in g], np.int64),
    )


_Row = tuple[int, int, int, int, bool, int, int, int, int, str | None, int, tuple[int, ...]]


def _rows(problem: Problem, all_seats: Sequence[Sequence[Seat]]) -> Iterator[_Row]:
    for i, (ask, own) in enumerate(zip(problem.asks, all_seats, strict=True)):
        first, last = _epoch(ask.needs.start), _epoch(ask.needs.end)
        then = {start: ask.found.at(start) for start in {one.start for one in own}}
        paid: set[tuple[int, int, int]] = set()
        for task, here in enumerate(own):
            j, node, found = here.candidate, (here.start, here.offer, here.node), then[here.start]
            start, end = first + here.start, last + here.start if last >= 0 else last
            price = 0 if found.by_node[j] and node in paid else int(found.task_ueur[j])
            paid.add(node)
            ppm, share = int(found.efficiency_ppm[j]), _share(ask, j)
            spot = bool(found.spot[j])
            yield i, task, here.offer, here.node, spot, price, start, end, ppm, *share, here.gpus


def _share(ask: Ask, j: int) -> tuple[str | None, int]:
    """Return (MIG profile, thousandths of a GPU by slots) of a task; None and -1 where it has none."""
    code = int(ask.found.cut[j])
    cut = None if code < 0 else ask.found.cuts[code]
    if cut is None:
        return None, -1
    if isinstance(cut.share, str):
        return cut.share, -1
    return None, milli(cut.card, cut.share)


def _epoch(moment: datetime | None) -> int:
    return -1 if moment is None else int(moment.timestamp())


def placed(
    problem: Problem,
    packing: Packing,
    i: int,
    own: Sequence[Seat],
    rows: slice,
    wishes: Mapping[int, str],
) -> Placement:
    """Return the placement of intent `i`, which has loads.

    Parameters
    ----------
    own
        Its seats.
    rows
        Its slice of the assignments.
    wishes
        What it prefers as written, by number of the preference.
    """
    ask, loads = problem.asks[i], packing[i]
    needs, found, inventory = ask.needs, ask.found, problem.inventory
    sums = totals(ask, loads)
    used = sorted({load.candidate for load in loads})
    replicas, hourly = _most_more(problem, packing, i)
    return Placement(
        intent=ask.name,
        status=Status.PLACED,
        rows=rows,
        relaxed=tuple(_relaxed(ask, inventory, loads, own, wishes)),
        hourly_ueur=sums.hourly_ueur,
        total_ueur=None if needs.end is None else sums.total_ueur,
        start=needs.start + timedelta(seconds=min(load.start for load in loads)),
        end=None if needs.end is None else needs.end + timedelta(seconds=sums.last_start),
        latency_ms=float(found.network_ms[used].max()) if found.latency_known[used].all() else None,
        carbon_g_per_hour=round(sums.carbon_peak_ug / 1e6, 6) if _carbon_known(ask, loads) else None,
        performance_tflops=sums.performance_mtflops / 1000 if found.performance_known[used].all() else None,
        availability_percent=_availability(ask, inventory, loads, used),
        headroom=Headroom(replicas, hourly) if needs.auto_scale else None,
    )


def _most_more(problem: Problem, packing: Packing, i: int) -> tuple[int, int]:
    """Return (replicas, hourly price of all), also beside what is in use for a time: there from now on."""
    ask, busy = problem.asks[i], problem.inventory.busy
    if not busy or not ask.needs.auto_scale:
        return most_more(problem, packing, i)
    others = tuple(() if k == i else loads for k, loads in enumerate(packing))
    alone = Problem((ask,), problem.inventory)
    world = World(alone, 0, tuple(one for one in (*busy, *held(problem, others)) if one.meets(0, None)))
    own = world.into((packing[i],))
    return (0, totals(ask, packing[i]).hourly_ueur) if own is None else most_more(world.problem, own, 0)


def _relaxed(
    ask: Ask, inventory: Inventory, loads: Loads, own: Sequence[Seat], wishes: Mapping[int, str]
) -> Iterator[Mapping[str, object]]:
    """Yield one entry a preference that some task misses, with all that is had instead."""
    off_fabric = is_off_fabric(ask, loads)
    for bit, preference in enumerate(ask.needs.preferences):
        if preference.rule == "fabric":
            missed = list(own) if off_fabric else []
        else:
            missed = [one for one in own if int(ask.found.missed[one.candidate]) >> bit & 1]
        got = sorted({_got(ask, inventory, preference, one) for one in missed})
        if missed:
            yield {"path": preference.path, "asked": wishes[bit], "got": ", ".join(got)}


def _got(ask: Ask, inventory: Inventory, preference: Limit, one: Seat) -> str:
    """Return what a task has instead: the fabric, the class of its GPUs' links, or that there is no shape."""
    if preference.rule == "fabric":
        return inventory.label["fabric_interconnect"][one.offer] or "unknown"
    kind = read_kind(str(inventory.label["gpu_kind"][one.offer]))
    cut = int(ask.found.cut[one.candidate]) >= 0
    graph = linked(kind._replace(gpu_count=max(2, kind.gpu_count)), flat=cut)
    if preference.rule == "topology":
        return "none" if graph.known else "unknown"
    if not graph.known and kind.interconnect is None:
        return "unknown"
    # Of parts any two GPUs stand for all: they are alike, and may even be one.
    mask = sum(1 << gpu for gpu in one.gpus) if graph.known else 0b11
    return LinkClass(set_class(graph, mask)).name.lower()


def _carbon_known(ask: Ask, loads: Loads) -> bool:
    """Whether the emission of every task is known over its run."""
    then = {start: ask.found.at(start) for start in {load.start for load in loads}}
    return all(then[load.start].carbon_known[load.candidate] for load in loads)


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
