"""When somebody who waits could begin, by what is known to end.

It is no promise: who waits holds nothing, and others may come first.
"""

from dataclasses import replace

from flare_core.placement.build import held
from flare_core.placement.packing import Ask, Packing, Problem
from flare_core.solve.cpsat import Run
from flare_core.solve.freed import at
from flare_core.solve.search import search_within
from flare_core.solve.starts import last_start

MOST_MOMENTS = 50
"""Moments at which something ends that are looked at."""


def first_room(ask: Ask, problem: Problem, packing: Packing, run: Run) -> int | None:
    """Return when there is room for an intent beside what is busy and placed, seconds after the plan.

    None where that is not known: nothing ends that makes room for it, or the search for it was cut.
    """
    busy = (*problem.inventory.busy, *held(problem, packing))
    last = last_start(ask.needs)
    ends = sorted({one.end for one in busy if one.end is not None})
    alone = Problem((ask,), replace(problem.inventory, busy=busy))
    for moment in ends[:MOST_MOMENTS]:
        if run.over or (last is not None and moment > last):
            return None
        if any(at(alone, moment, lambda part: search_within(part, run, ties=False)).packing):
            return moment
    return None
