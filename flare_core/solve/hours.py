"""When it is cheapest or greenest: at which moment the tasks of one intent begin where prices change.

Between two *turns* (a step of a series that matters, the same less the length of the run, the first and the
last moment at which an offer is open for it) the total and the mean emission of a run are linear in its
beginning, and what holds in it stays the same or is more than at the turns. So a best placement begins at a
turn, or at a moment at which a total budget is just kept. For each of them a lower bound of the order of
plans is known without a search (`_Bounds`); the moments are searched in this order until no bound is better
than what was found. Rounding up to the micro-euro can make an earlier beginning as good: it is moved there.

An intent that does not wait for a better hour begins as early as it can: when an offer opens, or is sold, and
only where its budgets allow nothing then, at the first moment at which they do.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from flare_core.candidates.tariffs import Tariffs
from flare_core.candidates.times import starts_by_code
from flare_core.inventory.calendar import Intervals
from flare_core.inventory.types import FloatArray, IntArray, Mask
from flare_core.placement.order import Value, value
from flare_core.placement.packing import Ask, Packing, Problem, totals
from flare_core.placement.score import per_node, task_cost
from flare_core.placement.types import Outcome
from flare_core.solve.cpsat import Run
from flare_core.solve.result import Search
from flare_core.solve.starts import Moment, affordable, best_of, squeezed

Beginning = Callable[[Moment], Search]
"""Searches for a placement that begins at a moment."""

MOST_TRIED = 300
"""Moments that are searched."""

MOST_TURNS = 20_000
"""Turns of which bounds are known; of more the earliest are taken."""

_CELLS = 2**22
"""Moments times candidates that are looked at in one go."""

_CUT = "not every moment at which the work could begin was tried: a cheaper or greener one is not ruled out"


def search(problem: Problem, beginning: Beginning, run: Run) -> Search:
    """Return the best placement of the only intent over all moments at which it may begin."""
    hours = Hours(problem)
    if problem.asks[0].needs.patient:
        return _cheapest(problem, hours, beginning, run)
    return _earliest(problem, hours, beginning, run)


def _earliest(problem: Problem, hours: "Hours", beginning: Beginning, run: Run) -> Search:
    found = best_of(problem, (beginning(moment) for moment in hours.openings()))
    if any(found.packing) or found.outcome is Outcome.UNKNOWN or not squeezed(hours.ask):
        return found
    for start in hours.starts.tolist():
        if run.over:
            return replace(found, outcome=Outcome.UNKNOWN, warnings=(*found.warnings, _CUT))
        here = beginning(hours.moment(start))
        if any(here.packing):
            return here
    return found


def _cheapest(problem: Problem, hours: "Hours", beginning: Beginning, run: Run) -> Search:
    bounds, found = hours.bounds(hours.starts), list[Search]()
    best: Value | None = None
    nowhere: list[Mask] = []
    rest: int | None = None  # the least primary value of the moments that are not searched
    order = bounds.order()
    for k in order.tolist():
        if best is not None and bounds.exceed(k, best):
            break
        if len(found) >= MOST_TRIED or (found and run.over):
            rest = int(bounds.primary[k])
            break
        start = int(hours.starts[k])
        moment = hours.moment(start)
        if any((moment.open <= other).all() for other in nowhere):
            continue
        here = beginning(moment)
        if here.outcome is Outcome.INFEASIBLE and not squeezed(hours.ask):
            nowhere.append(moment.open)  # what is open then is never enough
        if any(here.packing):
            here = replace(here, packing=hours.earlier(here.packing, start))
            worth = value(problem, here.packing)
            best = worth if best is None else min(best, worth)
        found.append(here)
    result = best_of(problem, iter(found or [beginning(hours.moment(0))]))
    if hours.too_many:
        return replace(_cut(result, 0), bound=None)
    return result if rest is None else _cut(result, rest)


def _cut(found: Search, rest: int) -> Search:
    """Return what was found where other moments were not searched, with their least primary value."""
    placed = any(found.packing)
    return replace(
        found,
        outcome=Outcome.FEASIBLE if placed else Outcome.UNKNOWN,
        bound=None if found.bound is None else min(found.bound, rest),
        warnings=(*found.warnings, _CUT),
    )


@dataclass(frozen=True)
class Hours:
    """The moments at which the only intent of a problem may begin."""

    problem: Problem

    @cached_property
    def ask(self) -> Ask:
        """The intent."""
        return self.problem.asks[0]

    @cached_property
    def tariffs(self) -> Tariffs:
        """What depends on when it begins."""
        assert self.ask.found.tariffs is not None
        return self.ask.found.tariffs

    @cached_property
    def now(self) -> int:
        """When the plan begins, UTC seconds."""
        return int(self.ask.needs.start.timestamp())

    @cached_property
    def length(self) -> int:
        """Seconds that the work takes."""
        return self.ask.needs.length_s or 0

    @cached_property
    def codes(self) -> IntArray:
        """The code of each candidate's calendar."""
        return self.problem.inventory.label["calendar"].codes[self.ask.found.rows].astype(np.int64)

    @cached_property
    def intervals(self) -> dict[int, Intervals]:
        """When a run may begin, by the code of a calendar, seconds after the plan."""
        known = starts_by_code(self.ask.needs, self.problem.inventory)
        codes = np.unique(self.codes).tolist()
        return {code: tuple((a - self.now, b - self.now) for a, b in known[code]) for code in codes}

    @cached_property
    def starts(self) -> IntArray:
        """All moments that matter, seconds after the plan, ascending."""
        if self._limit is None or self.too_many:
            return self.turns[:MOST_TURNS]
        return np.union1d(self.turns, self._kept())

    @property
    def too_many(self) -> bool:
        """Whether there are more moments than are looked at."""
        return len(self.turns) > MOST_TURNS

    @cached_property
    def turns(self) -> IntArray:
        """The turns, seconds after the plan, ascending."""
        steps = self.tariffs.turns() - self.now
        around, found = np.union1d(steps, steps - self.length), list[IntArray]()
        for begins in self.intervals.values():
            for first, end in begins:
                found += [np.array([first, end - 1]), around[(first <= around) & (around < end)]]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)

    def open(self, starts: IntArray) -> Mask:
        """Return which candidates are open for a run from each of `starts` on, shape (starts, candidates)."""
        there = np.zeros((len(starts), len(self.codes)), np.bool_)
        for code, begins in self.intervals.items():
            opened = np.zeros(len(starts), np.bool_)
            for first, end in begins:
                opened |= (first <= starts) & (starts < end)
            there |= opened[:, None] & (self.codes == code)[None]
        return there

    def moment(self, start: int) -> Moment:
        """Return a moment with the candidates that are open then, sold, and within the budgets."""
        return Moment(start, self.there(start) & affordable(self.ask.at(start)))

    def there(self, start: int) -> Mask:
        """Return which candidates are open and sold for a run from `start` on."""
        there: Mask = self.open(np.array([start]))[0] & self.tariffs.at(start).sold[self.ask.found.tariff]
        return there

    def openings(self) -> Iterator[Moment]:
        """Yield the moments at which something can be had that could not be had earlier, money aside."""
        earlier: list[Mask] = []
        opens = {first for begins in self.intervals.values() for first, _ in begins}
        for start in self.turns.tolist() if self.tariffs.gaps else sorted(opens):
            there = self.there(start)
            if there.any() and not any((there <= other).all() for other in earlier):
                earlier.append(there)
                yield self.moment(start)

    def least_primary(self) -> int:
        """Return a bound for the primary value of all tasks, whenever they begin."""
        return int(self.bounds(self.turns).primary.min())

    def bounds(self, starts: IntArray) -> "_Bounds":
        """Return bounds for what begins at each of `starts`."""
        size = max(1, _CELLS // max(1, len(self.ask.found)))
        parts = [self._bounds(starts[k : k + size]) for k in range(0, len(starts), size)]
        return _Bounds(np.concatenate(parts, axis=1) if parts else np.zeros((7, 0)), self.ask)

    def _bounds(self, starts: IntArray) -> FloatArray:
        """Return bounds for each of the levels of the order, shape (7, starts)."""
        ask, found, tasks = self.ask, self.ask.found, self.ask.needs.tasks
        cost, carbon = self._costs(starts), self.tariffs.least_carbon(self.now + starts)[:, found.tariff]
        shut = ~self.open(starts)
        seats = np.ones(len(found), np.int64)
        np.maximum.at(seats, found.group_candidate, found.group_room)
        seats = np.where(per_node(ask.needs, found), seats, 1)

        def least(amounts: FloatArray, each: int = 1) -> FloatArray:
            lowest: FloatArray = np.where(shut, np.inf, amounts).min(axis=1, initial=np.inf)
            return lowest * each

        priced = ask.score.task + (ask.score.node / seats)
        was = ask.score.cost(task_cost(ask.needs, found)) / seats + ask.score.carbon(found.carbon_ug)
        primary = priced - was + ask.score.cost.per * (cost - ask.score.cost.least) / seats
        primary = primary + ask.score.carbon.per * (carbon - ask.score.carbon.least)
        exact = {ask.score.cost.per, ask.score.carbon.per} <= {0.0, 1.0}
        rounded = 0 if exact else 2 * tasks  # half a step for each term of each task, before and after
        return np.array(
            [
                least(found.misses[None].astype(np.float64), tasks),
                _floor(least(primary, tasks), rounded) + ask.score.offset,
                _floor(least(cost / seats, tasks)),
                least(-found.performance_mtflops[None].astype(np.float64), tasks),
                least(found.latency_us[None].astype(np.float64)),
                least(carbon, tasks),
                starts.astype(np.float64),
            ]
        )

    def _costs(self, starts: IntArray) -> FloatArray:
        """Return what a task (or node) costs at least, in total, from each of `starts` on."""
        return self.tariffs.least_totals(self.now + starts)[:, self.ask.found.tariff].astype(np.float64)

    # --- where a budget is just kept -----------------------------------------------------------------

    @property
    def _limit(self) -> int | None:
        """The total budget, where the cheapest moment is not the best one anyway."""
        needs = self.ask.needs
        cheapest = needs.patient and self.ask.score.carbon.per == 0
        return None if cheapest else needs.max_total_ueur

    def _kept(self) -> IntArray:
        """Return the first and last moments between two turns at which all tasks alike keep the budget."""
        assert self._limit is not None
        found, kept = self.ask.found, set[int]()
        each = 1 if self.ask.needs.any_tasks else self.ask.needs.tasks
        limits = self._limit // np.where(found.by_node, 1, each)
        fits = self._costs(self.turns) <= limits
        for k, j in np.argwhere(fits[:-1] != fits[1:])[:MOST_TRIED].tolist():
            last = self._last_like(self.turns[k : k + 2], j, int(limits[j]))
            kept |= {last, last + 1}
        return np.array(sorted(kept), np.int64)

    def _last_like(self, around: IntArray, j: int, limit: int) -> int:
        """Return the last moment at which a candidate keeps a budget or not as at the first of two."""
        low, high = int(around[0]), int(around[1])
        fits = bool(self._costs(around)[0, j] <= limit)

        def differs(start: int) -> bool:
            return bool(self._costs(np.array([start]))[0, j] <= limit) != fits

        return low + bisect_left(range(low, high), True, key=differs) - 1

    # --- rounding ------------------------------------------------------------------------------------

    def earlier(self, packing: Packing, start: int) -> Packing:
        """Return a packing that begins at `start` at the earliest moment as good since the turn before."""
        k = int(np.searchsorted(self.turns, start))
        low, high = (int(self.turns[k - 1]) + 1 if k else start), start
        if low >= high or not self._may(packing, low):
            return packing
        for level in ("primary", "cost", "carbon"):
            low, high = self._flat(packing, level, low, high)
        moved = _at(packing, low)
        better = value(self.problem, moved) <= value(self.problem, packing)
        return moved if better and self._may(packing, low) else packing

    def _flat(self, packing: Packing, level: str, low: int, high: int) -> tuple[int, int]:
        """Return between which moments a figure, which rises or falls from `low` to `high`, is least."""

        def figure(start: int) -> int:
            sums = totals(self.ask, _at(packing, start)[0])
            figures = {"primary": sums.primary, "cost": sums.cost_ueur, "carbon": sums.carbon_ug}
            return int(figures[level])

        first, last = figure(low), figure(high)
        if first < last:
            return low, low + bisect_left(range(low, high), True, key=lambda s: figure(s) > first) - 1
        return low + bisect_left(range(low, high), True, key=lambda s: figure(s) == last), high

    def _may(self, packing: Packing, start: int) -> bool:
        """Whether all that is used is open, sold and within the budgets from `start` on."""
        needs, used = self.ask.needs, [load.candidate for load in packing[0]]
        if not self.moment(start).open[used].all():
            return False
        sums = totals(self.ask, _at(packing, start)[0])
        return all(
            limit is None or spent <= limit
            for limit, spent in (
                (needs.max_hourly_ueur, sums.hourly_ueur),
                (needs.max_total_ueur, sums.total_ueur),
                (needs.max_carbon_ug, sums.carbon_peak_ug),
            )
        )


def _floor(amounts: FloatArray, rounded: int = 0) -> FloatArray:
    """Return whole numbers that the sums of rounded amounts are not below."""
    whole: FloatArray = np.ceil(amounts - 1e-3 - np.abs(np.nan_to_num(amounts, posinf=0)) * 4e-16 - rounded)
    return whole


def _at(packing: Packing, start: int) -> Packing:
    return tuple(tuple(load._replace(start=start) for load in loads) for loads in packing)


@dataclass(frozen=True)
class _Bounds:
    """For each moment the least that the levels of the order can be; see `Hours._bounds` for the rows."""

    levels: FloatArray
    ask: Ask

    @property
    def primary(self) -> FloatArray:
        primary: FloatArray = self.levels[1]
        return primary

    def order(self) -> IntArray:
        """Return the moments at which anything is open, the best bounds first."""
        order: IntArray = np.lexsort(self.levels[::-1])
        known: IntArray = order[np.isfinite(self.levels[1, order])]
        return known

    def exceed(self, k: int, best: Value) -> bool:
        """Whether nothing that begins at a moment is as good as what was found."""
        if best.tasks > (-self.ask.needs.tasks if self.ask.needs.any_tasks else 0):
            return False
        misses, primary, cost, performance, latency, carbon, start = self.levels[:, k].tolist()
        known = (best.misses, best.primary, best.cost_ueur, best.performance)
        least = (misses, primary, cost, performance)
        # How close together a gang is comes before latency: nothing is known of it.
        if least != known or best.prefixes:
            return least > known
        return (latency, carbon, start) > (best.latency_us, best.carbon_ug, best.last_start)
