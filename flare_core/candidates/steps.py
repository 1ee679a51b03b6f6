"""Amounts that change in steps, summed over a run to the second.

Rows that change at the same moments stand side by side, so that a run is looked up once for all of them and
its sums are differences of what was summed up to its ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from flare_core.inventory.series import read_series
from flare_core.inventory.types import FloatArray, IntArray, Labels

Number = TypeVar("Number", np.int64, np.float64)


class Course(NamedTuple):
    """How the plain amounts of some rows go on.

    ``begins`` are the moments of the steps (UTC seconds), ``amounts`` what holds before the first and from
    each on, shape (steps + 1, rows).
    """

    rows: IntArray
    begins: IntArray
    amounts: FloatArray


def courses(series: Labels, rows: IntArray, plain: FloatArray, since: int, until: int) -> Iterator[Course]:
    """Yield how the amounts of those of `rows` go on that have a series, as far as a span of time needs it.

    Parameters
    ----------
    rows
        Rows of the inventory; a course numbers them from 0.
    plain
        The plain amount of each.
    since, until
        The span, UTC seconds, half-open.
    """
    codes, known = series.codes[rows], dict[bytes, list[tuple[int, FloatArray]]]()
    moments: dict[bytes, IntArray] = {}
    for code in np.unique(codes[codes >= 0]).tolist():
        begins, values = read_series(series.values[code])
        first, last = int(np.searchsorted(begins, since, "right")), int(np.searchsorted(begins, until))
        first = max(first - 1, 0)  # the step that holds when the span begins
        key = begins[first:last].tobytes()
        moments[key] = begins[first:last]
        known.setdefault(key, []).append((code, values[first:last]))
    for key, members in known.items():
        at = {code: k for k, (code, _) in enumerate(members)}
        own = np.flatnonzero(np.isin(codes, list(at)))
        which = np.array([at[code] for code in codes[own].tolist()], np.int64)
        steps = np.array([values for _, values in members])[which].T
        yield Course(own, moments[key], np.vstack([plain[own], steps]))


def held(begins: IntArray, start: int, end: int) -> slice:
    """Return which amounts hold at any moment from `start` to `end`."""
    first, last = np.searchsorted(begins, start, "right"), np.searchsorted(begins, end, "left")
    return slice(int(first), int(last) + 1)


@dataclass(frozen=True, slots=True)
class Steps(Generic[Number]):
    """Amounts of ``rows`` over time.

    Attributes
    ----------
    begins
        When each step begins, UTC seconds, shape (steps,).
    amounts
        What holds before the first step and from each on, shape (steps + 1, rows).
    summed
        Amount × seconds from the first step up to each, shape (steps + 1, rows); the first two are 0.
    """

    rows: IntArray
    begins: IntArray
    amounts: NDArray[Number]
    summed: NDArray[Number]

    @classmethod
    def of(cls, course: Course, amounts: NDArray[Number]) -> "Steps[Number]":
        """Sum up `amounts` over the steps of `course`."""
        summed = np.zeros_like(amounts)
        np.cumsum(amounts[1:-1] * np.diff(course.begins)[:, None], axis=0, out=summed[2:])
        return cls(course.rows, course.begins, amounts, summed)

    def within(self, start: int, end: int) -> NDArray[Number]:
        """Return what holds at any moment of a run, shape (some steps, rows)."""
        return self.amounts[held(self.begins, start, end)]

    def over(self, starts: IntArray, length: int) -> NDArray[Number]:
        """Return amount × seconds over the runs from `starts` on, shape (starts, rows)."""
        sums: NDArray[Number] = self._until(starts + length) - self._until(starts)
        return sums

    def _until(self, moments: IntArray) -> NDArray[Number]:
        if not len(self.begins):
            plain: NDArray[Number] = self.amounts[0] * moments[:, None]
            return plain
        k = np.searchsorted(self.begins, moments, "right")
        since = (moments - self.begins[np.maximum(k - 1, 0)])[:, None]
        sums: NDArray[Number] = self.summed[k] + self.amounts[k] * since
        return sums
