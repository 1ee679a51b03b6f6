"""One gateway for all tests of the clients; each test has a user of its own."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from flare_core.adapters.gateway.tokens import Permission
from tests.cli.worlds import federation
from tests.client.both import KINDS, Driven, driven
from tests.gateway.ops.served import Served, served

USERS = count()
OWN = frozenset(Permission) - {Permission.ADMIN}


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("client")
    offers = federation()
    for offer in offers["offers"]:
        offer["nodes"] = None  # enough for every test
    (folder / "offers.json").write_text(json.dumps(offers))
    with served(folder, FLARE_POLL_S="0.05", FLARE_SUBMIT_WAIT_S="30") as server:
        server.ready()
        yield server


@pytest.fixture
def user() -> str:
    return f"user-{next(USERS)}"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def token(gateway: Served, user: str) -> str:
    return gateway.token(*OWN, user=user)


@pytest.fixture
def flare(gateway: Served, kind: str, token: str) -> Iterator[Driven]:
    with driven(kind, gateway.url, token, timeout_s=60.0) as client:
        yield client


@pytest.fixture
def quick() -> dict[str, Any]:
    return {"timeout_s": 60.0}
