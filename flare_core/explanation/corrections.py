"""The smallest changes of an intent that make it placeable, each found by solving.

For each minimal set of constraints that has to give way, each of them gives way as little as it can while
those after it give way altogether: the offered value next to what is asked, one unit of what adds up, one
country more, another name. Budgets go down from the cheapest placement until one micro-unit less is
impossible. Each change is a merge patch on the intent; what is solved is the patched intent, read again.

A deadline moves to the earliest end that the calendars of the offers and the needed times allow.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from flare_core.explanation.case import Case, Values
from flare_core.explanation.changes import ladder
from flare_core.explanation.conflicts import MOST_PATHS
from flare_core.explanation.feasible import Space
from flare_core.explanation.ladder import Ladder, Step, dropped
from flare_core.explanation.relax import Solved, Unproven
from flare_core.intent.json import Json
from flare_core.placement.packing import Totals
from flare_core.quantities import format_carbon, format_eur, format_rate
from flare_core.requirements.types import Requirements

MOST_REMEDIES = 24
"""Remedies after which no more are looked for."""

FEW_REMEDIES = 5
"""Remedies after which none are looked for that change more than `conflicts.MOST_PATHS` constraints."""

MOST_LINEAR = 64
"""Steps that are tried one after the other; longer ladders are halved."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One constraint that asks for less.

    Attributes
    ----------
    path
        JSON path of the constraint.
    asked, needed
        What is asked, and what can be had instead; None is nothing.
    text
        Both in words.
    patch
        Merge patch (RFC 7396) on the inside of the intent.
    smallest
        Whether it was proven that no smaller change on this path does; of names and places, that one is
        enough.
    """

    path: str
    asked: str
    needed: str | None
    text: str
    patch: Mapping[str, Json]
    smallest: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the correction as a part of the public error object."""
        return {
            "path": self.path,
            "asked": self.asked,
            "needed": self.needed,
            "smallest": self.smallest,
        }


@dataclass(frozen=True, slots=True)
class Remedy:
    """Corrections that make the intent placeable together, and what is then placed most cheaply.

    Attributes
    ----------
    patch
        All corrections as one merge patch.
    needs
        What the patched intent asks.
    """

    corrections: tuple[Correction, ...]
    patch: Mapping[str, Json]
    needs: Requirements
    solved: Solved

    def to_dict(self) -> dict[str, Any]:
        """Return the remedy as a part of the public error object."""
        return {
            "text": "; ".join(correction.text for correction in self.corrections),
            "changes": [correction.to_dict() for correction in self.corrections],
            "patch": dict(self.patch),
        }


class _Found(NamedTuple):
    step: Step
    smallest: bool


def remedies(case: Case, space: Space, ways_out: Sequence[tuple[str, ...]]) -> Iterator[Remedy]:
    """Yield what to change, for each of `ways_out` at least one remedy where there is one.

    Parameters
    ----------
    space
        The intent's.
    ways_out
        Minimal sets of constraints that have to give way.
    """
    space.solves = 0  # the effort for what is possible was another
    number = 0
    for paths in ways_out:
        if number >= (MOST_REMEDIES if len(paths) <= MOST_PATHS else FEW_REMEDIES):
            return
        ways = _each(case, space, *paths) if len(paths) == 1 else _together(case, space, paths)
        made = (_remedy(case, space, steps) for steps in ways)
        for remedy in filter(None, made):
            number += 1
            yield remedy


def _remedy(case: Case, space: Space, steps: Mapping[str, _Found]) -> Remedy | None:
    values = _written(steps.values())
    needs = case.reasked(values)
    try:
        solved = None if needs is None else space.solve(needs)
    except Unproven:
        return None
    if needs is None or solved is None:
        return None
    corrections = tuple(_correction(case, path, found) for path, found in steps.items())
    return Remedy(corrections, case.patch(values), needs, solved)


def _correction(case: Case, path: str, found: _Found) -> Correction:
    asked, needed = str(case.asked(path)), found.step.said
    text = f"without {path}" if needed is None else f"{path} {needed} instead of {asked}"
    return Correction(path, asked, needed, text, case.patch(found.step.values), found.smallest)


def _written(found: Iterable[_Found]) -> dict[str, Json]:
    values: dict[str, Json] = {}
    for one in found:
        values.update(one.step.values)
    return values


def _each(case: Case, space: Space, path: str) -> Iterator[dict[str, _Found]]:
    """Yield the ways in which one constraint can give way."""
    rungs = None if path in _BUDGETS else ladder(case, space, path, {})
    several = False
    for step in map(rungs.step, rungs.amounts) if rungs is not None and rungs.each else ():
        if _fits(case, space, step.values):
            several = True
            yield {path: _Found(step, True)}
    if not several:
        found = _way(case, space, path, {})
        if found is not None:
            yield {path: found}


def _together(case: Case, space: Space, paths: tuple[str, ...]) -> Iterator[dict[str, _Found]]:
    """Yield the least that each of several constraints gives way, one after the other."""
    # An unknown value passes no limit that is written, however loose, but it may pass the default.
    loosest = {path: dropped(path) for path in paths}
    defaults: dict[str, Values] = {path: {path: None} for path in paths}
    settled = _settled(case, space, loosest) or _settled(case, space, {**loosest, **defaults})
    if settled is not None:
        yield settled


def _settled(case: Case, space: Space, loosest: Mapping[str, Values]) -> dict[str, _Found] | None:
    """Return the least that each gives way while those after it are as loose as can be."""
    settled: dict[str, _Found] = {}
    paths = list(loosest)
    for k, path in enumerate(paths):
        beside = _written(settled.values())
        for later in paths[k + 1 :]:
            beside.update(loosest[later])
        found = _way(case, space, path, beside)
        if found is None:
            return None
        settled[path] = found
    return settled


def _way(case: Case, space: Space, path: str, beside: Values) -> _Found | None:
    """Return the least that one constraint gives way, with `beside` written at other paths."""
    if path in _BUDGETS:
        return _budget(case, space, path, beside)
    return _first(case, space, ladder(case, space, path, beside), beside)


# --- the first step that is enough ------------------------------------------------------------------


def _fits(case: Case, space: Space, values: Values) -> bool | None:
    needs = case.reasked(values)
    return False if needs is None else space.fits(needs)


def _first(case: Case, space: Space, rungs: Ladder, beside: Values) -> _Found | None:
    """Return the first step of a ladder that is enough."""
    unsure = False

    def fits(amount: Any) -> bool:
        nonlocal unsure
        answer = _fits(case, space, {**beside, **rungs.step(amount).values})
        unsure |= answer is None
        return bool(answer)

    amounts = rungs.amounts
    if rungs.ordered or len(amounts) > MOST_LINEAR:
        at = _halved(len(amounts), lambda k: fits(amounts[k]))
        enough = list(amounts[at : at + 1])
    else:
        enough = list(islice(filter(fits, amounts), 1))
    enough += islice(filter(fits, () if enough else rungs.more), 1)
    return _Found(rungs.step(enough[0]), not unsure) if enough else None


def _halved(number: int, fits: Callable[[int], bool]) -> int:
    """Return the first that fits where all after one that fits do, too; `number` where none does."""
    low, high = -1, number  # none up to `low` fits; `high` does, or is beyond
    if number == 0 or not fits(number - 1):
        return number
    high = number - 1
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle
    return high


# --- budgets ----------------------------------------------------------------------------------------


class _Sum(NamedTuple):
    """A limit on a sum over the placement: the sum, its field in the requirements, how it is written."""

    figure: Callable[[Totals], int]
    asked: Callable[[Requirements], int | None]
    says: Callable[[int], str]
    unlimited: Json = None


_BUDGETS: Mapping[str, _Sum] = MappingProxyType(
    {
        "constraints.max_hourly_cost": _Sum(
            lambda sums: sums.hourly_ueur, lambda needs: needs.max_hourly_ueur, format_rate
        ),
        "constraints.max_total_cost": _Sum(
            lambda sums: sums.total_ueur, lambda needs: needs.max_total_ueur, format_eur
        ),
        # Beside a cap an unknown emission fails; without any it would count as something.
        "constraints.energy.max_carbon_footprint": _Sum(
            lambda sums: sums.carbon_peak_ug,
            lambda needs: needs.max_carbon_ug,
            lambda ug: format_carbon(ug / 1e6),
            "1e9 kg CO2/h",
        ),
    }
)


def _budget(case: Case, space: Space, path: str, beside: Values) -> _Found | None:
    """Return the least budget that is enough; None where none is."""
    budget = _BUDGETS[path]
    too_little = budget.asked(case.needs)
    assert too_little is not None

    def within(written: Json) -> int | None:
        needs = case.reasked({**beside, path: written})
        solved = None if needs is None else space.solve(needs)
        return None if solved is None else budget.figure(solved.totals)

    def found(amount: int, *, smallest: bool) -> _Found:
        return _Found(Step(budget.says(amount), {path: budget.says(amount)}), smallest)

    try:
        enough = within(budget.unlimited)
    except Unproven:
        return None
    if enough is None:
        return _given_up(case, space, path, beside)
    try:
        least = _descended(enough, too_little, lambda amount: within(budget.says(amount)))
    except Unproven:
        return found(enough, smallest=False)
    return found(least, smallest=True)


def _given_up(case: Case, space: Space, path: str, beside: Values) -> _Found | None:
    """Return a cap given up where emissions are not known."""
    values = dropped(path)
    return _Found(Step(None, values), True) if _fits(case, space, {**beside, **values}) else None


def _descended(enough: int, too_little: int, within: Callable[[int], int | None]) -> int:
    """Return the least amount within which something is placed.

    Parameters
    ----------
    within
        Returns what a placement within an amount takes, None where there is none.
    """
    while enough - too_little > 1:
        for amount in (enough - 1, (enough + too_little) // 2):
            if not too_little < amount < enough:
                continue
            taken = within(amount)
            if taken is None:
                too_little = amount
            else:
                enough = min(amount, taken)  # less each time, whatever is told
    return enough
