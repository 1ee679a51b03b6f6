"""Prices and carbon that change over time: steps, each valid until the next.

A series is one label of the inventory, ``[[seconds, value], …]``: equal series are equal texts, so what
follows from a series is found once for each distinct one. Seconds are those of UTC since 1970, values are in
the base unit of the plain value (micro-EUR per hour, gCO2/kWh), which holds before the first step.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from flare_core.errors import found_expected
from flare_core.inventory.types import FloatArray, IntArray
from flare_core.quantities import QuantityError, format_moment, parse_moment

PLAIN: Final = {
    "price_series": "price.hourly",
    "spot_series": "price.spot_hourly",
    "carbon_series": "energy.carbon_intensity",
}
"""Column of a series: path of the plain value that it goes on from."""

MOST_STEPS: Final = 100_000
"""Steps of one series: hours of more than eleven years."""


class SeriesError(ValueError):
    """Steps that are no series; `path` is where below the field it stands, `message` says why."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class Series(NamedTuple):
    """Steps in ascending order: when each begins (UTC seconds), and what holds from then on."""

    begins: IntArray
    values: FloatArray


def canonical_series(steps: object, read: Callable[[object], int | float]) -> str | None:
    """Check a series and return the one text by which equal series are equal; None without a step.

    Parameters
    ----------
    steps
        ``[["2026-01-15T00:00:00Z", "2.10 EUR/hour"], …]``.
    read
        Reads one value.

    Raises
    ------
    SeriesError
        With the standard wording.
    """
    if not isinstance(steps, list):
        raise SeriesError(found_expected(steps, "a list of steps, such as [['2026-01-15T00:00:00Z', …], …]"))
    if len(steps) > MOST_STEPS:
        raise SeriesError(found_expected(f"{len(steps)} steps", f"at most {MOST_STEPS}"))
    read_steps = [_step(step, i, read) for i, step in enumerate(steps)]
    for i, (before, after) in enumerate(pairwise(read_steps), 1):
        if after[0] <= before[0]:
            raise SeriesError(found_expected(steps[i][0], "a moment after the step before"), f"{i}.0")
    return json.dumps(read_steps, separators=(",", ":")) if read_steps else None


def _step(step: object, i: int, read: Callable[[object], int | float]) -> tuple[int, int | float]:
    if not isinstance(step, list) or len(step) != 2:
        raise SeriesError(found_expected(step, "a step, [moment, value]"), str(i))
    try:
        begins = _seconds(step[0]) if isinstance(step[0], str) else None
    except QuantityError as error:
        raise SeriesError(str(error), f"{i}.0") from None
    if begins is None:
        raise SeriesError(found_expected(step[0], "a moment to the second"), f"{i}.0")
    try:
        return begins, read(step[1])
    except ValueError as error:
        raise SeriesError(str(error), f"{i}.1") from None


@lru_cache(maxsize=65_536)
def _seconds(text: str) -> int | None:
    """Return a moment in UTC seconds, None for a fraction; series of one source share their moments."""
    moment = parse_moment(text)
    return None if moment.microsecond else int(moment.timestamp())


def shown_series(text: str, show: Callable[[int | float], object]) -> list[list[object]]:
    """Return the steps as a document has them."""
    return [[format_moment(datetime.fromtimestamp(at, UTC)), show(value)] for at, value in json.loads(text)]


@lru_cache(maxsize=4096)
def read_series(text: str) -> Series:
    """Return the steps that a label stands for; values beyond 2**53 do not occur."""
    begins, values = zip(*json.loads(text), strict=True)
    return Series(np.array(begins, np.int64), np.array(values, np.float64))
