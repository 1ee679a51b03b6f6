"""Ceilings on the terms of a placement: the solver and the audit draw the same line, to the last unit."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from flare_core.model.constraints.ceiling import Ceiling, amount
from flare_core.model.families import broken, rules_of
from flare_core.placement.packing import Packing, Problem, totals
from tests import insides
from tests.model.solving import allows
from tests.model.test_agreement import _fullest, compact
from tests.placement.problems import count_places, problem_of, random_packing
from tests.worlds import small

TERMS = ("misses", "cost", "performance", "latency", "carbon")


def capped(one: Problem, term: str, limit: int) -> Problem:
    return replace(one, asks=(replace(one.asks[0], ceilings=((term, limit),)),))


def placed(seeds: range) -> list[tuple[Problem, Packing]]:
    """Return problems of one intent with a packing that keeps all rules; every other one is a gang."""
    found = []
    for seed in seeds:
        world = small(seed) if seed % 2 else insides.gangs(seed)
        one = problem_of(world)
        if one.several or not len(one.asks[0].found) or count_places(one) > 10**5:
            continue
        packing = compact(one, _fullest(one, random_packing(one, Random(seed))))
        if (
            packing
            and packing[0]
            and allows(one, packing=packing)
            and not broken(one, packing, rules_of(one))
        ):
            found.append((one, packing))
    return found


PLACED = placed(range(120))


@pytest.mark.parametrize("term", TERMS)
def test_a_ceiling_lets_pass_what_meets_it_and_nothing_beyond(term: str) -> None:
    gangs: Counter[bool] = Counter()
    for one, packing in PLACED:
        has = amount(totals(one.asks[0], packing[0]), term)
        gangs[one.asks[0].needs.gang] += 1
        for limit, kept in ((has, True), (has - 1, False)):
            told = capped(one, term, limit)
            assert (broken(told, packing, rules_of(told)) == ()) is kept
            assert (allows(told, packing=packing) is not None) is kept
    assert min(gangs.values()) >= 5


def test_what_is_not_placed_has_nothing_to_keep() -> None:
    one, _ = PLACED[0]
    for term in TERMS:
        told = capped(one, term, -1)
        assert broken(told, ((),), rules_of(told)) == ()
        assert allows(told, packing=((),)) is not None


def test_without_ceilings_there_is_no_rule() -> None:
    assert not any(isinstance(rule, Ceiling) for one, _ in PLACED for rule in rules_of(one))
