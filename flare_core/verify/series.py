"""Prices and carbon that change over time, looked up piece by piece over one run."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from flare_core.verify.calendar import HORIZON

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.verify.offers import Offer
    from flare_core.verify.told import Row

SERIES: Final = {
    "hourly_ueur": "price_series",
    "spot_ueur": "spot_series",
    "carbon_intensity": "carbon_series",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a run in which a value stays the same; None where it is unknown."""

    hours: Fraction
    value: Fraction | None


def pieces(offer: "Offer", column: str, start: datetime, end: datetime) -> Iterator[Piece]:
    """Yield what an offer says in a column from `start` to `end`: the plain value, then each step's."""
    text, held = offer.text(SERIES[column]), offer.number(column)
    moment = start
    for seconds, value in json.loads(text) if text else ():
        step = datetime.fromtimestamp(seconds, UTC)
        if step >= end:
            break
        if step > moment:
            yield _piece(step - moment, held)
            moment = step
        held = value
    yield _piece(end - moment, held)


def _piece(length: timedelta, value: float | None) -> Piece:
    hours = Fraction(length // timedelta(microseconds=1), 3_600_000_000)
    return Piece(hours, None if value is None else Fraction(repr(value)))


def looked_at(intent: "Intent", row: "Row") -> tuple[datetime, datetime]:
    """Return the part of a run that is looked at: all of a job's, at most 31 days of a service's."""
    until = row.start + HORIZON
    if row.end is None or (intent.workload.type == "service" and row.end > until):
        return row.start, until
    return row.start, row.end


def highest(offer: "Offer", column: str, start: datetime, end: datetime) -> Fraction | None:
    """Return the highest value from `start` to `end`; None where it is unknown at any moment."""
    values = [piece.value for piece in pieces(offer, column, start, end)]
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None


def mean(offer: "Offer", column: str, start: datetime, end: datetime) -> Fraction | None:
    """Return the mean over time from `start` to `end`; None where the value is unknown at any moment."""
    if end <= start:
        return None
    total = Fraction(0)
    for piece in pieces(offer, column, start, end):
        if piece.value is None:
            return None
        total += piece.value * piece.hours
    return total / Fraction((end - start) // timedelta(microseconds=1), 3_600_000_000)
