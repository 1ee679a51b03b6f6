"""What can be given up: every constraint by its path, and what is asked without it."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

import flare_core as flare
from flare_core.errors import ErrorCode
from flare_core.explanation.ladder import UNLIMITED, dropped
from flare_core.explanation.relax import COUNT, GPU, SPOT, handles, loosened, without
from flare_core.intent.patch import patch_of, patched
from flare_core.quantities import parse_moment
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Requirements, Topic
from tests.worlds import NOW, Json, intent

PAST = "2026-01-15T09:00:00Z"
VOLUME = {"name": "d", "size": "1Ti", "type": "persistent", "path": "/d"}
SET_OF_GPUS: Json = {
    "count": 4,
    "interconnect": "nvlink",
    "topology": "ring",
    "multi_gpu_efficiency": 0.9,
    "model": "nvidia-x1",
    "memory": "40Gi",
    "cores": 4096,
    "clock_speed": "1.5G",
    "compute_capability": "8.0",
    "architecture": "ampere",
    "tier": "standard",
    "fp32_tflops": "10",
}
CONSTRAINTS: Json = {
    "max_hourly_cost": "3 EUR",
    "max_total_cost": "9 EUR",
    "location": "EU",
    "availability_zone": "z1",
    "max_latency_ms": 30,
    "providers": ["p1"],
    "deadline": "2026-01-15T10:30:00Z",
    "negotiation": {"fallback_strategy": "fail"},
    "energy": {"max_carbon_footprint": "9g CO2/h", "energy_efficiency_rating": "B"},
    "compliance": {"data_residency": ["EU"], "certifications": ["C5"], "hipaa_compliant": True},
    "performance": {"min_network_bandwidth": "10Gbps", "max_cold_start_time": "9s"},
    "security": {"network_isolation": "private", "vpn_access": True},
}


def demanding(kind: str = "job", tasks: int = 2, **gpu: Any) -> flare.Intent:
    document = intent("j", kind, tasks, constraints=CONSTRAINTS, sla={"max_interruption_time": "9s"})
    document["workload"]["resources"]["gpu"] = gpu or SET_OF_GPUS
    document["workload"]["storage"] = {"volumes": [VOLUME]}
    return flare.read_intent(document)


def needs_of(one: flare.Intent) -> Requirements:
    return lower(one, now=parse_moment(NOW))


def paths_of(one: flare.Intent) -> list[str]:
    return [handle.path for handle in handles(needs_of(one))]


def plainly(needs: Requirements) -> Requirements:
    """Return `needs` with the count of GPUs as what nobody asked, and without what then says nothing."""
    limits = (replace(limit, path="" if limit.path == COUNT else limit.path) for limit in needs.limits)
    kept = tuple(limit for limit in limits if not (limit.path == SPOT and needs.spot))
    judged = needs.availability is not None and needs.availability_explicit
    return replace(needs, limits=kept, availability_explicit=judged, warnings=())


SHARED: Json = {"count": 2, "shared": True, "memory": "10Gi", "cores": 100}
SLICED: Json = {"count": 1, "multi_instance": True, "memory": "10Gi", "fp32_tflops": "5"}
LATE = flare.read_intent(
    intent("j", "job", workload__job={"parallel_tasks": 2}, constraints={**CONSTRAINTS, "deadline": PAST})
)
"""A job that is as long as its deadline allows, which is past."""
INTENTS = [demanding(), demanding(**SHARED), demanding(**SLICED), demanding("service", 3), LATE]


@pytest.mark.parametrize("one", INTENTS, ids=["set of GPUs", "shared", "instances", "service", "late"])
def test_without_a_constraint_is_what_the_intent_asks_that_does_not_say_it(one: flare.Intent) -> None:
    """The rule is the document: lowering an intent without the field gives the same requirements."""
    needs, seen = needs_of(one), 0
    for handle in handles(needs):
        values = dict(dropped(handle.path))
        if UNLIMITED in values.values():
            continue  # written as a very high limit, which an unknown value fails
        if handle.path == "constraints.deadline" and one.workload.type == "service":
            values["constraints.max_total_cost"] = None  # which has no meaning without an end
        said = needs_of(patched(one, patch_of(one, values)))
        assert plainly(without(needs, {handle.path})) == plainly(said), handle
        seen += 1
    assert seen >= 15


def test_constraints_are_given_up_in_any_order() -> None:
    needs = needs_of(demanding())
    for one, other in combinations(paths_of(demanding()), 2):
        assert without(without(needs, {one}), {other}) == without(needs, {other, one})


def test_handles_come_by_topic_and_then_by_path() -> None:
    found = handles(needs_of(demanding()))
    assert [h.topic for h in found[:3]] == [Topic.MODEL, Topic.MEMORY, Topic.COUNT]
    assert found == tuple(sorted(found, key=lambda h: (list(Topic).index(h.topic), h.path)))
    assert found[0].topic.code is ErrorCode.GPU_MODEL_UNAVAILABLE
    assert len(set(found)) == len({h.path for h in found}) == len(found)


def test_what_nobody_wrote_but_is_in_force_can_be_given_up() -> None:
    assert paths_of(flare.read_intent(intent())) == [
        "constraints.energy.power_usage_effectiveness",
        "constraints.max_latency_ms",
        "constraints.performance.max_jitter_ms",
        "constraints.performance.min_uptime_percent",
        SPOT,
        "sla.availability",
        "workload.resources.cpu",
        "workload.resources.memory",
    ]


def test_the_shape_of_the_workload_and_what_follows_from_others_is_given() -> None:
    paths = paths_of(demanding())
    assert not [path for path in paths if path.startswith(("workload.job", "workload.type"))]
    assert not {"", "workload.resources", GPU} & set(paths)


def test_one_gpu_cannot_give_way() -> None:
    assert COUNT not in paths_of(flare.read_intent(intent(gpus=1)))
    assert COUNT in paths_of(flare.read_intent(intent(gpus=2)))
    assert without(needs_of(demanding()), {COUNT}).gpus == 1


def test_spot_that_is_allowed_is_no_constraint() -> None:
    assert SPOT not in paths_of(flare.read_intent(intent(constraints__preemptible=True)))
    assert without(needs_of(demanding()), {SPOT}).spot


def test_preferences_are_no_constraints() -> None:
    wish: Json = {
        "workload__resources__gpu__interconnect": "nvlink",
        "workload__resources__gpu__topology": "ring",
    }
    soft = flare.read_intent(intent(gpus=4, **wish))
    hard = flare.read_intent(intent(gpus=4, constraints__negotiation={"fallback_strategy": "fail"}, **wish))
    ties = {f"{GPU}.interconnect", f"{GPU}.topology"}
    assert not ties & set(paths_of(soft))
    assert ties <= set(paths_of(hard))
    assert without(needs_of(soft), ties) == needs_of(soft)


def test_infiniband_that_a_gang_insists_on_can_be_given_up() -> None:
    wish: Json = {"workload__resources__gpu__interconnect": "infiniband"}
    fail: Json = {"constraints__negotiation": {"fallback_strategy": "fail"}}
    one = flare.read_intent(intent("j", "job", 2, **wish, **fail))
    assert f"{GPU}.interconnect" in paths_of(one)
    assert not without(needs_of(one), {f"{GPU}.interconnect"}).infiniband


def test_a_deadline_can_be_given_up_where_it_is_in_the_way() -> None:
    late = intent("j", "job", constraints__deadline="2026-01-15T11:59:59Z")
    in_time = intent("j", "job", constraints__deadline="2026-01-15T12:00:00Z")
    assert "constraints.deadline" in paths_of(flare.read_intent(late))
    assert "constraints.deadline" in paths_of(flare.read_intent(in_time))  # for a later start
    in_time["workload"]["job"].pop("timeout")  # the deadline is the length, and no constraint
    assert "constraints.deadline" not in paths_of(flare.read_intent(in_time))


@pytest.mark.parametrize(
    ("gpu", "gone", "readings"),
    [
        (SHARED, {f"{GPU}.shared"}, 2),
        (SLICED, {f"{GPU}.multi_instance", COUNT}, 2),
        (SHARED, {f"{GPU}.memory"}, 1),
        (SET_OF_GPUS, {f"{GPU}.interconnect"}, 2),
        (SET_OF_GPUS, {f"{GPU}.interconnect", f"{GPU}.topology"}, 1),
        (SET_OF_GPUS, {f"{GPU}.interconnect", COUNT}, 1),
        (SET_OF_GPUS, {f"{GPU}.model"}, 1),
    ],
)
def test_what_asks_something_else_when_given_up_is_read_both_ways(
    gpu: Json, gone: set[str], readings: int
) -> None:
    needs = needs_of(demanding(**gpu))
    found = loosened(needs, gone)
    assert len(found) == readings
    assert without(needs, gone) in found
    if readings > 1:
        kept = {f"{GPU}.shared", f"{GPU}.multi_instance", f"{GPU}.interconnect"}
        assert found[-1] == without(needs, gone - kept)
