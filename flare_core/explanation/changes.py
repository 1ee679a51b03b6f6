"""How each constraint can ask for less: what could be written instead, the smallest change first.

Amounts that offers state change nothing between two offered values, so the offered ones are enough. What
adds up or is shared out (cores, memory, shares, efficiency, availability of several replicas) goes by whole
units: milli-cores, MiB, cores, and the steps named below. A name gives way to other names, a place to one
country or region more. Everything can be given up altogether, but for limits that have a default and no
"none": these go to `UNLIMITED`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import ceil
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from flare_core import quantities as q
from flare_core.candidates import pricing
from flare_core.candidates.screens.screen import names
from flare_core.catalog.regions import location_countries
from flare_core.explanation.case import Case, Values
from flare_core.explanation.feasible import Space
from flare_core.explanation.relax import COUNT, GPU, SPOT
from flare_core.intent.json import Json
from flare_core.inventory.types import FloatArray, IntArray, Inventory
from flare_core.requirements.types import Limit, Workload

UNLIMITED = 1e9
"""Written for a largest latency, jitter or PUE that is given up."""

EFFICIENCY_STEP = 1e-6
AVAILABILITY_STEP = 1e-6  # percent
TFLOPS_STEP = 1e-3

OPTIONS = 8
"""Names or places that are tried instead of one."""

MOST_MORE = 3
"""Names or places that are tried beside what is asked, where fewer are not enough."""

LOCATION = "constraints.location"
RESIDENCY = "constraints.compliance.data_residency"
DEADLINE = "constraints.deadline"
TOTAL = "constraints.max_total_cost"
AVAILABILITY = "sla.availability"
VOLUMES = "workload.storage.volumes"
_UNLIMITED = (
    "constraints.max_latency_ms",
    "constraints.performance.max_jitter_ms",
    "constraints.energy.power_usage_effectiveness",
)
RATINGS = tuple("ABCDEF")
LINKS = ("nvswitch", "nvlink", "pcie")
MOST_SUBSETS = 62
"""Sets of certificates that are tried: all there are of six."""


class Step(NamedTuple):
    """One way to ask for less: what it is in words (None: nothing is asked), and what to write."""

    said: str | None
    values: Values


@dataclass(frozen=True, slots=True)
class Ladder:
    """The ways to ask for less at one path.

    Attributes
    ----------
    amounts
        What is asked instead, the smallest change first.
    step
        Says and writes one of them.
    ordered
        Whether each asks for less than those before it.
    each
        None of them asks for less than another: each is a change of its own.
    more
        What is tried, in this order, where none of ``amounts`` is enough.
    """

    amounts: Sequence[Any]
    step: Callable[[Any], Step]
    ordered: bool = False
    each: bool = False
    more: Sequence[Any] = ()


def dropped(path: str) -> Values:
    """Return what to write so that nothing is asked at `path`, or as little as can be written."""
    return _DROPPED.get(path, {path: None})


def ladder(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return the ways to ask for less at `path`.

    Parameters
    ----------
    beside
        What is written at other paths.
    """
    special = _BY_PATH.get(path)
    if special is not None:
        return special(case, space, path, beside)
    [limit, *_] = (limit for limit in case.needs.limits if limit.path == path)
    return _BY_RULE.get(limit.rule, _given_up)(case, space, path, beside)


def _given_up(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    return Ladder((None,), lambda _: Step(None, dropped(path)))


def _or_dropped(path: str, ladder: Ladder) -> Ladder:
    """Return `ladder` with giving up `path` as what is tried last."""
    return replace(
        ladder,
        step=lambda amount: Step(None, dropped(path)) if amount is None else ladder.step(amount),
        more=(*ladder.more, None),
    )


# --- amounts ----------------------------------------------------------------------------------------


def _amount(limit: Limit, value: float) -> tuple[str, Json]:
    """Return an amount in words, and as it is written."""
    match limit.unit:
        case "MiB":
            text = q.format_memory(int(value))
        case "milli-cores":
            text = q.format_cpu(int(value))
        case "MHz":
            text = q.format_clock(value)
        case "Gbit/s":
            text = q.format_bandwidth(value)
        case "seconds":
            text = q.format_duration(ceil(value))
        case "capability":
            text = f"{value:.1f}"
        case "percent":
            return q.format_percent(value), _number(value)
        case "ms":
            return q.format_latency(value), _number(value)
        case _:
            return f"{value:.15g}", _number(value)
    return text, text


def _number(value: float) -> Json:
    return int(value) if value == int(value) else value


def _steps(path: str, limit: Limit) -> Callable[[float], Step]:
    def step(value: float) -> Step:
        said, written = _amount(limit, value)
        return Step(said, {path: written})

    return step


def _limit(case: Case, path: str) -> Limit:
    return next(limit for limit in case.needs.limits if limit.path == path)


def _least(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return smaller minima: those that offers state; of shares, all."""
    limit = _limit(case, path)
    asked, share = float(limit.asked), case.needs.share  # type: ignore[arg-type]  # minima are numbers
    step = _steps(path, limit)
    if share is not None and path in (f"{GPU}.memory", f"{GPU}.cores"):
        return _or_dropped(path, Ladder(range(int(asked) - 1, 0, -1), step, ordered=True))
    if share is not None and share.instances and path == f"{GPU}.fp32_tflops":
        return _or_dropped(path, _scaled(asked, TFLOPS_STEP, step))
    lower = [value for value in _offered(space.inventory, limit.column) if 0 < value < asked]
    return _or_dropped(path, Ladder(lower[::-1], step, ordered=True))


def _most(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return larger maxima: those that offers state."""
    limit = _limit(case, path)
    asked = float(limit.asked)  # type: ignore[arg-type]  # maxima are numbers
    higher = [value for value in _offered(space.inventory, limit.column) if value > asked]
    plain = Ladder(higher, _steps(path, limit), ordered=True)
    if path not in _UNLIMITED:
        return _or_dropped(path, plain)
    by_default = Step("the default, which an unknown value passes", {path: None})
    if limit.unknown_passes:  # that is what is asked
        return plain
    return replace(plain, step=lambda a: by_default if a is None else plain.step(a), more=(None,))


def _offered(inventory: Inventory, column: str) -> list[float]:
    """Return what offers state in a column of numbers, ascending."""
    if column in inventory.whole:
        values = inventory.whole[column]
        return [float(value) for value in np.unique(values[values >= 0])]
    numbers = inventory.number[column]
    return [float(value) for value in np.unique(numbers[~np.isnan(numbers)])]


def _whole(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return smaller amounts of what tasks take of a node, one unit after the other."""
    limit = _limit(case, path)
    plain = _steps(path, limit)
    top = int(limit.asked) - 1  # type: ignore[arg-type]  # amounts are numbers
    return Ladder(range(top, -1, -1), lambda a: plain(a) if a else Step(None, dropped(path)), ordered=True)


def _scaled(asked: float, unit: float, step: Callable[[float], Step]) -> Ladder:
    """Return the multiples of `unit` below what is asked."""
    digits = round(-np.log10(unit))
    top = ceil(round(asked / unit, 3)) - 1
    return Ladder(range(top, -1, -1), lambda k: step(round(k * unit, digits)), ordered=True)


def _efficiency(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    limit = _limit(case, path)
    return _scaled(float(limit.asked), EFFICIENCY_STEP, _steps(path, limit))  # type: ignore[arg-type]


def _availability(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    if case.needs.availability is None:  # every offer for itself
        return _least(case, space, path, beside)

    def step(percent: float) -> Step:
        return Step(q.format_percent(percent), {path: _number(percent)})

    return _scaled(100 * case.needs.availability, AVAILABILITY_STEP, step)


def _count(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    return Ladder(range(case.needs.gpus - 1, 0, -1), lambda gpus: Step(f"{gpus}", {path: gpus}))


def _volumes(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return smaller volumes, the largest first; else such that need not persist, else none."""
    volumes = [volume.model_dump() for volume in case.intent.workload.storage.volumes]
    written = case.intent.written(path)
    assert isinstance(written, list)

    def step(size: int) -> Step:
        left, sizes = sum(v["size"] for v in volumes) - size, [v["size"] for v in volumes]
        for k in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
            less = min(left, sizes[k] - 1)
            sizes[k], left = sizes[k] - less, left - less
        smaller: list[Json] = [
            {**volume, "size": q.format_memory(size)}
            for volume, size in zip(written, sizes, strict=True)
            if isinstance(volume, dict)
        ]
        return Step(f"{q.format_memory(size)} in all", {path: smaller})

    least = case.reasked({**beside, **step(len(volumes)).values})
    if least is not None and space.fits(least):
        total = sum(volume["size"] for volume in volumes)
        return Ladder(range(total - 1, len(volumes) - 1, -1), step, ordered=True)
    passing: list[Json] = [{**v, "type": "temporary"} for v in written if isinstance(v, dict)]
    return _or_dropped(path, Ladder((passing,), lambda kept: Step("temporary volumes", {path: kept})))


# --- names ------------------------------------------------------------------------------------------


def _there(case: Case, space: Space, path: str, beside: Values, column: str) -> list[str]:
    """Return the names in a column of offers that could serve without `path`.

    First, by price, those that are faster than all cheaper ones, then the others.
    """
    needs = case.reasked({**beside, **dropped(path)})
    if needs is None:
        return []
    rows, _ = space.room(needs)
    prices = pricing.bought_at(space.inventory, needs.spot)[rows]
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
    return _or_dropped(path, Ladder([(name,) for name in few], step, each=True, more=several))


def _names(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    options = _there(case, space, path, beside, _limit(case, path).column)
    return _options(path, options, lambda chosen: Step(chosen[0], {path: chosen[0]}))


def _more_names(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return one name more for a list of them."""
    limit = _limit(case, path)

    def step(chosen: Sequence[str]) -> Step:
        longer = [*names(limit), *chosen]
        return Step(", ".join(longer), {path: [*longer]})

    return _options(path, _there(case, space, path, beside, limit.column), step, MOST_MORE)


def _location(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return one country more, or of regions another region.

    A location is one word, so a country more is written as data residency, which asks the same.
    """
    asked = str(_limit(case, path).asked)
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


def _certificates(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return fewer certificates, as many as possible."""
    asked = names(_limit(case, path))
    fewer = [kept for size in range(len(asked) - 1, 0, -1) for kept in combinations(asked, size)]
    few = Ladder(fewer[:MOST_SUBSETS], lambda kept: Step(", ".join(kept), {path: [*kept]}))
    return _or_dropped(path, few)


def _ratings(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    worse = RATINGS[RATINGS.index(str(_limit(case, path).asked)) + 1 :]
    return _or_dropped(path, Ladder(worse, lambda letter: Step(letter, {path: letter}), ordered=True))


def _interconnect(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    asked = str(case.intent.written(path))
    lesser = LINKS[LINKS.index(asked) + 1 :] if asked in LINKS else ()
    return _or_dropped(path, Ladder(lesser, lambda name: Step(name, {path: name}), ordered=True))


# --- the rest ---------------------------------------------------------------------------------------


def _deadline(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return the end of a run that starts when it would; the default length where the deadline was it."""
    needs = case.needs
    if needs.workload is Workload.SERVICE:
        return Ladder((None,), lambda _: Step(None, {path: None, TOTAL: None}))
    if not needs.length_s or needs.end is None:
        return _given_up(case, space, path, beside)
    end = q.format_moment(needs.end)
    return Ladder((end,), lambda moment: Step(moment, {path: moment}))


def _spot(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    return Ladder((True,), lambda allowed: Step("allowed", {path: allowed}))


_DROPPED: Mapping[str, Values] = MappingProxyType(
    {
        COUNT: {COUNT: 1},
        SPOT: {SPOT: True},
        AVAILABILITY: {AVAILABILITY: 0},
        f"{GPU}.multi_instance": {f"{GPU}.multi_instance": None, f"{GPU}.shared": None},
        "constraints.performance.min_uptime_percent": {"constraints.performance.min_uptime_percent": 0},
        **{path: {path: UNLIMITED} for path in _UNLIMITED},
    }
)

_Way = Callable[[Case, Space, str, Values], Ladder]

_BY_PATH: Mapping[str, _Way] = MappingProxyType(
    {
        COUNT: _count,
        SPOT: _spot,
        AVAILABILITY: _availability,
        VOLUMES: _volumes,
        LOCATION: _location,
        DEADLINE: _deadline,
        f"{GPU}.interconnect": _interconnect,
        "constraints.security.network_isolation": _given_up,
    }
)

_BY_RULE: Mapping[str, _Way] = MappingProxyType(
    {
        "at-least": _least,
        "at-most": _most,
        "cpu": _whole,
        "memory": _whole,
        "efficiency": _efficiency,
        "is": _names,
        "one-of": _more_names,
        "place": _more_names,
        "certified": _certificates,
        "rating": _ratings,
    }
)
