"""Every unit, in and out: ``"80Gi"``, ``"4.50 EUR/hour"``, ``"6h"`` <-> a number of one base unit.

What can be written is one table: a kind of quantity is its base unit, an example, and what each suffix
is worth in the base unit. One reader serves all kinds.

Reading is exact. A number is read from its decimal digits (a binary float from the shortest digits that
stand for it) into a fraction, and only the very end rounds: to a whole number in the direction the caller
names, or to the nearest float where a float is documented. Every failure is a :class:`QuantityError`;
no text, however long or large, costs more than a moment.

``format_x(parse_x(t))`` is a text that ``parse_x`` accepts and reads as the same value.

Sources of the suffixes: Kubernetes quantities,
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/; the rest is FLARE's
own choice of what the API reference writes.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Final

_MAX_TEXT: Final = 64  # characters; the longest sensible quantity has a third of it
_MAX_VALUE: Final = 2**53  # in the base unit: beyond it a float, and so JSON, no longer counts in ones
_MAX_INT_BITS: Final = 128  # decimal digits of larger integers are not worth computing
_YEARS: Final = range(1970, 2201)


class QuantityError(ValueError):
    """A value that cannot be read as the quantity that was asked for.

    Attributes
    ----------
    found
        The value, shown as Python shows it and cut short.
    expected
        What would have been understood, with an example.
    """

    found: str
    expected: str

    def __init__(self, found: object, expected: str) -> None:
        super().__init__(found, expected)
        self.found = _shown(found)
        self.expected = expected

    def __str__(self) -> str:
        return f"found {self.found}, expected {self.expected}"


class Rounding(Enum):
    """Where a value goes that lies between two whole numbers: demands and prices up, the rest down.

    So what is promised is never less than what was asked, and what is paid never more than what was
    allowed. Values that are whole already are not affected.
    """

    UP = "up"  # demands, prices
    DOWN = "down"  # capacities, budgets


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of quantity.

    ``units`` maps each suffix to its worth in the base unit; ``""`` stands for a bare number and is
    missing where a number alone would be ambiguous. A ``compound`` text strings terms together, from
    the largest unit to the smallest.
    """

    noun: str
    examples: str
    base: str
    units: Mapping[str, Fraction]
    limit: int = _MAX_VALUE
    compound: bool = False

    @property
    def expected(self) -> str:
        return f"{self.noun}, such as {self.examples}"


def _scaled(units: Mapping[str, Fraction], by: Fraction | int) -> dict[str, Fraction]:
    return {unit: worth * by for unit, worth in units.items()}


_ONE: Final = Fraction(1)
_KUBERNETES: Final = {
    **{unit: Fraction(1000) ** power for power, unit in enumerate(("n", "u", "m", "", *"kMGTPE"), -3)},
    **{f"{unit}i": Fraction(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
_GBPS: Final = {
    f"{prefix}{unit}": Fraction(10) ** power * bits
    for prefix, power in (("k", -6), ("K", -6), ("M", -3), ("G", 0), ("T", 3))
    for unit, bits in (("bps", 1), ("b/s", 1), ("bit/s", 1), ("Bps", 8), ("B/s", 8))  # b: bits, B: bytes
}

_CPU: Final = _Kind("CPU cores", "'8', '4.5' or '500m'", "milli-cores", _scaled(_KUBERNETES, 1000))
_MEMORY: Final = _Kind(
    "an amount of memory or storage",
    "'32Gi', '512Mi' or '1Ti'",
    "MiB",
    _scaled(_KUBERNETES, Fraction(1, 2**20)),
)
_MONEY: Final = _Kind(
    "an amount in EUR and no other currency", "'10 EUR'", "micro-EUR", {"EUR": Fraction(10**6)}
)
_RATE: Final = _Kind(
    "an hourly price in EUR and no other currency",
    "'0.45 EUR/hour'",
    "micro-EUR per hour",
    _scaled({"EUR": _ONE, "EUR/hour": _ONE, "EUR/h": _ONE, "EUR/day": Fraction(1, 24)}, 10**6),
)
_DURATION: Final = _Kind(
    "a duration of whole seconds, largest unit first",
    "'30s', '1h30m' or '30d'",
    "seconds",
    {unit: Fraction(s) for unit, s in (("y", 365 * 86400), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))},
    compound=True,
)
_LATENCY: Final = _Kind(
    "a latency in milliseconds", "50, '50ms' or '0.05s'", "ms", {"": _ONE, "ms": _ONE, "s": Fraction(1000)}
)
_BANDWIDTH: Final = _Kind("a bandwidth", "'10Gbps', '200 Gb/s' or '600 GB/s'", "Gbit/s", _GBPS)
_CLOCK: Final = _Kind(
    "a clock frequency",
    "'1.5G' or '1500M'",
    "MHz",
    {"G": Fraction(1000), "GHz": Fraction(1000), "M": _ONE, "MHz": _ONE},
)
_PERCENT: Final = _Kind("a percentage", "'99.9%' or 99.9", "percent", {"": _ONE, "%": _ONE}, limit=100)
_CARBON: Final = _Kind(
    "an emission in CO2 per hour",
    "'50g CO2/h' or '0.05 kg CO2/h'",
    "gCO2/h",
    {f"{mass}CO2/{per}": Fraction(g) for mass, g in (("g", 1), ("kg", 1000)) for per in ("h", "hour")},
)
_NUMBER: Final = _Kind("a number", "19.5 or '19.5'", "ones", {"": _ONE})

# [0-9] and " ", not \d and \s: other scripts' digits and spaces are not meant. Three digits of exponent
# are more than any bound admits, and cheap to expand.
_TERM: Final = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?) *(.*)")
_LOOSE_UNIT: Final = re.compile(r" *(/|CO2) *")
_NEXT_TERM: Final = re.compile(r"(?<=[a-z]) *(?=[0-9.])")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6}0*)?)?([Zz]|[+-][0-9:]{2,8})?"
)


def parse_cpu_milli(value: object, rounding: Rounding) -> int:
    """Read CPU cores as milli-cores.

    Parameters
    ----------
    value
        A Kubernetes quantity, ``"8"``, ``"4.5"``, ``"500m"``, or a number of cores. Not negative.
    rounding
        Direction for parts of a milli-core.

    Raises
    ------
    QuantityError
        If it is none, or more than 2**53 milli-cores. So do all parsers of this module, each for its
        own base unit.
    """
    return _whole(_CPU, value, rounding)


def parse_memory_mib(value: object, rounding: Rounding) -> int:
    """Read memory or storage as MiB (2**20 bytes).

    Parameters
    ----------
    value
        A Kubernetes quantity of bytes: ``"32Gi"`` (2**30), ``"80G"`` (10**9), ``"1e9"``; a number alone is
        bytes. ``"m"`` is a thousandth of a byte, which Kubernetes itself prints at times.
    rounding
        Direction for parts of a MiB.
    """
    return _whole(_MEMORY, value, rounding)


def parse_money_ueur(value: object, rounding: Rounding) -> int:
    """Read ``"10 EUR"`` as micro-EUR; an amount without its currency is refused.

    Parameters
    ----------
    value
        Decimal amount and ``EUR``. Not negative.
    rounding
        Direction for parts of a micro-EUR.
    """
    return _whole(_MONEY, value, rounding)


def parse_rate_ueur_per_h(value: object, rounding: Rounding) -> int:
    """Read a price per time as micro-EUR per hour.

    Parameters
    ----------
    value
        ``"0.45 EUR/hour"``, ``"0.45 EUR/h"``, or per day ``"10.80 EUR/day"`` (24 hours). ``"10 EUR"`` is
        per hour: the API reference writes hourly limits so.
    rounding
        Direction for parts of a micro-EUR per hour.
    """
    return _whole(_RATE, value, rounding)


def parse_duration_s(value: object) -> int:
    """Read a duration as seconds.

    Parameters
    ----------
    value
        ``"30s"``, ``"1h30m"``, ``"2h 15m"``, ``"1.5h"``, ``"30d"``, ``"1y"`` (365 days): whole seconds
        altogether, each unit at most once and the largest first. A number without unit is refused.
    """
    seconds = _measured(_DURATION, value)
    if seconds.denominator != 1:
        raise QuantityError(value, _DURATION.expected)
    return int(seconds)


def parse_latency_ms(value: object) -> float:
    """Read a latency or jitter as ms: ``50``, ``"50ms"``, ``"0.05s"``."""
    return float(_measured(_LATENCY, value))


def parse_bandwidth_gbps(value: object) -> float:
    """Read a bandwidth as Gbit/s (10**9 bits): ``"10Gbps"``, ``"200 Gb/s"``, ``"600 GB/s"`` (4800.0).

    A small ``b`` is bits and a large ``B`` is bytes of eight bits; prefixes are decimal.
    """
    return float(_measured(_BANDWIDTH, value))


def parse_clock_mhz(value: object) -> float:
    """Read a clock frequency as MHz: ``"1.5G"``, ``"1500M"``, ``"1.98GHz"``, ``"1980MHz"``."""
    return float(_measured(_CLOCK, value))


def parse_percent(value: object) -> float:
    """Read a percentage, 0 to 100: ``"99.9%"``, ``99.9``."""
    return float(_measured(_PERCENT, value))


def parse_carbon_g_per_h(value: object) -> float:
    """Read an emission as gCO2/h: ``"50g CO2/h"``, ``"50 gCO2/h"``, ``"0.05 kg CO2/h"``."""
    return float(_measured(_CARBON, value))


def parse_number(value: object) -> float:
    """Read a number that is 0 or more and may be written as text: ``19.5``, ``"19.5"``."""
    return float(_measured(_NUMBER, value))


def parse_moment(value: object) -> datetime:
    """Read a moment as an aware datetime in UTC, exact to the microsecond.

    Parameters
    ----------
    value
        ISO 8601 date and time, ``"2026-01-15T10:35:00Z"``, with ``Z``, an offset or neither (then it is
        UTC), or a datetime. Years 1970 to 2200. A date alone is refused: it names a day, not a moment.

    Raises
    ------
    QuantityError
        If it is none, or finer than a microsecond.
    """
    text = value.isoformat() if isinstance(value, datetime) else value
    try:
        if not isinstance(text, str) or not _MOMENT.fullmatch(text.strip(" ")):
            raise ValueError
        moment = datetime.fromisoformat(text.strip(" ").upper())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise QuantityError(value, "a date and time, such as '2026-01-15T10:35:00Z'") from None
    if moment.year not in _YEARS:
        years = f"{_YEARS[0]} to {_YEARS[-1]}"
        raise QuantityError(value, f"a moment in the years {years}, such as '2026-01-15T10:35:00Z'")
    return moment


def json_schema(parse: Callable[..., object]) -> dict[str, object]:
    """Return the JSON Schema of what a parser of this module reads, as a new object.

    It admits every text that people write, and of those that a parser refuses only what a pattern cannot
    tell: values beyond the kind's limit, fractions of what is whole, days that a month does not have.

    Parameters
    ----------
    parse
        A ``parse_…`` of this module.
    """
    if parse is parse_moment:
        return {
            "type": "string",
            "pattern": _MOMENT_PATTERN,
            "description": "a date and time, UTC where it has no offset",
            "examples": ["2026-01-15T10:35:00Z"],
        }
    kind = _KIND_OF[parse]
    text: dict[str, object] = {"type": "string", "pattern": _pattern(kind)}
    if "" not in kind.units or kind.compound:
        return text | {"description": kind.expected}
    most = min(_MAX_VALUE, int(kind.limit / kind.units[""]))  # no JSON integer is larger
    return {"anyOf": [text, {"type": "number", "minimum": 0, "maximum": most}], "description": kind.expected}


_KIND_OF: Final[Mapping[Callable[..., object], _Kind]] = {
    parse_cpu_milli: _CPU,
    parse_memory_mib: _MEMORY,
    parse_money_ueur: _MONEY,
    parse_rate_ueur_per_h: _RATE,
    parse_duration_s: _DURATION,
    parse_latency_ms: _LATENCY,
    parse_bandwidth_gbps: _BANDWIDTH,
    parse_clock_mhz: _CLOCK,
    parse_percent: _PERCENT,
    parse_carbon_g_per_h: _CARBON,
    parse_number: _NUMBER,
}
_MOMENT_PATTERN: Final = (
    "^ *(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2}|2200)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "[Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,6})?)?"
    "([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)? *$"
)


def _pattern(kind: _Kind) -> str:
    """Return what a text looks like, in the part of the grammar that Python and ECMA 262 have in common."""
    digits = 3 if kind is _PERCENT else max(9, len(str(int(kind.limit / max(kind.units.values())))))
    number = rf"([0-9]{{1,{digits}}}\.?[0-9]{{0,9}}|\.[0-9]{{1,9}})"
    units = [(number, _loose(unit)) for unit in kind.units]
    if not kind.compound:
        exact = "|".join(sorted((unit for _, unit in units if unit), key=len, reverse=True))
        unit = f" *({exact}){'?' if '' in kind.units else ''}" if exact else ""
        return rf"^ *\+?{number}([eE][+-]?[0-9])?{unit} *$"
    terms = [rf"{number} *{unit}" for number, unit in units]
    chains = [first + "".join(f"( *{term})?" for term in terms[i + 1 :]) for i, first in enumerate(terms)]
    return rf"^ *({'|'.join(chains)}) *$"


def _loose(unit: str) -> str:
    spaced = re.sub(r"/|CO2", lambda found: f" *{found[0]} *", unit)
    return spaced.replace(" * *", " *")


def format_cpu(milli: int) -> str:
    """Write milli-cores as Kubernetes does: ``"8"``, ``"4500m"``."""
    return f"{milli}m" if milli % 1000 else f"{milli // 1000}"


def format_memory(mib: int) -> str:
    """Write MiB in the largest binary unit that divides them: ``"80Gi"``, ``"1536Mi"``."""
    power = next((p for p in (4, 3, 2, 1) if mib and mib % 1024**p == 0), 0)
    return f"{mib // 1024**power}{'MGTPE'[power]}i"


def format_eur(ueur: int) -> str:
    """Write micro-EUR exactly: ``"8.50 EUR"``, two to six decimals. A difference may be negative."""
    whole, micro = divmod(abs(ueur), 10**6)
    decimals = f"{micro:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if ueur < 0 else ''}{whole}.{decimals} EUR"


def format_rate(ueur_per_h: int) -> str:
    """Write micro-EUR per hour exactly: ``"8.50 EUR/hour"``."""
    return f"{format_eur(ueur_per_h)}/hour"


def format_duration(seconds: int) -> str:
    """Write seconds, 0 or more, by their parts: ``"2h 15m"``, ``"1d 30s"``, ``"0s"``."""
    parts: list[str] = []
    for unit, worth in _DURATION.units.items():
        count, seconds = divmod(seconds, int(worth))
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


def format_latency(ms: float) -> str:
    """Write a latency: ``"50ms"``."""
    return f"{_digits(ms)}ms"


def format_bandwidth(gbps: float) -> str:
    """Write a bandwidth in bits: ``"10Gbps"``."""
    return f"{_digits(gbps)}Gbps"


def format_clock(mhz: float) -> str:
    """Write a clock frequency: ``"1980MHz"``."""
    return f"{_digits(mhz)}MHz"


def format_percent(percent: float) -> str:
    """Write a percentage: ``"99.9%"``."""
    return f"{_digits(percent)}%"


def format_carbon(g_per_h: float) -> str:
    """Write an emission: ``"50g CO2/h"``."""
    return f"{_digits(g_per_h)}g CO2/h"


def format_moment(moment: datetime) -> str:
    """Write a moment in UTC: ``"2026-01-15T10:35:00Z"``; a naive one is UTC already."""
    return parse_moment(moment).isoformat().replace("+00:00", "Z")


def _whole(kind: _Kind, value: object, rounding: Rounding) -> int:
    exact = _measured(kind, value)
    return math.ceil(exact) if rounding is Rounding.UP else math.floor(exact)


def _measured(kind: _Kind, value: object) -> Fraction:
    """Return the exact value in the kind's base unit, within 0 and its limit."""
    text = _text(value).strip(" ")
    if len(text) > _MAX_TEXT:
        raise QuantityError(value, kind.expected)
    total, last = Fraction(0), None
    for part in _NEXT_TERM.split(text) if kind.compound else (text,):
        term = _TERM.fullmatch(part)
        worth = term and kind.units.get(_LOOSE_UNIT.sub(r"\1", term[2]))
        if not term or not worth or (last is not None and worth >= last):
            raise QuantityError(value, kind.expected)
        total, last = total + Fraction(Decimal(term[1])) * worth, worth
    if total < 0:
        raise QuantityError(value, f"{kind.noun}, 0 or more, such as {kind.examples}")
    if total > kind.limit:
        raise QuantityError(value, f"{kind.noun}, at most {kind.limit} {kind.base}, such as {kind.examples}")
    return total


def _text(value: object) -> str:
    """Return the decimal digits of a number, a text as it is, and nothing for what is neither."""
    match value:
        case bool():
            return ""
        case str():
            return value
        case float():
            return float.__repr__(value)  # of a subclass too, as NumPy's is
        case int() if value.bit_length() <= _MAX_INT_BITS:
            return int.__repr__(value)
        case Decimal():
            return str(value)
        case _:
            return ""


def _digits(value: float) -> str:
    return float.__repr__(float(value)).removesuffix(".0")


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
        return f"an integer of {value.bit_length()} bits"
    if value is not None and not isinstance(value, (str, int, float, Decimal, datetime)):
        return f"a {type(value).__name__}"
    shown = repr(value)
    return shown if len(shown) <= _MAX_TEXT + 2 else f"{shown[:_MAX_TEXT]}..."
