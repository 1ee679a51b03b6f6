"""The closed form, tie after tie: what it settles is the optimum, what it cannot settle it leaves."""

from typing import Any

import numpy as np
import pytest

from flare_core.model.families import broken, rules_of
from flare_core.placement.order import value
from flare_core.placement.packing import Problem
from flare_core.solve import closed
from flare_core.solve.bounds import cannot_fit, seats
from flare_core.solve.closed import closed_form
from tests.placement.problems import problem
from tests.solve.searching import best, offers, searched, worlds
from tests.worlds import Json, intent, offer

LINK: dict[str, Any] = {"workload__resources__gpu__interconnect": "nvlink"}
ANY: dict[str, Any] = {"workload__job__completion_policy": "Any"}


def scaling(tasks: int, most: int) -> dict[str, Any]:
    return {"workload__scaling": {"min_replicas": tasks, "max_replicas": most, "auto_scale": True}}


def settled(one: Problem) -> dict[str, int] | None:
    """Return the tasks on each offer by the closed form, having compared its value with all others."""
    packing = closed_form(one, rules_of(one))
    if packing is None:
        return None
    assert value(one, packing) == best(one)
    assert searched(one).path == "closed form"
    return offers(one, packing)


Case = tuple[str, Json, list[Json], dict[str, int]]
CASES: list[Case] = [
    ("the-cheapest", intent(), [offer("a", 2), offer("b", 1)], {"b": 1}),
    ("to-the-micro-euro", intent(), [offer("a", "1.000001"), offer("b", 1)], {"b": 1}),
    (
        "the-next-cheapest-when-full",
        intent(tasks=3),
        [offer("a", 2, nodes=None), offer("b", 1, nodes=2)],
        {"a": 1, "b": 2},
    ),
    (
        "misses-before-cost",
        intent(tasks=2, gpus=2, **LINK),
        [offer("a", 1, 2, nodes=2, gpu__interconnect="pcie"), offer("b", 9, 2)],
        {"a": 1, "b": 1},
    ),
    ("performance-after-cost", intent(), [offer("a"), offer("b", gpu__fp32_tflops="11")], {"b": 1}),
    ("latency-after-performance", intent(), [offer("a"), offer("b", performance__latency_ms=19)], {"b": 1}),
    (
        "cold-start-is-latency",
        intent(),
        [offer("a"), offer("b", performance__cold_start_time="29s")],
        {"b": 1},
    ),
    ("carbon-after-latency", intent(), [offer("a"), offer("b", energy__carbon_intensity=199)], {"b": 1}),
    (
        "headroom-after-carbon",
        intent(**scaling(1, 3), constraints__max_hourly_cost="3.9 EUR"),
        [offer("a", 2, price__billing="node"), offer("b", 2, 2, price__billing="node", cpu="2")],
        {"b": 1},
    ),
    (
        "least-left-behind-after-carbon",
        intent(),
        [offer("a", 2, 2), offer("b"), offer("c", 4, 4, used={"gpus": 3})],
        {"b": 1},
    ),
    (
        "what-never-runs-out-leaves-nothing",
        intent(),
        [offer("a"), offer("b", 8, 8, nodes=None), offer("c", 8, 8)],
        {"a": 1},
    ),
    (
        "small-ids-last",
        intent(tasks=2),
        [offer("c", nodes=None), offer("a", nodes=None), offer("b", nodes=None)],
        {"a": 2},
    ),
    (
        "speed-before-price",
        intent(objective="Performance_Maximization"),
        [offer("a"), offer("b", 9, gpu__fp32_tflops="11")],
        {"b": 1},
    ),
    (
        "nearness-before-price",
        intent(objective="Latency_Minimization"),
        [offer("a"), offer("b", 9, performance__latency_ms=19)],
        {"b": 1},
    ),
    (
        "cleanness-before-price",
        intent(objective="Energy_Efficiency"),
        [offer("a"), offer("b", 9, gpu__power_w=299)],
        {"b": 1},
    ),
    (
        "the-worst-task-decides-on-latency",
        intent(tasks=3, objective="Latency_Minimization"),
        [
            offer("a", 9, performance__latency_ms=5),
            offer("b", 1, performance__latency_ms=20, nodes=3),
            offer("c", 1, performance__latency_ms=30, nodes=3),
        ],
        {"b": 3},
    ),
    (
        "dear-and-near-where-it-must-be",
        intent(tasks=3, objective="Latency_Minimization"),
        [
            offer("a", 9, nodes=2, performance__latency_ms=5),
            offer("b", 3, performance__latency_ms=20),
            offer("c", 1, performance__latency_ms=30, nodes=3),
        ],
        {"a": 2, "b": 1},
    ),
    (
        "as-far-as-the-farthest-that-is-sure",
        intent(tasks=2),
        [
            offer("a", 1, performance__latency_ms=40),
            offer("b", 2, performance__latency_ms=5),
            offer("c", 2, performance__latency_ms=40, energy__carbon_intensity=100),
        ],
        {"a": 1, "c": 1},
    ),
    ("as-many-as-fit-of-any", intent("j", "batch", 3, **ANY), [offer("a"), offer("b", 9)], {"a": 1, "b": 1}),
    ("a-gang-on-one-node", intent("j", "job", 2), [offer("a", 2), offer("b", 4, 4)], {"b": 2}),
    ("two-groups-of-one-offer", intent(), [offer("a", 2, 2, nodes=2, used={"gpus": 1})], {"a": 1}),
    (
        "balanced-stays-near",
        intent(tasks=2, objective="Balanced_Optimization"),
        [
            offer("a", "1.1", nodes=2, performance__latency_ms=5),
            offer("b", 1, nodes=2, performance__latency_ms=40),
            offer("c", 9, performance__latency_ms=41),
        ],
        {"a": 2},
    ),
    (
        "balanced-goes-far",
        intent(tasks=2, objective="Balanced_Optimization"),
        [
            offer("a", 5, nodes=2, performance__latency_ms=5),
            offer("b", 1, nodes=2, performance__latency_ms=15),
            offer("c", 6, performance__latency_ms=41),
        ],
        {"b": 2},
    ),
]


@pytest.mark.parametrize(
    ("asked", "offered", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_it_settles_each_level_of_the_order(
    asked: Json, offered: list[Json], expected: dict[str, int]
) -> None:
    assert settled(problem(asked, *offered)) == expected


LEFT: list[Case] = [
    (
        "nodes-that-are-paid-once",
        intent(tasks=2),
        [offer("a", 3, 2, price__billing="node"), offer("b", 2, nodes=2)],
        {"a": 2},
    ),
    (
        "a-budget-that-the-best-would-break",
        intent(tasks=2, objective="Performance_Maximization", constraints__max_hourly_cost="4 EUR"),
        [offer("a", 3, nodes=2, gpu__fp32_tflops="40"), offer("b", 1, nodes=2)],
        {"a": 1, "b": 1},
    ),
    ("growth-among-ties", intent(**scaling(2, 5)), [offer("a"), offer("b"), offer("c")], {"a": 1, "b": 1}),
    (
        "one-provider-before-small-ids",
        intent(tasks=2),
        [offer("a"), offer("b", provider="p2", nodes=2)],
        {"b": 2},
    ),
    ("one-node-before-small-ids", intent(tasks=2), [offer("a"), offer("b", 2, 2)], {"b": 2}),
    (
        "least-left-behind-by-several-tasks",
        intent(tasks=2),
        [offer("a", 3, 3), offer("b"), offer("c", 2, 2), offer("d", 4, 4)],
        {"c": 2},
    ),
    ("a-gang-on-several-nodes", intent("j", "job", 2), [offer("a"), offer("b", 9)], {"a": 1, "b": 1}),
]


@pytest.mark.parametrize(
    ("asked", "offered", "expected"), [case[1:] for case in LEFT], ids=[case[0] for case in LEFT]
)
def test_what_it_cannot_settle_it_leaves_to_the_search(
    asked: Json, offered: list[Json], expected: dict[str, int]
) -> None:
    one = problem(asked, *offered)
    assert closed_form(one, rules_of(one)) is None
    found = searched(one)
    assert offers(one, found.packing) == expected
    assert value(one, found.packing) == best(one)


def test_many_thresholds_are_left_to_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = [offer(f"o{k}", 9 - k, performance__latency_ms=5 + k) for k in range(5)]
    one = problem(intent(tasks=2, objective="Balanced_Optimization"), *offered)
    expected = settled(one)
    assert expected is not None
    monkeypatch.setattr(closed, "THRESHOLDS", 1)
    assert closed_form(one, rules_of(one)) is None
    assert offers(one, searched(one).packing) == expected


@pytest.mark.parametrize(("tasks", "nothing"), [(3, False), (4, True)])
def test_too_little_room_is_seen_at_once(tasks: int, nothing: bool) -> None:
    one = problem(intent(tasks=tasks), offer("a", gpus=2), offer("b"))
    assert seats(one.asks[0]).tolist() == [2, 1]
    assert cannot_fit(one.asks[0]) is nothing
    assert searched(one).path == ("capacity" if nothing else "closed form")


def test_any_fits_where_one_task_does() -> None:
    assert not cannot_fit(problem(intent("j", "job", 9, **ANY), offer("a")).asks[0])


def test_seats_of_an_elastic_offer_are_as_many_as_asked() -> None:
    one = problem(intent(tasks=7), offer("a", gpus=4, nodes=None), offer("b", gpus=4, nodes=9))
    assert seats(one.asks[0]).tolist() == [7, 7]


def test_in_random_worlds_it_is_the_optimum_or_says_nothing() -> None:
    said = 0
    for one in worlds(range(1000, 1450), places=3000):
        packing = None if one.several else closed_form(one, rules_of(one))
        if packing is None:
            continue
        said += 1
        assert not broken(one, packing, rules_of(one))
        assert value(one, packing) == best(one)
    assert said >= 60


def test_one_task_among_many_candidates_needs_no_search() -> None:
    one = problem(intent(objective="Balanced_Optimization"), *[offer(f"o{k}", 1 + k % 7) for k in range(300)])
    found = searched(one)
    assert found.path == "closed form"
    assert int(np.flatnonzero(one.asks[0].found.task_ueur == 1_000_000)[0]) == found.packing[0][0].candidate
