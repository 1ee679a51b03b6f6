"""Whatever the limit, the answer is at least as good as the first guess, and more time does not spoil it."""

import pytest

from flare_core.options import Options
from flare_core.placement.order import value
from flare_core.placement.packing import Problem
from flare_core.solve.greedy import greedy
from flare_core.solve.prune import prune
from flare_core.solve.search import search
from tests.oracle.test_paths import problem_of
from tests.worlds import medium

LIMITS = (0.1, 0.3, 1.0)
BEFORE_TIES = 4
"""Fields of a value that come before the tie rules: placed, tasks, misses, objective."""


def _problem(seed: int) -> Problem:
    return problem_of(medium(seed, intents=8, tasks=24, offers=50))


def _anytime(seed: int) -> bool:
    """Check an answer at every limit against the first guess; return whether more time was never worse."""
    problem = _problem(seed)
    smaller = prune(problem)  # what a search starts from
    guess = value(smaller, greedy(smaller))[:BEFORE_TIES]
    found = []
    for limit in LIMITS:
        options = Options(time_limit=limit, effort=600)
        found.append(value(problem, search(problem, options, options.timer()).packing)[:BEFORE_TIES])
        assert found[-1] <= guess, (seed, limit)
    return found == sorted(found, reverse=True)


def test_any_limit_gives_at_least_the_first_guess() -> None:
    assert all(_anytime(seed) for seed in range(6))


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(10))
def test_any_limit_gives_at_least_the_first_guess_in_two_hundred_worlds(chunk: int) -> None:
    steady = [_anytime(seed) for seed in range(100 + chunk * 20, 120 + chunk * 20)]
    assert sum(steady) >= 19
