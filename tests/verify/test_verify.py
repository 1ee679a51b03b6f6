"""Valid plans pass; every twin that is broken in one place is refused for the rule it breaks."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flare_core.inventory.types import Labels
from flare_core.verify import Violation, verify
from flare_core.verify.offers import Offer

from .inside import INSIDE
from .worlds import (
    NOW,
    WORLDS,
    World,
    any_job,
    ending_service,
    estimated,
    gang,
    intent,
    inventory,
    machine_job,
    nightly,
    nothing,
    offer,
    pair,
    patched,
    placement,
    plan,
    processor_batch,
    refused,
    row,
    scaled,
    service,
    spot,
    spread,
    undecided,
    unlinked,
    used,
    world,
)

Make = Callable[[], World]


def found(given: World, document: dict[str, Any] | None = None) -> tuple[Violation, ...]:
    return verify(
        given.document if document is None else document, given.intents, given.inventory, origin=given.origin
    )


@pytest.mark.parametrize("make", [*WORLDS, *INSIDE])
def test_a_valid_plan_passes(make: Make) -> None:
    assert found(make()) == ()


@pytest.mark.parametrize("make", [*WORLDS, *INSIDE])
def test_a_plan_read_back_from_json_passes(make: Make) -> None:
    given = make()
    assert found(given, json.loads(json.dumps(given.document))) == ()


P, R = "placements.0", "placements.0.assignments.0"
LATER = "2026-01-15T10:31:00Z"
MISSED = {"path": "workload.resources.gpu.interconnect", "asked": "nvlink", "got": "pcie"}

TWINS: tuple[tuple[Make, str, object, str], ...] = (
    # world, path in the document, the wrong value, the rule that is broken
    (service, "status", "best", "shape"),
    (service, "status", "feasible-ish", "shape"),
    (service, "status", "infeasible", "status"),
    (service, "status", "unknown", "status"),
    (service, "objective", None, "objective"),
    (service, "objective", 7.999, "objective"),
    (service, "objective", {"placed": 1, "scaled": 0.0}, "objective"),
    (service, "objective", "8", "shape"),
    (service, "objective", float("nan"), "shape"),
    (service, "objective", float("inf"), "shape"),
    (service, "objective", 10**400, "shape"),
    (service, "objective", 1e308, "shape"),
    (service, "bound", 7.9, "objective"),
    (service, "bound", None, "objective"),
    (service, "gap", 0.01, "objective"),
    (service, "gap", -0.01, "shape"),
    (service, "gap", None, "objective"),
    (service, "wall_time_s", -1, "shape"),
    (service, "wall_time_s", None, "shape"),
    (service, "warnings", [1], "shape"),
    (service, "warnings", "none", "shape"),
    (service, "placements", [], "shape"),
    (service, "placements", {}, "shape"),
    (service, P, "placed", "shape"),
    (service, f"{P}.intent", "other", "shape"),
    (service, f"{P}.status", "running", "shape"),
    (service, f"{P}.status", "rejected", "status"),
    (service, f"{P}.status", "queued", "status"),
    (service, f"{P}.error", {"status": "error", "error_code": "COST_LIMIT_EXCEEDED"}, "shape"),
    (service, f"{P}.error", refused_error := nothing().document["placements"][0]["error"], "status"),
    (service, f"{P}.assignments", [], "tasks"),
    (service, f"{P}.assignments", None, "shape"),
    (service, f"{P}.hourly_cost", "8.000001 EUR/hour", "price"),
    (service, f"{P}.hourly_cost", "7.999999 EUR/hour", "price"),
    (service, f"{P}.hourly_cost", "8.0000001 EUR/hour", "shape"),
    (service, f"{P}.hourly_cost", "8.00 USD/hour", "shape"),
    (service, f"{P}.hourly_cost", None, "price"),
    (service, f"{P}.total_cost", "8.00 EUR", "price"),
    (service, f"{P}.start_time", None, "time"),
    (service, f"{P}.start_time", LATER, "time"),
    (service, f"{P}.start_time", "today", "shape"),
    (service, f"{P}.end_time", LATER, "time"),
    (service, f"{P}.latency_ms", 18.001, "figure"),
    (service, f"{P}.latency_ms", None, "figure"),
    (service, f"{P}.carbon_g_per_hour", 536.41, "figure"),
    (service, f"{P}.carbon_g_per_hour", None, "figure"),
    (service, f"{P}.performance_tflops", 1978.9, "figure"),
    (service, f"{P}.performance_tflops", True, "shape"),
    (service, f"{P}.availability_percent", 99.96, "figure"),
    (service, f"{P}.availability_percent", None, "figure"),
    (service, f"{P}.headroom", {"replicas": 0, "hourly_cost": "8.00 EUR/hour"}, "headroom"),
    (service, f"{P}.relaxed", [MISSED], "preference"),
    (service, f"{P}.relaxed", [{"path": "constraints.location", "asked": "EU", "got": "US"}], "preference"),
    (service, f"{P}.relaxed", [{"asked": "EU"}], "shape"),
    (service, f"{R}.task", 1, "tasks"),
    (service, f"{R}.task", "0", "shape"),
    (service, f"{R}.task", True, "shape"),
    (service, f"{R}.offer", "b", "offer"),
    (service, f"{R}.node", 4, "node"),
    (service, f"{R}.node", -1, "shape"),
    (service, f"{R}.provider", "P1", "offer"),
    (service, f"{R}.region", "eu-west-2", "offer"),
    (service, f"{R}.zone", None, "offer"),
    (service, f"{R}.gpu_model", "nvidia-a100", "offer"),
    (service, f"{R}.gpu_model", None, "offer"),
    (service, f"{R}.gpus", [0], "gpus"),
    (service, f"{R}.gpus", [0, 1, 2], "gpus"),
    (service, f"{R}.gpus", [0, 0], "gpus"),
    (service, f"{R}.gpus", [7, 8], "gpus"),
    (service, f"{R}.gpus", [0, -1], "shape"),
    (service, f"{R}.gpus", None, "shape"),
    (service, f"{R}.mig_profile", "1g.10gb", "share"),
    (service, f"{R}.mig_profile", "", "shape"),
    (service, f"{R}.gpu_milli", 500, "share"),
    (service, f"{R}.gpu_milli", 1000, "share"),
    (service, f"{R}.gpu_milli", "500", "shape"),
    (service, f"{R}.gpus", [1, 0], "gpus"),
    (service, f"{R}.spot", True, "spot"),
    (service, f"{R}.spot", 0, "shape"),
    (service, f"{R}.efficiency", 0.97, "figure"),
    (service, f"{R}.hourly_cost", "8.000001 EUR/hour", "price"),
    (service, f"{R}.hourly_cost", "32.00 EUR/hour", "price"),
    (service, f"{R}.start_time", LATER, "time"),
    (service, f"{R}.end_time", LATER, "time"),
    (scaled, f"{P}.headroom", None, "headroom"),
    (scaled, f"{P}.headroom.replicas", 4, "headroom"),
    (scaled, f"{P}.headroom.replicas", 0, "headroom"),
    (scaled, f"{P}.headroom.replicas", -1, "shape"),
    (scaled, f"{P}.headroom.hourly_cost", "24.000001 EUR/hour", "headroom"),
    (scaled, f"{P}.headroom.hourly_cost", "7.00 EUR/hour", "headroom"),
    (spot, f"{R}.spot", False, "price"),
    (spot, f"{R}.offer", "b", "spot"),
    (spot, f"{R}.hourly_cost", "8.00 EUR/hour", "price"),
    (machine_job, f"{R}.hourly_cost", "16.00 EUR/hour", "price"),
    (machine_job, "placements.0.assignments.1.hourly_cost", "32.00 EUR/hour", "price"),
    (machine_job, "placements.0.assignments.1.node", 1, "price"),
    (machine_job, "placements.0.assignments.1.gpus", [1, 2], "gpus"),
    (machine_job, "placements.0.assignments.1.task", 0, "tasks"),
    (machine_job, "placements.0.assignments.1.start_time", "2026-01-15T11:30:00Z", "time"),
    (machine_job, "placements.0.assignments.1.spot", True, "billing"),
    (machine_job, f"{P}.total_cost", "63.999999 EUR", "price"),
    (machine_job, f"{P}.end_time", None, "time"),
    (machine_job, f"{R}.end_time", "2026-01-15T12:29:59Z", "time"),
    (processor_batch, f"{R}.gpus", [0], "gpus"),
    (processor_batch, f"{R}.hourly_cost", "0.00 EUR/hour", "price"),
    (processor_batch, f"{P}.performance_tflops", 989.4, "figure"),
    (pair, "placements.1.assignments.0.gpus", [1, 2], "gpus"),
    (pair, "objective.placed", 1, "objective"),
    (pair, "bound.scaled", 0.4, "objective"),
    (pair, "placements.1.status", "unknown", "status"),
    (pair, "placements.1.intent", "web", "shape"),
    (spread, f"{P}.availability_percent", 99.9, "figure"),
    (spread, "placements.0.assignments.2.zone", "eu-west-1a", "offer"),
    (unlinked, f"{P}.relaxed", [], "preference"),
    (unlinked, f"{P}.relaxed", [MISSED, MISSED], "preference"),
    (unlinked, f"{P}.relaxed.0.got", "nvlink", "preference"),
    (unlinked, f"{P}.relaxed.0.asked", "nvswitch", "preference"),
    (unlinked, f"{P}.relaxed.0.path", "workload.resources.gpu.topology", "preference"),
    (gang, "warnings", [], "warning"),
    (any_job, "warnings", [], "warning"),
    (any_job, "placements.0.assignments.1.task", 2, "tasks"),
    (ending_service, f"{P}.total_cost", None, "price"),
    (ending_service, f"{P}.total_cost", "0.002222 EUR", "price"),
    (ending_service, f"{R}.end_time", None, "time"),
    (ending_service, f"{R}.start_time", "2026-01-15T10:30:01Z", "time"),
    (nothing, "status", "optimal", "status"),
    (nothing, "objective", 0.0, "objective"),
    (nothing, "gap", 0.0, "objective"),
    (nothing, f"{P}.error.status", "sorry", "shape"),
    (undecided, "objective", 8.0, "objective"),
    (pair, "objective.placed", 3, "objective"),
    (nothing, "status", "unknown", "status"),
    (nothing, f"{P}.error", None, "status"),
    (nothing, f"{P}.error.error_code", "QUOTA_EXCEEDED", "shape"),
    (nothing, f"{P}.error.message", "", "shape"),
    (nothing, f"{P}.error.conflicts", ["constraints"], "shape"),
    (nothing, f"{P}.assignments", [row(0, "a")], "status"),
    (nothing, f"{P}.hourly_cost", "8.00 EUR/hour", "status"),
    (nothing, f"{P}.latency_ms", 18.0, "status"),
    (nothing, f"{P}.relaxed", [MISSED], "status"),
    (undecided, "status", "infeasible", "status"),
    (undecided, f"{P}.error", refused_error, "status"),
    (used, f"{R}.gpus", [1, 2], "gpus"),
    (used, f"{R}.gpus", [6, 7], "gpus"),
    (nightly, f"{R}.end_time", "2026-01-15T12:00:00Z", "time"),
    (estimated, f"{P}.latency_ms", None, "figure"),
    (estimated, "objective", 3.0, "objective"),
)


@pytest.mark.parametrize(
    ("make", "path", "value", "rule"), TWINS, ids=[f"{w.__name__}-{p}-{v!s:.25}" for w, p, v, _ in TWINS]
)
def test_a_twin_broken_in_one_place_is_refused(make: Make, path: str, value: object, rule: str) -> None:
    given = make()
    violations = found(given, patched(given.document, {path: value}))
    assert rule in {violation.rule for violation in violations}, violations


LEAVES = [
    *(f"{P}.{name}" for name in placement("web", []) if name != "assignments"),
    *(f"{R}.{name}" for name in row(0, "a")),
    *plan(),
]


@pytest.mark.parametrize("path", LEAVES)
def test_a_field_that_is_missing_is_a_violation_at_its_path(path: str) -> None:
    given = service()
    document = patched(given.document, {})
    *way, last = path.split(".")
    at: Any = document
    for key in way:
        at = at[int(key)] if isinstance(at, list) else at[key]
    del at[last]
    assert [(v.rule, v.path) for v in found(given, document)] == [("shape", path)]


BANDWIDTH = "performance.network_bandwidth", "9Gbps", "8Gbps"
CERTIFIED = "compliance.certifications", ["AB", "ISO2"], ["AB"]
NEEDS: tuple[tuple[str, object, str, object, object], ...] = (
    # path in the intent, what is asked, path in the offer, a value that does, one that does not
    ("workload.resources.gpu.memory", "80Gi", "gpu.memory", "80Gi", "64Gi"),
    ("workload.resources.gpu.cores", 16896, "gpu.cores", 16896, 16895),
    ("workload.resources.gpu.clock_speed", "1.98G", "gpu.clock_speed", "1980M", "1979M"),
    ("workload.resources.gpu.compute_capability", "9.0", "gpu.compute_capability", "10.0", "8.9"),
    ("workload.resources.gpu.architecture", "hopper", "gpu.architecture", "hopper", "ampere"),
    ("workload.resources.gpu.tier", "premium", "gpu.tier", "premium", "standard"),
    ("workload.resources.gpu.fp32_tflops", "66.9", "gpu.fp32_tflops", "66.9", "66.8"),
    ("workload.resources.gpu.dedicated", True, "gpu.dedicated", True, False),
    ("workload.storage.volumes", [{"type": "persistent"}], "persistent_storage", True, False),
    ("constraints.location", "EU", "country", "IE", "NO"),
    ("constraints.location", "IE", "country", "IE", "GB"),
    ("constraints.location", "Asia", "country", "KZ", "TR"),
    ("constraints.availability_zone", "eu-west-1a", "zone", "eu-west-1a", "eu-west-1b"),
    ("constraints.max_latency_ms", 50, "performance.latency_ms", 50, 50.1),
    ("constraints.max_network_latency", "50ms", "performance.latency_ms", 50, 50.1),
    ("constraints.performance.max_jitter_ms", 10, "performance.jitter_ms", 10, 11),
    ("constraints.performance.min_uptime_percent", 99.9, "performance.uptime_percent", 99.9, 99.8),
    ("constraints.performance.max_cold_start_time", "45s", "performance.cold_start_time", "45s", "46s"),
    ("constraints.performance.min_network_bandwidth", "9Gbps", *BANDWIDTH),
    ("sla.max_interruption_time", "45s", "performance.cold_start_time", "45s", "46s"),
    ("constraints.energy.power_usage_effectiveness", 1.3, "energy.power_usage_effectiveness", 1.3, 1.31),
    ("constraints.energy.renewable_energy_only", True, "energy.renewable_energy", True, False),
    ("constraints.energy.green_certified_only", True, "energy.green_certified", True, False),
    ("constraints.energy.energy_efficiency_rating", "B", "energy.energy_efficiency_rating", "A", "C"),
    ("constraints.compliance.data_residency", ["US", "EU"], "country", "DE", "CH"),
    ("constraints.compliance.certifications", ["iso 2", "A-b"], *CERTIFIED),
    ("constraints.compliance.encryption_at_rest", True, "compliance.encryption_at_rest", True, False),
    ("constraints.compliance.encryption_in_transit", True, "compliance.encryption_in_transit", True, False),
    ("constraints.compliance.audit_logging", True, "compliance.audit_logging", True, False),
    ("constraints.compliance.gdpr_compliant", True, "compliance.gdpr_compliant", True, False),
    ("constraints.compliance.hipaa_compliant", True, "compliance.hipaa_compliant", True, False),
    ("constraints.security.network_isolation", "private", "security.network_isolation", "private", "public"),
    ("constraints.security.vpn_access", True, "security.vpn_access", True, False),
    ("constraints.security.bastion_host", True, "security.bastion_host", True, False),
    ("constraints.security.intrusion_detection", True, "security.intrusion_detection", True, False),
    ("constraints.security.vulnerability_scanning", True, "security.vulnerability_scanning", True, False),
)  # fmt: skip
FIGURES = {
    "performance.latency_ms": "latency_ms",
    "performance.uptime_percent": "availability_percent",
}


def asked_and_offered(path: str, asked: object, at: str, value: object) -> tuple[Violation, ...]:
    """Place one task whose intent asks, on an offer that says."""
    if path == "workload.storage.volumes":
        asked = [{"name": "data", "size": "1Gi", "type": "persistent", "path": "/data"}]
    document = patched(offer("a"), {at: value})
    if at == "energy.power_usage_effectiveness":
        document["energy"]["carbon_intensity"] = None
    told = placement("web", [row(0, "a", zone=document["zone"])])
    if at in FIGURES:
        told[FIGURES[at]] = value
    if at.startswith("energy."):
        told["carbon_g_per_hour"] = 536.4 if at != "energy.power_usage_effectiveness" else None
    given = world(plan(told), [patched(intent(), {path: asked})], document)
    return found(given)


NEED_IDS = [f"{path}-{asked}" for path, asked, *_ in NEEDS]


@pytest.mark.parametrize(("path", "asked", "at", "good", "bad"), NEEDS, ids=NEED_IDS)
def test_a_constraint_holds_at_its_edge(path: str, asked: object, at: str, good: object, bad: object) -> None:
    assert asked_and_offered(path, asked, at, good) == ()
    broken = [v for v in asked_and_offered(path, asked, at, bad) if v.rule == "constraint"]
    said = path.replace("max_network_latency", "max_latency_ms")
    assert len(broken) == 1
    assert said in broken[0].message


# What the model determines is filled in when an offer leaves it out, and so is never unknown here.
# Nor is the efficiency rating, which follows from the PUE.
FILLED = "workload.resources.gpu", "constraints.energy.energy_efficiency_rating"
STATED = [need for need in NEEDS if not need[0].startswith(FILLED) or "dedicated" in need[0]]


@pytest.mark.parametrize(
    ("path", "asked", "at"), [need[:3] for need in STATED], ids=[f"{need[0]}-{need[1]}" for need in STATED]
)
def test_an_unknown_value_fails_what_is_asked(path: str, asked: object, at: str) -> None:
    rules = {violation.rule for violation in asked_and_offered(path, asked, at, None)}
    assert "constraint" in rules


@pytest.mark.parametrize(
    ("at", "worse", "figure"),
    [
        ("performance.latency_ms", 100.1, "latency_ms"),
        ("performance.jitter_ms", 51, None),
        ("performance.uptime_percent", 98.9, "availability_percent"),
        ("energy.power_usage_effectiveness", 2.1, "carbon_g_per_hour"),
    ],
)
def test_a_default_limit_refuses_the_worse_and_lets_the_unknown_pass(
    at: str, worse: float, figure: str | None
) -> None:
    def judged(value: float | None) -> set[str]:
        told = placement("web", [row(0, "a")])
        if figure is not None:
            told[figure] = value if figure != "carbon_g_per_hour" else value and 536.4 / 1.25 * value
        given = world(plan(told), [intent()], patched(offer("a"), {at: value}))
        return {violation.rule for violation in found(given)}

    assert judged(None) == set()
    assert judged(worse) == {"constraint"}


@pytest.mark.parametrize(
    ("pue", "letter"), [(1.2, "A"), (1.21, "B"), (1.6, "C"), (1.8, "D"), (2.0, "E"), (1.99, "E")]
)
def test_the_efficiency_rating_follows_from_pue(pue: float, letter: str) -> None:
    def passes(asked: str) -> bool:
        document = offer("a", energy__power_usage_effectiveness=pue, energy__energy_efficiency_rating=None)
        carbon = 536.4 / 1.25 * pue
        told = plan(placement("web", [row(0, "a")], carbon_g_per_hour=carbon))
        wanted = intent(constraints__energy__energy_efficiency_rating=asked)
        return found(world(told, [wanted], document)) == ()

    assert passes(letter)
    assert letter == "A" or not passes(chr(ord(letter) - 1))


def moved(make: Make, *offers: dict[str, Any], **changes: object) -> set[str]:
    """Return the rules that a world's plan breaks with other offers, or with another first intent."""
    given = make()
    written = given.intents[0].to_dict()["intent"]
    assert isinstance(written, dict)
    asked = patched(written, {key.replace("__", "."): value for key, value in changes.items()})
    first = world({}, [asked], offer("a")).intents
    stock = inventory(*offers) if offers else given.inventory
    return {v.rule for v in verify(given.document, (*first, *given.intents[1:]), stock, origin=given.origin)}


VOLUME = {"name": "data", "size": "1Ti", "type": "temporary", "path": "/data"}
SLICE = {"gpu": 3, "profile": "1g.10gb", "start": 0}
FABRIC = {"path": ["dc1", "spine1"], "interconnect": "infiniband", "bandwidth": "400 Gb/s"}
SPINE_2 = {**FABRIC, "path": ["dc1", "spine2"]}
FAR = {**FABRIC, "path": ["dc2", "spine2"]}
ETHERNET = {**SPINE_2, "interconnect": "ethernet"}
# Where nobody knows the place of a region, there is no estimate, and an explicit limit fails.
UNPLACED = {"offer", "figure", "constraint", "objective"}


@pytest.mark.parametrize(
    ("make", "offers", "rules"),
    [
        (pair, [offer("a", cpu="16", memory="64Gi")], set()),
        (pair, [offer("a", cpu="15")], {"capacity"}),
        (pair, [offer("a", cpu=None)], {"capacity"}),
        (pair, [offer("a", memory="65535Mi")], {"capacity"}),
        (pair, [offer("a", memory=None)], {"capacity"}),
        (pair, [offer("a", price__billing="node")], {"billing", "price"}),
        (pair, [offer("a", used={"gpus": 1})], {"gpus"}),
        (pair, [offer("a", used={"cpu": "753"})], {"capacity"}),
        (pair, [offer("a", node_states=[{"node": 0, "gpu_milli": {"3": 999}}])], {"gpus"}),
        (pair, [offer("a", node_states=[{"node": 0, "mig": [SLICE]}])], {"gpus"}),
        (pair, [offer("a", nodes=None)], set()),
        (machine_job, [offer("vm", nodes=1, price__billing="node")], set()),
        (machine_job, [offer("vm", nodes=1, price__billing=None)], set()),
        (machine_job, [offer("vm", nodes=1, price__billing="node", used={"cpu": "1"})], {"billing"}),
        (gang, [offer("a", fabric=FABRIC), offer("b", fabric=FABRIC)], {"figure"}),  # they are closer
        (gang, [offer("a", fabric=FABRIC), offer("b", fabric=SPINE_2)], set()),
        (gang, [offer("a", fabric=FABRIC), offer("b", fabric={**SPINE_2, "bandwidth": None})], {"figure"}),
        (gang, [offer("a", fabric=FABRIC), offer("b", fabric=FAR)], {"preference", "figure"}),
        (gang, [offer("a", fabric=FABRIC), offer("b", fabric=ETHERNET)], {"preference"}),
        (gang, [offer("a", fabric=FABRIC), offer("b")], {"preference", "figure"}),
        (service, [offer("a", price__hourly="32.000001 EUR/hour")], {"price"}),
        (service, [offer("a", price__hourly="31.999999 EUR/hour")], set()),
        (service, [offer("a", price__hourly="31.999992 EUR/hour")], {"price"}),
        (service, [offer("a", price__hourly="0 EUR/hour")], {"price"}),
        (service, [offer("a", energy__carbon_intensity=None)], {"figure", "constraint"}),
        (service, [offer("a", energy__carbon_intensity=301)], {"figure", "constraint"}),
        (service, [offer("a", performance__uptime_percent=None)], {"figure", "constraint"}),
        (nightly, [offer("a")], set()),
        (nightly, [offer("a", availability={"days_of_week": ["Wed"]})], {"calendar"}),
        (estimated, [offer("a", provider="p9", performance__latency_ms=None)], UNPLACED),
    ],
)  # fmt: skip
def test_the_same_plan_with_other_offers(make: Make, offers: list[dict[str, Any]], rules: set[str]) -> None:
    assert moved(make, *offers) == rules


@pytest.mark.parametrize(
    ("make", "changes", "rules"),
    [
        (service, {"constraints__max_hourly_cost": "7.999999 EUR"}, {"budget"}),
        (service, {"constraints__energy__max_carbon_footprint": "536.3g CO2/h"}, {"constraint"}),
        (service, {"sla__availability": "99.96%"}, {"constraint"}),
        (service, {"workload__resources__gpu__model": "nvidia-a100"}, {"constraint"}),
        (service, {"workload__resources__gpu__count": 3}, {"gpus"}),
        (service, {"workload__scaling__min_replicas": 2}, {"tasks"}),
        (service, {"workload__name": "other"}, {"shape"}),
        (service, {"constraints__providers": ["P1"]}, set()),
        (service, {"constraints__providers": ["p2"]}, {"constraint"}),
        (service, {"constraints__location": "eu-west"}, set()),
        (service, {"constraints__location": "eu-west-1"}, set()),
        (service, {"constraints__location": "eu-wes"}, {"constraint"}),
        (service, {"constraints__location": "any"}, set()),
        (service, {"constraints__deadline": "2026-01-15T11:30:00Z"}, {"time"}),
        (service, {"workload__storage__volumes": [VOLUME]}, set()),
        (service, {"workload__storage__volumes": [{**VOLUME, "size": "21Ti"}]}, {"capacity"}),
        (service, {"workload__resources__gpu__multi_instance": True}, {"share"}),
        (service, {"workload__resources__gpu__topology": "ring"}, set()),
        (service, {"workload__resources__gpu__multi_gpu_efficiency": "1.0"}, set()),
        (service, {"constraints__availability": {}}, set()),
        (machine_job, {"constraints__availability": {}}, set()),  # the time of its run is all it needs
        (machine_job, {"constraints__availability": {"timezone": "Asia/Tokyo"}}, set()),
        (machine_job, {"constraints__availability": {"days_of_week": ["Fri"]}}, {"calendar"}),
        (service, {"workload__resources__gpu__interconnect": "nvlink"}, set()),
        (service, {"workload__resources__gpu__interconnect": "infiniband"}, set()),
        (scaled, {"constraints__max_hourly_cost": "23.99 EUR"}, {"headroom"}),
        (scaled, {"workload__scaling__max_replicas": 2}, {"headroom"}),
        (scaled, {"workload__scaling__auto_scale": False}, {"headroom"}),
        (spot, {"workload__resources__gpu__interruptible": False}, {"spot"}),
        (spot, {"workload__resources__gpu__interruptible": False, "constraints__preemptible": True}, set()),
        (machine_job, {"constraints__max_total_cost": "63.99 EUR"}, {"budget"}),
        (machine_job, {"constraints__deadline": "2026-01-15T12:29:59Z"}, {"time"}),
        (machine_job, {"workload__job__timeout": "119m"}, {"time"}),
        (machine_job, {"workload__job__parallel_tasks": 3}, {"tasks"}),
        (machine_job, {"sla__availability": "99.96%"}, {"constraint"}),
        (any_job, {"workload__job__completion_policy": "All"}, {"tasks"}),
        (any_job, {"workload__job__parallel_tasks": 1}, {"tasks"}),
        (any_job, {"constraints__max_hourly_cost": "15.99 EUR"}, {"budget"}),
        (gang, {"workload__job__timeout": "2h"}, {"time"}),
        (spread, {"sla__availability": "99.9996%"}, {"constraint"}),
        (unlinked, {"workload__resources__gpu__interconnect": "pcie"}, {"preference"}),
        (unlinked, {"constraints__negotiation": {"fallback_strategy": "fail"}}, {"preference"}),
        (ending_service, {"constraints__max_total_cost": "0.002222 EUR"}, {"budget"}),
        (estimated, {"constraints__max_latency_ms": 1}, {"constraint"}),
    ],
)  # fmt: skip
def test_the_same_plan_for_another_intent(make: Make, changes: dict[str, object], rules: set[str]) -> None:
    assert moved(make, **changes) == rules


def test_an_intent_is_neither_left_out_nor_added() -> None:
    given = pair()
    for intents in (given.intents[:1], given.intents[::-1], (*given.intents, *given.intents)):
        assert {v.rule for v in verify(given.document, intents, given.inventory)} == {"shape"}


def test_three_replicas_in_two_zones_are_up_as_often_as_the_zone_of_two() -> None:
    given = spread()
    rows = [given.document["placements"][0]["assignments"][i] for i in (0, 2, 3)]
    told = plan(
        placement(
            "web",
            [{**each, "task": i} for i, each in enumerate(rows)],
            hourly_cost="24.00 EUR/hour",
            carbon_g_per_hour=1609.2,
            performance_tflops=5936.4,
            availability_percent=99.5,
        ),
        objective=24.0,
        bound=24.0,
    )
    wanted = world(told, [intent(workload__scaling__min_replicas=3)], offer("a"))
    assert verify(told, wanted.intents, given.inventory) == ()


def test_a_third_of_a_price_is_rounded_up_once_for_each_gpu() -> None:
    told = placement("web", [row(0, "a", hourly_cost="6.666668 EUR/hour")], hourly_cost="6.666668 EUR/hour")
    document = offer("a", price__hourly="10 EUR/hour", gpu__count=3)
    given = world(plan(told, objective=6.666668, bound=6.666668), [intent()], document)
    assert found(given) == ()


def test_a_feasible_plan_has_its_bound_on_the_good_side() -> None:
    given = service()
    feasible = {"status": "feasible", "gap": 0.1}
    assert found(given, patched(given.document, {**feasible, "bound": 7.2})) == ()
    assert {v.rule for v in found(given, patched(given.document, {**feasible, "bound": 8.8}))} == {
        "objective"
    }


def test_a_plan_that_places_has_an_objective_whatever_is_proven() -> None:
    given = service()
    unproven = {"status": "feasible", "objective": None, "bound": None, "gap": None}
    assert {v.rule for v in found(given, patched(given.document, unproven))} == {"objective"}


@pytest.mark.parametrize("objective", [None, {"placed": 0, "scaled": 0.0}])
def test_a_plan_that_places_nothing_has_no_objective(objective: object) -> None:
    none = {"status": "unknown", "objective": objective, "bound": None, "gap": None}
    document = plan(refused("web"), refused("api", "unknown"), **none)
    rules = {v.rule for v in found(world(document, [intent(), intent("api")], offer("a")))}
    assert rules == (set() if objective is None else {"objective"})


def test_a_violation_reads_as_a_sentence_with_its_place() -> None:
    given = service()
    (violation, *_) = found(given, patched(given.document, {f"{P}.hourly_cost": "9.00 EUR/hour"}))
    assert str(violation) == "price: placements.0.hourly_cost: found 9.00 EUR/hour, expected 8.00 EUR/hour"


def test_a_node_is_known_by_its_number_among_unequal_ones() -> None:
    states = [{"node": 1, "free_gpus": [4, 5], "cpu": "192", "memory": "2Ti"}]
    stock = offer("a", node_states=states)
    given = service()

    def on(node: int, gpus: list[int]) -> set[str]:
        document = patched(given.document, {f"{R}.node": node, f"{R}.gpus": gpus})
        return {v.rule for v in verify(document, given.intents, inventory(stock))}

    assert on(0, [0, 1]) == on(1, [4, 5]) == on(2, [0, 1]) == on(3, [0, 1]) == set()
    assert on(1, [0, 1]) == {"gpus"}
    assert on(4, [0, 1]) == {"node"}


def test_gpus_may_pass_to_another_intent_at_the_moment_the_first_ends() -> None:
    middle, end = "2026-01-15T11:30:00Z", "2026-01-15T12:30:00Z"

    def after(start: str) -> set[str]:
        early = placement("j0", [row(0, "a", end_time=middle)], total_cost="8.00 EUR", end_time=middle)
        late = [row(0, "a", start_time=start, end_time=end)]
        told = plan(early, placement("j1", late, total_cost="8.00 EUR", start_time=start, end_time=end))
        hour = {"workload__job__timeout": "1h"}
        jobs = [intent(name, "job", **hour) for name in ("j0", "j1")]
        return {v.rule for v in found(world(told, jobs, offer("a")))}

    assert after(middle) == set()
    assert "gpus" in after("2026-01-15T11:29:59Z")


def test_a_placement_of_any_number_of_tasks_has_at_least_one() -> None:
    given = any_job()
    rules = {v.rule for v in found(given, patched(given.document, {f"{P}.assignments": []}))}
    assert "tasks" in rules


def test_a_task_without_gpus_needs_no_card_to_have_a_known_power() -> None:
    stock = inventory(offer("a"))
    stock = replace(stock, number={**stock.number, "power_w": np.array([np.nan])})
    given = processor_batch()
    assert verify(given.document, given.intents, stock) == ()
    given = service()
    assert {v.rule for v in verify(given.document, given.intents, stock)} == {"figure", "constraint"}


def test_a_task_that_asks_for_no_cores_and_no_memory_emits_what_its_cards_do() -> None:
    asked = intent(workload__resources={"gpu": {"count": 2}})
    told = plan(placement("web", [row(0, "a")], carbon_g_per_hour=525.0))  # 2 × 700 W × 1.25 × 300 g/kWh
    assert found(world(told, [asked], offer("a", cpu=None, memory=None))) == ()


def test_a_job_takes_an_unknown_uptime_unless_it_asks_for_one() -> None:
    dark = offer("vm", nodes=None, price__billing="node", performance__uptime_percent=None)
    assert moved(machine_job, dark) == {"figure"}
    assert moved(machine_job, dark, sla__availability="90%") == {"figure", "constraint"}


def test_the_efficiency_rating_follows_from_pue_where_nobody_derived_it() -> None:
    stock = inventory(offer("a", energy__power_usage_effectiveness=1.7))
    unrated = Labels.of([None])
    stock = replace(stock, label={**stock.label, "efficiency_rating": unrated})
    assert Offer(stock, 0).says("efficiency_rating") == "D"
    worse = replace(stock, number={**stock.number, "pue": np.array([2.1])})
    assert Offer(worse, 0).says("efficiency_rating") == "F"


@pytest.mark.parametrize("replicas", [3, 4])
def test_headroom_may_reach_the_maximum_and_no_more(replicas: int) -> None:
    headroom = {"replicas": replicas, "hourly_cost": "32.00 EUR/hour"}
    asked = intent(workload__scaling={"min_replicas": 1, "max_replicas": 4, "auto_scale": True})
    told = plan(placement("web", [row(0, "a")], headroom=headroom))
    rules = {violation.rule for violation in found(world(told, [asked], offer("a")))}
    assert rules == ({"headroom"} if replicas == 4 else set())


@pytest.mark.parametrize(
    ("objective", "due", "better"),
    [
        ("Cost_Minimization", 8.0, 7.9),
        ("Performance_Maximization", 1978.8, 1980.0),
        ("Latency_Minimization", 63.0, 62.0),  # 18 ms and 45 s of cold start
        ("Energy_Efficiency", 536.4, 536.0),
    ],
)
def test_the_objective_is_the_first_term_and_no_bound_is_worse(
    objective: str, due: float, better: float
) -> None:
    def rules(told: object, bound: object) -> set[str]:
        proof = {"status": "feasible", "gap": 0.1, "objective": told, "bound": bound}
        document = plan(placement("web", [row(0, "a")]), **proof)
        return {v.rule for v in found(world(document, [intent(objective=objective)], offer("a")))}

    assert rules(due, better) == rules(due, due) == rules(due, None) == set()
    assert rules(due, 2 * due - better) == {"objective"}
    assert rules(better, better) == {"objective"}
    assert rules(due, {"placed": 1.0}) == rules({"placed": 1.0}, due) == {"objective"}


def test_an_objective_in_euro_is_exact_to_the_micro_euro() -> None:
    given = service()
    document = patched(given.document, {"objective": 8.000001, "bound": 8.000001})
    assert {v.rule for v in found(given, document)} == {"objective"}


def test_a_latency_may_be_a_fraction_of_a_millisecond() -> None:
    told = plan(placement("web", [row(0, "a")], latency_ms=0.25))
    assert found(world(told, [intent()], offer("a", performance__latency_ms=0.25))) == ()


def test_a_job_is_up_as_often_as_the_worst_of_its_offers() -> None:
    given = gang()
    offers = [
        offer("a", fabric=FABRIC),
        offer("b", fabric=SPINE_2, zone="eu-west-1b", performance__uptime_percent=99.5),
    ]
    document = patched(given.document, {f"{P}.assignments.1.zone": "eu-west-1b"})
    assert {v.rule for v in verify(document, given.intents, inventory(*offers))} == {"figure"}
    worst = patched(document, {f"{P}.availability_percent": 99.5})
    assert verify(worst, given.intents, inventory(*offers)) == ()


JUNK: tuple[object, ...] = (
    10**400,
    10**30,
    -1,
    9,
    "",
    "1e400 EUR/hour",
    "9999-12-31T23:59:59Z",
    [],
    [0] * 999,
    {},
    True,
    1e308,
)


@pytest.mark.parametrize("make", [*WORLDS, *INSIDE])
def test_no_value_in_any_place_ends_the_check(make: Make) -> None:
    given = make()
    for path in leaves(given.document):
        for junk in JUNK:
            assert isinstance(found(given, patched(given.document, {path: junk})), tuple)


def leaves(part: Any, path: str = "") -> list[str]:
    """Return the dotted path of every value of a document."""
    items = part if isinstance(part, dict) else dict(enumerate(part)) if isinstance(part, list) else {}
    here = {key: f"{path}.{key}".lstrip(".") for key in items}
    return [*here.values(), *(leaf for key, each in items.items() for leaf in leaves(each, here[key]))]


def test_an_unknown_cold_start_counts_as_none_and_an_unknown_latency_as_the_limit() -> None:
    dark = offer("a", performance__cold_start_time=None, performance__latency_ms=None)
    told = placement("web", [row(0, "a")], latency_ms=None)
    asked = intent(objective="Latency_Minimization", constraints__performance={})
    assert found(world(plan(told, objective=100.0, bound=100.0), [asked], dark)) == ()


def test_a_run_has_a_length() -> None:
    told = placement("web", [row(0, "a", end_time=NOW)], total_cost="0.00 EUR", end_time=NOW)
    given = world(plan(told), [intent(constraints__deadline=NOW)], offer("a"))
    assert {v.rule for v in found(given)} == {"time", "price"}, "at no moment does it cost anything"


def test_an_offer_without_gpus_has_no_gpu_0() -> None:
    bare = offer("a")
    del bare["gpu"]
    asked = intent(workload__resources__gpu={"count": 1})
    told = placement("web", [row(0, "a", gpus=[0], gpu_model=None)])
    paths = {v.path for v in found(world(plan(told), [asked], bare)) if v.rule == "gpus"}
    assert paths == {f"{R}.gpus"}


def test_nodes_of_one_zone_fall_together_at_the_worst_of_their_uptimes() -> None:
    rows = [row(0, "a"), row(1, "b")]
    figures = {"hourly_cost": "16.00 EUR/hour", "carbon_g_per_hour": 1072.8, "performance_tflops": 3957.6}
    told = plan(placement("web", rows, availability_percent=99.5, **figures), objective=16.0, bound=16.0)
    offers = (offer("a", performance__uptime_percent=99.9), offer("b", performance__uptime_percent=99.5))
    asked = intent(workload__scaling__min_replicas=2)
    assert found(world(told, [asked], *offers)) == ()
    assert found(world(told, [asked], *offers[:1], offer("b"))) != ()
