"""When the work of an intent may begin on an offer, to the second.

A run fits where the offer is open for all of it, inside the times in which the intent needs capacity, and
ends by the deadline. So the moments at which it may begin are a few intervals, the same for all offers of one
calendar. They are looked at from the moment of the plan on for `HORIZON_S`.

A task of a batch may follow another one on the same node: its *slots* are back to back from the beginning of
each of these intervals on. Whatever else a batch does, no node holds more of its tasks by some moment.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from flare_core.inventory.calendar import (
    HORIZON_S,
    Calendar,
    Intervals,
    calendar_of,
    intersect,
    open_times,
    subtract,
)
from flare_core.inventory.types import IntArray, Inventory
from flare_core.requirements.types import Requirements, Workload

MOST_WAVES = 32
"""Waves of a batch after something busy has ended, up to which an end is named."""

ALWAYS = -1
"""Code of an offer that says nothing of maintenance or opening hours."""


def starts(
    needs: Requirements, calendar: str | None, *, needed: bool = True, deadline: bool = True
) -> Intervals:
    """Return when a run may begin on an offer, in UTC seconds; half-open, so the last second counts.

    Parameters
    ----------
    needs
        Of a job or batch.
    calendar
        What the offer says of it (canonical JSON); None is always open.
    needed, deadline
        Whether the times in which capacity is needed, and the deadline, are kept.
    """
    now, length = int(needs.start.timestamp()), needs.length_s
    assert length is not None, needs
    last = now + HORIZON_S - 1
    if deadline and needs.deadline is not None:
        last = min(last, int(needs.deadline.timestamp()) - length)
    if last < now or length <= 0:
        return ()
    wanted = needs.needed if needed else None
    if calendar is None and wanted is None:
        return ((now, last + 1),)
    there = _open(calendar, wanted, now, last + length)
    return tuple((begins, ends - length + 1) for begins, ends in there if ends - begins >= length)


def unmet(needs: Requirements, calendar: str | None) -> Intervals:
    """Return the times in which a service needs capacity and an offer is closed."""
    now, end = int(needs.start.timestamp()), needs.end
    until = now + HORIZON_S if end is None else min(now + HORIZON_S, int(end.timestamp()))
    if needs.needed is None or calendar is None or until <= now:
        return ()
    return subtract(_opened(needs.needed, now, until), _opened(_read(calendar), now, until))


def _open(calendar: str | None, wanted: Calendar | None, start_s: int, end_s: int) -> Intervals:
    parts = [
        _opened(each, start_s, end_s)
        for each in (wanted, None if calendar is None else _read(calendar))
        if each
    ]
    return parts[0] if len(parts) == 1 else intersect(*parts)


@lru_cache(maxsize=4096)
def _read(calendar: str) -> Calendar:
    return calendar_of(calendar)


@lru_cache(maxsize=4096)
def _opened(calendar: Calendar, start_s: int, end_s: int) -> Intervals:
    return open_times(calendar, start_s, end_s)


def forget() -> None:
    """Forget the calendars that were read and laid out: a measurement that does not wants what is new."""
    _read.cache_clear()
    _opened.cache_clear()


# --- of all offers -----------------------------------------------------------------------------------


def moves(needs: Requirements) -> bool:
    """Whether the work ends, so that it may begin later than now."""
    return needs.workload is not Workload.SERVICE and needs.length_s is not None


def judged(needs: Requirements) -> int:
    """Return how many seconds of a run are looked at: all of a job's, a service's up to `HORIZON_S`."""
    length = needs.length_s or HORIZON_S
    return max(1, length if moves(needs) else min(length, HORIZON_S))


def span(needs: Requirements) -> tuple[int, int]:
    """Return from when until when (UTC seconds, half-open) any run of the intent may last."""
    start = int(needs.start.timestamp())
    longest = max(judged(needs), needs.length_s or 0)
    return start, start + longest + (HORIZON_S if moves(needs) else 0)


def starts_by_code(needs: Requirements, inventory: Inventory) -> Mapping[int, Intervals]:
    """Return when a run may begin, by the code of the offer's calendar; `ALWAYS` stands for none."""
    calendars = inventory.label["calendar"].values
    known = {ALWAYS: starts(needs, None)}
    return MappingProxyType(known | {code: starts(needs, text) for code, text in enumerate(calendars)})


def turns(needs: Requirements, inventory: Inventory, rows: IntArray) -> IntArray:
    """Return how many tasks may follow each other on a node of offers `rows`: of a batch its slots."""
    if needs.workload is not Workload.BATCH or not needs.length_s:
        return np.ones(len(rows), np.int64)
    known = starts_by_code(needs, inventory)
    number = np.zeros(len(known), np.int64)  # the last place answers for `ALWAYS`
    for code, begins in known.items():
        number[code] = len(slots(begins, needs.length_s, needs.tasks))
    counts: IntArray = number[inventory.label["calendar"].codes[rows]]
    return counts


def ends(needs: Requirements, inventory: Inventory) -> list[int]:
    """Return by when (UTC seconds) more of the work could be done if no deadline mattered, ascending.

    Where an offer opens, and where something that is busy ends.
    """
    length, most = needs.length_s, needs.tasks if needs.workload is Workload.BATCH else 1
    if not length:
        return []
    calendars = (None, *inventory.label["calendar"].values)
    found: set[int] = set()
    for begins in (starts(needs, text, deadline=False) for text in calendars):
        if most > 1:
            found.update((slots(begins, length, most) + length).tolist())
        else:
            found.update(first + length for first, _ in begins)
    now = int(needs.start.timestamp())
    freed = {now + one.end for one in inventory.busy if one.end is not None}
    waves = range(1, min(most, MOST_WAVES) + 1)
    return sorted(found | {end + k * length for end in freed for k in waves})


def slots(begins: Intervals, length: int, most: int) -> IntArray:
    """Return when tasks begin that follow each other on one node, at most `most`, ascending."""
    listed: list[IntArray] = []
    for first, end in begins:
        if most <= 0:
            break
        number = min(most, -(-(end - first) // length))
        listed.append(first + length * np.arange(number, dtype=np.int64))
        most -= number
    return np.concatenate(listed) if listed else np.zeros(0, np.int64)
