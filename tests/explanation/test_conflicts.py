"""Which constraints rule everything out together, in worlds where that can be seen at a glance."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from flare_core.explanation import conflicts, feasible
from flare_core.explanation.conflicts import Reasons, reasons
from flare_core.explanation.feasible import Space
from flare_core.explanation.relax import COUNT, GPU, SPOT, Solved, Unproven
from flare_core.requirements.types import Requirements
from tests.refusals import case_of
from tests.worlds import Json, intent, offer, world

MODEL, MEMORY = f"{GPU}.model", f"{GPU}.memory"
LOCATION, BUDGET = "constraints.location", "constraints.max_hourly_cost"
CAP, LATENCY = "constraints.energy.max_carbon_footprint", "constraints.max_latency_ms"


def why(asked: Json, *offers: Json) -> Reasons:
    _, space = case_of(world(asked, *offers))
    assert space.possible(()) is False
    return reasons(space)


def test_one_constraint_that_rules_everything_out_is_a_conflict_by_itself() -> None:
    found = why(intent(constraints__location="US"), offer("a"), offer("b", country="FR"))
    assert found == Reasons(((LOCATION,),), ((LOCATION,),))


def test_two_that_are_each_met_but_never_together_are_one_conflict_and_two_ways_out() -> None:
    asked = intent(constraints__location="EU", workload__resources__gpu__model="nvidia-x2")
    found = why(asked, offer("a"), offer("b", country="US", gpu__model="nvidia-x2"))
    assert found == Reasons(((MODEL, LOCATION),), ((MODEL,), (LOCATION,)))


def test_two_conflicts_need_one_constraint_of_each() -> None:
    asked = intent(constraints__location="US", workload__resources__gpu__memory="80Gi")
    found = why(asked, offer("a"))
    assert found == Reasons(((MEMORY,), (LOCATION,)), ((MEMORY, LOCATION),))


def test_a_conflict_of_four_is_found_although_each_of_them_is_a_way_out() -> None:
    four = (MODEL, COUNT, BUDGET, SPOT)
    asked = intent(gpus=2, constraints__max_hourly_cost="3 EUR", workload__resources__gpu__model="nvidia-x2")
    offered = (
        offer("x2", 8, gpus=2, gpu__model="nvidia-x2", price__spot_hourly="2 EUR/hour"),
        offer("x1", 1, gpus=2),
        offer("one", 1, gpus=1, gpu__model="nvidia-x2"),
    )
    for host in ("cpu", "memory"):  # then nothing but the four is asked
        del asked["workload"]["resources"][host]
    assert why(asked, *offered) == Reasons((four,), tuple((path,) for path in four))


def test_sums_over_the_placement_and_limits_on_offers_speak_one_language() -> None:
    """Two tasks fit either the budget in the wrong place, or the place beyond the budget."""
    asked = intent(tasks=2, constraints__location="EU", constraints__max_hourly_cost="3 EUR")
    found = why(asked, offer("eu", 2, nodes=2), offer("us", 1, nodes=2, country="US"))
    assert found == Reasons(((BUDGET, LOCATION),), ((BUDGET,), (LOCATION,)))


def test_two_budgets_can_be_in_conflict() -> None:
    """What is cheap is dirty: either budget could be kept."""
    asked = intent(
        tasks=2, constraints__max_hourly_cost="2 EUR", constraints__energy__max_carbon_footprint="90g CO2/h"
    )
    clean = offer("clean", 2, nodes=2, energy__carbon_intensity=50)
    dirty = offer("dirty", 1, nodes=2, energy__carbon_intensity=500)
    assert why(asked, clean, dirty) == Reasons(((BUDGET, CAP),), ((BUDGET,), (CAP,)))


def test_replicas_that_are_to_survive_can_be_in_conflict_with_a_place() -> None:
    asked = intent(tasks=2, constraints__location="DE", sla__availability=99.999)
    found = why(asked, offer("a", nodes=2), offer("b", country="FR", zone="z2"))
    assert found == Reasons(((LOCATION, "sla.availability"),), ((LOCATION,), ("sla.availability",)))


def test_defaults_that_nobody_wrote_are_named_where_they_are_in_the_way() -> None:
    assert why(intent(), offer("a", performance__latency_ms=101)).conflicts == ((LATENCY,),)


def test_what_the_shape_of_the_workload_asks_is_no_conflict() -> None:
    assert why(intent(tasks=3), offer("a", nodes=2)) == Reasons((), ())


def test_room_that_smaller_tasks_would_find_is_a_conflict_of_the_size() -> None:
    assert why(intent(gpus=2, tasks=2), offer("a", gpus=3)).conflicts == ((COUNT,),)


def test_sharing_is_no_way_out_where_a_whole_gpu_is_not_free_either() -> None:
    """Without `shared` a task takes a whole GPU, or a part: giving up never allows less."""
    part = {"node": 0, "free_gpus": [], "gpu_milli": {"0": 500}}
    shares: Json = {"gpu__shared": True, "gpu__sharing_strategy": "time-slicing", "gpu__sharing_slots": 4}
    asked = intent(workload__resources__gpu__shared=True, constraints__location="US")
    found = why(asked, offer("a", node_states=[part], **shares))
    assert found == Reasons(((LOCATION,),), ((LOCATION,),))


def test_sets_come_by_size_then_by_precedence() -> None:
    asked = intent(
        workload__resources__gpu__memory="80Gi",
        workload__resources__gpu__model="nvidia-x3",
        constraints__location="EU",
        constraints__max_hourly_cost="2 EUR",
    )
    offered = (
        offer("a", 1, country="US", gpu__memory="80Gi", gpu__model="nvidia-x3"),
        offer("b", 9, gpu__memory="80Gi"),
        offer("c", 1, gpu__model="nvidia-x1"),
    )
    found = why(asked, *offered)
    for sets in (found.conflicts, found.ways_out):
        assert list(sets) == sorted(sets, key=lambda paths: (len(paths), [_rank(path) for path in paths]))
    assert found.conflicts[0] == (MODEL, LOCATION)


def _rank(path: str) -> int:
    return [MODEL, MEMORY, BUDGET, LOCATION].index(path)


# --- the effort -------------------------------------------------------------------------------------


def test_nothing_is_said_that_was_not_settled() -> None:
    """A placer that settles nothing: several tasks that have room are neither possible nor impossible."""

    def unsettled(needs: Requirements) -> Solved | None:
        raise Unproven

    asked = intent(tasks=2, constraints__max_hourly_cost="0.4 EUR", constraints__location="EU")
    _, space = case_of(world(asked, offer("a", nodes=2), offer("us", nodes=2, country="US")))
    blind = replace(space, place=unsettled)
    assert blind.possible({BUDGET}) is None
    assert reasons(blind) == Reasons((), ())


@pytest.mark.parametrize("most", [0, 3])
def test_what_was_asked_too_often_is_not_settled(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    asked = intent(tasks=2, constraints__location="EU", constraints__max_hourly_cost="3 EUR")
    offered = (offer("eu", 2, nodes=2), offer("us", 1, nodes=2, country="US"))
    whole = why(asked, *offered)
    monkeypatch.setattr(feasible, "MOST_SOLVES", most)
    space = _space(asked, *offered)
    found = reasons(space)
    assert space.solves <= most
    assert set(found.conflicts) <= set(whole.conflicts)
    assert set(found.ways_out) <= set(whole.ways_out)


def test_the_clock_ends_the_looks_that_are_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feasible, "FREE_LOOKS", 0)
    _, space = case_of(world(intent(constraints__location="US"), offer("a")))
    assert reasons(replace(space, stop=lambda: True)) == Reasons((), ())
    assert reasons(replace(space, stop=lambda: False)).conflicts == ((LOCATION,),)


def test_no_more_sets_are_reported_than_people_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "MOST_SETS", 2)
    asked = intent(
        constraints__location="US", constraints__providers=["p7"], constraints__availability_zone="z"
    )
    assert len(why(asked, offer("a")).conflicts) == 2


# --- how it is found out ----------------------------------------------------------------------------


def test_offers_that_meet_columns_are_counted() -> None:
    asked = intent(constraints__location="US", workload__resources__gpu__memory="80Gi")
    space = _space(asked, offer("a"), offer("b", country="US"), offer("c", gpu__memory="80Gi"))
    assert [space.having(paths) for paths in ((LOCATION,), (MEMORY,), (LOCATION, MEMORY), ())] == [1, 1, 0, 3]
    assert space.having((SPOT,)) is None


def test_a_constraint_that_every_offer_meets_is_not_looked_at() -> None:
    space = _space(intent(constraints__location="US", constraints__providers=["p1"]), offer("a"))
    assert "constraints.providers" not in space.paths
    assert LOCATION in space.paths


def test_single_tasks_need_no_search() -> None:
    asked = intent(constraints__location="EU", workload__resources__gpu__model="nvidia-x2")
    space = _space(asked, offer("a"), offer("b", country="US", gpu__model="nvidia-x2"))
    reasons(space)
    assert space.solves == 0


def test_tasks_for_which_there_are_too_few_seats_need_no_search() -> None:
    asked = intent(tasks=3, constraints__location="DE")
    space = _space(asked, offer("a", nodes=2), offer("b", country="US"))
    assert (space.possible(()), space.solves) == (False, 0)
    assert (space.possible((LOCATION,)), space.solves) == (True, 1)


def _space(asked: Json, *offers: Json) -> Space:
    return case_of(world(asked, *offers))[1]


def test_the_cheapest_without_some_constraints_is_found() -> None:
    asked = intent(constraints__location="US", constraints__max_hourly_cost="0.5 EUR")
    space = _space(asked, offer("a", 3), offer("b", 2, country="US"))
    for gone, price in (({BUDGET}, 2_000_000), ({BUDGET, LOCATION}, 2_000_000), ({LOCATION}, None)):
        assert _price(space, gone) == price


def _price(space: Space, gone: Collection[str]) -> int | None:
    solved = space.cheapest(gone)
    return None if solved is None else solved.totals.hourly_ueur
