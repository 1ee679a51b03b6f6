"""Several intents of which none is refused that first-come would have accepted.

They are placed one by one in the order in which they came, each where it is best beside those before it.
Whoever finds a place so weighs more than all the others together in the search for the best plan: so that
plan leaves out none of them, and has as many of the others as there is room for.
"""

from collections.abc import Sequence
from dataclasses import replace

from flare_core.errors import InternalError
from flare_core.options import Options
from flare_core.placement.build import held
from flare_core.placement.order import value
from flare_core.placement.packing import Packing, Problem
from flare_core.placement.types import Outcome
from flare_core.solve.cpsat import Run
from flare_core.solve.result import Search
from flare_core.solve.search import Watch, search, search_within


def first_come(
    problem: Problem, names: Sequence[str], options: Options, started: float, watch: Watch | None
) -> Search:
    """Return the best packing that places everybody who first-come would place.

    Parameters
    ----------
    names
        The intents in the order in which they came.
    started, watch
        As for `search`.
    """
    index = {ask.name: i for i, ask in enumerate(problem.asks)}
    came = one_by_one(problem, [index[name] for name in names], options, started)
    weighed, more = _weighed(problem, came)
    found = search(weighed, options, started, watch)
    found = replace(found, placed_bound=max(0, found.placed_bound - more))
    lacks = any(had and not has for had, has in zip(came, found.packing, strict=True))
    proven = found.outcome is Outcome.OPTIMAL
    if not lacks and (proven or value(weighed, came) >= value(weighed, found.packing)):
        return found
    return replace(found, packing=came, outcome=Outcome.FEASIBLE, bound=None, left_proven=False)


def one_by_one(problem: Problem, order: Sequence[int], options: Options, started: float) -> Packing:
    """Return the packing in which intents come in an order, each placed for itself beside those before it."""
    packing: Packing = tuple(() for _ in problem.asks)
    inventory, alone = problem.inventory, replace(options, on_progress=None)
    for i in order:
        busy = (*inventory.busy, *held(problem, packing))
        beside = Problem((problem.asks[i],), replace(inventory, busy=busy))
        [loads] = search_within(beside, Run(alone, started), ties=False).packing
        joined = (*packing[:i], loads, *packing[i + 1 :])
        if loads and _seated(problem, joined):
            packing = joined
    return packing


def _seated(problem: Problem, packing: Packing) -> bool:
    """Whether the GPUs of a packing can be told apart at all times."""
    try:
        held(problem, packing)
    except InternalError:  # those of who was placed before would have to be others
        return False
    return True


def _weighed(problem: Problem, came: Packing) -> tuple[Problem, int]:
    """Return the problem in which those of `came` weigh more than all others, and how much more."""
    others = sum(ask.priority for ask, loads in zip(problem.asks, came, strict=True) if not loads)
    asks = tuple(
        replace(ask, priority=ask.priority + others) if loads else ask
        for ask, loads in zip(problem.asks, came, strict=True)
    )
    return replace(problem, asks=asks), others * sum(1 for loads in came if loads)
