"""Which intents a process works on, until when: a lease, so that what a dead process had is taken over."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, update

from flare_core.adapters.gateway.life import Record, State, record_of
from flare_core.adapters.gateway.store.tables import intents, orders
from flare_core.inventory.fields import canonical_json
from flare_core.quantities import format_moment, parse_moment

Excluded = tuple[tuple[str, int | None], ...]
EXCLUDED: Final = timedelta(minutes=10)
"""So long an intent keeps away from capacity that the backend has refused it: what is sold or broken today is
offered again one day, and who waits for it must not wait forever."""
_WAITING: Final = (State.PENDING, State.QUEUED)


@dataclass(frozen=True, slots=True)
class Work:
    """An intent to be placed.

    Attributes
    ----------
    unknowns, crashes, refusals
        How often in a row time was too short to tell, the solver has died, the backend has refused.
    excluded
        Capacity that the backend has refused it lately: ``(offer, node)``, node None for the whole offer.
    """

    record: Record
    unknowns: int = 0
    crashes: int = 0
    refusals: int = 0
    excluded: Excluded = ()

    @property
    def alone(self) -> bool:
        """Whether it is to be solved by itself."""
        return bool(self.unknowns or self.crashes or self.excluded)


def unclaimed(
    table_by: ColumnElement[str | None],
    until: ColumnElement[datetime | None],
    now: datetime,
    lease: timedelta,
) -> ColumnElement[bool]:
    """Whether nobody works on a row; a claim that is longer than any can be is of a clock set back since."""
    return or_(table_by.is_(None), until <= now, until > now + 2 * lease)


def _due(now: datetime, capacity: int) -> ColumnElement[bool]:
    """Whether an intent may be tried: at its time, in the queue also when there is more capacity."""
    i = intents.c
    in_time = or_(i.next_try <= now, i.next_try > now + LONGEST_PAUSE)
    fresh = and_(i.state == State.PENDING, i.next_try.is_(None))
    more = and_(i.state == State.QUEUED, i.offer.is_(None), func.coalesce(i.tried, -1) < capacity)
    return or_(fresh, more, in_time)


LONGEST_PAUSE: Final = timedelta(days=31)
"""No pause and no offer is longer."""


def find_work(
    connection: Connection,
    now: datetime,
    lease: timedelta,
    capacity: int,
    limit: int,
    among: Collection[str] | None = None,
) -> tuple[Work, ...]:
    """Return intents that nobody works on: new ones before those in the queue, difficult ones last.

    Parameters
    ----------
    among
        Ids of which they are; None is all. To look among few takes a moment, among all not.
    """
    i = intents.c
    query = (
        select(intents)
        .where(
            i.state.in_(_WAITING), unclaimed(i.claimed_by, i.claimed_until, now, lease), _due(now, capacity)
        )
        .order_by(case((i.state == State.PENDING, 0), else_=1), i.unknowns + i.crashes, i.created, i.id)
        .limit(limit)
    )
    if among is not None:
        query = query.where(i.id.in_(sorted(among)))
    return tuple(
        Work(record_of(row), row.unknowns, row.crashes, row.refusals, read_excluded(row.excluded, now))
        for row in connection.execute(query)
    )


def claim(connection: Connection, me: str, ids: Sequence[str], until: datetime) -> None:
    """Say that this process works on these intents, in a ``write`` transaction that has found them free."""
    if ids:
        own = intents.c.id.in_(ids)
        connection.execute(update(intents).where(own).values(claimed_by=me, claimed_until=until))


def renew(connection: Connection, me: str, until: datetime) -> None:
    """Prolong all that this process works on."""
    for table in (intents, orders):
        connection.execute(update(table).where(table.c.claimed_by == me).values(claimed_until=until))


def hand_back(connection: Connection, me: str, ids: Collection[str] | None = None) -> None:
    """Let others work on what this process has claimed, on some intents or on everything."""
    free = {"claimed_by": None, "claimed_until": None}
    if ids is not None:
        own = (intents.c.claimed_by == me, intents.c.id.in_(sorted(ids)))
        connection.execute(update(intents).where(*own).values(free))
        return
    for table in (intents, orders):
        connection.execute(update(table).where(table.c.claimed_by == me).values(free))


def backlog(connection: Connection) -> int:
    """Return how many intents wait for their first search."""
    query = select(func.count()).select_from(intents).where(intents.c.state == State.PENDING)
    return connection.execute(query).scalar_one()


def still_mine(connection: Connection, me: str, group: Sequence[Work]) -> list[Work | None]:
    """Return for each intent itself, or None where another process has it, or something has become of it."""
    ids = [work.record.id for work in group]
    own = select(intents.c.id, intents.c.version).where(intents.c.id.in_(ids), intents.c.claimed_by == me)
    versions = {row.id: row.version for row in connection.execute(own)}
    return [work if versions.get(work.record.id) == work.record.version else None for work in group]


def read_excluded(text: str | None, now: datetime) -> Excluded:
    """Return what is still excluded of the capacity that is stored as such."""
    return tuple((offer, node) for offer, node, _ in _excluded(text, now))


def exclude(text: str | None, refused: Iterable[tuple[str, int | None]], now: datetime) -> str:
    """Return how capacity is stored that is excluded from now on, beside what still is."""
    until = format_moment(now + EXCLUDED)
    known = {(offer, node): end for offer, node, end in _excluded(text, now)}
    known |= dict.fromkeys(refused, until)
    return canonical_json([[offer, node, end] for (offer, node), end in sorted(known.items(), key=str)])


def _excluded(text: str | None, now: datetime) -> Iterator[tuple[str, int | None, str]]:
    for offer, node, until in json.loads(text or "[]"):
        if now < parse_moment(until) <= now + 2 * EXCLUDED:  # beyond that the clock was set back
            yield offer, node, until
