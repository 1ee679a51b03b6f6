"""Moments: aware, in UTC, exact to the microsecond, never guessed."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from time import tzset
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.quantities import QuantityError, format_moment, parse_moment

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-01-15T12:00:00Z", NOON),
        ("2026-01-15t12:00:00z", NOON),
        ("2026-01-15 12:00:00", NOON),
        ("2026-01-15T12:00", NOON),
        ("2026-01-15T12:00Z", NOON),
        (" 2026-01-15T12:00:00Z ", NOON),
        ("2026-01-15T13:00:00+01:00", NOON),
        ("2026-01-15T13:00:00+0100", NOON),
        ("2026-01-15T13:00:00+01", NOON),
        ("2026-01-14T23:30:00-12:30", NOON),
        ("2026-01-15T12:00:00-00:00", NOON),
        ("2026-01-15T12:00:00.25Z", NOON + timedelta(milliseconds=250)),
        ("2026-01-15T12:00:00.000001Z", NOON + timedelta(microseconds=1)),
        ("2026-01-15T12:00:00.000001000Z", NOON + timedelta(microseconds=1)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("1969-12-31T23:00:00-01:00", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2200-12-31T23:59:59Z", datetime(2200, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2024-02-29T00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        (NOON, NOON),
        (NOON.replace(tzinfo=None), NOON),
        (datetime(2026, 7, 15, 14, tzinfo=ZoneInfo("Europe/Rome")), datetime(2026, 7, 15, 12, tzinfo=UTC)),
        (
            datetime(2026, 1, 15, 13, tzinfo=timezone(timedelta(hours=1, seconds=30))),
            NOON - timedelta(seconds=30),
        ),
        (pd.Timestamp("2026-01-15T13:00", tz="Europe/Rome"), NOON),
    ],
)
def test_a_moment_is_read_in_utc(value: object, moment: datetime) -> None:
    read = parse_moment(value)
    assert type(read) is datetime
    assert read == moment
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-15",
        date(2026, 1, 15),
        time(12),
        "12:00:00Z",
        "2026-01-15T12",
        "2026-01-15T12:00:00 UTC",
        "2026-01-15T12:00:00Europe/Rome",
        "2026-01-15T12:00:00ZZ",
        "2026-01-15T12:00:00+25:00",
        "2026-01-15T12:00:00+:",
        "2026-01-15T12:00:00.Z",
        "2026-01-15T12:00:00.0000001Z",
        "2026-01-15T12:00:00,5Z",
        "2026-01-15T12:00:60Z",
        "2026-01-15T24:00:00Z",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "20260115T120000Z",
        "2026-W03-4T12:00:00Z",
        "15/01/2026 12:00",
        "٢٠٢٦-01-15T12:00:00Z",
        "now",
        1_768_478_400,
        "1768478400",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+01:00",
        "2200-12-31T23:59:59-01:00",
        "2201-01-01T00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        pd.NaT,
        pd.Timestamp("2026-01-15T12:00:00.000000001Z"),
    ],
    ids=str,
)
def test_what_is_no_moment_of_the_years_1970_to_2200_is_refused(value: object) -> None:
    with pytest.raises(QuantityError, match="such as '2026-01-15T10:35:00Z'"):
        parse_moment(value)


def test_a_naive_moment_is_utc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as machine:
        machine.setenv("TZ", "Asia/Tokyo")
        tzset()
        assert parse_moment("2026-01-15T12:00:00") == NOON
        assert format_moment(NOON.replace(tzinfo=None)) == "2026-01-15T12:00:00Z"
    tzset()


def test_moments_are_written_in_utc() -> None:
    assert format_moment(NOON) == "2026-01-15T12:00:00Z"
    assert format_moment(NOON.replace(tzinfo=None)) == "2026-01-15T12:00:00Z"
    assert format_moment(NOON.astimezone(ZoneInfo("Asia/Tokyo"))) == "2026-01-15T12:00:00Z"
    assert format_moment(NOON + timedelta(microseconds=500)) == "2026-01-15T12:00:00.000500Z"


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2200, 12, 30), timezones=st.timezones() | st.just(UTC)),
)
def test_a_written_moment_reads_back(moment: datetime) -> None:
    # In UTC, for Python calls moments of two zones unequal where the clock is set back or forth (PEP 495).
    assert parse_moment(format_moment(moment)) == moment.astimezone(UTC)
