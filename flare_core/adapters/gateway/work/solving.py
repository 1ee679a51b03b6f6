"""One search: intents and an inventory in, plain data out. Runs in the solver's process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from flare_core.adapters.gateway.ledger import seats_of
from flare_core.adapters.gateway.remaining import remaining, without
from flare_core.adapters.gateway.rooms import Held, Seat
from flare_core.engine import place
from flare_core.errors import FlareError
from flare_core.intent import Intent, read_intent
from flare_core.inventory.types import Inventory
from flare_core.options import Options
from flare_core.placement.ledger import Demand, demand
from flare_core.placement.types import Placement, Plan
from flare_core.quantities import format_moment, parse_moment
from flare_core.requirements.lower import lower
from flare_core.why import explain

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What the solver is asked.

    Attributes
    ----------
    kind
        ``solve`` places intents together, for booking; ``plan`` and ``explain`` answer with the public
        document for one.
    documents
        The intents as canonical JSON; their names differ.
    held
        What is booked.
    excluded
        ``(offer, node)`` that cannot be had; node None is the whole offer.
    limit_s
        What the search may take, seconds.
    """

    kind: Literal["solve", "plan", "explain"]
    documents: tuple[str, ...]
    held: tuple[Held, ...]
    now: datetime
    limit_s: float
    excluded: tuple[tuple[str, int | None], ...] = ()
    origin: str | None = None


def answer(request: Request, inventory: Inventory) -> Json:
    """Return what the search found.

    Returns
    -------
    dict
        ``outcomes``: for ``solve`` one object for each intent, in their order. ``document``: for the others.
        ``error``: where nothing can be said of these intents together, its ``code``, ``path``, ``message``.
    """
    free = without(remaining(inventory, request.held), request.excluded)
    options = Options(time_limit=request.limit_s, origin=request.origin)
    try:
        intents = [read_intent(text.encode()) for text in request.documents]
        if request.kind == "explain":
            return {"document": explain(intents[0], free, now=request.now, options=options).to_dict()}
        plan = place(intents, free, now=request.now, options=options)
    except FlareError as error:
        return {"error": {"code": error.code.value, "path": error.path, "message": error.message}}
    if request.kind == "plan":
        return {"document": plan.to_dict()}
    return {"plan": plan.outcome.value, "outcomes": list(_outcomes(plan, intents, request.now))}


def _outcomes(plan: Plan, intents: Sequence[Intent], now: datetime) -> list[Json]:
    documents = plan.to_dict()["placements"]
    return [
        _outcome(plan, i, demand(lower(intent, now=now)), documents[i]) for i, intent in enumerate(intents)
    ]


def _outcome(plan: Plan, number: int, each: Demand, document: Json) -> Json:
    """Return what is to be booked for one intent, beside its public document."""
    placement = plan.placements[number]
    if placement.offer is not None:
        placement = placement.offer.placement
    return {"placement": document, **booking_of(plan, placement, each)}


def booking_of(plan: Plan, placement: Placement, each: Demand) -> Json:
    """Return the seats and the price of a placement of a plan, ``terms`` as they are stored."""
    seats = seats_of(replace(plan, placements=(placement,)), 0, each)
    return {"seats": [seat_document(seat) for seat in seats], "hourly_ueur": placement.hourly_ueur or 0}


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
