"""When the tasks of one intent begin together: one of a few moments, and what is open then.

Between two moments at which an offer opens for a run nothing is gained by waiting, so only these matter; and
of them only those at which something is open that was not, all together, at an earlier one. At each of them
it is the placement of one moment that is searched for; the best of these by the one order, which prefers an
early end, is the answer. Without calendars the only moment is now.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from flare_core.candidates.times import ALWAYS, moves, starts_by_code
from flare_core.inventory.calendar import Intervals
from flare_core.inventory.held import Held
from flare_core.inventory.types import Mask
from flare_core.placement.order import value
from flare_core.placement.packing import Ask, Packing, Problem
from flare_core.placement.types import Outcome
from flare_core.requirements.types import Requirements
from flare_core.solve.prune import renumbered, restrict
from flare_core.solve.result import Search


class Moment(NamedTuple):
    """Seconds after the plan at which all tasks may begin, and the candidates that are open then."""

    start: int
    open: Mask


def moments(problem: Problem) -> list[Moment]:
    """Return the moments at which the tasks of the only intent may begin, ascending."""
    ask = problem.asks[0]
    now, known = int(ask.needs.start.timestamp()), starts_by_code(ask.needs, problem.inventory)
    if len(known) == 1:  # no offer has a calendar
        return [Moment(first - now, np.ones(len(ask.found), np.bool_)) for first, _ in known[ALWAYS][:1]]
    codes = problem.inventory.label["calendar"].codes[ask.found.rows]
    begins = {int(code): known[int(code)] for code in np.unique(codes)}
    found: list[tuple[int, frozenset[int]]] = []
    for moment in sorted({first for intervals in begins.values() for first, _ in intervals}):
        opened = frozenset(code for code, intervals in begins.items() if _within(intervals, moment))
        if not any(opened <= earlier for _, earlier in found):
            found.append((moment, opened))
    return [Moment(moment - now, np.isin(codes, list(opened))) for moment, opened in found]


def beginnings(ask: Ask, problem: Problem, busy: Iterable[Held]) -> list[int]:
    """Return when an offer opens for a run of an intent or something busy ends while one is open, ascending.

    Seconds after the plan.
    """
    needs, inventory = ask.needs, problem.inventory
    now, known = int(needs.start.timestamp()), starts_by_code(needs, inventory)
    codes = inventory.label["calendar"].codes[ask.found.rows]
    begins = [known[int(code)] for code in np.unique(codes)]
    ends = {one.end for one in busy if one.end is not None}
    opens = {first - now for intervals in begins for first, _ in intervals}
    return sorted(opens | {end for end in ends if any(_within(own, end + now) for own in begins)})


def last_start(needs: Requirements) -> float | None:
    """Return when a run may begin at the latest, seconds after the plan; None without a deadline."""
    if needs.deadline is None:
        return None
    length = timedelta(seconds=needs.length_s or 0) if moves(needs) else timedelta(seconds=1)
    return (needs.deadline - length - needs.start).total_seconds()


def _within(intervals: Intervals, moment: int) -> bool:
    return any(first <= moment < end for first, end in intervals)


def at(problem: Problem, moment: Moment) -> Problem:
    """Return `problem` with the candidates alone that are open at a moment, as they are then."""
    return replace(problem, asks=(restrict(problem.asks[0].at(moment.start), moment.open),))


def at_once(problem: Problem) -> Problem:
    """Return `problem` with the candidates alone that are open for a run now; itself where all are."""
    asks = tuple(_open_now(ask, problem) for ask in problem.asks)
    same = all(new is old for new, old in zip(asks, problem.asks, strict=True))
    return problem if same else replace(problem, asks=asks)


def _open_now(ask: Ask, problem: Problem) -> Ask:
    if ask.found.tariffs is not None:
        ask = restrict(ask, ask.found.tariffs.at(0).sold[ask.found.tariff] & affordable(ask))
    calendars = problem.inventory.label["calendar"]
    if not moves(ask.needs) or (ask.needs.needed is None and not calendars.values):
        return ask
    now, known = int(ask.needs.start.timestamp()), starts_by_code(ask.needs, problem.inventory)
    closed = [code for code, intervals in known.items() if not _within(intervals, now)]
    return restrict(ask, ~np.isin(calendars.codes[ask.found.rows], closed)) if closed else ask


def squeezed(ask: Ask) -> bool:
    """Whether any budget limits what is placed."""
    needs = ask.needs
    limits = (needs.max_hourly_ueur, needs.max_total_ueur, needs.max_carbon_ug)
    return any(limit is not None for limit in limits)


def affordable(ask: Ask) -> Mask:
    """Return the candidates on which one task keeps the budgets."""
    needs, found = ask.needs, ask.found
    kept = np.ones(len(found), np.bool_)
    for limit, amounts in (
        (needs.max_hourly_ueur, found.task_ueur),
        (needs.max_total_ueur, found.task_total_ueur),
        (needs.max_carbon_ug, found.carbon_peak_ug),
    ):
        if limit is not None:
            kept &= amounts <= limit
    if needs.max_carbon_ug is not None:
        kept &= found.carbon_known
    return kept


def begun(whole: Ask, part: Ask, packing: Packing, start: int) -> Packing:
    """Return `packing` of `part`, beginning at `start`, in the numbers of `whole`."""
    return (tuple(renumbered(load, part, whole)._replace(start=start) for load in packing[0]),)


def best_of(problem: Problem, found: Iterator[Search]) -> Search:
    """Return the best of what was found at all moments, and what is proven of them together."""
    tried = list(found)
    placed = [each for each in tried if any(each.packing)]
    open_ended = [each for each in tried if each.outcome in (Outcome.UNKNOWN, Outcome.FEASIBLE)]
    warnings = tuple(dict.fromkeys(text for each in tried for text in each.warnings))
    effort = max((each.effort for each in tried), default=0.0)
    if not placed:
        chosen = open_ended[0] if open_ended else tried[0]
        return replace(chosen, warnings=warnings, effort=effort)
    chosen = min(placed, key=lambda each: value(problem, each.packing))
    bounds = [each.bound for each in tried if each.outcome is not Outcome.INFEASIBLE]
    known = [bound for bound in bounds if bound is not None]
    return replace(
        chosen,
        outcome=Outcome.FEASIBLE if open_ended else Outcome.OPTIMAL,
        bound=min(known) if len(known) == len(bounds) else None,
        placed_bound=max(each.placed_bound for each in tried),
        warnings=warnings,
        effort=effort,
    )
