"""From a packing to the public rows: GPUs, prices, figures, and what was given up."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flare_core.placement.build import Seat, assignments, placed, runner_up, settled
from flare_core.placement.headroom import most_more
from flare_core.placement.packing import Packing, Problem
from flare_core.placement.types import Headroom, Placement, RunnerUp, Status
from tests.placement.problems import load, problem
from tests.worlds import intent, offer


def seats(one: Problem, packing: Packing) -> list[list[Seat]]:
    again, own = settled(one, packing)
    assert again == tuple(tuple(sorted(loads)) for loads in packing)  # of GPUs that are alike
    return own


def built(one: Problem, packing: Packing, i: int = 0, wishes: dict[int, str] | None = None) -> Placement:
    return placed(one, packing, i, seats(one, packing)[i], slice(0, 1), wishes or {})


def gpus(one: Problem, packing: Packing) -> list[list[tuple[int, ...]]]:
    return [[seat.gpus for seat in own] for own in seats(one, packing)]


def test_gpus_are_the_lowest_free_ones_task_by_task_and_intent_by_intent() -> None:
    one = problem([intent("a", tasks=2), intent("b", gpus=2)], offer("o", gpus=8))
    packing = ((load(one, "o", 2),), (load(one, "o", 1, i=1),))
    assert gpus(one, packing) == [[(0,), (1,)], [(2, 3)]]


def test_gpus_in_use_are_stepped_over() -> None:
    states = [{"node": 0, "free_gpus": [1, 4, 6]}]
    one = problem(intent(tasks=3), offer("o", gpus=8, node_states=states))
    assert gpus(one, ((load(one, "o", 3),),)) == [[(1,), (4,), (6,)]]


def test_every_node_begins_with_its_own_lowest_gpu() -> None:
    one = problem(intent(tasks=3), offer("o", gpus=2, nodes=2))
    packing = ((load(one, "o", 2), load(one, "o", 1, node=1)),)
    assert [(seat.node, seat.gpus) for seat in seats(one, packing)[0]] == [(0, (0,)), (0, (1,)), (1, (0,))]


def test_tasks_are_numbered_by_offer_then_node() -> None:
    one = problem(intent(tasks=3), offer("b"), offer("a", nodes=2))
    packing = ((load(one, "b"), load(one, "a", node=1), load(one, "a", node=0)),)
    assert seats(one, packing)[0] == [Seat(0, 0, 0, (0,), 0), Seat(0, 0, 1, (0,), 0), Seat(0, 1, 0, (0,), 1)]


def test_nodes_have_the_numbers_of_the_inventory() -> None:
    states = [{"node": 0, "free_gpus": []}, {"node": 2, "free_gpus": [1]}]
    one = problem(intent(tasks=2), offer("o", gpus=2, nodes=4, node_states=states))
    packing = ((load(one, "o", 1, node=2), load(one, "o", 1, node=1)),)
    assert [(seat.node, seat.gpus) for seat in seats(one, packing)[0]] == [(1, (0,)), (2, (1,))]


def test_a_task_without_gpus_takes_none() -> None:
    one = problem(intent(gpus=0, tasks=2), offer("o", gpus=2))
    assert gpus(one, ((load(one, "o", 2),),)) == [[(), ()]]


def test_rows_carry_intent_task_price_and_time() -> None:
    one = problem([intent("a", tasks=2), intent("b", "job", 1)], offer("o", 3, 3))
    packing = ((load(one, "o", 2),), (load(one, "o", 1, i=1),))
    rows = assignments(one, seats(one, packing))
    start = int(datetime(2026, 1, 15, 10, tzinfo=UTC).timestamp())
    assert len(rows) == 3
    assert rows.placement.tolist() == [0, 0, 1]
    assert rows.task.tolist() == [0, 1, 0]
    assert rows.hourly_ueur.tolist() == [1_000_000] * 3
    assert rows.start_s.tolist() == [start] * 3
    assert rows.end_s.tolist() == [-1, -1, start + 7200]
    assert rows.gpu_offsets.tolist() == [0, 1, 2, 3]
    assert rows.gpu_indices.tolist() == [0, 1, 2]
    assert rows.efficiency.tolist() == [1.0] * 3


def test_the_price_of_a_whole_node_stands_on_its_first_task() -> None:
    one = problem(intent(tasks=5), offer("o", 6, 3, nodes=2, price__billing="node"))
    packing = ((load(one, "o", 3), load(one, "o", 2, node=1)),)
    rows = assignments(one, seats(one, packing))
    assert rows.hourly_ueur.tolist() == [6_000_000, 0, 0, 6_000_000, 0]
    assert rows.hourly_ueur.sum() == built(one, packing).hourly_ueur


@pytest.mark.parametrize(("spot", "bought", "price"), [("0.4", True, 400_000), ("1.2", False, 1_000_000)])
def test_the_cheaper_of_spot_and_on_demand_is_bought(spot: str, bought: bool, price: int) -> None:
    one = problem(intent(constraints__preemptible=True), offer("o", price__spot_hourly=f"{spot} EUR/hour"))
    rows = assignments(one, seats(one, ((load(one, "o"),),)))
    assert (rows.spot.tolist(), rows.hourly_ueur.tolist()) == ([bought], [price])


def test_nobody_placed_has_no_rows() -> None:
    one = problem([intent("a"), intent("b")], offer("o"))
    rows = assignments(one, seats(one, ((), ())))
    assert len(rows) == 0
    assert rows.gpu_offsets.tolist() == [0]


# --- figures ----------------------------------------------------------------------------------------


def test_figures_of_a_service() -> None:
    one = problem(
        intent(tasks=2),
        offer("a", performance__latency_ms=5, performance__cold_start_time="90s"),
        offer("b", 2, performance__uptime_percent=99.5, zone="z"),
    )
    got = built(one, ((load(one, "a"), load(one, "b")),))
    assert (got.intent, got.status, got.relaxed) == ("web", Status.PLACED, ())
    assert got.hourly_ueur == 3_000_000
    assert got.total_ueur is None
    assert (got.start, got.end) == (datetime(2026, 1, 15, 10, tzinfo=UTC), None)
    assert got.latency_ms == 20.0  # of the network alone, where it is worst
    assert got.carbon_g_per_hour == pytest.approx(2 * 303.8 * 0.25)
    assert got.performance_tflops == 21.0
    assert got.availability_percent == pytest.approx(100 * (1 - 0.001 * 0.005))
    assert got.headroom is None
    assert got.error is None


def test_figures_of_a_job() -> None:
    one = problem(intent("j", "job", 2), offer("a"), offer("b", performance__uptime_percent=99.5))
    got = built(one, ((load(one, "a"), load(one, "b")),))
    assert got.total_ueur == 4_000_000
    assert got.end == datetime(2026, 1, 15, 12, tzinfo=UTC)
    assert got.availability_percent == 99.5  # each task's offer alone


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("latency_ms", "performance__latency_ms"),
        ("carbon_g_per_hour", "energy__carbon_intensity"),
        ("performance_tflops", "gpu__fp32_tflops"),
        ("availability_percent", "performance__uptime_percent"),
    ],
)
def test_what_is_not_known_of_one_offer_is_not_known_of_the_placement(field: str, path: str) -> None:
    unknown: dict[str, Any] = {path: None}
    one = problem(intent(tasks=2), offer("a"), offer("b", **unknown))
    known, partly = built(one, ((load(one, "a"),),)), built(one, ((load(one, "a"), load(one, "b")),))
    assert getattr(known, field) is not None
    assert getattr(partly, field) is None
    others = {"latency_ms", "carbon_g_per_hour", "performance_tflops", "availability_percent"} - {field}
    assert all(getattr(partly, other) is not None for other in others)


def test_headroom_is_reported_where_it_was_asked() -> None:
    scaling = {"min_replicas": 1, "max_replicas": 4, "auto_scale": True}
    one = problem(intent(workload__scaling=scaling), offer("a", 3, 3))
    packing = ((load(one, "a"),),)
    assert built(one, packing).headroom == Headroom(2, 3_000_000)
    assert most_more(one, packing, 0) == (2, 3_000_000)


def test_a_missed_preference_is_listed_once_with_what_was_got() -> None:
    one = problem(
        intent(tasks=3, gpus=2, workload__resources__gpu__interconnect="nvlink"),
        offer("a", gpus=2, gpu__interconnect="pcie"),
        offer("b", gpus=2, gpu__interconnect=None),
        offer("c", gpus=2, gpu__interconnect="nvswitch"),
    )
    path, wishes = "workload.resources.gpu.interconnect", {0: "nvlink"}
    missed = built(one, ((load(one, "a"), load(one, "b"), load(one, "c")),), wishes=wishes)
    assert missed.relaxed == ({"path": path, "asked": "nvlink", "got": "pcie, unknown"},)
    assert built(one, ((load(one, "c"),),), wishes=wishes).relaxed == ()


# --- the runner-up ----------------------------------------------------------------------------------


def test_the_runner_up_is_the_best_of_the_rest() -> None:
    one = problem(intent(), offer("a"), offer("b", 4), offer("c", 2))
    assert runner_up(one.asks[0], (load(one, "a"),)) == RunnerUp(2, False, 1_000_000)
    assert runner_up(one.asks[0], (load(one, "b"),)) == RunnerUp(0, False, -3_000_000)


def test_a_runner_up_keeps_preferences_first_and_counts_all_tasks() -> None:
    one = problem(
        intent(tasks=3, gpus=2, workload__resources__gpu__interconnect="nvlink"),
        offer("a", 2, 2, nodes=3),
        offer("b", 1, 2, nodes=3, gpu__interconnect="pcie"),
        offer("c", 8, 4, nodes=3, price__billing="node"),
    )
    loads = tuple(load(one, "a", node=k) for k in range(3))
    assert runner_up(one.asks[0], loads) == RunnerUp(2, False, 2 * 8_000_000 - 3 * 2_000_000)


def test_without_another_candidate_or_a_placement_there_is_no_runner_up() -> None:
    one = problem(intent(), offer("a"))
    assert runner_up(one.asks[0], (load(one, "a"),)) is None
    assert runner_up(one.asks[0], ()) is None
