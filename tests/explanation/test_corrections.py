"""How far each constraint has to give way, and what to write into the intent for it."""

from dataclasses import replace
from typing import Any

import pytest

import flare_core as flare
from flare_core.explanation import corrections
from flare_core.explanation.conflicts import reasons
from flare_core.explanation.corrections import Remedy, remedies
from flare_core.explanation.ladder import UNLIMITED
from flare_core.explanation.relax import Solved, Unproven
from flare_core.intent.patch import merged
from flare_core.placement.types import Status
from flare_core.requirements.types import Requirements
from tests.refusals import case_of
from tests.worlds import Json, intent, offer, patched, world

GPU, HOST = "workload__resources__gpu__", "workload__resources__"
C, E, P = "constraints__", "constraints__energy__", "constraints__performance__"
FAIL: Json = {"constraints__negotiation": {"fallback_strategy": "fail"}}


def made(asked: Json, *offers: Json) -> list[Remedy]:
    case, space = case_of(world(asked, *offers))
    found = list(remedies(case, space, reasons(space).ways_out))
    for remedy in found:
        document: Any = merged(asked, dict(remedy.patch))
        [placement] = world(document, *offers).place().placements
        assert placement.status is Status.PLACED, remedy.patch
        assert placement.hourly_ueur is not None
    return found


def needed(asked: Json, *offers: Json) -> list[list[str | None]]:
    return [[correction.needed for correction in remedy.corrections] for remedy in made(asked, *offers)]


# --- amounts ----------------------------------------------------------------------------------------


AMOUNTS: list[tuple[str, object, str, object]] = [
    (f"{GPU}memory", "80Gi", "40Gi", "40Gi"),
    (f"{GPU}count", 8, "2", 2),
    (f"{GPU}cores", 5000, "4096", 4096),
    (f"{GPU}clock_speed", "2G", "1500MHz", "1500MHz"),
    (f"{GPU}compute_capability", "9.0", "8.0", "8.0"),
    (f"{GPU}fp32_tflops", "19.5", "10.5", 10.5),
    (f"{HOST}cpu", "17", "16", "16"),
    (f"{HOST}cpu", "16001m", "16", "16"),
    (f"{HOST}memory", "65Gi", "64Gi", "64Gi"),
    (f"{C}max_latency_ms", 19.5, "20ms", 20),
    (f"{P}max_jitter_ms", 1, "2ms", 2),
    (f"{P}min_uptime_percent", 99.99, "99.9%", 99.9),
    (f"{P}min_network_bandwidth", "100Gbps", "25Gbps", "25Gbps"),
    (f"{P}max_cold_start_time", "29s", "30s", "30s"),
    ("sla__availability", 99.99, "99.9%", 99.9),
    ("sla__max_interruption_time", "10s", "30s", "30s"),
    (f"{E}power_usage_effectiveness", 1.2, "1.25", 1.25),
    (f"{E}energy_efficiency_rating", "A", "B", "B"),
    (f"{E}max_carbon_footprint", "10g CO2/h", "75.95g CO2/h", "75.95g CO2/h"),
    (f"{C}max_hourly_cost", "0.499999 EUR", "0.50 EUR/hour", "0.50 EUR/hour"),
]


@pytest.mark.parametrize(("path", "asked", "said", "written"), AMOUNTS, ids=[a[0] for a in AMOUNTS])
def test_an_amount_gives_way_to_what_there_is_and_no_further(
    path: str, asked: object, said: str, written: object
) -> None:
    given: dict[str, Any] = {path: asked}
    worse = offer("z", 9, gpus=2, performance__latency_ms=90, performance__jitter_ms=40, gpu__memory="16Gi")
    [remedy] = made(intent(**given), offer("a", gpus=2), worse)
    [correction] = remedy.corrections
    assert (correction.path, correction.needed) == (path.replace("__", "."), said)
    assert correction.smallest
    assert remedy.patch == correction.patch == patched({}, **{path: written})
    assert correction.text == f"{correction.path} {said} instead of {asked}"


def test_a_total_budget_rises_to_the_cheapest_run() -> None:
    asked = intent("j", "job", 2, constraints__max_total_cost="3 EUR")
    assert needed(asked, offer("a", nodes=2), offer("b", 5, nodes=2)) == [["4.00 EUR"]]


def test_a_budget_per_hour_of_a_job_is_the_least_whatever_the_run_costs() -> None:
    """On a run of a second both cost the same in all, rounded up; the smaller price is needed."""
    asked = intent("j", "job", constraints__max_hourly_cost="0.1 EUR")
    asked["workload"]["job"]["timeout"] = "1s"
    assert needed(asked, offer("a", "0.000002"), offer("b", "0.5")) == []
    asked["constraints"]["max_hourly_cost"] = "0.000001 EUR"
    assert needed(asked, offer("a", "0.000003"), offer("b", "0.000002")) == [["0.000002 EUR/hour"]]


def test_memory_of_several_tasks_on_one_node_is_shared_out() -> None:
    asked = intent(tasks=3, workload__resources__memory="60Gi")
    assert needed(asked, offer("a", gpus=3, memory="100Gi")) == [["34133Mi"]]


def test_a_cap_over_several_tasks_is_met_to_the_micro_gram() -> None:
    asked = intent(tasks=2, constraints__energy__max_carbon_footprint="100g CO2/h")
    [[cap]] = needed(asked, offer("a", nodes=2))
    assert cap == "151.9g CO2/h"


def test_a_cap_is_given_up_where_emissions_are_not_known() -> None:
    asked = intent(constraints__energy__max_carbon_footprint="100g CO2/h")
    [remedy] = made(asked, offer("a", energy__carbon_intensity=None))
    assert remedy.patch == {"constraints": {"energy": {"max_carbon_footprint": None}}}
    assert remedy.corrections[0].text == "without constraints.energy.max_carbon_footprint"


def test_an_availability_that_replicas_reach_together_is_named_by_its_step() -> None:
    asked = intent(tasks=2, sla__availability=99.9999)
    zones = (offer("a", zone="z1", performance__uptime_percent=99), offer("b", zone="z2"))
    assert needed(asked, *zones) == [["99.999%"]]  # 1 - 0.01 * 0.001


def test_an_estimated_latency_is_rounded_up_to_what_can_be_read() -> None:
    there = offer("a", performance__latency_ms=117.03805865189678)
    assert needed(intent(constraints__max_latency_ms=20), there) == [["117.039ms"]]


def test_volumes_shrink_the_largest_first() -> None:
    big = {"name": "b", "size": "900Gi", "type": "persistent", "path": "/b"}
    small = {"name": "s", "size": "200Gi", "type": "temporary", "path": "/s"}
    [remedy] = made(intent(workload__storage__volumes=[small, big]), offer("a"))
    assert remedy.patch == {"workload": {"storage": {"volumes": [small, {**big, "size": "824Gi"}]}}}
    assert remedy.corrections[0].needed == "1Ti in all"


def test_volumes_that_nobody_keeps_become_temporary() -> None:
    volume = {"name": "b", "size": "900Gi", "type": "persistent", "path": "/b"}
    [remedy] = made(intent(workload__storage__volumes=[volume]), offer("a", persistent_storage=False))
    assert remedy.patch == {"workload": {"storage": {"volumes": [{**volume, "type": "temporary"}]}}}
    assert remedy.corrections[0].needed == "temporary, 900Gi in all"
    more = {"name": "c", "size": "1Ti", "type": "temporary", "path": "/c"}
    [remedy] = made(intent(workload__storage__volumes=[volume, more]), offer("a", persistent_storage=False))
    assert remedy.corrections[0].needed == "temporary, 1Ti in all"
    assert remedy.corrections[0].smallest


def test_checkpoints_go_with_the_volume_that_they_need() -> None:
    volume = {"name": "b", "size": "900Gi", "type": "persistent", "path": "/b"}
    asked = intent(workload__storage__volumes=[volume], sla__backup_strategy="checkpoint")
    [remedy] = made(asked, offer("a", persistent_storage=False))
    assert remedy.patch["sla"] == {"backup_strategy": None}
    assert remedy.corrections[0].asked == "persistent"


def test_shares_go_by_what_is_left_of_a_gpu() -> None:
    slots: Json = {"gpu__shared": True, "gpu__sharing_strategy": "time-slicing", "gpu__sharing_slots": 4}
    half = {"node": 0, "free_gpus": [], "gpu_milli": {"0": 500}}
    asked = intent(workload__resources__gpu__shared=True, workload__resources__gpu__memory="30Gi")
    assert needed(asked, offer("a", node_states=[half], **slots)) == [["20Gi"]]


def test_an_efficiency_gives_way_by_millionths() -> None:
    asked = intent(gpus=2, workload__resources__gpu__multi_gpu_efficiency=0.99)
    assert needed(asked, offer("a", gpus=2, gpu__multi_gpu_efficiency=0.75)) == [["1"], ["0.75"]]


def test_a_deadline_moves_to_the_end_of_the_run() -> None:
    asked = intent("j", "job", constraints__deadline="2026-01-15T11:00:00Z")
    assert needed(asked, offer("a")) == [["2026-01-15T12:00:00Z"]]


@pytest.mark.parametrize("kind", ["service", "job"])
def test_a_deadline_that_was_the_length_is_given_up(kind: str) -> None:
    asked = intent("j", kind, constraints__deadline="2026-01-15T09:00:00Z")
    if kind == "job":
        del asked["workload"]["job"]["timeout"]
    else:
        asked["constraints"]["max_total_cost"] = "9 EUR"
    [remedy] = made(asked, offer("a"))
    assert remedy.corrections[0].needed is None


# --- names and places -------------------------------------------------------------------------------


def test_each_model_that_would_do_is_a_remedy_of_its_own() -> None:
    """First what is faster than everything cheaper."""
    slow = offer("slow", 3, gpu__model="nvidia-x2", gpu__fp32_tflops="5")
    offered = (offer("a", 1), slow, offer("fast", 4, gpu__model="nvidia-x3", gpu__fp32_tflops="40"))
    asked = intent(workload__resources__gpu__model="nvidia-h100")
    assert needed(asked, *offered) == [["nvidia-x1"], ["nvidia-x3"], ["nvidia-x2"]]


def test_a_location_is_widened_by_a_country() -> None:
    [remedy, _] = made(
        intent(constraints__location="EU"), offer("a", 1, country="CH"), offer("b", 2, country="US")
    )
    assert remedy.corrections[0].needed == "EU, CH"
    assert remedy.patch == {"constraints": {"location": None, "compliance": {"data_residency": ["EU", "CH"]}}}


def test_as_few_countries_as_possible_are_added() -> None:
    asked = intent(tasks=2, constraints__location="EU")
    apart = (offer("a", country="CH"), offer("b", country="US"), offer("c", country="GB"))
    assert needed(asked, *apart)[0] == ["EU, CH, US"]
    together = offer("d", 9, nodes=2, country="JP")
    assert needed(asked, *apart, together) == [["EU, JP"]]


def test_a_location_beside_residency_is_replaced() -> None:
    asked = intent(constraints__location="DE", constraints__compliance__data_residency=["EU", "US"])
    assert needed(asked, offer("a", country="US")) == [["US"]]


def test_a_region_gives_way_to_another() -> None:
    asked = intent(constraints__location="eu-west-1")
    assert needed(asked, offer("a", region="eu-west-2"), offer("b", 2, region="r9")) == [
        ["eu-west-2"],
        ["r9"],
    ]


def test_a_place_that_nobody_knows_can_only_be_given_up() -> None:
    asked = intent(constraints__location="EU")
    assert needed(asked, offer("a", country=None)) == [[None]]


def test_residency_providers_and_zones_name_what_there_is() -> None:
    there = offer("a", provider="p2", country="US", zone="z2")
    for path, asked, said in (
        ("constraints__compliance__data_residency", ["EU"], "EU, US"),
        ("constraints__providers", ["p1"], "p1, p2"),
        ("constraints__availability_zone", "z1", "z2"),
        (f"{GPU}tier", "premium", "standard"),
        (f"{GPU}architecture", "hopper", "ampere"),
    ):
        given: dict[str, Any] = {path: asked}
        assert needed(intent(**given), there) == [[said]]


def test_as_many_certificates_as_possible_are_kept() -> None:
    asked = intent(constraints__compliance__certifications=["C5", "SOC 2", "ISO 27001"])
    assert needed(asked, offer("a"), offer("b", compliance__certifications=["C5"])) == [["ISO 27001, SOC 2"]]


# --- what is on or off ------------------------------------------------------------------------------


SWITCHES: list[tuple[str, object, Json, object]] = [
    ("constraints__compliance__hipaa_compliant", True, {"compliance__hipaa_compliant": False}, None),
    ("constraints__energy__green_certified_only", True, {"energy__green_certified": None}, None),
    (
        "constraints__security__network_isolation",
        "private",
        {"security__network_isolation": "public"},
        None,
    ),
    (f"{GPU}dedicated", True, {"gpu__dedicated": False}, None),
    (f"{GPU}multi_instance", True, {}, None),
]


@pytest.mark.parametrize(("path", "asked", "there", "written"), SWITCHES, ids=[s[0] for s in SWITCHES])
def test_what_is_on_or_off_is_given_up(path: str, asked: object, there: Json, written: object) -> None:
    given: dict[str, Any] = {path: asked}
    [remedy] = made(intent(**given), offer("a", **there))
    [correction] = remedy.corrections
    assert (correction.path, correction.needed) == (path.replace("__", "."), None)


def test_spot_is_allowed_where_there_is_nothing_else() -> None:
    asked = intent(constraints__max_hourly_cost="0.5 EUR")
    found = made(asked, offer("a", price__spot_hourly="0.4 EUR/hour"))
    assert [remedy.patch for remedy in found] == [
        {"constraints": {"max_hourly_cost": "1.00 EUR/hour"}},
        {"constraints": {"preemptible": True}},
    ]


def test_a_link_gives_way_to_the_next_lesser_one() -> None:
    asked = intent(gpus=2, workload__resources__gpu__interconnect="nvswitch", **FAIL)
    assert needed(asked, offer("a", gpus=2)) == [["1"], ["nvlink"]]
    assert needed(asked, offer("a", gpus=2, gpu__interconnect="pcie")) == [["1"], ["pcie"]]


def test_a_default_limit_goes_only_as_far_as_needed() -> None:
    assert needed(intent(), offer("a", performance__latency_ms=150)) == [["150ms"]]


def test_an_explicit_limit_that_unknown_values_fail_gives_way_to_the_default() -> None:
    [remedy] = made(intent(constraints__max_latency_ms=100), offer("a", performance__latency_ms=None))
    assert remedy.patch == {"constraints": {"max_latency_ms": None}}


def test_the_second_spelling_of_a_field_is_the_one_that_is_changed() -> None:
    [remedy] = made(intent(constraints__max_network_latency="10ms"), offer("a"))
    assert remedy.patch == {"constraints": {"max_latency_ms": 20, "max_network_latency": None}}
    assert remedy.corrections[0].asked == "10ms"


# --- several together -------------------------------------------------------------------------------


def test_constraints_that_give_way_together_give_way_as_little_as_they_can() -> None:
    asked = intent(gpus=4, constraints__location="EU", workload__resources__gpu__memory="80Gi")
    smaller = offer("b", gpus=2, country="CA", gpu__memory="24Gi")
    assert needed(asked, offer("a", gpus=3, country="US"), smaller) == [["40Gi", "3", "EU, US"]]


def test_a_limit_that_unknown_values_fail_goes_to_its_default_beside_others() -> None:
    unknown = offer("a", energy__power_usage_effectiveness=None, energy__energy_efficiency_rating="B")
    asked = intent(
        constraints__energy__energy_efficiency_rating="A", constraints__energy__power_usage_effectiveness=1.5
    )
    [remedy] = made(asked, unknown)
    assert remedy.patch == {
        "constraints": {"energy": {"energy_efficiency_rating": "B", "power_usage_effectiveness": None}}
    }


def test_no_more_remedies_are_looked_for_than_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "MOST_REMEDIES", 2)
    asked = intent(constraints__location="EU", workload__resources__gpu__model="nvidia-x2")
    offered = (offer("a"), offer("b", country="US", gpu__model="nvidia-x2"), offer("c", country="CH"))
    assert len(made(asked, *offered)) == 2


def test_what_is_not_proven_is_not_called_the_smallest() -> None:
    """The cheapest placement is known, but not that nothing is cheaper."""
    case, space = case_of(world(intent(tasks=2, constraints__max_hourly_cost="1 EUR"), offer("a", nodes=2)))

    def place(needs: Requirements) -> Solved | None:
        if needs.max_hourly_ueur is not None and needs.max_hourly_ueur < 2_000_000:
            raise Unproven
        return space.place(needs)

    [remedy] = remedies(case, replace(space, place=place), [("constraints.max_hourly_cost",)])
    assert remedy.corrections[0].smallest is False


def test_the_error_object_lists_changes_and_patches() -> None:
    [placement] = world(intent(constraints__location="US"), offer("a")).document()["placements"]
    assert placement["error"]["corrections"] == [
        {
            "text": "constraints.location US, DE instead of US",
            "changes": [
                {"path": "constraints.location", "asked": "US", "needed": "US, DE", "smallest": True}
            ],
            "patch": {"constraints": {"location": None, "compliance": {"data_residency": ["US", "DE"]}}},
        }
    ]


def test_what_is_given_up_altogether_is_still_an_intent() -> None:
    assert flare.read_intent(intent(constraints__max_latency_ms=UNLIMITED)).constraints.max_latency_ms == 1e9
