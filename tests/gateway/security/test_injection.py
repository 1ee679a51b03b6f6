"""S10: what users send is carried, never followed and never run; S11: nor does it write into the log."""

import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from flare_core.adapters.gateway.http.openapi import document
from flare_core.adapters.gateway.http.table import OPERATIONS
from tests.gateway.promises.launch import await_true
from tests.gateway.security.hostile import addresses, payloads
from tests.gateway.security.served import Client, Served, changed, intent

SUBMIT = "/api/v1/intents"
REFUSED = {400, 413, 415, 422, 431}
DONE = {"running", "failed", "completed", "cancelled"}


@contextmanager
def sentinel() -> Iterator[tuple[int, list[object]]]:
    """Listen; whoever connects is noted."""
    came: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    connection, peer = listening.accept()
                except OSError:
                    return
                came.append(peer)
                connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1], came
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def stored(server: Served, user: str) -> dict[str, dict[str, Any]]:
    """Return the documents of a user by the name of their workload."""
    with closing(sqlite3.connect(server.store_url.removeprefix("sqlite:///"), timeout=30)) as store:
        rows = store.execute('SELECT name, document FROM intents WHERE "user" = ?', (user,)).fetchall()
    documents = {name: json.loads(text) for name, text in rows}
    return {name: document.get("intent", document) for name, document in documents.items()}


def at(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document[int(part)] if isinstance(document, list) else document.get(part)
    return document


# --- where to -------------------------------------------------------------------------------------------


def around(path: str, value: str, name: str) -> dict[str, Any]:
    """Return an intent that is good but for the value."""
    document = intent(name)
    if "volumes" in path:
        source = {
            "type": "azure" if value.startswith(("az", "http", "ab", "wa")) else "s3",
            "credentials": "key",
        }
        volume = {"name": "data", "size": "1Gi", "type": "temporary", "path": "/data"}
        if path.endswith((".uri", ".credentials")):
            volume["source"] = source | {"uri": "s3://data/x"}  # type: ignore[assignment]  # a document
        document = changed(document, "workload.storage.volumes", [volume])
    if "ports" in path:
        document = changed(document, "workload.ports", [{"port": 80, "expose": True}])
    if "secrets" in path:
        document = changed(document, "workload.secrets", [{"name": "token", "env": "TOKEN"}])
    return changed(document, path, value)


@pytest.mark.parametrize(
    "step", [pytest.param(10, id="reduced"), pytest.param(1, id="t1", marks=pytest.mark.t1)]
)
def test_no_host_that_a_user_names_is_asked(server: Served, step: int) -> None:
    """Neither looked up nor connected to, by no process of the gateway, until the intent runs."""
    with sentinel() as (port, came):
        client, made = server.client(server.mint(f"hosts-{step}")), []
        tried = list(addresses(port))[::step]
        for number, (path, value) in enumerate(tried):
            answer = client.ask("POST", SUBMIT, json=around(path, value, f"to-{number}"))
            assert answer.status in REFUSED | {201, 202}
            made += [answer.json["intent_id"]] if answer.status < 300 else []
        assert made
        await_true(lambda: all(state_of(client, each) in DONE for each in made), 120, every_s=0.2)
        assert came == []
        assert server.connections == []
    assert step > 1 or len(tried) >= 200


def test_the_watch_would_have_seen_it(tmp_path: Path) -> None:
    """A process that is started as the gateway is, and connects, is noted."""
    import os
    import subprocess
    import sys

    from tests.gateway.security.served import WATCH

    notes = tmp_path / "connections"
    script = "import socket; socket.create_connection(('127.0.0.1', PORT)).close()"
    with sentinel() as (port, came):
        environment = os.environ | {"PYTHONPATH": str(WATCH), "FLARE_TEST_CONNECTIONS": str(notes)}
        command = [sys.executable, "-c", script.replace("PORT", str(port))]
        subprocess.run(command, env=environment, check=True)
        await_true(lambda: bool(came), 5)
    assert "socket.connect" in notes.read_text()


def state_of(client: Client, name: str) -> str:
    status: str = client.ask("GET", f"{SUBMIT}/{name}").json["status"]
    return status


# --- what -----------------------------------------------------------------------------------------------

API = document(OPERATIONS, version="0")


def texts(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the paths of all texts that a schema has."""
    while "$ref" in schema:
        schema = API["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema.get("type") == "string":
        yield path
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from texts(each, path)
    inside = schema.get("properties", {}) | ({"0": schema["items"]} if "items" in schema else {})
    for name, each in inside.items():
        yield from texts(each, f"{path}.{name}".lstrip("."))


BODY = API["paths"][SUBMIT]["post"]["requestBody"]["content"]["application/json"]["schema"]
TEXTS = sorted({path.removeprefix("intent.") for path in texts(BODY)})


def test_every_text_of_an_intent_is_tried() -> None:
    some = {
        "workload.commands.0",
        "workload.resources.gpu.topology",
        "constraints.security.firewall_rules.0.source",
    }
    assert some <= {*TEXTS}
    assert len(TEXTS) >= 60


@pytest.mark.parametrize(
    "count", [pytest.param(8, id="reduced"), pytest.param(500, id="t1", marks=pytest.mark.t1)]
)
def test_a_text_is_refused_or_kept_as_it_is(server: Served, count: int) -> None:
    """Whatever is accepted stands in the stored document, letter for letter."""
    wanted, workers = payloads(count), 3
    assert len(wanted) == count
    token = server.mint(f"texts-{count}")

    def work(number: int) -> list[tuple[str, str, str]]:
        client, kept = server.client(token), []
        for index, path in enumerate(TEXTS[number::workers]):
            for each, payload in enumerate(wanted):
                value = f"KEY={payload}" if path == "workload.env.0" else payload
                name = f"w{number}-{index}-{each}"
                answer = client.ask("POST", SUBMIT, json=around(path, value, name))
                # 409: the same name again, or nothing there is such; both are refusals.
                assert answer.status in REFUSED | {201, 202, 402, 409}, (path, value, answer)
                if answer.status in (201, 202):
                    kept.append((value if path == "workload.name" else name, path, value))
        return kept

    with ThreadPoolExecutor(workers) as pool:
        kept = [each for found in pool.map(work, range(workers)) for each in found]
    documents = stored(server, f"texts-{count}")
    assert not [(path, value) for name, path, value in kept if at(documents[name], path) != value]
    assert len(kept) > count  # commands alone take every text


@pytest.mark.parametrize(
    "count", [pytest.param(40, id="reduced"), pytest.param(500, id="t1", marks=pytest.mark.t1)]
)
def test_a_text_in_the_address_or_a_name_does_no_harm(server: Served, count: int) -> None:
    client = server.client(server.mint("mallory"))
    for payload in payloads(count):
        inside = quote(payload, safe="")[:2000]
        for method, path in (
            ("GET", f"{SUBMIT}/{inside}"),
            ("DELETE", f"/api/v1/auth/tokens/{inside}"),
            ("GET", f"{SUBMIT}?name={inside}"),
            ("GET", f"{SUBMIT}?cursor={inside}"),
            ("GET", f"/api/v1/resources?location={inside}"),
            ("GET", f"/api/v1/auth/tokens?user_id={inside}"),
            ("GET", f"/docs/{inside}"),
            ("GET", f"/ui/{inside}"),
        ):
            assert client.ask(method, path).status in {200, 400, 404, 405, 431}, (method, path)
        answer = client.ask("POST", "/api/v1/auth/tokens", json={"name": payload, "user_id": payload})
        if answer.status == 201:
            assert (answer.json["name"], answer.json["user"]) == (payload, payload)
        else:
            assert answer.status == 400


# --- the log --------------------------------------------------------------------------------------------

HOSTILE = "\r\n", "\x1b[2J", "\u2028", "\u202e", "\x00", "\x9b31m", '"}\n{"level":"info"', "x" * 10_000
LONGEST_LINE = 4096


@pytest.mark.parametrize(
    "count", [pytest.param(48, id="reduced"), pytest.param(1_000, id="t1", marks=pytest.mark.t1)]
)
def test_each_event_is_one_line_whatever_is_asked(server: Served, count: int) -> None:
    """The values stand where a log would most like to tell them: address, id, name, user, key, document."""
    user, asked = f"logged-{count}", 0
    admin = server.client(server.mint(user))
    for number in range(count):
        text = HOSTILE[number % len(HOSTILE)] + f"-{number}"
        inside = quote(text, safe="")[:3000]
        path = f"{SUBMIT}/{inside}"
        ascii_text = text.encode("ascii", "replace").decode().translate({0: "?", 10: "?", 13: "?"})[:5000]
        headers = [
            ("X-Request-ID", ascii_text),
            ("Idempotency-Key", ascii_text),
            ("User-Agent", ascii_text),
        ]
        admin.ask("GET", f"{path}?a={inside}", headers=headers)
        admin.ask("POST", "/api/v1/auth/tokens", json={"name": text, "user_id": text})
        admin.ask("POST", SUBMIT, json=intent("logged", env=[f"A={text}"], image=text), headers=headers)
        asked += 3
    # A line is written when its answer is on its way already.
    await_true(lambda: len(answered(server.log, user)) >= asked, 10)
    log = server.log
    assert log.endswith("\n")
    lines = log.removesuffix("\n").split("\n")
    assert len([json.loads(line) for line in lines]) == len(lines)
    assert len(answered(log, user)) == asked
    assert max(map(len, lines)) < LONGEST_LINE
    assert not [line for line in lines if not line.isascii() or not line.isprintable()]


def answered(log: str, user: str) -> list[str]:
    """Return the complete lines that tell of an answer to a user."""
    told = ('"event": "answered"', f'"user": "{user}"')
    return [line for line in log.split("\n")[:-1] if all(each in line for each in told)]


def test_a_megabyte_is_not_logged(server: Served) -> None:
    before = len(server.log)
    client = server.client(server.mint("mallory"))
    assert client.ask("POST", SUBMIT, json=intent("x" * 900_000)).status == 400
    assert client.ask("GET", "/api/v1/" + "x" * 15_000).status == 404
    assert len(server.log) - before < 20_000
