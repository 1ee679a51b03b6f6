"""What the page is told is what the library finds."""

import json
from typing import Any

import pytest

import flare_core as flare
from flare_core.adapters.explorer.answers import World, answer
from flare_core.adapters.explorer.pages import about
from flare_core.adapters.explorer.question import Question, Weights, read_question
from flare_core.intent.json import Json
from flare_core.intent.patch import merged
from flare_core.options import Options
from tests.explorer.browser import NOW

EXAMPLES = about(gateway=False)["examples"]
FIRST: dict[str, Any] = EXAMPLES[0]["intent"]["intent"]

examples = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["title"])


def asked(world: World, intent: object, ask: str, **more: Any) -> dict[str, Any]:
    text = intent if isinstance(intent, str) else json.dumps(intent)
    return answer(Question(intent=text, ask=ask, **more), world, NOW)  # type: ignore[arg-type]  # one of its words


def changed(patch: dict[str, Json]) -> Json:
    return merged(FIRST, patch)


@examples
@pytest.mark.parametrize("ask", ["quick", "plan"])
def test_the_placement_is_the_librarys(world: World, example: dict[str, Any], ask: str) -> None:
    told = asked(world, example["intent"], ask, now=example["now"])
    plan = flare.place(
        flare.read_intent(example["intent"]), world.inventory, now=example["now"] or NOW, options=Options()
    )
    [placement] = plan.to_dict()["placements"]
    assert placement["status"] == "placed"
    assert told["placement"]["assignments"] == placement["assignments"]
    assert told["tasks"] == len(placement["assignments"])
    assert (told["placement"]["headroom"] is None) == (ask == "quick" or placement["headroom"] is None)
    funnel = told["funnel"]
    assert funnel["fit"] == funnel["offers"] - sum(step["first"] for step in funnel["steps"])
    assert sum(place["fit"] for place in told["places"]) == funnel["fit"]
    assert sum(place["offers"] for place in told["places"]) == len(world.inventory)


@examples
def test_each_chosen_gpu_is_shown_on_its_node(world: World, example: dict[str, Any]) -> None:
    told = asked(world, example["intent"], "plan", now=example["now"])
    shown = {
        (node["offer"], node["node"], each["gpu"], task)
        for node in told["nodes"]
        for each in node["chosen"]
        for task in each["tasks"]
    }
    rows = told["placement"]["assignments"]
    assert shown == {(r["offer"], r["node"], gpu, r["task"]) for r in rows for gpu in r["gpus"]}
    for node in told["nodes"]:
        assert {each["gpu"] for each in node["chosen"]} <= set(range(node["gpus"]))
        assert node["parts"] or {each["gpu"] for each in node["chosen"]} <= set(node["free"])


def test_new_mig_instances_lie_beside_those_in_use() -> None:
    offer = {
        "id": "a", "provider": "p", "region": "r", "nodes": 1, "cpu": "64", "memory": "512Gi",
        "price": {"hourly": "8 EUR/hour", "billing": "gpu"},
        "gpu": {"model": "nvidia-h100", "count": 1, "memory": "80Gi", "shared": True,
                "sharing_strategy": "mig"},
        "node_states": [{"node": 0, "free_gpus": [], "mig": [{"gpu": 0, "profile": "3g.40gb", "start": 4}]}],
    }  # fmt: skip
    world = World.of(flare.read_inventory({"version": 1, "offers": [offer]}), Options())
    intent = {
        "objective": "Cost_Minimization",
        "workload": {
            "type": "service", "name": "small", "image": "x", "scaling": {"min_replicas": 2},
            "resources": {"gpu": {"count": 1, "memory": "10Gi", "multi_instance": True}},
        },
    }  # fmt: skip
    told = asked(world, intent, "plan")
    [node] = told["nodes"]
    [gpu] = node["parts"]["gpus"]
    assert (node["parts"]["what"], node["parts"]["slices"]) == ("mig", 8)
    assert sorted((each["label"], each["own"]) for each in gpu["taken"]) == [
        ("1g.10gb", True), ("1g.10gb", True), ("3g.40gb", False),
    ]  # fmt: skip
    slices = [each["start"] + k for each in gpu["taken"] for k in range(each["size"])]
    assert len(slices) == len(set(slices))
    assert set(slices) <= set(range(8))


def test_a_shared_gpu_shows_its_slots(world: World) -> None:
    told = asked(world, EXAMPLES[3]["intent"], "plan", now=EXAMPLES[3]["now"])
    [node] = told["nodes"]
    assert node["parts"]["what"] == "slots"
    for gpu in node["parts"]["gpus"]:
        slices = [each["start"] + k for each in gpu["taken"] for k in range(each["size"])]
        assert slices == list(range(len(slices)))
        assert len(slices) <= node["parts"]["slices"]


def test_a_refusal_is_told_at_once_and_explained_after() -> None:
    world = World.of(flare.read_inventory({"version": 1, "offers": [_OFFER]}), Options())
    intent = changed({"constraints": {"max_hourly_cost": "1 EUR"}})
    quick, told = asked(world, intent, "quick"), asked(world, intent, "plan")
    assert quick["refused"]
    assert quick["funnel"] == told["funnel"]
    error = told["placement"]["error"]
    assert error["error_code"] == "COST_LIMIT_EXCEEDED"
    assert any("constraints.max_hourly_cost" in conflict for conflict in error["conflicts"])
    assert all("placement" not in one for one in error["suggestions"])
    repaired = merged(intent, error["suggestions"][0]["patch"])
    assert asked(world, repaired, "quick")["placement"]["status"] == "placed"


_OFFER = {
    "id": "a", "provider": "p", "region": "r", "country": "DE", "nodes": 4, "cpu": "96", "memory": "1Ti",
    "storage": "10Ti", "persistent_storage": True, "price": {"hourly": "20 EUR/hour"},
    "gpu": {"model": "nvidia-h100", "count": 8, "memory": "80Gi", "tier": "premium"},
    "performance": {"latency_ms": 10, "uptime_percent": 99.99, "cold_start_time": "30s"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("intent", "paths"),
    [
        ('{"intent": ', [""]),
        ("[]", [""]),
        ({"objective": "x", "workload": {"type": "service"}},
         ["objective", "workload.name", "workload.image", "workload.resources"]),
        (changed({"constraints": {"location": 3}}), ["constraints.location"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_path(world: World, intent: object, paths: list[str]) -> None:
    told = asked(world, intent, "quick")
    assert [error["path"] for error in told["errors"]] == paths
    assert "plan" not in told


def test_a_wrong_moment_is_told_as_well(world: World) -> None:
    assert [error["path"] for error in asked(world, FIRST, "plan", now="soon")["errors"]] == ["now"]


def test_weights_move_a_balance(world: World) -> None:
    intent = changed({"objective": "Balanced_Optimization"})
    by = {
        term: asked(world, intent, "plan", weights=Weights(**{term: 1}))["placement"]
        for term in ("cost", "carbon", "performance")
    }
    least_carbon = min(made["carbon_g_per_hour"] for made in by.values())
    assert by["carbon"]["carbon_g_per_hour"] == least_carbon
    assert by["performance"]["performance_tflops"] == max(m["performance_tflops"] for m in by.values())


def test_a_front_has_the_placement_of_each_point(world: World) -> None:
    told = asked(world, EXAMPLES[2]["intent"], "front", terms=["cost", "performance"])
    assert told["complete"]
    assert len(told["points"]) > 1
    for point in told["points"]:
        assert point["placement"]["status"] == "placed"
        assert point["placement"]["performance_tflops"] == pytest.approx(point["terms"]["performance"])
        assert point["nodes"]


def test_an_explanation_tells_the_runner_up(world: World) -> None:
    told = asked(world, EXAMPLES[4]["intent"], "why")
    assert told["runner_up"]["offers"]
    assert {one["path"] for one in told["constraints"]} >= {"constraints.max_hourly_cost"}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", ""),
        (b'{"ask": "plan"}', "intent"),
        (b'{"intent": "{}", "ask": "all"}', "ask"),
        (b'{"intent": "{}", "more": 1}', "more"),
        (b'{"intent": "{}", "terms": ["cost"]}', "terms"),
        (b'{"intent": "{}", "weights": {"cost": -1}}', "weights.cost"),
    ],
)
def test_what_is_no_question_is_refused(body: bytes, path: str) -> None:
    with pytest.raises(flare.FlareError) as caught:
        read_question(body)
    assert caught.value.path == path
