"""S2: another user's object and one that does not exist are the same to whoever asks."""

import random
import re
import statistics
import time

import pytest

from flare_core.adapters.gateway.tokens import Permission
from tests.gateway.security.served import Client, Served, intent

RANDOM_BITS = 128
SAME_ID = [("X-Request-ID", "same")]
READER = tuple(each for each in Permission if each not in (Permission.ADMIN, Permission.TOKENS_MANAGE))


@pytest.fixture(scope="module")
def others(server: Served) -> tuple[str, str]:
    """An intent and a token of somebody else."""
    client = server.client(server.mint("dora"))
    made = client.ask("POST", "/api/v1/intents", json=intent("doras")).json
    return made["intent_id"], client.ask("GET", "/api/v1/auth/verify").json["token_id"]


def test_ids_are_too_long_to_be_guessed(others: tuple[str, str]) -> None:
    for name in others:
        digits = re.fullmatch(r"(?:intent-|tok_)([0-9a-f]+)", name)
        assert digits
        assert len(digits[1]) * 4 >= RANDOM_BITS


PATHS = [
    ("GET", "/api/v1/intents/{intent}"),
    ("GET", "/api/v1/intents/{intent}/explanation"),
    ("GET", "/api/v1/intents/{intent}/events"),
    ("POST", "/api/v1/intents/{intent}/accept"),
    ("DELETE", "/api/v1/intents/{intent}"),
    ("DELETE", "/api/v1/auth/tokens/{token}"),
]


@pytest.mark.parametrize(("method", "path"), PATHS, ids=[f"{m} {p}" for m, p in PATHS])
def test_both_get_the_same_answer(server: Served, others: tuple[str, str], method: str, path: str) -> None:
    client = server.client(server.mint("carl", *READER))
    body = {"token": "flr_guess"} if method == "POST" else None
    theirs = path.format(intent=others[0], token=others[1])
    absent = path.format(intent="intent-" + "0" * 32, token="tok_" + "0" * 32)
    answers = [client.ask(method, p, json=body, headers=SAME_ID) for p in (theirs, absent)]
    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].body == answers[1].body
    assert sorted(answers[0].headers.keys()) == sorted(answers[1].headers.keys())


@pytest.mark.parametrize(
    "pairs", [pytest.param(200, id="reduced"), pytest.param(2_000, id="t1", marks=pytest.mark.t1)]
)
def test_the_time_tells_nothing(server: Served, others: tuple[str, str], pairs: int) -> None:
    """The medians differ by less than 1 ms."""
    client, rng = server.client(server.mint("carl", *READER)), random.Random(2)
    taken_s: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(pairs):
        for theirs in rng.sample((True, False), 2):
            name = others[0] if theirs else f"intent-{rng.getrandbits(128):032x}"
            taken_s[theirs].append(_seconds(client, f"/api/v1/intents/{name}"))
    difference = statistics.median(taken_s[True]) - statistics.median(taken_s[False])
    assert abs(difference) < 1e-3


def _seconds(client: Client, path: str) -> float:
    began = time.perf_counter()
    answer = client.ask("GET", path)
    taken = time.perf_counter() - began
    assert answer.status == 404
    return taken
