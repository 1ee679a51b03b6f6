"""S12: what is secret leaves the gateway nowhere: logs at DEBUG, errors, metrics, resources."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.worlds import federation, service
from tests.gateway.ops.served import Served, served

CANARY = "canary-5f0e9b"
"""A word that is a legal name of a secret, so that it comes as far as it can."""
NUMBERS = count()


def intent(**workload: Any) -> dict[str, Any]:
    """An intent with a canary wherever a secret may stand."""
    document = service(f"chat-{next(NUMBERS)}")
    document["intent"]["workload"] |= {
        "env": [f"PASSWORD={CANARY}-env"],
        "commands": [f"run --password {CANARY}-command"],
        "secrets": [{"name": f"{CANARY}-name", "env": "HF_TOKEN"}],
        "storage": {
            "volumes": [
                {
                    "name": "data",
                    "size": "1Gi",
                    "type": "temporary",
                    "path": "/data",
                    "source": {"type": "s3", "uri": "s3://data/x", "credentials": f"{CANARY}-credentials"},
                }
            ]
        },
        **workload,
    }
    return document


WRONG: dict[str, Any] = {
    "env without =": {"env": [f"{CANARY}"]},
    "env with a bad name": {"env": [f"1A={CANARY}"]},
    "env twice": {"env": [f"A={CANARY}", f"A={CANARY}"]},
    "env an object": {"env": {"A": CANARY}},
    "env of objects": {"env": [{"A": CANARY}]},
    "secrets a text": {"secrets": CANARY},
    "a secret with a bad name": {"secrets": [{"name": f"{CANARY}!", "env": "A"}]},
    "a secret with a bad variable": {"secrets": [{"name": CANARY, "env": f"{CANARY}="}]},
    "a secret in env too": {"env": [f"A={CANARY}"], "secrets": [{"name": CANARY, "env": "A"}]},
    "an image that is none": {"image": "UPPER CASE"},
    "a type that is none": {"type": "canary"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("canaries")
    offers = federation()
    for offer in offers["offers"]:
        offer["storage"] = "2Ti"
    offers["offers"].append({"id": f"{CANARY}-offer", "provider": 3})  # a bad row of a provider's price file
    (folder / "offers.json").write_text(json.dumps(offers))
    with served(folder, "--log-level", "debug") as server:
        server.ready()
        yield server


@pytest.fixture
def http(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=server.url, headers={"Authorization": f"Bearer {server.token()}"}, timeout=60
    ) as client:
        yield client


def hits(server: Served, *answers: httpx.Response) -> list[str]:
    """Where a canary is to be seen."""
    found = [answer.text for answer in answers if CANARY in answer.text]
    found += [str(answer.headers) for answer in answers if CANARY in str(answer.headers)]
    return found + [line for line in server.errors.read_text().splitlines() if CANARY in line]


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_secret_does_not_tell_it(
    server: Served, http: httpx.Client, wrong: dict[str, Any]
) -> None:
    answers = [http.post("/api/v1/intents", json=intent(**wrong))]
    answers.append(http.post("/api/v1/intents", params={"dry_run": "true"}, json=intent(**wrong)))
    assert {answer.status_code for answer in answers} == {400}
    assert not hits(server, *answers)


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {CANARY}", f"Basic {CANARY}", f"Bearer flr_{CANARY}", CANARY, f"Bearer flr_{'A' * 39}"],
)
def test_a_bad_authorization_is_not_repeated(server: Served, authorization: str) -> None:
    answer = server.get("/api/v1/intents", Authorization=authorization)
    assert answer.status_code == 401
    assert not hits(server, answer)
    assert "A" * 39 not in server.errors.read_text()


def test_the_life_of_an_intent_tells_no_secret(server: Served, http: httpx.Client) -> None:
    """Accepted, refused, cancelled, twice under one key: canaries come back to nobody."""
    key = {"Idempotency-Key": f"key-{next(NUMBERS)}"}
    document = intent()
    made = http.post("/api/v1/intents", json=document, headers=key)
    assert made.status_code == 201
    path = f"/api/v1/intents/{made.json()['intent_id']}"
    dear = intent()
    dear["intent"]["constraints"] = {"max_hourly_cost": "0.01 EUR"}
    answers = [
        made,
        http.post("/api/v1/intents", json=document, headers=key),
        http.post("/api/v1/intents", json=intent(), headers=key),
        http.post("/api/v1/intents", json=document),
        http.post("/api/v1/intents", json=dear),
        http.post("/api/v1/intents", params={"dry_run": "true"}, json=dear),
        http.get(path),
        http.get(f"{path}/explanation"),
        http.get("/api/v1/intents"),
        http.delete(path),
        http.get("/api/v1/resources"),
        http.get("/metrics"),
        http.get("/readyz"),
        http.get("/api/v1/auth/verify"),
        http.get("/api/v1/auth/tokens"),
        http.get("/openapi.json"),
        http.post("/api/v1/intents", content=f'{{"{CANARY}": '),
        http.get("/api/v1/intents", params={"cursor": "x"}),
    ]
    assert {answer.status_code for answer in answers} <= {200, 201, 202, 400, 402, 409, 415, 422}
    assert not hits(server, *answers)


def test_the_log_has_lines_that_are_searched(server: Served, http: httpx.Client) -> None:
    token = http.headers["Authorization"].removeprefix("Bearer ")
    http.get("/api/v1/intents")
    routes = {event.get("route") for event in server.log()}
    assert {"submitIntent", "listIntents"} <= routes
    assert token not in server.errors.read_text()


def test_a_store_that_fails_tells_no_statement(tmp_path: Path) -> None:
    """Statements carry documents; a store that breaks in the middle must not make them a log's."""
    with served(tmp_path, "--log-level", "debug") as server:
        server.ready()
        headers = {"Authorization": f"Bearer {server.token()}"}
        for path in tmp_path.glob("flare.db*"):
            path.write_bytes(b"no database any more" * 1000)
        answer = httpx.post(f"{server.url}/api/v1/intents", json=intent(), headers=headers, timeout=60)
        assert answer.status_code == 503
        assert not hits(server, answer)
        assert "INSERT" not in server.errors.read_text()
