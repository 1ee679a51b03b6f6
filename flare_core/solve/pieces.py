"""A batch piece by piece: at each moment as many of its tasks as there is room for, beside what is in use."""

from collections.abc import Callable
from dataclasses import replace

from flare_core.candidates.times import starts_by_code
from flare_core.placement.build import held
from flare_core.placement.packing import Ask, Load, Loads, Problem, totals
from flare_core.placement.types import Outcome
from flare_core.requirements.types import Requirements
from flare_core.solve.result import Search
from flare_core.solve.starts import beginnings, last_start
from flare_core.solve.waves import pauses

MOST_PIECES = 100
"""Moments at which tasks of one batch begin."""

At = Callable[[Problem, int], Search]
"""Searches for what begins at a moment, beside what is busy then."""


def in_pieces(problem: Problem, at: At) -> tuple[Loads, bool]:
    """Return where and when the tasks of the only intent begin, and whether it is proven that more cannot.

    No loads where not all of them find room so. What is free only grows, so tasks that are alike and begin as
    early as they can are the most that there is time for, where no budget and no calendar is in the way.
    """
    [ask] = problem.asks
    length, loads = ask.needs.length_s or 0, tuple[Load, ...]()
    last = last_start(ask.needs)
    moments = set(beginnings(ask, problem, problem.inventory.busy))
    proven = _only_grows(ask, problem)
    for _ in range(MOST_PIECES):
        left = ask.needs.tasks - sum(load.tasks for load in loads)
        if not left or not moments:
            break
        now = min(moments)
        moments.remove(now)
        busy = (*problem.inventory.busy, *held(problem, (loads,)))
        world = replace(problem.inventory, busy=busy)
        found = at(Problem((replace(ask, needs=_rest(ask, loads, now)),), world), now)
        proven = proven and found.outcome in (Outcome.OPTIMAL, Outcome.INFEASIBLE)
        [new] = found.packing
        if new:
            loads = tuple(sorted((*loads, *new)))
            moments |= {now + length} if last is None or now + length <= last else set()
    done = sum(load.tasks for load in loads)
    good = done == ask.needs.tasks or (done > 0 and ask.needs.any_tasks)
    good = good and not pauses(ask, loads, length)
    return (loads if good else ()), proven and not (moments and done < ask.needs.tasks)


def _only_grows(ask: Ask, problem: Problem) -> bool:
    """Whether nothing but what is in use keeps tasks from a node, and that less and less."""
    needs = ask.needs
    budgets = (needs.max_hourly_ueur, needs.max_carbon_ug, needs.max_total_ueur)
    always = len(starts_by_code(needs, problem.inventory)) == 1 and needs.needed is None
    always = always and ask.found.tariffs is None  # else it may not be sold at all times
    begun = all(one.start <= 0 for one in problem.inventory.busy)
    return budgets == (None, None, None) and always and begun and not (ask.found.group_sets >= 0).any()


def _rest(ask: Ask, loads: Loads, now: int) -> Requirements:
    """Return what is left to be asked for at a moment: tasks, and what the budgets leave."""
    needs, length = ask.needs, ask.needs.length_s or 0
    spent = totals(ask, loads)
    running = totals(ask, tuple(load for load in loads if load.start + length > now))
    return replace(
        needs,
        tasks=needs.tasks - spent.tasks,
        any_tasks=True,
        max_hourly_ueur=_less(needs.max_hourly_ueur, running.hourly_ueur),
        max_carbon_ug=_less(needs.max_carbon_ug, running.carbon_peak_ug),
        max_total_ueur=_less(needs.max_total_ueur, spent.total_ueur),
    )


def _less(limit: int | None, spent: int) -> int | None:
    return None if limit is None else limit - spent
