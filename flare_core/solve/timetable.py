"""Several jobs on the same nodes: where each of them could run, and what is free on a node at which time.

A *job* here is an intent that ends and whose tasks begin together, on whole GPUs of which any will do: its
*places* are the node groups that hold all its tasks, each with what the placement is worth there and when it
may begin. Jobs whose GPUs are cut or told apart are no such jobs, and neither are services and batches: what
these have of the nodes is taken from the timetable before.

A node is as free as the tasks that run on it leave it: GPUs, cores and memory are counted, and a node billed
whole belongs to one job at a time. Whole GPUs that nobody tells apart are counted without loss: of tasks in
the order of their starts each finds GPUs that no other has, if never more are taken than there are.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from flare_core.candidates.times import moves, starts_by_code
from flare_core.inventory.calendar import Intervals
from flare_core.inventory.held import Held
from flare_core.inventory.types import ELASTIC, Inventory
from flare_core.model.families import broken, rules_of
from flare_core.placement.ledger import capacity, demand
from flare_core.placement.occupied import group_of
from flare_core.placement.packing import Ask, Load, Loads, Problem, totals
from flare_core.requirements.types import Linking, Workload

Amounts = tuple[int, int, int]
"""GPUs, milli-cores and MiB of memory."""


class Worth(NamedTuple):
    """What a job's placement counts in the order of plans, before its finish."""

    misses: int
    primary: int
    cost_ueur: int
    performance: int
    latency_us: int
    carbon_ug: int


class Place(NamedTuple):
    """A node group that holds all tasks of a job.

    ``group`` is the job's own number of it, ``home`` the inventory's; ``each`` is how many of its tasks a
    free node holds, and ``nodes`` how many nodes they need then, which are all that they may use: on more of
    them a gang would be slower. ``begins`` are when it may begin there, seconds after the plan.
    """

    group: int
    home: int
    each: int
    nodes: int
    begins: Intervals
    worth: Worth


@dataclass(frozen=True)
class Job:
    """An intent to be timed; ``i`` is its number in the problem, ``takes`` what one of its tasks takes.

    ``parts`` are the groups that hold any of its tasks.
    """

    i: int
    ask: Ask
    length: int
    takes: Amounts
    places: tuple[Place, ...]
    parts: tuple[Place, ...]

    @property
    def tasks(self) -> int:
        """How many tasks begin together."""
        return self.ask.needs.tasks

    @cached_property
    def last(self) -> int:
        """When it begins at the latest, wherever."""
        return max(place.begins[-1][1] - 1 for place in self.parts)

    @property
    def volume(self) -> int:
        """GPUs (or cores, without GPUs) times seconds."""
        return self.tasks * self.length * (self.takes[0] or self.takes[1])


def plain(ask: Ask) -> bool:
    """Whether an intent is a job whose places do not depend on which GPUs it has, or when."""
    needs, found = ask.needs, ask.found
    return bool(
        len(found)
        and found.tariffs is None
        and needs.workload is Workload.JOB
        and moves(needs)
        and not (needs.any_tasks or needs.infiniband or needs.storage_mib)
        and needs.linking == Linking()
        and (found.cut < 0).all()
        and (found.group_sets < 0).all()
        and len(np.unique(found.group)) == len(found.group)
    )


def roomy(ask: Ask) -> bool:
    """Whether some group holds all tasks of an intent."""
    found = ask.found
    room = found.group_nodes * found.group_tasks
    return bool(((room < 0) | (room >= ask.needs.tasks)).any())


def jobs_of(problem: Problem) -> list[Job]:
    """Return the intents of a problem that are jobs in this sense."""
    return [job for job in (_job(problem, i) for i in range(len(problem.asks))) if job is not None]


def _job(problem: Problem, i: int) -> Job | None:
    """Return an intent as a job; None where it is not plain, or no group holds all its tasks."""
    ask = problem.asks[i]
    if not plain(ask):
        return None
    parts = sorted(_parts(problem, ask), key=lambda place: (place.worth, place.group))
    places = tuple(place for place in parts if _holds(problem, ask, place))
    cpu, memory, _ = demand(ask.needs)
    takes = (ask.needs.gpus, cpu, memory)
    return Job(i, ask, ask.needs.length_s or 0, takes, places, tuple(parts)) if places else None


def _parts(problem: Problem, ask: Ask) -> Iterator[Place]:
    now, known = int(ask.needs.start.timestamp()), starts_by_code(ask.needs, problem.inventory)
    relative = {code: tuple((a - now, b - now) for a, b in begins) for code, begins in known.items()}
    codes = problem.inventory.label["calendar"].codes[ask.found.rows]
    for g, j in enumerate(ask.found.group_candidate.tolist()):
        each, begins = int(ask.found.group_tasks[g]), relative[int(codes[j])]
        if begins:
            loads = _filled(j, g, ask.needs.tasks, each)
            yield Place(g, int(ask.found.group[g]), each, len(loads), begins, _worth(ask, loads))


def _holds(problem: Problem, ask: Ask, place: Place) -> bool:
    """Whether all tasks may be at a place."""
    nodes, alone = int(ask.found.group_nodes[place.group]), Problem((ask,), problem.inventory)
    if 0 <= nodes < place.nodes:
        return False
    loads = _filled(int(ask.found.group_candidate[place.group]), place.group, ask.needs.tasks, place.each)
    return ask.needs.tasks == 1 or not broken(alone, (loads,), rules_of(alone))


def _filled(j: int, g: int, tasks: int, each: int) -> Loads:
    """Return tasks on as few nodes as they need."""
    return tuple(Load(j, g, v, min(each, tasks - v * each)) for v in range(-(-tasks // each)))


def _worth(ask: Ask, loads: Loads) -> Worth:
    sums = totals(ask, loads)
    terms = (sums.cost_ueur, -sums.performance_mtflops, sums.latency_us, sums.carbon_ug)
    return Worth(sums.misses, sums.primary, *terms)


class Run(NamedTuple):
    """What some tasks take of a node, from when until when; ``owner`` is the job's number, -1 unknown."""

    start: int
    end: int | None
    takes: Amounts
    owner: int


class Spot(NamedTuple):
    """When a job begins and how many of its tasks on which nodes of a place."""

    place: Place
    start: int
    nodes: tuple[tuple[int, int], ...]

    def loads(self, ask: Ask) -> Loads:
        """Return them as loads."""
        j = int(ask.found.group_candidate[self.place.group])
        return tuple(sorted(Load(j, self.place.group, v, n, self.start) for v, n in self.nodes))


_Full = dict[tuple[int, Amounts, int], dict[tuple[int, Intervals], int]]
"""Until when tasks of so long a length find no room at a group, within which times: more only takes more."""

_NEVER = 2**62

Choice = Callable[[Job, "Timetable"], Spot | None]
"""Says where and when a job runs beside what is in a timetable."""


@dataclass
class Timetable:
    """What runs on which node, and when."""

    inventory: Inventory
    runs: dict[tuple[int, int], list[Run]] = field(default_factory=dict)
    fresh: dict[int, int] = field(default_factory=dict)  # of elastic offers: nodes that were taken
    full: _Full = field(default_factory=dict)

    @classmethod
    def beside(cls, inventory: Inventory, held: Iterable[Held]) -> "Timetable":
        """Return a timetable with what is held already."""
        table, parts = cls(inventory), dict[tuple[int, int, int], list[Held]]()
        for one in held:
            home, node = group_of(inventory, one.offer, one.node)
            if inventory.groups.count[home] == ELASTIC:
                table.fresh[home] = max(table.fresh.get(home, 0), node + 1)
                continue
            table.runs.setdefault((home, node), []).append(table._held(home, one))
            for gpu in () if one.whole else set(one.gpus):
                parts.setdefault((home, node, gpu), []).append(one)
        for (home, node, _), own in parts.items():  # a GPU that is cut is nobody's while any of it is held
            table.runs[home, node] += _merged(own)
        return table

    def _held(self, home: int, one: Held) -> Run:
        free = self.free(home)
        takes = len(one.gpus) if one.whole else 0, one.cpu_milli, one.memory_mib
        if one.left is not None:
            left = len(one.left.free_gpus or ()), one.left.cpu_milli or 0, one.left.memory_mib or 0
            takes = free[0] - left[0], free[1] - left[1], free[2] - left[2]
        return Run(one.start, one.end, free if one.storage_mib else takes, -1)

    def copy(self) -> "Timetable":
        """Return one that can be written to without changing this one."""
        runs = {node: list(own) for node, own in self.runs.items()}
        full = {key: dict(seen) for key, seen in self.full.items()}
        return Timetable(self.inventory, runs, dict(self.fresh), full)

    @cached_property
    def _homes(self) -> dict[int, tuple[Amounts, bool]]:
        return {}

    def _home(self, home: int) -> tuple[Amounts, bool]:
        known = self._homes.get(home)
        if known is None:
            groups, room = self.inventory.groups, capacity(self.inventory, home)
            billing = self.inventory.label["billing"][int(groups.offer[home])]
            free = (max(0, int(groups.free_gpus[home])), room.cpu_milli, room.memory_mib)
            known = self._homes[home] = free, bool(billing != "gpu")
        return known

    def free(self, home: int) -> Amounts:
        """Return what a node of a group has when nothing runs."""
        return self._home(home)[0]

    def whole(self, home: int) -> bool:
        """Whether the nodes of a group are billed whole: then each has one job at a time."""
        return self._home(home)[1]

    def put(self, job: Job, spot: Spot) -> None:
        """Let a job run."""
        home = spot.place.home
        for node, tasks in spot.nodes:
            if self.inventory.groups.count[home] == ELASTIC:
                self.fresh[home] = max(self.fresh.get(home, 0), node + 1)
                continue
            takes = tuple(tasks * amount for amount in job.takes)
            run = Run(spot.start, spot.start + job.length, (takes[0], takes[1], takes[2]), job.i)
            self.runs.setdefault((home, node), []).append(run)

    def earliest(self, job: Job, place: Place, last: int) -> Spot | None:
        """Return how a job begins as early as it can at a place, at `last` at the latest."""
        count = int(self.inventory.groups.count[place.home])
        if count == ELASTIC:
            first = self.fresh.get(place.home, 0)
            listed = [(first + k, min(place.each, job.tasks - k * place.each)) for k in range(place.nodes)]
            begins = place.begins[0][0]
            return Spot(place, begins, tuple(listed)) if begins <= last else None
        seen = self.full.setdefault((place.home, job.takes, job.tasks), {})
        after = max(
            (s for (n, begins), s in seen.items() if n <= job.length and _in(place, begins)), default=0
        )
        runs = (run for v in range(count) for run in self.runs.get((place.home, v), ()))
        for start in _moments(place, runs, after):
            nodes_then = () if start > last else self._nodes(job, place, start, count)
            if nodes_then or start > last:
                seen[job.length, place.begins] = start
                return Spot(place, start, nodes_then) if nodes_then else None
        seen[job.length, place.begins] = _NEVER
        return None

    def nodes_at(self, job: Job, place: Place, start: int) -> tuple[tuple[int, int], ...]:
        """Return on which nodes a job runs that begins at a moment; none where they have no room then."""
        count = int(self.inventory.groups.count[place.home])
        if count == ELASTIC:
            spot = self.earliest(job, place, start)
            return () if spot is None else spot.nodes
        return self._nodes(job, place, start, count)

    def fullest(self, job: Job, place: Place, last: int) -> Spot | None:
        """Return how a job of one task begins on the node on which it can begin last, but as early as there.

        So what is left of the other nodes until a deadline stays in one piece. Others begin at the earliest.
        """
        count = int(self.inventory.groups.count[place.home])
        if count == ELASTIC or job.tasks > 1:
            return self.earliest(job, place, last)
        best: Spot | None = None
        idle = False  # idle nodes are alike
        for v in range(count):
            runs = self.runs.get((place.home, v), [])
            if runs or not idle:
                fits = (m for m in _moments(place, runs, 0) if not runs or self._room(job, place, runs, m))
                start = next(fits, _NEVER)
                if start <= last and (best is None or start > best.start):
                    best = Spot(place, start, ((v, 1),))
            idle = idle or not runs
        return best

    def _nodes(self, job: Job, place: Place, start: int, count: int) -> tuple[tuple[int, int], ...]:
        """Return on which nodes the tasks fit from a moment on; none where not all do.

        A single task goes to the node that it leaves fullest, several to those that hold most of them.
        """
        rooms: list[tuple[int, int]] = []
        for v in range(count):
            runs = self.runs.get((place.home, v))
            room = place.each if not runs else self._room(job, place, runs, start)
            if room:
                rooms.append((v, room))
        tight = job.tasks == 1
        nodes, left = list[tuple[int, int]](), job.tasks
        for v, room in sorted(rooms, key=lambda one: (one[1] if tight else -one[1], one[0])):
            nodes.append((v, min(room, left)))
            left -= nodes[-1][1]
            if not left:
                return tuple(sorted(nodes)) if len(nodes) <= place.nodes else ()
        return ()

    def _room(self, job: Job, place: Place, runs: Sequence[Run], start: int) -> int:
        """Return how many tasks fit on a node beside what runs there."""
        end = start + job.length
        beside = [run for run in runs if run.start < end and (run.end is None or start < run.end)]
        if not beside:
            return place.each
        if self.whole(place.home):
            return 0
        free, room = self.free(place.home), place.each
        for moment in {start, *(run.start for run in beside if run.start > start)}:
            on = [
                run.takes for run in beside if run.start <= moment and (run.end is None or moment < run.end)
            ]
            taken = [sum(column) for column in zip(*on, strict=True)] or [0, 0, 0]
            for have, used, want in zip(free, taken, job.takes, strict=True):
                if want:
                    room = min(room, max(0, have - used) // want)
        return room


def _merged(held: Sequence[Held]) -> Iterator[Run]:
    """Yield when one GPU is held, without overlaps."""
    reached: int | None = -_NEVER
    for one in sorted(held, key=lambda one: one.start):
        if reached is None or (one.end is not None and one.end <= reached):
            continue
        yield Run(max(one.start, reached), one.end, (1, 0, 0), -1)
        reached = one.end


def _moments(place: Place, runs: Iterable[Run], after: int) -> list[int]:
    """Return when a place opens or a run ends, from a moment on, ascending."""
    ends = {run.end for run in runs if run.end is not None}
    inside = {end for end in ends for first, close in place.begins if first <= end < close}
    return sorted(moment for moment in inside | {first for first, _ in place.begins} if moment >= after)


def _in(place: Place, begins: Intervals) -> bool:
    """Whether a job may begin at a place only within some times."""
    own = place.begins
    return own == begins or (
        len(own) == len(begins) == 1 and own[0][0] == begins[0][0] and own[0][1] <= begins[0][1]
    )


def soonest(job: Job, table: Timetable) -> Spot | None:
    """Choose the place at which a job begins first."""
    best: Spot | None = None
    for place in job.places:
        last = place.begins[-1][1] if best is None else best.start - 1
        spot = table.earliest(job, place, last)
        best = best if spot is None else spot
    return best


Spots = dict[int, Spot]


def timed(jobs: Iterable[Job], table: Timetable, choice: Choice) -> Spots:
    """Return when and where jobs run that are placed one after another; those without a place are absent."""
    table, spots = table.copy(), Spots()
    for job in jobs:
        spot = choice(job, table)
        if spot is not None:
            table.put(job, spot)
            spots[job.i] = spot
    return spots
