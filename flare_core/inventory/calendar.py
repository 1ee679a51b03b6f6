"""When capacity is there: windows, days, blackout dates and maintenance, as exact sets of UTC seconds.

A calendar speaks in local time of a zone, a placement runs in UTC. Between two changes of a zone's clock the
difference of the two is constant, so windows, days and dates are laid out on the local time line and moved
over piece by piece: an hour that the clocks skip is in no window, one that they repeat is in it twice. That
is exactly what a look at the wall clock at each moment gives.

Maintenance is an event with a length: its first occurrence is the stated one, each repetition begins at the
same local time (in an hour that is skipped: as much later as the clocks jump; in a repeated one: the first
time) and takes as long. Source: RFC 5545, 3.3.10, on recurrences and local time.

>>> office = calendar_of('{"window_start":"09:00","window_end":"17:00","timezone":"Europe/Berlin"}')
>>> unavailable(office, 1768467600, 1768471200)  # 2026-01-15, 10:00 to 11:00 in Berlin
False
"""

import json
import re
from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from itertools import chain
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flare_core.errors import found_expected
from flare_core.quantities import QuantityError, format_moment, parse_moment

Intervals = tuple[tuple[int, int], ...]
"""Disjoint half-open intervals of UTC seconds since 1970, ascending, none empty, none touching."""

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HORIZON_S: Final = 31 * 86400
"""How far ahead a service without end is judged."""

_DAY: Final = 86400
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
# No zone has ever changed its clock twice within this time and back.
_PROBE_S: Final = 6 * 3600
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIELDS: Final = (
    "window_start",
    "window_end",
    "timezone",
    "days_of_week",
    "blackout_dates",
    "maintenance_windows",
)


class CalendarError(ValueError):
    """A calendar that cannot be read; `path` is where inside it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path
        self.message = message


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A recurring interruption: the first from `start_s` to `end_s` (UTC seconds), then weekly or monthly."""

    start_s: int
    end_s: int
    monthly: bool = False


@dataclass(frozen=True, slots=True)
class Calendar:
    """When something is open.

    Attributes
    ----------
    zone
        IANA name of the time zone that windows, days, dates and repetitions are meant in.
    window
        ``(start, end)`` in seconds of the local day; an end that is not later than the start lies on the next
        day. None is the whole day.
    days
        Days on which a window starts, Monday is 0.
    blackout
        Local days, as proleptic ordinals, without opening.
    maintenance
        Interruptions.
    """

    zone: str = "UTC"
    window: tuple[int, int] | None = None
    days: frozenset[int] = frozenset(range(7))
    blackout: frozenset[int] = frozenset()
    maintenance: tuple[Maintenance, ...] = ()


# --- sets of time --------------------------------------------------------------------------------


def union(intervals: Iterable[tuple[int, int]]) -> Intervals:
    """Return the moments that lie in any of `intervals`, given in any order."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def intersect(left: Intervals, right: Intervals) -> Intervals:
    """Return the moments that lie in both."""
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            found.append((start, end))
        if left[i][1] <= right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def subtract(left: Intervals, right: Intervals) -> Intervals:
    """Return the moments of `left` that are not in `right`."""
    if not left:
        return ()
    low, high = left[0][0], left[-1][1]
    edges = [low, *chain.from_iterable(right), high]
    gaps = tuple((a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b)
    return intersect(left, gaps)


# --- reading -------------------------------------------------------------------------------------


def calendar_of(text: str | None) -> Calendar:
    """Return the calendar that the canonical JSON of an offer means; None is always open."""
    return Calendar() if text is None else read_calendar(json.loads(text))


def canonical_calendar(value: object) -> str | None:
    """Check an offer's ``availability`` and return the one text by which equal calendars are equal.

    None where it restricts nothing.

    Raises
    ------
    CalendarError
        With path and the standard wording.
    """
    if isinstance(value, Mapping) and value.get("blackout_dates") is not None:
        raise CalendarError("blackout_dates", "unknown field of an offer, nearest is maintenance_windows")
    calendar = read_calendar(value)
    if calendar == Calendar(calendar.zone):
        return None
    document: dict[str, object] = {"timezone": calendar.zone}
    if calendar.window is not None:
        document["window_start"], document["window_end"] = map(_clock, calendar.window)
    if len(calendar.days) < len(DAYS):
        document["days_of_week"] = [DAYS[day] for day in sorted(calendar.days)]
    if calendar.maintenance:
        document["maintenance_windows"] = [
            {
                "start": _moment(m.start_s),
                "end": _moment(m.end_s),
                "frequency": "monthly" if m.monthly else "weekly",
            }
            for m in calendar.maintenance
        ]
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def read_calendar(value: object) -> Calendar:
    """Read an ``availability`` object of an offer or an intent; a field that is null is absent.

    Raises
    ------
    CalendarError
        With path and the standard wording.
    """
    if not isinstance(value, Mapping):
        raise CalendarError("", found_expected(value, "an object"))
    for key in value:
        if key not in _FIELDS:
            raise CalendarError(str(key), f"unknown field, expected one of {', '.join(_FIELDS)}")
    said = {key: item for key, item in value.items() if item is not None}
    return Calendar(
        zone=_zone_name(said.get("timezone", "UTC")),
        window=_window(said.get("window_start"), said.get("window_end")),
        days=_days(said.get("days_of_week", list(DAYS))),
        blackout=frozenset(_ordinal(day, i) for i, day in enumerate(_list(said, "blackout_dates"))),
        maintenance=tuple(
            sorted(
                {
                    _maintenance(item, f"maintenance_windows.{i}")
                    for i, item in enumerate(_list(said, "maintenance_windows"))
                },
                key=lambda m: (m.start_s, m.end_s, m.monthly),
            )
        ),
    )


def _list(said: Mapping[str, object], field: str) -> list[object]:
    value = said.get(field, [])
    if not isinstance(value, list):
        raise CalendarError(field, found_expected(value, "a list"))
    return value


def _zone_name(value: object) -> str:
    # A name with a colon, dots or the like would be a path on disk to the zone reader.
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}", value):
        try:
            _zone(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
        else:
            return value
    raise CalendarError("timezone", found_expected(value, "an IANA time zone, such as 'Europe/Dublin'"))


@cache
def _zone(name: str) -> tzinfo:
    return ZoneInfo(name)


def _window(start: object, end: object) -> tuple[int, int] | None:
    if start is None and end is None:
        return None
    for field, value, other in (("window_start", start, "window_end"), ("window_end", end, "window_start")):
        if value is None:
            raise CalendarError(field, f"found none beside {other}, expected both or neither")
    return _seconds("window_start", start), _seconds("window_end", end)


def _seconds(field: str, value: object) -> int:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise CalendarError(field, found_expected(value, "a time of day, such as '09:00'"))
    return int(match[1]) * 3600 + int(match[2]) * 60


def _days(value: object) -> frozenset[int]:
    if not isinstance(value, list) or not value:
        raise CalendarError("days_of_week", found_expected(value, "a list of days, such as ['Mon', 'Tue']"))
    for i, day in enumerate(value):
        if day not in DAYS:
            raise CalendarError(f"days_of_week.{i}", found_expected(day, f"one of {', '.join(DAYS)}"))
    return frozenset(DAYS.index(day) for day in value)


def _ordinal(value: object, index: int) -> int:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value).toordinal()
        except ValueError:
            pass
    raise CalendarError(f"blackout_dates.{index}", found_expected(value, "a date, such as '2026-12-25'"))


def _maintenance(value: object, path: str) -> Maintenance:
    if not isinstance(value, Mapping):
        raise CalendarError(path, found_expected(value, "an object with start and end"))
    for key in value:
        if key not in ("start", "end", "frequency"):
            raise CalendarError(f"{path}.{key}", "unknown field, expected start, end or frequency")
    frequency = value.get("frequency")
    if frequency not in (None, "weekly", "monthly"):
        raise CalendarError(f"{path}.frequency", found_expected(frequency, "'weekly' or 'monthly'"))
    start, end = (_utc_seconds(value.get(field), f"{path}.{field}") for field in ("start", "end"))
    if end <= start:
        raise CalendarError(f"{path}.end", found_expected(value.get("end"), "a moment after start"))
    return Maintenance(start, end, frequency == "monthly")


def _utc_seconds(value: object, path: str) -> int:
    try:
        return int(parse_moment(value).timestamp())
    except QuantityError as error:
        raise CalendarError(path, str(error)) from None


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}"


def _moment(seconds: int) -> str:
    return format_moment(datetime.fromtimestamp(seconds, UTC))


# --- asking --------------------------------------------------------------------------------------


def unavailable(calendar: Calendar, start_s: int, end_s: int) -> bool:
    """Tell whether any moment of ``[start_s, end_s)`` is outside the calendar's opening."""
    return start_s < end_s and open_times(calendar, start_s, end_s) != ((start_s, end_s),)


def open_times(calendar: Calendar, start_s: int, end_s: int) -> Intervals:
    """Return the moments of ``[start_s, end_s)`` that a calendar leaves open.

    Parameters
    ----------
    calendar
        Of an offer: when it is there; of an intent: when it is needed.
    start_s, end_s
        UTC seconds.
    """
    if start_s >= end_s:
        return ()
    closed = chain.from_iterable(_occurrences(m, calendar.zone, start_s, end_s) for m in calendar.maintenance)
    return subtract(_windows(calendar, start_s, end_s), union(closed))


def _windows(calendar: Calendar, start_s: int, end_s: int) -> Intervals:
    """Return the moments inside the windows of the asked days, less the blackout dates."""
    if calendar.window is None and len(calendar.days) == len(DAYS) and not calendar.blackout:
        return ((start_s, end_s),)
    inside: list[tuple[int, int]] = []
    black: list[tuple[int, int]] = []
    for low, high, offset in _pieces(calendar.zone, start_s, end_s):
        piece = ((low, high),)
        # A window that began on the day before may still be open.
        days = range((low + offset) // _DAY - 1, (high + offset - 1) // _DAY + 1)
        inside += intersect(piece, union(_moved(_window_of(calendar, day), -offset) for day in days))
        dates = (day for day in days if day + _EPOCH_DAY in calendar.blackout)
        black += intersect(piece, union(_moved((day * _DAY, (day + 1) * _DAY), -offset) for day in dates))
    return subtract(union(inside), union(black))


def _window_of(calendar: Calendar, day: int) -> tuple[int, int]:
    """Return the window that starts on a day (counted from 1970), in seconds of the local time line."""
    if (day + 3) % 7 not in calendar.days:  # 1970-01-01 was a Thursday
        return (0, 0)
    start, end = calendar.window or (0, _DAY)
    return (day * _DAY + start, (day + (end <= start)) * _DAY + end)


def _moved(interval: tuple[int, int], by: int) -> tuple[int, int]:
    return (interval[0] + by, interval[1] + by)


def _pieces(zone: str, start_s: int, end_s: int) -> Iterator[tuple[int, int, int]]:
    """Cut ``[start_s, end_s)`` where the zone's clock changes; yield start, end, seconds ahead of UTC."""
    low, offset = start_s, _offset(zone, start_s)
    at = start_s
    while at < end_s:
        after = min(at + _PROBE_S, end_s)
        changed = _offset(zone, after)
        if changed != offset:
            edge = _change(zone, at, after)
            yield low, edge, offset
            low, offset = edge, changed
        at = after
    if low < end_s:
        yield low, end_s, offset


def _change(zone: str, before: int, after: int) -> int:
    """Return the first second with the offset of `after`, which differs from that of `before`."""
    new = _offset(zone, after)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == new:
            after = middle
        else:
            before = middle
    return after


def _offset(zone: str, at_s: int) -> int:
    """Return how many seconds a zone is ahead of UTC at a moment."""
    ahead = datetime.fromtimestamp(at_s, _zone(zone)).utcoffset()
    return 0 if ahead is None else int(ahead.total_seconds())


def _occurrences(event: Maintenance, zone: str, start_s: int, end_s: int) -> Iterator[tuple[int, int]]:
    """Yield every occurrence that may touch ``[start_s, end_s)``."""
    yield (event.start_s, event.end_s)
    local = datetime.fromtimestamp(event.start_s, _zone(zone)).replace(tzinfo=None, fold=0)
    length = event.end_s - event.start_s
    # A day to spare on both sides: local days and UTC days differ by less.
    earliest = local + timedelta(seconds=start_s - length - event.start_s - _DAY)
    latest = local + timedelta(seconds=end_s - event.start_s + _DAY)
    for begins in (_monthly if event.monthly else _weekly)(local, earliest, latest):
        at = int(begins.replace(tzinfo=_zone(zone)).timestamp())
        yield (at, at + length)


def _weekly(first: datetime, earliest: datetime, latest: datetime) -> Iterator[datetime]:
    week = timedelta(days=7)
    k = max(1, (earliest - first) // week)
    while first + k * week <= latest:
        yield first + k * week
        k += 1


def _monthly(first: datetime, earliest: datetime, latest: datetime) -> Iterator[datetime]:
    months = (earliest.year - first.year) * 12 + earliest.month - first.month
    k = max(1, months)
    while True:
        year, month = divmod(first.year * 12 + first.month - 1 + k, 12)
        if datetime(year, month + 1, 1) > latest:
            return
        if first.day <= monthrange(year, month + 1)[1]:  # else a month without that day
            yield first.replace(year=year, month=month + 1)
        k += 1
