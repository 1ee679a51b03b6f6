"""What many intents can reach together: bounds that hold, and prices that lead to good plans."""

from random import Random

import pytest

from flare_core.model.families import broken, rules_of
from flare_core.placement.order import value
from flare_core.placement.packing import Problem
from flare_core.placement.types import Outcome, Status
from flare_core.solve.greedy import greedy
from flare_core.solve.prune import prune
from flare_core.solve.search import MANY
from flare_core.solve.shared import priced, shared
from tests.placement.problems import problem_of
from tests.solve.searching import best, worlds
from tests.worlds import World, intent, offer, world


@pytest.mark.parametrize("one", worlds(range(120), places=4_000, larger=True))
def test_no_plan_is_better_than_the_bounds(one: Problem) -> None:
    """All packings of small worlds are enumerated."""
    known, most = shared(one), best(one)
    assert known is not None
    assert -most.placed <= known.placed_bound
    if known.bound is not None and -most.placed == sum(ask.priority for ask in one.asks):
        assert known.bound <= most.primary


def small_and_large(large: int, little: int) -> World:
    """Return intents of eight GPUs and of one on three nodes: a large one costs eight others."""
    intents = [intent(f"large{k}", gpus=8) for k in range(large)]
    intents += [intent(f"little{k:02}") for k in range(little)]
    return world(intents, offer("a", 8, 8, 3, price__billing="gpu"))


def test_who_takes_least_is_placed_where_not_all_can_be() -> None:
    problem = prune(problem_of(small_and_large(2, 24)))
    known = shared(problem)
    assert known is not None
    assert known.placed_bound == 24 * 10**6
    plain, better = greedy(problem), greedy(priced(problem, known), known.order)
    assert (sum(map(bool, plain)), sum(map(bool, better))) == (10, 24)
    assert not broken(problem, better, rules_of(problem))


def crowd(seed: int, intents: int) -> World:
    """Return intents of several objectives that want more of the better nodes than there are."""
    random = Random(seed)
    asked = [
        intent(
            f"i{k:03}",
            tasks=random.choice((1, 1, 2)),
            gpus=random.choice((1, 2, 4)),
            objective=random.choice(
                ("Cost_Minimization", "Performance_Maximization", "Balanced_Optimization")
            ),
        )
        for k in range(intents)
    ]
    nodes = [
        offer(f"o{k:02}", random.randint(2, 30), 8, 2, gpu__model=random.choice(("nvidia-h100", "nvidia-l4")))
        for k in range(intents // 6)
    ]
    return world(asked, *nodes)


@pytest.mark.parametrize("seed", range(4))
def test_plans_at_prices_are_no_worse_and_keep_the_rules(seed: int) -> None:
    problem = prune(problem_of(crowd(seed, 60)))
    known = shared(problem)
    assert known is not None
    plain, better = greedy(problem), greedy(priced(problem, known), known.order)
    assert not broken(problem, better, rules_of(problem))
    assert value(problem, better).placed <= value(problem, plain).placed
    assert -value(problem, better).placed <= known.placed_bound


def test_a_plan_of_many_says_how_far_it_is_from_the_best_at_most() -> None:
    plan = crowd(1, 3 * MANY).place(effort=0.05)
    assert plan.outcome in (Outcome.FEASIBLE, Outcome.OPTIMAL)
    assert sum(each.status is Status.PLACED for each in plan.placements) >= 2 * MANY
    assert plan.gap is not None
    assert plan.gap < 0.5


def test_too_many_pairs_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(small_and_large(1, 4))
    monkeypatch.setattr("flare_core.solve.shared.MOST_COLUMNS", 1)
    assert shared(problem) is None


def test_a_plan_says_how_many_could_be_placed_at_most() -> None:
    plan = small_and_large(2, 24).place(effort=1e-6)
    assert plan.to_dict()["objective"]["placed"] == plan.to_dict()["bound"]["placed"] == 24
