"""What is left out before the search is never needed, and what is put in front of it is a plan."""

from functools import cache
from typing import Any

import pytest

from flare_core.model.families import broken, rules_of
from flare_core.placement.order import value
from flare_core.placement.packing import Packing, Problem, totals
from flare_core.solve import search as road
from flare_core.solve.bounds import least_primary
from flare_core.solve.greedy import greedy
from flare_core.solve.prune import prune, renumbered, restrict, tighten
from tests.placement.problems import load, problem
from tests.solve.searching import best, offers, searched, worlds
from tests.worlds import intent, offer


@cache
def few() -> list[Problem]:
    """Worlds that can be enumerated."""
    return worlds(range(2000, 2400), places=3000)


@cache
def many() -> list[Problem]:
    """Worlds that are too large for it."""
    return worlds(range(60), larger=True)


def moved(packing: Packing, part: Problem, whole: Problem) -> Packing:
    """Return `packing` of `part` in the numbers of `whole`."""
    return tuple(
        tuple(renumbered(one, small, large) for one in loads)
        for loads, small, large in zip(packing, part.asks, whole.asks, strict=True)
    )


def test_pruning_keeps_an_optimum() -> None:
    pruned = 0
    for one in few():
        smaller = prune(one)
        pruned += sum(len(a.found) for a in smaller.asks) < sum(len(a.found) for a in one.asks)
        whole, part = best(one), best(smaller)
        assert part[:8] == whole[:8]
        assert part[9:] == whole[9:]
    assert pruned >= 50


def test_tightening_keeps_an_optimum_and_the_plan_in_hand() -> None:
    tightened = 0
    for one in few():
        in_hand = greedy(one)
        smaller, same = tighten(one, in_hand)
        tightened += sum(len(a.found) for a in smaller.asks) < sum(len(a.found) for a in one.asks)
        assert moved(same, smaller, one) == in_hand
        assert best(smaller)[:8] == best(one)[:8]
    assert tightened >= 50


def test_larger_worlds_have_the_same_optimum_pruned_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both from the whole problem, once as it is and once with nothing left out before the search."""
    pruned = [value(one, searched(one, effort=60, time_limit=60).packing) for one in many()[::3]]
    monkeypatch.setattr(road, "prune", lambda one: one)
    monkeypatch.setattr(road, "tighten", lambda one, packing: (one, packing))
    whole = [value(one, searched(one, effort=60, time_limit=60).packing) for one in many()[::3]]
    assert whole == pruned


def test_no_plan_is_below_the_bound() -> None:
    bounded = 0
    for one in few():
        bound, optimum = least_primary(one), best(one)
        everyone = optimum.placed == -sum(ask.priority for ask in one.asks)
        if bound is not None and everyone:
            bounded += 1
            assert bound <= optimum.primary
    assert bounded >= 100


# --- what pruning is about --------------------------------------------------------------------------


def left(one: Problem) -> list[str]:
    found = prune(one).asks[0].found
    return [one.inventory.ids[row] for row in found.rows]


def test_a_dearer_offer_goes_where_enough_cheaper_ones_are() -> None:
    assert left(problem(intent(), offer("a"), offer("b", 2))) == ["a"]
    assert left(problem(intent(tasks=2), offer("a"), offer("b", 2), offer("c", 3))) == ["a", "b"]
    assert left(problem(intent(tasks=2), offer("a", nodes=2), offer("b", 2), offer("c", 3))) == ["a"]
    assert left(problem(intent(tasks=9), offer("a", nodes=None), offer("b", 2))) == ["a"]


def test_equal_offers_stay() -> None:
    assert left(problem(intent(), offer("a"), offer("b"))) == ["a", "b"]


def test_a_dearer_offer_stays_where_it_may_be_needed() -> None:
    """For a carbon cap, for an availability, for the worst latency."""
    cap: dict[str, Any] = {"constraints__energy__max_carbon_footprint": "160g CO2/h"}
    clean = offer("b", 2, energy__carbon_intensity=100)
    assert left(problem(intent(tasks=2, **cap), offer("a", nodes=2), clean)) == ["a", "b"]
    up: dict[str, Any] = {"sla__availability": 99.99}
    zone = offer("b", 2, zone="z")
    assert left(problem(intent(tasks=2, **up), offer("a", nodes=2), zone)) == ["a", "b"]
    assert left(problem(intent(tasks=2), offer("a", nodes=2), zone)) == ["a"]
    near = offer("b", 2, performance__latency_ms=5)
    assert left(problem(intent(tasks=2, objective="Latency_Minimization"), offer("a", nodes=2), near)) == [
        "a",
        "b",
    ]


def test_other_intents_count_as_rivals() -> None:
    one = problem([intent("x"), intent("y")], offer("a"), offer("b", 2), offer("c", 3))
    assert [one.inventory.ids[row] for row in prune(one).asks[0].found.rows] == ["a", "b"]


def test_restricting_keeps_columns_and_groups_aligned() -> None:
    ask = problem(intent(), offer("a", gpus=2, nodes=2, used={"gpus": 1}), offer("b", 2), offer("c", 3)).asks[
        0
    ]
    keep = ask.found.task_ueur != 2_000_000
    found = restrict(ask, keep).found
    assert found.rows.tolist() == [0, 2]
    assert found.group_candidate.tolist() == [0, 0, 1]
    assert found.task_ueur.tolist() == [500_000, 3_000_000]
    assert restrict(ask, keep).score.task.tolist() == [500_000, 3_000_000]


# --- greedy -----------------------------------------------------------------------------------------


def test_a_greedy_plan_keeps_every_rule() -> None:
    placed = 0
    for one in (*few(), *many()):
        packing = greedy(one)
        placed += any(packing)
        assert broken(one, packing, rules_of(one)) == ()
    assert placed >= 200


def test_greedy_fills_by_the_objective() -> None:
    cheap, quick = offer("a", nodes=2), offer("b", 9, gpu__fp32_tflops="40", nodes=2)
    for objective, expected in (("Cost_Minimization", "a"), ("Performance_Maximization", "b")):
        one = problem(intent(tasks=2, objective=objective), cheap, quick)
        assert offers(one, greedy(one)) == {expected: 2}


def test_greedy_falls_back_on_the_price_where_the_objective_breaks_the_budget() -> None:
    asked = intent(tasks=2, objective="Performance_Maximization", constraints__max_hourly_cost="3 EUR")
    one = problem(asked, offer("a", nodes=2), offer("b", 2, gpu__fp32_tflops="40", nodes=2))
    assert totals(one.asks[0], greedy(one)[0]).hourly_ueur <= 3_000_000
    assert totals(one.asks[0], greedy(one)[0]).tasks == 2


def test_greedy_spreads_where_an_availability_asks_for_it() -> None:
    low: dict[str, Any] = {"constraints__performance__min_uptime_percent": 80, "sla__availability": 99}
    zones = [offer(f"z{k}", nodes=3, zone=f"z{k}", performance__uptime_percent=90) for k in range(2)]
    one = problem(intent(tasks=2, **low), *zones)
    assert offers(one, greedy(one)) == {"z0": 1, "z1": 1}


def test_greedy_leaves_out_who_does_not_fit_beside_the_weightier() -> None:
    one = problem([intent("x"), intent("y")], offer("a"), priorities={"y": 5.0})
    assert greedy(one) == ((), (load(one, "a", i=1),))
