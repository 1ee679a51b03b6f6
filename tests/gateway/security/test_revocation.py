"""S6: a token that is revoked or has expired is no good anywhere, at once."""

import itertools
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from flare_core.adapters.gateway.tokens import Permission, new_secret
from tests.gateway.security.served import UNLIMITED, Served, fleet


def sized(*counts: tuple[int, int]) -> pytest.MarkDecorator:
    """Try so often, on two gateways in a reduced run and on four at the full figure."""
    (few, many), (small, large) = counts
    params = [
        pytest.param(small, few, id="reduced"),
        pytest.param(large, many, id="t1", marks=pytest.mark.t1),
    ]
    return pytest.mark.parametrize(("workers", "count"), params, indirect=["workers"])


@pytest.fixture(scope="module")
def workers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[Served]]:
    """Gateways with one store, each with an address of its own, so that each one is asked."""
    with fleet(tmp_path_factory.mktemp("fleet"), request.param, **UNLIMITED) as servers:
        yield servers


@sized((8, 200), (2, 4))
def test_a_revoked_token_is_refused_by_all_within_a_second(workers: Sequence[Served], count: int) -> None:
    admin = [server.client(server.mint("root")) for server in workers]
    clients = [server.client() for server in workers]
    slowest = 0.0
    for trial in range(count):
        made = admin[trial % len(admin)].ask("POST", "/api/v1/auth/tokens", json={"name": f"t{trial}"}).json
        for client in clients:
            assert client.ask("GET", "/api/v1/auth/verify", token=made["token"]).status == 200
        path = f"/api/v1/auth/tokens/{made['token_id']}"
        assert admin[(trial // len(admin)) % len(admin)].ask("DELETE", path).status == 200
        revoked = time.perf_counter()
        for client in clients:
            while (answer := client.ask("GET", "/api/v1/auth/verify", token=made["token"])).status == 200:
                assert time.perf_counter() - revoked <= 1
            assert (answer.status, answer.code) == (401, "TOKEN_REVOKED")
        slowest = max(slowest, time.perf_counter() - revoked)
    assert slowest <= 1


@sized((50, 1_000), (2, 4))
def test_no_expired_token_is_accepted_a_second_later(workers: Sequence[Served], count: int) -> None:
    life, began = timedelta(seconds=3), datetime.now(UTC)
    secrets = workers[0].mint_many([("ada", frozenset({Permission.INTENTS_READ}))] * count, 3, began)
    clients = itertools.cycle([server.client() for server in workers])
    assert next(clients).ask("GET", "/api/v1/auth/verify", token=secrets[0]).status == 200
    time.sleep(max(0, (began + life + timedelta(seconds=1) - datetime.now(UTC)).total_seconds()))
    answers = [next(clients).ask("GET", "/api/v1/auth/verify", token=secret) for secret in secrets]
    assert {(answer.status, answer.code) for answer in answers} == {(401, "TOKEN_EXPIRED")}


def test_the_codes_tell_only_who_has_the_token(server: Served) -> None:
    secret = server.mint("ada", life_s=1, now=datetime(2026, 1, 1, tzinfo=UTC))
    client = server.client()
    assert client.ask("GET", "/api/v1/auth/verify", token=secret).code == "TOKEN_EXPIRED"
    for other in (new_secret(), secret[:-1] + ("0" if secret[-1] != "0" else "1"), secret.swapcase()):
        told = client.ask("GET", "/api/v1/auth/verify", token=other).code
        assert told in ("INVALID_TOKEN", "AUTHENTICATION_FAILED")
