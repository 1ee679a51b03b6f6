"""Searches in one short call, and what they should have found."""

from collections import Counter
from typing import Any

import flare_core as flare
from flare_core.model.families import broken, rules_of
from flare_core.placement.order import Value, value
from flare_core.placement.packing import Packing, Problem
from flare_core.solve.result import Search
from flare_core.solve.search import search
from tests.placement.problems import count_places, packings, problem_of
from tests.worlds import medium, small


def searched(one: Problem, **options: Any) -> Search:
    """Search `one` from now on."""
    given = flare.Options(**options)
    return search(one, given, given.timer())


def offers(one: Problem, packing: Packing, i: int = 0) -> dict[str, int]:
    """Return the number of tasks of intent `i` on each offer."""
    counts: Counter[str] = Counter()
    for load in packing[i]:
        counts[one.inventory.ids[one.asks[i].found.rows[load.candidate]]] += load.tasks
    return dict(counts)


def best(one: Problem) -> Value:
    """Return the least value of all packings that keep the rules, by enumeration."""
    rules = rules_of(one)
    return min(value(one, packing) for packing in packings(one) if not broken(one, packing, rules))


def worlds(numbers: range, *, places: int = 10**9, larger: bool = False) -> list[Problem]:
    """Return the problems of random worlds of which each intent has candidates, at most so many packings."""
    problems = []
    for seed in numbers:
        try:
            one = problem_of(medium(seed, intents=1 + seed % 3) if larger else small(seed))
        except flare.FlareError:  # a contradiction that the dice threw
            continue
        if all(len(ask.found) for ask in one.asks) and count_places(one) <= places:
            problems.append(one)
    return problems
