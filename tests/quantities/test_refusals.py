"""What is no quantity is refused: at once, by QuantityError alone, and with a way out in the message."""

import pickle
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.quantities import (
    QuantityError,
    Rounding,
    parse_bandwidth_gbps,
    parse_carbon_g_per_h,
    parse_clock_mhz,
    parse_cpu_milli,
    parse_duration_s,
    parse_latency_ms,
    parse_memory_mib,
    parse_moment,
    parse_money_ueur,
    parse_number,
    parse_percent,
    parse_rate_ueur_per_h,
)

Parse = Callable[[object], object]


def up(parse: Callable[[object, Rounding], int]) -> Parse:
    return lambda value: parse(value, Rounding.UP)


PARSERS: Mapping[str, Parse] = MappingProxyType(
    {
        "cpu": up(parse_cpu_milli),
        "memory": up(parse_memory_mib),
        "money": up(parse_money_ueur),
        "rate": up(parse_rate_ueur_per_h),
        "duration": parse_duration_s,
        "latency": parse_latency_ms,
        "bandwidth": parse_bandwidth_gbps,
        "clock": parse_clock_mhz,
        "percent": parse_percent,
        "carbon": parse_carbon_g_per_h,
        "number": parse_number,
        "moment": parse_moment,
    }
)
EXAMPLE_OF = MappingProxyType(
    {
        "cpu": "'500m'",
        "memory": "'32Gi'",
        "money": "'10 EUR'",
        "rate": "'0.45 EUR/hour'",
        "duration": "'1h30m'",
        "latency": "'50ms'",
        "bandwidth": "'600 GB/s'",
        "clock": "'1.5G'",
        "percent": "'99.9%'",
        "carbon": "'50g CO2/h'",
        "number": "19.5",
        "moment": "'2026-01-15T10:35:00Z'",
    }
)
# A sound text of each kind up to its number, so that only what follows can be to blame.
UNIT_OF = MappingProxyType(
    {
        "cpu": "m",
        "memory": "Gi",
        "money": " EUR",
        "rate": " EUR/hour",
        "duration": "s",
        "latency": "ms",
        "bandwidth": "Gbps",
        "clock": "G",
        "percent": "%",
        "carbon": "g CO2/h",
        "number": "",
    }
)
NOT_NUMBERS: tuple[object, ...] = (
    *(float("nan"), float("inf"), -float("inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")),
    *(True, False, None, [], {}, b"8", 1j, object(), date(2026, 1, 15)),
    *("", " ", "NaN", "inf", "x" * 10**6),
)
ODD_NUMBERS = (
    *("-1", "--1", "+-1", "1,000", "1_000", "1 000", "1.2.3", ".", "-", "e3", "0x10", "1/2"),
    *("٣", "３", "1e٣", "²", "1\xa0", "1\u2009", "1\n", "1\x00"),
    *("1e", "1e+", "1e9999", "1e999999999", "1e-9999", "9" * 65, "0" * 65),
)
every_parser = pytest.mark.parametrize("kind", sorted(PARSERS))
every_measure = pytest.mark.parametrize("kind", sorted(UNIT_OF))


def test_every_parser_is_tried_here() -> None:
    assert PARSERS.keys() == EXAMPLE_OF.keys() == UNIT_OF.keys() | {"moment"}


@every_parser
@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda value: repr(value)[:12])
def test_what_is_no_number_is_no_quantity(kind: str, value: object) -> None:
    with pytest.raises(QuantityError) as error:
        PARSERS[kind](value)
    assert EXAMPLE_OF[kind] in str(error.value)


@every_measure
@pytest.mark.parametrize("number", ODD_NUMBERS, ids=ascii)
def test_odd_numbers_are_refused_whatever_the_unit(kind: str, number: str) -> None:
    PARSERS[kind](f"1{UNIT_OF[kind]}")
    with pytest.raises(QuantityError) as error:
        PARSERS[kind](f"{number}{UNIT_OF[kind]}")
    assert EXAMPLE_OF[kind] in str(error.value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("cpu", "8 cores"),
        ("cpu", "1K"),
        ("cpu", "1ki"),
        ("cpu", "1 i"),
        ("cpu", "1mi"),
        ("memory", "80GB"),
        ("memory", "80GiB"),
        ("memory", "80g"),
        ("memory", "80gi"),
        ("memory", "80K"),
        ("memory", "80G i"),
        ("memory", "80Gi 1Mi"),
        ("money", "10"),
        ("money", 10),
        ("money", 10.0),
        ("money", "10 USD"),
        ("money", "10 EURO"),
        ("money", "10 €"),
        ("money", "$10"),
        ("money", "EUR 10"),
        ("money", "10 EUR/hour"),
        ("rate", "10"),
        ("rate", 0.45),
        ("rate", "0.45 USD/hour"),
        ("rate", "0.45 EUR/"),
        ("rate", "0.45 EUR/month"),
        ("duration", "30"),
        ("duration", 30),
        ("duration", "0.5s"),
        ("duration", "500ms"),
        ("duration", "1/3h"),
        ("duration", "0.001h"),
        ("duration", "30m1h"),
        ("duration", "1h1h"),
        ("duration", "1h30"),
        ("duration", "h30m"),
        ("duration", "1h-30m"),
        ("duration", "-1h30m"),
        ("duration", "1M"),
        ("duration", "1h, 30m"),
        ("latency", "50us"),
        ("latency", "50 m"),
        ("latency", "5 m s"),
        ("bandwidth", "10"),
        ("bandwidth", 10),
        ("bandwidth", "10G"),
        ("bandwidth", "10gbps"),
        ("bandwidth", "10GBPS"),
        ("bandwidth", "10 GiB/s"),
        ("clock", "1500"),
        ("clock", 1500),
        ("clock", "1.5g"),
        ("clock", "1.5GiHz"),
        ("percent", "100.1%"),
        ("percent", 100.00000001),
        ("percent", "0.999 of 1"),
        ("carbon", "50"),
        ("carbon", 50),
        ("carbon", "50g"),
        ("carbon", "50g CO2"),
        ("carbon", "50t CO2/h"),
        ("carbon", "50g CO2/kWh"),
        ("number", "19.5%"),
    ],
)
def test_other_units_are_refused(kind: str, value: object) -> None:
    with pytest.raises(QuantityError) as error:
        PARSERS[kind](value)
    assert EXAMPLE_OF[kind] in str(error.value)


@pytest.mark.parametrize(
    ("kind", "largest", "too_large"),
    [
        ("cpu", "9007199254740.992", "9007199254740.993"),
        ("cpu", "9007199254740992m", "9007199254740992001u"),
        ("memory", "9007199254740992Mi", "9007199254740992.001Mi"),
        ("money", "9007199254.740992 EUR", "9007199254.740993 EUR"),
        ("rate", "9007199254.740992 EUR/h", "9007199254.740993 EUR/h"),
        ("duration", "9007199254740992s", "9007199254740993s"),
        ("latency", "9007199254740992ms", "9007199254740992.1ms"),
        ("bandwidth", "9007199254740992 Gbps", "9007199254740993 Gbps"),
        ("clock", "9007199254740992M", "9007199254740993M"),
        ("percent", "100%", "100.0000001%"),
        ("carbon", "9007199254740992g CO2/h", "9007199254741kg CO2/h"),
        ("number", 2**53, 2**53 + 1),
    ],
)
def test_the_bound_is_inclusive(kind: str, largest: object, too_large: object) -> None:
    PARSERS[kind](largest)
    with pytest.raises(QuantityError, match=r"at most \d+"):
        PARSERS[kind](too_large)


@every_parser
@pytest.mark.parametrize(
    "value",
    [
        "1e999999999",
        Decimal("1e999999"),
        Decimal("1e-999999"),
        10**100_000,
        "9" * 10**6,
        "1h" * 10**5,
        " " * 10**6,
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_enormous_is_refused_quickly_and_told_briefly(kind: str, value: object) -> None:
    started = time.process_time()
    with pytest.raises(QuantityError) as error:
        PARSERS[kind](value)
    assert len(str(error.value)) < 300
    assert time.process_time() - started < 0.5


def test_the_message_says_what_was_found_and_what_would_do() -> None:
    with pytest.raises(QuantityError) as error:
        parse_money_ueur("10 USD", Rounding.DOWN)
    assert error.value.found == "'10 USD'"
    assert error.value.expected == "an amount in EUR and no other currency, such as '10 EUR'"
    assert str(error.value) == f"found {error.value.found}, expected {error.value.expected}"


def test_an_error_survives_the_way_between_processes() -> None:
    error = QuantityError("10 USD", "an amount in EUR")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(copy), copy.found, copy.expected) == (str(error), error.found, error.expected)


# Plausible pieces in any order come nearer to the edge of each grammar than plain random text.
PIECES = [
    "1",
    "0",
    "9" * 20,
    ".",
    "-",
    "+",
    "e",
    "E",
    " ",
    "/",
    "%",
    "T",
    ":",
    "Z",
    "2026-01-15",
    "10:35",
    "\n",
]
PIECES += [
    "m",
    "k",
    "Gi",
    "Ti",
    "h",
    "s",
    "d",
    "y",
    "EUR",
    "hour",
    "day",
    "Gb",
    "GB",
    "ps",
    "ms",
    "kg",
    "CO2",
    "h30m",
]
texts = st.text() | st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
numbers = st.integers() | st.floats() | st.decimals() | st.booleans() | st.none() | st.datetimes()


@every_parser
@given(value=texts | numbers | st.lists(st.integers()) | st.binary())
def test_anything_is_either_read_within_bounds_or_refused(kind: str, value: object) -> None:
    try:
        read = PARSERS[kind](value)
    except QuantityError:
        return
    if isinstance(read, datetime):
        assert 1970 <= read.year <= 2200
    else:
        assert isinstance(read, int | float)
        assert 0 <= read <= 2**53
