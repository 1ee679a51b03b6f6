"""A plan in which some jobs wait for others: many quick plans, a bound, and an exact model where it is small.

Jobs are listed in several orders and placed one after another, each at the place that is worth most and at
which it can still begin in time, or at the one at which it begins first. How good a plan can be at most comes
from `volumes`, and its solution says which places to try first. Where the best of these plans is not proven
to be the best there is, others are tried in shaken orders, and `intervals` searches: for all jobs together
where they are few, else again and again for some of them beside the others.

A job with a deadline may wait within it for a place that is worth more. One without begins no later than it
would if every job took the first place there is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from flare_core.errors import InternalError
from flare_core.placement.build import held
from flare_core.placement.packing import Loads, Packing, Problem
from flare_core.solve.cpsat import Run
from flare_core.solve.intervals import MOST_INTERVALS, Intervals, size, solve
from flare_core.solve.timetable import (
    Choice,
    Job,
    Place,
    Spot,
    Spots,
    Timetable,
    soonest,
    timed,
)
from flare_core.solve.volumes import Volumes

SHAKES = 100
"""Plans in shaken orders."""

MOST_LISTED, MOST_SHAKEN = 2_000, 10_000
"""Jobs that are placed in all plans together, in the first orders and in shaken ones."""

PARTS, PART_INTERVALS, PART_EFFORT = 12, 300, 0.05
"""Neighbourhoods that are searched where the jobs are too many for one model: how many, how large, the effort
for each."""

FEW = 8
"""Jobs up to which no order is shaken: the exact model finds the best."""

_Order = Callable[[Job], tuple[int, ...]]
_Way = Callable[[Timetable, Job, Place, int], Spot | None]


class Scheduled(NamedTuple):
    """Jobs with their times beside the other intents of a packing.

    Attributes
    ----------
    packing
        Of all intents; who is no job is where it was.
    jobs
        Numbers of the jobs.
    left
        Jobs that have no place.
    least
        No plan in which all the jobs are placed has less of the objective in them; None where not all are.
    placed
        Proven: no plan places jobs of more weight.
    best, settled
        Whether no packing of these jobs is proven to be better in who is placed and the objective, and in
        everything down to when they end.
    """

    packing: Packing
    jobs: frozenset[int]
    left: tuple[int, ...]
    least: int | None
    placed: int
    best: bool
    settled: bool


def schedule(problem: Problem, jobs: Sequence[Job], around: Packing, run: Run) -> Scheduled:
    """Return a plan of the jobs beside those intents of `around` that are none."""
    numbers = frozenset(job.i for job in jobs)
    if not jobs:
        return Scheduled(around, numbers, (), 0, 0, best=False, settled=False)
    fixed = tuple(() if i in numbers else loads for i, loads in enumerate(around))
    busy = problem.inventory.busy
    table = Timetable.beside(problem.inventory, [*busy, *held(problem, fixed)])
    alone = not (any(fixed) or busy) and len(jobs) == sum(len(ask.found) > 0 for ask in problem.asks)
    found = _Schedule(problem, jobs, table, run, alone).result(fixed)
    try:
        held(problem, found.packing)
    except InternalError:  # those who were there before have GPUs that are counted, not told apart
        return found._replace(packing=around, best=False, settled=False)
    return found


@dataclass
class _Schedule:
    problem: Problem
    jobs: Sequence[Job]
    table: Timetable
    run: Run
    alone: bool  # whether all that could be placed are jobs
    best: Spots = field(default_factory=Spots)
    recipe: tuple[_Order, Choice] = field(init=False)
    least: int | None = None

    def result(self, fixed: Packing) -> Scheduled:
        """Place the jobs, and say what is proven of them."""
        self._list()
        weight = self._bound()
        if not self._is_best and len(self.jobs) > FEW:
            self._shake()
        best = settled = False
        if size(self.jobs, self.table) <= MOST_INTERVALS:
            weight, best, settled = self._exact(weight)
        elif not self._is_best:
            self._search_parts()
        self._settle()
        best = best or (self._is_best and not any(s.place.worth.misses for s in self.best.values()))
        loads: dict[int, Loads] = {i: spot.loads(self.problem.asks[i]) for i, spot in self.best.items()}
        return Scheduled(
            packing=tuple(loads.get(i, own) for i, own in enumerate(fixed)),
            jobs=frozenset(job.i for job in self.jobs),
            left=tuple(job.i for job in self.jobs if job.i not in self.best),
            least=self.least if self._everyone else None,
            placed=weight,
            best=best and self.alone,
            settled=settled and self.alone,
        )

    # --- what is compared ----------------------------------------------------------------------------

    def _value(self, spots: Spots) -> tuple[int, ...]:
        """Return what the order of plans counts of the jobs; smaller is better."""
        placed = sum(job.ask.priority for job in self.jobs if job.i in spots)
        worths = [spot.place.worth for spot in spots.values()]
        starts = sum(spot.start for spot in spots.values())
        return (-placed, *(sum(column) for column in zip(*worths, strict=True)), starts)

    def _offer(self, spots: Spots) -> None:
        if self._value(spots) < self._value(self.best):
            self.best = spots

    @property
    def _everyone(self) -> bool:
        return len(self.best) == len(self.jobs)

    @property
    def _is_best(self) -> bool:
        return self._everyone and self.least == self._primary

    @property
    def _primary(self) -> int:
        return sum(spot.place.worth.primary for spot in self.best.values())

    # --- lists ---------------------------------------------------------------------------------------

    @cached_property
    def last(self) -> dict[int, int]:
        """When each job begins at the latest; without a deadline as soon as in a plan of first places."""
        order = sorted(self.jobs, key=lambda job: (job.last, -job.ask.priority, job.length, job.i))
        soon = timed(order, self.table, soonest)
        self._offer(soon)
        return {
            job.i: soon[job.i].start if job.ask.needs.deadline is None and job.i in soon else job.last
            for job in self.jobs
        }

    def _orders(self) -> tuple[_Order, ...]:
        """Return the orders in which jobs are listed: by urgency, size, weight, length; few of many jobs."""
        every: tuple[_Order, ...] = (
            lambda job: (self.last[job.i], -job.ask.priority, job.volume, job.i),
            lambda job: (job.volume, self.last[job.i], job.i),
            lambda job: (-job.ask.priority, job.volume, self.last[job.i], job.i),
            lambda job: (self.last[job.i] + job.length, job.length, job.i),
            lambda job: (-job.volume, self.last[job.i], job.i),
        )
        return every[: max(2, MOST_LISTED // len(self.jobs))]

    def _list(self) -> None:
        for order in self._orders():
            for choice in (self._worthiest({}), self._worthiest({}, Timetable.fullest), soonest):
                before = self.best
                self._offer(timed(sorted(self.jobs, key=order), self.table, choice))
                if self.best is not before:
                    self.recipe = order, choice

    def _worthiest(self, first: dict[int, int], way: _Way = Timetable.earliest) -> Choice:
        """Return what chooses the place that is worth most; `first` are numbers of places to try before."""

        def choose(job: Job, table: Timetable) -> Spot | None:
            places = job.places
            if job.i in first:
                places = (job.places[first[job.i]], *job.places)
            for place in places:
                spot = way(table, job, place, min(self.last[job.i], place.begins[-1][1] - 1))
                if spot is not None:
                    return spot
            return None

        return choose

    def _shake(self) -> None:
        """List the jobs in orders a little away from the best one."""
        random = np.random.default_rng(self.run.options.seed)
        order, choice = self.recipe
        listed = sorted(self.jobs, key=order)
        for _ in range(min(SHAKES, MOST_SHAKEN // len(self.jobs))):
            if self._is_best or self.run.cancelled or self.run.seconds_left <= 0:
                return
            reach = len(listed) * random.choice((0.05, 0.1, 0.2, 0.4))
            ranks = np.arange(len(listed)) + reach * random.random(len(listed))
            shaken = [listed[k] for k in np.argsort(ranks, kind="stable").tolist()]
            self._offer(timed(shaken, self.table, choice))

    def _settle(self) -> None:
        """Let jobs begin as early as they can where they are, the shortest first if all keep their places."""
        first = {job.i: job.places.index(self.best[job.i].place) for job in self.jobs if job.i in self.best}
        placed = [job for job in self.jobs if job.i in self.best]
        for order in (lambda job: job.length, lambda job: self.best[job.i].start):
            self._offer(timed(sorted(placed, key=order), self.table, self._worthiest(first)))

    # --- models --------------------------------------------------------------------------------------

    def _bound(self) -> int:
        """Search for a bound by volumes, and try the places that reach it; return the most weight placed."""
        everything = weight = sum(job.ask.priority for job in self.jobs)
        draft = Volumes(self.problem, jobs=self.jobs)
        if not self._everyone and not self.run.over:
            answer = self.run.minimise(draft, draft.total(draft.left_out()), None)
            weight = everything if answer.bound is None else -answer.bound
        if weight < everything or self.run.over:
            return weight
        for var in draft.is_placed:
            draft.model.add(var == 1)
        answer = self.run.minimise(draft, draft.total(draft.primary()), None)
        self.least = answer.bound
        if answer.values is not None and not self._is_best:
            first = {
                self.jobs[k].i: self.jobs[k].places.index(self.jobs[k].parts[p])
                for (k, p), var in draft.at_place.items()
                if answer.values[var.index] and self.jobs[k].parts[p] in self.jobs[k].places
            }
            for order in self._orders():
                self._offer(timed(sorted(self.jobs, key=order), self.table, self._worthiest(first)))
        return weight

    def _exact(self, weight: int) -> tuple[int, bool, bool]:
        """Search among all plans; return the weight placed at most, and whether the best is found."""
        draft = Intervals(self.problem, jobs=self.jobs, table=self.table, last=self.last)
        proof = solve(draft, self.best, self.run, self.least)
        self._offer(proof.spots)
        # The others could move, a job of several tasks be split, one without a deadline wait longer.
        if not self.alone or any(job.tasks > 1 or self.last[job.i] < job.last for job in self.jobs):
            return weight, False, False
        if proof.placed:
            weight = -self._value(self.best)[0]
        if proof.primary is not None and self._everyone:
            self.least = max(proof.primary, self.least or proof.primary)
        return weight, proof.best, proof.settled

    def _search_parts(self) -> None:
        """Search for better times and places of some jobs beside the others, again and again."""
        random = np.random.default_rng(self.run.options.seed)
        for _ in range(PARTS):
            if self._is_best or self.run.over:
                return
            part = self._part(random)
            table = self.table.copy()
            inside = {job.i for job in part}
            for job in self.jobs:
                if job.i in self.best and job.i not in inside:
                    table.put(job, self.best[job.i])
            brief = Run(
                replace(self.run.options, effort=min(PART_EFFORT, self.run.effort_left)), self.run.started
            )
            draft = Intervals(self.problem, jobs=part, table=table, last=self.last)
            own = {i: spot for i, spot in self.best.items() if i in inside}
            proof = solve(draft, own, brief, None)
            self.run.effort += brief.effort
            self._offer({**self.best, **proof.spots})

    def _part(self, random: np.random.Generator) -> list[Job]:
        """Return some jobs: those that are not at their best place first, and others."""

        def regret(job: Job) -> float:
            spot = self.best.get(job.i)
            lost = 1.0 if spot is None or spot.place.worth > job.places[0].worth else 0.0
            return random.random() + lost / 2

        chosen, intervals = list[Job](), 0
        for job in sorted(self.jobs, key=regret, reverse=True):
            own = size([job], self.table)
            if intervals + own > PART_INTERVALS:
                break
            chosen.append(job)
            intervals += own
        return sorted(chosen, key=lambda job: job.i)
