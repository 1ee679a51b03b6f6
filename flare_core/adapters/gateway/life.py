"""The life of an intent: its states, what it has cost, and everything that became of it.

::

    pending ─→ reserved ─→ running ─→ completed
       │  ↖       │  ↖       │
       └─→ queued ←──────────┘     and from each of these to failed or cancelled

The reference knows ``queued`` and ``reserved`` as ``pending``; `State.word` is what users are told.
"""

import json
import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypedDict, Unpack

from sqlalchemy import Connection, Row, Tuple, insert, literal, select, tuple_, update

from flare_core.adapters.gateway.errors import ConflictError, NotFoundError
from flare_core.adapters.gateway.events import News, forget_events_of, tell_all
from flare_core.adapters.gateway.ledger import book, release
from flare_core.adapters.gateway.orders import abandon, open_order
from flare_core.adapters.gateway.rooms import Seat
from flare_core.adapters.gateway.store.rows import ensure_user, sha256
from flare_core.adapters.gateway.store.tables import EPOCH, MICROSECOND, Moment, history, intents
from flare_core.errors import OptionsError, found_expected
from flare_core.inventory.fields import canonical_json
from flare_core.inventory.types import Inventory
from flare_core.quantities import parse_moment


class State(StrEnum):
    """Where an intent is in its life."""

    PENDING = "pending"
    QUEUED = "queued"
    RESERVED = "reserved"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"  # its user was told so at once: no reader sees it

    @property
    def word(self) -> str:
        """The status word of the API."""
        return _WORDS.get(self, self.value)

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return bool(NEXT[self])


_WORDS: Final = {State.QUEUED: "pending", State.RESERVED: "pending", State.REFUSED: "failed"}
_OVER = frozenset({State.FAILED, State.CANCELLED})
NEXT: Final[Mapping[State, frozenset[State]]] = {
    State.PENDING: _OVER | {State.QUEUED, State.RESERVED},
    State.QUEUED: _OVER | {State.RESERVED},
    State.RESERVED: _OVER | {State.RUNNING, State.QUEUED},  # a backend may not keep its word
    State.RUNNING: _OVER | {State.COMPLETED, State.QUEUED},  # nor its nodes
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.REFUSED: frozenset(),
}
"""What may become of what."""
HOLDING: Final = frozenset({State.RESERVED, State.RUNNING})
"""Where an intent has bookings."""

_RECEIVED: Final = "received"
_HOUR: Final = timedelta(hours=1) // MICROSECOND


@dataclass(frozen=True, slots=True)
class Cost:
    """What has come together, exactly: micro-EUR, and the rest in 3,600,000,000ths of one."""

    ueur: int = 0
    rest: int = 0

    def plus(self, hourly_ueur: int, elapsed: timedelta) -> "Cost":
        """Return the cost after so much longer; a clock that was set back costs nothing."""
        more, rest = divmod(self.rest + hourly_ueur * max(0, elapsed // MICROSECOND), _HOUR)
        return Cost(self.ueur + more, rest)

    @property
    def rounded_ueur(self) -> int:
        """Micro-EUR, rounded up."""
        return self.ueur + (self.rest > 0)


@dataclass(frozen=True, slots=True)
class Record:
    """An intent as the store knows it.

    Attributes
    ----------
    document, sha256
        The intent as canonical JSON, and its hash.
    version
        Counts the changes, from 1.
    gpus
        GPUs asked for.
    hourly_ueur
        What it costs where it is placed, micro-EUR per hour; None before.
    placement, error
        The placement, the error object: JSON objects of the engine.
    started, ended
        First run, end of life.
    cost, settled
        What it had cost at the moment `settled`; None while nothing accrues.
    message
        For the user, in one sentence.
    offer
        What negotiation offers while it waits: ``stretched``, ``placement``, ``valid_until``.
    status_report
        What the backend has said of it: ``url``, ``gpu_utilization_percent``, ``performance``.
    estimated_start
        When it begins to run, where it is placed.
    """

    id: str
    user: str
    name: str
    document: str
    sha256: str
    state: State
    version: int
    gpus: int
    created: datetime
    changed: datetime
    hourly_ueur: int | None = None
    placement: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    started: datetime | None = None
    ended: datetime | None = None
    settled: datetime | None = None
    cost: Cost = Cost()
    message: str | None = None
    offer: Mapping[str, Any] | None = None
    status_report: Mapping[str, Any] | None = None
    estimated_start: datetime | None = None

    def cost_at(self, now: datetime) -> Cost:
        """Return what it has cost until `now`."""
        if self.settled is None or self.hourly_ueur is None:
            return self.cost
        return self.cost.plus(self.hourly_ueur, now - self.settled)

    def runtime_at(self, now: datetime) -> timedelta | None:
        """Return how long ago its first run began, until its end; None before."""
        if self.started is None:
            return None
        return max(timedelta(), (self.ended or now) - self.started)


@dataclass(frozen=True, slots=True)
class Step:
    """One transition; ``before`` is None for the first."""

    version: int
    before: State | None
    after: State
    at: datetime
    reason: str


def submit(
    connection: Connection, user: str, name: str, document: Mapping[str, Any], gpus: int, now: datetime
) -> Record:
    """Accept an intent, in a ``write`` transaction.

    Parameters
    ----------
    name
        Name of the workload, one of a kind among the user's live intents.
    gpus
        GPUs that it asks for, for quotas.

    Raises
    ------
    ConflictError
        If a live intent of the user has that name.
    """
    if (user, name) in names_taken(connection, [(user, name)]):
        raise name_taken(name)
    ensure_user(connection, user, now)
    record = new_record(user, name, document, gpus, now)
    accept(connection, [record])
    return record


def new_record(user: str, name: str, document: Mapping[str, Any], gpus: int, now: datetime) -> Record:
    """Return an intent as it is accepted."""
    text = canonical_json(document)
    intent = f"intent-{secrets.token_hex(16)}"
    return Record(intent, user, name, text, sha256(text), State.PENDING, 1, gpus, now, now)


def names_taken(connection: Connection, names: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which of some ``(user, name)`` live intents have."""
    own = tuple_(intents.c.user, intents.c.name).in_(sorted(names))
    rows = connection.execute(select(intents.c.user, intents.c.name).where(own, intents.c.live))
    return {(user, name) for user, name in rows}


def name_taken(name: str) -> ConflictError:
    """Return the refusal of a name that a live intent has."""
    return ConflictError(f"an intent named {name!r} has not ended yet")


def accept(connection: Connection, records: Sequence[Record]) -> None:
    """Write new intents of known users, whose names are free, in a ``write`` transaction."""
    if not records:
        return
    connection.execute(insert(intents), [_columns(record) for record in records])
    steps = [
        {
            "intent": record.id,
            "version": record.version,
            "before": None,
            "after": record.state,
            "at": record.created,
            "reason": _RECEIVED,
        }
        for record in records
    ]
    connection.execute(insert(history), steps)
    tell_all(connection, [_event(record, record.created, _RECEIVED) for record in records])


class New(TypedDict, total=False):
    """What a step may bring along; what is absent stays, but see each.

    Keys
    ----
    hourly_ueur, placement
        What it costs, where it is; in the queue nothing is placed.
    error
        Why it cannot be placed.
    offer
        What is offered while it waits; gone where absent.
    message
        For the user; none where absent.
    estimated_start
        When there could be room for what goes into the queue; what is placed begins when its placement says.
    """

    hourly_ueur: int
    placement: Mapping[str, Any]
    error: Mapping[str, Any]
    offer: Mapping[str, Any] | None
    message: str
    estimated_start: datetime | None


def move(
    connection: Connection,
    intent: str,
    to: State,
    now: datetime,
    reason: str,
    *,
    version: int | None = None,
    at: datetime | None = None,
    seen: Record | None = None,
    **new: Unpack[New],
) -> Record:
    """Take an intent to its next state, in a ``write`` transaction; what it held is released where it ends.

    Parameters
    ----------
    reason
        Why, for the history.
    version
        What the caller has seen; None is whatever it is now.
    at
        When it happened, where that is known only later: costs run from and until then. Never before the last
        change.
    seen
        The intent as this transaction has read it; None reads it.
    **new
        What is new, see `New`.

    Raises
    ------
    NotFoundError
        If there is no such intent.
    ConflictError
        If it is not what the caller has seen, or cannot become that.
    """
    old = _seen(connection, intent, version) if seen is None else seen
    if to not in NEXT[old.state]:
        raise ConflictError(f"an intent that is {old.state.word} cannot become {to.word}")
    if old.state in HOLDING and to not in HOLDING:
        release(connection, intent, now)
        abandon(connection, intent, now)
    at = now if at is None else max(old.changed, min(at, now))
    return _save(connection, old, _moved(old, to, at, new), at, reason)


def _moved(old: Record, to: State, at: datetime, new: New) -> Record:
    queued = to is State.QUEUED
    placement = None if queued else new.get("placement", old.placement)
    return replace(
        _settled(old, at),
        state=to,
        hourly_ueur=None if queued else new.get("hourly_ueur", old.hourly_ueur),
        placement=placement,
        error=new.get("error", old.error),
        started=old.started or (at if to is State.RUNNING else None),
        ended=None if to.live else at,
        settled=at if to is State.RUNNING else None,
        message=new.get("message"),
        offer=new.get("offer"),
        status_report=old.status_report if to in (State.RUNNING, State.COMPLETED) else None,
        estimated_start=new.get("estimated_start") if queued else _start_of(placement),
    )


def _start_of(placement: Mapping[str, Any] | None) -> datetime | None:
    start = None if placement is None else placement.get("start_time")
    return None if start is None else parse_moment(start)


def reserve(
    connection: Connection,
    inventory: Inventory,
    intent: str,
    seats: Iterable[Seat],
    now: datetime,
    *,
    hourly_ueur: int,
    placement: Mapping[str, Any],
    version: int | None = None,
    seen: Record | None = None,
) -> Record:
    """Book the seats of an intent and reserve it, both or neither.

    Raises
    ------
    TakenError
        If a seat is not free.
    NotFoundError, ConflictError
        As `move` does.
    """
    seen = _seen(connection, intent, version) if seen is None else seen
    if seen.state not in (State.PENDING, State.QUEUED):
        raise ConflictError("only an intent that waits can be reserved")
    book(connection, inventory, intent, seats, now)
    open_order(connection, intent, placement, now)
    return move(
        connection,
        intent,
        State.RESERVED,
        now,
        "placed",
        hourly_ueur=hourly_ueur,
        placement=placement,
        seen=seen,
    )


def offer_again(
    connection: Connection, intent: str, now: datetime, offer: Mapping[str, Any] | None
) -> Record:
    """Change what is offered to an intent in the queue; None withdraws the offer.

    Raises
    ------
    ConflictError
        If it is not in the queue.
    """
    old = _seen(connection, intent, None)
    if old.state is not State.QUEUED:
        raise ConflictError("only an intent in the queue has an offer")
    reason = "its offer has expired" if offer is None else "offered"
    return _save(connection, old, replace(old, offer=offer), now, reason)


def estimate(connection: Connection, intent: str, now: datetime, start: datetime | None) -> Record:
    """Say when there could be room for an intent in the queue; nothing is told where that is as before.

    Raises
    ------
    ConflictError
        If it is not in the queue.
    """
    old = _seen(connection, intent, None)
    if old.state is not State.QUEUED:
        raise ConflictError("only an intent in the queue waits for room")
    if old.estimated_start == start:
        return old
    return _save(connection, old, replace(old, estimated_start=start), now, "another start is estimated")


def tell_status(
    connection: Connection,
    intent: str,
    now: datetime,
    message: str,
    report: Mapping[str, Any] | None,
    seen: Record | None = None,
) -> Record:
    """Keep what the backend says of an intent; where that is new, it is a new version."""
    old = _seen(connection, intent, None) if seen is None else seen
    new = replace(old, message=message or None, status_report=report)
    if (old.message, old.status_report) == (new.message, new.status_report):
        return old
    return _save(connection, old, new, now, "reported by the backend")


def withdraw(connection: Connection, intent: str, now: datetime) -> Record:
    """Let an intent disappear that failed before it was ever placed: its user was told so at once.

    Raises
    ------
    NotFoundError
        If there is none.
    ConflictError
        If it has not failed, or was placed.
    """
    old = _seen(connection, intent, None)
    if old.state is not State.FAILED or old.placement is not None:
        raise ConflictError("only an intent that was never placed can be refused")
    forget_events_of(connection, intent)
    return _save(connection, old, replace(old, state=State.REFUSED), now, "refused", silent=True)


def reprice(connection: Connection, intent: str, hourly_ueur: int, now: datetime, reason: str) -> Record:
    """Change what an intent costs from now on.

    Raises
    ------
    ConflictError
        If it holds nothing.
    """
    old = _seen(connection, intent, None)
    if old.state not in HOLDING:
        raise ConflictError("only an intent that holds something has a price")
    return _save(connection, old, replace(_settled(old, now), hourly_ueur=hourly_ueur), now, reason)


def cancel(
    connection: Connection, user: str, intent: str, now: datetime, version: int | None = None
) -> Record:
    """Cancel a user's intent; a second time changes nothing.

    Raises
    ------
    NotFoundError
        If the user has none of that id.
    ConflictError
        If it has completed or failed, or is not what the user has seen.
    """
    record = find(connection, intent, user)
    if record.state is State.CANCELLED:
        return record
    return move(connection, intent, State.CANCELLED, now, "cancelled by its user", version=version)


def find(connection: Connection, intent: str, user: str | None = None) -> Record:
    """Return an intent; of one user, or of any.

    Raises
    ------
    NotFoundError
        If there is none, or it is another user's.
    """
    query = select(intents).where(intents.c.id == intent, intents.c.state != State.REFUSED)
    if user is not None:
        query = query.where(intents.c.user == user)
    # The stores do not take every character.
    row = connection.execute(query).one_or_none() if intent.isprintable() else None
    if row is None:
        raise NotFoundError("intent")
    return record_of(row)


def find_refused(connection: Connection, intent: str) -> Record | None:
    """Return an intent that was refused; None where there is none."""
    query = select(intents).where(intents.c.id == intent, intents.c.state == State.REFUSED)
    row = connection.execute(query).one_or_none()
    return None if row is None else record_of(row)


def list_intents(
    connection: Connection,
    user: str | None,
    *,
    states: Collection[State] | None = None,
    name: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[tuple[Record, ...], str | None]:
    """Return intents, newest first, and the cursor of the next page, None at the end.

    Raises
    ------
    OptionsError
        If the cursor is none of ours.
    """
    query = select(intents).where(intents.c.state != State.REFUSED)
    if user is not None:
        query = query.where(intents.c.user == user)
    if states is not None:
        query = query.where(intents.c.state.in_(sorted(states)))
    if name is not None:
        query = query.where(intents.c.name == name)
    if cursor is not None:
        query = query.where(tuple_(intents.c.created, intents.c.id) < _place(cursor))
    query = query.order_by(intents.c.created.desc(), intents.c.id.desc()).limit(limit + 1)
    found = tuple(map(record_of, connection.execute(query)))
    page = found[:limit]
    more = len(found) > limit
    return page, f"{(page[-1].created - EPOCH) // MICROSECOND}.{page[-1].id}" if more else None


def _place(cursor: str) -> Tuple:
    """Return where the page before has ended."""
    parts = re.fullmatch(r"([0-9]{1,17})\.([0-9A-Za-z-]{1,64})", cursor)
    if parts is None:
        raise OptionsError("cursor", found_expected(cursor, "the next_cursor of a page"))
    return tuple_(literal(EPOCH + int(parts[1]) * MICROSECOND, Moment()), literal(parts[2]))


def waiting(connection: Connection, states: Collection[State], limit: int = 1000) -> tuple[Record, ...]:
    """Return the intents in some states, oldest first: what workers go by."""
    query = select(intents).where(intents.c.state.in_(sorted(states)))
    rows = connection.execute(query.order_by(intents.c.created, intents.c.id).limit(limit))
    return tuple(map(record_of, rows))


def history_of(connection: Connection, intent: str) -> tuple[Step, ...]:
    """Return everything that became of an intent, from the beginning."""
    rows = connection.execute(select(history).where(history.c.intent == intent).order_by(history.c.version))
    return tuple(
        Step(row.version, row.before and State(row.before), State(row.after), row.at, row.reason)
        for row in rows
    )


def _seen(connection: Connection, intent: str, version: int | None) -> Record:
    record = find(connection, intent)
    if version is not None and version != record.version:
        raise ConflictError("the intent has changed in the meantime")
    return record


def _settled(record: Record, now: datetime) -> Record:
    """Return a record whose cost is counted until `now`."""
    if record.settled is None:
        return record
    return replace(record, cost=record.cost_at(now), settled=max(now, record.settled))


def _save(
    connection: Connection, old: Record, new: Record, now: datetime, reason: str, *, silent: bool = False
) -> Record:
    new = replace(new, version=old.version + 1, changed=max(now, old.changed))
    connection.execute(update(intents).where(intents.c.id == old.id).values(_columns(new)))
    _tell(connection, new, old.state, now, reason, silent=silent)
    return new


def _tell(
    connection: Connection,
    record: Record,
    before: State | None,
    now: datetime,
    reason: str,
    *,
    silent: bool = False,
) -> None:
    step = {"before": before, "after": record.state, "at": now, "reason": reason}
    connection.execute(insert(history).values(intent=record.id, version=record.version, **step))
    if silent:
        return
    tell_all(connection, [_event(record, now, reason)])


def _event(record: Record, now: datetime, reason: str) -> News:
    data = {"status": record.state.word, "state": record.state, "version": record.version, "reason": reason}
    return News(record.user, record.id, now, "status", data)


_SAME: Final = ("id", "user", "name", "document", "sha256", "version", "gpus", "created", "changed")
_LATER: Final = ("hourly_ueur", "started", "ended", "settled", "message", "estimated_start")
_TEXTS: Final = ("placement", "error", "offer", "status_report")


def _columns(record: Record) -> dict[str, object]:
    return {name: getattr(record, name) for name in (*_SAME, *_LATER)} | {
        "state": record.state.value,
        "live": record.state.live,
        **{name: _written(getattr(record, name)) for name in _TEXTS},
        "cost_ueur": record.cost.ueur,
        "cost_rest": record.cost.rest,
    }


def _written(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else canonical_json(value)


def record_of(row: Row[tuple[Any, ...]]) -> Record:
    """Return the record of a row of ``intents``."""
    texts = {name: getattr(row, name) for name in _TEXTS}
    read: dict[str, Any] = {name: None if text is None else json.loads(text) for name, text in texts.items()}
    return Record(
        state=State(row.state),
        **read,
        cost=Cost(row.cost_ueur, row.cost_rest),
        **{name: getattr(row, name) for name in (*_SAME, *_LATER)},
    )
