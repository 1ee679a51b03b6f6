"""What became of a search, written to the store: each intent by itself, all in one transaction."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, update
from sqlalchemy.exc import SQLAlchemyError

from flare_core.adapters.gateway.failpoints import hit
from flare_core.adapters.gateway.ledger import TakenError
from flare_core.adapters.gateway.life import State, estimate, move, offer_again, reserve
from flare_core.adapters.gateway.limits import Holding, QuotaError, check_quota
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store.tables import intents
from flare_core.adapters.gateway.work.claims import EXCLUDED, LONGEST_PAUSE, Work, hand_back, still_mine
from flare_core.adapters.gateway.work.request import seat_from
from flare_core.errors import ErrorCode
from flare_core.inventory.fields import canonical_json
from flare_core.inventory.types import Inventory
from flare_core.quantities import parse_moment

_log = logging.getLogger(__name__)
QUEUE_PAUSE: Final = timedelta(minutes=1)
LONGEST_QUEUE_PAUSE: Final = timedelta(hours=1)
"""After so long an intent in the queue is tried again, though no capacity was released and no start could be
estimated: at first, and at the longest, for it is tried when it has waited twice as long."""
TAKEN_PAUSE: Final = timedelta(seconds=1)
"""After so long an intent is tried again whose capacity was taken again and again."""

_FRESH: Final = {"claimed_by": None, "claimed_until": None, "next_try": None, "unknowns": 0, "crashes": 0}


@dataclass(frozen=True, slots=True)
class Desk:
    """With what outcomes are written down.

    Attributes
    ----------
    me
        The process.
    capacity
        How often there had been more capacity when the search began.
    """

    settings: Settings
    me: str
    inventory: Inventory
    capacity: int
    now: datetime


def settle(
    connection: Connection, desk: Desk, group: Sequence[Work], outcomes: Sequence[Mapping[str, Any]]
) -> list[Work]:
    """Write what was found, in a ``write`` transaction; return those whose capacity was taken meanwhile.

    What has changed since, or is another process's by now, is left alone.
    """
    taken = []
    for work, outcome in zip(still_mine(connection, desk.me, group), outcomes, strict=True):
        if work is None:
            continue
        try:
            with connection.begin_nested():
                _settle(connection, desk, work, outcome)
        except TakenError:
            taken.append(work)
        except QuotaError as error:
            fail(connection, desk, work, error_object(error.code.value, error.message))
        except SQLAlchemyError:
            raise
        except Exception:  # what is wrong with one is no matter of the others
            _log.exception("outcome not written", extra={"intent": work.record.id})
            crashed(connection, desk, [work])
    return taken


def _settle(connection: Connection, desk: Desk, work: Work, outcome: Mapping[str, Any]) -> None:
    placement = outcome["placement"]
    match placement["status"]:
        case "placed":
            _place(connection, desk, work, outcome)
        case "rejected":
            fail(connection, desk, work, placement["error"])
        case "queued":
            queue(connection, desk, work, outcome)
        case _:
            unknown(connection, desk, work)


def _place(connection: Connection, desk: Desk, work: Work, outcome: Mapping[str, Any]) -> None:
    record, hourly = work.record, outcome["hourly_ueur"]
    check_quota(connection, record.user, Holding(hourly_ueur=hourly), desk.settings.quota)
    seats = [seat_from(each) for each in outcome["seats"]]
    reserve(
        connection,
        desk.inventory,
        record.id,
        seats,
        desk.now,
        hourly_ueur=hourly,
        placement=outcome["placement"],
        seen=record,
    )
    hit("place.booked")
    note(connection, record.id, **_FRESH, tried=None, terms=None)


def fail(connection: Connection, desk: Desk, work: Work, error: Mapping[str, Any]) -> None:
    """Say that an intent cannot be placed."""
    record = work.record
    move(connection, record.id, State.FAILED, desk.now, "not placed", error=error, message=error["message"])
    note(connection, record.id, **_FRESH, terms=None)


def refuse(connection: Connection, desk: Desk, work: Work, error: Mapping[str, str]) -> None:
    """Say that an intent is not one that can be placed at all."""
    if still_mine(connection, desk.me, [work]) != [None]:
        fail(connection, desk, work, error_object(error["code"], error["message"], error["path"]))


def queue(connection: Connection, desk: Desk, work: Work, outcome: Mapping[str, Any]) -> None:
    """Let an intent wait for capacity, with an offer where negotiation made one."""
    record, offer = work.record, outcome["placement"]["offer"]
    said = outcome["placement"]["start_time"]
    start = None if said is None else parse_moment(said)
    message = "waits for capacity" if offer is None else "waits for its offer to be accepted"
    if record.state is not State.QUEUED:
        move(
            connection,
            record.id,
            State.QUEUED,
            desk.now,
            message,
            offer=offer,
            message=message,
            estimated_start=start,
            seen=record,
        )
    elif offer != record.offer:
        offer_again(connection, record.id, desk.now, offer)
    elif offer is None:
        estimate(connection, record.id, desk.now, start)
    again = _next_try(work, desk.now, start) if offer is None else parse_moment(offer["valid_until"])
    terms = None if offer is None else {name: outcome[name] for name in ("seats", "hourly_ueur")}
    values = _FRESH | {"next_try": again, "tried": desk.capacity}
    note(connection, record.id, **values, terms=None if terms is None else canonical_json(terms))


def _next_try(work: Work, now: datetime, start: datetime | None = None) -> datetime:
    """Return when an intent in the queue is tried again if no capacity is released before."""
    record, longest = work.record, LONGEST_PAUSE
    if work.excluded:  # what was refused is asked for again then
        longest = EXCLUDED
    if start is not None and start > now:
        return min(start, now + longest)
    waited = now - record.changed if record.state is State.QUEUED else timedelta()
    return now + min(max(QUEUE_PAUSE, waited), LONGEST_QUEUE_PAUSE, longest)


def unknown(connection: Connection, desk: Desk, work: Work) -> None:
    """Try an intent again, for which time was too short, with more of it; and later, after some times."""
    if work.unknowns < desk.settings.unknown_retries:
        again = {"unknowns": work.unknowns + 1, "next_try": desk.now}
        note(connection, work.record.id, **_FRESH | again)
        return
    message = "time was too short to tell whether it can be placed"
    if work.record.state is not State.QUEUED:
        move(connection, work.record.id, State.QUEUED, desk.now, message, message=message, seen=work.record)
    again_at = {"next_try": _next_try(work, desk.now), "tried": desk.capacity}
    note(connection, work.record.id, **_FRESH | again_at)


def crashed(connection: Connection, desk: Desk, group: Sequence[Work]) -> None:
    """Try each intent alone after the solver has died; give one up that it died of twice."""
    for work in filter(None, still_mine(connection, desk.me, group)):
        if work.crashes:
            message = "the search for a placement was ended twice before it had an answer"
            fail(connection, desk, work, error_object(ErrorCode.INTERNAL.value, message))
        else:
            note(connection, work.record.id, **_FRESH | {"crashes": 1, "next_try": desk.now})


def postpone(connection: Connection, desk: Desk, group: Sequence[Work]) -> None:
    """Try intents again a little later."""
    for work in filter(None, still_mine(connection, desk.me, group)):
        note(connection, work.record.id, next_try=desk.now + TAKEN_PAUSE)
    hand_back(connection, desk.me, [work.record.id for work in group])


def note(connection: Connection, intent: str, **values: object) -> None:
    """Write what only workers go by."""
    connection.execute(update(intents).where(intents.c.id == intent).values(values))


def error_object(code: str, message: str, path: str = "") -> dict[str, Any]:
    """Return the error object of something that is no matter of capacity."""
    return {
        "status": "error",
        "error_code": code,
        "message": message,
        "path": path,
        "suggestions": [],
        "conflicts": [],
        "corrections": [],
    }
