"""One search: intents and an inventory in, plain data out. Runs in the solver's process."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from flare_core.adapters.explorer.answers import World
from flare_core.adapters.explorer.answers import answer as explored
from flare_core.adapters.explorer.question import read_question
from flare_core.adapters.gateway.remaining import remaining
from flare_core.adapters.gateway.rooms import seats_of
from flare_core.adapters.gateway.work.request import Json, Request, seat_document
from flare_core.engine import place
from flare_core.errors import FlareError
from flare_core.intent import Intent, read_intent
from flare_core.inventory.types import Inventory
from flare_core.options import DEFAULT_EFFORT, Options
from flare_core.placement.ledger import Demand, demand
from flare_core.placement.types import Placement, Plan
from flare_core.requirements.lower import lower
from flare_core.why import explain

_CHECK_S: Final = 0.0003
"""What it takes to check a plan and to write it down, for each task: kept back from the search."""


def answer(request: Request, inventory: Inventory) -> Json:
    """Return what the search found.

    Returns
    -------
    dict
        ``outcomes``: for ``solve`` one object for each intent, in their order. ``document``: for the others.
        ``error``: where nothing can be said of these intents together, its ``code``, ``path``, ``message``.
    """
    free = remaining(inventory, request.held, request.excluded, now=request.now)
    effort = DEFAULT_EFFORT if request.effort is None else request.effort
    try:
        if request.kind == "explore":
            # Half of the time is kept back: a front checks and writes down dozens of plans.
            options = Options(time_limit=request.limit_s / 2, effort=effort, origin=request.origin)
            world = World.of(free, options)
            return {"document": explored(read_question(request.documents[0]), world, request.now)}
        intents = [read_intent(text.encode()) for text in request.documents]
        limit_s = _search_s(request.limit_s, intents)
        options = Options(time_limit=limit_s, effort=effort, origin=request.origin)
        if request.kind == "explain":
            return {"document": explain(intents[0], free, now=request.now, options=options).to_dict()}
        plan = place(intents, free, now=request.now, options=options)
    except FlareError as error:
        return {"error": {"code": error.code.value, "path": error.path, "message": error.message}}
    if request.kind == "plan":
        return {"document": plan.to_dict()}
    return {"plan": plan.outcome.value, "outcomes": list(_outcomes(plan, intents, request.now))}


def _search_s(limit_s: float, intents: Sequence[Intent]) -> float:
    """Return how much of the time is for the search; at least half of it."""
    return limit_s - min(limit_s / 2, _CHECK_S * sum(intent.workload.tasks for intent in intents))


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
