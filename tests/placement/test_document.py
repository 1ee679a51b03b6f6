"""The public document of a plan: its exact shape, and the use cases of the reference word by word.

The expected documents lie in ``tests/golden``. After a change that is meant, write them anew with::

    FLARE_GOLDEN=write pytest tests/placement/test_document.py

and read what the version control shows as changed.
"""

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import flare_core as flare
from flare_core.inventory.demo import demo_inventory
from tests.worlds import Json, answer, intent, offer, world

GOLDEN = Path(__file__).parent.parent / "golden"
EXAMPLES = sorted(Path(str(files("flare_core") / "examples")).glob("0*.json"))
NOW = "2024-11-01T00:00:00Z"

PLAN = ["status", "objective", "bound", "gap", "wall_time_s", "warnings", "placements"]
PLACEMENT = [
    "intent", "status", "relaxed", "hourly_cost", "total_cost", "start_time", "end_time", "latency_ms",
    "carbon_g_per_hour", "performance_tflops", "availability_percent", "headroom", "assignments", "offer",
    "error",
]  # fmt: skip
ASSIGNMENT = [
    "task", "offer", "node", "provider", "region", "zone", "gpu_model", "gpus", "mig_profile", "gpu_milli",
    "spot", "efficiency", "hourly_cost", "start_time", "end_time",
]  # fmt: skip


def only(document: Json) -> Json:
    [placement] = document["placements"]
    assert isinstance(placement, dict)
    return placement


def test_the_document_of_a_placed_service_to_the_letter() -> None:
    scaling = {"min_replicas": 2, "max_replicas": 5, "auto_scale": True}
    plan = world(
        intent("deepseek", gpus=2, workload__scaling=scaling, constraints__max_hourly_cost="42.50 EUR"),
        offer("p1", 34, 8, 4, zone="eu-west-1a", performance__latency_ms=18),
    ).place()
    document = plan.to_dict()
    assert list(document) == PLAN
    assert 0 <= document.pop("wall_time_s") < 60
    row = {
        "offer": "p1",
        "node": 0,
        "provider": "p1",
        "region": "r1",
        "zone": "eu-west-1a",
        "gpu_model": "nvidia-x1",
        "mig_profile": None,
        "gpu_milli": None,
        "spot": False,
        "efficiency": 0.994687,  # of two GPUs of 10.5 TFLOPS with the least of NVLinks
        "hourly_cost": "8.50 EUR/hour",
        "start_time": "2026-01-15T10:00:00Z",
        "end_time": None,
    }
    assert document == {
        "status": "optimal",
        "objective": 17.0,
        "bound": 17.0,
        "gap": 0.0,
        "warnings": ["1 of 1 candidates have GPUs without a tensor rating: their FP32 rating counts"],
        "placements": [
            {
                "intent": "deepseek",
                "status": "placed",
                "relaxed": [],
                "hourly_cost": "17.00 EUR/hour",
                "total_cost": None,
                "start_time": "2026-01-15T10:00:00Z",
                "end_time": None,
                "latency_ms": 18.0,
                "carbon_g_per_hour": 2 * (2 * 300 + 3.8) * 0.25,
                "performance_tflops": 2 * 20.888,
                "availability_percent": 99.9,
                "headroom": {"replicas": 3, "hourly_cost": "42.50 EUR/hour"},
                "assignments": [{"task": 0, "gpus": [0, 1], **row}, {"task": 1, "gpus": [2, 3], **row}],
                "offer": None,
                "error": None,
            }
        ],
    }


def test_the_document_of_a_job_has_its_end_and_total() -> None:
    placement = only(world(intent("j", "job", 2), offer("a", "0.333333", nodes=2)).document())
    assert placement["hourly_cost"] == "0.666666 EUR/hour"
    assert placement["total_cost"] == "1.333332 EUR"
    assert placement["end_time"] == "2026-01-15T12:00:00Z"
    assert {row["end_time"] for row in placement["assignments"]} == {"2026-01-15T12:00:00Z"}


def test_the_document_of_a_rejection() -> None:
    document = world(intent(constraints__location="JP"), offer("a")).document()
    assert (document["status"], document["objective"], document["bound"], document["gap"]) == (
        "infeasible",
        None,
        None,
        None,
    )
    placement = only(document)
    error = placement.pop("error")
    assert list(error) == ["status", "error_code", "message", "suggestions", "conflicts", "corrections"]
    assert (error["status"], error["error_code"]) == ("error", "REGION_UNAVAILABLE")
    assert placement == {
        **dict.fromkeys(PLACEMENT[:-1]),
        "intent": "web",
        "status": "rejected",
        "relaxed": [],
        "assignments": [],
    }


def test_a_task_without_gpus_has_no_model() -> None:
    [row] = only(world(intent(gpus=0), offer("a")).document())["assignments"]
    assert (row["gpu_model"], row["gpus"]) == (None, [])


def test_the_document_is_plain_json() -> None:
    document = world([intent("a"), intent("b", constraints__location="JP")], offer("a", 2, 2)).document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["objective"] == {"placed": 1.0, "scaled": 0.0}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_use_cases_give_the_same_plan_word_by_word(path: Path) -> None:
    inventory = demo_inventory()
    asked = flare.read_intent(path)
    plan = flare.place(asked, inventory, now=NOW)
    assert flare.verify(plan, [asked], inventory) == ()
    document = answer(plan)
    expected = GOLDEN / path.name
    if os.environ.get("FLARE_GOLDEN") == "write":
        expected.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    assert document == json.loads(expected.read_text(encoding="utf-8"))
    _has_the_shape(document)


def test_no_golden_document_is_left_over() -> None:
    assert {path.name for path in GOLDEN.glob("*.json")} == {path.name for path in EXAMPLES}


def _has_the_shape(document: dict[str, Any]) -> None:
    assert list(document) == [key for key in PLAN if key != "wall_time_s"]
    for placement in document["placements"]:
        assert list(placement) == PLACEMENT
        for row in placement["assignments"]:
            assert list(row) == ASSIGNMENT
