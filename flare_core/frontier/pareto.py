"""``pareto``: from an intent and an inventory to its front."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from flare_core.engine import answer, moment_of, problem_of
from flare_core.errors import CancelledError, OptionsError, found_expected
from flare_core.frontier.explore import Corner
from flare_core.frontier.front import Front, Point
from flare_core.frontier.search import Found, front_of
from flare_core.frontier.terms import checked, known, public, units, vector
from flare_core.intent.patch import patched
from flare_core.inventory.types import Inventory
from flare_core.options import TERMS, Options
from flare_core.placement.occupied import free_now, seen_at
from flare_core.placement.packing import Ask, Loads, Problem
from flare_core.placement.types import Outcome, Plan, Rejection
from flare_core.solve.cpsat import Run
from flare_core.solve.result import Search
from flare_core.solve.starts import at_once

if TYPE_CHECKING:
    from flare_core.intent import Intent

MOST_POINTS = 1000
"""Points up to which a front is listed whole."""


def pareto(
    intent: "Intent",
    inventory: Inventory,
    *,
    now: str | datetime,
    terms: Sequence[str] = ("cost", "carbon"),
    options: Options | None = None,
    most_points: int = MOST_POINTS,
) -> Front:
    """Return the placements of one intent that no other placement beats in all of some terms.

    The intent's constraints hold as in `place`: as many tasks are placed as can be, and as few preferences
    missed. Its objective, weights and negotiation count nothing. All tasks begin now, where offers are open.

    Parameters
    ----------
    intent
        What is needed, from `read_intent`.
    inventory
        What is offered, from `read_inventory`.
    now
        The moment from which is planned, as for `place`.
    terms
        Two or three of ``cost``, ``performance``, ``latency``, ``carbon``.
    options
        How to search; effort and time limit are for the whole front.
    most_points
        A larger front is told in part: points that are spread over it, and the gaps between them.

    Returns
    -------
    Front
        Complete and proven, or it says where points may be missing. Of an intent that cannot be placed it is
        empty and says why.

    Raises
    ------
    FlareError
        As `place`; `OptionsError` also for terms of which there is no front.
    """
    options = Options() if options is None else options
    started = options.timer()
    wanted = checked(terms)
    _check_points(most_points)
    inventory = free_now(seen_at(inventory, int(moment_of(now).timestamp())))  # a front begins at once
    problem = at_once(problem_of((intent,), inventory, now=now, options=options))
    found = front_of(problem, wanted, Run(options, started), most_points)
    if found.outcome is Outcome.UNKNOWN and options.cancellation and options.cancellation.cancelled:
        raise CancelledError
    error = None
    if found.first is not None:  # refuses what has to be placed by means that are not there yet
        said = answer((_plain(intent),), problem, found.first, inventory, options, started)
        error = said.placements[0].error
    plan = partial(_plan, intent, problem, inventory, options)
    return _front(problem, wanted, found, plan, error)


def _front(
    problem: Problem,
    terms: tuple[str, ...],
    found: Found,
    plan: Callable[[Loads], Plan],
    error: Rejection | None,
) -> Front:
    [ask] = problem.asks
    return Front(
        intent=ask.name,
        terms=terms,
        units=units(ask.needs),
        outcome=found.outcome,
        points=tuple(_points(ask, terms, found, plan)),
        gaps=tuple(_gap(terms, corner) for corner in found.open),
        error=error,
        warnings=tuple(dict.fromkeys((*ask.needs.warnings, *ask.found.warnings, *found.warnings))),
    )


def _check_points(most: object) -> None:
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise OptionsError("most_points", found_expected(most, "a whole number from 1 on"))


def _plain(intent: "Intent") -> "Intent":
    """Return the intent without what it would give way in; what makes its wishes conditions stays."""
    said = intent.constraints.negotiation
    if said is None:
        return intent
    plain = patched(intent, {"constraints": {"negotiation": None}})
    if said.fallback_strategy != "fail":
        return plain
    return patched(plain, {"constraints": {"negotiation": {"fallback_strategy": "fail"}}})


def _points(ask: Ask, terms: Sequence[str], found: Found, plan: Callable[[Loads], Plan]) -> Iterator[Point]:
    names = (*terms, *(term for term in TERMS if term not in terms))
    certain = {term: known(ask, term) for term in names}
    for loads in found.points.values():
        used = [load.candidate for load in loads]
        values = zip(names, vector(ask, loads, names), strict=True)
        yield Point(
            terms={term: public(term, value) for term, value in values},
            assumed=tuple(term for term in names if not certain[term][used].all()),
            packing=loads,
            _plan=plan,
        )


def _gap(terms: Sequence[str], corner: Corner) -> dict[str, float]:
    pairs = zip(terms, corner, strict=True)
    return {term: public(term, limit) for term, limit in pairs if limit is not None}


def _plan(intent: "Intent", problem: Problem, inventory: Inventory, options: Options, loads: Loads) -> Plan:
    """Return a point as a plan, checked."""
    one = Search(
        packing=(loads,),
        outcome=Outcome.FEASIBLE,
        bound=None,
        placed_bound=problem.asks[0].priority,
        path="front",
    )
    return answer((intent,), problem, one, inventory, options, options.timer())
