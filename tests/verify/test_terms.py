"""What gave way is checked: that it may, that it is told as it is, and what then has to hold."""

from copy import deepcopy
from typing import Any

import pytest

from flare_core.intent import read_intent
from flare_core.verify import verify

from .worlds import Json, intent, inventory, offer, patched, placement, plan, refused, row

GPU = "workload.resources.gpu"
HOURLY, MEMORY, SPOT = "constraints.max_hourly_cost", f"{GPU}.memory", "constraints.preemptible"
"""A task of these worlds takes two GPUs of 80Gi for 8 EUR."""


def entry(path: str, asked: object, got: object) -> Json:
    return {"path": path, "asked": asked, "got": got}


DEARER = entry(HOURLY, "7.80 EUR", "8.00 EUR/hour")


def rules(asked: Json, *relaxed: Json, offered: bool = False, **changes: Any) -> set[str]:
    """The rules that a placement breaks in which `relaxed` gave way, placed at once or offered."""
    document = told(*relaxed, offered=offered)
    for path, value in changes.items():
        *way, last = path.split("__")
        at: Any = document
        for key in way:
            at = at[int(key) if key.isdecimal() else key]
        at[last] = value
    return {v.rule for v in verify(document, [read_intent(asked)], inventory(offer("a")))}


def told(*relaxed: Json, offered: bool) -> Json:
    made = placement("web", [row(0, "a")], relaxed=list(relaxed))
    if not offered:
        return plan(made)
    until = "2026-01-15T11:00:00Z"
    offering = {"stretched": deepcopy(list(relaxed)), "placement": made, "valid_until": until}
    queued = {**refused("web", "queued"), "relaxed": deepcopy(list(relaxed)), "offer": offering}
    return plan(queued, status="optimal", objective=None, bound=None, gap=None)


def negotiating(**changes: Any) -> Json:
    terms = changes.pop("terms", {})
    return intent(constraints__negotiation=terms, **changes)


DEAR: Json = {"constraints__max_hourly_cost": "7.80 EUR"}
SMALL: Json = {"workload__resources__gpu__memory": "84Gi"}


def test_a_stretch_that_is_allowed_and_told_is_good() -> None:
    assert rules(negotiating(**DEAR), DEARER) == set()
    assert rules(negotiating(**SMALL), entry(MEMORY, "84Gi", "80Gi")) == set()
    both = negotiating(**DEAR, **SMALL)
    assert rules(both, DEARER, entry(MEMORY, "84Gi", "80Gi")) == set()


@pytest.mark.parametrize(
    ("asked", "relaxed", "rule"),
    [
        (intent(**DEAR), [DEARER], "preference"),  # nothing negotiates
        (negotiating(**DEAR), [], "budget"),
        (negotiating(**DEAR), [entry(HOURLY, "7.80 EUR", "7.99 EUR/hour")], "budget"),
        (negotiating(**DEAR), [entry(HOURLY, "7.60 EUR", "8.00 EUR/hour")], "terms"),
        (negotiating(**DEAR), [DEARER, DEARER], "terms"),
        (negotiating(**DEAR), [entry(HOURLY, "7.80 EUR", "8 USD")], "terms"),
        (negotiating(**DEAR), [entry(HOURLY, "7.80 EUR", None)], "terms"),
        (negotiating(**DEAR), [entry(HOURLY, "7.80 EUR", "8.20 EUR")], "terms"),  # beyond the threshold
        (negotiating(**DEAR, terms={"price_flexibility": 0.02}), [DEARER], "terms"),
        (negotiating(**DEAR, terms={"auto_accept_threshold": 0.02}), [DEARER], "terms"),
        (negotiating(**DEAR, terms={"fallback_strategy": "fail"}), [DEARER], "terms"),
        (negotiating(), [entry(HOURLY, None, "8.00 EUR/hour")], "terms"),  # where nothing is asked
        (negotiating(constraints__max_hourly_cost="8.04 EUR"), [entry(HOURLY, "8.04 EUR", "8 EUR")], "terms"),
        (negotiating(**SMALL), [], "constraint"),
        (negotiating(**SMALL), [entry(MEMORY, "84Gi", "82Gi")], "constraint"),
        (
            negotiating(**SMALL, terms={"resource_flexibility": 0.04}),
            [entry(MEMORY, "84Gi", "80Gi")],
            "terms",
        ),
        (negotiating(**DEAR), [DEARER, entry(SPOT, False, True)], "terms"),
    ],
)
def test_a_stretch_that_is_not_allowed_or_not_told_as_it_is(
    asked: Json, relaxed: list[Json], rule: str
) -> None:
    assert rule in rules(asked, *relaxed)


def test_beside_fail_what_is_written_may_stretch() -> None:
    terms = {"fallback_strategy": "fail", "price_flexibility": 0.15}
    assert rules(negotiating(**DEAR, terms=terms), DEARER) == set()


# --- fallbacks --------------------------------------------------------------------------------------

TIER, MODEL = f"{GPU}.tier", f"{GPU}.model"
HIGH: Json = {"workload__resources__gpu__tier": "premium"}


@pytest.mark.parametrize(
    ("strategy", "asked", "relaxed", "good"),
    [
        ("lower_tier", HIGH, [entry(TIER, "premium", "standard")], True),
        ("lower_tier", HIGH, [entry(TIER, "premium", "any")], False),
        ("lower_tier", {"workload__resources__gpu__tier": "inference"},
         [entry(TIER, "inference", "standard")], False),
        ("spot", HIGH, [entry(TIER, "premium", "standard")], False),
        ("spot", DEAR, [DEARER, entry(SPOT, False, True)], False),
        ("lower_tier", {}, [entry(TIER, "any", "standard"), entry(MODEL, "nvidia-h100", "any")], True),
        ("lower_tier", {}, [entry(TIER, "any", "premium"), entry(MODEL, "nvidia-h100", "any")], False),
        ("lower_tier", {}, [entry(TIER, "any", "standard"), entry(MODEL, "nvidia-h100", "nvidia-t4")], False),
        ("shared", {}, [entry(f"{GPU}.shared", False, True)], True),
        ("shared", {}, [entry(f"{GPU}.shared", False, False)], False),
        ("queue", {}, [entry(f"{GPU}.shared", False, True)], False),
        ("spot", {}, [entry(SPOT, False, True)], True),
        ("spot", {}, [entry(SPOT, True, True)], False),
    ],
)  # fmt: skip
def test_a_fallback_is_the_one_that_is_asked_for(
    strategy: str, asked: Json, relaxed: list[Json], good: bool
) -> None:
    document = told(*relaxed, offered=False)
    standard = offer("a", gpu__tier="standard")
    one = negotiating(**asked, terms={"fallback_strategy": strategy})
    found = {v.rule for v in verify(document, [read_intent(one)], inventory(standard))}
    assert ("terms" in found) is not good
    assert found <= {"terms", "constraint"}


# --- offers -----------------------------------------------------------------------------------------

STRICT = negotiating(**DEAR, terms={"auto_accept_threshold": 0.02})
AT = "placements__0__offer"


def test_an_offer_is_a_placement_that_is_checked_like_any() -> None:
    assert rules(STRICT, DEARER, offered=True) == set()
    assert "price" in rules(STRICT, DEARER, offered=True, **{f"{AT}__placement__hourly_cost": "1 EUR/hour"})
    assert "node" in rules(STRICT, DEARER, offered=True, **{f"{AT}__placement__assignments__0__node": 7})


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({f"{AT}__stretched": []}, "terms"),
        ({f"{AT}__valid_until": "soon"}, "shape"),
        ({f"{AT}__placement__status": "rejected"}, "status"),
        ({f"{AT}__placement__intent": "other"}, "status"),
        ({f"{AT}__placement__offer": {}}, "shape"),
        ({f"{AT}": None}, "status"),  # what is relaxed is relaxed in an offer
        ({"placements__0__relaxed": []}, "terms"),
        ({"placements__0__status": "rejected"}, "status"),
    ],
)
def test_an_offer_says_what_it_is(change: Json, rule: str) -> None:
    assert rule in rules(STRICT, DEARER, offered=True, **change)


def test_an_offer_gives_way_in_something() -> None:
    assert rules(negotiating(), offered=True) == {"terms"}


def test_what_is_within_the_threshold_is_placed_and_not_offered() -> None:
    assert rules(negotiating(**DEAR), DEARER, offered=True) == {"terms"}


def test_an_intent_that_is_placed_has_no_offer() -> None:
    offering = told(DEARER, offered=True)["placements"][0]["offer"]
    assert "status" in rules(negotiating(**DEAR), DEARER, placements__0__offer=offering)


def test_offers_take_no_room_from_what_is_placed() -> None:
    first = placement("first", [row(0, "a")])
    queued = told(DEARER, offered=True)["placements"][0]
    intents = [read_intent(intent("first")), read_intent(STRICT)]
    document = plan(first, queued, objective={"placed": 1, "scaled": 0.0}, bound={"placed": 1, "scaled": 0.0})
    found = {v.rule for v in verify(document, intents, inventory(offer("a", nodes=1)))}
    assert found & {"gpus", "capacity", "billing"}


# --- suggestions ------------------------------------------------------------------------------------

PATCH: Json = {"constraints": {"max_hourly_cost": "8 EUR"}}


def suggesting(**changes: Any) -> set[str]:
    """The rules that a rejection breaks with one suggestion, changed at paths within it."""
    suggestion: Json = {
        "alternative": "nvidia-h100 GPUs available in eu-west-1: max_hourly_cost 8 EUR instead of 7.80 EUR",
        "cost_difference": "+0%",
        "performance_impact": "+0%",
        "hourly_cost": "8.00 EUR/hour",
        "patch": PATCH,
        "placement": placement("web", [row(0, "a")]),
    }
    suggestion = patched(suggestion, {key.replace("__", "."): value for key, value in changes.items()})
    document = plan(refused("web"), status="infeasible", objective=None, bound=None, gap=None)
    document["placements"][0]["error"]["suggestions"] = [suggestion]
    return {v.rule for v in verify(document, [read_intent(intent(**DEAR))], inventory(offer("a")))}


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        ({}, set()),
        ({"patch": {}}, {"budget"}),
        ({"patch": {"objective": 1}}, {"terms"}),
        ({"patch": {"workload": {"name": "other"}}}, {"terms"}),
        ({"patch": []}, {"terms"}),
        ({"hourly_cost": "7.00 EUR/hour"}, {"price"}),
        ({"placement.status": "rejected"}, {"terms"}),
        ({"placement.hourly_cost": "7.00 EUR/hour"}, {"price"}),
        ({"placement.assignments": [row(0, "a", node=9)]}, {"node"}),
        ({"alternative": None}, {"shape"}),
    ],
)
def test_a_suggestion_is_a_placement_of_the_intent_under_its_patch(change: Json, rules: set[str]) -> None:
    assert suggesting(**change) == rules


def test_a_suggestion_of_the_reference_alone_is_read() -> None:
    """The API reference knows three of its fields."""
    bare = {
        "alternative": "nvidia-a100 GPUs available",
        "cost_difference": "+15%",
        "performance_impact": None,
    }
    document = plan(refused("web"), status="infeasible", objective=None, bound=None, gap=None)
    document["placements"][0]["error"]["suggestions"] = [bare]
    assert verify(document, [read_intent(intent(**DEAR))], inventory(offer("a"))) == ()


@pytest.mark.parametrize(
    ("claim", "rule"),
    [
        ({"status": "infeasible"}, "status"),
        ({"gap": 0.0}, "objective"),
        ({"bound": 1.0}, "objective"),
        ({"objective": 1.0}, "objective"),
    ],
)
def test_a_plan_in_which_all_wait_claims_no_objective(claim: Json, rule: str) -> None:
    whole: Json = {"status": "optimal", "objective": None, "bound": None, "gap": None}
    asked = [read_intent(negotiating(**DEAR))]
    for document, wrong in (
        (plan(refused("web", "queued"), **whole), set()),
        (plan(refused("web", "queued"), **{**whole, **claim}), {rule}),
    ):
        assert {v.rule for v in verify(document, asked, inventory(offer("a")))} == wrong
