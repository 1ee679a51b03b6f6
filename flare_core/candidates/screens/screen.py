"""What a screen is, and the screens that compare one column with one value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from flare_core import quantities
from flare_core.candidates.view import View, named
from flare_core.inventory.types import COLUMNS, Kind, Mask
from flare_core.requirements.types import Limit


@dataclass(frozen=True, slots=True)
class Screen:
    """One way to judge offers one by one.

    Attributes
    ----------
    rule
        Its name, the ``rule`` of the limits it judges.
    fails
        The offers that a limit removes; None is none at all, and cheaper.
    says
        What the limit asks for, for people.
    """

    rule: str
    fails: Callable[[View, Limit], Mask | None]
    says: Callable[[Limit], str]


Amount = int | float

_FORMATS: Mapping[Kind, Callable[[Amount], str]] = {
    Kind.CPU: lambda value: quantities.format_cpu(int(value)),
    Kind.MEMORY: lambda value: quantities.format_memory(int(value)),
    Kind.STORAGE: lambda value: quantities.format_memory(int(value)),
    Kind.CLOCK: quantities.format_clock,
    Kind.BANDWIDTH: quantities.format_bandwidth,
    Kind.LATENCY: quantities.format_latency,
    Kind.DURATION: lambda value: quantities.format_duration(int(value)),
    Kind.PERCENT: quantities.format_percent,
}
_KINDS: Mapping[str, Kind] = {column.name: column.kind for column in COLUMNS}


def words(limit: Limit) -> str:
    """Return what is asked in the notation of its column."""
    asked = limit.asked
    if isinstance(asked, bool):
        return "yes" if asked else "no"
    if isinstance(asked, str):
        return asked
    if isinstance(asked, tuple):
        return ", ".join(asked)
    written = _FORMATS.get(_KINDS.get(limit.column, Kind.COUNT))
    return written(asked) if written else f"{asked:.15g}"


def amount(limit: Limit) -> Amount:
    """Return what is asked, which is a number."""
    assert isinstance(limit.asked, int | float), limit
    return limit.asked


def names(limit: Limit) -> tuple[str, ...]:
    """Return what is asked, which is a name or several."""
    assert isinstance(limit.asked, str | tuple), limit
    return (limit.asked,) if isinstance(limit.asked, str) else limit.asked


def _at_least(view: View, limit: Limit) -> Mask:
    asked = amount(limit)
    if limit.column in view.inventory.whole:
        whole = view.inventory.whole[limit.column]
        return (whole < asked) & (whole >= 0) if limit.unknown_passes else whole < max(asked, 0)
    number = view.inventory.number[limit.column]
    return number < asked if limit.unknown_passes else ~(number >= asked)  # NaN holds in neither comparison


def _at_most(view: View, limit: Limit) -> Mask:
    number = view.inventory.number[limit.column]
    return number > amount(limit) if limit.unknown_passes else ~(number <= amount(limit))


def _is(view: View, limit: Limit) -> Mask:
    return ~named(view.inventory.label[limit.column], names(limit).__contains__)


def _one_of(view: View, limit: Limit) -> Mask:
    wanted = {name.casefold() for name in names(limit)}
    return ~named(view.inventory.label[limit.column], lambda name: name.casefold() in wanted)


def _has(view: View, limit: Limit) -> Mask:
    lacking: Mask = view.inventory.flag[limit.column] != 1
    return lacking


def _known(view: View, limit: Limit) -> Mask:
    return np.isnan(view.inventory.number[limit.column])


COMPARISONS: tuple[Screen, ...] = (
    Screen("at-least", _at_least, lambda limit: f"at least {words(limit)}"),
    Screen("at-most", _at_most, lambda limit: f"at most {words(limit)}"),
    Screen("is", _is, words),
    Screen("one-of", _one_of, lambda limit: f"one of {words(limit)}"),
    Screen("has", _has, words),
    Screen("known", _known, lambda limit: f"known, for {words(limit)} together"),
)
