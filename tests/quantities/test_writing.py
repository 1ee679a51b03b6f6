"""What is written is short, exact, and reads back as the same value."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core import quantities as q
from flare_core.quantities import Rounding


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (q.format_cpu(0), "0"),
        (q.format_cpu(8_000), "8"),
        (q.format_cpu(500), "500m"),
        (q.format_cpu(4_500), "4500m"),
        (q.format_memory(0), "0Mi"),
        (q.format_memory(1), "1Mi"),
        (q.format_memory(1_023), "1023Mi"),
        (q.format_memory(1_024), "1Gi"),
        (q.format_memory(1_536), "1536Mi"),
        (q.format_memory(81_920), "80Gi"),
        (q.format_memory(1_024**2), "1Ti"),
        (q.format_memory(1_024**4), "1Ei"),
        (q.format_memory(1_024**5), "1024Ei"),
        (q.format_eur(0), "0.00 EUR"),
        (q.format_eur(8_500_000), "8.50 EUR"),
        (q.format_eur(8_505_000), "8.505 EUR"),
        (q.format_eur(1), "0.000001 EUR"),
        (q.format_eur(-1_500_000), "-1.50 EUR"),
        (q.format_rate(8_500_000), "8.50 EUR/hour"),
        (q.format_rate(416_667), "0.416667 EUR/hour"),
        (q.format_duration(0), "0s"),
        (q.format_duration(59), "59s"),
        (q.format_duration(60), "1m"),
        (q.format_duration(8_100), "2h 15m"),
        (q.format_duration(86_430), "1d 30s"),
        (q.format_duration(30 * 86_400), "30d"),
        (q.format_duration(365 * 86_400), "1y"),
        (q.format_latency(50.0), "50ms"),
        (q.format_latency(0.5), "0.5ms"),
        (q.format_bandwidth(10.0), "10Gbps"),
        (q.format_bandwidth(0.1), "0.1Gbps"),
        (q.format_clock(1_980.0), "1980MHz"),
        (q.format_percent(99.9), "99.9%"),
        (q.format_percent(100), "100%"),
        (q.format_carbon(50.0), "50g CO2/h"),
    ],
)
def test_what_is_written_reads_naturally(written: str, text: str) -> None:
    assert written == text


wholes = st.integers(0, 2**53) | st.integers(0, 10**6) | st.integers(0, 2**13).map(lambda n: n * 2**40)
WHOLE: tuple[tuple[Callable[[int], str], Callable[[object, Rounding], int]], ...] = (
    (q.format_cpu, q.parse_cpu_milli),
    (q.format_memory, q.parse_memory_mib),
    (q.format_eur, q.parse_money_ueur),
    (q.format_rate, q.parse_rate_ueur_per_h),
    (q.format_duration, lambda text, _rounding: q.parse_duration_s(text)),
)
MEASURES: tuple[tuple[Callable[[float], str], Callable[[object], float]], ...] = (
    (q.format_latency, q.parse_latency_ms),
    (q.format_bandwidth, q.parse_bandwidth_gbps),
    (q.format_clock, q.parse_clock_mhz),
    (q.format_carbon, q.parse_carbon_g_per_h),
)


def name_of(function: Callable[..., Any]) -> str:
    return function.__name__.removeprefix("format_")


@pytest.mark.parametrize(("write", "read"), WHOLE, ids=[name_of(write) for write, _ in WHOLE])
@given(count=wholes, rounding=st.sampled_from(Rounding))
def test_whole_quantities_read_back_whatever_the_rounding(
    write: Callable[[int], str], read: Callable[[object, Rounding], int], count: int, rounding: Rounding
) -> None:
    assert read(write(count), rounding) == count


@pytest.mark.parametrize(("write", "read"), MEASURES, ids=[name_of(write) for write, _ in MEASURES])
@given(amount=st.floats(0, 2**53) | st.floats(0, 100))
def test_measures_read_back_to_the_last_bit(
    write: Callable[[float], str], read: Callable[[object], float], amount: float
) -> None:
    assert read(write(amount)) == amount


@given(st.floats(0, 100))
def test_percentages_read_back_to_the_last_bit(percent: float) -> None:
    assert q.parse_percent(q.format_percent(percent)) == percent
