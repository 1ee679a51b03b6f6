"""Idempotency keys over HTTP: one effect, one answer, byte for byte."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import httpx
import pytest
from sqlalchemy import Connection

from flare_core.adapters.gateway.errors import UnavailableError
from tests.gateway.http.conftest import People, Serve
from tests.gateway.http.site import intent

SUBMIT = "/api/v1/intents"


def key(text: str = "k") -> dict[str, str]:
    return {"Idempotency-Key": text}


def test_a_replay_says_what_was_said(ada: httpx.Client) -> None:
    first, again = (ada.post(SUBMIT, json=intent("once"), headers=key()) for _ in range(2))
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(ada.get(SUBMIT).json()["intents"]) == 1


def test_a_replay_says_what_was_said_even_when_it_is_no_longer_so(ada: httpx.Client) -> None:
    first = ada.post(SUBMIT, json=intent("gone"), headers=key())
    ada.delete(first.headers["location"])
    assert ada.post(SUBMIT, json=intent("gone"), headers=key()).content == first.content


@pytest.mark.parametrize("accept", ["application/json", "application/problem+json"])
def test_a_refusal_is_replayed_too(accept: str, ada: httpx.Client) -> None:
    dear = intent("dear", constraints={"max_hourly_cost": "0.01 EUR"})
    first, again = (ada.post(SUBMIT, json=dear, headers=key() | {"Accept": accept}) for _ in range(2))
    assert first.status_code == 402
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"] == accept
    assert again.headers["idempotent-replayed"] == "true"


def test_a_key_is_its_users_own(person: People) -> None:
    first, second = (person().post(SUBMIT, json=intent("mine"), headers=key()) for _ in range(2))
    assert first.json()["intent_id"] != second.json()["intent_id"]


def test_a_key_is_good_for_one_body_only(ada: httpx.Client) -> None:
    ada.post(SUBMIT, json=intent("a"), headers=key())
    other = ada.post(SUBMIT, json=intent("b"), headers=key())
    assert (other.status_code, other.json()["error_code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    elsewhere = ada.post("/api/v1/auth/tokens", json=intent("a"), headers=key())
    assert elsewhere.status_code == 400  # what is wrong in itself says so first


def test_what_is_refused_before_it_counts_consumes_nothing(person: People, site_http: httpx.Client) -> None:
    client = person()
    assert site_http.post(SUBMIT, json=intent("x"), headers=key()).status_code == 401
    assert client.post(SUBMIT, json=intent("x", constraints={"typo": 1}), headers=key()).status_code == 400
    assert client.post(SUBMIT, content=b"{", headers=key()).status_code == 415
    assert client.post(SUBMIT, json=intent("x"), params={"dry_run": "true"}, headers=key()).status_code == 200
    assert client.post(SUBMIT, json=intent("x"), headers=key()).status_code == 201


def test_a_conflict_consumes_nothing(ada: httpx.Client) -> None:
    taken = ada.post(SUBMIT, json=intent("name"))
    assert ada.post(SUBMIT, json=intent("name"), headers=key()).status_code == 409
    ada.delete(taken.headers["location"])
    assert ada.post(SUBMIT, json=intent("name"), headers=key()).status_code == 201


@pytest.mark.parametrize("bad", ["", "x" * 256, "a\tb"])
def test_keys_that_are_none(bad: str, ada: httpx.Client) -> None:
    answer = ada.post(SUBMIT, json=intent("bad"), headers=key(bad))
    assert (answer.status_code, answer.json()["path"]) == (400, "Idempotency-Key")


def test_the_longest_key_is_one(ada: httpx.Client) -> None:
    assert ada.post(SUBMIT, json=intent("long"), headers=key("x" * 255)).status_code == 201


def test_two_keys_are_none(ada: httpx.Client) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert ada.post(SUBMIT, json=intent("two"), headers=headers).status_code == 400


def test_of_requests_at_the_same_time_one_counts(serve: Serve) -> None:
    """While the first waits for its window to end the others are told so; later they hear its answer."""
    with serve(batch_window_s=1.0) as served, served.user("ada") as client:
        with ThreadPoolExecutor(6) as pool:
            answers = list(
                pool.map(lambda _: client.post(SUBMIT, json=intent("race"), headers=key()), range(6))
            )
        done = [each for each in answers if each.status_code == 201]
        flying = [each for each in answers if each.status_code == 409]
        assert len(done) >= 1
        assert len(done) + len(flying) == 6
        assert len({each.content for each in done}) == 1
        assert all(each.headers["retry-after"] == "1" for each in flying)
        assert client.post(SUBMIT, json=intent("race"), headers=key()).content == done[0].content
        assert len(client.get(SUBMIT).json()["intents"]) == 1


def test_a_token_is_made_once_and_shown_once(ada: httpx.Client) -> None:
    first, again = (ada.post("/api/v1/auth/tokens", json={"name": "t"}, headers=key()) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 409)
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json()["token"] not in again.text
    assert len(ada.get("/api/v1/auth/tokens").json()["tokens"]) == 2
    other = ada.post("/api/v1/auth/tokens", json={"name": "u"}, headers=key())
    assert other.status_code == 422


def test_a_token_that_is_refused_consumes_nothing(ada: httpx.Client) -> None:
    wanted = {"name": "t", "permissions": ["admin:*"]}
    assert ada.post("/api/v1/auth/tokens", json=wanted, headers=key()).status_code == 403
    assert ada.post("/api/v1/auth/tokens", json={"name": "t"}, headers=key()).status_code == 201


def test_what_was_accepted_is_never_said_to_be_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store fails between the solver's refusal and its answer: a failure then, for all to see."""
    with serve() as served, served.user("ada") as client:
        store = served.gateway.store
        write = store.write

        def failing(name: str = "") -> AbstractContextManager[Connection]:
            if name == "withdraw":
                raise UnavailableError
            return write(name)

        monkeypatch.setattr(store, "write", failing)
        dear = intent("dear", constraints={"max_hourly_cost": "0.01 EUR"})
        answer = client.post(SUBMIT, json=dear)
        assert (answer.status_code, answer.json()["status"]) == (202, "failed")
        told = client.get(answer.headers["location"]).json()
        assert (told["status"], told["error"]["error_code"]) == ("failed", "COST_LIMIT_EXCEEDED")
        assert client.post(SUBMIT, json=dear, headers=key()).status_code == 503  # ask again, with the key
