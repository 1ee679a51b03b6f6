"""S4 and S5: tokens are known to their holders alone, and cannot be found by trying."""

import hashlib
import math
import random
import re
import statistics
import string
import time
from pathlib import Path

import pytest

from flare_core.adapters.gateway import tokens
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import open_store
from flare_core.adapters.gateway.tokens import TokenError, new_secret, verify, well_formed
from tests.gateway.security.served import UNLIMITED, Served, served
from tests.gateway.worlds import NOW, SECOND

LEAST_BITS = 160
WELCH = 4.5
"""Where two means are said to differ: Reparaz and others, "dude, is my code constant time?", 2017."""


def kept_by(server: Served) -> bytes:
    """Return everything that a server leaves on the disk, and its metrics."""
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    assert any(path.name.endswith("-wal") for path in files)
    metrics = server.client(server.mint("root")).ask("GET", "/metrics")
    assert metrics.status == 200
    return b"".join(path.read_bytes() for path in files) + metrics.body


@pytest.mark.parametrize(
    "count", [pytest.param(50, id="reduced"), pytest.param(1_000, id="t1", marks=pytest.mark.t1)]
)
def test_a_token_is_told_once_and_kept_nowhere(server: Served, count: int) -> None:
    admin = server.client(server.mint("secretary"))
    made = [admin.ask("POST", "/api/v1/auth/tokens", json={"name": f"t{i}"}) for i in range(count)]
    assert {answer.headers["Cache-Control"] for answer in made} == {"no-store"}
    secrets, client = [answer.json["token"] for answer in made], server.client()
    for secret in secrets:
        assert client.ask("GET", "/api/v1/auth/verify", token=secret).status == 200
    kept = kept_by(server) + admin.ask("GET", "/api/v1/auth/tokens").body
    assert len(set(secrets)) == count
    assert not [secret for secret in secrets if secret.encode() in kept or secret[4:-6].encode() in kept]
    # What is searched is where it would be: the hashes are there.
    assert all(hashlib.sha256(secret.encode()).hexdigest().encode() in kept for secret in secrets)


def test_a_token_has_random_bits_enough_and_a_checksum() -> None:
    secrets = [new_secret() for _ in range(1000)]
    assert all(re.fullmatch(r"flr_[0-9A-Za-z]+", secret) for secret in secrets)
    body = len(secrets[0]) - len("flr_") - 6
    assert body * math.log2(62) >= LEAST_BITS
    assert tokens.RANDOM_BITS >= LEAST_BITS
    digits = {(place, digit) for secret in secrets for place, digit in enumerate(secret[5:-6])}
    assert len(digits) > 0.99 * (body - 1) * 62  # the first digit holds what is left of the bits


def test_a_typing_error_is_seen_without_the_store() -> None:
    secret, letters = new_secret(), string.digits + string.ascii_letters
    for place in range(4, len(secret)):
        for letter in letters:
            typed = secret[:place] + letter + secret[place + 1 :]
            assert well_formed(typed) == (typed == secret)


# --- guessing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "samples", [pytest.param(2_000, id="reduced"), pytest.param(20_000, id="t1", marks=pytest.mark.t1)]
)
def test_the_time_of_a_refusal_tells_nothing_of_the_beginning(tmp_path: Path, samples: int) -> None:
    """A guess with the right first half takes as long as one that is wrong from the first digit on."""
    settings = Settings(store_url=f"sqlite:///{tmp_path / 'flare.db'}")
    store, rng = open_store(settings), random.Random(5)
    with store.write() as connection:
        made = [
            tokens.mint(connection, "ada", "real", NOW, settings=settings).secret for _ in range(samples // 2)
        ]
    # One token for each guess: a few hundred of them have digits of their own on average, which is seen.
    guesses = [(True, _guess(secret)) for secret in made]
    guesses += [(False, _guess(new_secret())) for _ in made]
    rng.shuffle(guesses)
    taken: dict[bool, list[int]] = {True: [], False: []}
    with store.read() as connection:
        for right, guess in guesses:
            began = time.perf_counter_ns()
            with pytest.raises(TokenError):
                verify(connection, guess, NOW + SECOND)
            taken[right].append(time.perf_counter_ns() - began)
    store.close()
    assert abs(_welch(taken[True], taken[False])) < WELCH
    assert abs(_welch(*_cropped(taken[True], taken[False]))) < WELCH


def _guess(secret: str) -> str:
    """Return a well-formed token that begins as a given one does."""
    body = secret[4:20] + new_secret()[20:37]
    return f"flr_{body}{tokens._checksum(body)}"


def _cropped(first: list[int], second: list[int]) -> tuple[list[int], list[int]]:
    """Leave out what the machine did meanwhile, beyond the 95th percentile of all, as dudect does.

    It is a second look: without what is far out a difference shows that is small beside it.
    """
    limit = statistics.quantiles([*first, *second], n=20)[-1]
    return [x for x in first if x <= limit], [x for x in second if x <= limit]


def _welch(first: list[int], second: list[int]) -> float:
    spread = sum(statistics.variance(each) / len(each) for each in (first, second))
    return (statistics.fmean(first) - statistics.fmean(second)) / math.sqrt(spread)


def test_a_guess_is_what_is_meant() -> None:
    secret = new_secret()
    guess = _guess(secret)
    assert guess[:20] == secret[:20]
    assert well_formed(guess)


@pytest.mark.t1
def test_ten_failures_in_a_minute_shut_an_address_out_on_every_worker(tmp_path: Path) -> None:
    more = {name: value for name, value in UNLIMITED.items() if name != "failures"}
    with served(tmp_path, workers=4, trusted_proxies="127.0.0.1", **more) as server:
        good = server.mint("ada")
        told = []
        for number in range(30):
            # A connection of its own each time, so that other workers answer.
            headers = [("X-Forwarded-For", "192.0.2.1"), ("Connection", "close")]
            guess = "" if number % 3 == 2 else new_secret()
            told.append(server.client().ask("GET", "/api/v1/auth/verify", headers=headers, token=guess))
        assert [answer.status for answer in told] == [401] * 10 + [429] * 20
        assert {answer.code for answer in told[10:]} == {"RATE_LIMITED"}
        assert all(0 < int(answer.headers["Retry-After"]) <= 60 for answer in told[10:])
        elsewhere = [("X-Forwarded-For", "192.0.2.2")]
        assert server.client(good).ask("GET", "/api/v1/auth/verify", headers=elsewhere).status == 200
        assert server.client(new_secret()).ask("GET", "/api/v1/auth/verify", headers=elsewhere).status == 401
