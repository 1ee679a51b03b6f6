"""S13: a rate limit is one limit for all processes, and whoever meets it is no burden to others."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.gateway.security.served import MUCH, Client, Served, fleet, quantile

PER_MINUTE, BURST, WORKERS = 1_800, 30, 4
WITHIN = 0.05
SLOWER_BY = 0.10
NOISE_S = 1e-3
"""What a quantile differs by from one second to the next on a machine that does nothing else."""
VERIFY = "/api/v1/auth/verify"


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Served]]:
    limit = {"count": PER_MINUTE, "period_s": 60, "burst": BURST}
    settings = {"per_token": limit, "per_address": MUCH, "failures": MUCH}
    with fleet(tmp_path_factory.mktemp("rates"), WORKERS, **settings) as servers:
        yield servers


def flood(workers: Sequence[Served], token: str, seconds: float, pause_s: float = 0.01) -> Counter[int]:
    """Ask all processes as one client of each does that takes no heed; return how often what was told."""

    def ask(server: Served) -> Counter[int]:
        client, told, end = server.client(token), Counter[int](), time.monotonic() + seconds
        while time.monotonic() < end:
            answer = client.ask("GET", VERIFY)
            told[answer.status] += 1
            if answer.status == 429:
                assert int(answer.headers["Retry-After"]) >= 1
                assert answer.code == "RATE_LIMITED"
            time.sleep(pause_s)
        return told

    with ThreadPoolExecutor(len(workers)) as pool:
        return sum(pool.map(ask, workers), Counter[int]())


@pytest.mark.parametrize(
    "seconds", [pytest.param(4, id="reduced"), pytest.param(60, id="t1", marks=pytest.mark.t1)]
)
def test_as_many_are_admitted_as_the_limit_says(workers: Sequence[Served], seconds: int) -> None:
    """Over all processes together; the burst comes to the rate."""
    told = flood(workers, workers[0].mint("ada"), seconds)
    wanted = PER_MINUTE / 60 * seconds + BURST
    assert set(told) == {200, 429}
    assert abs(told[200] - wanted) <= WITHIN * wanted + WORKERS


@pytest.mark.parametrize(
    "rounds", [pytest.param(3, id="reduced"), pytest.param(20, id="t1", marks=pytest.mark.t1)]
)
def test_who_is_throttled_slows_down_nobody_else(workers: Sequence[Served], rounds: int) -> None:
    """The others' p99, in seconds with a client that asks at many times its limit and in seconds without."""
    limited = workers[:1]
    noisy, quiet = limited[0].mint("noisy"), limited[0].mint("quiet")
    taken_s: dict[bool, list[float]] = {True: [], False: []}
    flood(limited, noisy, 2, 0.001)  # it is throttled from here on
    with ThreadPoolExecutor(1) as pool:
        for number in range(2 * rounds):
            loud, done = bool(number % 2), Event()
            noise = pool.submit(_ask_until, limited[0].client(noisy), done) if loud else None
            taken_s[loud] += _timed(limited[0].client(quiet), 1.0)
            done.set()
            if noise is not None:
                assert noise.result() > 10
    with_noise, without = (quantile(taken_s[loud], 0.99) for loud in (True, False))
    assert with_noise <= max((1 + SLOWER_BY) * without, without + NOISE_S)


def _ask_until(client: Client, done: Event) -> int:
    """Ask at ten times the limit."""
    refused = 0
    while not done.wait(60 / PER_MINUTE / 10):
        refused += client.ask("GET", VERIFY).status == 429
    return refused


def _timed(client: Client, seconds: float) -> list[float]:
    """Ask a little below the limit."""
    taken, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        assert client.ask("GET", VERIFY).status == 200
        taken.append(time.perf_counter() - began)
        time.sleep(60 / PER_MINUTE * 1.1)
    return taken


def test_an_address_is_limited_as_a_token_is(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever tokens it comes with; and no other address."""
    settings = {
        "per_token": MUCH,
        "failures": MUCH,
        "per_address": {"count": 60, "period_s": 60, "burst": 20},
        "trusted_proxies": "127.0.0.1",
    }
    with fleet(tmp_path_factory.mktemp("addresses"), 2, **settings) as servers:
        tokens = servers[0].mint_many([(f"user-{number}", frozenset()) for number in range(60)])
        clients = [server.client() for server in servers]

        def ask(number: int, address: str) -> int:
            headers = [("X-Forwarded-For", address)]
            return clients[number % 2].ask("GET", VERIFY, token=tokens[number], headers=headers).status

        told = Counter(ask(number, "192.0.2.7") for number in range(60))
        assert 20 <= told[200] <= 25
        assert told[200] + told[429] == 60
        assert ask(0, "192.0.2.8") == 200
