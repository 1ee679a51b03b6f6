"""Whether an offer is there for the whole of a run, and whenever its capacity is needed.

Being open is a look at the wall clock of the offer's zone. It can change only where that clock shows midnight
or an edge of the window, or is itself changed; so it is enough to look at the start of the run and at each of
these moments within it. When an intent needs capacity is told by the same fields and looked at in the same
way.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from flare_core.quantities import format_moment, parse_moment

if TYPE_CHECKING:
    from flare_core.intent.constraints import Availability

HORIZON: Final = timedelta(days=31)
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def why_closed(calendar: str | None, start: datetime, end: datetime) -> str | None:
    """Return why an offer of this ``availability`` (JSON) is not there from `start` to `end`; None: it is."""
    if calendar is None:
        return None
    said: Mapping[str, Any] = json.loads(calendar)
    zone = ZoneInfo(said.get("timezone") or "UTC")
    for window in said.get("maintenance_windows") or ():
        for begins, ends in _occurrences(window, zone, end):
            if begins < end and start < ends:
                return f"is in maintenance from {format_moment(begins)} to {format_moment(ends)}"
    for moment in _looks(said, zone, start, end):
        if not _is_open(said, moment.astimezone(zone)):
            return f"is outside its opening hours at {format_moment(moment)}"
    return None


def why_unneeded(asked: "Availability", start: datetime, end: datetime) -> str | None:
    """Return why a run is not all within the times in which its intent needs capacity; None: it is."""
    said = _said(asked)
    for moment in _turns(said, start, end):
        if not _is_there(said, moment):
            return f"runs at {format_moment(moment)}, when constraints.availability needs nothing"
    return None


def why_missing(
    asked: "Availability", calendar: str | None, start: datetime, end: datetime | None
) -> str | None:
    """Return why an offer is not there whenever a service needs it, for 31 days; None: it is."""
    if calendar is None:
        return None
    until = start + HORIZON if end is None else min(start + HORIZON, end)
    need, offer = _said(asked), json.loads(calendar)
    for moment in sorted({*_turns(need, start, until), *_turns(offer, start, until)}):
        if _is_there(need, moment) and not _is_there(offer, moment):
            return f"is closed at {format_moment(moment)}, when constraints.availability needs it"
    return None


def _said(asked: "Availability") -> Mapping[str, Any]:
    """Return what an intent says in the words of an offer."""
    return {
        "timezone": asked.timezone,
        "window_start": asked.window_start and asked.window_start.isoformat(),
        "window_end": asked.window_end and asked.window_end.isoformat(),
        "days_of_week": asked.days_of_week,
        "blackout_dates": [day.isoformat() for day in asked.blackout_dates],
        "maintenance_windows": [
            {"start": each.start.isoformat(), "end": each.end.isoformat(), "frequency": each.frequency}
            for each in asked.maintenance_windows
        ],
    }


def _turns(said: Mapping[str, Any], start: datetime, end: datetime) -> Iterator[datetime]:
    """Return the start of a run and the moments within it at which anything said may change."""
    zone = ZoneInfo(said.get("timezone") or "UTC")
    yield from _looks(said, zone, start, end)
    for window in said.get("maintenance_windows") or ():
        for occurrence in _occurrences(window, zone, end):
            yield from (moment for moment in occurrence if start < moment < end)


def _is_there(said: Mapping[str, Any], moment: datetime) -> bool:
    zone = ZoneInfo(said.get("timezone") or "UTC")
    windows = said.get("maintenance_windows") or ()
    soon = moment + _SECOND
    if any(a <= moment < b for window in windows for a, b in _occurrences(window, zone, soon)):
        return False
    return _is_open(said, moment.astimezone(zone))


def _occurrences(
    window: Mapping[str, Any], zone: ZoneInfo, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Return a maintenance window's repetitions that begin before `until`: same local hour, same length."""
    first, length = parse_moment(window["start"]), parse_moment(window["end"]) - parse_moment(window["start"])
    local, monthly = first.astimezone(zone), window.get("frequency") == "monthly"
    begins, n = first, 0
    while begins < until:
        yield begins, begins + length
        n += 1
        day = _months_later(local.date(), n) if monthly else local.date() + 7 * n * _DAY
        while day is None:
            n += 1
            day = _months_later(local.date(), n)
        begins = datetime.combine(day, local.time(), zone).astimezone(UTC)


def _months_later(day: date, months: int) -> date | None:
    years, month = divmod(day.month - 1 + months, 12)
    try:
        return date(day.year + years, month + 1, day.day)
    except ValueError:
        return None  # months without that day are skipped


def _looks(said: Mapping[str, Any], zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Return the moments of a run at which being open may have changed."""
    yield start
    edges = {
        time(),
        *map(time.fromisoformat, filter(None, (said.get("window_start"), said.get("window_end")))),
    }
    day = start.astimezone(zone).date() - _DAY
    while day <= end.astimezone(zone).date() + _DAY:
        shown = (datetime.combine(day, at, zone).replace(fold=fold) for at in edges for fold in (0, 1))
        for moment in (*(each.astimezone(UTC) for each in shown), *_clock_change(day, zone)):
            if start < moment < end:
                yield moment
        day += _DAY


def _clock_change(day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Return the second of a UTC day at which the zone's clock is changed, if it is."""
    low = datetime.combine(day, time(), UTC)
    high, before = low + _DAY, low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == before:
        return
    while high - low > _SECOND:
        middle = low + ((high - low) // 2 // _SECOND) * _SECOND
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    yield high


def _is_open(said: Mapping[str, Any], local: datetime) -> bool:
    """Whether an offer is open when its wall clock shows `local`."""
    days = said.get("days_of_week") or _NAMES
    today, yesterday = (_NAMES[day.weekday()] in days for day in (local, local - _DAY))
    if local.date().isoformat() in (said.get("blackout_dates") or ()):
        return False
    opens, closes = said.get("window_start"), said.get("window_end")
    if opens is None or closes is None:
        return today
    now, opening, closing = local.time(), time.fromisoformat(opens), time.fromisoformat(closes)
    if opening < closing:
        return today and opening <= now < closing
    return (today and now >= opening) or (yesterday and now < closing)
