"""R12: told to stop, the gateway accepts nothing more, finishes or keeps what it has, and ends in time."""

import itertools
import random
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from flare_core.adapters.gateway.life import find
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import Store
from tests.cli.worlds import service
from tests.gateway.ops.served import Served, served

STOP_S = 10.0
CLIENTS = 8
BUSY = 50
"""Acknowledged intents from which on a stop may come."""


class Load:
    """Clients that submit, read and cancel as fast as they can, and remember what was acknowledged."""

    def __init__(self, server: Served) -> None:
        self.acknowledged: list[str] = []
        self.cancelled: list[str] = []
        self.stopping = False
        self.unexpected: list[str] = []
        self.busy = threading.Event()
        self._names = itertools.count()
        self._headers = {"Authorization": f"Bearer {server.token()}"}
        self._url = server.url
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60) as http:
            while True:
                try:
                    self._once(http)
                except httpx.TransportError as error:
                    if self.stopping:
                        return
                    self.unexpected.append(repr(error))

    def _once(self, http: httpx.Client) -> None:
        name = f"chat-{next(self._names)}"
        made = http.post("/api/v1/intents", json=service(name))
        if made.status_code in (201, 202):
            intent = made.json()["intent_id"]
            self.acknowledged.append(intent)
            if len(self.acknowledged) >= BUSY:
                self.busy.set()
            if http.delete(f"/api/v1/intents/{intent}").status_code == 202:
                self.cancelled.append(intent)
        elif made.status_code not in (409, 429, 503):  # full, or ending
            self.unexpected.append(made.text)


def states(folder: Path, intents: list[str]) -> dict[str, str]:
    store = Store(Settings(store_url=f"sqlite:///{folder / 'flare.db'}"))
    with store.read() as connection:
        found = {intent: find(connection, intent).state.value for intent in intents}
    store.close()
    return found


@pytest.mark.parametrize(
    "stops", [pytest.param(1, id="reduced"), pytest.param(10, id="t1", marks=pytest.mark.t1)]
)
def test_r12_stops_under_load_lose_nothing(tmp_path: Path, stops: int) -> None:
    draw, acknowledged, took = random.Random(12), 0, []
    for number in range(stops):
        workers = "1" if number % 2 else "2"
        with served(tmp_path, "--workers", workers, FLARE_SUBMIT_WAIT_S="0.1") as server:
            server.ready()
            load = Load(server)
            assert load.busy.wait(120)
            time.sleep(draw.uniform(0.0, 0.5))  # the moment of the stop is what is varied
            began, load.stopping = time.monotonic(), True
            status = server.stop()
            took.append(time.monotonic() - began)
            load.end()
        assert status == 0
        assert took[-1] <= STOP_S
        assert not load.unexpected
        found = states(tmp_path, load.acknowledged)  # raises for one that is lost
        assert {found[intent] for intent in load.cancelled} <= {"cancelled"}
        acknowledged += len(found)
    assert acknowledged >= stops * BUSY
    print(f"R12: {stops} stops, {acknowledged} acknowledged, 0 lost, slowest {max(took):.1f} s")  # noqa: T201


def test_r12_what_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """A body that never comes, a stream that nobody closes: the end is in time, and no failure."""
    with served(tmp_path, FLARE_STOP_TIMEOUT_S="3", FLARE_REQUEST_TIMEOUT_S="60") as server:
        server.ready()
        token = server.token()
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        head = f"Host: x\r\nAuthorization: Bearer {token}\r\n"
        post = (
            f"POST /api/v1/intents HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: 9\r\n"
        )
        with (
            socket.create_connection(address) as body,
            socket.create_connection(address) as stream,
            socket.create_connection(address) as idle,
        ):
            body.sendall(f"{post}\r\n{{".encode())
            stream.sendall(f"GET /api/v1/events HTTP/1.1\r\n{head}\r\n".encode())
            assert stream.recv(1000).startswith(b"HTTP/1.1 200")
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(1000).startswith(b"HTTP/1.1 200")
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began <= STOP_S


def test_what_waited_is_placed_by_the_next_one(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        server.ready()
        token = server.token()
        headers = {"Authorization": f"Bearer {token}"}
        made = httpx.post(f"{server.url}/api/v1/intents", json=service(), headers=headers, timeout=60).json()
        assert server.stop() == 0
    with served(tmp_path) as server:
        server.ready()
        found = server.get(f"/api/v1/intents/{made['intent_id']}", token).json()
        assert found["assignments"]
