"""What users are told as it happens, numbered in the order in which it became visible."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from flare_core.adapters.gateway.store import require_write
from flare_core.adapters.gateway.store.tables import events
from flare_core.inventory.fields import canonical_json


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; ``id`` grows, and is never given twice."""

    id: int
    user: str
    intent: str
    at: datetime
    kind: str
    data: Mapping[str, object]


class News(NamedTuple):
    """An event that has no number yet."""

    user: str
    intent: str
    at: datetime
    kind: str
    data: Mapping[str, object]


def tell(
    connection: Connection, user: str, intent: str, now: datetime, kind: str, data: Mapping[str, object]
) -> None:
    """Add an event, in the ``write`` transaction that makes it true."""
    tell_all(connection, [News(user, intent, now, kind, data)])


def tell_all(connection: Connection, news: Sequence[News]) -> None:
    """Add events, in the ``write`` transaction that makes them true."""
    require_write(connection)  # else numbers could become visible out of order, and a reader would miss one
    rows = [one._asdict() | {"data": canonical_json(dict(one.data))} for one in news]
    connection.execute(insert(events), rows)


def events_after(
    connection: Connection, user: str, last: int = 0, *, intent: str | None = None, limit: int = 100
) -> tuple[Event, ...]:
    """Return a user's next events after the number `last`, of one intent or of all, oldest first."""
    query = select(events).where(events.c.user == user, events.c.id > last)
    if intent is not None:
        query = query.where(events.c.intent == intent)
    rows = connection.execute(query.order_by(events.c.id).limit(limit))
    return tuple(Event(row.id, row.user, row.intent, row.at, row.kind, json.loads(row.data)) for row in rows)


def newest_event(connection: Connection) -> int:
    """Return the number of the newest event of anyone; 0 before the first."""
    return connection.execute(select(func.max(events.c.id))).scalar() or 0


def forget_events(connection: Connection, before: datetime) -> int:
    """Remove events older than that; return how many."""
    return connection.execute(delete(events).where(events.c.at < before)).rowcount


def forget_events_of(connection: Connection, intent: str) -> int:
    """Remove what was told of an intent; return how many events that were."""
    return connection.execute(delete(events).where(events.c.intent == intent)).rowcount
