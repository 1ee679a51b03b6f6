"""How good a plan of several jobs can be at most, and which places suggest it: volumes instead of times.

A node group has as many GPU-seconds for the jobs that may use it as its nodes are open for them::

    tasks[i, p]    tasks of job i in group p                       sum over p of tasks == n * placed[i]

    for each group and some moments T, over the jobs that end by T wherever they run:
        sum of gpus * length * tasks[i, p]  <=  GPUs of the group * seconds until T that these may use

Nodes billed whole are counted instead of GPUs, tasks without GPUs by their cores. Every plan keeps this,
whatever else it keeps and wherever its tasks are split, so that the least value of the model is a bound.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import gcd

from ortools.sat.python import cp_model

from flare_core.inventory.types import ELASTIC
from flare_core.model.draft import Draft, Var
from flare_core.placement.score import per_node
from flare_core.solve.timetable import Job, Timetable

MOST_ENDS = 8
"""Moments until which the volume of a group is counted."""

INFINITE = 2**62

Pairs = Iterator[tuple[Var, int]]


@dataclass(eq=False)
class Volumes(Draft):
    """The model of `jobs`, all of them plain."""

    jobs: Sequence[Job] = ()
    at_place: dict[tuple[int, int], Var] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.is_placed = [self.flag(f"placed[{job.i}]") for job in self.jobs]
        for k, job in enumerate(self.jobs):
            own = [self.count(job.tasks, f"tasks[{job.i},{p}]") for p in range(len(job.parts))]
            self.at_place |= {(k, p): var for p, var in enumerate(own)}
            self.model.add(cp_model.LinearExpr.sum(own) == job.tasks * self.is_placed[k])
        table = Timetable(self.problem.inventory)
        for home in sorted({place.home for job in self.jobs for place in job.parts}):
            if self.problem.inventory.groups.count[home] != ELASTIC:
                self._hold(home, table)

    def _hold(self, home: int, table: Timetable) -> None:
        """No more volume is taken of a group than it has."""
        users = [
            (k, p)
            for k, job in enumerate(self.jobs)
            for p, place in enumerate(job.parts)
            if place.home == home
        ]
        ends = sorted({self.jobs[k].last + self.jobs[k].length for k, _ in users})
        chosen = {ends[-1 - n * (len(ends) - 1) // max(1, MOST_ENDS - 1)] for n in range(MOST_ENDS)}
        for until in sorted(chosen):
            early = [(k, p) for k, p in users if self.jobs[k].last + self.jobs[k].length <= until]
            self._until(home, early, table)

    def _until(self, home: int, users: Sequence[tuple[int, int]], table: Timetable) -> None:
        seconds = measure(
            (
                (first, after - 1 + self.jobs[k].length)
                for k, p in users
                for first, after in self.jobs[k].parts[p].begins
            ),
            gcd(*(self.jobs[k].length for k, _ in users)),
        )
        nodes = int(self.problem.inventory.groups.count[home])
        gpus, cpu, _ = table.free(home)
        if table.whole(home):  # a task takes at least its part of a node
            parts = [self.jobs[k].parts[p].each for k, p in users]
            whole = max(parts)
            pairs = [
                (self.at_place[k, p], self.jobs[k].length * (whole // each))
                for (k, p), each in zip(users, parts, strict=True)
            ]
            self.at_most("volume", self.total(pairs), seconds * nodes * whole)
            return
        for have, which in ((gpus, 0), (cpu, 1)):
            pairs = [(self.at_place[k, p], self.jobs[k].length * self.jobs[k].takes[which]) for k, p in users]
            self.at_most("volume", self.total(pairs), seconds * nodes * have)

    def left_out(self) -> Pairs:
        """Yield the weight of the jobs that are placed, negated."""
        for job, var in zip(self.jobs, self.is_placed, strict=True):
            yield var, -job.ask.priority

    def primary(self) -> Pairs:
        """Yield at least the objective of the jobs, for each task its part rounded down."""
        for k, job in enumerate(self.jobs):
            score, n = job.ask.score, job.tasks
            by_node = per_node(job.ask.needs, job.ask.found)
            for p, place in enumerate(job.parts):
                j = int(job.ask.found.group_candidate[place.group])
                node = int(score.node[j]) // min(n, place.each) if by_node[j] else 0
                part = (int(score.peak[j]) + score.offset) // n
                yield self.at_place[k, p], int(score.task[j]) + node + part


def measure(intervals: Iterable[tuple[int, int]], step: int) -> int:
    """Return how many seconds can be used in any of the intervals by runs that all are multiples of `step`.

    Every run can begin where its interval or another run ends, so that what is left over is not used: where
    all intervals that overlap begin together, the seconds that count are a multiple of `step`.
    """
    total, opened, reached, together = 0, 0, -1, True
    for first, after in [*sorted(intervals), (INFINITE, INFINITE)]:
        if first > reached:
            seconds = max(0, reached - opened)
            total += seconds - seconds % step if together else seconds
            opened, together = first, True
        together = together and first == opened
        reached = max(reached, after)
    return total
