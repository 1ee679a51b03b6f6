"""Each placement error code at its edge: what just fits is placed, what just does not has the code."""

from typing import Any

import pytest

import flare_core as flare
from flare_core.placement.types import Status
from flare_core.requirements.types import Topic
from tests.worlds import Json, intent, offer, world

GPU = "workload__resources__gpu__"
PLACEMENT_CODES = {topic.code for topic in Topic}

EDGES: list[tuple[str, str, Json, Json]] = [
    ("GPU_MODEL_UNAVAILABLE", "intent", {f"{GPU}model": "nvidia-x1"}, {f"{GPU}model": "nvidia-x2"}),
    ("GPU_MEMORY_INSUFFICIENT", "intent", {f"{GPU}memory": "40Gi"}, {f"{GPU}memory": "40961Mi"}),
    ("GPU_COUNT_INSUFFICIENT", "intent", {f"{GPU}count": 4}, {f"{GPU}count": 5}),
    ("GPU_COUNT_INSUFFICIENT", "offer", {"used": {"gpus": 2}}, {"used": {"gpus": 3}}),
    (
        "COST_LIMIT_EXCEEDED",
        "intent",
        {"constraints__max_hourly_cost": "1 EUR"},
        {"constraints__max_hourly_cost": "0.999999 EUR"},
    ),
    (
        "COST_LIMIT_EXCEEDED",
        "intent",
        {
            "constraints__max_total_cost": "2.000000 EUR",
            "constraints__deadline": "2026-01-15T12:00:00Z",
        },
        {
            "constraints__max_total_cost": "1.999999 EUR",
            "constraints__deadline": "2026-01-15T12:00:00Z",
        },
    ),
    ("REGION_UNAVAILABLE", "intent", {"constraints__location": "DE"}, {"constraints__location": "FR"}),
    (
        "REGION_UNAVAILABLE",
        "intent",
        {"constraints__compliance__data_residency": ["EU"]},
        {"constraints__compliance__data_residency": ["CH"]},
    ),
    (
        "REGION_UNAVAILABLE",
        "offer",
        {"zone": "z1"},
        {"zone": None},
    ),
    ("INSUFFICIENT_RESOURCES", "offer", {"nodes": 1}, {"nodes": 0}),
    ("INSUFFICIENT_RESOURCES", "offer", {"performance__latency_ms": 100}, {"performance__latency_ms": 100.5}),
    ("INSUFFICIENT_RESOURCES", "offer", {"cpu": "2"}, {"cpu": "1999m"}),
]


def placed(which: str, changes: Json) -> Any:
    asked: Json = {f"{GPU}count": 2, "workload__resources__cpu": "2"}
    there: Json = {"gpus": 4, "price": 2}
    if "zone" in changes:
        asked["constraints__availability_zone"] = "z1"
    (asked if which == "intent" else there).update(changes)
    [placement] = world(intent(**asked), offer("a", **there)).place().placements
    return placement


@pytest.mark.parametrize(
    ("code", "which", "fits", "not_quite"), EDGES, ids=[f"{e[0]}-{next(iter(e[3]))}" for e in EDGES]
)
def test_what_just_fits_is_placed_and_what_just_does_not_has_the_code(
    code: str, which: str, fits: Json, not_quite: Json
) -> None:
    assert placed(which, fits).status is Status.PLACED
    refused = placed(which, not_quite)
    assert refused.status is Status.REJECTED
    assert refused.error.code is flare.ErrorCode(code)


def test_every_placement_code_has_its_edge() -> None:
    assert {flare.ErrorCode(code) for code, *_ in EDGES} == PLACEMENT_CODES
