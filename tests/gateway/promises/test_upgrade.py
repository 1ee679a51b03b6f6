"""R19: a store of every schema that was ever released is brought forward, also after kills in the middle."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from signal import SIGKILL
from urllib.parse import urlsplit

import psycopg
import pytest
from alembic.script import ScriptDirectory

from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import Store, open_store
from flare_core.adapters.gateway.store.upgrade import downgrade, newest, schema_of, upgrade
from tests.conftest import ROOT
from tests.gateway.promises.audit import history_faults, read_books
from tests.gateway.promises.fleets import tell

MIGRATIONS = ROOT / "flare_core" / "adapters" / "gateway" / "store" / "migrations"
RELEASED = tuple(reversed([script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions()]))
POINTS = ("migrate.revision", "migrate.before_commit", "migrate.after_commit")
OPEN = """
import sys
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import open_store
open_store(Settings(store_url=sys.argv[1])).close()
"""
ROWS = (
    "INSERT INTO users (id, created) VALUES ('ada', 1)",
    'INSERT INTO tokens (id, "user", name, sha256, permissions, created, expires) '
    "VALUES ('tok_1', 'ada', 'one', 'aa', 'admin:*', 1, 2)",
    'INSERT INTO intents (id, "user", name, document, sha256, state, live, version, gpus, created, changed, '
    "cost_ueur, cost_rest) VALUES ('intent-1', 'ada', 'work', '{}', 'bb', 'pending', true, 1, 1, 1, 1, 0, 0)",
    "INSERT INTO history (intent, version, before, after, at, reason) "
    "VALUES ('intent-1', 1, NULL, 'pending', 1, 'received')",
    "INSERT INTO bookings "
    "(intent, offer, node, gpus, slots, starts, cpu_milli, memory_mib, storage_mib, start) "
    "VALUES ('intent-1', 'a', 0, '0', 0, '', 0, 0, 0, 1)",
)
"""What every schema can hold."""


def filled(url: str, revision: str) -> None:
    """Make a store of an older schema with something in it."""
    store = Store(Settings(store_url=url))
    with store.write() as connection:
        downgrade(connection)
        upgrade(connection, revision)
        for row in ROWS:
            connection.exec_driver_sql(row)
    store.close()


def plain(url: str, statement: str) -> list[tuple[object, ...]]:
    """Ask the store without any code of the gateway's."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as store:
            return store.execute(statement).fetchall()
    with psycopg.connect(urlsplit(url)._replace(scheme="postgresql").geturl()) as server:
        return server.execute(statement.encode()).fetchall()


def killed_while_opening(url: str, point: str) -> int:
    command = [sys.executable, "-c", OPEN, url]
    environment = os.environ | {"FLARE_FAILPOINTS": f"{point}=kill"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def r19(url: str, revision: str, points: tuple[str, ...], kills: int) -> None:
    filled(url, revision)
    deaths = 0
    for number in range(kills):
        point = points[number % len(points)]
        if point == "migrate.after_commit":
            filled(url, revision)
        deaths += killed_while_opening(url, point) == -SIGKILL
        # Half of a schema is never to be seen: it is the old one or the new one, and nothing is missing.
        expected = newest() if point == "migrate.after_commit" else revision
        assert plain(url, "SELECT version_num FROM alembic_version") == [(expected,)]
        assert plain(url, "SELECT name FROM intents") == [("work",)]
        if expected != revision:
            filled(url, revision)
    store = open_store(Settings(store_url=url))
    with store.read() as connection:
        assert schema_of(connection) == newest()
    store.close()
    books = read_books(url)
    assert list(history_faults(books)) == []
    assert (len(books.intents), len(books.bookings)) == (1, 1)
    assert plain(url, "SELECT sha256 FROM tokens") == [("aa",)]
    tell("R19", released=revision, kills=deaths)
    assert deaths == kills


OLDER = RELEASED[:-1]
"""Schemas from which there is a way to go."""


@pytest.mark.parametrize("revision", OLDER)
def test_r19_an_upgrade_that_is_killed_begins_again(revision: str, url: str) -> None:
    r19(url, revision, POINTS[1:2], 1)


@pytest.mark.t1
@pytest.mark.parametrize("revision", OLDER)
def test_r19_an_upgrade_that_is_killed_twenty_times_begins_again(revision: str, url: str) -> None:
    r19(url, revision, POINTS, 20)
