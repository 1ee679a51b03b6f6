"""Offers of gpuhunt (its catalogs, CSV or JSON) and of dstack (``dstack offer --json``), prices in USD.

Both list on-demand and spot apart; rows of the same machine in the same place become one elastic offer with
both prices, paid as a whole node.

- gpuhunt: a row is a ``CatalogItem``, memory in GB that are GiB (an ``m5.2xlarge`` has 32), ``location`` a
  region, or a zone at Google; a catalog file is named after its provider.
- dstack: ``{"offers": [...]}``, each with ``backend``, ``region``, ``instance_type``, ``resources``,
  ``spot``, ``price`` and ``availability``. The disk in ``resources`` is what was asked for: it is not read.

Source of the formats: https://github.com/dstackai/gpuhunt (``models.py``) and https://github.com/dstackai/dstack
(``cli/utils/run.py``, ``core/models/instances.py``).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

from flare_core.catalog import gpus
from flare_core.errors import IntentError, InventoryError, found_expected
from flare_core.intent.json import parse_json
from flare_core.inventory.cells import (
    MAX_BYTES,
    RAGGED,
    CellError,
    Skips,
    Tally,
    read_cells,
    read_text,
    short_name,
)
from flare_core.inventory.fields import FieldError, check_name
from flare_core.inventory.gpuinfo import OTHER, SHARE, Gpu, counted_gpus, gpu_columns, read_gpu
from flare_core.inventory.prices import MarketOffers, read_rate, read_usd, to_ueur
from flare_core.inventory.types import ELASTIC, UNKNOWN
from flare_core.quantities import QuantityError, Rounding, parse_cpu_milli, parse_memory_mib

if TYPE_CHECKING:
    from flare_core.inventory.table import Values

REQUIRED: Final = ("instance_name", "location", "price", "gpu_count", "gpu_name", "spot")
"""Columns by which a gpuhunt catalog is known."""

ABSENT: Final = "not available now"
OWN: Final = "a machine of one's own (backend ssh), which is not for sale"
MIXED: Final = "different GPUs in one machine"

_NAMES: Final[Mapping[str, str]] = {
    "datacrunch": "verda",
    "digitalocean": "do",
    "lambdalabs": "lambda",
    "vastai": "vast",
}
"""gpuhunt's names for providers that SkyPilot, and so the built-in facts, name otherwise."""

_UNAVAILABLE: Final = frozenset({"not_available", "no_quota", "no_balance", "busy"})
_GOOGLE_ZONE: Final = re.compile(r"([a-z]+-[a-z]+[0-9]+)-[a-z]")
_MAX_GPUS: Final = 1024

# Catalogs repeat few sizes many times.
_milli = lru_cache(maxsize=4096)(parse_cpu_milli)
_mebi = lru_cache(maxsize=4096)(parse_memory_mib)

Record = Mapping[str, object]


class _Machine(NamedTuple):
    """What rows must agree on to be the same offer."""

    provider: str
    region: str
    zone: str
    name: str
    cpu_milli: int
    memory_mib: int
    gpu: Gpu | None
    gpu_count: int
    storage_mib: int


class _Skip(ValueError):
    """A row that is understood and left out."""


@dataclass(slots=True)
class _Prices:
    """The distinct prices of one machine, USD."""

    hourly: set[Decimal]
    spot: set[Decimal]


def read_gpuhunt(path: str | Path, *, usd_eur: object, provider: str | None = None) -> MarketOffers:
    """Read offers of gpuhunt or dstack, CSV or JSON.

    Parameters
    ----------
    path
        The file.
    usd_eur
        Euro for one US dollar, above 0, such as ``"0.92"``.
    provider
        Of rows that name none; by default the file's name without its ending.

    Raises
    ------
    OptionsError
        If `usd_eur` is missing or no such number.
    InventoryError
        If the file cannot be read as such offers.
    """
    return parse_gpuhunt(read_text(path), str(path), usd_eur=usd_eur, provider=provider)[0]


def parse_gpuhunt(
    text: str, name: str, *, usd_eur: object, provider: str | None = None
) -> tuple[MarketOffers, Tally]:
    """Read the text of such a file; `name` is the path it came from. See `read_gpuhunt`."""
    rate = read_rate(usd_eur, name)
    is_json = text.lstrip()[:1] in ("{", "[")
    skips = Skips(short_name(name), ": offers.{}" if is_json else ":{}")
    home = provider or PurePath(name).stem
    machines: dict[_Machine, _Prices] = {}
    rows = 0
    for number, record in _json_records(text, name) if is_json else _csv_records(text, name, skips):
        rows += 1
        try:
            machine, usd, spot = _row(record, home)
            to_ueur(usd, rate)
        except (CellError, _Skip) as error:
            skips.add(str(error), [number])
        else:
            prices = machines.setdefault(machine, _Prices(set(), set()))
            (prices.spot if spot else prices.hourly).add(usd)
    offers = _raw(machines, rate, skips, short_name(name))
    ragged = skips.counts.get(RAGGED, 0)
    used = rows + ragged - sum(skips.counts.values())
    return offers, Tally(rows + ragged, used, skips.counts, len(offers.ids))


def is_offers(document: object) -> bool:
    """Tell whether parsed JSON looks like offers of gpuhunt or dstack."""
    offers = document.get("offers") if isinstance(document, Mapping) else document
    if not isinstance(offers, list) or not offers or not isinstance(offers[0], Mapping):
        return False
    return {"instance_name", "location"} <= offers[0].keys() or {"backend", "resources"} <= offers[0].keys()


# --- rows ----------------------------------------------------------------------------------------


def _csv_records(text: str, name: str, skips: Skips) -> Iterator[tuple[int, Record]]:
    cells = read_cells(text, name, REQUIRED)
    skips.add(RAGGED, cells.ragged)
    columns = list(cells.columns)
    for line, row in zip(cells.lines, zip(*cells.columns.values(), strict=True), strict=True):
        yield line, {column: cell for column, cell in zip(columns, row, strict=True) if cell}


def _json_records(text: str, name: str) -> Iterator[tuple[int, Record]]:
    try:
        document = parse_json(text, max_bytes=MAX_BYTES)
    except IntentError as error:
        raise InventoryError(error.path or name, error.message) from None
    offers = document.get("offers") if isinstance(document, dict) else document
    if not isinstance(offers, list):
        raise InventoryError(name, found_expected(type(offers).__name__, "a list of offers"))
    for number, offer in enumerate(offers):
        yield number, offer if isinstance(offer, dict) else {}


def _row(record: Record, home: str) -> tuple[_Machine, Decimal, bool]:
    """Return the machine of a row, its price in USD, and whether that is for spot."""
    record = _flattened(record) if "resources" in record else record
    if record.get("availability") in _UNAVAILABLE:
        raise _Skip(ABSENT)
    provider = _name(record, "provider", home).lower()
    if provider == "ssh":
        raise _Skip(OWN)
    location, machine = _name(record, "location"), _name(record, "instance_name")
    zone = _GOOGLE_ZONE.fullmatch(location) if provider == "gcp" else None
    gpu, count = _gpus(record, provider, machine)
    usd = read_usd(_digits(record, "price"))
    if usd is None:
        raise _Skip("no price")
    return (
        _Machine(
            _NAMES.get(provider, provider),
            zone[1] if zone else location,
            location if zone else "",
            machine,
            _cpu_milli(record),
            _mib(record, "memory", "Gi"),
            gpu,
            count,
            _mib(record, "disk_size", "G"),
        ),
        usd,
        _flag(record, "spot"),
    )


def _flattened(offer: Record) -> Record:
    """Return an offer of dstack in gpuhunt's words."""
    resources = offer["resources"]
    if not isinstance(resources, Mapping):
        raise CellError(f"resources: {found_expected(resources, 'an object')}")
    cards = resources.get("gpus") or []
    if not isinstance(cards, list) or not all(isinstance(card, Mapping) for card in cards):
        raise CellError(f"resources.gpus: {found_expected(cards, 'a list of objects')}")
    kinds = {(card.get("vendor"), card.get("name"), card.get("memory_mib")) for card in cards}
    if len(kinds) > 1:
        raise _Skip(MIXED)
    vendor, name, memory_mib = kinds.pop() if kinds else (None, None, None)
    return {
        "provider": offer.get("backend"),
        "location": offer.get("region"),
        "instance_name": offer.get("instance_type"),
        "price": offer.get("price"),
        "spot": offer.get("spot", resources.get("spot")),
        "availability": offer.get("availability"),
        "cpu": resources.get("cpus"),
        "memory": _mib_as_gib(resources.get("memory_mib")),
        "gpu_count": len(cards),
        "gpu_name": name,
        "gpu_vendor": vendor,
        "gpu_memory": _mib_as_gib(memory_mib),
    }


def _mib_as_gib(mib: object) -> object:
    return mib / 1024 if isinstance(mib, int) and mib >= 0 else mib


def _gpus(record: Record, provider: str, machine: str) -> tuple[Gpu | None, int]:
    """Return the GPU of a row and how many; (None, 0) without."""
    name, vendor = str(record.get("gpu_name") or ""), str(record.get("gpu_vendor") or "")
    count = counted_gpus(provider, machine) or _count(record)
    if not name and not count:
        return None, 0
    if vendor.lower() == "google" or gpus.is_other_accelerator(name):
        raise _Skip(OTHER)
    if not name or not count:
        raise CellError(found_expected(f"{count} × {name!r}", "the name and the number of the GPUs"))
    if count.denominator != 1:
        raise _Skip(SHARE)
    memory = _mib(record, "gpu_memory", "Gi")
    info = f"{{'SizeInMiB': {memory}}}" if memory > 0 else ""
    gpu = read_gpu((f"{vendor} {name}".strip(), name), int(count), info)
    if gpu is None:
        near = ", ".join(gpus.near(name))
        expected = f"a known GPU{f'; near it: {near}' * bool(near)}"
        raise CellError(f"gpu_name: {found_expected(name, expected)}")
    return gpu, int(count)


# --- cells: text in CSV, typed in JSON -----------------------------------------------------------


def _digits(record: Record, key: str) -> str:
    """Return a number as it was written; nothing where there is none."""
    value = record.get(key)
    if isinstance(value, bool) or not (value is None or isinstance(value, (str, int, float))):
        raise CellError(f"{key}: {found_expected(value, 'a number')}")
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _name(record: Record, key: str, default: str = "") -> str:
    value = record.get(key) or default
    try:
        return check_name(value)
    except FieldError as error:
        raise CellError(f"{key}: {error.message}") from None


def _flag(record: Record, key: str) -> bool:
    value = str(record.get(key)).lower()
    if value not in ("true", "false"):
        raise CellError(f"{key}: {found_expected(record.get(key), 'true or false')}")
    return value == "true"


def _count(record: Record) -> Fraction:
    text = _digits(record, "gpu_count")
    try:
        count = Fraction(_milli(text or 0, Rounding.DOWN), 1000)
    except QuantityError:
        count = Fraction(-1)
    if not 0 <= count <= _MAX_GPUS:
        raise CellError(f"gpu_count: {found_expected(text, f'0 to {_MAX_GPUS}')}")
    return count


def _cpu_milli(record: Record) -> int:
    text = _digits(record, "cpu")
    try:
        return _milli(text, Rounding.DOWN) if text else UNKNOWN
    except QuantityError as error:
        raise CellError(f"cpu: {error}") from None


def _mib(record: Record, key: str, unit: str) -> int:
    text = _digits(record, key)
    try:
        return _mebi(f"{text}{unit}", Rounding.DOWN) if text else UNKNOWN
    except QuantityError:
        raise CellError(f"{key}: {found_expected(text, 'a number of GB')}") from None


# --- offers --------------------------------------------------------------------------------------


def _raw(machines: Mapping[_Machine, _Prices], rate: Decimal, skips: Skips, source: str) -> MarketOffers:
    """Return the offers; of a machine with several prices, the cheapest ones make one offer, and so on."""
    listed: list[tuple[_Machine, Decimal | None, Decimal | None]] = []
    for machine, prices in machines.items():
        # A spot price of 0 is none, unless that is all there is: then the mistake has to be seen.
        spot = {usd for usd in prices.spot if usd} or (set() if prices.hourly else prices.spot)
        listed += [(machine, *pair) for pair in zip_longest(sorted(prices.hourly), sorted(spot))]
    said = [machine for machine, _, _ in listed]
    columns: dict[str, Values] = {
        "provider": [machine.provider for machine in said],
        "region": [machine.region for machine in said],
        "zone": [machine.zone or None for machine in said],
        "nodes": [ELASTIC] * len(said),
        "hourly_ueur": [to_ueur(usd, rate) for _, usd, _ in listed],
        "spot_ueur": [to_ueur(usd, rate) for _, _, usd in listed],
        "cpu_milli": [machine.cpu_milli for machine in said],
        "memory_mib": [machine.memory_mib for machine in said],
        "storage_mib": [machine.storage_mib for machine in said],
        "gpu_count": [machine.gpu_count for machine in said],
        **gpu_columns([machine.gpu for machine in said]),
    }
    return MarketOffers(
        ids=["/".join(filter(None, (m.provider, m.region, m.zone, m.name))) for m in said],
        columns=columns,
        warnings=skips.warnings(),
        source=source,
        list_prices=["" if usd is None else str(usd) for _, usd, _ in listed],
    )
