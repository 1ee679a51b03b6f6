"""SkyPilot's catalogs: one CSV file a cloud, prices in USD, a row a machine type in a place.

A row becomes one elastic offer, paid as a whole node. What the files say differently from what they mean is
dealt with here, each case by its fact:

- Sizes of GPUs and spellings of their names: `flare_core.inventory.gpuinfo`.
- Google's rows price hosts and accelerators apart: `flare_core.inventory.google`.
- Azure's rows count a share of a GPU as one, and H100 by the vCPUs: `gpuinfo.counted_gpus`.
- Mithril's rows hold the floor of an auction, not a price: `_BID_FLOORS`.
- The files name no currency; SkyPilot takes all as USD, and so does this reader, with a warning for the
  clouds that list in EUR.

A row without on-demand price but with a spot price is an offer for spot only; a spot price of 0 is none.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from flare_core.catalog import gpus, regions
from flare_core.errors import found_expected
from flare_core.inventory import google
from flare_core.inventory.cells import (
    BAD,
    RAGGED,
    CellError,
    Cells,
    Skips,
    Tally,
    convert,
    read_cells,
    read_text,
)
from flare_core.inventory.fields import FieldError, check_name
from flare_core.inventory.gpuinfo import OTHER, SHARE, Gpu, counted_gpus, gpu_columns, read_gpu
from flare_core.inventory.prices import EXACT, MarketOffers, read_rate, read_usd, to_ueur
from flare_core.inventory.types import ELASTIC, UNKNOWN, IntArray, Mask
from flare_core.quantities import QuantityError, Rounding, parse_cpu_milli, parse_memory_mib

if TYPE_CHECKING:
    from flare_core.inventory.table import Values

REQUIRED: Final = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Region", "Price")
"""Columns by which the format is known."""

_EUR_LISTS: Final = frozenset({"ovhcloud", "scaleway", "seeweb"})
"""Clouds whose own price lists are in EUR."""

_BID_FLOORS: Final[Mapping[str, int]] = {"mithril": 1}
"""USD per GPU-hour from which an auction starts, listed as if it were the price. Source:
https://github.com/skypilot-org/skypilot/pull/9156."""

_VAST_TYPE: Final = re.compile(r"[0-9]+x-(.+)-[0-9]+-[0-9]+")
_VAST_PLACE: Final = re.compile(r".*, ([A-Z]{2}), [A-Z]{2}")

_MAX_GPUS: Final = 1024

NO_PRICE: Final = "no price"
NO_REGION: Final = "no region"
NO_NAME: Final = "no machine type"
NO_COUNT: Final = "accelerators without a name or a number"
NO_HOST: Final = "accelerators without a host in their zone"
NO_GPUS: Final = "a host that is sold only with accelerators, and none are listed in its zone"
BID_FLOOR: Final = "floor of an auction, not a price"


def read_skypilot(path: str | Path, *, usd_eur: object, provider: str | None = None) -> MarketOffers:
    """Read the catalog of one cloud.

    Parameters
    ----------
    path
        The file, or the folder that has it as ``vms.csv``.
    usd_eur
        Euro for one US dollar, above 0, such as ``"0.92"``.
    provider
        The cloud; by default the name of the file's folder.

    Raises
    ------
    OptionsError
        If `usd_eur` is missing or no such number.
    InventoryError
        If the file cannot be read as a catalog.
    """
    file = Path(path)
    file = file / "vms.csv" if file.is_dir() else file
    return parse_skypilot(read_text(file), str(file.absolute()), usd_eur=usd_eur, provider=provider)[0]


def parse_skypilot(
    text: str, name: str, *, usd_eur: object, provider: str | None = None
) -> tuple[MarketOffers, Tally]:
    """Read the text of a catalog; `name` is the path it came from. See `read_skypilot`."""
    rate = read_rate(usd_eur, name)
    cells = read_cells(text, name, REQUIRED)
    skips = Skips(cells.source)
    skips.add(RAGGED, cells.ragged)
    rows = _Rows(cells, _provider(name, provider), rate, skips)
    chosen = _offers(rows)
    offers = _raw(rows, chosen)
    used = len({row for offer in chosen for row in (offer.host, offer.gpus) if row >= 0})
    return offers, Tally(cells.rows, used, skips.counts, len(chosen))


def _provider(name: str, provider: str | None) -> str:
    """Return the cloud that is given, else the folder's name."""
    return check_name(provider or PurePath(name).parent.name.lower() or "unknown")


# --- rows ----------------------------------------------------------------------------------------


class _Rows:
    """The columns of a catalog in base units, and which rows are still good."""

    def __init__(self, cells: Cells, provider: str, rate: Decimal, skips: Skips) -> None:
        self.cells, self.provider, self.rate, self._skips = cells, provider, rate, skips
        self.left = np.ones(len(cells), np.bool_)
        self.prices = cells.column("Price")
        self.hourly = self._column("Price", lambda text: to_ueur(read_usd(text), rate))
        self.spot = self._column("SpotPrice", lambda text: to_ueur(read_usd(text), rate))
        self.spot[self.spot == 0] = UNKNOWN
        self.cpu_milli = self._column("vCPUs", _cpu_milli)
        self.memory_mib = self._column("MemoryGiB", _memory_mib)
        self.gpu_milli = self._column("AcceleratorCount", _gpu_milli)
        for column in ("InstanceType", "AcceleratorName", "Region", "AvailabilityZone"):
            self._column(column, _name_length)
        self.types, self.names = cells.column("InstanceType"), cells.column("AcceleratorName")
        self.regions, self.zones = cells.column("Region"), cells.column("AvailabilityZone")
        self._correct_counts()
        self.gpus = self._read_gpus()

    def _column(self, name: str, parse: Callable[[str], int]) -> IntArray:
        """Return a column of whole numbers; rows that cannot be read are skipped with what was found."""
        texts = self.cells.column(name)
        values = np.array(convert(texts, parse, BAD), np.int64)
        wrong = values == BAD
        for text in sorted({texts[row] for row in np.flatnonzero(wrong).tolist()}):
            try:
                parse(text)
            except CellError as error:
                self.skip(np.array([cell == text for cell in texts], np.bool_), f"{name}: {error}")
        return values

    def skip(self, rows: Mask, reason: str) -> None:
        """Drop the rows that are still good and in `rows`."""
        hit = np.flatnonzero(self.left & rows)
        self._skips.add(reason, [self.cells.lines[row] for row in hit.tolist()])
        self.left[hit] = False

    def warnings(self) -> tuple[str, ...]:
        """Return what was skipped."""
        return self._skips.warnings()

    def _correct_counts(self) -> None:
        for row in np.flatnonzero(self.gpu_milli).tolist():
            true = counted_gpus(self.provider, self.types[row])
            if true is not None:
                self.gpu_milli[row] = int(true * 1000)

    def _read_gpus(self) -> dict[int, Gpu]:
        """Return the GPU of each row that has one, and skip the rows that cannot become an offer."""
        named = np.array(convert(self.names, bool, False), np.bool_)
        self.skip(np.array(convert(self.names, gpus.is_other_accelerator, False), np.bool_), OTHER)
        self.skip(named != (self.gpu_milli > 0), NO_COUNT)
        self.skip(named & (self.gpu_milli % 1000 != 0), SHARE)
        info, found = self.cells.column("GpuInfo"), {}
        unknown: dict[str, list[int]] = {}
        for row in np.flatnonzero(named & self.left).tolist():
            gpu = read_gpu(self._spellings(row), int(self.gpu_milli[row]) // 1000, info[row])
            if gpu is None:
                unknown.setdefault(self.names[row], []).append(row)
            else:
                found[row] = gpu
        for name in sorted(unknown):
            near = ", ".join(gpus.near(name))
            expected = f"a known GPU{f'; near it: {near}' * bool(near)}"
            rows = np.isin(np.arange(len(self.left)), unknown[name])
            self.skip(rows, f"AcceleratorName: {found_expected(name, expected)}")
        return found

    def _spellings(self, row: int) -> tuple[str, ...]:
        """Return the names of a row's GPU; Vast's machine types say more than its shortened names."""
        told = _VAST_TYPE.fullmatch(self.types[row]) if self.provider == "vast" else None
        return (told[1], self.names[row]) if told else (self.names[row],)


def _cpu_milli(text: str) -> int:
    try:
        return parse_cpu_milli(text, Rounding.DOWN) if text else UNKNOWN
    except QuantityError as error:
        raise CellError(str(error)) from None


def _memory_mib(text: str) -> int:
    try:
        return parse_memory_mib(f"{text}Gi", Rounding.DOWN) if text else UNKNOWN
    except QuantityError:
        raise CellError(found_expected(text, "memory in GiB, such as '32.0'")) from None


def _gpu_milli(text: str) -> int:
    """Return thousandths of an accelerator; an empty cell is none."""
    try:
        milli = parse_cpu_milli(text, Rounding.DOWN) if text else 0
    except QuantityError:
        raise CellError(found_expected(text, "a number of accelerators, such as '8'")) from None
    if milli > _MAX_GPUS * 1000:
        raise CellError(found_expected(text, f"at most {_MAX_GPUS} accelerators"))
    return milli


def _name_length(text: str) -> int:
    try:
        return len(check_name(text)) if text else 0
    except FieldError as error:
        raise CellError(error.message) from None


# --- offers --------------------------------------------------------------------------------------


class _Offer(NamedTuple):
    """A machine: the row of its host, the row of its GPUs (-1: none), and its name."""

    host: int
    gpus: int
    name: str


def _offers(rows: _Rows) -> list[_Offer]:
    rows.skip((rows.hourly < 0) & (rows.spot < 0), NO_PRICE)
    rows.skip(np.array([not region for region in rows.regions], np.bool_), NO_REGION)
    unnamed = np.array([not machine for machine in rows.types], np.bool_)
    if rows.provider != "gcp":
        rows.skip(unnamed, NO_NAME)
    rows.skip(unnamed & (rows.gpu_milli == 0), NO_NAME)
    whole = [
        _Offer(row, row if row in rows.gpus else UNKNOWN, rows.types[row])
        for row in np.flatnonzero(rows.left & ~unnamed).tolist()
    ]
    return whole if rows.provider != "gcp" else _google_offers(rows, whole)


def _google_offers(rows: _Rows, whole: Sequence[_Offer]) -> list[_Offer]:
    """Return the hosts with the accelerators that they are sold with, and the hosts that are sold alone."""
    at = [zone or region for region, zone in zip(rows.regions, rows.zones, strict=True)]
    unnamed = [row for row in np.flatnonzero(rows.left).tolist() if not rows.types[row]]
    accelerators = [
        google.Accelerators(row, at[row], rows.names[row], int(rows.gpu_milli[row]) // 1000)
        for row in unnamed
    ]
    hosts = [
        google.Host(o.host, at[o.host], o.name, int(rows.cpu_milli[o.host]), int(rows.memory_mib[o.host]))
        for o in whole
        if o.gpus < 0
    ]
    pairs = [_Offer(pair.host.row, pair.gpus.row, pair.name) for pair in google.pairs(hosts, accelerators)]
    paired = {row for pair in pairs for row in (pair.host, pair.gpus)}
    bound = {host.row for host in hosts if not google.sold_alone(host.name)}
    everything = np.arange(len(rows.left))
    rows.skip(np.isin(everything, sorted(bound - paired)), NO_GPUS)
    rows.skip(np.isin(everything, sorted(set(unnamed) - paired)), NO_HOST)
    return [*(offer for offer in whole if offer.host not in bound), *pairs]


def _raw(rows: _Rows, offers: Sequence[_Offer]) -> MarketOffers:
    host = np.array([offer.host for offer in offers], np.int64)
    hourly, spot = rows.hourly[host], rows.spot[host]
    lists = [rows.prices[row] for row in host.tolist()]
    for i, offer in enumerate(offers):
        if UNKNOWN < offer.gpus != offer.host:
            total, spot_total = _total(rows, offer, "Price"), _total(rows, offer, "SpotPrice")
            hourly[i], spot[i] = to_ueur(total, rows.rate), to_ueur(spot_total or None, rows.rate)
            lists[i] = "" if total is None else str(total)
    places = [rows.regions[row] for row in host.tolist()]
    counts = [int(rows.gpu_milli[o.gpus]) // 1000 if o.gpus >= 0 else 0 for o in offers]
    floor = to_ueur(_BID_FLOORS.get(rows.provider), rows.rate)
    columns: dict[str, Values] = {
        "provider": [rows.provider] * len(offers),
        "region": places,
        "zone": [rows.zones[row] or None for row in host.tolist()],
        "country": convert(places, _country if rows.provider == "vast" else _no_country, None),
        "nodes": np.full(len(offers), ELASTIC),
        "hourly_ueur": hourly,
        "spot_ueur": spot,
        "cpu_milli": rows.cpu_milli[host],
        "memory_mib": rows.memory_mib[host],
        "gpu_count": np.array(counts, np.int64),
        **gpu_columns([rows.gpus.get(offer.gpus) for offer in offers]),
        "price_flag": [
            BID_FLOOR if count and price == floor * count else None
            for count, price in zip(counts, hourly.tolist(), strict=True)
        ],
    }
    return MarketOffers(
        ids=[_id(rows, offer) for offer in offers],
        columns=columns,
        warnings=(*rows.warnings(), *_doubts(rows)),
        source=rows.cells.source,
        list_prices=lists,
    )


def _total(rows: _Rows, offer: _Offer, column: str) -> Decimal | None:
    """Return what a host and its accelerators cost together, USD; None where one price is missing."""
    cells = rows.cells.column(column)
    host, accelerators = read_usd(cells[offer.host]), read_usd(cells[offer.gpus])
    return EXACT.add(host, accelerators) if host and accelerators else None


def _id(rows: _Rows, offer: _Offer) -> str:
    where = (rows.provider, rows.regions[offer.host], rows.zones[offer.host])
    return "/".join([*filter(None, where), offer.name])


def _country(place: str) -> str | None:
    """Return the country that a place of Vast states: ``"Texas, US, NA"``."""
    told = _VAST_PLACE.fullmatch(place)
    country = told and regions.country(told[1])
    return country.iso2 if country else None


def _no_country(place: str) -> None:
    del place


def _doubts(rows: _Rows) -> tuple[str, ...]:
    if rows.provider not in _EUR_LISTS:
        return ()
    return (
        f"{rows.cells.source}: {rows.provider} lists in EUR and the file names no currency: its prices are "
        "taken as USD, as SkyPilot does, and may be too low",
    )
