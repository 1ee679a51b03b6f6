"""One intent beside what is in use for a time: when it begins.

What is in use only ends, so what can begin at a moment depends on what is left then. A run begins at the
first moment at which there is room for it, or later where an offer opens that makes it better (`starts`): it
does not wait for what is in use where it finds a place before. A batch begins in waves on what is left at one
moment, or piece by piece, each as early as there is room; what ends first is taken.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from flare_core.candidates.times import moves
from flare_core.placement.order import value
from flare_core.placement.packing import Problem, totals
from flare_core.placement.types import Outcome
from flare_core.placement.worlds import World
from flare_core.requirements.types import Workload
from flare_core.solve.pieces import in_pieces
from flare_core.solve.result import Search
from flare_core.solve.starts import beginnings, best_of, moments

MOST_MOMENTS = 200
"""Moments at which one intent is tried to begin."""

WAVES = (
    "a batch beside what is in use and ends: that it could be better placed or end before is not ruled out"
)
_CUT = f"the intent is tried at the first {MOST_MOMENTS} moments at which something ends"

Plain = Callable[[Problem], Search]
"""Searches for a placement on an inventory of which nothing is busy."""


def search(problem: Problem, plain: Plain, at_once: Plain) -> Search:
    """Return the placement of the only intent, beside what is busy.

    Parameters
    ----------
    plain, at_once
        Search on an inventory of which nothing is busy: from now on, and for what begins now.
    """
    ask = problem.asks[0]
    if not moves(ask.needs):
        return at(problem, 0, at_once)
    every = beginnings(ask, problem, problem.inventory.busy) or [0]
    listed = every[:MOST_MOMENTS]
    if ask.needs.workload is Workload.BATCH:
        found = _batch(problem, listed, plain, at_once)
    else:
        found = best_of(problem, _runs(problem, listed, at_once))
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


def _batch(problem: Problem, listed: list[int], plain: Plain, at_once: Plain) -> Search:
    """Return the waves that end first: those that begin at a moment each, and piece by piece."""
    relaxed = plain(replace(problem, inventory=replace(problem.inventory, busy=())))
    if not any(relaxed.packing):
        return relaxed
    tried: list[Search] = []
    for moment in listed:
        if tried and moment >= min(_last(problem, each) for each in tried):
            break
        found = at(problem, moment, plain)
        if any(found.packing):
            tried.append(found)
    if tried and value(problem, tried[0].packing) == value(problem, relaxed.packing):
        return tried[0]
    pieces, counted = in_pieces(problem, lambda part, moment: at(part, moment, at_once))
    if pieces:
        tried.append(replace(relaxed, packing=(pieces,), warnings=()))
    if not tried:
        outcome = Outcome.INFEASIBLE if counted else Outcome.UNKNOWN
        return replace(
            relaxed, packing=((),), outcome=outcome, bound=None, warnings=() if counted else (WAVES,)
        )
    chosen = min(tried, key=lambda each: _finish(problem, each))
    bound = relaxed.bound if relaxed.outcome is Outcome.OPTIMAL else None
    said = tuple(dict.fromkeys((*chosen.warnings, WAVES)))
    return replace(chosen, outcome=Outcome.FEASIBLE, bound=bound, warnings=said)


def _finish(problem: Problem, found: Search) -> tuple[object, ...]:
    """Return what is compared: most tasks, then the earliest end, then the order of plans."""
    sums = totals(problem.asks[0], found.packing[0])
    return -sums.tasks, sums.last_start, value(problem, found.packing)


def _last(problem: Problem, found: Search) -> int:
    return totals(problem.asks[0], found.packing[0]).last_start
