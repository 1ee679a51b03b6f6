"""R5: whatever clients do with a name at the same time, at different gateways, can have gone one by one."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import httpx
import pytest

from tests.gateway.promises import stock
from tests.gateway.promises.fleets import Killer, fleet, tell
from tests.gateway.promises.linear import Op, is_linearizable, one_name
from tests.gateway.promises.load import Answer, Crowd, client, intent, send, tokens_for

CLIENTS = 4
OPERATIONS = 40
AT_ONCE = 8


class Recorder:
    """Clients of one name that write down what they ask and are told.

    What has no answer is sent again, a submission with its key: it has taken effect somewhere between the
    first time and the answer. A look without an answer is left out.
    """

    def __init__(self, http: httpx.AsyncClient, urls: Sequence[str], token: str, name: str) -> None:
        self._http, self._urls, self._token, self._name = http, urls, token, name
        self._rng = random.Random(name)
        self._known: list[str] = []
        self._number = 0
        self.history: list[Op] = []

    async def work(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(CLIENTS)))

    async def _client(self) -> None:
        for _ in range(OPERATIONS // CLIENTS):
            draw, call = self._rng.random(), monotonic()
            op: Op | None
            if not self._known or draw < 0.25:
                op = await self._submit(call)
            elif draw < 0.7:
                op = await self._get(call, self._known[-1] if draw < 0.6 else self._rng.choice(self._known))
            else:
                op = await self._cancel(call, self._rng.choice(self._known[-2:]))
            self.history += [] if op is None else [op]

    async def _send(self, method: str, path: str, **more: object) -> Answer:
        url = self._rng.choice(self._urls)
        return await send(self._http, method, f"{url}/api/v1/intents{path}", self._token, **more)  # type: ignore[arg-type]  # headers and body

    async def _submit(self, call: float) -> Op:
        self._number += 1
        key, body = f"{self._name}-{self._number}", intent(self._name)
        while True:
            said = await self._send("POST", "", json=body, idempotency_key=key)
            if said.intent is not None:
                self._known.append(said.intent)
                return Op(call, monotonic(), "submit", None, said.intent)
            if said.status == 409 and "retry-after" not in said.headers:
                return Op(call, monotonic(), "submit", None, None)
            await asyncio.sleep(0.02)

    async def _get(self, call: float, known: str) -> Op | None:
        said = await self._send("GET", f"/{known}")
        if said.status is None or said.status == 503:
            return None
        assert said.status == 200, said
        version = int(said.headers["etag"].strip('"'))
        return Op(call, monotonic(), "get", known, (version, said.body["status"]))

    async def _cancel(self, call: float, known: str) -> Op:
        while (said := await self._send("DELETE", f"/{known}")).status in (None, 503):
            await asyncio.sleep(0.02)
        assert said.status == 202, said
        return Op(call, monotonic(), "cancel", known, True)


async def recorded(crowd: Crowd, histories: int) -> list[list[Op]]:
    (token,) = crowd.tokens.values()
    found = []
    async with client() as http:
        for first in range(0, histories, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, histories))
            recorders = [Recorder(http, crowd.urls, token, f"name-{n}") for n in numbers]
            await asyncio.gather(*(recorder.work() for recorder in recorders))
            crowd.done += len(recorders)
            found += [recorder.history for recorder in recorders]
    return found


async def with_kills(crowd: Crowd, killer: Killer, histories: int) -> list[list[Op]]:
    found, _ = await asyncio.gather(recorded(crowd, histories), killer.beside(crowd))
    return found


def r5(url: str, folder: Path, histories: int, kills: int, count: int) -> None:
    with fleet(url, folder, stock.ample(), count=count) as gateways:
        crowd = Crowd(gateways.urls, tokens_for(url, ["ada"]), histories)
        found = asyncio.run(with_kills(crowd, Killer(gateways.gateways, kills, []), histories))
        wrong = [history for history in found if not is_linearizable(history, one_name, ())]
        tell("R5", histories=len(found), operations=sum(map(len, found)), longest=max(map(len, found)))
        assert wrong == []
        assert gateways.faults() == []
    told = {op.said[1] for history in found for op in history if op.what == "get"}
    assert told >= {"running", "cancelled"}
    assert any(op.what == "submit" and op.said is None for history in found for op in history)


def test_r5_histories_are_linearizable(sqlite_url: str, tmp_path: Path) -> None:
    r5(sqlite_url, tmp_path, histories=8, kills=0, count=2)


@pytest.mark.t1
def test_r5_histories_are_linearizable_at_full_count(sqlite_url: str, tmp_path: Path) -> None:
    r5(sqlite_url, tmp_path, histories=200, kills=5, count=4)


@pytest.mark.t1
def test_r5_histories_are_linearizable_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """The full count is held on SQLite; what differs between the stores shows in less."""
    r5(postgres_url, tmp_path, histories=32, kills=1, count=4)
