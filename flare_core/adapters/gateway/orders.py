"""What is to be bought at the backend for intents, and undone again: one row for each purchase.

A row is opened in the transaction that books the capacity. Its steps are ``reserve``, ``commit``, ``follow``;
once the intent no longer wants it (``gone``) it is released until nothing is left (``done``). An intent wants
at most one at a time, and the store sees to it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from flare_core.adapters.gateway.store.tables import orders
from flare_core.inventory.fields import canonical_json
from flare_core.quantities import parse_moment


class Step(StrEnum):
    """What is to be done next for an order that is wanted."""

    RESERVE = "reserve"
    COMMIT = "commit"
    FOLLOW = "follow"


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order as the store knows it.

    Attributes
    ----------
    placed
        When that was decided; once it begins that was booked for later, when it began.
    gone, done
        The intent no longer wants it: it is to be released; nothing is left of it.
    tries
        How often in a row the backend has not answered.
    """

    key: str
    intent: str
    generation: int
    placement: Mapping[str, Any]
    placed: datetime
    step: Step
    gone: bool
    done: bool
    handle: Mapping[str, Any]
    tries: int
    claimed_by: str | None

    @property
    def later(self) -> datetime | None:
        """When it is to begin, where it has not and was booked for later; else None."""
        start = self.placement.get("start_time")
        if start is None or self.gone or self.step is not Step.RESERVE:
            return None
        moment = parse_moment(start)
        return moment if moment > self.placed else None


def open_order(connection: Connection, intent: str, placement: Mapping[str, Any], now: datetime) -> str:
    """Say what is to be bought for an intent, when it begins; return the key of the order."""
    before = select(func.max(orders.c.generation)).where(orders.c.intent == intent)
    generation = (connection.execute(before).scalar() or 0) + 1
    key, start = f"{intent}-{generation}", placement.get("start_time")
    row = {
        "key": key,
        "intent": intent,
        "generation": generation,
        "placement": canonical_json(placement),
        "placed": now,
        "step": Step.RESERVE,
        "gone": False,
        "done": False,
        "handle": "{}",
        "tries": 0,
        "next_poll": now if start is None else max(now, parse_moment(start)),
    }
    connection.execute(insert(orders).values(row))
    return key


def begin(connection: Connection, order: Purchase, now: datetime) -> Purchase:
    """Say that an order begins now that was booked for later."""
    connection.execute(update(orders).where(orders.c.key == order.key).values(placed=now))
    return replace(order, placed=now)


def abandon(connection: Connection, intent: str, now: datetime) -> None:
    """Say that an intent no longer wants what is bought for it."""
    own = (orders.c.intent == intent, orders.c.gone.is_(False))
    # Whoever is just asking the backend keeps the claim: two must not talk of one order at a time.
    connection.execute(update(orders).where(*own).values(gone=True, next_poll=now, tries=0))


def orders_of(connection: Connection, intent: str) -> tuple[Purchase, ...]:
    """Return everything that was ever bought for an intent, oldest first."""
    query = select(orders).where(orders.c.intent == intent).order_by(orders.c.generation)
    return tuple(map(purchase_of, connection.execute(query)))


def living(connection: Connection) -> tuple[str, ...]:
    """Return the keys of all orders of which anything may be left at a backend."""
    return tuple(
        connection.scalars(select(orders.c.key).where(orders.c.done.is_(False)).order_by(orders.c.key))
    )


def purchase_of(row: Row[tuple[Any, ...]]) -> Purchase:
    """Return the order of a row."""
    return Purchase(
        row.key,
        row.intent,
        row.generation,
        json.loads(row.placement),
        row.placed,
        Step(row.step),
        row.gone,
        row.done,
        json.loads(row.handle),
        row.tries,
        row.claimed_by,
    )
