"""What several parts of the gateway write in the same way."""

import hashlib
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from flare_core.adapters.gateway.store.tables import users


def sha256(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def add_if_new(connection: Connection, table: Table, **values: object) -> bool:
    """Insert a row unless one of its key is there; return whether it was new."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = insert(table).values(**values).on_conflict_do_nothing()
    return connection.execute(row.execution_options(preserve_rowcount=True)).rowcount == 1


def ensure_users(connection: Connection, names: Collection[str], now: datetime) -> None:
    """Make users known."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = [{"id": name, "created": now} for name in sorted(names)]
    connection.execute(insert(users).on_conflict_do_nothing(), rows)


def ensure_user(connection: Connection, user: str, now: datetime) -> None:
    """Make a user known."""
    add_if_new(connection, users, id=user, created=now)
