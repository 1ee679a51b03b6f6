"""R12, R13, and kills of ``flare serve``: nothing acknowledged is lost, and it is soon ready again."""

import asyncio
import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import monotonic

import pytest
from sqlalchemy import insert

from benchmarks.gateway.serving import Site, start
from flare_core import read_intent
from flare_core.adapters.gateway.life import submit
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import open_store
from flare_core.adapters.gateway.store.tables import events, history, intents
from tests.gateway.promises import stock
from tests.gateway.promises.audit import Word, audit, promise_faults, read_books, read_stock
from tests.gateway.promises.fleets import fleet, tell
from tests.gateway.promises.launch import Gateway, await_true, descendants
from tests.gateway.promises.load import Crowd, Json, intent

USERS = ("one", "two", "three", "four")
STORED = 10_000
RESTARTS = 5
"""How often one is timed; the machine may be slow at times, a gateway that is slow is so most times."""


def of_one(rng: random.Random, name: str) -> Json:
    return intent(name)


async def until(crowd: Crowd, stop: threading.Event) -> None:
    """Let a crowd submit until it is told to end."""
    running = asyncio.create_task(crowd.run())
    await asyncio.to_thread(stop.wait)
    crowd.operations = 0
    await running


@contextmanager
def load(crowd: Crowd) -> Iterator[None]:
    """Have a crowd submit meanwhile."""
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(until(crowd, stop)))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def crowd_of(site: Site, round_: int) -> Crowd:
    tokens = dict.fromkeys(USERS, site.token)
    return Crowd([site.url], tokens, 10**9, hold=10**9, only_submit=True, draw=of_one, seed=round_)


# --- R12 --------------------------------------------------------------------------------------------


def r12(url: str, folder: Path, stops: int, workers: int) -> None:
    words: list[Word] = []
    statuses, longest = [], 0.0
    for number in range(stops):
        site = start(folder, url, stock.ample(), workers)
        try:
            site.until_ready()
            crowd = crowd_of(site, number)
            with load(crowd):
                await_true(lambda crowd=crowd: crowd.done >= 20, 30)  # type: ignore[misc]  # bound at once
                began = monotonic()
                statuses.append(site.stop())
                longest = max(longest, monotonic() - began)
            words += crowd.words
            assert crowd.wrong == []
        finally:
            site.kill()
    tell("R12", statuses=statuses, longest_s=longest, acknowledged=sum(w.intent is not None for w in words))
    books = read_books(url)
    assert [*promise_faults(books, words), *audit(books, read_stock(stock.ample()))] == []
    assert statuses == [0] * stops
    assert longest <= 10


def test_r12_a_stop_under_load_loses_nothing(sqlite_url: str, tmp_path: Path) -> None:
    r12(sqlite_url, tmp_path, stops=1, workers=2)


@pytest.mark.t1
def test_r12_stops_of_four_processes_lose_nothing(postgres_url: str, tmp_path: Path) -> None:
    """On PostgreSQL; ten on SQLite are in ``ops/test_stop.py``."""
    r12(postgres_url, tmp_path, stops=4, workers=4)


@pytest.mark.soak
def test_r12_ten_stops_under_load_lose_nothing(url: str, tmp_path: Path) -> None:
    r12(url, tmp_path, stops=10, workers=4)


# --- R13 --------------------------------------------------------------------------------------------


def stored(url: str, number: int, pending: int) -> list[str]:
    """Put intents into a store that ran before: most are over, the last ones wait; return their ids."""
    store = open_store(Settings(store_url=url, store_wait_s=30))
    now = datetime.now(UTC)
    with store.write() as connection:
        document = read_intent(json.dumps(intent("old-0"))).to_dict()
        first = submit(connection, "ada", "old-0", document, 1, now)
        row = dict(connection.execute(intents.select()).mappings().one())
        rows = [row | {"id": f"intent-{n:032x}", "name": f"old-{n}"} for n in range(1, number - pending)]
        over = [each | {"state": "cancelled", "live": False, "version": 2, "ended": now} for each in rows]
        connection.execute(insert(intents), over)
        steps = [
            (each["id"], *step)
            for each in over
            for step in ((1, None, "pending"), (2, "pending", "cancelled"))
        ]
        names = ("intent", "version", "before", "after")
        connection.execute(
            insert(history), [dict(zip(names, s, strict=True)) | {"at": now, "reason": ""} for s in steps]
        )
        connection.execute(insert(events), [told(step, now) for step in steps])
        waiting = [first.id]
        for n in range(number - pending, number):
            document = read_intent(json.dumps(intent(f"old-{n}"))).to_dict()
            waiting.append(submit(connection, "ada", f"old-{n}", document, 1, now).id)
    store.close()
    return waiting


def told(step: tuple[str, int, str | None, str], now: datetime) -> dict[str, object]:
    intent, version, _, after = step
    data = json.dumps({"state": after, "status": after, "version": version})
    return {"user": "ada", "intent": intent, "at": now, "kind": "status", "data": data}


def restarted_s(gateway: Gateway) -> float:
    """Kill a gateway, start it again, and return how long it took to be ready."""
    gateway.kill()
    began = monotonic()
    gateway.start().until_ready()
    return monotonic() - began


def r13(url: str, folder: Path, number: int, kills: int, limit_s: float, restarts: int) -> None:
    waiting, rng = stored(url, number, pending=min(200, number // 10)), random.Random(2)
    with fleet(url, folder, stock.ample(), count=1, ready=False, fresh=True) as gateways:
        [gateway] = gateways.gateways
        for _ in range(kills):
            gateway.kill()
            gateway.start()
            with suppress(TimeoutError):
                await_true(lambda: False, rng.uniform(0, 1.5))  # until some moment of its recovery
        all_s = [restarted_s(gateway) for _ in range(restarts)]
        ready_s = median(all_s)
        tell("R13", intents=number, kills=kills, ready_s=ready_s, longest_s=max(all_s))
        assert gateways.faults([Word(f"old-{number - 1}", 201, waiting[-1])]) == []
        states = gateways.books().states
        assert {states[each] for each in waiting} == {"running"}
    assert ready_s <= limit_s


def test_r13_a_restart_goes_on_where_it_was(sqlite_url: str, tmp_path: Path) -> None:
    """In the time that a machine needs which is busy with all the other tests."""
    r13(sqlite_url, tmp_path, number=500, kills=1, limit_s=30, restarts=1)


@pytest.mark.t1
def test_r13_a_restart_with_ten_thousand_intents_is_soon_ready(sqlite_url: str, tmp_path: Path) -> None:
    r13(sqlite_url, tmp_path, number=STORED, kills=20, limit_s=3, restarts=RESTARTS)


# --- the whole gateway, as it is served -------------------------------------------------------------


def killed_while_serving(
    url: str, folder: Path, number: int, kills: int, limit_s: float, workers: int = 4
) -> None:
    """Kill workers, solvers and the whole of ``flare serve`` under load, again and again."""
    stored(url, number, pending=10)
    rng, words, ready_s, struck = random.Random(9), list[Word](), list[float](), list[str]()
    site = start(folder, url, stock.ample(), workers)
    try:
        site.until_ready()
        for round_ in range(kills):
            crowd = crowd_of(site, round_)
            with load(crowd):
                goal = rng.randint(5, 60)
                await_true(lambda crowd=crowd, goal=goal: crowd.done >= goal, 60)  # type: ignore[misc]  # bound at once
                what = "all" if round_ % 3 == 1 else "worker"
                struck.append(what)
                if what == "all":
                    site.kill()
                else:
                    with suppress(ProcessLookupError):
                        os.kill(rng.choice(descendants(site.process.pid)), signal.SIGKILL)
                    await_true(lambda crowd=crowd, goal=goal: crowd.done >= goal + 5, 60)  # type: ignore[misc]  # bound at once
            words += crowd.words
            assert crowd.wrong == []
            if what == "all":
                began = monotonic()
                site = start(folder, url, stock.ample(), workers)
                site.until_ready()
                ready_s.append(monotonic() - began)
        # What was wrong after any commit is in the books for good.
        books = read_books(url)
        assert [*promise_faults(books, words), *audit(books, read_stock(stock.ample()))] == []
    finally:
        site.kill()
    acknowledged = sum(word.intent is not None for word in words)
    tell(
        "kills under load",
        struck=Counter(struck),
        acknowledged=acknowledged,
        ready_s=[f"{each:.2f}" for each in sorted(ready_s)],
        intents=number,
    )
    assert median(ready_s) <= limit_s


def test_what_is_served_may_be_killed_anywhere(sqlite_url: str, tmp_path: Path) -> None:
    """In the time that a machine needs which is busy with all the other tests."""
    killed_while_serving(sqlite_url, tmp_path, number=100, kills=2, limit_s=60, workers=2)


@pytest.mark.t1
def test_what_is_served_may_be_killed_anywhere_twenty_times(url: str, tmp_path: Path) -> None:
    killed_while_serving(url, tmp_path, number=STORED, kills=20, limit_s=3)
