"""A crowd on several gateways, some of which are always being killed: R1, R4."""

import asyncio
import os
import random
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import open_store
from tests.gateway.promises import stock
from tests.gateway.promises.audit import Word, free_gpus, history_faults, promise_faults, read_books
from tests.gateway.promises.fleets import Fleet, Killer, fleet, sampled, tell
from tests.gateway.promises.load import Crowd, Json, client, intent, send, tokens_for

USERS = [f"user-{i}" for i in range(8)]


def crowd_of(fleet: Fleet, operations: int) -> Crowd:
    return Crowd(fleet.urls, tokens_for(fleet.url, USERS), operations)


async def worked(crowd: Crowd, killer: Killer, fleet: Fleet) -> tuple[list[str], int]:
    """Let the crowd work among kills and audits; return what was wrong at any look, and how many looks."""
    found: list[str] = []
    looking = asyncio.create_task(asyncio.to_thread(sampled, fleet, lambda: crowd.over, found))
    await crowd.run(killer.beside)
    return found, await looking


async def free_by_gateway(fleet: Fleet, token: str) -> int:
    async with client() as http:
        said = await send(http, "GET", f"{fleet.urls[0]}/api/v1/resources", token)
    return sum(row["count"] for row in said.body["available_gpus"])


def r1(url: str, folder: Path, operations: int, kills: int, count: int = 4) -> None:
    with fleet(url, folder, count=count) as gateways:
        crowd, killer = crowd_of(gateways, operations), Killer(gateways.gateways, kills, [])
        found, looks = asyncio.run(worked(crowd, killer, gateways))
        tell("R1", answers=crowd.statuses, killed=Counter(killer.done), audits=looks)
        assert found == []
        assert crowd.wrong == []
        for gateway in gateways.gateways:
            gateway.until_ready()
        assert gateways.faults(crowd.words) == []
        books = gateways.books()
        # What the gateway says is free is what the auditor counts; shared GPUs in parts are each's own view.
        whole = {name: n for name, n in free_gpus(books, gateways.stock).items() if name < "c"}
        assert asyncio.run(free_by_gateway(gateways, next(iter(crowd.tokens.values())))) >= sum(
            whole.values()
        )
    assert len(killer.done) == kills
    assert sum(n for what, n in crowd.statuses.items() if what.startswith(("POST 201", "POST 202"))) > 0
    assert sum(n for what, n in crowd.statuses.items() if what.startswith("POST 409")) > 0
    assert {row["state"] for row in books.intents} >= {"cancelled", "completed"}


def test_r1_nothing_is_ever_booked_twice(url: str, tmp_path: Path) -> None:
    r1(url, tmp_path, operations=80, kills=2, count=2)


@pytest.mark.t1
def test_r1_nothing_is_ever_booked_twice_at_full_count(sqlite_url: str, tmp_path: Path) -> None:
    r1(sqlite_url, tmp_path, operations=2000, kills=20)


@pytest.mark.t1
def test_r1_nothing_is_ever_booked_twice_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """The full count is held on SQLite; what differs between the stores shows in less."""
    r1(postgres_url, tmp_path, operations=500, kills=5)


@pytest.mark.soak
def test_r1_nothing_is_ever_booked_twice_at_full_count_on_postgresql(
    postgres_url: str, tmp_path: Path
) -> None:
    r1(postgres_url, tmp_path, operations=2000, kills=20)


# --- R4 ---------------------------------------------------------------------------------------------


async def submitters(
    crowd: Crowd, gateways: Fleet, killer: Killer, copies: int, folder: Path
) -> list[tuple[Path, list[Word]]]:
    """Let a crowd submit among kills; return copies of the store, with what had been acknowledged by then."""
    rng, taken = random.Random(3), list[tuple[Path, list[Word]]]()
    points = sorted(rng.uniform(0.02, 1) * crowd.operations for _ in range(copies))

    async def copier() -> None:
        for number, point in enumerate(points):
            while crowd.done < point:
                await asyncio.sleep(0.002)
            words = [word for word in crowd.words if word.intent]
            path = folder / f"copy-{number}" / "flare.db"
            await asyncio.to_thread(copy_at_one_instant, gateways, path)
            taken.append((path, words))

    await asyncio.gather(crowd.run(killer.beside), copier())
    return taken


def copy_at_one_instant(gateways: Fleet, path: Path) -> None:
    """Copy the store's files while every process stands still: what a power cut would leave on the disk."""
    source = Path(gateways.url.removeprefix("sqlite:///"))
    path.parent.mkdir()
    groups = [gateway.pid for gateway in gateways.gateways]
    with standing_still(groups):
        for name in (source.name, f"{source.name}-wal"):
            if (source.parent / name).exists():
                shutil.copy(source.parent / name, path.parent / name)


@contextmanager
def standing_still(groups: Sequence[int]) -> Iterator[None]:
    for sign in (signal.SIGSTOP, signal.SIGCONT):
        for group in groups:
            with suppress(ProcessLookupError):
                os.killpg(group, sign)
        if sign is signal.SIGSTOP:
            yield


def lost_in(path: Path, words: Sequence[Word]) -> list[str]:
    """Return what is wrong with a copy of the store that is opened again."""
    with closing(sqlite3.connect(path)) as file:
        (whole,) = file.execute("PRAGMA integrity_check").fetchone()
    open_store(Settings(store_url=f"sqlite:///{path}")).close()
    books = read_books(f"sqlite:///{path}")
    return [*promise_faults(books, words), *history_faults(books), *([] if whole == "ok" else [whole])]


def r4(url: str, folder: Path, acks: int, kills: int, copies: int, count: int) -> None:
    document = stock.ample()
    with fleet(url, folder, document, count=count) as gateways:
        tokens = tokens_for(url, USERS)
        crowd = Crowd(gateways.urls, tokens, acks, hold=acks, only_submit=True, draw=of_one)
        killer = Killer(gateways.gateways, kills, [])
        taken = asyncio.run(submitters(crowd, gateways, killer, copies, folder))
        for gateway in gateways.gateways:
            gateway.until_ready()
        assert crowd.wrong == []
        assert gateways.faults(crowd.words) == []
        wrong = [fault for path, words in taken for fault in lost_in(path, words)]
        assert wrong == []
    told = sum(word.intent is not None for word in crowd.words)
    tell("R4", acknowledged=told, killed=Counter(killer.done), copies=copies)
    assert told >= acks


def of_one(rng: random.Random, name: str) -> Json:
    return intent(name)


def test_r4_what_was_acknowledged_is_never_lost(sqlite_url: str, tmp_path: Path) -> None:
    r4(sqlite_url, tmp_path, acks=60, kills=1, copies=5, count=2)


@pytest.mark.t1
def test_r4_what_was_acknowledged_is_never_lost_at_full_count(sqlite_url: str, tmp_path: Path) -> None:
    r4(sqlite_url, tmp_path, acks=1000, kills=20, copies=100, count=3)


@pytest.mark.t1
def test_r4_what_was_acknowledged_is_never_lost_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """What a copy of its files at one moment is worth is PostgreSQL's own matter."""
    r4(postgres_url, tmp_path, acks=200, kills=4, copies=0, count=3)


@pytest.mark.soak
def test_r4_what_was_acknowledged_is_never_lost_at_full_count_on_postgresql(
    postgres_url: str, tmp_path: Path
) -> None:
    r4(postgres_url, tmp_path, acks=1000, kills=20, copies=0, count=3)
