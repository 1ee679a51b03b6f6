"""Ways to ask for less at one path of an intent, and to ask for nothing there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from flare_core.explanation.case import Case, Values
from flare_core.explanation.feasible import Space
from flare_core.explanation.relax import COUNT, GPU, SPOT
from flare_core.requirements.types import Limit

UNLIMITED = 1e9
"""Written for a largest latency, jitter or PUE that is given up."""

AVAILABILITY = "sla.availability"
BY_DEFAULT = (
    "constraints.max_latency_ms",
    "constraints.performance.max_jitter_ms",
    "constraints.energy.power_usage_effectiveness",
)
"""Largest values that have a default and no "none"."""


class Step(NamedTuple):
    """One way to ask for less: what it is in words (None: nothing is asked), and what to write."""

    said: str | None
    values: Values


@dataclass(frozen=True, slots=True)
class Ladder:
    """The ways to ask for less at one path.

    Attributes
    ----------
    amounts
        What is asked instead, the smallest change first.
    step
        Says and writes one of them.
    ordered
        Whether each asks for less than those before it.
    each
        None of them asks for less than another: each is a change of its own.
    more
        What is tried, in this order, where none of ``amounts`` is enough.
    """

    amounts: Sequence[Any]
    step: Callable[[Any], Step]
    ordered: bool = False
    each: bool = False
    more: Sequence[Any] = ()


def dropped(path: str) -> Values:
    """Return what to write so that nothing is asked at `path`, or as little as can be written."""
    return DROPPED.get(path, {path: None})


Way = Callable[[Case, Space, str, Values], Ladder]
"""Returns the ways to ask for less at a path, with other values written beside."""


def limit_at(case: Case, path: str) -> Limit:
    """Return the first limit at a path."""
    return next(limit for limit in case.needs.limits if limit.path == path)


def given_up(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return giving up what is asked at a path."""
    return Ladder((None,), lambda _: Step(None, dropped(path)))


def or_dropped(path: str, ladder: Ladder) -> Ladder:
    """Return `ladder` with giving up `path` as what is tried last."""
    return replace(
        ladder,
        step=lambda amount: Step(None, dropped(path)) if amount is None else ladder.step(amount),
        more=(*ladder.more, None),
    )


DROPPED: Mapping[str, Values] = MappingProxyType(
    {
        COUNT: {COUNT: 1},
        SPOT: {SPOT: True},
        AVAILABILITY: {AVAILABILITY: 0},
        f"{GPU}.multi_instance": {f"{GPU}.multi_instance": None, f"{GPU}.shared": None},
        "constraints.performance.min_uptime_percent": {"constraints.performance.min_uptime_percent": 0},
        **{path: {path: UNLIMITED} for path in BY_DEFAULT},
    }
)
