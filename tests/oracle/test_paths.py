"""Every path to an answer gives the same one: the closed form, the search, and the search without pruning."""

from collections import Counter
from collections.abc import Callable

import pytest

import flare_core as flare
from flare_core import engine
from flare_core.options import Options
from flare_core.placement.order import Value, value
from flare_core.placement.packing import Packing, Problem
from flare_core.placement.types import Outcome
from flare_core.quantities import parse_moment
from flare_core.solve import lexicographic
from flare_core.solve.cpsat import Run
from flare_core.solve.greedy import greedy
from flare_core.solve.search import search
from tests.insides import cut, gangs, inside, linked, single
from tests.worlds import NOW, World, medium, small

UNHURRIED = Options(time_limit=600, effort=600, timer=lambda: 0.0)


def problem_of(world: World) -> Problem:
    intents = [flare.read_intent(intent) for intent in world.intents]
    inventory = flare.read_inventory({"version": 1, "offers": list(world.offers)})
    options = Options(weights=world.weights, priorities=world.priorities)
    return engine._problem(intents, inventory, parse_moment(NOW), options, several=len(intents) > 1)


def searched(problem: Problem) -> Packing:
    """Return what CP-SAT answers without the closed form and without pruning."""
    found = lexicographic.search(problem, greedy(problem), Run(UNHURRIED, 0.0))
    assert found.outcome in (Outcome.OPTIMAL, Outcome.INFEASIBLE)
    assert not found.warnings
    return found.packing


def _any_gpus(seed: int) -> World:
    return medium(seed, tasks=1 + seed % 8, offers=1 + seed % 40)


def closed_values(seed: int, make: Callable[[int], World]) -> tuple[Value, Value] | None:
    """Return where the closed form's answer stands in the order, and the search's; None where it has none."""
    problem = problem_of(make(seed))
    found = search(problem, UNHURRIED, 0.0)
    if found.path != "closed form":
        return None
    return value(problem, found.packing), value(problem, searched(problem))


def _compared(seeds: range, make: Callable[[int], World] = _any_gpus) -> int:
    pairs = {seed: pair for seed in seeds if (pair := closed_values(seed, make)) is not None}
    assert not {seed: pair for seed, pair in pairs.items() if pair[0] != pair[1]}
    return len(pairs)


@pytest.mark.parametrize("chunk", range(4))
def test_the_closed_form_is_the_optimum_of_the_search(chunk: int) -> None:
    assert _compared(range(chunk * 80, chunk * 80 + 80)) >= 30


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(15))
def test_the_closed_form_is_the_optimum_of_the_search_in_three_thousand_worlds(chunk: int) -> None:
    assert _compared(range(chunk * 560, chunk * 560 + 560)) >= 200


def test_the_closed_form_is_the_optimum_of_the_search_inside_of_nodes() -> None:
    assert _compared(range(80), single) >= 25


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(4))
def test_the_closed_form_is_the_optimum_of_the_search_in_five_hundred_nodes_inside(chunk: int) -> None:
    assert _compared(range(chunk * 400, chunk * 400 + 400), single) >= 125


def _of_all_kinds(seed: int) -> World:
    return small(seed) if seed % 2 else medium(seed, intents=1 + seed % 3, tasks=5, offers=16)


def _of_all_insides(seed: int) -> World:
    return (inside, linked, cut, gangs)[seed % 4](10_000 + seed)


def _pruned(seed: int, make: Callable[[int], World]) -> tuple[str, Value, Value]:
    problem = problem_of(make(seed))
    found = search(problem, UNHURRIED, 0.0)
    return found.path, value(problem, found.packing), value(problem, searched(problem))


def _differing(seeds: range, make: Callable[[int], World] = _of_all_kinds) -> Counter[str]:
    found = {seed: _pruned(seed, make) for seed in seeds}
    assert not {seed: pair for seed, (_, *pair) in found.items() if pair[0] != pair[1]}
    return Counter(path for path, _, _ in found.values())


@pytest.mark.parametrize("chunk", range(4))
def test_what_is_pruned_is_not_missed(chunk: int) -> None:
    assert _differing(range(chunk * 50, chunk * 50 + 50))["cp-sat"] >= 10


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(15))
def test_what_is_pruned_is_not_missed_in_two_thousand_worlds(chunk: int) -> None:
    assert _differing(range(chunk * 140, chunk * 140 + 140))["cp-sat"] >= 30


def test_what_is_pruned_is_not_missed_inside_of_nodes() -> None:
    assert _differing(range(60), _of_all_insides)["cp-sat"] >= 30


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(4))
def test_what_is_pruned_is_not_missed_inside_of_two_thousand_worlds(chunk: int) -> None:
    assert _differing(range(chunk * 500, chunk * 500 + 500), _of_all_insides)["cp-sat"] >= 250
