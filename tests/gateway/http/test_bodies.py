"""What a request may look like, byte by byte: on a real server, over real connections."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.gateway.http.conftest import Serve
from tests.gateway.http.site import Site, intent

MIB = 2**20
JSON = {"Content-Type": "application/json"}
SUBMIT = "/api/v1/intents"


@contextmanager
def line(site: Site) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", site.port), timeout=20)) as connection:
        yield connection


def head(site: Site, secret: str, *headers: str) -> bytes:
    lines = [
        f"POST {SUBMIT} HTTP/1.1",
        f"Host: 127.0.0.1:{site.port}",
        f"Authorization: Bearer {secret}",
        "Content-Type: application/json",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answered(connection: socket.socket) -> bytes:
    """Return all that comes until the other side hangs up."""
    told = b""
    try:
        while got := connection.recv(65536):
            told += got
    except ConnectionResetError:
        pass  # we went on sending after the end
    return told


@pytest.fixture
def secret(site: Site) -> str:
    return site.mint("sender")


def test_a_stated_length_that_is_too_large_is_refused_before_a_byte_is_read(site: Site, secret: str) -> None:
    with line(site) as connection:
        connection.sendall(head(site, secret, f"Content-Length: {100 * MIB}", "Expect: 100-continue"))
        told = answered(connection)
    assert told.startswith(b"HTTP/1.1 413")  # and no "100 Continue" before
    assert b"connection: close" in told.lower()
    assert b"PAYLOAD_TOO_LARGE" in told


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_is_read_no_further_than_its_bound(framing: str, site: Site, secret: str) -> None:
    """Of a hundred MiB the other side takes little more than one."""
    piece, sent, began = b" " * 65536, 0, time.monotonic()
    how = "Transfer-Encoding: chunked" if framing == "chunked" else f"Content-Length: {100 * MIB}"
    with line(site) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.sendall(head(site, secret, how))
        try:
            while sent < 100 * MIB:
                connection.sendall(b"10000\r\n" + piece + b"\r\n" if framing == "chunked" else piece)
                sent += len(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        told = answered(connection)
    assert told.startswith(b"HTTP/1.1 413")
    assert sent < 12 * MIB  # what the kernel holds of it is not read
    assert time.monotonic() - began < 5


def test_a_body_of_exactly_the_bound_is_read(ada: httpx.Client) -> None:
    body = json.dumps(intent("full")).encode()
    assert ada.post(SUBMIT, content=body.ljust(MIB), headers=JSON).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: -1",),
        ("Content-Length: 0x10",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding : chunked",),
        ("X-Bad: a\x00b",),
    ],
)
def test_ambiguous_framing_ends_the_connection(headers: tuple[str, ...], site: Site, secret: str) -> None:
    smuggled = b"0\r\n\r\nGET /api/v1/auth/verify HTTP/1.1\r\nHost: x\r\n\r\n"
    with line(site) as connection:
        connection.sendall(head(site, secret, *headers) + smuggled)
        told = answered(connection)
    assert told.count(b"HTTP/1.1 ") == 1
    assert told.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))


def test_a_body_that_does_not_come_is_not_waited_for(serve: Serve) -> None:
    with serve(ready=False, request_timeout_s=1.0) as served, line(served) as connection:
        connection.sendall(head(served, served.mint("slow"), "Content-Length: 100") + b"{")
        told = answered(connection)
    assert told.startswith(b"HTTP/1.1 400")
    assert b"did not come" in told


def test_a_client_that_goes_away_in_the_middle_disturbs_nobody(
    site: Site, secret: str, ada: httpx.Client
) -> None:
    for _ in range(20):
        with line(site) as connection:
            connection.sendall(head(site, secret, "Content-Length: 100") + b'{"intent"')
    assert ada.get("/api/v1/auth/verify").status_code == 200


@pytest.mark.parametrize(
    "media",
    [
        "text/json",
        "application/xml",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/json; boundary=x",
        "",
    ],
)
def test_other_media_are_refused(media: str, ada: httpx.Client) -> None:
    answer = ada.post(SUBMIT, content=b"{}", headers={"Content-Type": media})
    assert (answer.status_code, answer.json()["error_code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_compressed_body_is_refused(ada: httpx.Client) -> None:
    answer = ada.post(SUBMIT, content=b"{}", headers=JSON | {"Content-Encoding": "gzip"})
    assert answer.status_code == 415


@pytest.mark.parametrize("media", ["application/json", 'Application/JSON; Charset="UTF-8"'])
def test_json_is_json_however_it_is_written(media: str, ada: httpx.Client) -> None:
    answer = ada.post(SUBMIT, content=b"{}", headers={"Content-Type": media})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MISSING_REQUIRED_FIELD")


@pytest.mark.parametrize("dry_run", ["true", "false"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"{}{}",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"intent": "\xff"}',
        b'{"intent": "\\ud800"}',
        b'{"intent": "\\u0000"}',
        b'{"intent": {}, "intent": {}}',
        b'{"intent": NaN}',
        b'{"intent": 1e999}',
        b'{"intent": 9007199254740993}',
        b"[" * 33 + b"]" * 33,
        b"[" * 500_000,
        b'{"intent": {"objective": true}}',
    ],
)
def test_bodies_that_say_nothing_or_two_things_are_refused_at_once(
    body: bytes, dry_run: str, ada: httpx.Client
) -> None:
    answer = ada.post(SUBMIT, params={"dry_run": dry_run}, content=body, headers=JSON)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error_code"] in ("INVALID_FORMAT", "MISSING_REQUIRED_FIELD")


@pytest.mark.parametrize("dry_run", ["true", "false"])
def test_a_body_is_never_taken_for_the_name_of_a_file(
    dry_run: str, ada: httpx.Client, tmp_path: Path
) -> None:
    path = tmp_path / "intent.json"
    path.write_text(json.dumps(intent("stolen")))
    answer = ada.post(SUBMIT, params={"dry_run": dry_run}, content=str(path).encode(), headers=JSON)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_FORMAT")
    assert str(path) not in answer.text


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/api/v1/intents?dryrun=true", "dry_run"),
        ("/api/v1/intents?dry_run=1", "dry_run"),
        ("/api/v1/intents?dry_run=true&dry_run=false", "dry_run"),
    ],
)
def test_a_query_that_would_do_nothing_is_refused(path: str, named: str, ada: httpx.Client) -> None:
    """Who mistypes ``dry_run`` must not buy anything."""
    answer = ada.post(path, json=intent("typo"))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_FORMAT")
    assert named in answer.text
    assert ada.get(SUBMIT).json()["intents"] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1.0",
        "limit=٣",
        "limit=",
        "status=queued",
        "cursor=x",
        "name=%00",
        "name=",
    ],
)
def test_queries_out_of_range_are_refused(query: str, ada: httpx.Client) -> None:
    answer = ada.get(f"{SUBMIT}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_FORMAT")
    assert answer.json()["path"] == query.split("=")[0]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": "x", "expires": "1d"}, "expires"),
        ({"name": "x", "expires_in": "2y"}, "expires_in"),
        ({"name": "x", "expires_in": "0s"}, "expires_in"),
        ({"name": "x", "expires_in": 30}, "expires_in"),
        ({"name": "x", "permissions": []}, "permissions"),
        ({"name": "x", "permissions": ["intents:all"]}, "permissions.0"),
        ({"name": "x", "permissions": "intents:read"}, "permissions"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": 1}, "name"),
    ],
)
def test_tokens_out_of_range_are_refused(body: dict[str, object], path: str, ada: httpx.Client) -> None:
    answer = ada.post("/api/v1/auth/tokens", json=body)
    assert (answer.status_code, answer.json()["path"]) == (400, path), answer.text
