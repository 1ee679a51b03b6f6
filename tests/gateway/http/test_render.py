"""From books to bodies: what stands in which field, for worlds that no simulated backend makes."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flare_core.adapters.gateway.http.available import available
from flare_core.adapters.gateway.http.render import detail_of, estimates_of, submitted
from flare_core.adapters.gateway.life import Cost, Record, State
from flare_core.adapters.gateway.remaining import remaining
from flare_core.adapters.gateway.rooms import Held
from flare_core.quantities import format_rate
from tests.gateway.worlds import HOUR, NOW, federation, offer, seat


def assignment(task: int, offer_id: str, hourly: str, gpus: int = 2, **more: Any) -> dict[str, Any]:
    return {
        "task": task,
        "offer": offer_id,
        "node": 0,
        "provider": f"{offer_id}'s",
        "region": f"{offer_id}-region",
        "zone": None,
        "gpu_model": "nvidia-h100" if gpus else None,
        "gpus": list(range(gpus)),
        "mig_profile": None,
        "gpu_milli": None,
        "spot": False,
        "efficiency": 1.0,
        "hourly_cost": f"{hourly} EUR/hour",
        "start_time": "2026-01-15T10:35:00Z",
        "end_time": None,
    } | more


def placement(*assignments: dict[str, Any]) -> dict[str, Any]:
    return {
        "hourly_cost": "8.50 EUR/hour",
        "total_cost": None,
        "start_time": "2026-01-15T10:35:00Z",
        "relaxed": [],
        "assignments": list(assignments),
    }


DOCUMENT = json.dumps({"intent": {"workload": {"type": "service"}}})
RECORD = Record("intent-1", "ada", "name", DOCUMENT, "", State.PENDING, 1, 2, NOW, NOW)
RUNNING = replace(
    RECORD,
    state=State.RUNNING,
    hourly_ueur=8_500_000,
    placement=placement(assignment(0, "a", "8.50")),
    started=NOW,
    settled=NOW,
)


def test_several_offers_are_told_by_the_most_expensive_assignment() -> None:
    record = replace(
        RECORD,
        placement=placement(
            assignment(0, "a", "4.00", 8), assignment(1, "b", "10.00", 4), assignment(2, "b", "10.00", 2)
        ),
    )
    told = estimates_of(record)
    assert told.selected_provider == "b's"
    assert told.gpu_allocation is not None
    assert (told.gpu_allocation.count, told.gpu_allocation.location) == (4, "b-region")
    assert len(told.assignments) == 3


def test_one_offer_is_told_with_all_its_gpus() -> None:
    """On a node that is billed whole the price stands on the first task alone."""
    record = replace(
        RECORD, placement=placement(assignment(0, "a", "4.00", 8), assignment(1, "a", "0.00", 8))
    )
    told = estimates_of(record).gpu_allocation
    assert told is not None
    assert told.count == 16


def test_what_is_not_placed_has_no_estimates() -> None:
    told = submitted(RECORD, None)
    assert (told.estimated_cost, told.data.selected_provider, told.data.assignments) == (None, None, ())
    assert told.message == "Intent received and processing"


def test_the_example_of_the_reference() -> None:
    """Two hours and a quarter at 8.50 EUR."""
    report = {
        "url": "https://deepseek-api.mycompany.com",
        "gpu_utilization_percent": 85.0,
        "performance": {"latency_p50": "45ms", "latency_p99": "120ms", "throughput": "150 req/s"},
    }
    told = detail_of(replace(RUNNING, status_report=report), None, (), NOW + 2.25 * HOUR)
    assert told.runtime == told.workload.runtime == "2h 15m"
    assert told.current_cost == told.costs.total_cost == "19.125 EUR"
    assert told.costs.hourly_rate == format_rate(8_500_000)
    assert told.gpu_utilization == "85%"
    assert told.resources.gpu is not None
    assert told.resources.gpu.utilization == "85%"
    assert told.workload_url == told.workload.url == "https://deepseek-api.mycompany.com"
    assert told.performance.latency_p99 == "120ms"
    assert told.message == "Workload running successfully"


def test_what_the_backend_does_not_say_is_null() -> None:
    told = detail_of(RUNNING, None, (), NOW)
    assert (told.workload_url, told.gpu_utilization, told.performance.latency_p50) == (None, None, None)


def test_time_and_cost_stand_still_after_the_end() -> None:
    ended = replace(
        RUNNING, state=State.COMPLETED, ended=NOW + HOUR, settled=None, cost=Cost(8_500_000), hourly_ueur=None
    )
    told = detail_of(ended, None, (), NOW + 100 * HOUR)
    assert (told.runtime, told.current_cost, told.status) == ("1h", "8.50 EUR", "completed")


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"state": State.QUEUED}, "pending", "Waiting for capacity"),
        ({"state": State.RESERVED}, "pending", "Placed, waiting to start"),
        ({"state": State.CANCELLED}, "cancelled", "Cancelled by its user"),
        ({"state": State.FAILED, "error": {"message": "No GPU"}}, "failed", "No GPU"),
        ({"state": State.RUNNING, "message": "pulling the image"}, "running", "pulling the image"),
    ],
)
def test_messages(change: dict[str, Any], status: str, message: str) -> None:
    told = detail_of(replace(RECORD, **change), None, (), NOW)
    assert (told.status, told.message) == (status, message)


def test_runtimes_are_whole_seconds() -> None:
    assert detail_of(RUNNING, None, (), NOW + timedelta(seconds=61.9)).runtime == "1m 1s"


# --- what is free ---------------------------------------------------------------------------------------


def test_equal_offers_are_counted_together_and_prices_apart() -> None:
    found = available(
        federation(
            offer("a", gpus=8, nodes=2),
            offer("b", gpus=8, nodes=1),
            offer("c", gpus=8, nodes=1, price={"hourly": "16.00 EUR/hour", "billing": "gpu"}),
        )
    )
    assert [(each.count, each.cost_per_hour, each.offers) for each in found] == [
        (24, "1.00 EUR", ("a", "b")),
        (8, "2.00 EUR", ("c",)),
    ]


def test_a_node_billed_whole_is_free_whole_or_not_at_all() -> None:
    fleet = federation(offer("a", gpus=8, nodes=2, billing="node"))
    used = remaining(fleet, [Held("intent-1", seat("a", 0, 0))])
    assert [each.count for each in available(used)] == [8]


def test_gpus_that_are_booked_are_not_free() -> None:
    fleet = federation(offer("a", gpus=8, nodes=2))
    used = remaining(fleet, [Held("intent-1", seat("a", 0, 0, 1, 2))])
    assert [each.count for each in available(used)] == [13]


def test_what_is_all_booked_is_not_told() -> None:
    fleet = federation(offer("a", gpus=2, nodes=1))
    assert available(remaining(fleet, [Held("intent-1", seat("a", 0, 0, 1))])) == ()


def test_what_never_runs_out_has_no_count() -> None:
    (told,) = available(federation(offer("a", nodes=None, billing="node")))
    assert told.count is None


def test_a_price_of_a_gpu_is_rounded_up() -> None:
    (told,) = available(federation(offer("a", gpus=3, price={"hourly": "1.00 EUR/hour", "billing": "gpu"})))
    assert told.cost_per_hour == "0.333334 EUR"


def test_offers_without_gpus_are_none() -> None:
    assert available(federation(offer("a", gpu=None))) == ()
