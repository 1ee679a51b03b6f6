"""Idempotency keys: one request, one effect, however often it is sent.

The key is claimed in the transaction that does the work, so that a process that dies leaves both or neither;
the answer is added when it is known. What to say to each outcome is the caller's: another body 422, in flight
409.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, delete, insert, select, tuple_, update

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


class Wanted(NamedTuple):
    """A key that a request wants, and what tells the request from others."""

    user: str
    key: str
    sha256: str


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


@dataclass(frozen=True, slots=True)
class Known:
    """A key that was claimed."""

    sha256: str
    since: datetime
    intent: str | None = None
    status: int | None = None
    answer: str | None = None

    def claim(self, sha256: str) -> Claim:
        """Return what the key is to a request."""
        if self.sha256 != sha256:
            return Claim(Outcome.OTHER_BODY)
        outcome = Outcome.IN_FLIGHT if self.status is None else Outcome.ANSWERED
        return Claim(outcome, self.intent, self.status, self.answer, self.since)


def claim(
    connection: Connection, user: str, key: str, body_sha256: str, now: datetime, settings: Settings
) -> Claim:
    """Claim a key for a request, in its ``write`` transaction; to roll back takes the claim back.

    Raises
    ------
    OptionsError
        If the key is empty or too long.
    """
    check(key)
    own = (keys.c.user == user, keys.c.key == key)
    connection.execute(delete(keys).where(*own, keys.c.created < _old(now, settings)))
    if add_if_new(connection, keys, user=user, key=key, sha256=body_sha256, created=now):
        return Claim(Outcome.NEW)
    return _known(connection.execute(select(keys).where(*own)).one()).claim(body_sha256)


def check(key: str) -> None:
    """Refuse what is no key.

    Raises
    ------
    OptionsError
        If it is empty or too long.
    """
    if not 0 < len(key) <= LONGEST or not key.isprintable():
        raise OptionsError("Idempotency-Key", f"expected 1 to {LONGEST} printable characters")


def _old(now: datetime, settings: Settings) -> datetime:
    return now - timedelta(seconds=settings.idempotency_s)


def _known(row: Row[tuple[Any, ...]]) -> Known:
    return Known(row.sha256, row.created, row.intent, row.status, row.answer)


def look_up(
    connection: Connection, wanted: Collection[Wanted], now: datetime, settings: Settings
) -> dict[tuple[str, str], Known]:
    """Return what is known of keys, by ``(user, key)``, and claim none; those not there are new.

    Raises
    ------
    OptionsError
        If a key is empty or too long.
    """
    for one in wanted:
        check(one.key)
    pairs = sorted({(one.user, one.key) for one in wanted})
    if not pairs:
        return {}
    own = tuple_(keys.c.user, keys.c.key).in_(pairs)
    connection.execute(delete(keys).where(own, keys.c.created < _old(now, settings)))
    return {(row.user, row.key): _known(row) for row in connection.execute(select(keys).where(own))}


def insert_bound(connection: Connection, made: Sequence[tuple[Wanted, str]], now: datetime) -> None:
    """Make claims that `look_up` has found new, each with the intent that its request has made."""
    if made:
        rows = [
            {"user": one.user, "key": one.key, "sha256": one.sha256, "created": now, "intent": intent}
            for one, intent in made
        ]
        connection.execute(insert(keys), rows)


def bind(connection: Connection, user: str, key: str, intent: str) -> None:
    """Say what the request has made."""
    connection.execute(update(keys).where(keys.c.user == user, keys.c.key == key).values(intent=intent))


def answer(connection: Connection, user: str, key: str, status: int, body: str) -> None:
    """Keep the answer; the first one stands."""
    first = (keys.c.user == user, keys.c.key == key, keys.c.status.is_(None))
    connection.execute(update(keys).where(*first).values(status=status, answer=body))


def forget_keys(connection: Connection, now: datetime, settings: Settings) -> int:
    """Remove the keys whose time is over; return how many."""
    return connection.execute(delete(keys).where(keys.c.created < _old(now, settings))).rowcount
