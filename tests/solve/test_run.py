"""One call of CP-SAT after the other: what they may spend together, and what they say when it is spent."""

import threading
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from ortools.sat.python import cp_model

import flare_core as flare
from flare_core.errors import InternalError, NotSupportedError
from flare_core.model.draft import LIMIT, Draft
from flare_core.model.families import rules_of
from flare_core.model.objective.levels import Stage, levels
from flare_core.solve.cpsat import Run
from tests.placement.problems import problem, problem_of
from tests.solve.searching import searched
from tests.worlds import intent, medium, offer

EFFORT = "the effort limit ended the search"
CLOCK = "the wall-clock time limit ended the search: the same input may give another plan"
CANCELLED = "the search was cancelled"


def draft_of(tasks: int = 3) -> Draft:
    """Return a model that takes a search: nodes billed whole, of many sizes and prices."""
    offered = [offer(f"o{k}", 3 + k % 4, 1 + k % 3, 2, price__billing="node") for k in range(8)]
    draft = Draft(problem(intent(tasks=tasks), *offered))
    for rule in rules_of(draft.problem):
        rule.post(draft)
    draft.model.add(draft.placed[0] == 1)
    return draft


def costs(draft: Draft) -> Iterator[tuple[cp_model.IntVar, int]]:
    """Yield the terms of the cost."""
    (level,) = levels(draft, Stage.PRIMARY)
    yield from zip(level.terms.vars, level.terms.coefficients, strict=True)


def steps(*seconds: float) -> Callable[[], float]:
    """Return a timer that shows these seconds one after the other, then the last for ever."""
    shown = iter(seconds)
    return lambda: next(shown, seconds[-1])


def test_an_answer_is_recomputed_from_whole_numbers() -> None:
    draft = draft_of()
    run = Run(flare.Options(), flare.Options().timer())
    answer = run.minimise(draft, draft.total(costs(draft)), None)
    assert answer.proven
    assert answer.values is not None
    assert answer.bound == sum(c * answer.values[v.index] for v, c in costs(draft)) == 4_000_000
    assert run.cuts == []
    assert run.effort > 0


def test_a_bound_beyond_what_a_double_counts_in_ones_is_exact() -> None:
    draft = Draft(problem(intent(), offer("a")))
    draft.model.add(draft.placed[0] == 1)
    answer = Run(flare.Options(), flare.Options().timer()).minimise(
        draft, draft.total([(draft.placed[0], LIMIT - 1)]), None
    )
    assert answer.bound == LIMIT - 1


def test_a_contradiction_is_proven_infeasible() -> None:
    draft = draft_of(tasks=99)
    answer = Run(flare.Options(), flare.Options().timer()).minimise(draft, draft.total(costs(draft)), None)
    assert (answer.proven, answer.values, answer.bound) == (True, None, None)


def test_effort_is_shared_by_all_calls() -> None:
    draft = draft_of()
    run = Run(flare.Options(effort=1e-9), flare.Options().timer())
    before = run.over
    run.minimise(draft, draft.total(costs(draft)), None)
    assert [before, run.over] == [False, True]
    assert run.cuts == [EFFORT]


def test_a_call_without_effort_or_time_says_why_it_knows_nothing() -> None:
    """A hard model and next to nothing to spend: no answer, never a wrong one."""
    one = problem_of(medium(5, tasks=24, offers=60))
    draft = Draft(one)
    for rule in rules_of(one):
        rule.post(draft)
    run = Run(flare.Options(effort=1e-9), flare.Options().timer())
    answer = run.minimise(draft, draft.total((v, -1) for v in draft.placed), None)
    assert answer.status != cp_model.INFEASIBLE
    assert answer.proven or run.cuts == [EFFORT]
    assert answer.bound is not None


def test_the_fuse_burns_from_the_start_of_the_search() -> None:
    run = Run(flare.Options(time_limit=10, timer=steps(4.0, 9.0, 10.5)), started=0.0)
    assert run.seconds_left == 6.0
    assert [run.over, run.over] == [False, True]
    assert run.cuts == [CLOCK]


def test_each_reason_is_told_once() -> None:
    cancellation = flare.Cancellation()
    run = Run(flare.Options(cancellation=cancellation, effort=1, timer=steps(0.0)), started=0.0)
    run.effort = 2
    assert run.over
    assert run.over
    cancellation.cancel()
    assert run.over
    assert run.cuts == [EFFORT, CANCELLED]


def test_cancelled_before_no_call_is_made() -> None:
    cancellation = flare.Cancellation()
    cancellation.cancel()
    asked = [intent("x", tasks=2), intent("y", tasks=2)]
    one = problem(asked, offer("a", 2, 2, 2), offer("b", 3, 2, 2))
    found = searched(one, cancellation=cancellation)
    assert any(found.packing)  # what greedy found
    assert found.effort == 0
    assert found.warnings[0] == CANCELLED


def test_cancelled_during_a_call_it_ends() -> None:
    """From the first plan on another thread calls the search off; the plan in hand comes back."""
    cancellation = flare.Cancellation()
    stopper = threading.Thread(target=cancellation.cancel)

    def watch(_: flare.Progress) -> None:
        if not stopper.ident:
            stopper.start()
            stopper.join()

    world = medium(16, intents=3, tasks=30, offers=60)
    document = world.document(cancellation=cancellation, on_progress=watch, effort=1e6, time_limit=1e6)
    assert CANCELLED in document["warnings"]
    assert [p["status"] for p in document["placements"]] == ["placed"] * 3


def test_nobody_is_called_after_the_search() -> None:
    cancellation = flare.Cancellation()
    world = medium(7, intents=2)
    world.place(cancellation=cancellation)
    called = []
    cancellation.watch(lambda: called.append(1))
    cancellation.cancel()
    assert called == [1]  # and no stop of a solver that is gone


def test_an_invalid_model_is_an_internal_error_and_never_no_resources() -> None:
    draft = draft_of()
    draft.model.proto.variables[0].domain[0] = 5  # of 5 … 1
    with pytest.raises(InternalError, match="the model is invalid"):
        Run(flare.Options(), flare.Options().timer()).minimise(draft, draft.total([]), None)


@pytest.mark.parametrize("coefficient", [LIMIT, 2**62, 2**63, 10**30, -LIMIT])
def test_no_sum_reaches_what_is_no_longer_exact(coefficient: int) -> None:
    draft = draft_of()
    with pytest.raises(NotSupportedError, match="2\\*\\*53"):
        draft.total([(draft.placed[0], coefficient)])


def test_a_sum_just_below_is_fine_and_one_beyond_it_together_is_not() -> None:
    draft = draft_of()
    one, other = draft.flag("one"), draft.flag("other")
    terms = draft.total([(one, LIMIT - 1), (draft.tasks[0, 0], 0)])
    assert (terms.least, terms.most) == (0, LIMIT - 1)
    with pytest.raises(NotSupportedError):
        draft.total([(one, LIMIT // 2), (other, -(LIMIT // 2))])


def test_the_bounds_of_a_sum_follow_from_its_variables() -> None:
    draft = draft_of()
    flag, number = draft.flag("flag"), draft.count(7, "number")
    terms = draft.total([(flag, -3), (number, 2), (flag, 0)])
    assert (terms.least, terms.most, terms.is_constant) == (-3, 14, False)
    assert draft.total([]).is_constant


def test_hints_good_and_bad_change_no_answer() -> None:
    """Complete, empty, against the rules: the optimum is the same."""
    for hint in (None, "nothing", "everything"):
        draft = draft_of()
        size = len(draft.model.proto.variables)
        values = {"nothing": (0,) * size, "everything": (99,) * size}.get(str(hint))
        answer = Run(flare.Options(), flare.Options().timer()).minimise(
            draft, draft.total(costs(draft)), values
        )
        assert answer.bound == 4_000_000


def test_progress_is_told_with_the_time_since_the_start() -> None:
    told: list[tuple[float, float | None, float | None]] = []
    ticks = count()
    draft = draft_of()
    run = Run(flare.Options(time_limit=1e6, timer=lambda: float(next(ticks))), started=0.0)
    run.minimise(draft, draft.total(costs(draft)), None, watch=lambda *said: told.append(said))
    assert told
    seconds = [said[0] for said in told]
    assert seconds == sorted(seconds)
    assert told[-1][1] == 4_000_000
