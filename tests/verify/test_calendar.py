"""The checker's calendar, against the wall clock minute by minute, and against the inventory's own."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flare_core.inventory.calendar import calendar_of, canonical_calendar, unavailable
from flare_core.verify.calendar import why_closed

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Around these the clocks change: Berlin, half an hour on Lord Howe, in the ramadan, at a quarter to.
CHANGES = (
    ("Europe/Berlin", "2026-03-29T01:00:00"),
    ("Europe/Berlin", "2026-10-25T01:00:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00"),
    ("Africa/Casablanca", "2026-02-15T02:00:00"),
    ("Pacific/Chatham", "2026-04-04T14:00:00"),
    ("America/New_York", "2026-03-08T07:00:00"),
    ("UTC", "2026-01-31T00:00:00"),
)


def some_calendar(rng: Random, zone: str, around: datetime) -> dict[str, Any]:
    said: dict[str, Any] = {"timezone": zone}
    if rng.random() < 0.8:
        opens, closes = rng.sample([f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 30)], 2)
        said |= {"window_start": opens, "window_end": closes}
    if rng.random() < 0.5:
        said["days_of_week"] = sorted(rng.sample(DAYS, rng.randint(1, 6)), key=DAYS.index)
    if rng.random() < 0.5:
        start = (
            around - timedelta(days=rng.choice((0, 7, 28, 31, 59))) + timedelta(minutes=rng.randint(-90, 90))
        )
        end = start + timedelta(minutes=rng.randint(1, 200))
        times = {"start": start.isoformat(), "end": end.isoformat()}
        said["maintenance_windows"] = [{**times, "frequency": rng.choice(("weekly", "monthly"))}]
    return said


def is_open(said: dict[str, Any], local: datetime) -> bool:
    """Say whether a wall clock stands within the opening hours, and nothing more."""
    clock, days = local.strftime("%H:%M"), said.get("days_of_week", DAYS)
    opens, closes = said.get("window_start", "00:00"), said.get("window_end", "24:00")
    if opens < closes:
        return opens <= clock < closes and DAYS[local.weekday()] in days
    if clock >= opens:
        return DAYS[local.weekday()] in days
    return clock < closes and DAYS[local.weekday() - 1] in days


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_a_run_is_judged_as_a_look_in_each_minute_would(zone: str, change: str) -> None:
    rng, around = Random(zone + change), datetime.fromisoformat(change).replace(tzinfo=UTC)
    answers = set()
    for _ in range(120):
        said = some_calendar(rng, zone, around)
        start = around + timedelta(minutes=rng.randint(-1500, 1500))
        minutes = rng.choice((1, 30, 120, 480))
        end = start + timedelta(minutes=minutes)
        text = canonical_calendar(said)
        found = why_closed(text, start, end)
        opened = {key: value for key, value in said.items() if key != "maintenance_windows"}
        clocks = [(start + timedelta(minutes=m)).astimezone(ZoneInfo(zone)) for m in range(minutes)]
        hours = why_closed(canonical_calendar(opened), start, end)
        assert (hours is None) == all(is_open(said, clock) for clock in clocks), (said, start, end)
        closed = unavailable(calendar_of(text), int(start.timestamp()), int(end.timestamp()))
        assert (found is not None) == closed, (said, start, end)
        answers.add(found is None)
    assert answers == {True, False}


@pytest.mark.parametrize(
    ("start", "end", "free"),
    [
        ("2026-03-31T01:00:00Z", "2026-03-31T02:00:00Z", False),
        ("2026-03-31T01:30:00Z", "2026-03-31T02:00:00Z", True),
        ("2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z", True),
        ("2025-12-31T01:00:00Z", "2025-12-31T02:30:00Z", True),
        ("2026-01-31T01:59:59Z", "2026-01-31T02:00:00Z", True),
        ("2026-01-31T01:59:59Z", "2026-01-31T02:00:01Z", False),
    ],
)
def test_monthly_maintenance_skips_short_months_and_begins_with_its_start(
    start: str, end: str, free: bool
) -> None:
    """At 02:00 UTC it is 03:00 in Berlin, in summer 01:00 UTC."""
    window = {"start": "2026-01-31T02:00:00Z", "end": "2026-01-31T02:30:00Z", "frequency": "monthly"}
    text = json.dumps({"timezone": "Europe/Berlin", "maintenance_windows": [window]})
    moments = [datetime.fromisoformat(text_of) for text_of in (start, end)]
    assert (why_closed(text, moments[0], moments[1]) is None) is free


def test_an_offer_without_a_calendar_is_always_there() -> None:
    moment = datetime(2026, 1, 15, tzinfo=UTC)
    assert why_closed(None, moment, moment + timedelta(days=400)) is None
