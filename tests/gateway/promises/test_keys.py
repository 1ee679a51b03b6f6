"""R3: a key makes at most one intent, and every duplicate of a request gets the same answer."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.gateway.promises import stock
from tests.gateway.promises.audit import Word, promise_faults
from tests.gateway.promises.fleets import Fleet, Killer, fleet, tell
from tests.gateway.promises.load import Answer, Crowd, Json, client, intent, send, tokens_for

DUPLICATES = 5
PATIENCE_S = 30.0
TIMEOUT_S = 5.0
"""After so long a request is taken for dead, and its key is answered from what it has made."""


async def insisted(http: httpx.AsyncClient, urls: Sequence[str], token: str, key: str, body: Json) -> Answer:
    """Send a request until it is answered for good: not while its first is in flight, or nothing answers."""
    rng, end = random.Random(key), asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        url = f"{rng.choice(urls)}/api/v1/intents"
        said = await send(http, "POST", url, token, json=body, idempotency_key=key)
        if not is_in_flight(said) and said.status not in (None, 503, 429):
            return said
        if asyncio.get_running_loop().time() > end:
            return said
        await asyncio.sleep(0.05)


def is_in_flight(said: Answer) -> bool:
    return said.status == 409 and said.code == "CONFLICT" and "retry-after" in said.headers


async def duplicated(crowd: Crowd, keys: int) -> dict[str, list[Answer]]:
    """Send each of so many requests several times at once."""
    answers: dict[str, list[Answer]] = {}
    (token,) = crowd.tokens.values()

    async def one(http: httpx.AsyncClient, number: int) -> None:
        name = f"key-{number}"
        # Every tenth cannot be placed: the refusal is replayed as well.
        body = intent(name, {"count": 1 if number % 10 else 16})
        same = [insisted(http, crowd.urls, token, name, body) for _ in range(DUPLICATES)]
        answers[name] = await asyncio.gather(*same)
        crowd.words += [Word(name, said.status, said.intent) for said in answers[name]]
        crowd.done += 1

    async with client() as http:
        for first in range(0, keys, 10):
            await asyncio.gather(*(one(http, n) for n in range(first, min(keys, first + 10))))
    return answers


async def with_kills(crowd: Crowd, killer: Killer, keys: int) -> dict[str, list[Answer]]:
    answers, _ = await asyncio.gather(duplicated(crowd, keys), killer.beside(crowd))
    return answers


def r3(url: str, folder: Path, keys: int, kills: int, count: int = 4) -> None:
    with fleet(url, folder, stock.ample(), count=count, request_timeout_s=TIMEOUT_S) as gateways:
        crowd = Crowd(gateways.urls, tokens_for(url, ["ada"]), keys)
        killer = Killer(gateways.gateways, kills, [])
        answers = asyncio.run(with_kills(crowd, killer, keys))
        first = {name: own[0] for name, own in answers.items()}
        tell("R3", keys=keys, killed=killer.done, statuses=sorted({a.status or 0 for a in first.values()}))
        differing = [
            (name, said.status, said.body, own[0].status, own[0].body)
            for name, own in answers.items()
            for said in own
            if (said.status, said.body) != (own[0].status, own[0].body)
        ]
        assert differing == []
        assert {said.status for said in first.values()} <= {201, 202, 409}
        assert list(promise_faults(gateways.books(), crowd.words)) == []
        for gateway in gateways.gateways:
            gateway.until_ready()
        assert gateways.faults(crowd.words) == []


def test_r3_a_key_has_one_effect_and_one_answer(sqlite_url: str, tmp_path: Path) -> None:
    r3(sqlite_url, tmp_path, keys=30, kills=1, count=2)


@pytest.mark.t1
def test_r3_a_key_has_one_effect_and_one_answer_at_full_count(sqlite_url: str, tmp_path: Path) -> None:
    r3(sqlite_url, tmp_path, keys=500, kills=10)


@pytest.mark.t1
def test_r3_a_key_has_one_effect_and_one_answer_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """The full count is held on SQLite; what differs between the stores shows in less."""
    r3(postgres_url, tmp_path, keys=80, kills=2)


def test_r3_what_a_key_is_to_other_requests(sqlite_url: str, tmp_path: Path) -> None:
    """Another body is refused, also by another gateway; what was not valid has consumed nothing."""
    with fleet(sqlite_url, tmp_path, stock.ample(), count=2) as gateways:
        asyncio.run(other_requests(gateways))


async def other_requests(gateways: Fleet) -> None:
    tokens = tokens_for(gateways.url, ["ada", "bob"])
    one, two = (f"{url}/api/v1/intents" for url in gateways.urls)
    async with client() as http:

        async def post(url: str, user: str, key: str, body: Json, token: str | None = None) -> Answer:
            return await send(http, "POST", url, token or tokens[user], json=body, idempotency_key=key)

        first = await post(one, "ada", "k", intent("a"))
        assert first.status in (201, 202)
        again = await post(two, "ada", "k", intent("a"))
        assert (again.status, again.body) == (first.status, first.body)
        other = await post(two, "ada", "k", intent("b"))
        assert (other.status, other.code) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert (await post(two, "bob", "k", intent("b"))).status in (201, 202)
        for wrong in (
            await post(one, "ada", "w", {"intent": {}}),
            await post(one, "", "w", intent("w"), "flr_x"),
        ):
            assert wrong.status in (400, 401)
        assert (await post(two, "ada", "w", intent("w"))).status in (201, 202)
        assert (await post(one, "ada", "x" * 255, intent("x"))).status in (201, 202)
        assert (await post(one, "ada", "y" * 256, intent("y"))).status == 400
