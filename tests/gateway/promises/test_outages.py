"""R20: a store that fails acknowledges nothing, the ready flag says so, and once well it is used again."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.gateway.promises import stock
from tests.gateway.promises.audit import Word
from tests.gateway.promises.fleets import Fleet, fleet, tell
from tests.gateway.promises.launch import await_true
from tests.gateway.promises.load import intent, tokens_for

Outage = Callable[[str], AbstractContextManager[None]]
RECOVERED_S = 20.0


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", path], capture_output=True)  # noqa: S607
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)  # noqa: S607


@contextmanager
def full(url: str) -> Iterator[None]:
    filler = path_of(url).parent / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


@contextmanager
def read_only(url: str) -> Iterator[None]:
    with administrator(url) as server:
        set_read_only(server, "on")
        try:
            yield
        finally:
            set_read_only(server, "off")


def administrator(url: str) -> psycopg.Connection[tuple[object, ...]]:
    address = urlsplit(url)._replace(scheme="postgresql", path="/postgres").geturl()
    server = psycopg.connect(address, autocommit=True)
    server.execute("SELECT set_config('flare.database', %s, false)", [urlsplit(url).path.strip("/")])
    return server


def set_read_only(server: psycopg.Connection[tuple[object, ...]], value: str) -> None:
    [name] = server.execute("SELECT current_setting('flare.database')").fetchone() or ("",)
    server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


@contextmanager
def locked(url: str) -> Iterator[None]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url), timeout=30, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    address = urlsplit(url)._replace(scheme="postgresql").geturl()
    with psycopg.connect(address) as server:
        await_true(lambda: all_locked(server), 30)
        yield
        server.rollback()


def all_locked(server: psycopg.Connection[tuple[object, ...]]) -> bool:
    """Lock three tables, one after another: whoever has one and waits for another stands in the way."""
    try:
        server.execute("LOCK TABLE intents, meta, keys IN ACCESS EXCLUSIVE MODE")
    except psycopg.errors.DeadlockDetected:
        server.rollback()
        return False
    return True


@contextmanager
def mounted_read_only(url: str) -> Iterator[None]:
    folder = path_of(url).parent
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True, capture_output=True)  # noqa: S607
    yield
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True, capture_output=True)  # noqa: S607


@contextmanager
def corrupt(url: str) -> Iterator[None]:
    """Overwrite every page but the first, and put back what was there."""
    path = path_of(url)
    with closing(sqlite3.connect(path, timeout=30)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = store.execute("PRAGMA page_size").fetchone()
    whole = path.with_suffix(".whole")
    shutil.copy(path, whole)
    with path.open("r+b") as file:
        file.seek(size)
        file.write(os.urandom(whole.stat().st_size - size))
    yield
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        (path.parent / name).unlink(missing_ok=True)
    whole.rename(path)


# --- what is promised -------------------------------------------------------------------------------


class Client:
    """Submits, and writes down what it was told."""

    def __init__(self, gateways: Fleet) -> None:
        self._gateways = gateways
        self._token = tokens_for(gateways.url, ["ada"])["ada"]
        self.words: list[Word] = []

    def submit(self) -> int | None:
        """Return the status of a new submission; None where nobody answers."""
        name = f"work-{len(self.words)}"
        url, headers = self._gateways.urls[0], {"Authorization": f"Bearer {self._token}"}
        status, made = None, None
        with suppress(httpx.TransportError):
            said = httpx.post(f"{url}/api/v1/intents", json=intent(name), headers=headers, timeout=20)
            status, made = said.status_code, said.json().get("intent_id")
        self.words.append(Word(name, status, made))
        return status


def r20(gateways: Fleet, outages: int, broken: Outage, *, restarts: bool) -> None:
    """Break the store again and again, under a gateway that runs or between two of them."""
    [gateway] = gateways.gateways
    client, longest = Client(gateways), 0.0
    for _ in range(outages):
        await_true(lambda: client.submit() in (201, 202), RECOVERED_S)
        if restarts:
            gateway.kill()
        with broken(gateways.url):
            if restarts:
                gateway.start()
            refused = [client.submit() for _ in range(2)]
            assert set(refused) <= ({503, None} if restarts else {503})
            await_true(lambda: not gateway.is_ready(), RECOVERED_S)
            if restarts:
                gateway.kill()
        if restarts:
            gateway.start()
        longest = max(longest, gateway.until_ready(RECOVERED_S))
        await_true(lambda: client.submit() in (201, 202), RECOVERED_S)
    tell("R20", outage=getattr(broken, "__name__", ""), outages=outages, ready_again_s=longest)
    assert gateways.faults(client.words) == []


RUNNING = {"full": full, "locked": locked}
BETWEEN = {"read-only": mounted_read_only, "corrupt": corrupt}
WAIT_S = 1.0


def on_sqlite(kind: str, folder: Path, disk: Path, outages: int) -> None:
    url = f"sqlite:///{disk / 'flare.db'}"
    with fleet(url, folder, stock.ample(), count=1, store_wait_s=WAIT_S) as gateways:
        r20(gateways, outages, (RUNNING | BETWEEN)[kind], restarts=kind in BETWEEN)


@pytest.mark.parametrize("kind", ["full", "corrupt"])
def test_r20_sqlite_fails_and_recovers(kind: str, tmp_path: Path, disk: Path) -> None:
    on_sqlite(kind, tmp_path, disk, 1)


@pytest.mark.t1
@pytest.mark.parametrize("kind", [*RUNNING, *BETWEEN])
def test_r20_sqlite_fails_and_recovers_again_and_again(kind: str, tmp_path: Path, disk: Path) -> None:
    on_sqlite(kind, tmp_path, disk, 3)


@pytest.mark.t1
@pytest.mark.parametrize("broken", [read_only, locked])
def test_r20_postgresql_fails_and_recovers(broken: Outage, tmp_path: Path, postgres_url: str) -> None:
    with fleet(postgres_url, tmp_path, stock.ample(), count=1, store_wait_s=WAIT_S) as gateways:
        r20(gateways, 3, broken, restarts=False)
