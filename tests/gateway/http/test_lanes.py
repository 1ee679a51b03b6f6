"""The event loop only passes messages on: whatever waits does so elsewhere, and no longer than it may."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from flare_core.adapters.gateway.errors import UnavailableError
from flare_core.adapters.gateway.http.bell import Bell
from flare_core.adapters.gateway.http.lanes import Lane
from flare_core.adapters.gateway.life import State, move
from flare_core.adapters.gateway.store import Store
from tests.gateway.http.conftest import Serve
from tests.gateway.http.site import intent
from tests.gateway.http.test_codes import locked
from tests.gateway.worlds import NOW, submitted


def test_who_finds_no_thread_is_sent_away_before_anything_begins() -> None:
    began: list[int] = []

    async def main() -> None:
        lane, gate = Lane("test", 1, 0.05), threading.Event()

        def work(number: int) -> int:
            began.append(number)
            gate.wait(10)
            return number

        first = asyncio.create_task(lane.run(lambda: work(1)))
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError):
            await lane.run(lambda: work(2))
        gate.set()
        assert await first == 1
        assert await lane.run(lambda: work(3)) == 3
        lane.close()

    asyncio.run(main())
    assert began == [1, 3]


def test_a_thread_is_taken_until_its_work_is_done_even_if_nobody_waits() -> None:
    async def main() -> None:
        lane, gate = Lane("test", 1, 0.05), threading.Event()
        first = asyncio.create_task(lane.run(lambda: gate.wait(10)))
        await asyncio.sleep(0.01)
        first.cancel()
        with pytest.raises(UnavailableError):
            await lane.run(lambda: None)
        gate.set()
        await asyncio.sleep(0.05)
        assert await lane.run(lambda: 1) == 1
        lane.close()

    asyncio.run(main())


def test_what_work_raises_is_raised_and_the_thread_is_free_again() -> None:
    async def main() -> None:
        lane = Lane("test", 1, 1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await lane.run(lambda: 1 // 0)
        lane.close()

    asyncio.run(main())


def test_a_lane_that_is_closed_begins_nothing() -> None:
    async def main() -> None:
        lane = Lane("test", 1, 1)
        lane.close()
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await lane.run(lambda: None)

    asyncio.run(main())


def test_a_bell_wakes_whom_it_concerns(sqlite_store: Store) -> None:
    record = submitted(sqlite_store, "watched")

    def fail() -> None:
        with sqlite_store.write() as connection:
            move(connection, record.id, State.FAILED, NOW, "a test")

    async def main() -> None:
        lane = Lane("watch", 1, 1)
        bell = Bell(sqlite_store, lane)
        async with (
            bell.listening(record.id) as by_intent,
            bell.listening("ada") as by_user,
            bell.listening("grace") as other,
        ):
            await asyncio.to_thread(fail)
            await asyncio.wait_for(by_intent.wait(), 5)
            await asyncio.wait_for(by_user.wait(), 5)
            assert not other.is_set()
        async with bell.listening("ada") as again:  # what happened before is not told
            await asyncio.sleep(0.1)
            assert not again.is_set()
        await bell.close()
        lane.close()

    asyncio.run(main())


def test_a_bell_tells_what_is_settled_whenever_that_was(sqlite_store: Store) -> None:
    """Before anybody asked, or while they wait; several may wait for one, and one may give up."""
    names = ["before", "meanwhile"]
    before, meanwhile = (submitted(sqlite_store, name) for name in names)

    def fail(intent: str) -> None:
        with sqlite_store.write() as connection:
            move(connection, intent, State.FAILED, NOW, "a test")

    async def main() -> None:
        lane = Lane("watch", 1, 1)
        bell = Bell(sqlite_store, lane)
        fail(before.id)
        assert (await asyncio.wait_for(bell.settled(before.id), 5)).state is State.FAILED
        waiting = [asyncio.create_task(bell.settled(meanwhile.id)) for _ in range(3)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bell.settled(meanwhile.id), 0.1)
        await asyncio.to_thread(fail, meanwhile.id)
        found = await asyncio.wait_for(asyncio.gather(*waiting), 5)
        assert [(each.id, each.state) for each in found] == [(meanwhile.id, State.FAILED)] * 3
        await bell.close()
        lane.close()

    asyncio.run(main())


def test_a_bell_goes_on_after_trouble(sqlite_store: Store) -> None:
    record = submitted(sqlite_store, "watched")

    async def main() -> None:
        lane = Lane("watch", 1, 1)
        bell = Bell(sqlite_store, lane)
        with sqlite_store.write() as connection:
            connection.execute(text("ALTER TABLE events RENAME TO elsewhere"))
        waiting = asyncio.create_task(bell.settled(record.id))
        await asyncio.sleep(0.1)
        with sqlite_store.write() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO events"))
            move(connection, record.id, State.FAILED, NOW, "a test")
        assert (await asyncio.wait_for(waiting, 5)).state is State.FAILED
        await bell.close()
        lane.close()

    asyncio.run(main())


def test_a_bell_asks_nobody_while_nobody_listens(sqlite_store: Store) -> None:
    async def main() -> None:
        lane = Lane("watch", 1, 1)
        bell = Bell(sqlite_store, lane)
        async with bell.listening("ada"):
            task = bell._task
        assert task is not None
        await asyncio.wait_for(task, 5)
        lane.close()

    asyncio.run(main())


def test_r10_who_waits_for_the_store_stops_nobody_else(serve: Serve) -> None:
    """Submissions wait a second for a store that another program holds; health is told all the while."""
    with (
        serve(ready=False, store_wait_s=1.0) as served,
        served.user("ada") as client,
        ThreadPoolExecutor(4) as pool,
    ):
        took: list[float] = []
        with locked(served):
            waiting = [pool.submit(client.post, "/api/v1/intents", json=intent(f"n{i}")) for i in range(8)]
            while not all(each.done() for each in waiting):
                began = time.perf_counter()
                assert served.http.get("/healthz").status_code == 200
                took.append(time.perf_counter() - began)
                time.sleep(0.02)
    assert {each.result().status_code for each in waiting} == {503}
    assert len(took) > 10
    assert max(took) < 0.8  # a loop that waits itself takes a second at least


def test_a_submission_that_waits_holds_no_thread(serve: Serve) -> None:
    """More wait for the solver than there are threads (three), and reading goes on."""
    with (
        serve(batch_window_s=2.0, store_connections=6, submit_wait_s=30) as served,
        served.user("ada") as client,
        ThreadPoolExecutor(6) as pool,
    ):
        waiting = [pool.submit(client.post, "/api/v1/intents", json=intent(f"n{i}")) for i in range(6)]
        began = time.perf_counter()
        while len(client.get("/api/v1/intents").json()["intents"]) < 6:
            assert time.perf_counter() - began < 20
            assert not any(each.done() for each in waiting)
        assert {each.result().status_code for each in waiting} == {201}
