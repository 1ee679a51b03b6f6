"""Other names instead of one, and more places or fewer certificates, where a constraint asks for names."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from flare_core.candidates import pricing
from flare_core.candidates.screens.screen import names as words_of
from flare_core.catalog.regions import location_countries
from flare_core.explanation.case import Case, Values
from flare_core.explanation.feasible import Space
from flare_core.explanation.ladder import Ladder, Step, dropped, limit_at, or_dropped
from flare_core.inventory.types import FloatArray, IntArray

OPTIONS = 8
"""Names or places that are tried instead of one."""

MOST_MORE = 3
"""Names or places that are tried beside what is asked, where fewer are not enough."""

MOST_SUBSETS = 62
"""Sets of certificates that are tried: all there are of six."""

RESIDENCY = "constraints.compliance.data_residency"
RATINGS = tuple("ABCDEF")
LINKS = ("nvswitch", "nvlink", "pcie")


def _there(case: Case, space: Space, path: str, beside: Values, column: str) -> list[str]:
    """Return the names in a column of offers that could serve without `path`.

    First, by price, those that are faster than all cheaper ones, then the others.
    """
    needs = case.reasked({**beside, **dropped(path)})
    if needs is None:
        return []
    rows, _ = space.room(needs)
    prices = pricing.bought_at(space.inventory, needs)[rows]
    order = np.argsort(prices / np.maximum(space.inventory.whole["gpu_count"][rows], 1), kind="stable")
    ratings = np.nan_to_num(space.inventory.number["rating_tflops"][rows])
    label = space.inventory.label[column]
    codes, first, which = np.unique(label.codes[rows[order]], return_index=True, return_inverse=True)
    best = np.zeros(len(codes))
    np.maximum.at(best, which, ratings[order])
    cheapest = np.argsort(first)
    return [label.values[codes[k]] for k in _worthwhile_first(cheapest, best) if codes[k] >= 0]


def _worthwhile_first(order: IntArray, best: FloatArray) -> list[int]:
    """Return first, in their order, those that are better than all before, then the others."""
    before = np.concatenate(([-1.0], np.maximum.accumulate(best[order])[:-1]))
    ahead = best[order] > before
    return [*order[ahead].tolist(), *order[~ahead].tolist()]


def _options(
    path: str, options: Sequence[str], step: Callable[[Sequence[str]], Step], most: int = 1
) -> Ladder:
    """Return one of some names, and where that is not enough several, at most `most`, then any."""
    few = options[:OPTIONS]
    several = [chosen for size in range(2, most + 1) for chosen in combinations(few, size)]
    return or_dropped(path, Ladder([(name,) for name in few], step, each=True, more=several))


def instead(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return each name that would do instead."""
    options = _there(case, space, path, beside, limit_at(case, path).column)
    return _options(path, options, lambda chosen: Step(chosen[0], {path: chosen[0]}))


def more(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return one name more for a list of them."""
    limit = limit_at(case, path)

    def step(chosen: Sequence[str]) -> Step:
        longer = [*sorted(words_of(limit)), *chosen]  # what is asked is a set, however it was written
        return Step(", ".join(longer), {path: [*longer]})

    return _options(path, _there(case, space, path, beside, limit.column), step, MOST_MORE)


def location(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return one country more, or of regions another region.

    A location is one word, so a country more is written as data residency, which asks the same.
    """
    asked = str(limit_at(case, path).asked)
    countries = location_countries(asked) is not None
    residency = RESIDENCY in beside or any(limit.path == RESIDENCY for limit in case.needs.limits)

    there = _there(case, space, path, beside, "country" if countries else "region")
    if countries and not residency:
        return _options(
            path,
            there,
            lambda more: Step(", ".join((asked, *more)), {path: None, RESIDENCY: [asked, *more]}),
            MOST_MORE,
        )
    return _options(path, there, lambda chosen: Step(chosen[0], {path: chosen[0]}))


def certificates(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return fewer certificates, as many as possible."""
    asked = sorted(words_of(limit_at(case, path)))
    fewer = [kept for size in range(len(asked) - 1, 0, -1) for kept in combinations(asked, size)]
    few = Ladder(fewer[:MOST_SUBSETS], lambda kept: Step(", ".join(kept), {path: [*kept]}))
    return or_dropped(path, few)


def ratings(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return worse ratings."""
    worse = RATINGS[RATINGS.index(str(limit_at(case, path).asked)) + 1 :]
    return or_dropped(path, Ladder(worse, lambda letter: Step(letter, {path: letter}), ordered=True))


def interconnect(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return lesser links."""
    asked = str(case.intent.written(path))
    lesser = LINKS[LINKS.index(asked) + 1 :] if asked in LINKS else ()
    return or_dropped(path, Ladder(lesser, lambda name: Step(name, {path: name}), ordered=True))
