"""The primary value: each objective's coefficients, and how scaled terms become whole steps."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.placement.packing import Problem, totals
from flare_core.placement.score import STEPS, score
from flare_core.requirements.types import Objective
from tests.placement.problems import load, problem
from tests.worlds import intent, offer

ALONE = {"cost": 0.0, "performance": 0.0, "latency": 0.0, "carbon": 0.0}


def two(objective: str, kind: str = "service", tasks: int = 1, **changes: Any) -> Problem:
    """Return offers a and b of 2 GPUs, one dear, quick and clean, the other cheap, slow and dirty."""
    return problem(
        intent("web", kind, tasks, objective=objective, **changes),
        offer("a", price=6, gpus=2, performance__latency_ms=5, energy__carbon_intensity=100),
        offer("b", price=2, gpus=2, gpu__fp32_tflops="40", energy__carbon_intensity=400),
    )


def coefficients(one: Problem) -> tuple[list[int], list[int], list[int]]:
    worth = one.asks[0].score
    return worth.task.tolist(), worth.node.tolist(), worth.peak.tolist()


# 300 W + 2.12 W + 4 * 0.42 W, PUE 1.25, in micro-gram an hour and g/kWh.
CARBON = round((300 + 2.12 + 1.68) * 1.25 * 1000)


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("Cost_Minimization", ([3_000_000, 1_000_000], [0, 0], [0, 0])),
        ("Performance_Maximization", ([-10_500, -40_000], [0, 0], [0, 0])),
        ("Latency_Minimization", ([0, 0], [0, 0], [35_000, 50_000])),  # with 30 ms for 30 s of cold start
        ("Energy_Efficiency", ([100 * CARBON, 400 * CARBON], [0, 0], [0, 0])),
    ],
)
def test_pure_objectives_count_in_their_base_unit(
    objective: str, expected: tuple[list[int], list[int], list[int]]
) -> None:
    assert coefficients(two(objective)) == expected


@pytest.mark.parametrize(
    ("objective", "value", "public"),
    [
        ("Cost_Minimization", 3_000_001, 3.000001),
        ("Performance_Maximization", -10_500, 10.5),
        ("Latency_Minimization", 35_250, 35.25),
        ("Energy_Efficiency", 123_000_000, 123.0),
        ("Balanced_Optimization", STEPS // 2, 0.5),
    ],
)
def test_the_public_figure_has_the_unit_of_its_objective(objective: str, value: int, public: float) -> None:
    assert two(objective).asks[0].score.public(value) == public


def test_no_figure_is_minus_zero() -> None:
    assert str(two("Performance_Maximization").asks[0].score.public(0)) == "0.0"


def test_jobs_cost_in_total_rounded_up_once_a_task() -> None:
    one = two("Cost_Minimization", "job", 2, workload__job__timeout="7m")
    assert coefficients(one)[0] == [350_000, 116_667]


def test_a_node_billed_whole_is_paid_by_the_node_where_it_holds_several_tasks() -> None:
    changes: dict[str, Any] = {"gpus": 2, "price__billing": "node"}
    alone = problem(intent(), offer("a", price=6, **changes))
    shared = problem(intent(tasks=2), offer("a", price=6, **changes))
    single = problem(intent(tasks=2, gpus=2), offer("a", price=6, nodes=2, **changes))
    assert coefficients(alone) == ([6_000_000], [0], [0])
    assert coefficients(shared) == ([0], [6_000_000], [0])
    assert coefficients(single) == ([6_000_000], [0], [0])


# --- scaled terms -----------------------------------------------------------------------------------


@pytest.mark.parametrize("term", ["cost", "performance", "latency", "carbon"])
def test_a_scaled_term_runs_from_0_at_its_best_to_1_at_its_worst(term: str) -> None:
    one = two("Balanced_Optimization")
    ask = one.asks[0]
    worth = score(ask.needs, ask.found, {**ALONE, term: 1}, scaled=False)
    values = sorted((worth.task + worth.node + worth.peak).tolist())
    assert values == [0, STEPS]


def test_weights_count_by_their_ratios() -> None:
    ask = two("Balanced_Optimization", tasks=2).asks[0]
    some = score(ask.needs, ask.found, {**ALONE, "cost": 3, "carbon": 1}, scaled=False)
    same = score(ask.needs, ask.found, {**ALONE, "cost": 0.75, "carbon": 0.25}, scaled=False)
    assert some.task.tolist() == same.task.tolist() == [round(STEPS * 0.75 / 2), round(STEPS * 0.25 / 2)]


def test_all_tasks_together_make_up_the_whole_range() -> None:
    """A sum is scaled by the tasks; latency, that of the worst task, is not."""
    one = two("Balanced_Optimization", tasks=2)
    ask = one.asks[0]
    for term in ("cost", "performance", "latency", "carbon"):
        worth = score(ask.needs, ask.found, {**ALONE, term: 1}, scaled=False)
        of_all = 2 * worth.task + worth.node + worth.peak
        assert sorted((of_all + worth.offset).tolist()) == [0, STEPS]


def test_default_weights_are_those_of_the_reference() -> None:
    task, _, peak = coefficients(two("Balanced_Optimization"))
    # a has the worst cost and performance, b the worst carbon and, beside it, latency
    assert [round(v / STEPS, 9) for v in task] == [0.4 + 0.3, 0.1]
    assert [round(v / STEPS, 9) for v in peak] == [0.0, 0.2]


def test_several_intents_share_one_scale() -> None:
    one = problem(
        [intent("a"), intent("b", objective="Latency_Minimization")], offer("x"), offer("y", price=2)
    )
    a, b = (ask.score for ask in one.asks)
    assert a.task.tolist() == [0, STEPS]
    assert b.peak.tolist() == [0, 0]
    assert a.unit == b.unit == 1 / STEPS


def test_without_candidates_there_is_nothing_to_scale() -> None:
    one = problem(intent(objective="Balanced_Optimization", constraints__location="JP"), offer("a"))
    assert coefficients(one) == ([], [], [])


@given(st.lists(st.integers(0, 2**53), min_size=1, max_size=6))
def test_a_scaled_term_keeps_the_order_of_its_figures_within_0_and_1(prices: list[int]) -> None:
    one = problem(intent(objective="Balanced_Optimization"), *[offer(f"o{k}") for k in range(len(prices))])
    ask = one.asks[0]
    found = replace(ask.found, task_ueur=np.array(prices, np.int64))
    steps = score(ask.needs, found, {**ALONE, "cost": 1}, scaled=False).task.tolist()
    assert min(steps) == 0
    assert max(steps) == (STEPS if len(set(prices)) > 1 else 0)
    ranked = [step for _, step in sorted(zip(prices, steps, strict=True))]
    assert ranked == sorted(ranked)


def test_a_term_that_is_the_same_everywhere_counts_nothing() -> None:
    one = problem(intent(tasks=2, objective="Balanced_Optimization"), offer("a"), offer("b"))
    assert coefficients(one) == ([0, 0], [0, 0], [0, 0])


def placed_on(one: Problem, name: str, tasks: int, each: int) -> float:
    """Return the scaled value of all tasks of the first intent on one offer, `each` to a node."""
    sizes = [each] * (tasks // each) + [tasks % each] * bool(tasks % each)
    loads = tuple(load(one, name, size)._replace(node=k) for k, size in enumerate(sizes))
    ask = one.asks[0]
    return round(totals(ask, loads).primary / STEPS, 6) + 0.0


@pytest.mark.parametrize("tasks", [1, 2, 3, 5])
@pytest.mark.parametrize("objective", list(Objective))
@pytest.mark.parametrize("billing", ["gpu", "node"])
def test_the_ends_of_the_scale_are_placements(tasks: int, objective: Objective, billing: str) -> None:
    """With one term: full nodes of the best offer are 0, a node for each task on the worst is 1."""
    changes: dict[str, Any] = {"nodes": None, "price__billing": billing}
    one = problem(
        [intent("a", tasks=tasks, objective=objective.value), intent("b")],
        offer("a", price=60, gpus=2, performance__latency_ms=5, energy__carbon_intensity=100, **changes),
        offer("b", price=2, gpus=4, gpu__fp32_tflops="40", energy__carbon_intensity=400, **changes),
        weights={"cost": 1},
    )
    values = [placed_on(one, "a", tasks, 2), placed_on(one, "b", tasks, 4)]
    apart = [placed_on(one, "a", tasks, 1), placed_on(one, "b", tasks, 1)]
    assert min(values) == 0.0
    assert max(apart) == 1.0
    assert all(0 <= worth <= 1 for worth in values + apart)
