"""Intents that wait for others of their plan.

First all intents are placed at once, proven best: nobody waits for another where all can begin at once. Else
jobs whose places do not depend on which GPUs they have are scheduled together, see `schedule`; where nothing
else is in the plan, that may prove it the best.

Who else is left out and may begin later is placed after that, one by one: at the first moment at which an
offer opens or something ends and there is room for it, beside everything that is placed already, which stays
where it is. Who has the least time left goes first, or who has the highest priority, whichever places more.
Such a plan is feasible: that nothing is better is not proven. Who is still left out has no place beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from flare_core.candidates.times import moves
from flare_core.errors import InternalError
from flare_core.inventory.held import Held
from flare_core.inventory.types import ELASTIC
from flare_core.placement.build import held
from flare_core.placement.order import value
from flare_core.placement.packing import Ask, Loads, Packing, Problem, totals
from flare_core.placement.types import Outcome
from flare_core.placement.worlds import World
from flare_core.requirements.types import Workload
from flare_core.solve.bounds import cannot_fit, least_primary
from flare_core.solve.cpsat import Run
from flare_core.solve.hours import Hours
from flare_core.solve.prune import restrict
from flare_core.solve.result import Search
from flare_core.solve.schedule import Scheduled, schedule
from flare_core.solve.starts import beginnings, squeezed
from flare_core.solve.timetable import jobs_of

MOST_MOMENTS = 200
"""Moments at which one intent is tried to begin."""

UNSETTLED = "the objective is proven, the ties among equal plans are not settled"
MOST_ROUNDS = 3
"""How often each intent is moved to a better hour."""

WAITING = "some intents may wait for others: that no other order of them is better is not proven"

Single = Callable[[Problem], Search]
"""Searches for the placement of one intent: from a moment on, or at that moment."""


def later(
    problem: Problem, found: Search, run: Run, together: Single, single: Single, at_moment: Single
) -> Search:
    """Return `found` with those who may begin later placed after the others.

    Parameters
    ----------
    together
        Searches for a plan of several intents that all begin now.
    single, at_moment
        Search for the placement of one intent from now on, and now, beside nothing.
    """
    left = [i for i, loads in enumerate(found.packing) if not loads]
    waiting = [i for i, ask in enumerate(problem.asks) if _waits(ask) and len(ask.found)]
    if not left or not waiting or found.outcome is Outcome.UNKNOWN:
        return found
    if _stopped(run) and any(found.packing):
        return _untried(problem, found)
    jobs = jobs_of(problem)
    inside = {job.i for job in jobs}
    # What fits at no time even alone waits for nobody.
    left = [i for i in left if i in inside or _stopped(run) or _fits(problem, i, single)]
    if not left:
        return found
    queue = _Queue(problem, run, single, at_moment)
    plans = []
    if not inside.issuperset(left):
        after = [i for i in left if i in waiting]
        plans = [queue.placed(found.packing, order) for order in _orders(problem, after)]
    timed = schedule(problem, jobs, _best(problem, plans) if plans else found.packing, run)
    rest = [i for i in timed.left if problem.asks[i].needs.tasks > 1]  # they could be split
    plans.insert(0, queue.placed(timed.packing, rest) if rest else timed.packing)
    # Some may take their places now who could wait for others.
    if not (timed.best or all(plans[0][i] for i in left) or _stopped(run)):
        first = together(_without_waiting(problem))
        plans += [queue.placed(first.packing, order) for order in _orders(problem, waiting)]
    best = _best(problem, plans)
    if not any(best):
        return replace(found, outcome=Outcome.UNKNOWN)
    return _proven(problem, found, timed, run) if timed.best else _waited(problem, found, timed, best, run)


def _best(problem: Problem, plans: Sequence[Packing]) -> Packing:
    return min(plans, key=lambda packing: value(problem, packing))


def _proven(problem: Problem, found: Search, timed: Scheduled, run: Run) -> Search:
    """Return the best plan there is."""
    pairs = zip(problem.asks, timed.packing, strict=True)
    return replace(
        found,
        packing=timed.packing,
        outcome=Outcome.OPTIMAL,
        bound=sum(totals(ask, loads).primary for ask, loads in pairs),
        placed_bound=timed.placed,
        warnings=() if timed.settled else (UNSETTLED,),
        effort=run.effort,
    )


def _waited(problem: Problem, found: Search, timed: Scheduled, best: Packing, run: Run) -> Search:
    """Return a plan of which it is not known whether it is the best."""
    everyone_in = all(loads or not len(ask.found) for ask, loads in zip(problem.asks, best, strict=True))
    others = tuple(ask for i, ask in enumerate(problem.asks) if i not in timed.jobs)
    least = least_primary(replace(problem, asks=others))
    known = timed.least is not None and least is not None and everyone_in
    return replace(
        found,
        packing=best,
        outcome=Outcome.FEASIBLE,
        bound=(timed.least or 0) + (least or 0) if known else None,
        placed_bound=sum(ask.priority for ask in problem.asks if len(ask.found)),
        left_proven=found.outcome in (Outcome.OPTIMAL, Outcome.INFEASIBLE) and not _stopped(run),
        warnings=tuple(dict.fromkeys((*found.warnings, *run.cuts, WAITING))),
        effort=run.effort,
    )


def at_better_hours(problem: Problem, found: Search, run: Run, single: Single, at_moment: Single) -> Search:
    """Return `found` with those who may wait for a cheaper or greener hour at their best ones, one by one.

    Each takes its best moment beside all others, until nobody has a better one. Parameters are as in `later`.
    """
    waits = [
        i for i, ask in enumerate(problem.asks) if ask.needs.patient and ask.found.tariffs and _waits(ask)
    ]
    if not waits or found.outcome is Outcome.UNKNOWN:
        return found
    queue, packing = _Queue(problem, run, single, at_moment), found.packing
    for _ in range(MOST_ROUNDS):
        before = packing
        for i in waits:
            if packing[i] and not _stopped(run):
                packing = queue.improved(packing, i)
        if packing == before:
            break
    if not any(packing):
        return found
    warnings = tuple(dict.fromkeys((*found.warnings, WAITING)))
    return replace(found, packing=packing, outcome=Outcome.FEASIBLE, bound=None, warnings=warnings)


def _fits(problem: Problem, i: int, single: Single) -> bool:
    return any(single(Problem((problem.asks[i],), problem.inventory)).packing)


def _untried(problem: Problem, found: Search) -> Search:
    """Return `found` where no time is left to let anybody wait: more could be placed than all at once."""
    return replace(
        found,
        outcome=Outcome.FEASIBLE if any(found.packing) else Outcome.UNKNOWN,
        bound=None,
        placed_bound=sum(ask.priority for ask in problem.asks if len(ask.found)),
        warnings=(*found.warnings, WAITING),
    )


def overfull(problem: Problem) -> bool:
    """Whether some may wait, and all together ask for more whole GPUs than there are."""
    if not any(_waits(ask) and len(ask.found) for ask in problem.asks):
        return False
    groups = problem.inventory.groups
    used = np.unique(np.concatenate([ask.found.group for ask in problem.asks]))
    if (groups.count[used] == ELASTIC).any() or any((ask.found.cut >= 0).any() for ask in problem.asks):
        return False
    there = int((groups.count[used] * np.maximum(groups.free_gpus[used], 0)).sum())
    fitting = [ask for ask in problem.asks if len(ask.found) and not cannot_fit(ask)]
    asked = ((1 if ask.needs.any_tasks else ask.needs.tasks) * ask.needs.gpus for ask in fitting)
    return sum(asked) > there


def _waits(ask: Ask) -> bool:
    """Whether an intent may begin later than now."""
    needs, length = ask.needs, timedelta(seconds=ask.needs.length_s or 0)
    return moves(needs) and (needs.deadline is None or needs.start + length < needs.deadline)


def _without_waiting(problem: Problem) -> Problem:
    """Return the problem without candidates for those who may wait."""
    asks = tuple(
        restrict(ask, np.zeros(len(ask.found), np.bool_)) if _waits(ask) else ask for ask in problem.asks
    )
    return replace(problem, asks=asks)


def _orders(problem: Problem, left: Sequence[int]) -> list[list[int]]:
    """Return the orders in which those who wait are tried: by urgency, by priority."""

    def last_start(i: int) -> float:
        needs = problem.asks[i].needs
        return float("inf") if needs.deadline is None else needs.deadline.timestamp() - (needs.length_s or 0)

    by_urgency = sorted(left, key=lambda i: (last_start(i), -problem.asks[i].priority, i))
    by_priority = sorted(left, key=lambda i: (-problem.asks[i].priority, last_start(i), i))
    return [by_urgency] if by_urgency == by_priority else [by_urgency, by_priority]


class _Queue:
    """Places intents after others, one by one."""

    def __init__(self, problem: Problem, run: Run, single: Single, at_moment: Single) -> None:
        self.problem, self.run, self.single, self.at_moment = problem, run, single, at_moment

    def placed(self, packing: Packing, order: Sequence[int]) -> Packing:
        """Return `packing` with the intents of `order` placed as early as there is room, in this order."""
        busy = self._busy(packing)
        for i in order:
            packing, busy = self._with(packing, i, busy)
        return packing

    def _with(self, packing: Packing, i: int, busy: list[Held]) -> tuple[Packing, list[Held]]:
        for moment in self._moments(i, busy)[:MOST_MOMENTS]:
            if _stopped(self.run):
                break
            loads = self._at(i, moment, busy)
            if loads:
                joined = (*packing[:i], loads, *packing[i + 1 :])
                try:
                    return joined, self._busy(joined)
                except InternalError:  # its GPUs are taken later by who was placed before
                    continue
        return packing, busy

    def improved(self, packing: Packing, i: int) -> Packing:
        """Return `packing` with an intent at its best moment beside the others, where that is better."""
        ask = self.problem.asks[i]
        hours = Hours(Problem((ask,), self.problem.inventory))
        busy, best = self._busy((*packing[:i], (), *packing[i + 1 :])), value(self.problem, packing)
        batch = ask.needs.workload is Workload.BATCH
        ends = np.array(beginnings(ask, self.problem, busy), np.int64)
        starts = np.array([0]) if batch else np.union1d(hours.starts, ends)
        bounds, had = hours.bounds(starts), totals(ask, packing[i])
        for k in bounds.order()[:MOST_MOMENTS].tolist():
            if _stopped(self.run) or (not batch and bounds.primary[k] >= had.primary):
                break
            loads = self._at(i, int(starts[k]), busy)
            joined = (*packing[:i], loads, *packing[i + 1 :])
            if loads and value(self.problem, joined) < best and self._seated(joined):
                return joined
        return packing

    def _seated(self, packing: Packing) -> bool:
        """Whether the GPUs of a plan can be told apart at all times."""
        try:
            held(self.problem, packing)
        except InternalError:  # its GPUs are taken later by who was placed before
            return False
        return True

    def _moments(self, i: int, busy: Sequence[Held]) -> list[int]:
        """Return when an intent may begin that does not wait for a better hour, but where it must."""
        ask = self.problem.asks[i]
        moments = beginnings(ask, self.problem, busy)
        if ask.found.tariffs is None or not (squeezed(ask) or ask.found.tariffs.gaps):
            return moments
        hours = Hours(Problem((ask,), self.problem.inventory))
        return sorted({*moments, *hours.starts.tolist()})

    def _busy(self, packing: Packing) -> list[Held]:
        return [*self.problem.inventory.busy, *held(self.problem, packing)]

    def _at(self, i: int, moment: int, busy: Sequence[Held]) -> Loads:
        """Return where an intent begins at a moment, beside all that runs then; none where no room is."""
        ask, batch = self.problem.asks[i], self.problem.asks[i].needs.workload is Workload.BATCH
        end = None if batch else moment + (ask.needs.length_s or 0)
        beside = tuple(one for one in busy if one.meets(moment, end))
        world = World(Problem((ask,), self.problem.inventory), moment, beside)
        found = self.single(world.problem) if batch else self.at_moment(world.problem)
        back = world.back(found.packing)
        return () if back is None else back[0]


def _stopped(run: Run) -> bool:
    """Whether the wall clock or the caller ends the search; what is placed one by one takes little effort."""
    return run.cancelled or run.seconds_left <= 0
