"""S3: a token gives what it has, and nothing more."""

import itertools
from pathlib import Path

import pytest

from flare_core.adapters.gateway.tokens import Permission
from tests.gateway.security.served import UNLIMITED, Served, served

SETS = [frozenset(itertools.compress(Permission, bits)) for bits in itertools.product((0, 1), repeat=6)]


@pytest.mark.parametrize(
    "step", [pytest.param(7, id="reduced"), pytest.param(1, id="t1", marks=pytest.mark.t1)]
)
def test_no_token_makes_one_that_may_more(server: Served, step: int) -> None:
    tokens = dict(zip(SETS, server.mint_many([("emma", own) for own in SETS]), strict=True))
    client, wrong, cases = server.client(), [], 0
    for own, wanted in list(itertools.product(SETS, SETS))[::step]:
        body = {"name": "child", "permissions": sorted(wanted)}
        answer = client.ask("POST", "/api/v1/auth/tokens", json=body, token=tokens[own])
        may = "admin:*" in own or ("tokens:manage" in own and wanted <= own)
        # A token for nothing is refused as such, to whom may make tokens at all.
        expected = (201 if wanted else 400) if may else 403
        got = {*answer.json["permissions"]} if answer.status == 201 else {*wanted}
        cases += 1
        if answer.status != expected or got != wanted:
            wrong.append((sorted(own), sorted(wanted), expected, answer.status))
    assert not wrong
    assert step > 1 or cases == 4096


def test_only_an_administrator_makes_tokens_for_others(server: Served) -> None:
    body = {"name": "child", "user_id": "fred", "permissions": ["tokens:manage"]}
    manager = server.client(server.mint("emma", Permission.TOKENS_MANAGE))
    assert manager.ask("POST", "/api/v1/auth/tokens", json=body).status == 403
    assert manager.ask("POST", "/api/v1/auth/tokens", json=body | {"user_id": "emma"}).status == 201
    admin = server.client(server.mint("root", Permission.ADMIN))
    made = admin.ask("POST", "/api/v1/auth/tokens", json=body)
    assert made.status == 201
    assert server.client(made.json["token"]).ask("GET", "/api/v1/auth/verify").json["user"] == "fred"


@pytest.mark.parametrize("life", ["366d", "2y", "1y1s", "0s", "-1d", "1e9d", "", 90, True])
def test_a_life_is_at_most_a_year(server: Served, life: object) -> None:
    admin = server.client(server.mint("root"))
    answer = admin.ask("POST", "/api/v1/auth/tokens", json={"name": "child", "expires_in": life})
    assert (answer.status, answer.code) == (400, "INVALID_FORMAT")
    assert admin.ask("POST", "/api/v1/auth/tokens", json={"name": "child", "expires_in": "1y"}).status == 201


@pytest.mark.t1
def test_no_child_outlives_the_stated_maximum(tmp_path: Path) -> None:
    with served(tmp_path, token_life_max_s=3600, token_life_s=3600, **UNLIMITED) as server:
        admin = server.client(server.mint("root", life_s=3600))
        for life, status in (("1h", 201), ("3601s", 400), ("90d", 400)):
            answer = admin.ask("POST", "/api/v1/auth/tokens", json={"name": "child", "expires_in": life})
            assert answer.status == status
        assert admin.ask("POST", "/api/v1/auth/tokens", json={"name": "child"}).status == 201
