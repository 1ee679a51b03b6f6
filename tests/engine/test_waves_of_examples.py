"""The batches of the API reference's examples 2 and 4: enough GPUs, too few of them, and too little time."""

from copy import deepcopy
from typing import Any

import pytest

import flare_core as flare

Json = dict[str, Any]

VIDEO: Json = {
    "objective": "Cost_Minimization",
    "workload": {
        "type": "batch",
        "name": "video-processing",
        "image": "acme/transcode:1",
        "resources": {
            "cpu": "4",
            "memory": "16Gi",
            "gpu": {"model": "nvidia-rtx-4090", "count": 1, "tier": "gaming", "shared": True},
        },
        "job": {"parallel_tasks": 20, "max_retries": 2, "timeout": "6h"},
    },
    "constraints": {"max_total_cost": "200 EUR", "deadline": "2024-12-15T00:00:00Z", "preemptible": True},
}
SPARK: Json = {
    "objective": "Cost_Minimization",
    "workload": {
        "type": "batch",
        "name": "spark-etl",
        "image": "acme/spark:1",
        "resources": {
            "cpu": "8",
            "memory": "64Gi",
            "gpu": {"model": "any", "count": 1, "shared": True, "tier": "standard"},
        },
        "job": {"parallel_tasks": 10, "max_retries": 3, "timeout": "4h"},
    },
    "constraints": {"max_total_cost": "100 EUR", "deadline": "2024-12-20T08:00:00Z", "preemptible": True},
}


def planned(document: Json, model: str, nodes: int, now: str) -> Json:
    offer = {
        "id": "o",
        "provider": "p",
        "region": "eu-1",
        "nodes": nodes,
        "price": {"hourly": "2.00 EUR/hour", "spot_hourly": "1.00 EUR/hour", "billing": "gpu"},
        "cpu": "64",
        "memory": "512Gi",
        "gpu": {"model": model, "count": 4, "tier": document["workload"]["resources"]["gpu"]["tier"]},
        "performance": {"latency_ms": 10},
    }
    inventory = flare.read_inventory({"version": 1, "offers": [offer]})
    plan = flare.place(flare.read_intent(deepcopy(document)), inventory, now=now).to_dict()
    found: Json = plan["placements"][0] | {"plan": plan["status"]}
    return found


@pytest.mark.parametrize(
    ("document", "model", "nodes", "now", "waves", "end"),
    [
        (VIDEO, "nvidia-rtx-4090", 5, "2024-12-14T00:00:00Z", 1, "2024-12-14T06:00:00Z"),
        (VIDEO, "nvidia-rtx-4090", 2, "2024-12-14T00:00:00Z", 3, "2024-12-14T18:00:00Z"),
        (SPARK, "nvidia-a10", 3, "2024-12-20T00:00:00Z", 1, "2024-12-20T04:00:00Z"),
        (SPARK, "nvidia-a10", 2, "2024-12-20T00:00:00Z", 2, "2024-12-20T08:00:00Z"),
    ],
)
def test_enough_gpus_run_all_tasks_at_once_and_fewer_in_waves(
    document: Json, model: str, nodes: int, now: str, waves: int, end: str
) -> None:
    found = planned(document, model, nodes, now)
    rows = found["assignments"]
    assert (found["plan"], found["status"], len(rows)) == (
        "optimal",
        "placed",
        document["workload"]["job"]["parallel_tasks"],
    )
    assert (len({row["start_time"] for row in rows}), found["end_time"]) == (waves, end)
    assert {row["spot"] for row in rows} == {True}
    hours, each = int(document["workload"]["job"]["timeout"][:-1]), 0.25
    assert float(found["total_cost"].split()[0]) == len(rows) * hours * each


@pytest.mark.parametrize(
    ("document", "model", "now", "enough"),
    [
        (VIDEO, "nvidia-rtx-4090", "2024-12-14T07:00:00Z", "2024-12-15T01:00:00Z"),
        (SPARK, "nvidia-a10", "2024-12-20T00:00:01Z", "2024-12-20T08:00:01Z"),
    ],
)
def test_a_deadline_before_the_last_wave_is_told_with_the_one_that_would_do(
    document: Json, model: str, now: str, enough: str
) -> None:
    error = planned(document, model, 2, now)["error"]
    assert error["error_code"] == "INSUFFICIENT_RESOURCES"
    assert "constraints.deadline" in {path for group in error["conflicts"] for path in group}
    needed = [change["needed"] for one in error["corrections"] for change in one["changes"]]
    assert enough in needed
