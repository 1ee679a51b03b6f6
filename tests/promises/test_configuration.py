"""How the solver is set up, and what it is told to begin with, does not change what it proves."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from flare_core.model.draft import Draft
from flare_core.options import Options
from flare_core.placement.order import Value, value
from flare_core.placement.packing import Packing, Problem
from flare_core.placement.types import Outcome
from flare_core.solve import lexicographic
from flare_core.solve.cpsat import LIGHT, Answer, Run
from flare_core.solve.greedy import greedy
from tests.oracle.test_paths import problem_of
from tests.worlds import medium

SEEDS = (0, 1, 2)
WORKERS = (1, 8)


class Configured(Run):
    """A run with a presolve of its own."""

    presolve: Mapping[str, int | bool] = LIGHT

    def minimise(self, *args: Any, **settings: Any) -> Answer:
        return super().minimise(*args, **{"presolve": self.presolve, **settings})


class Thorough(Configured):
    """A run with the solver's full presolve."""

    presolve: Mapping[str, int | bool] = {}


def problem(seed: int) -> Problem:
    return problem_of(medium(seed, intents=1 + seed % 3, tasks=6, offers=14))


def searched(
    problem: Problem, run: type[Run] = Run, incumbent: Packing | None = None, **options: Any
) -> tuple[Outcome, Value]:
    settings = Options(time_limit=600, effort=600, timer=lambda: 0.0, **options)
    start = greedy(problem) if incumbent is None else incumbent
    found = lexicographic.search(problem, start, run(settings, 0.0))
    return found.outcome, value(problem, found.packing)


def _agree(number: int) -> None:
    asked = problem(number)
    answers = {
        (run.__name__, seed, workers): searched(asked, run, seed=seed, workers=workers)
        for run in (Configured, Thorough)
        for seed in SEEDS
        for workers in WORKERS
    }
    assert len(set(answers.values())) == 1, (number, answers)


@pytest.mark.parametrize("number", range(10))
def test_presolve_seed_and_workers_do_not_change_the_optimum(number: int) -> None:
    _agree(number)


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(10))
def test_presolve_seed_and_workers_do_not_change_three_hundred_optima(chunk: int) -> None:
    for number in range(1000 + 30 * chunk, 1000 + 30 * (chunk + 1)):
        _agree(number)


# --- hints ------------------------------------------------------------------------------------------


def _unhelpful(monkeypatch: pytest.MonkeyPatch, random: Random) -> None:
    def hint(draft: Draft, packing: Packing) -> tuple[int, ...]:
        ends = (draft.bounds.get(k, (0, 1)) for k in range(len(draft.model.proto.variables)))
        return tuple(random.randint(low - 1, high + 1) for low, high in ends)

    monkeypatch.setattr(lexicographic, "_hint", hint)


def _hinted(monkeypatch: pytest.MonkeyPatch, numbers: range) -> None:
    for number in numbers:
        asked = problem(number)
        nothing: Packing = tuple(() for _ in asked.asks)
        expected = searched(asked)
        with monkeypatch.context() as patch:
            _unhelpful(patch, Random(number))
            assert searched(asked) == expected, number
            assert searched(asked, incumbent=nothing) == expected, number


def test_wrong_hints_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    _hinted(monkeypatch, range(10))


@pytest.mark.t1
def test_three_hundred_wrong_hints_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    _hinted(monkeypatch, range(300))
