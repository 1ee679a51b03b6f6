"""The store: three kinds of transaction, the same on SQLite and on PostgreSQL.

``read`` sees one moment. ``write`` is alone: the next one begins when it has ended, on every process, so that
what it has checked still holds when it commits, and events get their numbers in the order in which they are
seen. ``note`` is for bookkeeping that a power cut may take back (``last_used``, rate limits).
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, InterfaceError, InternalError, OperationalError, TimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from flare_core.adapters.gateway.errors import UnavailableError
from flare_core.adapters.gateway.failpoints import hit
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store.tables import NEWEST, REVISION

_MODE: Final = "flare_mode"
_WRITERS = 0x464C415245  # "FLARE": the number of the one lock that writers take
_ALONE = "BEGIN IMMEDIATE"
_BEGIN: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "sqlite": {
        "read": ("PRAGMA query_only=ON", "PRAGMA busy_timeout={wait_ms}", "BEGIN"),
        "write": ("PRAGMA query_only=OFF", "PRAGMA synchronous=FULL", _ALONE),
        "note": ("PRAGMA query_only=OFF", "PRAGMA synchronous=NORMAL", _ALONE),
    },
    "postgresql": {
        # One string each: every answer that a thread waits for is a turn that it gives away.
        "read": ("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL lock_timeout = {wait_ms}",),
        "write": (f"BEGIN; SET LOCAL lock_timeout = {{wait_ms}}; SELECT pg_advisory_xact_lock({_WRITERS})",),
        "note": ("BEGIN; SET LOCAL lock_timeout = {wait_ms}; SET LOCAL synchronous_commit = off",),
    },
}


class Store:
    """Where the gateway keeps its books; safe for threads, one for each process.

    Parameters
    ----------
    settings
        Where it is, and how long it waits.

    Raises
    ------
    ValueError
        If the URL names neither SQLite nor PostgreSQL.
    """

    def __init__(self, settings: Settings) -> None:
        self._engine = _engine(settings)
        self._wait_s = settings.store_wait_s
        self._turn = threading.Lock() if self._engine.dialect.name == "sqlite" else None

    @contextmanager
    def _alone(self, mode: str) -> Iterator[None]:
        """Let one thread at a time ask SQLite to write: those of one process need not ask in turns."""
        if self._turn is None or mode == "read":
            yield
            return
        if not self._turn.acquire(timeout=self._wait_s):
            raise UnavailableError
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _transaction(self, mode: str, name: str = "") -> Iterator[Connection]:
        with self._alone(mode):
            yield from self._begun(mode, name)

    def _begun(self, mode: str, name: str) -> Iterator[Connection]:
        try:
            with self._engine.execution_options(**{_MODE: mode}).begin() as connection:
                yield connection
                if name:
                    hit(f"{name}.before_commit")
        except (DatabaseError, InterfaceError, TimeoutError) as error:
            if _is_outage(error):
                raise UnavailableError from error
            raise
        if name:
            hit(f"{name}.after_commit")

    def read(self) -> AbstractContextManager[Connection]:
        """Open a transaction that sees the store at one moment and changes nothing.

        Raises
        ------
        UnavailableError
            If the store does not answer; so do the other two.
        """
        return self._transaction("read")

    def write(self, name: str = "") -> AbstractContextManager[Connection]:
        """Open a transaction that no other writer disturbs; it is on disk when the block has ended.

        Parameters
        ----------
        name
            One of `failpoints.TRANSACTIONS`, by which tests end the process just before or after the commit.
        """
        return self._transaction("write", name)

    def note(self) -> AbstractContextManager[Connection]:
        """Open a transaction for what may be lost: a dying process does not lose it, a power cut may."""
        return self._transaction("note")

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def require_write(connection: Connection) -> None:
    """Refuse a transaction that others can write beside.

    Raises
    ------
    ValueError
        If it is no ``write`` transaction.
    """
    if connection.get_execution_options().get(_MODE) != "write":
        raise ValueError("this takes a `write` transaction")


def open_store(settings: Settings) -> Store:
    """Return the store with the newest schema; one that does not exist is made."""
    store = Store(settings)
    try:
        migrate(store)
    except BaseException:
        store.close()
        raise
    return store


def migrate(store: Store) -> None:
    """Bring a store to the newest schema; one that does not exist is made.

    Raises
    ------
    UnavailableError
        If it does not answer, or a newer version has written it.
    """
    with store.write("migrate") as connection:
        if _schema(connection) != NEWEST:
            from flare_core.adapters.gateway.store.upgrade import upgrade  # takes as long as all else here

            upgrade(connection)


def _schema(connection: Connection) -> str | None:
    """Return the revision of the schema; None where there is none."""
    if not inspect(connection).has_table(REVISION.name):
        return None
    return connection.execute(select(REVISION.c.version_num)).scalar()


def _engine(settings: Settings) -> Engine:
    url = make_url(settings.store_url)
    kind = url.get_backend_name()
    if kind not in _BEGIN:
        raise ValueError(f"found a {kind} store, expected sqlite or postgresql")
    # PostgreSQL's driver would begin each transaction by itself, with a question of its own.
    connect = {"timeout": settings.store_wait_s} if kind == "sqlite" else {"autocommit": True}
    engine = create_engine(
        url,
        connect_args=connect,
        hide_parameters=True,  # its errors would hold documents, and with them what users keep secret
        pool_size=settings.store_connections,
        max_overflow=0,
        pool_timeout=settings.store_wait_s,
        pool_pre_ping=kind != "sqlite",
    )
    if kind == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    wait_ms = max(1, round(settings.store_wait_s * 1000))

    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get(_MODE)
        # Without a mode it is SQLAlchemy itself, which looks at a new server.
        for statement in _BEGIN[kind][mode] if mode else ():
            if statement is _ALONE:
                _wait_for_sqlite(connection, wait_ms)
            else:
                connection.exec_driver_sql(statement.format(wait_ms=wait_ms))

    event.listen(engine, "begin", begin)
    return engine


def _wait_for_sqlite(connection: Connection, wait_ms: int) -> None:
    """Begin to write, asking again every millisecond.

    SQLite itself asks less and less often, up to every tenth of a second: among several busy processes some
    then wait for seconds while one goes on and on.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("PRAGMA busy_timeout=0")
    for left in reversed(range(wait_ms)):
        try:
            driver.execute(_ALONE)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not left:
                raise UnavailableError from error
            time.sleep(0.001)
        else:
            return


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin when we say so
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "trusted_schema=OFF"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _is_outage(error: Exception) -> bool:
    """Tell a store that is full, locked, damaged or gone from a statement that is wrong."""
    # PostgreSQL calls it internal where it has become read-only, or has found a damaged page.
    outages = OperationalError | InterfaceError | InternalError | TimeoutError
    return isinstance(error, outages) or type(error) is DatabaseError
