"""CP-SAT level by level: ties, second opinions, uptimes that no table holds, and stopping early."""

from functools import cache
from typing import Any

import pytest

import flare_core as flare
from benchmarks import phases, scenarios
from flare_core.errors import InternalError
from flare_core.model.constraints.availability import Availability
from flare_core.model.families import broken, rules_of
from flare_core.placement.order import value
from flare_core.placement.packing import Packing, Problem
from flare_core.placement.types import Outcome
from flare_core.solve import lexicographic
from flare_core.solve.cpsat import Answer, Run
from flare_core.solve.greedy import greedy
from flare_core.solve.result import Search
from tests.placement.problems import load, packings, problem, problem_of
from tests.solve.searching import best, offers, searched, worlds
from tests.worlds import Json, intent, medium, offer

NOTHING: Packing = ((),)


def descended(one: Problem, incumbent: Packing | None = None, **options: Any) -> Search:
    """Search without closed form and pruning, from nothing unless a packing is given."""
    given = flare.Options(**options)
    start = tuple(() for _ in one.asks) if incumbent is None else incumbent
    return lexicographic.search(one, start, Run(given, given.timer()))


@cache
def few() -> list[Problem]:
    return worlds(range(3000, 3250), places=2000)


def test_from_nothing_it_finds_the_optimum_down_to_the_last_tie() -> None:
    for one in few():
        found = descended(one)
        assert found.outcome in (Outcome.OPTIMAL, Outcome.INFEASIBLE)
        assert value(one, found.packing) == best(one)
        assert found.warnings == ()
    assert len(few()) >= 100


def test_any_plan_to_start_from_leads_to_the_same() -> None:
    """V12: a first plan is a hint, whatever it is."""
    for one in few()[::4]:
        rules = rules_of(one)
        legal = [packing for packing in packings(one) if not broken(one, packing, rules)]
        for start in (legal[0], legal[-1], legal[len(legal) // 2]):
            assert value(one, descended(one, start).packing) == best(one)


@pytest.mark.parametrize("options", [{"seed": 7}, {"seed": 2**31 - 1}, {"workers": 4}], ids=str)
def test_seeds_and_threads_do_not_matter(options: dict[str, Any]) -> None:
    for one in few()[:: 20 if "workers" in options else 5]:
        found = descended(one, **options)
        assert value(one, found.packing) == best(one)


def test_the_bound_of_a_proven_plan_is_its_value() -> None:
    for one in few()[::3]:
        found = descended(one)
        if found.outcome is Outcome.OPTIMAL and found.bound is not None:
            assert found.bound == value(one, found.packing).primary
            assert found.placed_bound == -value(one, found.packing).placed


# --- ties -------------------------------------------------------------------------------------------


def test_the_question_whether_there_is_another_plan_is_answered_rightly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Never asking, so that all levels are gone through, leads to the same plans."""
    asked: list[bool] = []
    honest = lexicographic._Descent._only

    def only(self: lexicographic._Descent) -> bool | None:
        answer = honest(self)
        asked.append(bool(answer))
        return answer

    monkeypatch.setattr(lexicographic._Descent, "_only", only)
    quick = [value(one, descended(one).packing) for one in few()]
    monkeypatch.setattr(lexicographic._Descent, "_only", lambda self: False)
    thorough = [value(one, descended(one).packing) for one in few()]
    assert quick == thorough
    assert asked.count(True) >= 20
    assert asked.count(False) >= 15


def test_two_nodes_of_one_offer_are_one_choice_of_offers_but_two_of_groups() -> None:
    """Both tasks fit the fresh node; the begun one has the smaller number but would be a second node."""
    states = [{"node": 0, "free_gpus": [1], "cpu": "8", "memory": "32Gi"}]
    one = problem(intent(tasks=2), offer("o", 2, 2, 2, node_states=states))
    assert descended(one).packing == ((load(one, "o", 2, node=1),),)


def test_unsettled_ties_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicographic._Descent, "_settle", lambda self: False)
    found = descended(problem(intent(), offer("a"), offer("b")))
    assert found.outcome is Outcome.OPTIMAL
    assert found.warnings == ("the objective is proven, the ties among equal plans are not settled",)


# --- who is placed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("priorities", "placed"),
    [({}, {"x", "y"}), ({"z": 1.9}, {"x", "y"}), ({"z": 2.1}, {"z"}), ({"z": 2.0, "x": 0.9}, {"z"})],
)
def test_the_most_weight_is_placed(priorities: dict[str, float], placed: set[str]) -> None:
    """One of two GPUs beside two of one."""
    asked = [intent("x"), intent("y"), intent("z", gpus=2)]
    one = problem(asked, offer("o", gpus=2), priorities=priorities)
    found = descended(one)
    assert {ask.name for ask, loads in zip(one.asks, found.packing, strict=True) if loads} == placed
    assert found.outcome is Outcome.OPTIMAL


def test_nobody_placed_is_infeasible_only_when_proven() -> None:
    crowded = [intent("x", tasks=2, gpus=2), intent("y", tasks=3)]
    one = problem(crowded, offer("o", gpus=2))
    assert descended(one).outcome is Outcome.INFEASIBLE
    assert descended(one, time_limit=1e-9).outcome is Outcome.UNKNOWN


def test_a_second_answer_that_contradicts_the_first_is_an_internal_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """V3: a first search that wrongly says "no" is not believed."""
    honest = Run.minimise

    def blind(self: Run, draft: Any, terms: Any, hint: Any, *, seed: int = 0, **rest: Any) -> Answer:
        if seed != lexicographic.OTHER_SEED:
            for placed in draft.placed:  # the planted bug: nobody is ever placed
                draft.model.add(placed == 0)
        return honest(self, draft, terms, hint, seed=seed, **rest)

    monkeypatch.setattr(Run, "minimise", blind)
    one = problem([intent("x"), intent("y")], offer("o", gpus=2))
    with pytest.raises(InternalError, match="two searches disagree"):
        descended(one)


def test_without_a_second_answer_nothing_is_called_infeasible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicographic._Descent, "_confirmed", lambda self, placed: False)
    crowded = problem([intent("x", tasks=2, gpus=2), intent("y", tasks=3)], offer("o", gpus=2))
    assert descended(crowded).outcome is Outcome.UNKNOWN


def test_a_plan_that_breaks_a_rule_never_leaves_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    one = problem([intent("x"), intent("y")], offer("o", gpus=1), offer("p", 2))
    wrong = ((load(one, "o"),), (load(one, "o", i=1),))
    monkeypatch.setattr(lexicographic, "packing_of", lambda draft, values: wrong)
    with pytest.raises(InternalError, match="the search breaks a rule: the GPUs of node 0"):
        descended(one)


# --- availability -----------------------------------------------------------------------------------


def zones(*uptimes: float, **changes: Any) -> list[Json]:
    return [
        offer(f"z{k}", 1 + k / 10, 2, zone=f"z{k}", performance__uptime_percent=up, **changes)
        for k, up in enumerate(uptimes)
    ]


def wanting(asked: float, tasks: int = 3) -> Json:
    return intent(tasks=tasks, sla__availability=asked, constraints__performance__min_uptime_percent=80)


@pytest.mark.parametrize("asked", [90, 95, 97.5, 98, 99, 99.4, 99.9])
@pytest.mark.parametrize("tasks", [2, 3, 4])
def test_unequal_uptimes_are_cut_off_until_the_optimum_is_left(tasks: int, asked: float) -> None:
    one = problem(wanting(asked, tasks), *zones(99.5, 90.0, 97.0, 92.0))
    found = descended(one)
    assert value(one, found.packing) == best(one)
    joint = list(Availability.read(one))
    assert all(rule.holds(one.asks[0], found.packing) for rule in joint if any(found.packing))


def test_cuts_are_really_needed_and_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Packing] = []
    honest = Availability.cut

    def cut(self: Availability, draft: Any, packing: Packing) -> bool:
        if honest(self, draft, packing):
            made.append(packing)
            return True
        return False

    monkeypatch.setattr(Availability, "cut", cut)
    one = problem(wanting(99.4), *zones(90.0, 92.0, 97.0, 99.5))
    found = descended(one)
    assert offers(one, found.packing)
    assert made
    assert len(made) == len(set(made))  # none comes back
    (rule,) = Availability.read(one)
    assert not any(rule.holds(one.asks[0], packing) for packing in made)


def test_many_tasks_are_judged_without_a_table() -> None:
    """Beyond the splits that are tabulated every answer is looked at."""
    offered = [offer(f"z{k}", 1 + k / 10, 16, zone=f"z{k}", performance__uptime_percent=90) for k in range(3)]
    one = problem(wanting(97, 13), *offered)
    found = descended(one)
    assert found.outcome is Outcome.OPTIMAL
    (rule,) = Availability.read(one)
    assert rule.holds(one.asks[0], found.packing)
    assert sorted(offers(one, found.packing)) == ["z0", "z1", "z2"]


def test_an_availability_out_of_reach_is_infeasible() -> None:
    one = problem(wanting(99.99), *zones(90.0, 90.0, 90.0))
    assert descended(one).outcome is Outcome.INFEASIBLE


# --- stopping early ---------------------------------------------------------------------------------

EFFORTS = (1e-9, 1e-4, 1e-3, 1e-2, 1e-1)


def test_however_little_is_spent_the_plan_keeps_the_rules_and_is_no_worse_than_greedy() -> None:
    early = 0
    for seed in range(0, 30, 2):
        one = problem_of(medium(seed, intents=1 + seed % 3, tasks=12, offers=30))
        first = value(one, greedy(one))
        for effort in EFFORTS:
            found = searched(one, effort=effort, time_limit=1e6)
            early += found.outcome is Outcome.FEASIBLE
            assert broken(one, found.packing, rules_of(one)) == ()
            assert value(one, found.packing)[:4] <= first[:4]
    assert early >= 5


def test_a_plan_that_is_not_proven_has_a_bound_that_holds_and_says_what_ended_it() -> None:
    bounded = 0
    for seed in range(0, 30, 2):
        one = problem_of(medium(seed, intents=1 + seed % 3, tasks=12, offers=30))
        full = searched(one, effort=60, time_limit=1e6)
        if full.outcome is not Outcome.OPTIMAL:
            continue
        optimum = value(one, full.packing)
        for effort in EFFORTS:
            found = searched(one, effort=effort, time_limit=1e6)
            assert -found.placed_bound <= optimum.placed
            if found.outcome is Outcome.FEASIBLE:
                assert "the effort limit ended the search" in found.warnings
            if found.bound is not None and value(one, found.packing)[:3] == optimum[:3]:
                bounded += 1
                assert found.bound <= optimum.primary
    assert bounded >= 15


def test_a_result_cannot_contradict_itself() -> None:
    with pytest.raises(ValueError, match="optimal"):
        Search(packing=NOTHING, outcome=Outcome.OPTIMAL, bound=None, placed_bound=0, path="cp-sat")


def test_a_plan_on_more_nodes_than_have_to_stand_apart_is_no_hint_but_still_a_plan() -> None:
    """Where candidates are left out after the objective, fewer nodes stand apart than the plan may use."""
    loaded = phases.load(scenarios.crowd(1_000, 9))
    plan = flare.place(loaded.intents, loaded.inventory, now=scenarios.NOW)
    assert (plan.outcome, plan.gap) == (Outcome.OPTIMAL, 0)
    assert not any("not settled" in warning for warning in plan.warnings)
