"""The whole road from a problem to what is proven: screens, closed form, greedy, CP-SAT."""

from collections.abc import Callable
from dataclasses import replace

from flare_core.candidates.times import moves
from flare_core.model.draft import size
from flare_core.model.families import rules_of
from flare_core.options import Options
from flare_core.placement.order import value
from flare_core.placement.packing import Packing, Problem, totals
from flare_core.placement.types import Outcome
from flare_core.requirements.types import Workload
from flare_core.solve import freed, hours, lexicographic, lots, waves
from flare_core.solve.bounds import cannot_fit, least_primary
from flare_core.solve.closed import close_gang, closed_form
from flare_core.solve.cpsat import Run
from flare_core.solve.freed import Plain
from flare_core.solve.greedy import greedy
from flare_core.solve.prune import prune, renumbered, tighten
from flare_core.solve.result import Search
from flare_core.solve.rounds import at_better_hours, later, overfull
from flare_core.solve.shared import Shared, priced, shared
from flare_core.solve.starts import Moment, at, at_once, begun, best_of, moments
from flare_core.solve.timetable import plain, roomy

Watch = Callable[[float, float | None, float | None], None]

MOST_VARIABLES = 50_000
"""Variables of a model up to which it is built."""

BUILD_S = 2e-5
"""Seconds that it takes to build a model, for each of its variables."""

MOST_GANG_GROUPS = 200
"""Node groups up to which a gang's plan is searched down to the last tie."""

HURRIED_EFFORT = 0.1
"""Effort for who begins at once, where not all do."""

MANY = 20
"""Intents beyond which a linear programme is asked what they can reach together, and at what prices."""

FEW = 60
"""Candidates up to which the ties are settled in the same model as the objective."""


def search(
    problem: Problem,
    options: Options,
    started: float,
    watch: Watch | None = None,
    *,
    ties: bool = True,
) -> Search:
    """Return the best packing of `problem` and what is proven of it.

    Parameters
    ----------
    problem
        Intents in the order of their names.
    started
        `options.timer` when the search began.
    watch
        Told (seconds, primary value, bound) at each improvement.
    ties
        Whether to settle the ties after the objective.
    """
    return search_within(problem, Run(options, started), watch, ties=ties)


def search_within(problem: Problem, run: Run, watch: Watch | None = None, *, ties: bool = True) -> Search:
    """Do the same as one of several searches that share what `run` may spend."""
    nothing: Packing = tuple(() for _ in problem.asks)
    if not any(len(ask.found) for ask in problem.asks):
        return _none(nothing, "screen")
    if problem.several:
        waiting = later(
            problem,
            _now(problem, lambda part: _hurried_or_not(part, run, watch, ties=ties)),
            run,
            together=lambda part: _now(part, lambda now: _all_at_once(now, run, None, ties=ties)),
            single=lambda part: search_within(part, run, ties=ties),
            at_moment=lambda part: _all_at_once(part, run, None, ties=ties),
        )
        return _at_better_hours(problem, waiting, run, ties=ties)
    if problem.inventory.busy:
        beside = freed.search(
            problem,
            plain=lambda part: search_within(part, run, ties=ties),
            at_once=lambda part: _all_at_once(part, run, None, ties=ties),
        )
        return _at_better_hours(problem, beside, run, ties=ties)
    if not moves(problem.asks[0].needs):
        return _together(problem, run, watch, ties=ties)
    if problem.asks[0].found.tariffs is not None:
        one = hours.search(problem, lambda moment: _beginning(problem, moment, run, None, ties=ties), run)
        return lots.search(problem, one) if problem.asks[0].needs.workload is Workload.BATCH else one
    if problem.asks[0].needs.workload is Workload.BATCH:
        found = waves.search(problem, lambda part: _together(part, run, None, ties=ties), run)
        if found is not None:
            return found
    listed = moments(problem)
    tell = watch if len(listed) == 1 else None  # what is known of one moment is not known of all
    return best_of(problem, (_beginning(problem, moment, run, tell, ties=ties) for moment in listed))


def _at_better_hours(problem: Problem, found: Search, run: Run, *, ties: bool) -> Search:
    """Search for better hours for those who may wait for them."""
    return at_better_hours(
        problem,
        found,
        run,
        single=lambda part: search_within(part, run, ties=ties),
        at_moment=lambda part: _all_at_once(part, run, None, ties=ties),
    )


def _now(problem: Problem, plain: Plain) -> Search:
    """Search for what begins now, beside what is busy."""
    return freed.at(problem, 0, plain) if problem.inventory.busy else plain(problem)


def _hurried_or_not(problem: Problem, run: Run, watch: Watch | None, *, ties: bool) -> Search:
    """Search for what begins now, as far as that is of any use where not all can."""
    if not overfull(problem):
        return _all_at_once(problem, run, watch, ties=ties)
    if all(plain(ask) and roomy(ask) for ask in problem.asks if len(ask.found)):  # they are scheduled anyway
        return _none(tuple(() for _ in problem.asks), "capacity")
    return _hurried(problem, run, watch)


def _hurried(problem: Problem, run: Run, watch: Watch | None) -> Search:
    """Search for a plan in which those begin now for whom there is room, where some will have to wait."""
    brief = Run(replace(run.options, effort=min(run.options.effort, HURRIED_EFFORT)), run.started)
    found = _all_at_once(problem, brief, watch, ties=False)
    run.effort += brief.effort
    return found


def _all_at_once(problem: Problem, run: Run, watch: Watch | None, *, ties: bool) -> Search:
    """Search for a plan in which everything begins now, where its offers are open."""
    part = at_once(problem)
    found = _together(part, run, watch, ties=ties)
    return found if part is problem else _over(found, problem, part)


def _beginning(problem: Problem, moment: Moment, run: Run, watch: Watch | None, *, ties: bool) -> Search:
    """Search for a placement that begins at a moment."""
    part = at(problem, moment)
    found = _together(part, run, watch, ties=ties)
    return replace(found, packing=begun(problem.asks[0], part.asks[0], found.packing, moment.start))


def _together(problem: Problem, run: Run, watch: Watch | None, *, ties: bool) -> Search:
    """Search for a plan in which everything begins at once."""
    if all(cannot_fit(ask) for ask in problem.asks):
        return _none(tuple(() for _ in problem.asks), "capacity")
    return _closed(problem) or _gang(problem) or _searched(problem, run, watch, ties=ties)


def _closed(problem: Problem) -> Search | None:
    """Answer by the closed form, where it applies."""
    packing = None if problem.several else closed_form(problem, rules_of(problem))
    return None if packing is None else _proven(problem, packing)


def _gang(problem: Problem) -> Search | None:
    """Answer for a large gang by what is proven of its closeness, without settling ties beyond."""
    if problem.several or len(problem.asks[0].found.group) <= MOST_GANG_GROUPS:
        return None
    packing = close_gang(problem, rules_of(problem))
    if packing is None:
        return None
    why = (
        "the gang is proven to be best and as close as can be; ties among equally close plans are not settled"
    )
    return replace(_proven(problem, packing), warnings=(why,))


def _searched(problem: Problem, run: Run, watch: Watch | None, *, ties: bool) -> Search:
    """Search in what pruning leaves; where that is much, settle the objective first and prune by it."""
    smaller = prune(problem)
    known = shared(smaller) if len(smaller.asks) > MANY else None
    smaller, packing = tighten(smaller, _first(smaller, known))
    # What is left may be simple, or too much.
    found = _closed(smaller) or _greedily(smaller, packing, run, by_price=known is not None)
    if found is None and ties and sum(len(ask.found) for ask in smaller.asks) > FEW:
        first = lexicographic.search(smaller, packing, run, watch=watch, ties=False)
        if first.outcome is not Outcome.OPTIMAL:
            return _bounded(_over(first, problem, smaller), problem, known)
        smaller, packing = tighten(smaller, first.packing)
        found = _closed(smaller)
    if found is None:
        found = lexicographic.search(smaller, packing, run, watch=watch, ties=ties)
    return _bounded(_over(found, problem, smaller), problem, known)


def _first(problem: Problem, known: Shared | None) -> Packing:
    """Return the better of the greedy plans: by what is best, and by what takes least from others."""
    plan = greedy(problem)
    if known is None:
        return plan
    return min(plan, greedy(priced(problem, known), known.order), key=lambda each: value(problem, each))


def _bounded(found: Search, problem: Problem, known: Shared | None) -> Search:
    """Return `found` with what else is known of all plans."""
    if known is None or found.outcome is not Outcome.FEASIBLE:
        return found
    bound = found.bound
    if known.bound is not None and _everyone(problem, found.packing):
        bound = known.bound if bound is None else max(bound, known.bound)
    return replace(found, bound=bound, placed_bound=min(found.placed_bound, known.placed_bound))


def _everyone(problem: Problem, packing: Packing) -> bool:
    """Whether all are placed who have candidates."""
    return all(loads or not len(ask.found) for ask, loads in zip(problem.asks, packing, strict=True))


def _greedily(problem: Problem, packing: Packing, run: Run, *, by_price: bool) -> Search | None:
    """Answer with the greedy plan where a model would be too large, or could not even be built in time."""
    variables = size(problem)
    how = "greedy, at the prices of a linear programme" if by_price else "greedy"
    if variables > MOST_VARIABLES:
        why = (
            f"an exact model would have {variables} variables, more than {MOST_VARIABLES}: the plan is {how}"
        )
    elif variables * BUILD_S > run.seconds_left:
        why = f"the wall-clock time limit leaves no time for an exact model: the plan is {how}"
    else:
        return None
    return Search(
        packing=packing,
        outcome=Outcome.FEASIBLE if any(packing) else Outcome.UNKNOWN,
        bound=least_primary(problem)
        if _everyone(problem, packing)
        else None,  # a bound among plans that place as many
        placed_bound=sum(ask.priority for ask in problem.asks if len(ask.found)),
        path="greedy",
        warnings=(why,),
    )


def _over(found: Search, problem: Problem, smaller: Problem) -> Search:
    """Return `found` in the candidate numbers of `problem`."""
    moved = tuple(
        tuple(renumbered(load, part, whole) for load in loads)
        for loads, part, whole in zip(found.packing, smaller.asks, problem.asks, strict=True)
    )
    return replace(found, packing=moved)


def _none(nothing: Packing, path: str) -> Search:
    return Search(packing=nothing, outcome=Outcome.INFEASIBLE, bound=None, placed_bound=0, path=path)


def _proven(problem: Problem, packing: Packing) -> Search:
    ask = problem.asks[0]
    return Search(
        packing=packing,
        outcome=Outcome.OPTIMAL,
        bound=totals(ask, packing[0]).primary,
        placed_bound=ask.priority,
        path="closed form",
    )
