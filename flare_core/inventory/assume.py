"""What the user knows and the source does not say.

An assumption is a table from a provider (``"aws"``), one of its regions (``"aws/us-east-1"``) or everybody
(``"*"``) to fields of the offer document, nested or by dotted path::

    {"aws": {"performance": {"latency_ms": 20}}, "aws/us-east-1": {"energy.carbon_intensity": 369}}

It fills absent fields only, the more specific first, and never what the GPU model determines; it goes before
the shipped facts about providers. Every path that was filled is listed with the offer.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

import numpy as np

from flare_core.errors import InventoryError, found_expected
from flare_core.inventory.fields import BY_PATH, FieldError, Value, parse_value
from flare_core.inventory.table import Table
from flare_core.inventory.types import Labels, Mask

EVERYBODY: Final = "*"
_NOT_ASSUMED: Final = frozenset({"provider", "region", "nodes", "price.hourly", "gpu.model", "gpu.count"})
_GPU: Final = "gpu."

Assumptions = Mapping[tuple[str, str | None], Mapping[str, Value]]
"""Values by dotted path, by (provider, region) in lower case; region None is all of the provider's."""


def read_assumptions(assume: object) -> Assumptions:
    """Check assumptions and read their values.

    Raises
    ------
    InventoryError
        With the path of what is wrong: ``assume.aws.performance.latency_ms``.
    """
    if not isinstance(assume, Mapping):
        raise InventoryError("assume", found_expected(assume, "an object of providers"))
    read: dict[tuple[str, str | None], dict[str, Value]] = {}
    for key, fields in assume.items():
        place = _place(key)
        if place in read:
            raise InventoryError(f"assume.{key}", "found twice, expected each provider and region once")
        read[place] = _values(fields, f"assume.{key}")
    return read


def apply_assumptions(table: Table, assumptions: Assumptions) -> list[str]:
    """Fill absent fields and note them in the column ``assumed``; return warnings."""
    filled: dict[str, Mask] = {}
    warnings: list[str] = []
    for place in sorted(assumptions, key=lambda place: (place[0] == EVERYBODY, place[1] is None, place)):
        rows = _rows(table, place)
        if not rows.any():
            warnings.append(f"assume: no offer is of {'/'.join(part for part in place if part)}")
        for path, value in sorted(assumptions[place].items()):
            eligible = rows & (table.whole("gpu_count") > 0) if path.startswith(_GPU) else rows
            done = table.fill(BY_PATH[path].name, [value], np.where(eligible, 0, -1))
            filled[path] = filled[path] | done if path in filled else done
    _note(table, filled)
    return warnings


def _place(key: object) -> tuple[str, str | None]:
    if not isinstance(key, str) or not key or key.startswith("/") or key.endswith("/"):
        raise InventoryError("assume", found_expected(key, "a provider, 'provider/region' or '*'"))
    provider, _, region = key.casefold().partition("/")
    return provider, region or None


def _values(fields: object, path: str) -> dict[str, Value]:
    if not isinstance(fields, Mapping):
        raise InventoryError(path, found_expected(fields, "an object of values"))
    said: dict[str, Value | None] = {}
    for field, value in _flat(fields, ""):
        column = BY_PATH.get(field)
        if column is None or field in _NOT_ASSUMED:
            near = get_close_matches(field, sorted(BY_PATH.keys() - _NOT_ASSUMED), n=1, cutoff=0)
            raise InventoryError(f"{path}.{field}", f"no field that can be assumed, nearest is {near[0]}")
        if field in said:
            raise InventoryError(f"{path}.{field}", "found twice, nested and dotted, expected it once")
        try:
            said[field] = parse_value(column, value)
        except FieldError as error:
            raise InventoryError(f"{path}.{field}.{error.path}".rstrip("."), error.message) from None
    return {field: value for field, value in said.items() if value is not None}


def _flat(fields: Mapping[object, object], prefix: str) -> Iterator[tuple[str, object]]:
    """Yield dotted paths; an object below a field that is itself an object is its value."""
    for key, value in fields.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and path not in BY_PATH and not prefix:
            yield from _flat(value, f"{path}.")
        elif value is not None:
            yield path, value


def _rows(table: Table, place: tuple[str, str | None]) -> Mask:
    provider, region = place
    rows = np.ones(table.size, np.bool_)
    if provider != EVERYBODY:
        rows &= table.labels["provider"].where(lambda name: name.casefold() == provider)
    if region is not None:
        rows &= table.labels["region"].where(lambda name: name.casefold() == region)
    return rows


def _note(table: Table, filled: Mapping[str, Mask]) -> None:
    """Write down for each row which paths were filled in, sorted and joined by ","."""
    which = np.zeros(table.size, np.int64)
    lists: list[tuple[str, ...]] = [()]
    for path in sorted(filled):
        # One more path splits each list of paths so far into those with it and those without.
        kept, which = np.unique(which * 2 + filled[path], return_inverse=True)
        lists = [(*lists[code // 2], path) if code % 2 else lists[code // 2] for code in kept.tolist()]
    names = [",".join(paths) or None for paths in lists]
    table.labels["assumed"] = Labels.of([names[code] for code in which.tolist()])
