"""Offers while they are being read: columns that can still be filled in."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from flare_core.inventory.types import (
    COLUMNS,
    DERIVED,
    UNKNOWN,
    FloatArray,
    IntArray,
    Labels,
    Mask,
)

Values = Sequence[object] | NDArray[np.generic] | Labels
"""A column as a source gives it: None (or the storage's own mark) where unknown."""

_STORAGE = {column.name: column.kind.storage for column in (*COLUMNS, *DERIVED)}
_UNKNOWN: Mapping[str, int | float] = {"whole": UNKNOWN, "number": float("nan"), "flag": UNKNOWN}
_DTYPE: Mapping[str, type[np.generic]] = {"whole": np.int64, "number": np.float64, "flag": np.int8}


class Table:
    """One row an offer, every column there, unknown where nobody said anything.

    Parameters
    ----------
    columns
        By name, of equal length; columns that are missing are unknown.
    size
        Rows.
    """

    def __init__(self, columns: Mapping[str, Values], size: int) -> None:
        for name, values in columns.items():
            if name not in _STORAGE:
                raise ValueError(f"no column {name!r}")
            if len(values) != size:
                raise ValueError(f"column {name!r} has {len(values)} rows, not {size}")
        self.size = size
        self.arrays: dict[str, NDArray[np.generic]] = {}
        self.labels: dict[str, Labels] = {}
        for name, storage in _STORAGE.items():
            if storage == "label":
                self.labels[name] = _labels(columns.get(name), size)
            else:
                self.arrays[name] = _array(columns.get(name), storage, size)

    def whole(self, name: str) -> IntArray:
        """Return an integer column."""
        return self.arrays[name].astype(np.int64, copy=False)

    def number(self, name: str) -> FloatArray:
        """Return a column of numbers."""
        return self.arrays[name].astype(np.float64, copy=False)

    def codes(self, name: str) -> IntArray:
        """Return a column as integers that are equal where its values are; numbers by their bits."""
        if name in self.labels:
            return self.labels[name].codes.astype(np.int64)
        array = self.arrays[name]
        return array.view(np.int64) if _STORAGE[name] == "number" else array.astype(np.int64)

    def unknown(self, name: str) -> Mask:
        """Return the rows where nothing is known."""
        number = _STORAGE[name] == "number"
        unknown: Mask = np.isnan(self.number(name)) if number else self.codes(name) < 0
        return unknown

    def fill(self, name: str, values: Sequence[object], which: IntArray) -> Mask:
        """Fill unknown rows with ``values[which[row]]``; -1 and None leave a row as it is.

        Returns
        -------
        The rows that were filled.
        """
        known = np.fromiter((value is not None for value in values), np.bool_, len(values))
        rows: Mask = self.unknown(name) & (which >= 0) & np.append(known, False)[which]
        if rows.any():
            self._set(name, rows, values, which[rows])
        return rows

    def overwrite(self, name: str, values: Sequence[object], which: IntArray) -> None:
        """Set the rows where ``which`` is not -1 to ``values[which[row]]``, None meaning unknown."""
        rows = which >= 0
        if rows.any():
            self._set(name, rows, values, which[rows])

    def _set(self, name: str, rows: Mask, values: Sequence[object], which: IntArray) -> None:
        if name not in self.labels:
            self.arrays[name][rows] = _array(values, _STORAGE[name], len(values))[which]
            return
        old, new = self.labels[name], _labels(values, len(values))
        merged = tuple(sorted({*old.values, *new.values}))
        code = {value: i for i, value in enumerate(merged)}
        codes = _recoded(old, code)
        codes[rows] = _recoded(new, code)[which]
        self.labels[name] = Labels(codes, merged)

    def take(self, rows: IntArray) -> "Table":
        """Return some rows, in the order given."""
        taken = Table({}, 0)
        taken.size = len(rows)
        taken.arrays = {name: array[rows] for name, array in self.arrays.items()}
        taken.labels = {name: labels.take(rows) for name, labels in self.labels.items()}
        return taken

    def fingerprint(self, row: int) -> tuple[object, ...]:
        """Return what one row says, equal for rows that say the same."""
        arrays = (array[row].tobytes() for array in self.arrays.values())
        return (*arrays, *(labels[row] for labels in self.labels.values()))

    def of(self, storage: str) -> dict[str, NDArray[np.generic]]:
        """Return the columns of one storage (``whole``, ``number``, ``flag``)."""
        return {name: array for name, array in self.arrays.items() if _STORAGE[name] == storage}


def _array(values: Values | None, storage: str, size: int) -> NDArray[np.generic]:
    unknown, dtype = _UNKNOWN[storage], _DTYPE[storage]
    if values is None:
        return np.full(size, unknown, dtype)
    if isinstance(values, Labels):
        raise ValueError("labels given for a column of numbers")
    if isinstance(values, np.ndarray) and values.dtype != np.object_:
        return values.astype(dtype)
    return np.array([unknown if value is None else value for value in values], dtype)


def _labels(values: Values | None, size: int) -> Labels:
    if values is None:
        return Labels(np.full(size, UNKNOWN, np.int32), ())
    if isinstance(values, Labels):
        return values
    return Labels.of(None if value is None else str(value) for value in values)


def _recoded(labels: Labels, code: Mapping[str, int]) -> NDArray[np.int32]:
    """Return the codes of a column after its values moved to other places."""
    moved = np.array([*(code[value] for value in labels.values), UNKNOWN], np.int32)
    return moved[labels.codes]


def frozen_labels(labels: Labels) -> Labels:
    """Return a column without values that no row has, read-only."""
    used = np.unique(labels.codes[labels.codes >= 0])
    kept = {labels.values[code]: i for i, code in enumerate(used.tolist())}
    moved = np.array([*(kept.get(value, UNKNOWN) for value in labels.values), UNKNOWN], np.int32)
    codes = moved[labels.codes]
    codes.setflags(write=False)
    return Labels(codes, tuple(kept))
