"""Time: whether an offer is there for long enough, when it is needed, and soon enough.

A job or batch may begin later than now, so each of these is whether there is any moment at which its run
could begin: on the offer at all (`offer-calendar`), within the times in which it needs capacity
(`needed-times`), by the deadline (`too-late`). Each is judged where those before it leave something. A
service is there from now on: no time in which it needs capacity may be one in which the offer is closed.
Without such times it takes the offer's maintenance and opening hours as they are.
"""

from collections.abc import Callable

import numpy as np

from flare_core.candidates.screens.screen import Screen, words
from flare_core.candidates.times import moves, starts, unmet
from flare_core.candidates.view import View, named
from flare_core.inventory.types import Mask
from flare_core.requirements.types import Limit


def _too_late(view: View, limit: Limit) -> Mask | None:
    needs = view.needs
    if not moves(needs):
        past = needs.end is not None and needs.end <= needs.start
        return np.ones(len(view.inventory), np.bool_) if past else None
    return _where(
        view,
        lambda text: (
            not starts(needs, text) and bool(starts(needs, text, deadline=False) or not needs.length_s)
        ),
    )


def _unneeded(view: View, limit: Limit) -> Mask | None:
    needs = view.needs
    if not moves(needs):
        return _where(view, lambda text: bool(unmet(needs, text)))
    return _where(
        view,
        lambda text: (
            not starts(needs, text, deadline=False)
            and bool(starts(needs, text, needed=False, deadline=False))
        ),
    )


def _closed(view: View, limit: Limit) -> Mask | None:
    needs = view.needs
    if not moves(needs) or not needs.length_s:
        return None
    return _where(view, lambda text: not starts(needs, text, needed=False, deadline=False))


def _where(view: View, fails: Callable[[str | None], bool]) -> Mask | None:
    """Return the offers of whose calendars it holds; each different calendar is asked once."""
    calendars = view.inventory.label["calendar"]
    closed = {text for text in calendars.values if fails(text)}
    always = fails(None)
    if not closed and not always:
        return None
    failing = named(calendars, closed.__contains__)
    return failing | (calendars.codes < 0) if always else failing


TIME: tuple[Screen, ...] = (
    Screen("offer-calendar", _closed, lambda limit: "open for the length of the run"),
    Screen("needed-times", _unneeded, lambda limit: "open when the capacity is needed"),
    Screen("too-late", _too_late, lambda limit: f"done by {words(limit)}"),
)
