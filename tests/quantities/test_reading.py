"""What each parser reads, at the edges of what it accepts, and which way it rounds."""

import decimal
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.quantities import (
    Rounding,
    parse_bandwidth_gbps,
    parse_carbon_g_per_h,
    parse_clock_mhz,
    parse_cpu_milli,
    parse_duration_s,
    parse_latency_ms,
    parse_memory_mib,
    parse_money_ueur,
    parse_number,
    parse_percent,
    parse_rate_ueur_per_h,
)

UP, DOWN = Rounding.UP, Rounding.DOWN
type_of_whole = Callable[[object, Rounding], int]


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(
    ("parse", "value", "whole"),
    [
        (parse_cpu_milli, "8", 8_000),
        (parse_cpu_milli, "4.5", 4_500),
        (parse_cpu_milli, "500m", 500),
        (parse_cpu_milli, 8, 8_000),
        (parse_cpu_milli, 4.5, 4_500),
        (parse_cpu_milli, Decimal("0.001"), 1),
        (parse_cpu_milli, np.float64(0.1), 100),
        (parse_cpu_milli, "0", 0),
        (parse_cpu_milli, "-0", 0),
        (parse_cpu_milli, "+2", 2_000),
        (parse_cpu_milli, ".5", 500),
        (parse_cpu_milli, "2.", 2_000),
        (parse_cpu_milli, "1k", 1_000_000),
        (parse_cpu_milli, "2000000u", 2_000),
        (parse_cpu_milli, "1e3", 1_000_000),
        (parse_cpu_milli, 2**53 // 1000, 2**53 // 1000 * 1000),
        (parse_memory_mib, "1Mi", 1),
        (parse_memory_mib, "1024Ki", 1),
        (parse_memory_mib, 2**20, 1),
        (parse_memory_mib, "1048576", 1),
        (parse_memory_mib, "1048576000m", 1),
        (parse_memory_mib, "32Gi", 32 * 1024),
        (parse_memory_mib, "0.5Gi", 512),
        (parse_memory_mib, "1Ti", 1024**2),
        (parse_memory_mib, "1Pi", 1024**3),
        (parse_memory_mib, "1Ei", 1024**4),
        (parse_memory_mib, "1048576k", 1000),
        (parse_memory_mib, "1048576M", 10**6),
        (parse_memory_mib, "1048576G", 10**9),
        (parse_memory_mib, "1048576T", 10**12),
        (parse_memory_mib, "1048.576P", 10**12),
        (parse_memory_mib, "1.048576E", 10**12),
        (parse_memory_mib, "8192Ei", 2**53),
        (parse_money_ueur, "10 EUR", 10_000_000),
        (parse_money_ueur, "10.00EUR", 10_000_000),
        (parse_money_ueur, "  4.50   EUR ", 4_500_000),
        (parse_money_ueur, "0.000001 EUR", 1),
        (parse_money_ueur, "0 EUR", 0),
        (parse_money_ueur, "9007199254.740992 EUR", 2**53),
        (parse_rate_ueur_per_h, "0.45 EUR/hour", 450_000),
        (parse_rate_ueur_per_h, "0.45 EUR / h", 450_000),
        (parse_rate_ueur_per_h, "10 EUR", 10_000_000),
        (parse_rate_ueur_per_h, "24 EUR/day", 1_000_000),
    ],
)
def test_whole_quantities_are_read_exactly_whatever_the_rounding(
    parse: type_of_whole, value: object, whole: int, rounding: Rounding
) -> None:
    assert parse(value, rounding) == whole


@pytest.mark.parametrize(
    ("parse", "value", "down"),
    [
        (parse_cpu_milli, "0.0005", 0),
        (parse_cpu_milli, "1500u", 1),
        (parse_cpu_milli, 1e-300, 0),
        (parse_memory_mib, "1", 0),
        (parse_memory_mib, "1m", 0),
        (parse_memory_mib, "1e9", 953),
        (parse_memory_mib, "80G", 76_293),
        (parse_memory_mib, 2**20 + 1, 1),
        (parse_money_ueur, "0.0000019 EUR", 1),
        (parse_money_ueur, "123456789.0000000000000000000001 EUR", 123_456_789_000_000),
        (parse_rate_ueur_per_h, "10 EUR/day", 416_666),
    ],
)
def test_parts_of_a_base_unit_go_to_the_side_that_was_named(
    parse: type_of_whole, value: object, down: int
) -> None:
    assert (parse(value, DOWN), parse(value, UP)) == (down, down + 1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0s", 0),
        ("30s", 30),
        ("2m", 120),
        ("6h", 21_600),
        ("1h30m", 5_400),
        ("2h 15m", 8_100),
        ("2h  15m", 8_100),
        ("1.5h", 5_400),
        (".5m", 30),
        ("1.5h 0.5m", 5_430),
        ("30d", 30 * 86_400),
        ("1y", 365 * 86_400),
        ("1y2d3h4m5s", 365 * 86_400 + 2 * 86_400 + 3 * 3_600 + 4 * 60 + 5),
        ("90m", 5_400),
        ("9007199254740992s", 2**53),
    ],
)
def test_durations_are_whole_seconds(value: str, seconds: int) -> None:
    assert parse_duration_s(value) == seconds


@pytest.mark.parametrize(
    ("parse", "value", "number"),
    [
        (parse_latency_ms, 50, 50.0),
        (parse_latency_ms, "50", 50.0),
        (parse_latency_ms, "50ms", 50.0),
        (parse_latency_ms, "0.05s", 50.0),
        (parse_latency_ms, 0.1, 0.1),
        (parse_bandwidth_gbps, "10Gbps", 10.0),
        (parse_bandwidth_gbps, "200 Gb/s", 200.0),
        (parse_bandwidth_gbps, "200 Gbit / s", 200.0),
        (parse_bandwidth_gbps, "600 GB/s", 4_800.0),
        (parse_bandwidth_gbps, "600GBps", 4_800.0),
        (parse_bandwidth_gbps, "100Mbps", 0.1),
        (parse_bandwidth_gbps, "2.4 TB/s", 19_200.0),
        (parse_bandwidth_gbps, "1 Tb/s", 1_000.0),
        (parse_bandwidth_gbps, "1000000 kb/s", 1.0),
        (parse_bandwidth_gbps, "125000 KB/s", 1.0),
        (parse_clock_mhz, "1.5G", 1_500.0),
        (parse_clock_mhz, "1500M", 1_500.0),
        (parse_clock_mhz, "1.98GHz", 1_980.0),
        (parse_clock_mhz, "1980 MHz", 1_980.0),
        (parse_percent, "99.9%", 99.9),
        (parse_percent, "99.9 %", 99.9),
        (parse_percent, 99.9, 99.9),
        (parse_percent, "85", 85.0),
        (parse_percent, 0, 0.0),
        (parse_percent, "100%", 100.0),
        (parse_carbon_g_per_h, "50g CO2/h", 50.0),
        (parse_carbon_g_per_h, "50 gCO2/h", 50.0),
        (parse_carbon_g_per_h, "50 g CO2 / hour", 50.0),
        (parse_carbon_g_per_h, "0.05 kg CO2/h", 50.0),
        (parse_number, "19.5", 19.5),
        (parse_number, 19.5, 19.5),
        (parse_number, Decimal("9.0"), 9.0),
        (parse_number, 2**53, 2.0**53),
    ],
)
def test_measures_are_the_nearest_float(
    parse: Callable[[object], float], value: object, number: float
) -> None:
    read = parse(value)
    assert type(read) is float
    assert read == number


def test_equal_amounts_in_other_words_are_equal() -> None:
    assert parse_memory_mib("80Gi", UP) == parse_memory_mib("81920Mi", DOWN)
    assert parse_duration_s("2h") == parse_duration_s("120m")
    assert parse_money_ueur("10 EUR", UP) == parse_money_ueur("10.00 EUR", DOWN)
    assert parse_clock_mhz("1.5G") == parse_clock_mhz("1500M")
    assert parse_rate_ueur_per_h("1 EUR/hour", UP) == parse_rate_ueur_per_h("24 EUR/day", DOWN)
    assert parse_bandwidth_gbps("1 GB/s") == parse_bandwidth_gbps("8 Gb/s")


def test_decimal_money_is_not_touched_by_binary_floats() -> None:
    """0.1 + 0.2 of what was written is 0.3, also for numbers that arrive as floats."""
    parts = parse_money_ueur("0.1 EUR", UP) + parse_money_ueur("0.2 EUR", UP)
    assert parts == parse_money_ueur("0.3 EUR", DOWN)
    assert parse_cpu_milli(0.3, UP) == parse_cpu_milli(0.3, DOWN) == 300  # the float lies below three tenths


def test_the_callers_decimal_context_is_neither_read_nor_changed() -> None:
    with decimal.localcontext(decimal.Context(prec=2, traps=[decimal.Inexact, decimal.Rounded])) as context:
        assert parse_money_ueur("1234.567891 EUR", UP) == 1_234_567_891
        assert not any(context.flags.values())


WORTH_BYTES = {
    **{unit: Fraction(1000) ** power for power, unit in ((-1, "m"), (0, ""), (1, "k"), (2, "M"), (3, "G"))},
    **{unit: Fraction(1024) ** power for power, unit in ((1, "Ki"), (2, "Mi"), (3, "Gi"), (4, "Ti"))},
}


@given(
    amount=st.decimals(min_value=0, max_value=10**6, places=6),
    unit=st.sampled_from(sorted(WORTH_BYTES)),
    space=st.sampled_from(["", " ", "  "]),
)
def test_rounding_brackets_the_exact_amount_by_less_than_one(amount: Decimal, unit: str, space: str) -> None:
    exact = Fraction(amount) * WORTH_BYTES[unit] / 2**20
    text = f"{amount:f}{space}{unit}"
    down, up = parse_memory_mib(text, DOWN), parse_memory_mib(text, UP)
    assert down <= exact <= up
    assert up - down == (0 if exact.denominator == 1 else 1)


@given(st.floats(min_value=0, max_value=2**53))
def test_a_float_and_its_text_are_the_same_number(value: float) -> None:
    assert parse_number(value) == parse_number(repr(value)) == value
