"""Named places at which a test ends, breaks or holds up the process; in service they do nothing.

``FLARE_FAILPOINTS="submit.before_commit=kill; place.booked=raise:3"`` arms a process when it starts: at the
point (from the third time on, where a number stands) it is killed, an error is raised, or it hangs.
"""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

VARIABLE: Final = "FLARE_FAILPOINTS"
TRANSACTIONS: Final = (
    "migrate",
    "submit",
    "answer",
    "withdraw",
    "cancel",
    "accept",
    "claim",
    "place",
    "follow",
    "token.create",
    "token.revoke",
)
"""Transactions by name, each with a point just before and just after its commit."""
POINTS: Final = (
    *(f"{name}.{side}_commit" for name in TRANSACTIONS for side in ("before", "after")),
    *(
        f"backend.{step}.{side}"
        for step in ("reserve", "commit", "status", "release")
        for side in ("before", "after")
    ),
    "migrate.revision",
    "submit.keyed",
    "submit.inserted",
    "solve.before",
    "solve.after",
    "solver.searching",
    "place.booked",
    "cancel.released",
    "token.inserted",
)


class FailpointError(RuntimeError):
    """What an armed point raises."""


@dataclass(frozen=True, slots=True)
class _Armed:
    action: str
    first: int
    hits: Iterator[int] = field(default_factory=lambda: count(1))


def parse(text: str) -> Mapping[str, _Armed]:
    """Return what is armed.

    Raises
    ------
    ValueError
        If a point or an action is unknown.
    """
    armed = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, _, rest = part.partition("=")
        action, _, first = rest.partition(":")
        if name not in POINTS or action not in _ACTIONS:
            raise ValueError(f"found {part!r}, expected a point and one of {', '.join(_ACTIONS)}")
        armed[name] = _Armed(action, int(first or 1))
    return armed


def hit(name: str) -> None:
    """Do what the point is armed for."""
    armed = _armed.get(name)
    if armed is not None and next(armed.hits) >= armed.first:
        _ACTIONS[armed.action](name)


def _kill(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise(name: str) -> None:
    raise FailpointError(name)


def _hang(_: str) -> None:
    threading.Event().wait()


_ACTIONS: Final = {"kill": _kill, "raise": _raise, "hang": _hang}
_armed: Mapping[str, _Armed] = parse(os.environ.get(VARIABLE, ""))
