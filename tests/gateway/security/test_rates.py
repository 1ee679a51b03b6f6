"""S13: a rate limit is one limit for all processes, and whoever meets it is no burden to others."""

import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.conftest import ROOT
from tests.gateway.security.served import MUCH, Client, Served, fleet, quantile

PER_MINUTE, BURST, WORKERS = 1_800, 30, 4
WITHIN = 0.05
SLOWER_BY, ROUNDS, TRIES = 0.10, 10, 3
NOISE_S = 1e-3
"""What a quantile differs by from one second to the next on a machine that does nothing else."""
VERIFY = "/api/v1/auth/verify"


@pytest.fixture(scope="module")
def workers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[Served]]:
    limit = {"count": PER_MINUTE, "period_s": 60, "burst": BURST}
    settings = {"per_token": limit, "per_address": MUCH, "failures": MUCH}
    with fleet(tmp_path_factory.mktemp("rates"), request.param, **settings) as servers:
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
    ("workers", "seconds"),
    [pytest.param(2, 4, id="reduced"), pytest.param(WORKERS, 60, id="t1", marks=pytest.mark.t1)],
    indirect=["workers"],
)
def test_as_many_are_admitted_as_the_limit_says(workers: Sequence[Served], seconds: int) -> None:
    """Over all processes together; the burst comes to the rate."""
    told = flood(workers, workers[0].mint("ada"), seconds)
    wanted = PER_MINUTE / 60 * seconds + BURST
    assert set(told) == {200, 429}
    assert abs(told[200] - wanted) <= WITHIN * wanted + WORKERS


@pytest.mark.t1
@pytest.mark.parametrize("workers", [WORKERS], indirect=True)
def test_who_is_throttled_slows_down_nobody_else(workers: Sequence[Served]) -> None:
    """The others' p99, in seconds with a client that asks at three times its limit, and in seconds without.

    The median of the seconds' quantiles is compared, in three tries at most: what else the machine does only
    ever adds to the time.
    """
    server = workers[0]
    client, tries = server.client(server.mint("quiet")), list[float]()
    with noise(server) as process:
        while len(tries) < TRIES and (not tries or tries[-1] > 0):
            tries.append(_excess_s(client, process))
    assert tries[-1] <= 0


def _excess_s(client: Client, process: subprocess.Popen[str]) -> float:
    """Return by how much more than is allowed the others are slowed down."""
    p99_s: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * ROUNDS):
        loud = bool(number % 2)
        process.send_signal(signal.SIGCONT if loud else signal.SIGSTOP)
        p99_s[loud].append(quantile(_timed(client, 1.0), 0.99))
    with_noise, without = (statistics.median(p99_s[loud]) for loud in (True, False))
    return with_noise - max((1 + SLOWER_BY) * without, without + NOISE_S)


@contextmanager
def noise(server: Served) -> Iterator[subprocess.Popen[str]]:
    """Let a process ask at three times its limit; begin when it is throttled."""
    arguments = [str(server.port), server.mint("noisy"), str(60 / PER_MINUTE / 3)]
    command = [sys.executable, "-m", "tests.gateway.security.noise", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "throttled\n"
            yield process
        finally:
            process.kill()


def _timed(client: Client, seconds: float) -> list[float]:
    """Ask a little below the limit."""
    taken, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        assert client.ask("GET", VERIFY).status == 200
        taken.append(time.perf_counter() - began)
        time.sleep(60 / PER_MINUTE * 1.1)
    return taken


@pytest.mark.t1
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
