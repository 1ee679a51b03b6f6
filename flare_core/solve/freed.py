"""One intent beside what is in use for a time: when it begins.

What is in use only ends, so what can begin at a moment depends on what is left then. A run begins at the
first moment at which there is room for it, or later where an offer opens that makes it better (`starts`): it
does not wait for what is in use where it finds a place before. A batch begins then as well, in waves on what
is left at that moment, unless it ends earlier by waiting for more.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from flare_core.candidates.times import moves
from flare_core.placement.order import value
from flare_core.placement.packing import Problem, totals
from flare_core.placement.types import Outcome
from flare_core.placement.worlds import World
from flare_core.requirements.types import Workload
from flare_core.solve.result import Search
from flare_core.solve.starts import beginnings, best_of, moments

MOST_MOMENTS = 200
"""Moments at which one intent is tried to begin."""

WAVES = (
    "a batch that begins with what is free at one moment: that more of it could begin before is not ruled out"
)
_CUT = f"the intent is tried at the first {MOST_MOMENTS} moments at which something ends"

Plain = Callable[[Problem], Search]
"""Searches for a placement on an inventory of which nothing is busy: of a batch from now on, else now."""


def search(problem: Problem, plain: Plain) -> Search:
    """Return the placement of the only intent, beside what is busy."""
    ask = problem.asks[0]
    if not moves(ask.needs):
        return at(problem, 0, plain)
    every = beginnings(ask, problem, problem.inventory.busy) or [0]
    listed = every[:MOST_MOMENTS]
    if ask.needs.workload is Workload.BATCH:
        found = _batch(problem, listed, plain)
    else:
        found = best_of(problem, _runs(problem, listed, plain))
    if len(every) > len(listed) and found.outcome is Outcome.INFEASIBLE:
        return replace(found, outcome=Outcome.UNKNOWN, warnings=(*found.warnings, _CUT))
    return found


def at(problem: Problem, moment: int, plain: Plain) -> Search:
    """Return what `plain` finds of what begins at a moment beside what is busy then."""
    lengths = [ask.needs.length_s if moves(ask.needs) else None for ask in problem.asks]
    last = [moment + length for length in lengths if length is not None]
    waves = any(ask.needs.workload is Workload.BATCH for ask in problem.asks)
    end = None if waves or len(last) < len(lengths) else max(last)
    world = World(problem, moment, tuple(one for one in problem.inventory.busy if one.meets(moment, end)))
    found = plain(world.problem)
    back = world.back(found.packing)
    if back is None:
        nothing = tuple(() for _ in problem.asks)
        return replace(found, packing=nothing, outcome=Outcome.UNKNOWN, bound=None)
    return replace(found, packing=back)


def _runs(problem: Problem, listed: list[int], plain: Plain) -> Iterator[Search]:
    """Yield what is found at each moment: where something ends only until there is a place."""
    opens, placed = {moment.start for moment in moments(problem)}, False
    for moment in listed:
        if moment in opens or not placed:
            found = at(problem, moment, plain)
            placed = placed or any(found.packing)
            yield found


def _batch(problem: Problem, listed: list[int], plain: Plain) -> Search:
    """Return the waves that end first of those that begin at a moment each."""
    ask = problem.asks[0]
    relaxed = plain(replace(problem, inventory=replace(problem.inventory, busy=())))
    if not any(relaxed.packing):
        return relaxed
    tried: list[Search] = []
    for moment in listed:
        found = at(problem, moment, plain)
        if any(found.packing):
            tried.append(found)
        if tried and moment >= min(totals(ask, each.packing[0]).last_start for each in tried):
            break
    if not tried:
        return replace(relaxed, packing=((),), outcome=Outcome.UNKNOWN, bound=None, warnings=(WAVES,))
    first = tried[0]
    best = min(tried, key=lambda each: (_last(problem, each), value(problem, each.packing)))
    chosen = best if _last(problem, best) < _last(problem, first) else first
    if value(problem, chosen.packing) == value(problem, relaxed.packing):
        return chosen
    bound = relaxed.bound if relaxed.outcome is Outcome.OPTIMAL else None
    return replace(
        chosen,
        outcome=Outcome.FEASIBLE,
        bound=bound,
        warnings=tuple(dict.fromkeys((*chosen.warnings, WAVES))),
    )


def _last(problem: Problem, found: Search) -> int:
    return totals(problem.asks[0], found.packing[0]).last_start
