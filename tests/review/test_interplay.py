"""Where several features meet: refusals beside other intents, waiting in vain, nodes of many GPUs."""

import json
from typing import Any

import pytest

import flare_core as flare
from tests.worlds import NOW, Json, intent, offer, world


def placements(*intents: Json, offers: list[Json]) -> list[Json]:
    """Place intents together; each plan is checked while it is made."""
    document: list[Json] = world(intents, *offers).document()["placements"]
    return document


def links(gpus: int) -> list[list[object]]:
    """Return links between most GPUs, of which some sets have more than others."""
    pairs = [(a, b) for a in range(gpus) for b in range(a + 1, gpus) if (a * b) % 3 != 1]
    return [[a, b, "nvlink", "50 GB/s"] for a, b in pairs]


@pytest.mark.parametrize(
    ("gpus", "asked", "linked"),
    [
        (64, 2, {"gpu__topology": "mesh"}),
        (100, 2, {"gpu__topology": "ring"}),
        (64, 64, {"gpu__links": [[0, 1, "nvlink", "50 GB/s"]]}),
        (18, 9, {"gpu__links": links(18)}),
        (24, 12, {"gpu__links": links(24)}),
    ],
)
def test_nodes_of_many_linked_gpus_are_placed_on(gpus: int, asked: int, linked: dict[str, Any]) -> None:
    [placed] = placements(intent(gpus=asked), offers=[offer("wide", 8, gpus, **linked)])
    assert placed["status"] == "placed"
    [row] = placed["assignments"]
    assert len(row["gpus"]) == len(set(row["gpus"])) == asked


def test_who_finds_too_little_left_is_told_what_would_fit() -> None:
    offers = [offer("one", 8, 8)]
    first, second = placements(intent("a", gpus=4), intent("b", gpus=8), offers=offers)
    assert first["status"] == "placed"
    assert second["error"]["error_code"] == "INSUFFICIENT_RESOURCES"
    [suggestion] = second["error"]["suggestions"]
    assert suggestion["patch"] == {"workload": {"resources": {"gpu": {"count": 4}}}}
    changed = intent("b", gpus=4)
    assert [p["status"] for p in placements(intent("a", gpus=4), changed, offers=offers)] == ["placed"] * 2


@pytest.mark.parametrize("fallback", ["queue", "lower_tier", "shared", "spot", "fail"])
def test_nobody_waits_or_negotiates_for_a_time_that_is_over(fallback: str) -> None:
    late = intent(kind="job", constraints__deadline="2026-01-01T00:00:00Z")
    late["constraints"]["negotiation"] = {"fallback_strategy": fallback}
    [told] = placements(late, offers=[offer("one", price__spot_hourly="0.10 EUR/hour")])
    assert told["status"] == "rejected"
    assert told["error"]["error_code"] == "INSUFFICIENT_RESOURCES"
    assert "deadline" in told["error"]["message"]


def test_what_place_would_refuse_is_not_suggested() -> None:
    waves = intent(kind="job", tasks=5, workload__resources__memory="64Gi")
    waves["workload"]["type"] = "batch"
    waves["workload"]["job"] = {"parallel_tasks": 5, "timeout": "30m", "completion_policy": "Any"}
    offers = [offer("one", 2, 2, memory="32Gi")]
    [told] = placements(waves, offers=offers)
    assert told["status"] == "rejected"
    for suggestion in told["error"]["suggestions"]:
        changed = {**waves, "workload": {**waves["workload"], **suggestion["patch"]["workload"]}}
        assert placements(changed, offers=offers)[0]["status"] == "placed"


def test_no_constraint_is_blamed_where_there_is_no_room_at_all() -> None:
    used = offer("one", 8, 8, price__billing="node", used={"gpus": 1})
    asked = intent(workload__resources__gpu__model="nvidia-h100")
    [told] = placements(asked, offers=[used])
    assert told["error"]["error_code"] == "INSUFFICIENT_RESOURCES"
    assert told["error"]["conflicts"] == told["error"]["corrections"] == []


def test_a_flag_in_the_way_is_told_as_json_writes_it() -> None:
    asked = intent(workload__resources__gpu__dedicated=True)
    [told] = placements(asked, offers=[offer("one", gpu__dedicated=None)])
    [correction] = told["error"]["corrections"]
    assert [change["asked"] for change in correction["changes"]] == ["true"]
    assert "True" not in json.dumps(told)


def test_the_front_of_a_refused_intent_says_why() -> None:
    inventory = flare.read_inventory({"version": 1, "offers": [offer("one")]})
    asked = intent(workload__resources__gpu__model="nvidia-h100", constraints__negotiation={})
    front = flare.pareto(flare.read_intent(asked), inventory, now=NOW)
    assert not front.points
    assert front.error is not None
    assert front.error.code is flare.ErrorCode.GPU_MODEL_UNAVAILABLE
