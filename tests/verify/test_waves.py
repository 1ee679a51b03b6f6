"""The checker on batches in waves, later starts and needed times: good plans pass, each damage is seen."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

import flare_core as flare
from flare_core.verify import verify
from tests.worlds import Json, intent, offer, world

EARLY, LATE = "2026-01-15T10:00:00Z", "2026-01-15T11:00:00Z"
BATCH = intent(
    "b",
    "batch",
    4,
    workload__job__timeout="1h",
    constraints__deadline="2026-01-15T12:00:00Z",
    constraints__max_hourly_cost="2 EUR",
)
WHOLE = offer("o", 2, 2, price__billing="node", energy__carbon_intensity=500)
OFFICE = {"window_start": "12:00", "window_end": "14:00"}


def checked(asked: Json, offered: Json, damage: Callable[[dict[str, Any]], None]) -> set[str]:
    """The rules that a damaged plan breaks; the plan as it was made breaks none."""
    plan = world(asked, offered).place().to_dict()
    inventory = flare.read_inventory({"version": 1, "offers": [deepcopy(offered)]})
    intents = [flare.read_intent(deepcopy(asked))]
    assert verify(plan, intents, inventory) == ()
    [placement] = plan["placements"]
    damage(placement)
    return {violation.rule for violation in verify(plan, intents, inventory)}


def rows(placement: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = placement["assignments"]
    return found


def first_wave_twice(placement: dict[str, Any]) -> None:
    for row in rows(placement):
        row |= {"start_time": EARLY, "end_time": LATE}
    placement["end_time"] = LATE


def a_pause(placement: dict[str, Any]) -> None:
    for row in rows(placement)[2:]:
        row |= {"start_time": "2026-01-15T11:00:01Z", "end_time": "2026-01-15T12:00:01Z"}
    placement["end_time"] = "2026-01-15T12:00:01Z"


def second_wave_for_nothing(placement: dict[str, Any]) -> None:
    rows(placement)[2]["hourly_cost"] = "0.00 EUR/hour"


def both_waves_at_once_by_the_hour(placement: dict[str, Any]) -> None:
    placement["hourly_cost"] = "4.00 EUR/hour"


def later_than_its_first_task(placement: dict[str, Any]) -> None:
    placement["start_time"] = LATE


def sooner_done_than_its_last_task(placement: dict[str, Any]) -> None:
    placement["end_time"] = LATE


def one_task_longer(placement: dict[str, Any]) -> None:
    rows(placement)[0]["end_time"] = "2026-01-15T11:00:01Z"


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (first_wave_twice, "gpus"),
        (a_pause, "billing"),
        (second_wave_for_nothing, "price"),
        (both_waves_at_once_by_the_hour, "price"),
        (later_than_its_first_task, "time"),
        (sooner_done_than_its_last_task, "time"),
        (one_task_longer, "time"),
    ],
)
def test_damage_to_a_batch_in_waves_is_seen(damage: Callable[[dict[str, Any]], None], rule: str) -> None:
    assert rule in checked(BATCH, WHOLE, damage)


def test_a_node_that_its_offer_takes_back_is_bought_again() -> None:
    closed = offer(
        "o", 2, 2, price__billing="node", availability={"window_start": "12:00", "window_end": "11:00"}
    )
    batch = intent("b", "batch", 4, workload__job__timeout="1h", constraints__deadline="2026-01-15T13:00:00Z")
    plan = world(batch, closed).place().to_dict()
    [placement] = plan["placements"]
    assert [row["start_time"][11:16] for row in rows(placement)] == ["10:00", "10:00", "12:00", "12:00"]
    assert (placement["total_cost"], placement["hourly_cost"]) == ("4.00 EUR", "2.00 EUR/hour")


def test_the_emission_told_is_the_highest_at_any_moment() -> None:
    def doubled(placement: dict[str, Any]) -> None:
        placement["carbon_g_per_hour"] *= 2

    assert checked(BATCH, WHOLE, doubled) == {"figure"}


def at(start: str, end: str) -> Callable[[dict[str, Any]], None]:
    def moved(placement: dict[str, Any]) -> None:
        for part in (placement, *rows(placement)):
            part |= {"start_time": f"2026-01-15T{start}Z", "end_time": f"2026-01-15T{end}Z"}

    return moved


@pytest.mark.parametrize(
    ("start", "end", "broken"),
    [
        ("12:00:00", "13:00:00", set()),
        ("13:00:00", "14:00:00", set()),
        ("11:59:59", "12:59:59", {"calendar"}),
        ("13:00:01", "14:00:01", {"calendar"}),
    ],
)
@pytest.mark.parametrize("whose", ["offer", "intent"])
def test_a_run_keeps_within_the_hours_of_its_offer_and_of_its_intent(
    start: str, end: str, broken: set[str], whose: str
) -> None:
    asked, offered = intent("j", "job", workload__job__timeout="1h"), offer("o")
    if whose == "offer":
        offered["availability"] = OFFICE
    else:
        asked["constraints"] = {"availability": OFFICE}
    assert checked(asked, offered, at(start, end)) == broken


def test_a_service_is_not_on_an_offer_that_closes_when_it_is_needed() -> None:
    asked = intent("s", constraints__availability=OFFICE)
    night = offer("o", availability={"window_start": "11:00", "window_end": "15:00"})
    plan = world(asked, night).place().to_dict()
    intents = [flare.read_intent(asked)]
    for opens, broken in (("12:00", set()), ("12:01", {"calendar"})):
        there = {**night, "availability": {"window_start": opens, "window_end": "15:00"}}
        inventory = flare.read_inventory({"version": 1, "offers": [there]})
        assert {violation.rule for violation in verify(plan, intents, inventory)} == broken


def test_a_node_is_given_back_where_its_intent_needs_nothing() -> None:
    batch = intent("b", "batch", 2, workload__job__timeout="1h", constraints__availability=OFFICE)
    batch["constraints"] |= {
        "deadline": "2026-01-16T13:00:00Z",
        "availability": {**OFFICE, "window_end": "13:00"},
    }
    plan = world(batch, offer("o", 2, 1, price__billing="node")).place().to_dict()
    [placement] = plan["placements"]
    assert [row["start_time"] for row in rows(placement)] == ["2026-01-15T12:00:00Z", "2026-01-16T12:00:00Z"]
    assert placement["total_cost"] == "4.00 EUR"
