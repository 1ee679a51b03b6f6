"""What goes to the solver's process and comes back, without what only that process needs to load."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from flare_core.adapters.gateway.rooms import Held, Seat
from flare_core.quantities import format_moment, parse_moment

if TYPE_CHECKING:
    from flare_core.adapters.gateway.settings import Settings

Json = dict[str, Any]
Origin = tuple[float, float] | str | None


@dataclass(frozen=True, slots=True)
class Request:
    """What the solver is asked.

    Attributes
    ----------
    kind
        ``solve`` places intents together, for booking; ``plan`` and ``explain`` answer with the public
        document for one, ``explore`` with what the page is told.
    documents
        The intents as canonical JSON; their names differ. Of ``explore`` the question.
    held
        What is booked.
    excluded
        ``(offer, node)`` that cannot be had; node None is the whole offer.
    limit_s, effort
        What the search may take: seconds, and the solver's own measure (None is its default).
    """

    kind: Literal["solve", "plan", "explain", "explore"]
    documents: tuple[str, ...]
    held: tuple[Held, ...]
    now: datetime
    limit_s: float
    excluded: tuple[tuple[str, int | None], ...] = ()
    origin: Origin = None
    effort: float | None = None


def origin_of(settings: "Settings") -> Origin:
    """Return where consumers sit: ``(lat, lon)`` where it is written as ``48.1,11.6``, else a place."""
    text = settings.origin
    if text is None or text.count(",") != 1:
        return text
    lat, lon = text.split(",")
    return float(lat), float(lon)


def seat_document(seat: Seat) -> Json:
    """Return a seat as JSON; the starts of MIG instances are chosen when it is booked."""
    return {
        "offer": seat.offer,
        "node": seat.node,
        "gpus": list(seat.gpus),
        "slots": seat.slots,
        "profile": seat.profile,
        "cpu_milli": seat.cpu_milli,
        "memory_mib": seat.memory_mib,
        "storage_mib": seat.storage_mib,
        "start": format_moment(seat.start),
        "end": None if seat.end is None else format_moment(seat.end),
    }


def seat_from(document: Mapping[str, Any]) -> Seat:
    """Return the seat of its document."""
    end = document["end"]
    return Seat(
        **{name: document[name] for name in _AS_THEY_ARE},
        gpus=tuple(document["gpus"]),
        start=parse_moment(document["start"]),
        end=None if end is None else parse_moment(end),
    )


_AS_THEY_ARE = ("offer", "node", "slots", "profile", "cpu_milli", "memory_mib", "storage_mib")
