"""Five outcomes stay five, each forced through `place`; a search that is stopped never says "no"."""

import threading
import time

import pytest
from ortools.sat.python import cp_model

import flare_core as flare
from flare_core.model.draft import Expr, Terms
from tests.worlds import World, intent, medium, offer, patched, world

HARD = medium(1, intents=12, tasks=36, offers=60)
"""Takes far longer than these tests to prove."""

LONG = medium(0, intents=8, tasks=24, offers=40)
"""Takes a few seconds, most of them on the objective."""

PUZZLE: World = world(
    intent(
        "job",
        "job",
        tasks=2,
        constraints__max_hourly_cost="11 EUR",
        constraints__energy__max_carbon_footprint="250 g CO2/h",
    ),
    offer("cheap", price=1, nodes=2, energy__carbon_intensity=500),
    offer("clean", price=10, nodes=2, energy__carbon_intensity=100),
)
"""Neither two cheap nor two clean nodes will do, and a first guess takes either: it has to be searched."""


def test_optimal_is_proven_by_its_bound() -> None:
    document = PUZZLE.document()
    assert document["status"] == "optimal"
    assert {row["offer"] for row in document["placements"][0]["assignments"]} == {"cheap", "clean"}
    assert (document["bound"], document["gap"]) == (document["objective"], 0.0)


def test_infeasible_is_a_rejection_with_a_reason() -> None:
    short = patched(PUZZLE.intents[0], constraints__max_hourly_cost="10.999999 EUR")
    document = world(short, *PUZZLE.offers).document()
    assert (document["status"], document["objective"], document["bound"]) == ("infeasible", None, None)
    assert document["placements"][0]["status"] == "rejected"
    assert document["placements"][0]["error"]["error_code"]


@pytest.mark.parametrize(("effort", "seconds"), [(1e-3, 60.0), (600.0, 0.2)], ids=["effort", "time"])
def test_feasible_says_how_far_it_may_be_from_the_optimum(effort: float, seconds: float) -> None:
    document = HARD.document(effort=effort, time_limit=seconds)
    assert document["status"] == "feasible"
    assert 0 < document["gap"] <= 1
    assert document["objective"]["placed"] <= document["bound"]["placed"]
    assert any("limit" in warning for warning in document["warnings"])
    kinds = {(p["status"], p["error"] is None) for p in document["placements"]}
    assert ("placed", True) in kinds
    assert kinds <= {("placed", True), ("unknown", True), ("rejected", False)}


def test_unknown_is_not_a_no() -> None:
    document = PUZZLE.document(time_limit=1e-6)
    assert (document["status"], document["objective"], document["gap"]) == ("unknown", None, None)
    assert document["placements"][0]["status"] == "unknown"
    assert document["placements"][0]["error"] is None
    assert any("limit" in warning for warning in document["warnings"])


def test_what_a_screen_rules_out_is_infeasible_without_any_time() -> None:
    elsewhere = patched(PUZZLE.intents[0], constraints__location="JP")
    assert world(elsewhere, *PUZZLE.offers).document(time_limit=1e-6)["status"] == "infeasible"


def test_an_invalid_model_is_an_internal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def huge(terms: Terms) -> Expr:
        return cp_model.LinearExpr.weighted_sum(list(terms.vars), [2**62] * len(terms.vars))

    monkeypatch.setattr(Terms, "expr", huge)
    with pytest.raises(flare.InternalError):
        PUZZLE.place()


# --- stopping ---------------------------------------------------------------------------------------


def test_another_thread_ends_the_search_and_gets_the_plan_in_hand() -> None:
    cancellation = flare.Cancellation()
    killer = threading.Timer(0.3, cancellation.cancel)
    killer.start()
    started = time.monotonic()
    document = HARD.document(cancellation=cancellation, time_limit=60, effort=600)
    took = time.monotonic() - started
    killer.join()
    assert took < 20
    assert document["status"] == "feasible"
    assert any("cancelled" in warning for warning in document["warnings"])


def test_cancelled_before_anything_is_known_is_an_error() -> None:
    cancellation = flare.Cancellation()
    cancellation.cancel()
    with pytest.raises(flare.FlareError, match="cancelled"):
        PUZZLE.place(cancellation=cancellation)


def test_cancelled_at_once_the_first_guess_is_returned() -> None:
    cancellation = flare.Cancellation()
    cancellation.cancel()
    assert HARD.document(cancellation=cancellation)["status"] == "feasible"


def test_progress_only_gets_better() -> None:
    told: list[flare.Progress] = []
    LONG.place(on_progress=told.append)
    assert told
    assert [p.time_s for p in told] == sorted(p.time_s for p in told)
    best = [p.incumbent for p in told if p.incumbent is not None]
    bounds = [p.bound for p in told if p.bound is not None]
    assert best == sorted(best, reverse=True)
    assert bounds == sorted(bounds)
    assert all(p.gap is None or p.gap >= 0 for p in told)
