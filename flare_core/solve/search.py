"""The whole road from a problem to what is proven: screens, closed form, greedy, CP-SAT."""

from collections.abc import Callable

from flare_core.model.families import rules_of
from flare_core.options import Options
from flare_core.placement.packing import Packing, Problem, totals
from flare_core.placement.types import Outcome
from flare_core.solve import lexicographic
from flare_core.solve.closed import cannot_fit, closed_form
from flare_core.solve.cpsat import Run
from flare_core.solve.greedy import greedy
from flare_core.solve.prune import prune
from flare_core.solve.result import Search

Watch = Callable[[float, float | None, float | None], None]


def search(problem: Problem, options: Options, started: float, watch: Watch | None = None) -> Search:
    """Return the best packing of `problem` and what is proven of it.

    Parameters
    ----------
    problem
        Intents in the order of their names.
    started
        `options.timer` when the search began.
    watch
        Told (seconds, primary value, bound) at each improvement.
    """
    nothing: Packing = tuple(() for _ in problem.asks)
    if not any(len(ask.found) for ask in problem.asks):
        return _none(nothing, "screen")
    rules = rules_of(problem)
    if not problem.several:
        if cannot_fit(problem):
            return _none(nothing, "capacity")
        packing = closed_form(problem, rules)
        if packing is not None:
            return _proven(problem, packing)
    smaller = prune(problem)
    run = Run(options, started)
    found = lexicographic.search(smaller, greedy(smaller, rules_of(smaller)), run, watch=watch)
    return found.over(problem, smaller)


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
