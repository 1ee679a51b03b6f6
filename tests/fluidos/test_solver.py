"""Solvers say what filters can say, and report the rest; told by FLUIDOS's own way of filtering."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import flare_core
from flare_core import read_intent
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.adapters.fluidos.solver import Expressed, express
from flare_core.inventory.reading import quantity
from tests.fluidos.objects import GPU, Json
from tests.fluidos.orders import intent
from tests.fluidos.schemas import faults

EXAMPLES = sorted((Path(flare_core.__file__).parent / "examples").glob("0*.json"))
RESOURCES: Json = {"cpu": "8", "memory": "64Gi"}


def said(gpu: Json | None = None, constraints: Json | None = None, **settings: Any) -> Expressed:
    resources = {**RESOURCES, **({} if gpu is None else {"gpu": gpu})}
    document = intent(resources=resources, constraints=constraints)
    return express(read_intent(document), name="s", intent_id="i", settings=FluidosSettings(**settings))


def filters(found: Expressed) -> dict[str, Json]:
    """GPU filters by field; FLUIDOS keeps one for each."""
    listed = found.solver["spec"]["selector"]["filters"].get("gpuFilters", [])
    fields = [each["field"] for each in listed]
    assert len(fields) == len(set(fields))
    return {each["field"]: each for each in listed}


def passes(flavor: Json, each: Json) -> bool:
    """Whether FLUIDOS's fork lets a GPU object through a filter."""
    value, data = flavor.get(each["field"]), each["data"]
    match each["filter"]:
        case "StringFilter":
            return isinstance(value, str) and value == data["value"]
        case "StringRangeSelector":
            return isinstance(value, str) and re.search(data["regex"], value) is not None
        case "NumberRangeFilter":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and within(Decimal(repr(value)), data, lambda bound: Decimal(repr(bound)))
        case "ResourceRangeSelector":
            return isinstance(value, str) and within(quantity(value) or 0, data, lambda b: quantity(b) or 0)
    raise AssertionError(each)


def within(value: Any, data: Json, read: Any) -> bool:
    assert data.keys() & {"min", "max"}, "FLUIDOS refuses a range without a bound"
    return ("min" not in data or value >= read(data["min"])) and (
        "max" not in data or value <= read(data["max"])
    )


def test_a_solver_only_looks_unless_it_is_told_to_buy() -> None:
    wanted = read_intent(intent(resources=RESOURCES))
    looks = express(wanted, name="s", intent_id="i", labels={"a": "b"}).solver
    assert looks["metadata"] == {"name": "s", "namespace": "fluidos", "labels": {"a": "b"}}
    assert looks["spec"] == {
        "intentID": "i",
        "findCandidate": True,
        "reserveAndBuy": False,
        "establishPeering": False,
        "selector": {
            "flavorType": "K8Slice",
            "filters": {
                "cpuFilter": {"name": "Range", "data": {"min": "8"}},
                "memoryFilter": {"name": "Range", "data": {"min": "64Gi"}},
            },
        },
    }
    buys = express(wanted, name="s", intent_id="i", buy=True).solver["spec"]
    assert (buys["reserveAndBuy"], buys["establishPeering"]) == (True, True)


@pytest.mark.parametrize(
    ("gpu", "constraints", "field", "fits", "fails"),
    [
        ({"model": "nvidia-h100"}, {}, "model", "nvidia-h100", "nvidia-a100"),
        ({"count": 4}, {}, "count", 8, 3),
        ({"count": 2, "memory": "80Gi"}, {}, "memory", "160Gi", "159Gi"),
        ({"count": 2, "cores": 6912}, {}, "cores", "13824", "13823"),
        ({"clock_speed": "1.5G"}, {}, "clock_speed", "1500M", "1499M"),
        ({"compute_capability": "8.0"}, {}, "compute_capability", "9.0", "7.5"),
        ({"multi_gpu_efficiency": "0.9"}, {}, "multi_gpu_efficiency", "0.95", "0.85"),
        ({"fp32_tflops": "19.5"}, {}, "fp32_tflops", 19.5, 19.4),
        ({"tier": "premium"}, {}, "tier", "premium", "standard"),
        ({"architecture": "hopper"}, {}, "architecture", "hopper", "ampere"),
        ({}, {"max_hourly_cost": "20 EUR"}, "hourly_rate", 20, 20.01),
        ({}, {"max_hourly_cost": "0.55 EUR"}, "hourly_rate", 0.55, 0.56),
        ({}, {"max_latency_ms": 50}, "network_latency_ms", 50, 51),
        ({}, {"max_network_latency": "50ms"}, "network_latency_ms", 50, 51),
        ({}, {"providers": ["P.1", "p2"]}, "provider", "p.1", "px1"),
        ({}, {"location": "eu-west"}, "zone", "eu-west-1", "eu-west1"),
        ({}, {"availability_zone": "zone-a"}, "region", "zone-a", "zone-b"),
        ({}, {"performance": {"min_network_bandwidth": "10Gbps"}}, "network_bandwidth", "10", "9"),
    ],
)
def test_a_filter_lets_through_what_the_intent_takes(
    gpu: Json, constraints: Json, field: str, fits: object, fails: object
) -> None:
    found = filters(said({"model": "any", **gpu}, constraints))
    assert passes({**GPU, field: fits}, found[field])
    assert not passes({**GPU, field: fails}, found[field])
    assert not passes({key: value for key, value in GPU.items() if key != field}, found[field])


def test_places_are_asked_for_where_a_setting_says_they_are() -> None:
    found = filters(said({}, {"location": "eu-west-1", "availability_zone": "a"}, places="stated"))
    assert passes({"region": "eu-west-1"}, found["region"])
    assert passes({"zone": "a"}, found["zone"])


def test_a_price_per_gpu_is_capped_per_gpu() -> None:
    found = filters(said({"count": 4}, {"max_hourly_cost": "10 EUR"}, prices_per="gpu"))
    assert found["hourly_rate"]["data"] == {"max": 2.5}


@pytest.mark.parametrize(("strategy", "hard"), [("fail", True), ("queue", False)])
def test_an_interconnect_is_a_filter_only_where_it_is_hard(strategy: str, hard: bool) -> None:
    wish = {"model": "any", "count": 2, "interconnect": "nvlink"}
    found = said(wish, {"negotiation": {"fallback_strategy": strategy}})
    assert ("interconnect" in filters(found)) is hard
    if hard:
        each = filters(found)["interconnect"]
        assert all(passes({"interconnect": word}, each) for word in ("nvlink", "nvswitch", "infinity-fabric"))
        assert not passes({"interconnect": "pcie"}, each)


@pytest.mark.parametrize(
    ("gpu", "constraints", "path", "reason"),
    [
        ({"dedicated": True}, {}, "workload.resources.gpu.dedicated", "do not have it"),
        ({"shared": True}, {}, "workload.resources.gpu.shared", "do not have it"),
        ({}, {"preemptible": True}, "constraints.preemptible", "do not have it"),
        ({"memory": "80Gi"}, {}, "workload.resources.gpu.memory", "total of the node"),
        ({"cores": 100}, {}, "workload.resources.gpu.cores", "total of the node"),
        ({"topology": "ring"}, {}, "workload.resources.gpu.topology", "preferred"),
        ({}, {"location": "EU"}, "constraints.location", "no country"),
        (
            {},
            {"energy": {"renewable_energy_only": True}},
            "constraints.energy.renewable_energy_only",
            "no filter",
        ),
        (
            {},
            {"compliance": {"certifications": ["SOC2"]}},
            "constraints.compliance.certifications",
            "no filter",
        ),
        ({}, {"deadline": "2026-02-01T00:00:00Z"}, "constraints.deadline", "no filter"),
        (
            {},
            {"max_total_cost": "5 EUR", "deadline": "2026-02-01T00:00:00Z"},
            "constraints.max_total_cost",
            "no",
        ),
    ],
)
def test_what_cannot_be_said_is_reported(gpu: Json, constraints: Json, path: str, reason: str) -> None:
    told = {each.path: each.reason for each in said({"model": "any", **gpu}, constraints).unsaid}
    assert reason in told[path]
    assert "objective" in told


def test_what_asks_for_nothing_is_not_reported() -> None:
    neutral = {"model": "any", "shared": False, "tier": "any", "architecture": "any"}
    constraints = {"location": "any", "preemptible": False, "security": {"network_isolation": "public"}}
    assert [each.path for each in said(neutral, constraints).unsaid] == ["objective"]


def test_several_tasks_are_more_than_a_solver_finds() -> None:
    document = intent(resources=RESOURCES, scaling={"min_replicas": 2})
    found = express(read_intent(document), name="s", intent_id="i")
    assert "workload.scaling.min_replicas" in [each.path for each in found.unsaid]


def test_flags_and_storage_are_never_filtered() -> None:
    for example in EXAMPLES:
        found = express(read_intent(example), name="s", intent_id="i")
        selector = found.solver["spec"]["selector"]["filters"]
        assert "storageFilter" not in selector
        assert all(each["filter"] != "BooleanFilter" for each in filters(found).values())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_solvers_of_the_examples_satisfy_the_schema(example: Path) -> None:
    assert faults(express(read_intent(example), name="s", intent_id="i").solver) == []
