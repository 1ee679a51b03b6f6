"""Smaller amounts, the smallest change first.

Amounts that offers state change nothing between two offered values, so the offered ones are enough. What adds
up or is shared out (cores, memory, shares, efficiency, availability of several replicas) goes by whole units:
milli-cores, MiB, cores, and the steps named here.
"""

from collections.abc import Callable
from dataclasses import replace
from math import ceil

import numpy as np

from flare_core import quantities as q
from flare_core.candidates.screens.screen import amount
from flare_core.explanation.case import Case, Values
from flare_core.explanation.feasible import Space
from flare_core.explanation.ladder import BY_DEFAULT, Ladder, Step, dropped, limit_at, or_dropped
from flare_core.explanation.relax import GPU
from flare_core.intent.json import Json
from flare_core.inventory.types import Inventory
from flare_core.requirements.types import Limit

EFFICIENCY_STEP = 1e-6
AVAILABILITY_STEP = 1e-6  # percent
TFLOPS_STEP = 1e-3

_BACKUP = "sla.backup_strategy"


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


def least(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return smaller minima: those that offers state; of shares, all."""
    limit = limit_at(case, path)
    asked, share = float(amount(limit)), case.needs.share
    step = _steps(path, limit)
    if share is not None and path in (f"{GPU}.memory", f"{GPU}.cores"):
        return or_dropped(path, Ladder(range(int(asked) - 1, 0, -1), step, ordered=True))
    if share is not None and share.instances and path == f"{GPU}.fp32_tflops":
        return or_dropped(path, _scaled(asked, TFLOPS_STEP, step))
    lower = [value for value in _offered(space.inventory, limit.column) if 0 < value < asked]
    return or_dropped(path, Ladder(lower[::-1], step, ordered=True))


def most(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return larger maxima: those that offers state."""
    limit = limit_at(case, path)
    asked = float(amount(limit))
    offered = _offered(space.inventory, limit.column)
    if limit.unit == "ms":  # estimates have more digits than anybody reads
        offered = [ceil(round(value * 1000, 6)) / 1000 for value in offered]
    higher = [value for value in dict.fromkeys(offered) if value > asked]
    plain = Ladder(higher, _steps(path, limit), ordered=True)
    if path not in BY_DEFAULT:
        return or_dropped(path, plain)
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


def whole(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return smaller amounts of what tasks take of a node, one unit after the other."""
    limit = limit_at(case, path)
    plain = _steps(path, limit)
    top = int(amount(limit)) - 1
    return Ladder(range(top, -1, -1), lambda a: plain(a) if a else Step(None, dropped(path)), ordered=True)


def _scaled(asked: float, unit: float, step: Callable[[float], Step]) -> Ladder:
    """Return the multiples of `unit` below what is asked."""
    digits = round(-np.log10(unit))
    top = ceil(round(asked / unit, 3)) - 1
    return Ladder(range(top, -1, -1), lambda k: step(round(k * unit, digits)), ordered=True)


def efficiency(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return smaller efficiencies, by steps."""
    limit = limit_at(case, path)
    return _scaled(float(amount(limit)), EFFICIENCY_STEP, _steps(path, limit))


def availability(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return smaller availabilities: as offered, or of several replicas together by steps."""
    if case.needs.availability is None:  # every offer for itself
        return least(case, space, path, beside)

    def step(percent: float) -> Step:
        return Step(q.format_percent(percent), {path: _number(percent)})

    return _scaled(100 * case.needs.availability, AVAILABILITY_STEP, step)


def count(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return fewer GPUs, down to one."""
    return Ladder(range(case.needs.gpus - 1, 0, -1), lambda gpus: Step(f"{gpus}", {path: gpus}))


def volumes(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return smaller volumes, the largest first; where that does not help, temporary ones.

    Checkpoints need a volume that persists, and go with it.
    """
    sizes, written = [volume.size for volume in case.intent.workload.storage.volumes], case.written(path)
    assert isinstance(written, list)
    kept = [volume for volume in written if isinstance(volume, dict)]
    passing: list[dict[str, Json]] = [{**volume, "type": "temporary"} for volume in kept]
    gone: Values = {_BACKUP: None} if case.intent.sla.backup_strategy == "checkpoint" else {}
    smaller, temporary = _sized(path, kept, sizes, {}), _sized(path, passing, sizes, gone)
    for start, step in ((sum(sizes) - 1, smaller), (sum(sizes), temporary)):
        least = case.reasked({**beside, **step(len(kept)).values})
        if least is not None and space.fits(least):
            return Ladder(range(start, len(kept) - 1, -1), step, ordered=True)
    return Ladder((None,), lambda _: Step(None, {path: None, **gone}))


def _sized(
    path: str, volumes: list[dict[str, Json]], sizes: list[int], gone: Values
) -> Callable[[int], Step]:
    """Return what writes volumes of a smaller size in all, without what is `gone` with them."""

    def step(size: int) -> Step:
        left, smaller = sum(sizes) - size, [*sizes]
        for k in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
            less = min(left, sizes[k] - 1)
            smaller[k], left = sizes[k] - less, left - less
        listed: list[Json] = [
            {**volume, "size": q.format_memory(mib)} for volume, mib in zip(volumes, smaller, strict=True)
        ]
        kinds = "temporary, " if all(volume["type"] == "temporary" for volume in volumes) else ""
        return Step(f"{kinds}{q.format_memory(size)} in all", {path: listed, **gone})

    return step
