"""The store: its schema, and what its transactions promise."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, func, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from flare_core.adapters.gateway.errors import GatewayCode, UnavailableError
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import Store, open_store
from flare_core.adapters.gateway.store.rows import add_if_new, ensure_user
from flare_core.adapters.gateway.store.tables import NEWEST, history, metadata, tokens, users
from flare_core.adapters.gateway.store.upgrade import downgrade, newest, schema_of, upgrade
from tests.gateway.worlds import NOW, SECOND, submitted


@pytest.fixture
def bare(url: str) -> Iterator[Store]:
    """A store without any table, and with all of them again in the end."""
    store = Store(Settings(store_url=url))
    with store.write() as connection:
        downgrade(connection)
    yield store
    with store.write() as connection:
        downgrade(connection)
        upgrade(connection)
    store.close()


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def count(store: Store) -> int:
    with store.read() as connection:
        return connection.execute(select(func.count()).select_from(users)).scalar_one()


def test_migrations_lead_to_the_tables_of_the_code(store: Store) -> None:
    with store.read() as connection:
        assert schema_of(connection) == newest() == NEWEST
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrations_lead_down_to_nothing_and_up_again(bare: Store) -> None:
    with bare.write() as connection:
        assert (schema_of(connection), tables(connection)) == (None, set())
        upgrade(connection)
        assert tables(connection) == set(metadata.tables)


def test_an_upgrade_that_dies_in_the_middle_leaves_the_old_schema(bare: Store) -> None:
    def interrupted() -> None:
        with bare.write() as connection:
            upgrade(connection)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with bare.read() as connection:
        assert (schema_of(connection), tables(connection)) == (None, set())


def test_to_open_a_store_twice_is_to_open_it(url: str) -> None:
    settings = Settings(store_url=url)
    first = open_store(settings)
    with first.write() as connection:
        ensure_user(connection, "ada", NOW)
    second = open_store(settings)
    assert count(second) == 1
    first.close()
    second.close()


def test_a_store_that_a_newer_version_wrote_is_left_alone(store: Store, url: str) -> None:
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnavailableError, match="newer version"):
        open_store(Settings(store_url=url))
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": newest()})


def test_history_is_only_added_to(store: Store) -> None:
    submitted(store, "one")

    def changed(statement: str) -> None:
        with store.write() as connection:
            connection.execute(text(statement))

    for statement in ("UPDATE history SET reason = 'other'", "DELETE FROM history"):
        with pytest.raises(DBAPIError, match="history is only added to"):
            changed(statement)
    with store.read() as connection:
        assert connection.execute(select(history.c.reason)).scalar_one() == "received"


def test_a_row_of_nobody_is_refused(store: Store) -> None:
    def orphan() -> None:
        with store.write() as connection:
            row = {"id": "t", "user": "nobody", "name": "n", "sha256": "0", "permissions": "", "created": NOW}
            connection.execute(insert(tokens).values(**row, expires=NOW))

    with pytest.raises(IntegrityError):
        orphan()


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def failing() -> None:
        with store.write() as connection:
            ensure_user(connection, "ada", NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert count(store) == 0


def test_reading_changes_nothing(store: Store) -> None:
    def writing() -> None:
        with store.read() as connection:
            ensure_user(connection, "ada", NOW)

    with pytest.raises((UnavailableError, DBAPIError)):
        writing()
    with store.write() as connection:
        ensure_user(connection, "ada", NOW)
    assert count(store) == 1


def test_a_reader_sees_one_moment(store: Store) -> None:
    with store.read() as reader:
        before = reader.execute(select(func.count()).select_from(users)).scalar_one()
        with store.write() as writer:
            ensure_user(writer, "ada", NOW)
        assert reader.execute(select(func.count()).select_from(users)).scalar_one() == before == 0
    assert count(store) == 1


def test_a_writer_waits_for_the_one_before_it(store: Store) -> None:
    entered, order = Event(), list[str]()

    def second() -> None:
        entered.set()
        with store.write():
            order.append("second")

    thread = Thread(target=second)
    with store.write():
        thread.start()
        entered.wait()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_writer_that_waits_too_long_says_so(store: Store, url: str) -> None:
    hasty = Store(Settings(store_url=url, store_wait_s=0.05))

    def late() -> None:
        with hasty.write():
            pass

    with store.write(), pytest.raises(UnavailableError) as refused:
        late()
    assert refused.value.code is GatewayCode.UNAVAILABLE
    assert "sql" not in refused.value.message.lower()
    hasty.close()


def test_moments_are_kept_to_the_microsecond(store: Store) -> None:
    exact = NOW.replace(microsecond=123457)
    with store.write() as connection:
        ensure_user(connection, "ada", exact)
    with store.read() as connection:
        assert connection.execute(select(users.c.created)).scalar_one() == exact


def test_what_is_there_is_not_added(store: Store) -> None:
    with store.write() as connection:
        assert add_if_new(connection, users, id="ada", created=NOW)
        assert not add_if_new(connection, users, id="ada", created=NOW + SECOND)
        assert connection.execute(select(users.c.created)).scalar_one() == NOW


def test_sqlite_keeps_its_log_beside_it_and_writes_through(tmp_path: Path) -> None:
    store = open_store(Settings(store_url=f"sqlite:///{tmp_path / 'flare.db'}"))
    with store.write() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    with store.note() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 1
    store.close()


def test_a_damaged_store_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "flare.db"
    path.write_bytes(b"this is no database, " * 400)
    with pytest.raises(UnavailableError):
        open_store(Settings(store_url=f"sqlite:///{path}"))


def test_a_full_disk_is_no_answer_and_passes(tmp_path: Path) -> None:
    store = open_store(Settings(store_url=f"sqlite:///{tmp_path / 'flare.db'}", store_connections=1))

    def filling() -> None:
        with store.write() as connection:
            for i in range(2000):
                ensure_user(connection, f"{i:0250}", NOW)

    with store.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(UnavailableError):
        filling()
    assert count(store) == 0
    with store.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    filling()
    assert count(store) == 2000
    store.close()


def test_a_server_that_is_not_there_is_no_answer() -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/nothing?connect_timeout=1"
    with pytest.raises(UnavailableError):
        open_store(Settings(store_url=url))


def test_other_kinds_of_store_are_refused() -> None:
    with pytest.raises(ValueError, match="sqlite or postgresql"):
        Store(Settings(store_url="mysql://localhost/flare"))


def test_copies_of_a_store_taken_at_any_time_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "flare.db"
    store = open_store(Settings(store_url=f"sqlite:///{path}"))
    for i in range(5):
        submitted(store, f"name-{i}")
        copy = sqlite3.connect(tmp_path / f"copy-{i}.db")
        original = sqlite3.connect(path)
        original.backup(copy)
        original.close()
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT count(*) FROM intents").fetchone() == (i + 1,)
        copy.close()
    store.close()


def test_an_update_of_a_token_table_is_seen_by_another_engine(store: Store, url: str) -> None:
    with store.write() as connection:
        ensure_user(connection, "ada", NOW)
        connection.execute(update(users).values(created=NOW + SECOND))
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(select(users.c.created)).scalar_one() == NOW + SECOND
    engine.dispose()


def test_no_writer_is_left_behind_while_others_go_on(url: str) -> None:
    """Four threads write as fast as they can: none gets much less than its part."""
    stores = [Store(Settings(store_url=url)) for _ in range(4)]
    counts, stop = [0] * len(stores), Event()

    def work(i: int) -> None:
        while not stop.is_set():
            with stores[i].write() as connection:
                ensure_user(connection, f"{i}-{counts[i]}", NOW)
            counts[i] += 1

    threads = [Thread(target=work, args=(i,)) for i in range(len(stores))]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 30
    while min(counts) < 20 and time.monotonic() < until:
        stop.wait(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert min(counts) * 8 > max(counts) > 0
