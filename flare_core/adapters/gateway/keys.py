"""Idempotency keys: one request, one effect, however often it is sent.

The key is claimed in the transaction that does the work, so that a process that dies leaves both or neither;
the answer is added when it is known. What to say to each outcome is the caller's: another body 422, in flight
409.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, delete, select, update

from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store.rows import add_if_new
from flare_core.adapters.gateway.store.tables import keys
from flare_core.errors import OptionsError

LONGEST: Final = 255


class Outcome(StrEnum):
    """What a key is to a request."""

    NEW = "new"  # it is the caller's now: do the work
    ANSWERED = "answered"  # say again what was said
    IN_FLIGHT = "in_flight"  # the first request has no answer yet
    OTHER_BODY = "other_body"  # the key belongs to another request


@dataclass(frozen=True, slots=True)
class Claim:
    """What became of a claim; the answer, where there is one, byte for byte.

    Attributes
    ----------
    intent
        What the first request made, also while it has no answer.
    status, answer
        Status and body.
    since
        When the first request claimed it.
    """

    outcome: Outcome
    intent: str | None = None
    status: int | None = None
    answer: str | None = None
    since: datetime | None = None


def claim(
    connection: Connection, user: str, key: str, body_sha256: str, now: datetime, settings: Settings
) -> Claim:
    """Claim a key for a request, in its ``write`` transaction; to roll back takes the claim back.

    Raises
    ------
    OptionsError
        If the key is empty or too long.
    """
    if not 0 < len(key) <= LONGEST or not key.isprintable():
        raise OptionsError("Idempotency-Key", f"expected 1 to {LONGEST} printable characters")
    old = now - timedelta(seconds=settings.idempotency_s)
    own = (keys.c.user == user, keys.c.key == key)
    connection.execute(delete(keys).where(*own, keys.c.created < old))
    if add_if_new(connection, keys, user=user, key=key, sha256=body_sha256, created=now):
        return Claim(Outcome.NEW)
    row = connection.execute(select(keys).where(*own)).one()
    if row.sha256 != body_sha256:
        return Claim(Outcome.OTHER_BODY)
    outcome = Outcome.IN_FLIGHT if row.status is None else Outcome.ANSWERED
    return Claim(outcome, row.intent, row.status, row.answer, row.created)


def bind(connection: Connection, user: str, key: str, intent: str) -> None:
    """Say what the request has made."""
    connection.execute(update(keys).where(keys.c.user == user, keys.c.key == key).values(intent=intent))


def answer(connection: Connection, user: str, key: str, status: int, body: str) -> None:
    """Keep the answer; the first one stands."""
    first = (keys.c.user == user, keys.c.key == key, keys.c.status.is_(None))
    connection.execute(update(keys).where(*first).values(status=status, answer=body))


def forget_keys(connection: Connection, now: datetime, settings: Settings) -> int:
    """Remove the keys whose time is over; return how many."""
    old = now - timedelta(seconds=settings.idempotency_s)
    return connection.execute(delete(keys).where(keys.c.created < old)).rowcount
