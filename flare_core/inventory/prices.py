"""Prices of markets: from USD to micro-EUR, one id for each offer, and which prices are not believed.

Lists of market prices (SkyPilot, gpuhunt) hold mistakes: 0.00 for a machine that is not sold yet, a bid floor
instead of a price. An offer with such a price would win every placement and then could not be had, so it is
flagged (column ``price_flag``) and never chosen. The rule compares GPU models over everything that was read,
whatever file it came from; offers of one's own document are taken at their word.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from statistics import median
from typing import Final, NamedTuple

import numpy as np

from flare_core.errors import OptionsError, found_expected
from flare_core.inventory.build import RawOffers, shortened
from flare_core.inventory.cells import CellError
from flare_core.inventory.types import UNKNOWN
from flare_core.quantities import format_rate

EXACT: Final = Context(prec=120)
"""Exact for sums and products of the numbers that are read here."""

MAX_UEUR: Final = 10**12
_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,2})?|\.[0-9]{1,25}")


@dataclass(frozen=True, slots=True)
class MarketOffers(RawOffers):
    """Offers from a list of market prices, which are checked against one another by `settle`.

    Attributes
    ----------
    list_prices
        The price of each offer as the list has it: what tells two offers of the same id apart.
    """

    list_prices: Sequence[str] = ()


def read_rate(usd_eur: object, source: str) -> Decimal:
    """Return euro for one US dollar.

    Raises
    ------
    OptionsError
        If the rate is missing, or not a number above 0.
    """
    if usd_eur is None:
        raise OptionsError(
            "usd_eur",
            f"{source} has prices in USD: found no exchange rate, expected euro for one dollar, "
            'such as usd_eur="0.92" (--usd-eur 0.92)',
        )
    text = repr(float(usd_eur)) if isinstance(usd_eur, float) else str(usd_eur).strip()
    if isinstance(usd_eur, bool) or not _NUMBER.fullmatch(text) or not Decimal(text):
        raise OptionsError("usd_eur", found_expected(usd_eur, "euro for one US dollar, such as '0.92'"))
    return Decimal(text)


def read_usd(text: str) -> Decimal | None:
    """Return a price in USD, exactly; None for an empty cell.

    Raises
    ------
    CellError
        If it is no number, or below 0.
    """
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise CellError(found_expected(text, "a price in USD, 0 or more, such as '2.49'"))
    return Decimal(text)


def to_ueur(usd: Decimal | int | None, rate: Decimal) -> int:
    """Return a price in micro-EUR, rounded up; `UNKNOWN` for None.

    Raises
    ------
    CellError
        If it is beyond what an inventory holds.
    """
    if usd is None:
        return UNKNOWN
    exact = EXACT.multiply(EXACT.multiply(Decimal(usd), rate), Decimal(10**6))
    if exact > MAX_UEUR:
        raise CellError(found_expected(str(usd), f"at most {MAX_UEUR // 10**6} EUR/hour"))
    return int(exact.to_integral_value(ROUND_CEILING))


# --- offers of several lists together -------------------------------------------------------------


@dataclass(slots=True)
class _Market:
    """All market offers, column by column."""

    ids: list[str]
    list_prices: list[str]
    columns: dict[str, list[object]]


def settle(sources: Sequence[RawOffers]) -> list[RawOffers]:
    """Return the sources with all market lists put together into one, its ids unique and its prices flagged.

    Rows that say the same are one elastic offer. Rows of one id that differ (a machine type at two prices)
    are all kept, each named with its price; so nothing depends on the order of rows or files. Which prices
    are flagged is documented at `flag_prices`; a suspicious spot price is taken away where there is another.
    """
    lists = [source for source in sources if isinstance(source, MarketOffers)]
    if not lists:
        return list(sources)
    market, said = _distinct(_together(lists))
    flags, spot_flags = flag_prices(market.columns)
    market.columns["price_flag"] = list(flags)
    for row, reason in enumerate(spot_flags):
        if reason:
            market.columns["spot_ueur"][row] = UNKNOWN
    said += _told(market.ids, flags, "never chosen")
    said += _told(market.ids, spot_flags, "offered without spot")
    settled = RawOffers(
        market.ids,
        market.columns,
        (*(warning for source in lists for warning in source.warnings), *said),
        ", ".join(dict.fromkeys(source.source for source in lists if source.source)),
    )
    return [*(source for source in sources if not isinstance(source, MarketOffers)), settled]


def _together(lists: Sequence[MarketOffers]) -> _Market:
    names = sorted({name for source in lists for name in source.columns})
    return _Market(
        [name for source in lists for name in source.ids],
        [price for source in lists for price in source.list_prices],
        {name: [value for source in lists for value in _column(source, name)] for name in names},
    )


def _column(source: RawOffers, name: str) -> Sequence[object]:
    values = source.columns.get(name)
    if values is None:
        return [None] * len(source.ids)
    return values.tolist() if isinstance(values, np.ndarray) else [values[i] for i in range(len(values))]


def _distinct(market: _Market) -> tuple[_Market, list[str]]:
    """Return the market with a unique id for each row, and what was done about the rows of one id."""
    counts = Counter(market.ids)
    if len(counts) == len(market.ids):
        return market, []
    single = [row for row, name in enumerate(market.ids) if counts[name] == 1]
    groups: dict[str, dict[str, int]] = {}
    for row, name in enumerate(market.ids):
        if counts[name] > 1:
            groups.setdefault(name, {}).setdefault(_content(market, row), row)
    named = [(market.ids[row], row) for row in single]
    for name, group in groups.items():
        named += _named_by_price(market, name, [group[content] for content in sorted(group)])
    rows = [row for _, row in named]
    columns = {name: [values[row] for row in rows] for name, values in market.columns.items()}
    said = _repeated(len(market.ids) - len(rows), [name for name in groups if len(groups[name]) > 1])
    return _Market([name for name, _ in named], [market.list_prices[row] for row in rows], columns), said


def _content(market: _Market, row: int) -> str:
    """Return all that a row says, as a text that can be sorted."""
    said = (column[row] for column in market.columns.values())
    return repr([_plain(market.list_prices[row]), *(None if value == UNKNOWN else value for value in said)])


def _named_by_price(market: _Market, name: str, rows: Sequence[int]) -> Iterator[tuple[str, int]]:
    seen: Counter[str] = Counter()
    for row in rows:
        told = f"{name}@{_plain(market.list_prices[row]) or 'spot'}" if len(rows) > 1 else name
        seen[told] += 1
        yield told if seen[told] == 1 else f"{told}#{seen[told]}", row


def _plain(price: str) -> str:
    """Return a list price in its shortest digits."""
    return f"{Decimal(price).normalize(EXACT):f}" if price else ""


def _repeated(merged: int, differing: Sequence[str]) -> list[str]:
    said = []
    if merged:
        said.append(f"merged {merged} offers of market lists that repeat another in every word")
    if differing:
        shown = _shown(sorted(differing))
        said.append(
            f"{len(differing)} machines are listed more than once at different terms, kept all: {shown}"
        )
    return said


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _told(ids: Sequence[str], reasons: Sequence[str | None], outcome: str) -> list[str]:
    """Return one warning for each reason that has no figures, and one for each offer of the others."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in zip(ids, reasons, strict=True):
        if reason:
            by_reason.setdefault(reason, []).append(name)
    told = sorted((sorted(names), reason) for reason, names in by_reason.items())
    return list(
        shortened(
            [
                f"{_shown(names)}: {outcome}, because the price is suspicious: {reason}"
                for names, reason in told
            ]
        )
    )


# --- prices that are not believed -----------------------------------------------------------------

CHEAPER: Final = 0.6
"""Of the price at which the next provider sells the same GPU; the closest real list lies at 0.64."""
OTHER_PROVIDERS: Final = 4
"""Fewer say too little about a market: with two or three, real prices lie at a third of the next one."""
SLIPPED: Final = 1 / 40
"""Of the median: no market is that wide (the widest real one: V100, 1/26), a misplaced point is."""
SLIPPED_OFFERS: Final = 8

ZERO: Final = "zero price"


class _Price(NamedTuple):
    """The price of one GPU of an offer, micro-EUR per hour."""

    row: int
    provider: str
    ueur: float


def flag_prices(columns: Mapping[str, Sequence[object]]) -> tuple[list[str | None], list[str | None]]:
    """Say which prices of market lists are not believed, and why.

    Parameters
    ----------
    columns
        Of an inventory, all of equal length; flags that ``price_flag`` has already are kept.

    Returns
    -------
    For each offer the reason against it, and the reason against its spot price alone; None is none.

    Notes
    -----
    An on-demand price is flagged if it is zero, and if its machine has GPUs and, per GPU, it is

    - below `CHEAPER` of the lowest price at which any other provider sells the model, where at least
      `OTHER_PROVIDERS` others do; prices that are flagged do not count, until nothing changes; or
    - below `SLIPPED` of the model's median over all offers, where there are at least `SLIPPED_OFFERS`.

    Both compare with others' prices, not with a price that is right: a cheap provider is not a mistake as
    long as its price is near anyone else's. The median alone would not do: in the catalogs of 2024 and 2025
    two honest lists sell V100 at 1/20 of it, and a bid floor taken for a price lies at a quarter. Spot prices
    are judged by the same rule among spot prices; an offer that has no other price is flagged whole.
    """
    size = len(columns["hourly_ueur"])
    given = columns.get("price_flag") or [None] * size
    flags = [None if flag is None else str(flag) for flag in given]
    hourly, spot = _whole(columns, "hourly_ueur"), _whole(columns, "spot_ueur")
    for row in range(size):
        if hourly[row] == 0 and flags[row] is None:
            flags[row] = ZERO
    for row, reason in suspicions(columns, hourly, flags).items():
        flags[row] = reason
    spot_flags: list[str | None] = [None] * size
    for row, reason in suspicions(columns, spot, flags).items():
        if hourly[row] < 0:
            flags[row] = reason
        else:
            spot_flags[row] = reason
    return flags, spot_flags


def suspicions(
    columns: Mapping[str, Sequence[object]], prices: Sequence[int], flags: Sequence[str | None]
) -> dict[int, str]:
    """Return the reason for each row whose price is far below the market; see `flag_prices`."""
    by_model: dict[str, list[_Price]] = {}
    counts = _whole(columns, "gpu_count")
    models = columns.get("gpu_model") or [None] * len(prices)
    for row, (model, provider) in enumerate(zip(models, columns["provider"], strict=True)):
        if model is not None and prices[row] > 0 and counts[row] > 0 and flags[row] is None:
            by_model.setdefault(str(model), []).append(_Price(row, str(provider), prices[row] / counts[row]))
    found: dict[int, str] = {}
    for model, market in by_model.items():
        for price, against in _far_below(market):
            machine = f"{format_rate(prices[price.row])} for {counts[price.row]} × {model}"
            found[price.row] = f"far below the market: {machine}, {against}"
    return found


def _far_below(market: Sequence[_Price]) -> Iterator[tuple[_Price, str]]:
    """Yield the prices of one model that are suspicious, and what they were compared with."""
    middle = median(price.ueur for price in market)
    left = list(market)
    if len(market) >= SLIPPED_OFFERS:
        low = [price for price in market if price.ueur < SLIPPED * middle]
        yield from ((price, f"half of all offers ask {_per_gpu(middle)} or more") for price in low)
        left = [price for price in market if price.ueur >= SLIPPED * middle]
    while True:
        lowest: dict[str, float] = {}
        for price in left:
            lowest[price.provider] = min(price.ueur, lowest.get(price.provider, price.ueur))
        if len(lowest) <= OTHER_PROVIDERS:
            return
        # Only the cheapest provider has prices below the second one's lowest.
        second = sorted(lowest.values())[1]
        low = [price for price in left if price.ueur < CHEAPER * second]
        if not low:
            return
        yield from ((price, f"the next provider asks {_per_gpu(second)}") for price in low)
        left = [price for price in left if price.ueur >= CHEAPER * second]


def _per_gpu(ueur: float) -> str:
    return f"{format_rate(round(ueur / 10_000) * 10_000)} and GPU"


def _whole(columns: Mapping[str, Sequence[object]], name: str) -> list[int]:
    values = columns.get(name)
    if values is None:
        return [UNKNOWN] * len(columns["provider"])
    return [value if isinstance(value, int) else UNKNOWN for value in values]
