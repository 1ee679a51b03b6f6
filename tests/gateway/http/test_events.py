"""Server-sent events: in order, each once, taken up where they broke off, cut with the token."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from flare_core.adapters.gateway.http.models import EventData
from tests.gateway.http.conftest import People
from tests.gateway.http.site import Site, intent

SUBMIT = "/api/v1/intents"
Told = tuple[int, dict[str, Any]]


@contextmanager
def events(client: httpx.Client, path: str, last: int | None = None) -> Iterator[Iterator[Told]]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield parsed(answer.iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[Told]:
    event: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            assert event["event"] == "status"
            EventData.model_validate_json(event["data"])
            yield int(event["id"]), json.loads(event["data"])
            event = {}


def submitted(client: httpx.Client, name: str) -> str:
    answer = client.post(SUBMIT, json=intent(name))
    assert answer.status_code == 201
    return str(answer.headers["location"])


def test_an_intent_tells_its_life_to_the_end(ada: httpx.Client) -> None:
    location = submitted(ada, "life")
    with events(ada, f"{location}/events") as told:
        seen = [next(told)]
        while seen[-1][1]["state"] != "running":
            seen.append(next(told))
        ada.delete(location)
        seen += told  # ends by itself
    assert [data["state"] for _, data in seen] == ["pending", "reserved", "running", "cancelled"]
    assert [data["version"] for _, data in seen] == [1, 2, 3, 4]
    assert [number for number, _ in seen] == sorted({number for number, _ in seen})
    assert {data["intent_id"] for _, data in seen} == {location.rsplit("/", 1)[1]}


def test_a_stream_goes_on_where_it_broke_off(ada: httpx.Client) -> None:
    location = submitted(ada, "broken")
    ada.delete(location)
    path = f"{location}/events"
    with events(ada, path) as told:
        whole = list(told)
    for cut in range(len(whole) - 1):
        with events(ada, path, whole[cut][0]) as told:
            assert list(told) == whole[cut + 1 :]
    over = ada.get(path, headers={"Last-Event-ID": str(whole[-1][0])})
    assert (over.status_code, over.content) == (204, b"")


def test_a_user_hears_of_all_their_intents_and_of_no_others(person: People) -> None:
    client, other = person(), person()
    with events(client, "/api/v1/events", 0) as told:
        mine = submitted(client, "mine")
        submitted(other, "theirs")
        client.delete(mine)
        seen = [next(told)]
        while seen[-1][1]["status"] != "cancelled":
            seen.append(next(told))
    assert {data["intent_id"] for _, data in seen} == {mine.rsplit("/", 1)[1]}


def test_without_a_number_a_user_hears_what_happens_from_now_on(ada: httpx.Client) -> None:
    ada.delete(submitted(ada, "before"))
    with events(ada, "/api/v1/events") as told:
        after = submitted(ada, "after")
        first = next(told)
    assert (first[1]["intent_id"], first[1]["version"]) == (after.rsplit("/", 1)[1], 1)


def test_a_revoked_token_ends_its_streams(site: Site, person: People) -> None:
    client = person()
    own = client.get("/api/v1/auth/verify").json()["token_id"]
    with events(client, "/api/v1/events") as told:
        client.delete(f"/api/v1/auth/tokens/{own}")
        assert list(told) == []
    assert client.get("/api/v1/events").json()["error_code"] == "TOKEN_REVOKED"
    assert site.app.state.desk.streams == 0


@pytest.mark.parametrize("last", ["-1", "x", "1.5", "9" * 30, "٣"])
def test_numbers_of_events_that_are_none(last: str, ada: httpx.Client) -> None:
    answer = ada.get("/api/v1/events", headers=[(b"Last-Event-ID", last.encode())])
    assert (answer.status_code, answer.json()["path"]) == (400, "Last-Event-ID")


def test_a_head_of_a_stream_opens_none(ada: httpx.Client, site: Site) -> None:
    answer = ada.head("/api/v1/events")
    assert answer.status_code == 200
    assert site.app.state.desk.streams == 0


def test_fifty_streams_are_told_at_once(person: People) -> None:
    client = person()
    location = submitted(client, "watched")
    answers = [client.send(client.build_request("GET", f"{location}/events"), stream=True) for _ in range(50)]
    client.delete(location)
    for answer in answers:
        assert list(parsed(answer.iter_lines()))[-1][1]["status"] == "cancelled"
        answer.close()
