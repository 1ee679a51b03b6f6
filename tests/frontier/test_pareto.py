"""`pareto`: what is on a front, what is said of it, and what it refuses."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pandas as pd
import pytest

import flare_core as flare
from benchmarks import phases, scenarios
from tests.frontier.fronts import front, wide
from tests.worlds import NOW, World, intent, offer, patched, world

TERMS = ("cost", "performance", "latency", "carbon")
FEW = (
    offer("cheap", 1, nodes=None, energy__carbon_intensity=400, performance__latency_ms=30),
    offer("green", 3, nodes=None, energy__carbon_intensity=40, performance__latency_ms=40),
    offer("near", 5, nodes=None, energy__carbon_intensity=500, performance__latency_ms=5),
    offer("worse", 4, nodes=None, energy__carbon_intensity=500, performance__latency_ms=50),
)
"""The last one is beaten by the first in everything."""


def offers_of(told: flare.Front) -> list[str]:
    return [row["offer"] for point in told.points for row in point.placement["assignments"]]


def test_a_front_has_what_nothing_beats_best_first() -> None:
    told = front(world(intent(), *FEW), ("cost", "carbon"))
    assert (told.outcome, told.complete, told.gaps) == (flare.Outcome.OPTIMAL, True, ())
    assert offers_of(told) == ["cheap", "green"]
    assert [(p.terms["cost"], p.terms["carbon"]) for p in told.points] == [(1.0, 151.9), (3.0, 15.19)]
    assert told.units == {"cost": "EUR/hour", "performance": "TFLOPS", "latency": "ms", "carbon": "g CO2/h"}


def test_the_first_term_leads() -> None:
    assert offers_of(front(world(intent(), *FEW), ("carbon", "cost"))) == ["green", "cheap"]
    assert offers_of(front(world(intent(), *FEW), ("cost", "latency", "carbon"))) == [
        "cheap",
        "green",
        "near",
    ]


def test_every_point_is_verified_and_beaten_by_none() -> None:
    for seed in range(12):
        one = wide(seed)
        told = front(one, ("cost", "performance", "carbon"))
        asked, offers = flare.read_intent(one.intents[0]), read(one)
        for point in told.points:
            assert not flare.verify(point.plan, [asked], offers)
            assert not any(beats(other, point) for other in told.points)


def read(one: World) -> flare.Inventory:
    return flare.read_inventory({"version": 1, "offers": list(one.offers)})


def beats(one: flare.Point, other: flare.Point) -> bool:
    pairs = [
        (sign * one.terms[t], sign * other.terms[t])
        for t, sign in (("cost", 1), ("performance", -1), ("carbon", 1))
    ]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def test_the_best_in_one_term_is_what_place_finds() -> None:
    objectives = dict(
        zip(
            TERMS,
            ("Cost_Minimization", "Performance_Maximization", "Latency_Minimization", "Energy_Efficiency"),
            strict=True,
        )
    )
    for seed in range(12):
        one = wide(seed)
        for term, objective in objectives.items():
            told = front(one, (term, "latency" if term != "latency" else "cost"))
            plan = replace(one, intents=({**one.intents[0], "objective": objective},)).place()
            assert bool(told.points) == (plan.outcome is flare.Outcome.OPTIMAL)
            if told.points:
                assert told.points[0].terms[term] == plan.objective


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_offers_changes_nothing(seed: int) -> None:
    one = wide(seed)
    shuffled = list(one.offers)
    Random(seed).shuffle(shuffled)
    assert (
        front(replace(one, offers=tuple(shuffled)), ("cost", "carbon")).to_dict()
        == front(one, ("cost", "carbon")).to_dict()
    )


@pytest.mark.parametrize("seed", range(4))
def test_objective_and_weights_change_nothing(seed: int) -> None:
    one = wide(seed)
    balanced = {**one.intents[0], "objective": "Balanced_Optimization"}
    weighted = replace(one, intents=(balanced,), weights={"latency": 1})
    assert front(weighted, ("cost", "carbon")).to_dict() == front(one, ("cost", "carbon")).to_dict()


# --- what is not known ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "field", "counts"),
    [
        ("latency", "performance__latency_ms", 130.0),  # the default limit and 30 s of cold start
        ("performance", "gpu__fp32_tflops", 0.0),
        ("carbon", "energy__carbon_intensity", 151.9),  # the worst that is known
    ],
)
def test_what_is_not_known_counts_as_bad_and_is_said(term: str, field: str, counts: float) -> None:
    unknown = patched(offer("unknown", 0.5), **{field: None})
    told = front(world(intent(), *FEW[:2], unknown), ("cost", term))
    assert offers_of(told)[0] == "unknown"
    assert told.points[0].terms[term] == counts
    assert told.points[0].assumed == (term,)
    assert all(not point.assumed for point in told.points[1:])
    assert any("unknown" in warning for warning in told.warnings)


# --- no front, part of a front ----------------------------------------------------------------------


def test_an_intent_that_cannot_be_placed_has_an_empty_front_and_the_reason_of_place() -> None:
    one = world(intent(constraints__max_hourly_cost="0.5 EUR"), *FEW)
    told = front(one, ("cost", "carbon"))
    assert (told.outcome, told.complete, told.points) == (flare.Outcome.INFEASIBLE, True, ())
    refused = one.place().placements[0].error
    assert told.error is not None
    assert refused is not None
    assert told.error.to_dict() == refused.to_dict()
    assert told.to_dict()["error"]["error_code"] == "COST_LIMIT_EXCEEDED"


def test_nothing_gives_way_for_a_front() -> None:
    flexible = {"price_flexibility": 1.0, "auto_accept_threshold": 1.0, "fallback_strategy": "queue"}
    asked = intent(constraints__max_hourly_cost="0.9 EUR", constraints__negotiation=flexible)
    one = world(asked, *FEW)
    assert one.place().placements[0].status is flare.Status.PLACED
    told = front(one, ("cost", "carbon"))
    assert told.outcome is flare.Outcome.INFEASIBLE
    assert told.error is not None


def ladder(availability: float) -> World:
    """Return three tasks that may have to be spread, and offers that are greener the dearer they are."""
    asked = intent(tasks=3, constraints__max_hourly_cost="9 EUR", sla__availability=availability)
    return world(asked, *(rung(k) for k in range(12)))


def rung(k: int) -> dict[str, Any]:
    figures = {"energy__carbon_intensity": 400 - 30 * k, "performance__uptime_percent": 99.0 + k / 20}
    return offer(f"o{k}", f"{1 + k / 7:.3f}", 1, 1, zone=f"z{k % 4}", **figures)


@pytest.mark.parametrize("availability", [99.0, 99.9], ids=["added up", "searched"])
def test_a_front_told_in_part_says_where_the_gaps_are(availability: float) -> None:
    one = ladder(availability)
    whole, part = front(one, ("cost", "carbon")), limited(one, 8)
    assert (part.outcome, part.complete, len(part)) == (flare.Outcome.FEASIBLE, False, 8)
    every, told = ([point.terms for point in one.points] for one in (whole, part))
    assert all(terms in every for terms in told)
    missing = [terms for terms in every if terms not in told]
    assert all(any(is_in(terms, gap) for gap in part.gaps) for terms in missing)
    assert not any(is_in(terms, gap) for terms in told for gap in part.gaps)
    assert limited(one, len(whole)).complete
    assert not limited(one, len(whole) - 1).complete


def limited(one: World, most: int) -> flare.Front:
    asked = flare.read_intent(one.intents[0])
    return flare.pareto(asked, read(one), now=NOW, terms=("cost", "carbon"), most_points=most)


def is_in(terms: Mapping[str, float], gap: Mapping[str, float]) -> bool:
    return all(terms[term] < limit for term, limit in gap.items())


def test_a_front_that_effort_ends_has_proven_points_and_gaps() -> None:
    whole = front(ladder(99.99), ("cost", "carbon"))
    assert whole.complete
    cut = front(ladder(99.99), ("cost", "carbon"), effort=0.005)
    assert not cut.complete
    assert any("effort" in warning for warning in cut.warnings)
    every = [point.terms for point in whole.points]
    assert 0 < len(cut.points) < len(every)
    assert all(point.terms in every for point in cut.points)
    assert cut.to_dict() == front(ladder(99.99), ("cost", "carbon"), effort=0.005).to_dict()


def test_any_tasks_are_as_many_as_fit() -> None:
    job = intent("j", "job", 4, workload__job__completion_policy="Any")
    one = world(job, *(dict(o, nodes=1) for o in FEW[:2]), offer("third", 9, 1, 1))
    told = front(one, ("cost", "carbon"))
    assert [len(point.placement["assignments"]) for point in told.points] == [3]


def test_a_budget_bounds_any_tasks_and_then_the_front() -> None:
    job = intent(
        "j", "job", 8, workload__job__completion_policy="Any", constraints__max_total_cost="10.4 EUR"
    )
    greener = offer("greener", 1.2, nodes=None, energy__carbon_intensity=40)
    told = front(world(job, FEW[0], greener), ("cost", "carbon"))
    assert list(told.frame()["offers"]) == ["5 × cheap", "4 × cheap, 1 × greener"]


@pytest.mark.parametrize(("budget", "points"), [("6 EUR", 3), ("5.999999 EUR", 2)])
def test_a_budget_that_is_just_met_leaves_the_point(budget: str, points: int) -> None:
    asked = intent(tasks=2, constraints__max_hourly_cost=budget)
    assert len(front(world(asked, *FEW), ("cost", "carbon"))) == points


@pytest.mark.parametrize(
    ("cap", "offers"),
    [("379.75", ["2 × cheap", "2 × near"]), ("303.8", ["2 × cheap"]), ("303.7", ["1 × cheap, 1 × green"])],
)
def test_a_cap_on_what_is_no_term_holds(cap: str, offers: list[str]) -> None:
    asked = intent(tasks=2, constraints__energy__max_carbon_footprint=f"{cap}g CO2/h")
    assert list(front(world(asked, *FEW), ("cost", "latency")).frame()["offers"]) == offers


def test_preferences_come_before_the_front() -> None:
    asked = intent(gpus=2, workload__resources__gpu__interconnect="nvlink")
    linked = [offer(f"o{k}", 8 + k, 2, energy__carbon_intensity=300 - 100 * k) for k in range(2)]
    pcie = offer("pcie", 1, 2, energy__carbon_intensity=10, gpu__interconnect="pcie")
    assert offers_of(front(world(asked, *linked, pcie), ("cost", "carbon"))) == ["o0", "o1"]


@pytest.mark.parametrize(
    ("budget", "others", "chosen"),
    [
        ("2 EUR", (), "b-node"),  # a second replica costs nothing there
        ("2.1 EUR", (offer("far", "0.1", 1, performance__latency_ms=90),), "a-gpu"),  # both may grow by one
    ],
)
def test_of_equal_places_a_service_that_grows_has_the_one_with_more_room(
    budget: str, others: tuple[dict[str, Any], ...], chosen: str
) -> None:
    scaling = {"min_replicas": 1, "max_replicas": 2, "auto_scale": True}
    asked = intent(constraints__max_hourly_cost=budget, workload__scaling=scaling)
    equal = offer("a-gpu", 4, 2), offer("b-node", 2, 2, price__billing="node")
    assert offers_of(front(world(asked, *equal, *others), ("latency", "carbon"))) == [chosen]


# --- forms ------------------------------------------------------------------------------------------


def test_the_document_has_everything() -> None:
    told = front(world(intent(), *FEW), ("cost", "carbon"))
    document = told.to_dict()
    assert {k: document[k] for k in ("status", "intent", "terms", "complete", "gaps", "error")} == {
        "status": "optimal",
        "intent": "web",
        "terms": ["cost", "carbon"],
        "complete": True,
        "gaps": [],
        "error": None,
    }
    first = document["points"][0]
    assert first["placement"]["hourly_cost"] == "1.00 EUR/hour"
    assert {k: first[k] for k in TERMS} == {
        "cost": 1.0,
        "carbon": 151.9,
        "performance": 10.5,
        "latency": 60.0,
    }


def test_a_job_costs_in_total() -> None:
    told = front(world(intent("j", "job"), *FEW), ("cost", "carbon"))
    assert told.units["cost"] == "EUR"
    assert told.points[0].terms["cost"] == 2.0  # two hours


def test_the_frame_has_a_row_for_each_point() -> None:
    told = front(world(intent(tasks=2), *FEW), ("cost", "carbon"))
    frame = told.frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["cost", "carbon", "performance", "latency", "offers"]
    assert list(frame["offers"]) == ["2 × cheap", "1 × cheap, 1 × green", "2 × green"]
    assert str(told) == frame.to_string(index=False)


def test_spot_is_said() -> None:
    cheap = offer("cheap", 1, price__spot_hourly="0.4 EUR/hour")
    told = front(world(intent(constraints__preemptible=True), cheap), ("cost", "carbon"))
    assert list(told.frame()["offers"]) == ["cheap (spot)"]


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [("cost",), TERMS, ("cost", "cost"), "cost", (), ("cost", "price")])
def test_terms_that_make_no_front_are_refused(terms: Any) -> None:
    with pytest.raises(flare.OptionsError) as refused:
        front(world(intent(), *FEW), terms)
    assert refused.value.path == "terms"


@pytest.mark.parametrize("most", [0, -1, 1.5, True, None])
def test_a_number_of_points_is_whole_and_positive(most: Any) -> None:
    with pytest.raises(flare.OptionsError, match="whole number"):
        limited(world(intent(), *FEW), most)


def test_a_cancelled_search_without_a_point_raises() -> None:
    cancelled = flare.Cancellation()
    cancelled.cancel()
    asked = intent(tasks=3, sla__availability=99.999)
    zones = [offer(f"o{k}", 1 + k, 1, 1, zone=f"z{k}", performance__uptime_percent=99.0) for k in range(5)]
    with pytest.raises(flare.CancelledError):
        front(world(asked, *zones), ("cost", "carbon"), cancellation=cancelled)


@pytest.mark.parametrize("scenario", scenarios.SINGLE, ids=lambda scenario: scenario.name)
def test_fronts_of_a_thousand_offers_are_complete_and_hold(scenario: scenarios.Scenario) -> None:
    loaded = phases.load(scenario.build(1_000))
    told = phases.front(loaded)()
    assert told.complete
    assert told.points
    for point in told.points:
        assert not flare.verify(point.plan, loaded.intents, loaded.inventory)
