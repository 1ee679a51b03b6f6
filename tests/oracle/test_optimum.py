"""In worlds small enough to enumerate, place answers what exhaustion finds, down to the last tie."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest

from tests.insides import cut, gangs, inside, linked, single
from tests.oracle.compare import differences
from tests.oracle.oracle import Oracle, Terms
from tests.worlds import World, alike, intent, medium, offer, patched, small, world

CHUNK = 50
FULL = 400
"""Instances in one test of the full figures."""


def _differing(seeds: range, make: Callable[[int], World] = small) -> dict[int, list[str]]:
    found = {seed: differences(make(seed), make(seed).document()) for seed in seeds}
    return {seed: different for seed, different in found.items() if different}


@pytest.mark.parametrize("chunk", range(8))
def test_place_finds_the_optimum_of_exhaustion(chunk: int) -> None:
    assert not _differing(range(chunk * CHUNK, (chunk + 1) * CHUNK))


@pytest.mark.parametrize("chunk", range(4))
def test_among_offers_that_are_alike_ties_are_settled_as_by_exhaustion(chunk: int) -> None:
    assert not _differing(range(chunk * CHUNK, (chunk + 1) * CHUNK), alike)


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(8))
def test_ties_are_settled_as_by_exhaustion_in_three_thousand_worlds(chunk: int) -> None:
    assert not _differing(range(chunk * FULL, (chunk + 1) * FULL), alike)


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(15))
def test_place_finds_the_optimum_of_exhaustion_in_six_thousand_worlds(chunk: int) -> None:
    assert not _differing(range(chunk * FULL, (chunk + 1) * FULL))


@pytest.mark.t1
def test_the_six_thousand_worlds_try_every_kind_of_constraint_two_hundred_times() -> None:
    tried = Counter(tag for seed in range(15 * FULL) for tag in small(seed).tags)
    assert min(tried.values()) >= 200


# --- inside of nodes --------------------------------------------------------------------------------

INSIDES = (inside, linked, cut, gangs)
by_kind = pytest.mark.parametrize("make", INSIDES, ids=lambda make: make.__name__)


@by_kind
def test_the_gpus_that_are_chosen_are_those_of_exhaustion(make: Callable[[int], World]) -> None:
    assert not _differing(range(CHUNK), make)


@pytest.mark.t1
@by_kind
@pytest.mark.parametrize("chunk", range(5))
def test_the_gpus_that_are_chosen_are_those_of_exhaustion_in_six_thousand_worlds(
    chunk: int, make: Callable[[int], World]
) -> None:
    assert not _differing(range(chunk * FULL, (chunk + 1) * FULL), make)


@pytest.mark.t1
def test_the_worlds_inside_of_nodes_try_everything_two_hundred_times() -> None:
    tried = Counter(tag for make in INSIDES for seed in range(5 * FULL) for tag in make(seed).tags)
    assert min(tried.values()) >= 200
    assert min(tried["mig"], tried["slots"]) >= 500


def four_on_three_nodes() -> World:
    """Return a world of which CP-SAT 9.15 proves an optimum that is none, unless a step is left out."""
    links = [[0, 1, "nvlink", "100 GB/s"], [0, 3, "nvlink", "100 GB/s"], [1, 3, "pcie", "100 GB/s"]]
    dear = offer("o0", price=4, gpus=4, nodes=2, gpu__model="nvidia-x2", gpu__fp32_tflops="40.0")
    dear["gpu"] |= {"memory": "24Gi", "interconnect_bandwidth": "90 GB/s", "links": links}
    cheap = offer("o1", price=1.333332, gpus=4, gpu__model="nvidia-a100", gpu__fp32_tflops="19.5")
    cheap["gpu"] |= {
        "cores": 6912,
        "clock_speed": "1.41G",
        "power_w": 250,
        "interconnect_bandwidth": "600 GB/s",
    }
    for one in (dear, cheap):
        one["performance"] |= {"latency_ms": 10, "cold_start_time": "10s"}
    dear["performance"]["uptime_percent"] = 99.0
    gpus = {"c0": 2, "b1": 3, "c2": 4, "a3": 2}
    asked = {name: intent(name, "job" if name == "c0" else "service", gpus=k) for name, k in gpus.items()}
    for one in asked.values():
        one["workload"]["resources"] = {"gpu": one["workload"]["resources"]["gpu"]}
    asked["c0"]["workload"]["resources"]["gpu"]["topology"] = "all-to-all"
    asked["c0"]["constraints"] = {"negotiation": {"fallback_strategy": "fail"}}
    asked["a3"]["objective"] = "Balanced_Optimization"
    weights, priorities = {"carbon": 2, "performance": 1}, {"c0": 2, "b1": 0.5, "c2": 2, "a3": 2}
    return world(list(asked.values()), dear, cheap, weights=weights, priorities=priorities)


def test_no_optimum_is_certified_that_is_none() -> None:
    assert not differences(four_on_three_nodes(), four_on_three_nodes().document())


# --- at the edge of feasibility ---------------------------------------------------------------------


class Edge(NamedTuple):
    """A budget, the objective that spends least of it, what is spent, and how an amount is written."""

    path: str
    objective: str
    spent: Callable[[Terms], int]
    unit: str


HOURLY = Edge("constraints__max_hourly_cost", "Cost_Minimization", lambda t: t.hourly, "EUR/hour")
TOTAL = Edge("constraints__max_total_cost", "Cost_Minimization", lambda t: t.total, "EUR")
CARBON = Edge("constraints__energy__max_carbon_footprint", "Energy_Efficiency", lambda t: t.carbon, "g CO2/h")


def _with(world: World, edge: Edge, limit: int, **changes: object) -> World:
    asked = {edge.path: f"{limit // 10**6}.{limit % 10**6:06d} {edge.unit}", **changes}
    return replace(world, intents=(patched(world.intents[0], **asked),))


def _any_gpus(seed: int) -> World:
    return medium(seed, tasks=4, offers=6)


def at_the_edge(seed: int, make: Callable[[int], World] = _any_gpus) -> tuple[Counter[bool], list[str]]:
    """Set a budget to what the least plan spends, and a millionth below.

    Return how often exhaustion finds a plan and how often none, and where `place` differs.
    """
    world = make(seed)
    service = world.intents[0]["workload"]["type"] == "service"
    edge = CARBON if seed % 4 == 0 else HOURLY if service else TOTAL
    least = Oracle(_with(world, edge, 10**12, objective=edge.objective)).best().choices[0]
    found: Counter[bool] = Counter()
    wrong: list[str] = []
    if least is None:
        return found, wrong
    for limit in (edge.spent(least.terms), edge.spent(least.terms) - 1):
        if limit >= 0:
            capped = _with(world, edge, limit)
            best = Oracle(capped).best()
            found[best.choices[0] is not None] += 1
            wrong += [f"{seed}: {text}" for text in differences(capped, capped.document(), best)]
    return found, wrong


def _edges(seeds: range, make: Callable[[int], World] = _any_gpus) -> Counter[bool]:
    found: Counter[bool] = Counter()
    wrong: list[str] = []
    for seed in seeds:
        counted, different = at_the_edge(seed, make)
        found += counted
        wrong += different
    assert not wrong
    return found


@pytest.mark.parametrize("chunk", range(4))
def test_a_budget_that_is_exactly_met_and_one_that_is_a_millionth_short(chunk: int) -> None:
    found = _edges(range(chunk * 20, chunk * 20 + 20))
    assert min(found[True], found[False]) >= 8


def test_what_a_batch_emits_is_counted_task_by_task_in_whole_micro_grams() -> None:
    found, wrong = at_the_edge(3504)
    assert found.total() == 2
    assert not wrong


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(15))
def test_two_thousand_plans_barely_exist_and_two_thousand_do_not(chunk: int) -> None:
    found = _edges(range(chunk * 260, (chunk + 1) * 260))
    assert min(found[True], found[False]) >= 134


def test_a_budget_of_shares_and_gangs_that_is_exactly_met_and_one_that_is_a_millionth_short() -> None:
    found = _edges(range(30), single)
    assert min(found[True], found[False]) >= 12


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(4))
def test_five_hundred_plans_of_shares_and_gangs_barely_exist_and_five_hundred_do_not(chunk: int) -> None:
    found = _edges(range(chunk * 290, (chunk + 1) * 290), single)
    assert min(found[True], found[False]) >= 125
