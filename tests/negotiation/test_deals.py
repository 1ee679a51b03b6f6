"""What comes of a negotiation: a place at once, an offer, a wait, a rejection; one edge for each."""

from datetime import UTC, datetime
from typing import Any

import pytest

import flare_core as flare
from tests.negotiation.pairs import asking, steps_of
from tests.worlds import NOW, Json, answer, intent, offer, world

GPU = "workload__resources__gpu"
HOURLY = "constraints.max_hourly_cost"
DEAR: Json = {"constraints__max_hourly_cost": "1 EUR"}


def only(document: Json) -> Json:
    [placement] = document["placements"]
    assert isinstance(placement, dict)
    return placement


def gave_way(placement: Json) -> list[tuple[str, object, object]]:
    return [(entry["path"], entry["asked"], entry["got"]) for entry in placement["relaxed"]]


def offers_of(placement: Json) -> list[str]:
    return [row["offer"] for row in placement["assignments"]]


# --- offers -----------------------------------------------------------------------------------------


def test_a_stretch_beyond_the_threshold_is_an_offer_to_accept() -> None:
    asked = intent(constraints__negotiation={"timeout_seconds": 60}, **DEAR)
    document = world(asked, offer("a", "1.10")).document()
    placement = only(document)
    entry = {"path": HOURLY, "asked": "1 EUR", "got": "1.10 EUR/hour"}
    assert (document["status"], document["objective"]) == ("optimal", None)
    assert (placement["status"], placement["hourly_cost"], placement["assignments"]) == ("queued", None, [])
    assert placement["relaxed"] == [entry]
    offered = placement["offer"]
    assert list(offered) == ["stretched", "placement", "valid_until"]
    assert offered["stretched"] == [entry]
    assert offered["valid_until"] == "2026-01-15T10:01:00Z"
    inner = offered["placement"]
    assert (inner["status"], inner["hourly_cost"], inner["relaxed"]) == ("placed", "1.10 EUR/hour", [entry])
    assert (inner["offer"], inner["error"], offers_of(inner)) == (None, None, ["a"])


def test_what_is_accepted_is_placed_as_it_was_offered() -> None:
    asked = intent(constraints__negotiation={}, **DEAR)
    offered = only(world(asked, offer("a", "1.10")).document())["offer"]
    changes = {entry["path"].replace(".", "__"): entry["got"] for entry in offered["stretched"]}
    accepted = only(world(intent(**{**DEAR, **changes}), offer("a", "1.10")).document())
    assert {**accepted, "relaxed": offered["stretched"]} == offered["placement"]


def test_the_objective_chooses_within_the_stretch() -> None:
    asked = asking({}, objective="Performance_Maximization", **DEAR)
    offers = (offer("a", "1.05"), offer("b", "1.05", gpu__fp32_tflops="20"), offer("c", "1.06"))
    placement = only(world(asked, *offers).document())
    assert offers_of(placement) == ["b"]
    assert gave_way(placement) == [(HOURLY, "1 EUR", "1.05 EUR/hour")]


def test_two_fields_give_way_where_one_is_not_enough() -> None:
    asked = asking({}, **DEAR, **{f"{GPU}__memory": "42Gi"})
    placement = only(world(asked, offer("a", "1.10"), offer("b", "1.30", gpu__memory="80Gi")).document())
    assert gave_way(placement) == [
        (HOURLY, "1 EUR", "1.10 EUR/hour"),
        ("workload.resources.gpu.memory", "42Gi", "40Gi"),
    ]


@pytest.mark.parametrize(("small", "field"), [("memory", "memory"), ("cores", "cores")])
def test_of_as_many_fields_the_one_gives_way_that_has_to_give_less(small: str, field: str) -> None:
    """Both offers cost 10 % more; one lacks 2 % of this, the other 8 % of that."""
    lacks: dict[str, tuple[str, Any, Any]] = {
        "memory": ("gpu__memory", "49Gi", "46Gi"),
        "cores": ("gpu__cores", 4900, 4600),
    }
    whole: Json = {"gpu__memory": "50Gi", "gpu__cores": 5000}
    asks: Json = {f"{GPU}__memory": "50Gi", f"{GPU}__cores": 5000}
    offers = [
        offer(name, "1.10", **{**whole, lacks[name][0]: lacks[name][1 if name == small else 2]})
        for name in lacks
    ]
    asked = asking({"max_negotiation_rounds": 1}, **DEAR, **asks)
    placement = only(world(asked, *offers).document())
    assert [path.rpartition(".")[2] for path, _, _ in gave_way(placement)] == ["max_hourly_cost", field]


def test_efficiency_gives_way_to_what_the_links_grant() -> None:
    asked = asking({}, gpus=2, **{f"{GPU}__multi_gpu_efficiency": 0.99})
    placement = only(world(asked, offer("a", gpus=2, gpu__multi_gpu_efficiency=0.9)).document())
    assert gave_way(placement) == [("workload.resources.gpu.multi_gpu_efficiency", 0.99, 0.9)]


def test_a_share_gives_way_to_the_share_below() -> None:
    mig: Json = {
        "gpu__model": "nvidia-h100",
        "gpu__memory": "80Gi",
        "gpu__cores": None,
        "gpu__fp32_tflops": None,
    }
    sharing: Json = {"gpu__shared": True, "gpu__sharing_strategy": "mig", "gpu__dedicated": None}
    asked = asking({}, **DEAR, **{f"{GPU}__shared": True, f"{GPU}__memory": "42Gi"})
    placement = only(world(asked, offer("a", 2, **mig, **sharing)).document())
    assert [row["mig_profile"] for row in placement["assignments"]] == ["3g.40gb"]
    assert gave_way(placement) == [("workload.resources.gpu.memory", "42Gi", "40Gi")]


def test_what_fits_is_not_stretched() -> None:
    plain, negotiating = (
        answer(world(one, offer("a", 1), offer("b", 0.5, gpu__memory="38Gi")).place())
        for one in (
            intent(**{**DEAR, f"{GPU}__memory": "40Gi"}),
            asking({}, **DEAR, **{f"{GPU}__memory": "40Gi"}),
        )
    )
    assert plain == negotiating


def test_beside_fail_only_what_is_written_stretches() -> None:
    ways: list[tuple[Json, str]] = [({}, "rejected"), ({"price_flexibility": 0.15}, "placed")]
    for terms, status in ways:
        asked = asking({"fallback_strategy": "fail", **terms}, **DEAR)
        assert only(world(asked, offer("a", "1.10")).document())["status"] == status


def test_a_budget_of_nothing_is_not_stretched() -> None:
    asked = asking({"price_flexibility": 1}, constraints__max_hourly_cost="0 EUR")
    assert only(world(asked, offer("a")).document())["status"] == "queued"


def test_many_rounds_cost_no_time() -> None:
    asked = asking({"max_negotiation_rounds": 2**31 - 1}, **DEAR)
    assert gave_way(only(world(asked, offer("a", "1.10")).document())) == [(HOURLY, "1 EUR", "1.10 EUR/hour")]


def test_a_negotiation_that_runs_out_of_time_says_so() -> None:
    asked = asking({"timeout_seconds": 1}, **DEAR)
    document = world(asked, offer("a", "1.10")).document(timer=steps_of(2), time_limit=1e9)
    assert only(document)["status"] == "queued"
    assert "the negotiation ran out of time: limits are not stretched" in document["warnings"]


# --- fallbacks: each pair differs in one thing at the edge ------------------------------------------

LOW: Json = {"gpu__tier": "inference"}
SHARED: Json = {"gpu__shared": True, "gpu__sharing_strategy": "mps", "gpu__sharing_slots": 4}
STANDARD: Json = {f"{GPU}__tier": "standard"}
WAYS: dict[str, tuple[Json, Json, str, list[tuple[str, object, object]]]] = {
    "queue": ({}, {}, "queued", []),
    "fail": ({}, {}, "rejected", []),
    "spot": (
        {},
        {"price__spot_hourly": "1 EUR/hour"},
        "placed",
        [("constraints.preemptible", False, True)],
    ),
    "spot, a cent too dear": ({}, {"price__spot_hourly": "1.01 EUR/hour"}, "rejected", []),
    "shared": ({}, SHARED, "placed", [("workload.resources.gpu.shared", False, True)]),
    "shared, a slot too few": ({}, {**SHARED, "gpu__sharing_slots": 3}, "rejected", []),
    "lower_tier": (
        STANDARD,
        {**LOW, "price__hourly": "1 EUR/hour"},
        "placed",
        [("workload.resources.gpu.tier", "standard", "inference")],
    ),
    "lower_tier, one above": (
        STANDARD, {"gpu__tier": "premium", "price__hourly": "1 EUR/hour"}, "rejected", []
    ),
    "lower_tier, too dear": (STANDARD, LOW, "rejected", []),
    "lower_tier, none asked": ({}, {}, "rejected", []),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_fallback_works_to_its_edge(way: str) -> None:
    asks, offers, status, relaxed = WAYS[way]
    terms = {"price_flexibility": 0, "fallback_strategy": way.partition(",")[0]}
    placement = only(world(asking(terms, **DEAR, **asks), offer("a", 4, **offers)).document())
    assert (placement["status"], gave_way(placement)) == (status, relaxed)
    assert placement["offer"] is None


def test_a_lower_tier_is_the_next_that_works_and_keeps_the_model_where_it_can() -> None:
    asked = asking({"fallback_strategy": "lower_tier"}, **{f"{GPU}__model": "nvidia-h100"})
    tiers = [offer(tier, gpu__tier=tier, gpu__model=f"nvidia-{tier}") for tier in ("budget", "gaming")]
    placement = only(world(asked, *tiers).document())
    assert offers_of(placement) == ["gaming"]
    assert gave_way(placement) == [
        ("workload.resources.gpu.tier", "any", "gaming"),
        ("workload.resources.gpu.model", "nvidia-h100", "any"),
    ]


def test_a_model_of_unknown_tier_has_no_tier_below() -> None:
    asked = asking({"fallback_strategy": "lower_tier"}, **{f"{GPU}__model": "nvidia-none"})
    assert only(world(asked, offer("a", gpu__tier="budget")).document())["status"] == "rejected"


def test_a_stretch_comes_before_a_fallback() -> None:
    asked = asking({"fallback_strategy": "spot"}, **DEAR)
    placement = only(world(asked, offer("a", "1.10", price__spot_hourly="0.10 EUR/hour")).document())
    assert gave_way(placement) == [(HOURLY, "1 EUR", "1.10 EUR/hour")]


def test_shared_contradicts_dedicated_and_is_not_tried() -> None:
    asked = asking({"fallback_strategy": "shared"}, **DEAR, **{f"{GPU}__dedicated": True})
    assert only(world(asked, offer("a", 4, **SHARED)).document())["status"] == "rejected"


def test_preferences_are_soft_beside_other_fallbacks() -> None:
    asked = asking({}, gpus=2, **{f"{GPU}__interconnect": "nvswitch"}, constraints__max_hourly_cost="2 EUR")
    placement = only(world(asked, offer("a", "2.20", gpus=2)).document())
    assert [path for path, _, _ in gave_way(placement)] == ["workload.resources.gpu.interconnect", HOURLY]


def test_what_cannot_end_in_time_does_not_wait() -> None:
    asked = asking({}, kind="job", constraints__deadline="2026-01-01T00:00:00Z")
    placement = only(world(asked, offer("a")).document())
    assert (placement["status"], placement["error"]["error_code"]) == ("rejected", "INSUFFICIENT_RESOURCES")


def test_an_offer_knows_its_end_in_python_too() -> None:
    plan = world(intent(constraints__negotiation={}, **DEAR), offer("a", "1.10")).place()
    [placement] = plan.placements
    assert placement.status is flare.Status.QUEUED
    assert placement.offer is not None
    start = datetime.fromisoformat(NOW).astimezone(UTC)
    assert (placement.offer.valid_until - start).total_seconds() == 300
