"""Every public code, brought about over HTTP by what a client or the world does."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url, select, update

from flare_core.adapters.gateway.errors import GatewayCode
from flare_core.adapters.gateway.http.errors import STATUS, WORDS
from flare_core.adapters.gateway.http.models import Error, Problem
from flare_core.adapters.gateway.limits import set_quota
from flare_core.adapters.gateway.settings import Limit, Quota
from flare_core.adapters.gateway.store.tables import intents
from flare_core.adapters.gateway.tokens import Permission, new_secret
from flare_core.errors import ErrorCode
from tests.gateway.http.conftest import People, Serve
from tests.gateway.http.site import Site, intent

SUBMIT = "/api/v1/intents"


def refused(answer: httpx.Response, code: str) -> Error:
    """Check an error's code, status and shape; return it."""
    error = Error.model_validate_json(answer.content)
    assert (error.error_code, error.code) == (code, code), answer.text
    assert answer.status_code == STATUS[code]
    assert error.error == WORDS[answer.status_code]
    assert error.request_id == answer.headers["x-request-id"]
    assert answer.headers["content-type"] == "application/json"
    return error


# --- what an intent is refused for ----------------------------------------------------------------------

REFUSALS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("INSUFFICIENT_RESOURCES", {"constraints": {"security": {"vpn_access": True}}}),
    ("GPU_MODEL_UNAVAILABLE", {"model": "amd-mi300x"}),
    ("GPU_MEMORY_INSUFFICIENT", {"gpu": {"memory": "500Gi"}}),
    ("GPU_COUNT_INSUFFICIENT", {"count": 16}),
    ("COST_LIMIT_EXCEEDED", {"constraints": {"max_hourly_cost": "0.01 EUR"}}),
    ("REGION_UNAVAILABLE", {"constraints": {"location": "Japan"}}),
)


@pytest.mark.parametrize(("code", "asked"), REFUSALS, ids=[code for code, _ in REFUSALS])
def test_an_intent_that_cannot_be_placed_is_refused_and_leaves_nothing(
    code: str, asked: dict[str, Any], ada: httpx.Client
) -> None:
    error = refused(ada.post(SUBMIT, json=intent("refused", **asked)), code)
    assert error.message
    assert all(each for each in error.conflicts)
    assert ada.get(SUBMIT).json()["intents"] == []


def test_a_refusal_comes_with_suggestions_that_exist(ada: httpx.Client) -> None:
    """Half the price is not to be had, and what is to be had is told."""
    answer = ada.post(SUBMIT, json=intent("cheap", constraints={"max_hourly_cost": "2 EUR"}))
    error = refused(answer, "GPU_MODEL_UNAVAILABLE")
    assert error.conflicts == (("workload.resources.gpu.model", "constraints.max_hourly_cost"),)
    assert error.suggestions
    assert all(each.alternative for each in error.suggestions)


def test_a_quota_is_a_bound(site: Site, person: People) -> None:
    client = person(name="poor")
    with site.gateway.store.write() as connection:
        set_quota(connection, "poor", Quota(gpus=1), datetime.now(UTC))
    answer = client.post(SUBMIT, json=intent("much", count=2))
    refused(answer, "QUOTA_EXCEEDED")
    assert int(answer.headers["retry-after"]) >= 1


# --- what is wrong with a request -----------------------------------------------------------------------


def test_what_is_no_json(ada: httpx.Client) -> None:
    answer = ada.post(SUBMIT, content=b'{"intent": ', headers={"Content-Type": "application/json"})
    refused(answer, "INVALID_FORMAT")


def test_what_is_wrong_is_told_with_its_path(ada: httpx.Client) -> None:
    error = refused(ada.post(SUBMIT, json=intent("typo", constraints={"locaton": "EU"})), "INVALID_FORMAT")
    assert error.path == "constraints.locaton"
    assert "location" in error.message


def test_what_is_missing(ada: httpx.Client) -> None:
    error = refused(
        ada.post(SUBMIT, json={"intent": {"objective": "Cost_Minimization"}}), "MISSING_REQUIRED_FIELD"
    )
    assert error.path == "workload"
    error = refused(ada.post("/api/v1/auth/tokens", json={}), "MISSING_REQUIRED_FIELD")
    assert error.path == "name"


@pytest.mark.parametrize(
    "path", ["/api/v1/intents/intent-0", "/api/v1/nothing", "/api/v1/intents/", "/docs/x"]
)
def test_what_does_not_exist(path: str, ada: httpx.Client) -> None:
    refused(ada.get(path), "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", SUBMIT, "GET, HEAD, POST"),
        ("POST", "/api/v1/intents/intent-0", "DELETE, GET, HEAD"),
        ("OPTIONS", "/healthz", "GET, HEAD"),
        ("TRACE", "/api/v1/auth/tokens/tok_0", "DELETE"),
    ],
)
def test_methods_that_a_path_does_not_have(
    method: str, path: str, allowed: str, site_http: httpx.Client
) -> None:
    answer = site_http.request(method, path)
    refused(answer, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == allowed


def test_a_body_that_is_too_large(ada: httpx.Client) -> None:
    answer = ada.post(SUBMIT, content=b" " * (2**20 + 1), headers={"Content-Type": "application/json"})
    refused(answer, "PAYLOAD_TOO_LARGE")


def test_a_body_that_is_not_said_to_be_json(ada: httpx.Client) -> None:
    refused(ada.post(SUBMIT, content=b"{}"), "UNSUPPORTED_MEDIA_TYPE")


def test_a_key_of_another_request(ada: httpx.Client) -> None:
    headers = {"Idempotency-Key": "mine"}
    assert ada.post(SUBMIT, json=intent("a"), headers=headers).status_code == 201
    refused(ada.post(SUBMIT, json=intent("b"), headers=headers), "IDEMPOTENCY_KEY_REUSED")


def test_a_name_that_is_taken(ada: httpx.Client) -> None:
    assert ada.post(SUBMIT, json=intent("twice")).status_code == 201
    refused(ada.post(SUBMIT, json=intent("twice")), "CONFLICT")


# --- who asks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "INVALID_TOKEN"),
        ("Bearer flr_nonsense", "INVALID_TOKEN"),
        ("Bearer " + new_secret(), "INVALID_TOKEN"),
        ("Bearer flr_" + "x" * 15_000, "INVALID_TOKEN"),
        ("Basic dXNlcjpwYXNz", "AUTHENTICATION_FAILED"),
        ("Bearer", "AUTHENTICATION_FAILED"),
        ("Bearer ghp_1234567890abcdef", "AUTHENTICATION_FAILED"),
        ("flr_1234567890abcdef", "AUTHENTICATION_FAILED"),
    ],
    ids=["none", "nonsense", "unknown", "long", "basic", "empty", "another's", "no-scheme"],
)
def test_who_is_not_known(header: str | None, code: str, site_http: httpx.Client) -> None:
    answer = site_http.get("/api/v1/auth/verify", headers={"Authorization": header} if header else {})
    refused(answer, code)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_that_has_expired(site: Site) -> None:
    secret = site.mint("ada", life_s=60, now=datetime.now(UTC) - timedelta(seconds=61))
    with site.client(secret) as client:
        refused(client.get("/api/v1/auth/verify"), "TOKEN_EXPIRED")


def test_a_token_that_was_revoked(ada: httpx.Client) -> None:
    own = ada.get("/api/v1/auth/verify").json()["token_id"]
    assert ada.delete(f"/api/v1/auth/tokens/{own}").status_code == 200
    refused(ada.get("/api/v1/auth/verify"), "TOKEN_REVOKED")


def test_a_token_that_is_not_good_for_this(person: People) -> None:
    answer = person(Permission.INTENTS_READ).post(SUBMIT, json=intent("no"))
    refused(answer, "INSUFFICIENT_PERMISSIONS")


# --- what the gateway cannot ----------------------------------------------------------------------------


def test_too_many_requests(serve: Serve) -> None:
    with serve(ready=False, per_token=Limit(60, 60, 3)) as served, served.user("ada") as client:
        answers = [client.get("/api/v1/auth/verify") for _ in range(6)]
        assert [each.status_code for each in answers[:3]] == [200] * 3
        refused(answers[-1], "RATE_LIMITED")
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """Hold the store as another program might: nobody else can write."""
    path = make_url(site.gateway.settings.store_url).database
    assert path
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    yield
    holder.execute("ROLLBACK")
    holder.close()


def test_a_store_that_cannot_be_written(serve: Serve) -> None:
    with serve(store_wait_s=0.1) as served, served.user("ada") as client:
        with locked(served):
            answer = client.post(SUBMIT, json=intent("never"))
            refused(answer, "UNAVAILABLE")
            assert int(answer.headers["retry-after"]) >= 1
            assert client.get(SUBMIT).json()["intents"] == []
            assert served.http.get("/readyz").json()["checks"]["store"] == "not ok"
        assert client.post(SUBMIT, json=intent("again")).status_code == 201


def test_a_queue_that_is_full(serve: Serve) -> None:
    """Two wait for each other's window to be solved together; a third is sent away."""
    with (
        serve(ready=False, queue_bound=2, batch_window_s=30.0, submit_wait_s=0.0) as served,
        served.user("ada") as client,
    ):
        accepted = [client.post(SUBMIT, json=intent(name)).status_code for name in ("a", "b")]
        assert accepted == [202, 202]
        until = datetime.now(UTC) + timedelta(seconds=20)
        answer = client.post(SUBMIT, json=intent("c"))
        assert datetime.now(UTC) < until
        refused(answer, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1


def test_what_nobody_meant_tells_nothing_but_the_request(site: Site, ada: httpx.Client) -> None:
    """A row that somebody has damaged."""
    location = ada.post(SUBMIT, json=intent("damaged")).headers["location"]
    row = intents.c.id == location.rsplit("/", 1)[1]
    with site.gateway.store.write() as connection:
        whole = connection.execute(select(intents.c.document).where(row)).scalar_one()
        connection.execute(update(intents).where(row).values(document='{"secret": '))
    try:
        error = refused(ada.get(location), "INTERNAL")
    finally:
        with site.gateway.store.write() as connection:
            connection.execute(update(intents).where(row).values(document=whole))
    assert error.message == f"internal error, see {error.request_id}"


def test_every_code_has_one_status_and_a_word() -> None:
    assert set(STATUS) == {*ErrorCode, *GatewayCode}
    assert set(STATUS.values()) <= set(WORDS)


def test_every_code_is_brought_about_here() -> None:
    text = Path(__file__).read_text()
    assert [code for code in STATUS if f'"{code}"' not in text] == []


# --- problem details ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "is_problem"),
    [
        ("application/problem+json", True),
        ("application/json, application/problem+json", True),
        ("application/problem+json;q=0.5, application/json", False),
        ("application/problem+json;q=0", False),
        ("*/*", False),
        ("application/json", False),
        ("application/problem+json;q=x", False),
    ],
)
def test_problem_details_for_those_who_ask(accept: str, is_problem: bool, site_http: httpx.Client) -> None:
    answer = site_http.get("/nothing", headers={"Accept": accept})
    assert (answer.headers["content-type"] == "application/problem+json") is is_problem
    assert answer.headers["vary"] == "Accept"
    if is_problem:
        problem = Problem.model_validate_json(answer.content)
        assert (problem.status, problem.error_code) == (404, "NOT_FOUND")
        assert problem.type == "/docs/errors#NOT_FOUND"
        assert problem.detail == problem.message
        assert problem.instance.endswith(answer.headers["x-request-id"])
