"""Where and when several jobs run, as intervals on nodes: the exact model, for as many as it can hold.

::

    start[i]          when job i begins, seconds after the plan
    tasks[i, p, v]    its tasks on node v of its place p                 sum over p, v == n * placed[i],
                      on no more nodes than they need
    used[i, p]        whether it runs at place p, one at most            start[i] in the begins of the place

    on each node, at any moment: GPUs, cores and memory of the tasks that run  <=  what the node has
    on a node billed whole: one job at a time

Equal nodes of which nothing is held stand together where that loses nothing: where they are billed whole, and
where all who may use them have single tasks that take the same. One interval then takes as many nodes, or
seats, of all there are; which ones is settled afterwards, in the order of the starts.

The levels of the order of plans are minimised one after the other: who is placed, missed preferences, the
objective, cost, performance, latency, carbon, the sum of the starts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ortools.sat.python import cp_model

from flare_core.errors import InternalError
from flare_core.inventory.types import ELASTIC
from flare_core.model.draft import Draft, Terms, Var
from flare_core.placement.packing import Problem
from flare_core.solve.cpsat import Answer, Run
from flare_core.solve.lexicographic import OTHER_SEED
from flare_core.solve.timetable import Job, Place, Spot, Spots, Timetable, Worth

MOST_INTERVALS = 1_500
"""Intervals up to which the model is built."""

TIES_EFFORT = 0.3
"""Effort for what follows the objective."""

Pairs = Iterator[tuple[Var, int]]
Key = tuple[int, int, int]


@dataclass(eq=False)
class Intervals(Draft):
    """The model of `jobs` beside what `table` holds, each beginning by ``last[i]``."""

    jobs: Sequence[Job] = ()
    table: Timetable | None = None
    last: Mapping[int, int] = field(default_factory=dict)
    at_node: dict[Key, Var] = field(default_factory=dict)
    used: dict[tuple[int, int], Var] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.is_placed = [self.flag(f"placed[{job.i}]") for job in self.jobs]
        self.start = [self.count(self.last[job.i], f"start[{job.i}]") for job in self.jobs]
        self.there: dict[Key, Var] = {}
        self.on_node: dict[tuple[int, int], list[tuple[Key, cp_model.IntervalVar]]] = {}
        self.in_pool: dict[int, list[tuple[Place, cp_model.IntervalVar]]] = {}
        assert self.table is not None
        self.pools = pools(self.jobs, self.table)
        for k, job in enumerate(self.jobs):
            for p, place in enumerate(job.places):
                self._open(k, p, place)
            own = [self.used[k, p] for p in range(len(job.places))]
            self.model.add(cp_model.LinearExpr.sum(own) == self.is_placed[k])
            self.model.add(self.start[k] <= self.last[job.i] * self.is_placed[k])
        for (home, v), running in self.on_node.items():
            self._node(home, v, running)
        for home, users in self.in_pool.items():
            self._pool(home, users)

    def _open(self, k: int, p: int, place: Place) -> None:
        job, used = self.jobs[k], self.flag(f"used[{k},{p}]")
        self.used[k, p] = used
        begins = cp_model.Domain.from_intervals([[first, after - 1] for first, after in place.begins])
        self.model.add_linear_expression_in_domain(self.start[k], begins).only_enforce_if(used)
        nodes = _count(self.problem, place)
        if nodes == ELASTIC:
            return
        if place.home in self.pools:
            interval = self.model.new_optional_fixed_size_interval_var(
                self.start[k], job.length, used, f"pool[{k},{p}]"
            )
            self.in_pool.setdefault(place.home, []).append((place, interval))
            return
        own = [self._at(k, p, v, min(job.tasks, place.each)) for v in range(nodes)]
        self.model.add(cp_model.LinearExpr.sum([tasks for tasks, _ in own]) == job.tasks * used)
        if job.tasks > 1:
            self.model.add(cp_model.LinearExpr.sum([there for _, there in own]) <= place.nodes)

    def _at(self, k: int, p: int, v: int, most: int) -> tuple[Var, Var]:
        job, name = self.jobs[k], f"tasks[{k},{p},{v}]"
        var = self.at_node[k, p, v] = self.count(most, name)
        there = var
        if most > 1:
            there = self.flag(f"on[{k},{p},{v}]")
            self.model.add(var <= most * there)
            self.model.add(var >= there)
        interval = self.model.new_optional_fixed_size_interval_var(self.start[k], job.length, there, name)
        self.there[k, p, v] = there
        self.on_node.setdefault((job.places[p].home, v), []).append(((k, p, v), interval))
        return var, there

    def _node(self, home: int, v: int, running: list[tuple[Key, cp_model.IntervalVar]]) -> None:
        """Post what a node holds at any moment."""
        assert self.table is not None
        until = max(self.last.values()) + max(job.length for job in self.jobs)
        held = [run for run in self.table.runs.get((home, v), ()) if run.start < until]
        fixed = [
            self.model.new_fixed_size_interval_var(
                run.start, (until if run.end is None else run.end) - run.start, "held"
            )
            for run in held
        ]
        intervals = [interval for _, interval in running]
        if self.table.whole(home):
            self.model.add_no_overlap([*intervals, *fixed])
            return
        for r, have in enumerate(self.table.free(home)):
            each = [self.jobs[key[0]].takes[r] for key, _ in running]
            taken = [run.takes[r] for run in held]
            if any(each):
                asked = [self.at_node[key] * want for (key, _), want in zip(running, each, strict=True)]
                self.model.add_cumulative([*intervals, *fixed], [*asked, *taken], have)

    def _pool(self, home: int, users: list[tuple[Place, cp_model.IntervalVar]]) -> None:
        """Post what equal nodes hold together at any moment."""
        assert self.table is not None
        whole, nodes = self.table.whole(home), int(self.problem.inventory.groups.count[home])
        asked = [place.nodes if whole else 1 for place, _ in users]
        have = nodes if whole else nodes * users[0][0].each
        if sum(asked) > have:
            self.model.add_cumulative([interval for _, interval in users], asked, have)

    def place_all(self) -> None:
        """Leave no job out."""
        for var in self.is_placed:
            self.model.add(var == 1)
            self.bounds[var.index] = (1, 1)

    def levels(self) -> Iterator[tuple[str, Pairs]]:
        """Yield what is minimised, one after the other."""
        yield "placed", ((v, -j.ask.priority) for v, j in zip(self.is_placed, self.jobs, strict=True))
        for name in Worth._fields:
            yield name, self._worth(name)
        yield "starts", ((var, 1) for var in self.start)

    def _worth(self, name: str) -> Pairs:
        for k, job in enumerate(self.jobs):
            for p, place in enumerate(job.places):
                yield self.used[k, p], getattr(place.worth, name)

    def values(self, spots: Spots) -> tuple[int, ...]:
        """Return the values of the variables for spots, 0 for those that follow from others."""
        values = [0] * len(self.model.proto.variables)
        for k, job in enumerate(self.jobs):
            spot = spots.get(job.i)
            if spot is None:
                continue
            p = job.places.index(spot.place)
            values[self.is_placed[k].index] = values[self.used[k, p].index] = 1
            values[self.start[k].index] = spot.start
            for v, tasks in spot.nodes:
                if (k, p, v) in self.at_node:
                    values[self.there[k, p, v].index] = 1
                    values[self.at_node[k, p, v].index] = tasks
        return tuple(values)

    def spots(self, values: tuple[int, ...]) -> Spots:
        """Return where and when the jobs run."""
        assert self.table is not None
        found, table = Spots(), self.table.copy()
        chosen = [
            (values[self.start[k].index], k, p, place)
            for k, job in enumerate(self.jobs)
            for p, place in enumerate(job.places)
            if values[self.used[k, p].index]
        ]
        for start, k, p, place in sorted(chosen):
            job, count = self.jobs[k], _count(self.problem, place)
            if (k, p, 0) in self.at_node:
                at = ((v, values[self.at_node[k, p, v].index]) for v in range(count))
                nodes = tuple((v, tasks) for v, tasks in at if tasks)
            else:
                nodes = table.nodes_at(job, place, start)
            found[job.i] = Spot(place, start, nodes)
            table.put(job, found[job.i])
        return found


def _count(problem: Problem, place: Place) -> int:
    return int(problem.inventory.groups.count[place.home])


class Proof(NamedTuple):
    """Spots and what is proven of them.

    Attributes
    ----------
    placed
        Whether no jobs of more weight can be placed.
    primary
        No plan that places as much and misses as few preferences has less of the objective; None unknown.
    best, settled
        Whether nothing is better in the objective, and in anything.
    """

    spots: Spots
    placed: bool
    primary: int | None
    best: bool
    settled: bool


def pools(jobs: Sequence[Job], table: Timetable) -> frozenset[int]:
    """Return the groups whose nodes may stand together."""
    busy, takes = {home for home, _ in table.runs}, dict[int, set[tuple[object, ...]]]()
    for job in jobs:
        for place in job.places:
            alike = ("whole",) if table.whole(place.home) else (job.takes, place.each, job.tasks == 1)
            takes.setdefault(place.home, set()).add(alike)
    return frozenset(
        home
        for home, kinds in takes.items()
        if table.inventory.groups.count[home] > 1 and home not in busy
        if len(kinds) == 1 and next(iter(kinds))[-1]
    )


def size(jobs: Sequence[Job], table: Timetable) -> int:
    """Return how many intervals a model has."""
    count, pooled = table.inventory.groups.count, pools(jobs, table)
    return sum(
        1 if place.home in pooled else max(1, int(count[place.home])) for job in jobs for place in job.places
    )


def solve(draft: Intervals, spots: Spots, run: Run, least: int | None) -> Proof:
    """Return the best spots that are found from `spots` on.

    Parameters
    ----------
    least
        Known already: no plan in which all are placed has a smaller objective.
    """
    everyone = len(spots) == len(draft.jobs)
    if everyone:
        draft.place_all()
    values, done, primary = draft.values(spots), set[str](), None
    ties = Run(replace(run.options, effort=max(1e-6, min(TIES_EFFORT, run.effort_left))), run.started)
    for name, pairs in draft.levels():
        terms = draft.total(pairs)
        if name == "primary" and everyone and least is not None:
            draft.model.add(terms.expr() >= least)
        answer = _least(draft, terms, values, ties if "primary" in done else run)
        if answer is None:
            break
        values = answer.values if answer.values is not None else values
        primary = answer.bound if name == "primary" else primary
        if not answer.proven or answer.bound is None:
            break
        draft.model.add(terms.expr() <= answer.bound)
        if name == "placed" and not everyone and not _confirmed(draft, answer.bound, run):
            break
        done.add(name)
    run.effort += ties.effort
    return Proof(draft.spots(values), "placed" in done, primary, "primary" in done, "starts" in done)


def _least(draft: Intervals, terms: Terms, values: tuple[int, ...], run: Run) -> Answer | None:
    """Minimise one level; None where nothing may be spent any more."""
    if terms.is_constant:
        return Answer(cp_model.OPTIMAL, values, terms.least)
    return None if run.over else run.minimise(draft, terms, values)


def _confirmed(draft: Intervals, found: int, run: Run) -> bool:
    """Ask again, with another seed and the full presolve, whether really no more can be placed."""
    if run.over:
        return False
    again = Intervals(draft.problem, jobs=draft.jobs, table=draft.table, last=draft.last)
    _, pairs = next(again.levels())
    again.model.add(again.total(pairs).expr() <= found - 1)
    answer = run.minimise(again, again.total(()), None, seed=OTHER_SEED, presolve={})
    if answer.values is not None:
        raise InternalError("two searches disagree on which jobs can be placed")
    return answer.proven
