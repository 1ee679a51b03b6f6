"""Offers of the inventory document: nested or dotted, checked one by one, turned into columns.

A bad offer is reported with the path of each thing that is wrong and skipped; the others stand. What an offer
can say is `COLUMNS`, plus what is used (``used``, ``node_states``).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from math import ceil
from typing import Final

from flare_core.catalog import gpus
from flare_core.errors import InventoryError, found_expected
from flare_core.inventory.build import RawOffers, no_offers, shortened
from flare_core.inventory.fields import BY_PATH, FieldError, OtherAccelerator, Value, check_name, parse_value
from flare_core.inventory.types import COLUMNS, UNKNOWN, Column, Kind
from flare_core.inventory.usage import NodeKind, NodeState, Usage, UsageError, check_usage
from flare_core.quantities import QuantityError, Rounding, parse_cpu_milli, parse_memory_mib, parse_moment

VERSION: Final = 1

_USED: Final = ("used.gpus", "used.cpu", "used.memory")
_FIELDS: Final = frozenset({"id", "node_states", *_USED, *BY_PATH})
_SECTIONS: Final = frozenset(path.partition(".")[0] for path in _FIELDS if "." in path)
_REQUIRED: Final = ("provider", "region", "price.hourly")
_REQUIRED_GPU: Final = ("gpu.model", "gpu.count")
_SPOT: Final = frozenset({"spot_ueur", "spot_series"})
# Facts of the part that a spelling such as "NVIDIA H100 80GB HBM3" names beside the model.
_NAMED: Final = {"gpu.memory": "memory_mib", "gpu.power_w": "tdp_w", "gpu.fp32_tflops": "fp32_tflops"}
_PROFILE: Final = re.compile(r"[1-9]g\.[0-9]{1,3}gb(\+[a-z]+(\.[a-z]+)?)?")

Flat = Mapping[str, object]
Issue = tuple[str, str]
"""A path inside the offer, and what is wrong there."""


@dataclass(slots=True)
class _Columns:
    """Offers read so far, column by column."""

    ids: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    values: dict[str, list[Value | None]] = field(default_factory=lambda: {c.name: [] for c in COLUMNS})
    usage: dict[int, Usage] = field(default_factory=dict)

    def add(self, offer_id: str, where: str, said: Mapping[str, Value], usage: Usage) -> None:
        if usage:
            self.usage[len(self.ids)] = usage
        self.ids.append(offer_id)
        self.where.append(where)
        for name, values in self.values.items():
            values.append(said.get(name))


def read_document(document: object, source: str = "", prefix: str = "") -> RawOffers:
    """Read ``{"version": 1, "offers": […]}``, or the bare list of offers.

    Parameters
    ----------
    document
        As JSON holds it.
    source
        For people.
    prefix
        Before every path in a message, where several documents are read.

    Raises
    ------
    InventoryError
        If it is neither, or no offer is usable.
    """
    offers = document
    if isinstance(document, Mapping):
        for key in document:
            if key not in ("version", "offers"):
                raise InventoryError(f"{prefix}{key}", "unknown field, expected version and offers")
        version = document.get("version", VERSION)
        if isinstance(version, bool) or version != VERSION:
            raise InventoryError(f"{prefix}version", found_expected(version, f"{VERSION}"))
        offers = document.get("offers")
    if not isinstance(offers, list):
        raise InventoryError(f"{prefix}offers", found_expected(offers, "a list of offers"))
    return read_offers(((f"{prefix}offers.{i}", offer) for i, offer in enumerate(offers)), source)


def read_offers(
    offers: Iterable[tuple[str, object]], source: str = "", *, inside: Callable[[str], str] = ".{}".format
) -> RawOffers:
    """Read offers one by one.

    Parameters
    ----------
    offers
        Where each stands, for messages (``offers.3``), and what it says: sections nested, dotted, or mixed;
        None is absent. An error stands for an offer that could not be read.
    source
        For people.
    inside
        Writes a path inside an offer so that it can follow where the offer stands.

    Raises
    ------
    InventoryError
        If none is usable.
    """
    reader = _Reader()
    columns = _Columns()
    warnings: list[str] = []
    others = 0
    for where, offer in offers:
        issues: list[Issue] = []
        try:
            read = reader.offer(offer, issues)
        except OtherAccelerator:
            others += 1
            continue
        if read is None or issues:
            places = ((f"{where}{inside(path) if path else ''}", message) for path, message in issues)
            warnings += [f"{place}: {message}; the offer is skipped" for place, message in places]
        else:
            columns.add(read[0], where, *read[1:])
    if others:
        warnings.insert(0, f"{others} offers of accelerators that are no GPU are left out")
    if not columns.ids:
        raise no_offers(source, warnings)
    return RawOffers(columns.ids, columns.values, shortened(warnings), source, columns.usage, columns.where)


class _Reader:
    """Reads offers; remembers what it has parsed, because values repeat from offer to offer."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[str, type, object], Value | None] = {}

    def offer(self, offer: object, issues: list[Issue]) -> tuple[str, dict[str, Value], Usage] | None:
        """Return id, values by column, and use; or None, with `issues` saying what is wrong."""
        if isinstance(offer, InventoryError):
            issues.append((offer.path, offer.message))
            return None
        if not isinstance(offer, Mapping):
            issues.append(("", found_expected(offer, "an object")))
            return None
        flat = dict(_flat(offer, issues))
        said: dict[str, Value] = {}
        for path, value in flat.items():
            column = BY_PATH.get(path)
            if column is not None:
                self._read(column, value, said, issues)
        _check_required(flat, said, "gpu" in offer and offer["gpu"] is not None, issues)
        _check_links(said, issues)
        _read_name(flat, said)
        usage = _usage(flat, said, issues)
        issues.sort()
        return (str(flat.get("id")), said, usage)

    def _read(self, column: Column, value: object, said: dict[str, Value], issues: list[Issue]) -> None:
        plain = repr(value) if column.kind is Kind.SERIES else value
        key = (column.name, type(value), plain) if isinstance(plain, (str, int, float)) else None
        try:
            if key is not None and key in self._parsed:
                parsed = self._parsed[key]
            else:
                parsed = parse_value(column, value)
        except OtherAccelerator:
            raise
        except FieldError as error:
            issues.append((f"{column.path}.{error.path}".rstrip("."), error.message))
            return
        if key is not None:
            self._parsed[key] = parsed
        if parsed is not None:
            said[column.name] = parsed


def _flat(offer: Mapping[object, object], issues: list[Issue]) -> Iterator[tuple[str, object]]:
    """Yield what an offer says by dotted path, and report what no offer can say."""
    seen: set[str] = set()
    for path, value in _paths(offer, issues):
        if path not in _FIELDS:
            issues.append((path, f"unknown field, nearest is {_nearest(path)}"))
        elif path in seen:
            issues.append((path, "found twice, nested and dotted, expected it once"))
        else:
            seen.add(path)
            yield path, value


def _paths(offer: Mapping[object, object], issues: list[Issue]) -> Iterator[tuple[str, object]]:
    for key, value in offer.items():
        if value is None:
            if key not in _FIELDS and key not in _SECTIONS:
                yield str(key), value
        elif key in _SECTIONS and key not in BY_PATH:
            if isinstance(value, Mapping):
                yield from (
                    (f"{key}.{k}", v)
                    for k, v in value.items()
                    if v is not None or f"{key}.{k}" not in _FIELDS
                )
            else:
                issues.append((str(key), found_expected(value, "an object or null")))
        else:
            yield str(key), value


@cache
def _nearest(path: str) -> str:
    known = (field for field in _FIELDS if ("serie" in path) == field.endswith("series"))
    return get_close_matches(path, sorted(known), n=1, cutoff=0)[0]


def _check_required(flat: Flat, said: Mapping[str, Value], has_gpu: bool, issues: list[Issue]) -> None:
    has_gpu = has_gpu or any(path.startswith("gpu.") for path in flat)
    wrong = {path for path, _ in issues}
    wrong |= {path for path in (*_REQUIRED, *_REQUIRED_GPU) if path.partition(".")[0] in wrong}
    for path in ("id", *_REQUIRED, *(_REQUIRED_GPU if has_gpu else ())):
        # A node that is sold as spot alone has no other price.
        if path not in flat and path not in wrong and not (path == "price.hourly" and _SPOT & said.keys()):
            issues.append((path, "is missing, expected a value"))
    if "id" in flat:
        try:
            check_name(flat["id"])
        except FieldError as error:
            issues.append(("id", error.message))


def _check_links(said: Mapping[str, Value], issues: list[Issue]) -> None:
    links, count = said.get("links"), said.get("gpu_count")
    if links is None or count is None:
        return
    last = max((int(end) for end in re.findall(r"\[[0-9]+,([0-9]+),", str(links))), default=-1)
    if last >= int(count):
        issues.append(("gpu.links", found_expected(last, f"GPU indices below gpu.count, {count}")))


def _read_name(flat: Flat, said: dict[str, Value]) -> None:
    """Take what the spelling of the model says about the part, where nothing else says it."""
    name = flat.get("gpu.model")
    if not isinstance(name, str) or name == said.get("gpu_model"):
        return
    parts = gpus.parts_named(name)
    for path, fact in _NAMED.items():
        value = gpus.agreed(parts, fact)
        if value is not None:
            said.setdefault(BY_PATH[path].name, value)


# --- what is used --------------------------------------------------------------------------------


def _usage(flat: Flat, said: Mapping[str, Value], issues: list[Issue]) -> Usage:
    """Read ``used`` and ``node_states`` and check them against the nodes, as far as those are stated."""
    try:
        usage = Usage(
            gpus=_whole(flat.get("used.gpus", 0), "used.gpus"),
            cpu_milli=_cpu(flat.get("used.cpu", 0), "used.cpu", Rounding.UP),
            memory_mib=_memory(flat.get("used.memory", 0), "used.memory", Rounding.UP),
            states=tuple(_states(flat.get("node_states"))),
        )
        if usage and not issues:
            capacity = ("nodes", "gpu_count", "cpu_milli", "memory_mib")
            defaults = (UNKNOWN, 0, UNKNOWN, UNKNOWN)
            check_usage(
                usage, NodeKind(*(int(said.get(n, d)) for n, d in zip(capacity, defaults, strict=True)))
            )
    except UsageError as error:
        issues.append((error.path, error.message))
        return Usage()
    return usage


def _whole(value: object, path: str, most: int = 10**9) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise UsageError(path, found_expected(value, "a whole number, 0 or more"))
    return value


def _cpu(value: object, path: str, rounding: Rounding) -> int:
    try:
        return parse_cpu_milli(value, rounding)
    except QuantityError as error:
        raise UsageError(path, str(error)) from None


def _memory(value: object, path: str, rounding: Rounding) -> int:
    try:
        return parse_memory_mib(value, rounding)
    except QuantityError as error:
        raise UsageError(path, str(error)) from None


def _states(value: object) -> Iterator[NodeState]:
    if value is not None and not isinstance(value, list):
        raise UsageError("node_states", found_expected(value, "a list of objects"))
    for i, state in enumerate(value or []):
        yield _state(state, f"node_states.{i}")


def _state(state: object, path: str) -> NodeState:
    if not isinstance(state, Mapping):
        raise UsageError(path, found_expected(state, "an object"))
    said = {str(key): item for key, item in state.items() if item is not None}
    known = ("node", "free_gpus", "gpu_milli", "mig", "cpu", "memory", "until")
    for key in said:
        if key not in known:
            raise UsageError(f"{path}.{key}", f"unknown field, expected one of {', '.join(known)}")
    if "node" not in said:
        raise UsageError(f"{path}.node", "is missing, expected the number of a node")
    free = said.get("free_gpus")
    return NodeState(
        node=_whole(said["node"], f"{path}.node"),
        free_gpus=None if free is None else tuple(sorted(_indices(free, f"{path}.free_gpus"))),
        milli=tuple(sorted(_milli(said.get("gpu_milli", {}), f"{path}.gpu_milli"))),
        mig=tuple(sorted(_instances(said.get("mig", []), f"{path}.mig"))),
        cpu_milli=_cpu(said["cpu"], f"{path}.cpu", Rounding.DOWN) if "cpu" in said else None,
        memory_mib=_memory(said["memory"], f"{path}.memory", Rounding.DOWN) if "memory" in said else None,
        until=_moment(said["until"], f"{path}.until") if "until" in said else None,
    )


def _moment(value: object, path: str) -> int:
    """Return a moment as seconds since the epoch, a broken second as the next whole one."""
    try:
        if not isinstance(value, str):
            raise QuantityError(value, "a date and time, such as '2026-01-15T10:35:00Z'")
        return ceil(parse_moment(value).timestamp())
    except QuantityError as error:
        raise UsageError(path, str(error)) from None


def _indices(value: object, path: str) -> Iterator[int]:
    if not isinstance(value, list):
        raise UsageError(path, found_expected(value, "a list of GPU indices"))
    yield from (_whole(index, f"{path}.{i}") for i, index in enumerate(value))


def _milli(value: object, path: str) -> Iterator[tuple[int, int]]:
    if not isinstance(value, Mapping):
        raise UsageError(path, found_expected(value, "an object of free thousandths by GPU index"))
    for gpu, milli in value.items():
        yield _whole(gpu, f"{path}.{gpu}"), _whole(milli, f"{path}.{gpu}", 1000)


def _instances(value: object, path: str) -> Iterator[tuple[int, str, int]]:
    if not isinstance(value, list):
        raise UsageError(path, found_expected(value, "a list of MIG instances"))
    for i, instance in enumerate(value):
        here = f"{path}.{i}"
        if not isinstance(instance, Mapping) or instance.keys() != {"gpu", "profile", "start"}:
            raise UsageError(here, found_expected(instance, "an object with gpu, profile and start"))
        profile = instance["profile"]
        if not isinstance(profile, str) or not _PROFILE.fullmatch(profile):
            raise UsageError(f"{here}.profile", found_expected(profile, "a MIG profile, such as '1g.10gb'"))
        yield _whole(instance["gpu"], f"{here}.gpu"), profile, _whole(instance["start"], f"{here}.start", 7)
