"""The one order among packings, field by field: what comes first decides, whatever comes after."""

from typing import Any

import pytest

from flare_core.placement.order import Value, value
from flare_core.placement.packing import Packing, Problem
from tests.placement.problems import load, problem
from tests.worlds import Json, intent, offer


def on(one: Problem, *places: tuple[str, int] | None) -> Packing:
    """Return one task of each intent on (offer, node), nothing where None stands."""
    return tuple(
        () if place is None else (load(one, place[0], node=place[1], i=i),) for i, place in enumerate(places)
    )


def first_difference(a: Value, b: Value) -> str:
    return next(name for name in Value._fields if getattr(a, name) != getattr(b, name))


LINKED: dict[str, Any] = {"gpus": 2, "workload__resources__gpu__interconnect": "nvlink"}
SCALED: dict[str, Any] = {"workload__scaling": {"min_replicas": 1, "max_replicas": 3, "auto_scale": True}}
CASES: list[tuple[str, dict[str, Any], Json, Json]] = [
    ("misses", LINKED, offer("b", 9, 2), offer("a", 1, 2, gpu__interconnect="pcie")),
    ("primary", {}, offer("b", 1), offer("a", 2, gpu__fp32_tflops="40", performance__latency_ms=1)),
    (
        "cost_ueur",
        {"objective": "Latency_Minimization"},
        offer("b", 1),
        offer("a", 2, gpu__fp32_tflops="40", energy__carbon_intensity=1),
    ),
    ("performance", {}, offer("b", gpu__fp32_tflops="11"), offer("a", performance__latency_ms=1)),
    ("latency_us", {}, offer("b", performance__latency_ms=19), offer("a", energy__carbon_intensity=1)),
    ("carbon_ug", {}, offer("b", energy__carbon_intensity=199), offer("a")),
    ("offers", {}, offer("a"), offer("b")),
]


@pytest.mark.parametrize(("field", "asked", "better", "worse"), CASES, ids=[case[0] for case in CASES])
def test_each_field_decides_over_all_that_follow(
    field: str, asked: dict[str, Any], better: Json, worse: Json
) -> None:
    one = problem(intent(**asked), better, worse)
    good, bad = value(one, on(one, (better["id"], 0))), value(one, on(one, (worse["id"], 0)))
    assert good < bad
    assert first_difference(good, bad) == field


def test_most_headroom_before_smallest_ids() -> None:
    """On a node that another intent has begun there is room to grow; its own price would not allow it."""
    small, large = offer("a", 2, price__billing="node"), offer("b", 2, 2, price__billing="node")
    one = problem(intent(**SCALED, constraints__max_hourly_cost="3 EUR"), small, large)
    good, bad = value(one, on(one, ("b", 0))), value(one, on(one, ("a", 0)))
    assert (good.headroom, bad.headroom) == (-1, 0)
    assert good < bad
    assert first_difference(good, bad) == "headroom"


def test_more_weight_placed_before_everything() -> None:
    offers = offer("a", 9), offer("b", 1)
    one = problem([intent("x"), intent("y")], *offers, priorities={"x": 2.0})
    both, heavy, light, none = (
        value(one, on(one, *places))
        for places in ((("a", 0), ("b", 0)), (("a", 0), None), (None, ("b", 0)), (None, None))
    )
    assert both < heavy < light < none
    assert [v.placed for v in (both, heavy, light, none)] == [-3_000_000, -2_000_000, -1_000_000, 0]


def test_more_tasks_of_an_any_before_its_cost() -> None:
    one = problem(intent("j", "job", 2, workload__job__completion_policy="Any"), offer("a", 1, 2, nodes=1))
    assert value(one, ((load(one, "a", 2),),)) < value(one, ((load(one, "a", 1),),))


def test_one_provider_before_two_and_fewer_nodes_before_smaller_ids() -> None:
    one = problem(
        intent(tasks=2), offer("a"), offer("b", provider="p2"), offer("c", 2, 2), offer("d", 1), offer("e", 1)
    )
    together = value(one, ((load(one, "c", 2),),))
    near = value(one, ((load(one, "d"), load(one, "e")),))
    far = value(one, ((load(one, "a"), load(one, "b")),))
    assert together < near < far
    assert first_difference(together, near) == "nodes"
    assert first_difference(near, far) == "providers"


def test_a_node_that_two_intents_share_is_one_node() -> None:
    one = problem([intent("x"), intent("y")], offer("a", 2, 2, nodes=2))
    together, apart = value(one, on(one, ("a", 0), ("a", 0))), value(one, on(one, ("a", 0), ("a", 1)))
    assert (together.nodes, apart.nodes) == (1, 2)
    assert together < apart


def test_smallest_offers_in_task_order_then_smallest_nodes() -> None:
    one = problem(intent(tasks=2), offer("a", nodes=3), offer("b", nodes=3), offer("c", nodes=3))
    a0, a1, a2 = (load(one, "a", node=k) for k in range(3))
    b0, c0 = load(one, "b"), load(one, "c")
    order = [(a0, a1), (a0, a2), (a1, a2), (a0, b0), (a1, b0), (a0, c0), (b0, c0)]
    values = [value(one, (loads,)) for loads in order]
    assert values == sorted(values)
    assert values[0].offers == ((0, 0),)
    assert values[0].node_numbers == ((0, 1),)


def test_the_order_in_which_loads_are_listed_does_not_matter() -> None:
    one = problem(intent(tasks=2), offer("a"), offer("b"))
    a, b = load(one, "a"), load(one, "b")
    assert value(one, ((a, b),)) == value(one, ((b, a),))


def test_of_two_equal_intents_the_first_one_is_placed() -> None:
    one = problem([intent("x"), intent("y")], offer("a"))
    assert value(one, on(one, ("a", 0), None)) < value(one, on(one, None, ("a", 0)))
