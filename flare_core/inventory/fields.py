"""One value of an offer, in and out: the document's ``"80Gi"`` <-> the column's 81920.

`COLUMNS` says what an offer can say; this module says how each of its kinds is written. JSON, CSV, Parquet,
DataFrames, `assume` and the shipped provider facts all go through `parse_value`, so a value means the same
wherever it stands.

Capacities are rounded down, prices up.
"""

import json
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from flare_core import quantities
from flare_core.catalog import gpus, regions
from flare_core.errors import found_expected
from flare_core.inventory.calendar import CalendarError, canonical_calendar
from flare_core.inventory.series import PLAIN, SeriesError, canonical_series, shown_series
from flare_core.inventory.types import COLUMNS, ELASTIC_STORAGE, Column, Kind
from flare_core.quantities import QuantityError, Rounding

Value = int | float | str
"""A known value as a column holds it; a flag is 0 or 1."""

BY_PATH: Mapping[str, Column] = MappingProxyType({column.path: column for column in COLUMNS})
BY_NAME: Mapping[str, Column] = MappingProxyType({column.name: column for column in COLUMNS})

MAX_TEXT: Final = 200
"""Longest name, in characters."""

_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "billing": ("node", "gpu"),
        "tier": gpus.TIERS,
        "interconnect": gpus.LINK_CLASSES,
        "topology": ("all-to-all", "nvswitch", "ring", "mesh"),
        "sharing_strategy": ("mig", "mps", "time-slicing"),
        "network_isolation": ("public", "private"),
        "efficiency_rating": ("A", "B", "C", "D", "E", "F"),
    }
)
_SLUGS: Final = frozenset({"architecture", "fabric_interconnect"})

# (least, most) in the column's unit. The upper bounds keep sums of many offers far within 2**53.
_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "nodes": (0, 100_000),
        "hourly_ueur": (0, 10**12),
        "spot_ueur": (0, 10**12),
        "cpu_milli": (0, 10**9),
        "memory_mib": (0, 2**40),
        "storage_mib": (0, 2**50),
        "gpu_count": (1, 1024),
        "gpu_memory_mib": (1, 2**30),
        "gpu_cores": (1, 10**9),
        "sharing_slots": (1, 1000),
        "multi_gpu_efficiency": (0, 1),
        "power_w": (1, 10**6),
        "pue": (1, 100),
        "carbon_intensity": (0, 10**5),
    }
)
_DIGITS: Final = re.compile(r"[0-9]{1,16}")
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*")


class FieldError(ValueError):
    """A value that an offer cannot have; `path` is where below the field it stands, `message` says why."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class OtherAccelerator(FieldError):
    """A TPU, FPGA or the like: no GPU, and no error either."""


def parse_value(column: Column, value: object) -> Value | None:
    """Read one value of an offer.

    Parameters
    ----------
    column
        Of `COLUMNS`.
    value
        As JSON holds it; not None.

    Returns
    -------
    In the column's base unit; None where it says nothing (a calendar without any restriction).

    Raises
    ------
    FieldError
        With the standard wording "found …, expected …".
    OtherAccelerator
        For the model of an accelerator that is no GPU.
    """
    try:
        parsed = _PARSERS[column.kind](column, value)
    except QuantityError as error:
        raise FieldError(str(error)) from None
    if isinstance(parsed, (int, float)) and column.name in _RANGES:
        least, most = _RANGES[column.name]
        if not (least <= parsed <= most or parsed == ELASTIC_STORAGE):
            raise FieldError(found_expected(value, f"{_worded(column, least)} to {_worded(column, most)}"))
    return parsed


def show_value(column: Column, value: Value) -> object:
    """Write a column's value as a document does; `parse_value` reads it back the same."""
    if column.kind is Kind.SERIES:
        plain = BY_PATH[PLAIN[column.name]]
        return shown_series(str(value), lambda step: show_value(plain, step))
    return _WRITERS[column.kind](value)


def _worded(column: Column, bound: float) -> str:
    return str(_WRITERS[column.kind](int(bound) if column.kind.storage == "whole" else bound))


def _count(column: Column, value: object) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(found_expected(value, "a whole number"))
    return value


def _flag(column: Column, value: object) -> int:
    if not isinstance(value, bool):
        raise FieldError(found_expected(value, "true or false"))
    return int(value)


def _storage(column: Column, value: object) -> int:
    if value == "elastic":
        return ELASTIC_STORAGE
    try:
        return quantities.parse_memory_mib(value, Rounding.DOWN)
    except QuantityError as error:
        raise FieldError(f"{error}, or 'elastic'") from None


def check_name(value: object) -> str:
    """Return a name: 1 to 200 printable characters, without space around it."""
    if not isinstance(value, str):
        raise FieldError(found_expected(value, "a text"))
    if not (0 < len(value) <= MAX_TEXT and value.isprintable() and value == value.strip()):
        expected = f"1 to {MAX_TEXT} printable characters without space around them"
        raise FieldError(found_expected(value, expected))
    return value


def _text(column: Column, value: object) -> str:
    text = check_name(value)
    if column.name == "country":
        return _country(text)
    if column.name in _SLUGS:
        slug = text.lower().replace(" ", "-").replace("_", "-")
        if not _SLUG.fullmatch(slug):
            raise FieldError(found_expected(value, "a name such as 'ada-lovelace'"))
        return slug
    words = _WORDS.get(column.name)
    if words is not None and text not in words:
        raise FieldError(found_expected(value, f"one of {', '.join(words)}"))
    return text


def _country(text: str) -> str:
    country = regions.country(text)
    if country is None:
        raise FieldError(found_expected(text, "an ISO 3166-1 country code, such as 'IE'"))
    return country.iso2


def _model(column: Column, value: object) -> str:
    name = check_name(value)
    known = gpus.normalize(name)
    if known is not None:
        return known
    if gpus.is_other_accelerator(name):
        raise OtherAccelerator(found_expected(name, "a GPU"))
    if gpus.is_vendor_prefixed(name.lower()):
        return name.lower()
    near = ", ".join(gpus.near(name))
    raise FieldError(
        found_expected(name, f"a known GPU or a vendor-prefixed name{f'; near it: {near}' * bool(near)}")
    )


def _certificates(column: Column, value: object) -> str:
    """Join the canonical names by "|", sorted; "" is: none, and that is known."""
    names = value.split("|") if isinstance(value, str) else value
    if not isinstance(names, list):
        raise FieldError(found_expected(value, "a list of names, such as ['ISO27001', 'SOC2']"))
    canonical = {canonical_certificate(check_name(name)) for name in names}
    if any(not name or "|" in name for name in canonical):
        raise FieldError(found_expected(value, "names of certificates without '|'"))
    return "|".join(sorted(canonical))


def canonical_certificate(name: str) -> str:
    """Return the name by which certificates are compared.

    >>> canonical_certificate("iso 27001"), canonical_certificate("SOC-2")
    ('ISO27001', 'SOC2')
    """
    return re.sub(r"[\s-]", "", name).upper()


def _json(column: Column, value: object) -> str | None:
    if column.name == "calendar":
        try:
            return canonical_calendar(value)
        except CalendarError as error:
            raise FieldError(error.message, error.path) from None
    return canonical_json(_links(value) if column.name == "links" else _fabric_path(value))


def _series(column: Column, value: object) -> str | None:
    plain = BY_PATH[PLAIN[column.name]]

    def read(step: object) -> int | float:
        parsed = parse_value(plain, step)
        assert isinstance(parsed, (int, float)), plain
        return parsed

    try:
        return canonical_series(value, read)
    except SeriesError as error:
        raise FieldError(error.message, error.path) from None


def canonical_json(value: object) -> str:
    """Return the one text by which equal JSON values are equal."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _fabric_path(value: object) -> list[str]:
    if not isinstance(value, list) or not value:
        raise FieldError(found_expected(value, "a list of names from the top, such as ['dc1', 'leaf3']"))
    return [check_name(part) for part in value]


def _links(value: object) -> list[list[int | str]]:
    """Order the links and the ends of each, so that equal link graphs are equal texts."""
    if not isinstance(value, list):
        raise FieldError(found_expected(value, "a list of links, such as [[0, 1, 'nvlink', '600 GB/s']]"))
    links = [_link(item, i) for i, item in enumerate(value)]
    links.sort(key=lambda link: (link[:2], link[2:]))
    for before, after in pairwise(links):
        if before[:3] == after[:3]:
            raise FieldError(found_expected(after, "each pair once for each kind of link"))
    return links


def _link(item: object, i: int) -> list[int | str]:
    expected = "[gpu, gpu, link, bandwidth], such as [0, 1, 'nvlink', '600 GB/s']"
    if not isinstance(item, list) or len(item) not in (3, 4):
        raise FieldError(found_expected(item, expected), str(i))
    ends = item[:2]
    if any(isinstance(end, bool) or not isinstance(end, int) or end < 0 for end in ends):
        raise FieldError(found_expected(ends, "two GPU indices"), str(i))
    if ends[0] == ends[1]:
        raise FieldError(found_expected(ends, "two different GPUs"), str(i))
    if item[2] not in gpus.LINK_CLASSES:
        raise FieldError(found_expected(item[2], f"one of {', '.join(gpus.LINK_CLASSES)}"), f"{i}.2")
    return [min(ends), max(ends), item[2], *(_link_bandwidth(text, i) for text in item[3:])]


def _link_bandwidth(value: object, i: int) -> str:
    try:
        return quantities.format_bandwidth(quantities.parse_bandwidth_gbps(value))
    except QuantityError as error:
        raise FieldError(str(error), f"{i}.3") from None


def _number_out(value: Value) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _rounded(parse: Callable[[object, Rounding], int], rounding: Rounding) -> Callable[[Column, object], int]:
    return lambda column, value: parse(value, rounding)


def _unitless(parse: Callable[[object], float]) -> Callable[[Column, object], float]:
    return lambda column, value: float(parse(value))


_PARSERS: Mapping[Kind, Callable[[Column, object], Value | None]] = MappingProxyType(
    {
        Kind.COUNT: _count,
        Kind.CPU: _rounded(quantities.parse_cpu_milli, Rounding.DOWN),
        Kind.MEMORY: _rounded(quantities.parse_memory_mib, Rounding.DOWN),
        Kind.STORAGE: _storage,
        Kind.RATE: _rounded(quantities.parse_rate_ueur_per_h, Rounding.UP),
        Kind.NUMBER: _unitless(quantities.parse_number),
        Kind.CLOCK: _unitless(quantities.parse_clock_mhz),
        Kind.BANDWIDTH: _unitless(quantities.parse_bandwidth_gbps),
        Kind.LATENCY: _unitless(quantities.parse_latency_ms),
        Kind.DURATION: _unitless(quantities.parse_duration_s),
        Kind.PERCENT: _unitless(quantities.parse_percent),
        Kind.FLAG: _flag,
        Kind.TEXT: _text,
        Kind.MODEL: _model,
        Kind.CERTIFICATES: _certificates,
        Kind.JSON: _json,
        Kind.SERIES: _series,
    }
)

_WRITERS: Mapping[Kind, Callable[[Value], object]] = MappingProxyType(
    {
        Kind.COUNT: int,
        Kind.CPU: lambda value: quantities.format_cpu(int(value)),
        Kind.MEMORY: lambda value: quantities.format_memory(int(value)),
        Kind.STORAGE: lambda value: (
            "elastic" if value == ELASTIC_STORAGE else quantities.format_memory(int(value))
        ),
        Kind.RATE: lambda value: quantities.format_rate(int(value)),
        Kind.NUMBER: _number_out,
        Kind.CLOCK: lambda value: quantities.format_clock(float(value)),
        Kind.BANDWIDTH: lambda value: quantities.format_bandwidth(float(value)),
        Kind.LATENCY: _number_out,
        Kind.DURATION: lambda value: quantities.format_duration(int(value)),
        Kind.PERCENT: _number_out,
        Kind.FLAG: bool,
        Kind.TEXT: str,
        Kind.MODEL: str,
        Kind.CERTIFICATES: lambda value: str(value).split("|") if value else [],
        Kind.JSON: lambda value: json.loads(str(value)),
    }
)
