"""Calendars against a look at the wall clock, minute by minute, around every kind of clock change."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.inventory.calendar import (
    DAYS,
    Calendar,
    CalendarError,
    Intervals,
    calendar_of,
    canonical_calendar,
    intersect,
    open_times,
    read_calendar,
    subtract,
    unavailable,
    union,
)

CHANGES = (
    # zone, two days around a change of its clocks
    ("Europe/Berlin", "2026-03-28T12:00:00Z"),  # an hour is skipped
    ("Europe/Berlin", "2026-10-24T12:00:00Z"),  # an hour is repeated
    ("Europe/Dublin", "2026-03-28T12:00:00Z"),  # winter time is the negative one
    ("America/New_York", "2026-11-01T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T00:00:00Z"),  # half an hour
    ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
    ("Pacific/Chatham", "2026-09-26T00:00:00Z"),  # 12:45 ahead of UTC
    ("Pacific/Apia", "2011-12-29T12:00:00Z"),  # a day is skipped
    ("Africa/Casablanca", "2026-02-14T12:00:00Z"),  # Ramadan
    ("America/Santiago", "2026-09-05T12:00:00Z"),  # at midnight
    ("Asia/Kolkata", "2026-01-01T00:00:00Z"),
    ("UTC", "2026-01-01T00:00:00Z"),
)
WINDOWS = (
    ("00:00", "24h"),
    ("09:00", "17:00"),
    ("01:30", "02:30"),
    ("22:00", "06:00"),
    ("23:30", "00:15"),
    ("02:30", "02:30"),
)
DAY_LISTS = (list(DAYS), ["Sun"], ["Sat", "Mon"], ["Fri"])


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def minutes(start: int, end: int) -> Iterator[int]:
    yield from range(start, end, 60)


class Wall(NamedTuple):
    """What the clock and the calendar on the wall show."""

    time: str
    day: str
    day_before: str
    date: str


@cache
def wall(zone: str, at: int) -> Wall:
    local = datetime.fromtimestamp(at, ZoneInfo(zone))
    today, before = (DAYS[(local.date() - timedelta(days=back)).weekday()] for back in (0, 1))
    return Wall(local.strftime("%H:%M"), today, before, local.date().isoformat())


def clock_says_open(document: dict[str, Any], at: int) -> bool:
    """Look at the wall and compare it with the window, as a person would."""
    now = wall(document["timezone"], at)
    days = document["days_of_week"]
    if now.date in document.get("blackout_dates", ()):
        return False
    if "window_start" not in document:
        return now.day in days
    start, end = document["window_start"], document["window_end"]
    if start < end:
        return now.day in days and start <= now.time < end
    return (now.day in days and start <= now.time) or (now.day_before in days and now.time < end)


@pytest.mark.parametrize(("zone", "begin"), CHANGES)
@pytest.mark.parametrize("window", WINDOWS, ids="-".join)
def test_windows_are_what_the_wall_clock_says(zone: str, begin: str, window: tuple[str, str]) -> None:
    start = seconds(begin)
    end = start + 3 * 86400
    for days in DAY_LISTS:
        blackout = [(date.fromisoformat(begin[:10]) + timedelta(days=1)).isoformat()]
        for more in ({}, {"blackout_dates": blackout}):
            document: dict[str, Any] = {"timezone": zone, "days_of_week": days, **more}
            if window[1] != "24h":
                document["window_start"], document["window_end"] = window
            inside = open_times(read_calendar(document), start, end)
            assert_same_minutes(inside, start, end, lambda at, d=document: clock_says_open(d, at))


def assert_same_minutes(intervals: Intervals, start: int, end: int, oracle: Any) -> None:
    said = {at for low, high in intervals for at in minutes(low, high)}
    assert said == {at for at in minutes(start, end) if oracle(at)}


def occurrences(document: dict[str, Any], zone: str) -> Iterator[tuple[datetime, datetime]]:
    """Walk the local calendar day by day from the first occurrence on."""
    first, last = (datetime.fromisoformat(document[key]).astimezone(UTC) for key in ("start", "end"))
    yield first, last
    local = first.astimezone(ZoneInfo(zone))
    day = local.date()
    for _ in range(800):
        day += timedelta(days=1)
        monthly = document.get("frequency") == "monthly"
        if day.day == local.day if monthly else (day - local.date()).days % 7 == 0:
            begins = datetime.combine(day, local.time().replace(fold=0), ZoneInfo(zone)).astimezone(UTC)
            yield begins, begins + (last - first)


@pytest.mark.parametrize(("zone", "begin"), CHANGES)
@pytest.mark.parametrize("frequency", ["weekly", "monthly"])
@pytest.mark.parametrize(
    ("ago", "hour", "length"),
    [(0, 0, 120), (35, 2, 60), (35, 14, 1500), (210, 13, 45), (3, 13, 90), (34, 1, 4320)],
)
def test_maintenance_repeats_at_the_same_local_hour(
    zone: str, begin: str, frequency: str, ago: int, hour: int, length: int
) -> None:
    start = seconds(begin) - 86400
    end = start + 9 * 86400
    first = datetime.fromtimestamp(start, UTC) - timedelta(days=ago) + timedelta(hours=hour)
    event = {
        "start": first.isoformat(),
        "end": (first + timedelta(minutes=length)).isoformat(),
        "frequency": frequency,
    }
    inside = open_times(read_calendar({"timezone": zone, "maintenance_windows": [event]}), start, end)
    times = [(int(a.timestamp()), int(b.timestamp())) for a, b in occurrences(event, zone)]
    assert_same_minutes(inside, start, end, lambda at: not any(a <= at < b for a, b in times))


def test_maintenance_in_a_repeated_hour_keeps_to_the_hour_that_is_stated_and_then_to_the_first() -> None:
    # 02:30 in Berlin for the second time, on the last Sundays of October 2026 and 2027, 53 weeks apart.
    event = {"start": "2026-10-25T01:30:00Z", "end": "2026-10-25T01:45:00Z"}
    calendar = read_calendar({"timezone": "Europe/Berlin", "maintenance_windows": [event]})
    for day, hour in (("2026-10-25", 1), ("2027-10-31", 0)):
        start = seconds(f"{day}T00:00:00Z")
        at = start + hour * 3600 + 1800
        assert subtract(((start, start + 10_800),), open_times(calendar, start, start + 10_800)) == (
            (at, at + 900),
        )


def test_monthly_maintenance_skips_months_without_that_day() -> None:
    event = {"start": "2026-01-31T00:00:00Z", "end": "2026-01-31T01:00:00Z", "frequency": "monthly"}
    calendar = read_calendar({"maintenance_windows": [event]})
    closed = subtract(
        ((seconds("2026-01-01T00:00:00Z"), seconds("2026-06-01T00:00:00Z")),),
        open_times(calendar, seconds("2026-01-01T00:00:00Z"), seconds("2026-06-01T00:00:00Z")),
    )
    assert [datetime.fromtimestamp(low, UTC).date().isoformat() for low, _ in closed] == [
        "2026-01-31",
        "2026-03-31",
        "2026-05-31",
    ]


def test_maintenance_is_never_before_its_start() -> None:
    event = {"start": "2026-02-02T00:00:00Z", "end": "2026-02-02T01:00:00Z"}
    calendar = read_calendar({"maintenance_windows": [event]})
    assert not unavailable(calendar, seconds("2026-01-26T00:00:00Z"), seconds("2026-02-02T00:00:00Z"))
    assert unavailable(calendar, seconds("2026-01-26T00:00:00Z"), seconds("2026-02-02T00:00:01Z"))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-01-15T08:00:00Z", "2026-01-15T16:00:00Z", False),
        ("2026-01-15T07:59:59Z", "2026-01-15T16:00:00Z", True),
        ("2026-01-15T08:00:00Z", "2026-01-15T16:00:01Z", True),
        ("2026-01-15T03:00:00Z", "2026-01-15T03:00:00Z", False),
    ],
    ids=["exactly-the-window", "a-second-before", "a-second-after", "no-time-at-all"],
)
def test_unavailable_to_the_second(start: str, end: str, expected: bool) -> None:
    calendar = read_calendar({"window_start": "09:00", "window_end": "17:00", "timezone": "Europe/Berlin"})
    assert unavailable(calendar, seconds(start), seconds(end)) is expected


def test_without_calendar_everything_is_open() -> None:
    assert calendar_of(None) == Calendar()
    assert not unavailable(calendar_of(None), 0, 10**9)


def test_the_canonical_text_means_the_same_calendar() -> None:
    document = {
        "window_start": "22:00",
        "window_end": "06:00",
        "timezone": "Europe/Dublin",
        "days_of_week": ["Tue", "Mon", "Mon"],
        "maintenance_windows": [
            {"start": "2026-02-01T00:00:00", "end": "2026-02-01T04:00:00+01:00", "frequency": None},
            {"start": "2026-01-04T02:00:00Z", "end": "2026-01-04T04:00:00Z", "frequency": "monthly"},
        ],
    }
    text = canonical_calendar(document)
    assert text is not None
    assert calendar_of(text) == read_calendar(document)
    assert canonical_calendar(json.loads(text)) == text
    assert json.loads(text)["days_of_week"] == ["Mon", "Tue"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"timezone": "Europe/Dublin"},
        {"window_start": None, "maintenance_windows": []},
        {"days_of_week": list(DAYS)},
    ],
)
def test_a_calendar_that_restricts_nothing_is_none(document: dict[str, Any]) -> None:
    assert canonical_calendar(document) is None


TWO, THREE = "2026-01-04T02:00:00Z", "2026-01-04T03:00:00Z"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], ""),
        ({"window_start": "09:00"}, "window_end"),
        ({"window_end": "09:00"}, "window_start"),
        ({"window_start": "9:00", "window_end": "17:00"}, "window_start"),
        ({"window_start": "09:00", "window_end": "24:00"}, "window_end"),
        ({"window_start": 9, "window_end": "17:00"}, "window_start"),
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": "Europe"}, "timezone"),
        ({"timezone": 1}, "timezone"),
        ({"days_of_week": []}, "days_of_week"),
        ({"days_of_week": "Mon"}, "days_of_week"),
        ({"days_of_week": ["Mon", "Monday"]}, "days_of_week.1"),
        ({"blackout_dates": ["2026-12-25"]}, "blackout_dates"),
        ({"windows": []}, "windows"),
        ({"maintenance_windows": {}}, "maintenance_windows"),
        ({"maintenance_windows": ["x"]}, "maintenance_windows.0"),
    ],
)
def test_what_an_offers_calendar_cannot_say(document: object, path: str) -> None:
    with pytest.raises(CalendarError) as caught:
        canonical_calendar(document)
    assert caught.value.path == path
    assert caught.value.message


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"start": TWO}, "end"),
        ({"end": TWO}, "start"),
        ({"start": TWO, "end": TWO}, "end"),
        ({"start": THREE, "end": TWO}, "end"),
        ({"start": "2026-01-04", "end": THREE}, "start"),
        ({"start": TWO, "end": THREE, "frequency": "daily"}, "frequency"),
        ({"start": TWO, "end": THREE, "every": 1}, "every"),
    ],
)
def test_what_maintenance_cannot_say(event: dict[str, str], field: str) -> None:
    fine = {"start": TWO, "end": THREE}
    with pytest.raises(CalendarError) as caught:
        canonical_calendar({"maintenance_windows": [fine, event]})
    assert caught.value.path == f"maintenance_windows.1.{field}"


def test_a_blackout_date_is_a_date() -> None:
    with pytest.raises(CalendarError, match=r"blackout_dates\.0"):
        read_calendar({"blackout_dates": ["2026-02-30"]})


intervals = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6)


@given(intervals, intervals)
def test_interval_sets_are_sets(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    a, b = union(left), union(right)
    points = [set(range(41)) & {p for low, high in side for p in range(low, high)} for side in (left, right)]
    for result, expected in (
        (a, points[0]),
        (intersect(a, b), points[0] & points[1]),
        (subtract(a, b), points[0] - points[1]),
    ):
        assert {p for low, high in result for p in range(low, high)} == expected
        assert all(low < high for low, high in result)
        assert all(before[1] < after[0] for before, after in pairwise(result))
