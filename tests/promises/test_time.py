"""Time is right: calendars against a look at the wall clock in every minute, around each change of clocks.

Needed times of an intent, opening times of an offer in another zone, and what follows of both: when a service
finds an offer closed, and when a run may begin. The checker is asked the same.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from flare_core.candidates.times import starts, unmet
from flare_core.intent import read_intent
from flare_core.intent.constraints import Availability
from flare_core.inventory.calendar import Intervals, canonical_calendar
from flare_core.requirements.lower import lower
from flare_core.verify.calendar import why_closed, why_missing, why_unneeded

Minutes = NDArray[np.bool_]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ZONES = (
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "America/St_Johns",
    "Asia/Kathmandu",
    "UTC",
)
# Where no clock changes in 2026: the day that Samoa left out, the quarter of Nepal, the eve of a leap second.
OTHERWISE = {
    "Pacific/Apia": ("2011-12-30T10:00:00",),
    "Asia/Kathmandu": ("1985-12-31T18:30:00",),
    "UTC": ("2016-12-31T23:00:00",),
}
AROUND = timedelta(days=2)
MINUTE = timedelta(minutes=1)


def changes(zone: str) -> tuple[datetime, ...]:
    """The hours of 2026 within which a zone's clock changes."""
    hours = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=h) for h in range(365 * 24)]
    ahead = [hour.astimezone(ZoneInfo(zone)).utcoffset() for hour in hours]
    found = tuple(hours[h] for h in range(1, len(hours)) if ahead[h] != ahead[h - 1])
    return found or tuple(datetime.fromisoformat(f"{text}+00:00") for text in OTHERWISE[zone])


PLACES = [(zone, change) for zone in ZONES for change in changes(zone)]


@cache
def clock(zone: str, begins: datetime, minutes: int) -> tuple[NDArray[np.int64], ...]:
    """What a zone's clock shows in each minute: minute of the day, weekday, day."""
    shown = [(begins + m * MINUTE).astimezone(ZoneInfo(zone)) for m in range(minutes)]
    looks = [(s.hour * 60 + s.minute, s.weekday(), s.date().toordinal()) for s in shown]
    return tuple(np.array(looks).T)


def some_calendar(rng: Random, zone: str, change: datetime) -> dict[str, Any]:
    said: dict[str, Any] = {"timezone": zone}
    if rng.random() < 0.8:
        opens, closes = (
            f"{at // 60:02}:{at % 60:02}" for at in rng.sample(range(0, 1440, rng.choice((1, 15))), 2)
        )
        said |= {"window_start": opens, "window_end": closes}
    if rng.random() < 0.5:
        said["days_of_week"] = sorted(rng.sample(DAYS, rng.randint(1, 6)), key=DAYS.index)
    for _ in range(rng.choice((0, 0, 1, 2))):
        start = change - timedelta(days=rng.choice((0, 1, 7, 28, 31, 61)), minutes=rng.randint(-1500, 1500))
        end = start + timedelta(minutes=rng.randint(1, 300))
        times = {"start": start.isoformat(), "end": end.isoformat()}
        times["frequency"] = rng.choice(("weekly", "monthly"))
        said.setdefault("maintenance_windows", []).append(times)
    return said


def open_minutes(said: Mapping[str, Any], begins: datetime, minutes: int) -> Minutes:
    """Look at the clock in each minute."""
    at, weekday, day = clock(said["timezone"], begins, minutes)
    listed = np.array([name in said.get("days_of_week", DAYS) for name in DAYS])
    today, yesterday = listed[weekday], listed[weekday - 1]
    opened: Minutes = today
    if "window_start" in said:
        edges = (said["window_start"], said["window_end"])
        opens, closes = (int(text[:2]) * 60 + int(text[3:]) for text in edges)
        if opens < closes:
            opened = today & (opens <= at) & (at < closes)
        else:
            opened = (today & (at >= opens)) | (yesterday & (at < closes))
    black = [datetime.fromisoformat(text).toordinal() for text in said.get("blackout_dates", ())]
    opened = opened & ~np.isin(day, black)
    for window in said.get("maintenance_windows", ()):
        for first, last in repeated(window, ZoneInfo(said["timezone"]), begins + minutes * MINUTE):
            low, high = (max(0, round((moment - begins) / MINUTE)) for moment in (first, last))
            opened[low:high] = False
    return opened


def repeated(
    window: Mapping[str, str], zone: ZoneInfo, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The same hour by the wall clock, in the weeks or months after; as long as at first."""
    first, last = (datetime.fromisoformat(window[end]) for end in ("start", "end"))
    yield first, last
    local = first.astimezone(zone).replace(tzinfo=None, fold=0)
    for day in range(1, 1 + max(0, (until - first).days + 2)):
        later = local + timedelta(days=day)
        due = day % 7 == 0 if window["frequency"] == "weekly" else later.day == local.day
        if due:
            begins = later.replace(tzinfo=zone).astimezone(UTC)
            yield begins, begins + (last - first)


def as_minutes(intervals: Intervals, begins: datetime, minutes: int) -> Minutes:
    first, inside = int(begins.timestamp()), np.zeros(minutes, np.bool_)
    for start, end in intervals:
        inside[-(-(start - first) // 60) : -(-(end - first) // 60)] = True
    return inside


def intent_of(said: Mapping[str, Any], kind: str, deadline: datetime, **job: str) -> Any:
    workload = {"type": kind, "name": "w", "image": "a/b:1", "resources": {"gpu": {"count": 1}}}
    if kind == "job":
        workload["job"] = job
    constraints = {"availability": dict(said), "deadline": deadline.isoformat()}
    return read_intent({"objective": "Cost_Minimization", "workload": workload, "constraints": constraints})


def differences(zone: str, change: datetime, windows: int) -> Iterator[tuple[object, ...]]:
    begins, minutes = change - AROUND, int(2 * AROUND / MINUTE)
    ends = begins + minutes * MINUTE
    for number in range(windows):
        rng = Random(f"{zone} {change} {number}")
        need, offer = some_calendar(rng, zone, change), some_calendar(rng, rng.choice(ZONES), change)
        if rng.random() < 0.5:
            need["blackout_dates"] = [(change + timedelta(days=rng.randint(-1, 1))).date().isoformat()]
        text = canonical_calendar(offer)
        wanted, there = (open_minutes(said, begins, minutes) for said in (need, offer))
        case = (zone, change.isoformat(), need, offer)
        yield from services(case, need, text, begins, ends, wanted & ~there)
        yield from runs(case, rng, need, text, begins, ends, wanted, there)


def services(
    case: tuple[object, ...],
    need: Mapping[str, Any],
    text: str | None,
    begins: datetime,
    ends: datetime,
    missing: Minutes,
) -> Iterator[tuple[object, ...]]:
    asked = lower(intent_of(need, "service", ends), now=begins)
    if (as_minutes(unmet(asked, text), begins, len(missing)) != missing).any():
        yield ("needed and closed", *case)
    told = why_missing(Availability.model_validate(dict(need)), text, begins, ends)
    if (told is None) == missing.any():
        yield ("the checker on services", told, *case)


def runs(
    case: tuple[object, ...],
    rng: Random,
    need: Mapping[str, Any],
    text: str | None,
    begins: datetime,
    ends: datetime,
    wanted: Minutes,
    there: Minutes,
) -> Iterator[tuple[object, ...]]:
    length = rng.choice((1, 30, 60, 200, 700))
    asked = lower(intent_of(need, "job", ends, timeout=f"{length}m"), now=begins)
    bad = np.concatenate([[0], np.cumsum(~(wanted & there))])
    good = np.zeros(len(wanted), np.bool_)
    good[: len(wanted) - length + 1] = bad[length:] == bad[: len(bad) - length]
    if (as_minutes(starts(asked, text), begins, len(good)) != good).any():
        yield ("where a run may begin", length, *case)
    availability = Availability.model_validate(dict(need))
    for minute in {0, *(rng.randrange(len(wanted) - length) for _ in range(4))}:
        first, last = begins + minute * MINUTE, begins + (minute + length) * MINUTE
        run = slice(minute, minute + length)
        if (why_closed(text, first, last) is None) != bool(there[run].all()):
            yield ("the checker on offers", minute, length, *case)
        if (why_unneeded(availability, first, last) is None) != bool(wanted[run].all()):
            yield ("the checker on needed times", minute, length, *case)


@pytest.mark.parametrize(("zone", "change"), PLACES)
def test_calendars_are_what_the_wall_clock_says(zone: str, change: datetime) -> None:
    assert list(differences(zone, change, windows=3)) == []


@pytest.mark.t1
@pytest.mark.parametrize(("zone", "change"), PLACES)
def test_calendars_are_what_the_wall_clock_says_for_fifty_windows(zone: str, change: datetime) -> None:
    assert list(differences(zone, change, windows=50)) == []
