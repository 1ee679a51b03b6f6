"""Every policy decides as its plainest reading does, task by task."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from flare_core.scale.fleet import REFUSED, State
from flare_core.scale.fragmentation import Fragmentation
from flare_core.scale.policies import Maker, best_fit, first_match, gradient_descent
from flare_core.scale.stream import place_in_order
from tests.scale.fleets import Plain, classes_of, fleet_of

MAKERS: dict[str, Maker] = {
    "first_match": first_match,
    "best_fit": best_fit,
    "gradient_descent": gradient_descent,
}
Score = Callable[[int, int, tuple[int, ...]], int]


def least_free_first(plain: Plain, j: int, n: int) -> list[tuple[int, ...]]:
    free = plain.free[n][2]
    return sorted(plain.ways(j, n), key=lambda way: [free[g] for g in way])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", MAKERS)
def test_a_policy_decides_as_its_plainest_reading_does(name: str, seed: int) -> None:
    random = Random(seed)
    fleet = fleet_of(random)
    classes, tasks = classes_of(random, fleet)
    forecast = np.bincount(tasks, minlength=len(classes))
    state, plain = State.of(fleet), Plain(fleet, classes, forecast.tolist())
    seats = place_in_order(MAKERS[name](fleet, classes, forecast, state), tasks)
    score: Score = getattr(plain, name)
    for k, j in enumerate(tasks.tolist()):
        places = [n for n in range(len(fleet)) if plain.fits(j, n)]
        assert (int(seats.node[k]) == REFUSED) == (not places)
        if not places:
            continue
        ways = {n: least_free_first(plain, j, n) if name == "best_fit" else plain.ways(j, n) for n in places}
        best = max(
            ((n, way) for n in places for way in (ways[n][:1] if name != "gradient_descent" else ways[n])),
            key=lambda one: (score(j, *one), -one[0]),
        )
        assert (int(seats.node[k]), int(seats.gpus[k])) == (best[0], sum(1 << g for g in best[1]))
        plain.free[best[0]] = plain.after(j, *best)
    assert (seats.node == REFUSED).any()
    free = [[*plain.free[n][2], *[0] * 4][: fleet.width] for n in range(len(fleet))]
    assert state.milli.tolist() == free
    assert state.cpu_milli.tolist() == [plain.free[n][0] for n in range(len(fleet))]


@pytest.mark.parametrize("seed", range(6))
def test_the_expected_fragment_is_the_mean_over_the_expected_tasks(seed: int) -> None:
    random = Random(seed)
    fleet = fleet_of(random)
    classes, tasks = classes_of(random, fleet)
    forecast = np.bincount(tasks, minlength=len(classes))
    state, plain = State.of(fleet), Plain(fleet, classes, forecast.tolist())
    place_in_order(first_match(fleet, classes, forecast, state), tasks[:10])
    measure = Fragmentation.of(fleet, classes, forecast)
    for n in range(len(fleet)):
        gpus = tuple(state.milli[n, : fleet.gpus[n]].tolist())
        plain.free[n] = int(state.cpu_milli[n]), int(state.memory_mib[n]), gpus
    expected = [float(plain.fragment(n, plain.free[n])) for n in range(len(fleet))]
    assert measure.of_nodes(state) == pytest.approx(expected)


def test_a_forecast_of_nothing_finds_all_that_is_free_a_fragment() -> None:
    fleet = fleet_of(Random(0))
    classes, _ = classes_of(Random(0), fleet)
    measure = Fragmentation.of(fleet, classes, np.zeros(len(classes), np.int64))
    assert measure.of_nodes(State.of(fleet)).tolist() == (1000 * fleet.gpus).tolist()


def test_ties_at_random_repeat_with_their_seed_and_are_not_always_the_smallest_name() -> None:
    random = Random(1)
    fleet = fleet_of(random, 20)
    classes, tasks = classes_of(random, fleet)
    forecast = np.bincount(tasks, minlength=len(classes))

    def nodes(ties: np.random.Generator | None) -> list[int]:
        state = State.of(fleet)
        policy = gradient_descent(fleet, classes, forecast, state, ties)
        seated: list[int] = place_in_order(policy, tasks).node.tolist()
        return seated

    assert nodes(np.random.default_rng(5)) == nodes(np.random.default_rng(5))
    assert nodes(np.random.default_rng(5)) != nodes(None)


def test_what_is_freed_is_there_again() -> None:
    random = Random(2)
    fleet = fleet_of(random)
    classes, tasks = classes_of(random, fleet)
    forecast = np.bincount(tasks, minlength=len(classes))
    state = State.of(fleet)
    policy = gradient_descent(fleet, classes, forecast, state)
    seats = place_in_order(policy, tasks)
    again = next(k for k, node in enumerate(seats.node.tolist()) if node != REFUSED and seats.gpus[k])
    j, node, gpus = (int(column[again]) for column in (seats.task_class, seats.node, seats.gpus))
    policy.free(j, node, gpus)
    fresh = gradient_descent(fleet, classes, forecast, state)
    assert policy.choose(j) == fresh.choose(j) is not None
