"""Prices and carbon that change over time: what is told of a run is integrated again, piece by piece."""

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

import flare_core as flare
from flare_core.verify import verify
from flare_core.verify.offers import Offer
from flare_core.verify.series import highest, mean, pieces
from tests.worlds import Json, intent, offer, put

NOW = datetime.fromisoformat("2026-01-15T10:00:00+00:00")
HALF = timedelta(minutes=30)
STEPS = [["2026-01-15T10:30:00Z", "1.000001 EUR/hour"], ["2026-01-15T11:15:00Z", "2 EUR/hour"]]
CLEAN = [["2026-01-15T11:00:00Z", 50]]


def made(**changes: Any) -> flare.Inventory:
    told = offer("o", 3, price__series=STEPS, energy__series=CLEAN, **changes)
    return flare.read_inventory({"version": 1, "offers": [told]})


def placed(one: Json) -> Json:
    plan = flare.place(flare.read_intent(one), made(), now=NOW)
    return plan.to_dict()


def job(until: str = "12:00", **changes: Any) -> Json:
    ends = f"2026-01-15T{until}:00Z"
    return intent("j", "job", workload__job__timeout="45m", constraints__deadline=ends, **changes)


def test_a_run_is_cut_into_pieces_at_each_step() -> None:
    one = Offer(made(), 0)
    found = list(pieces(one, "hourly_ueur", NOW, NOW + 3 * HALF))
    assert [each.hours for each in found] == [Fraction(1, 2), Fraction(3, 4), Fraction(1, 4)]
    assert [each.value for each in found] == [Fraction(price) for price in (3_000_000, 1_000_001, 2_000_000)]
    assert highest(one, "hourly_ueur", NOW + HALF, NOW + 2 * HALF) == 1_000_001
    assert mean(one, "carbon_intensity", NOW, NOW + 4 * HALF) == 125
    assert highest(one, "spot_ueur", NOW, NOW + HALF) is None


def test_a_plan_over_steps_passes() -> None:
    plan = placed(job())
    assert plan["placements"][0]["start_time"] == "2026-01-15T10:30:00Z"
    assert plan["placements"][0]["total_cost"] == "0.750001 EUR"
    assert verify(plan, [flare.read_intent(job())], made()) == ()


def later(plan: Json) -> None:
    """Let the run begin later, when it meets the next step."""
    for told in (plan["placements"][0], plan["placements"][0]["assignments"][0]):
        told["start_time"], told["end_time"] = "2026-01-15T10:31:00Z", "2026-01-15T11:16:00Z"


DAMAGE: dict[str, tuple[Callable[[Json], None], str]] = {
    "the plain price": (
        lambda plan: put(plan["placements"][0]["assignments"][0], "hourly_cost", "3 EUR/hour"),
        "price",
    ),
    "a micro-euro less": (lambda plan: put(plan["placements"][0], "total_cost", "0.750000 EUR"), "price"),
    "a minute later": (later, "price"),
    "the plain carbon": (lambda plan: put(plan["placements"][0], "carbon_g_per_hour", 1.0), "figure"),
    "bought as spot": (lambda plan: put(plan["placements"][0]["assignments"][0], "spot", True), "spot"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_told_wrong_is_found(damage: str) -> None:
    change, rule = DAMAGE[damage]
    plan = deepcopy(placed(job()))
    change(plan)
    assert rule in {each.rule for each in verify(plan, [flare.read_intent(job())], made())}


def test_the_mean_is_the_objective_and_the_highest_the_figure() -> None:
    one = job("11:15", objective="Energy_Efficiency")
    plan = placed(one)
    assert verify(plan, [flare.read_intent(one)], made()) == ()
    plan["objective"] = plan["bound"] = plan["placements"][0]["carbon_g_per_hour"]
    assert {each.rule for each in verify(plan, [flare.read_intent(one)], made())} == {"objective"}
