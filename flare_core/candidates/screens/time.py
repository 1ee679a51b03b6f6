"""Time: a run that its deadline does not leave room for, and the offers' own calendars.

Jobs and batches need their run and only that; a service takes an offer's maintenance as it is.
"""

import numpy as np

from flare_core.candidates.screens.screen import Screen, words
from flare_core.candidates.view import View, named
from flare_core.inventory.calendar import calendar_of, unavailable
from flare_core.inventory.types import Mask
from flare_core.requirements.types import Limit, Workload


def _too_late(view: View, limit: Limit) -> Mask:
    return np.ones(len(view.inventory), np.bool_)


def _closed(view: View, limit: Limit) -> Mask | None:
    calendar, start, end = view.inventory.label["calendar"], view.needs.start, view.needs.end
    if view.needs.workload is Workload.SERVICE or end is None or not calendar.values:
        return None
    start_s, end_s = int(start.timestamp()), int(end.timestamp())
    return named(calendar, lambda text: unavailable(calendar_of(text), start_s, end_s))


TIME: tuple[Screen, ...] = (
    Screen("too-late", _too_late, lambda limit: f"done by {words(limit)}"),
    Screen("offer-calendar", _closed, lambda limit: "open during the run"),
)
