"""Rate limits, shared by all processes of one store, and quotas.

A token bucket is kept as one number: the moment at which it will be full again (the generic cell rate
algorithm). Times are whole nanoseconds; a unit takes ``period / count`` of them, rounded up.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from flare_core.adapters.gateway.errors import GatewayError
from flare_core.adapters.gateway.settings import Limit, Quota
from flare_core.adapters.gateway.store.rows import add_if_new, ensure_user
from flare_core.adapters.gateway.store.tables import EPOCH, MICROSECOND, buckets, intents, quotas
from flare_core.errors import ErrorCode

_SECOND: Final = 1_000_000_000


class QuotaError(GatewayError):
    """The user has as much as one user may."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a user has, or asks for beyond that: GPUs, micro-EUR per hour, open intents."""

    gpus: int = 0
    hourly_ueur: int = 0
    open_intents: int = 0


def take(connection: Connection, key: str, limit: Limit, now: datetime, units: int = 1) -> int:
    """Take units of a limit, in a ``note`` transaction (a ``write`` one will do).

    Parameters
    ----------
    key
        Whose: ``token:tok_…``, ``address:192.0.2.1``.
    units
        How many; a process may take several at once and spend them by itself.

    Returns
    -------
    int
        0 where they are taken; else none is, and it is how long to wait, seconds.
    """
    add_if_new(connection, buckets, key=key, full_ns=_ns(now))
    query = select(buckets.c.full_ns).where(buckets.c.key == key).with_for_update()
    before = connection.execute(query).scalar_one()
    after, wait_s = _after(before, limit, _ns(now), units)
    if after != before:
        connection.execute(update(buckets).where(buckets.c.key == key).values(full_ns=after))
    return wait_s


def check(connection: Connection, key: str, limit: Limit, now: datetime) -> int:
    """Return how long to wait for one unit, seconds, 0 where one is left; takes none."""
    full_ns = connection.execute(select(buckets.c.full_ns).where(buckets.c.key == key)).scalar()
    return _after(_ns(now) if full_ns is None else full_ns, limit, _ns(now), 1)[1]


def forget_full(connection: Connection, now: datetime) -> int:
    """Remove the buckets that are full again; return how many."""
    return connection.execute(delete(buckets).where(buckets.c.full_ns <= _ns(now))).rowcount


def _after(full_ns: int, limit: Limit, now_ns: int, units: int) -> tuple[int, int]:
    """Return when a bucket is full again after so many units more, and how long to wait for them, seconds."""
    each = -(-limit.period_s * _SECOND // limit.count)
    empty = now_ns + each * limit.burst
    # A clock that was set back must not shut a bucket for longer than it takes to fill.
    full_ns = min(full_ns, empty)
    after = max(full_ns, now_ns) + each * units
    return (after, 0) if after <= empty else (full_ns, -(-(after - empty) // _SECOND))


def _ns(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND * 1000


def set_quota(connection: Connection, user: str, quota: Quota, now: datetime) -> None:
    """Give a user a quota of their own, in place of the default as a whole."""
    ensure_user(connection, user, now)
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = {name: getattr(quota, name) for name in ("gpus", "hourly_ueur", "open_intents")}
    row = insert(quotas).values(user=user, **values)
    connection.execute(row.on_conflict_do_update(index_elements=["user"], set_=values))


def quota_of(connection: Connection, user: str, default: Quota) -> Quota:
    """Return a user's quota."""
    return quotas_of(connection, [user], default)[user]


def quotas_of(connection: Connection, users: Collection[str], default: Quota) -> dict[str, Quota]:
    """Return the quotas of users."""
    rows = connection.execute(select(quotas).where(quotas.c.user.in_(sorted(users))))
    own = {row.user: Quota(row.gpus, row.hourly_ueur, row.open_intents) for row in rows}
    return {user: own.get(user, default) for user in users}


def holding_of(connection: Connection, user: str) -> Holding:
    """Return what a user's live intents have together."""
    return holdings_of(connection, [user])[user]


def holdings_of(connection: Connection, users: Collection[str]) -> dict[str, Holding]:
    """Return what live intents have together, by user."""
    columns = (intents.c.user, func.sum(intents.c.gpus), func.sum(intents.c.hourly_ueur), func.count())
    own = select(*columns).where(intents.c.user.in_(sorted(users)), intents.c.live).group_by(intents.c.user)
    found = {
        user: Holding(int(gpus or 0), int(hourly or 0), number)
        for user, gpus, hourly, number in connection.execute(own)
    }
    return {user: found.get(user, Holding()) for user in users}


def check_quota(connection: Connection, user: str, more: Holding, default: Quota) -> None:
    """Refuse what would go beyond a user's quota; exact in the ``write`` transaction that adds it.

    Raises
    ------
    QuotaError
        If it would; the message says by how much and of what.
    """
    quota = quota_of(connection, user, default)
    if quota != Quota():
        fit_quota(quota, holding_of(connection, user), more)


def fit_quota(quota: Quota, has: Holding, more: Holding) -> None:
    """Refuse what would go beyond a quota.

    Raises
    ------
    QuotaError
        If it would.
    """
    for what, most, had, wanted in _compared(quota, has, more):
        if most is not None and wanted and had + wanted > most:
            message = f"{wanted} {what} more than the {had} in use are beyond the quota of {most}"
            raise QuotaError(ErrorCode.QUOTA_EXCEEDED, message)


def _compared(quota: Quota, has: Holding, more: Holding) -> Iterator[tuple[str, int | None, int, int]]:
    yield "GPUs", quota.gpus, has.gpus, more.gpus
    yield "micro-EUR per hour", quota.hourly_ueur, has.hourly_ueur, more.hourly_ueur
    yield "open intents", quota.open_intents, has.open_intents, more.open_intents
