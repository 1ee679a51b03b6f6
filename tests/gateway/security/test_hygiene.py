"""S14: HTTP that is slow, ambiguous or too large is cut off, and what is refused reveals nothing."""

import selectors
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from tests.gateway.security.served import UNLIMITED, Served, intent, quantile, served

CONNECTIONS = 200
P99_S = 0.2
SUBMIT = "/api/v1/intents"


# --- slow -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connections", "asked"),
    [pytest.param(40, 100, id="reduced"), pytest.param(CONNECTIONS, 500, id="t1", marks=pytest.mark.t1)],
)
@pytest.mark.parametrize("kind", ["head", "body"])
def test_slow_connections_are_no_burden_to_others(
    server: Served, kind: str, connections: int, asked: int
) -> None:
    """Each slow client sends a byte of its head, or of its body, every tenth of a second."""
    token, done = server.mint("hyla"), threading.Event()
    client, taken_s = server.client(token), []
    with ExitStack() as stack:
        slow = [_slow(stack, server.port, token, kind) for _ in range(connections)]
        drip = threading.Thread(target=_drip, args=(slow, done))
        drip.start()
        stack.callback(drip.join)
        stack.callback(done.set)
        for _ in range(asked):
            began = time.perf_counter()
            assert client.ask("GET", SUBMIT).status == 200
            taken_s.append(time.perf_counter() - began)
    assert quantile(taken_s, 0.99) <= P99_S


def _slow(stack: ExitStack, port: int, token: str, kind: str) -> socket.socket:
    line = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
    head = f"POST {SUBMIT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    end = (
        "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{" if kind == "body" else "X-Slow: "
    )
    line.sendall((head + end).encode())
    return line


def _drip(lines: list[socket.socket], done: threading.Event) -> None:
    while not done.wait(0.1):
        for line in lines:
            try:
                line.send(b" ")
            except OSError:  # it was cut off, as it may be
                continue


@pytest.mark.t1
def test_a_head_that_never_ends_is_cut_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("imserver")
    with served(folder, request_timeout_s=1, **UNLIMITED) as impatient:
        for beginning in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"):
            with socket.create_connection(("127.0.0.1", impatient.port), timeout=10) as line:
                line.sendall(beginning)
                began = time.monotonic()
                assert line.recv(100) == b""
                assert 0.5 < time.monotonic() - began < 5


# --- ambiguous ------------------------------------------------------------------------------------------

HEAD = (
    "POST /api/v1/intents HTTP/1.1\r\nHost: x\r\n"
    "Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n"
)
SMUGGLED = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
AMBIGUOUS = {
    "both lengths": "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "both lengths the other way": "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + SMUGGLED,
    "two lengths": "Content-Length: 4\r\nContent-Length: 5\r\n\r\n{}  x",
    "two lengths in one": "Content-Length: 4, 5\r\n\r\n{}  x",
    "a negative length": "Content-Length: -1\r\n\r\n{}",
    "a signed length": "Content-Length: +4\r\n\r\n{}  ",
    "a hexadecimal length": "Content-Length: 0x4\r\n\r\n{}  ",
    "a length with an underscore": "Content-Length: 1_0\r\n\r\n{}",
    "a length that is no number": "Content-Length: x\r\n\r\n{}",
    "a length of other digits": "Content-Length: \u0664\r\n\r\n{}  ",
    "an endless length": f"Content-Length: {'9' * 30}\r\n\r\n{{}}",
    "chunks of another name": "Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED,
    "chunks and another coding": "Transfer-Encoding: gzip, chunked\r\n\r\n" + SMUGGLED,
    "chunks twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "chunks after a comma": "Transfer-Encoding: , chunked\r\n\r\n" + SMUGGLED,
    "chunks after a tab": "Transfer-Encoding:\tchunked\r\nContent-Length: 4\r\n\r\n" + SMUGGLED,
    "a space before the colon": "Transfer-Encoding : chunked\r\n\r\n" + SMUGGLED,
    "a header without a colon": "Transfer-Encoding chunked\r\nContent-Length: 2\r\n\r\n{}",
    "a header without a name": ": x\r\nContent-Length: 2\r\n\r\n{}",
    "a bare carriage return": "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    "a NUL in a header": "X: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    "a chunk that is no number": "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a signed chunk": "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n",
    "a chunk with a prefix": "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk that is too long": "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "a chunk of 100 digits": f"Transfer-Encoding: chunked\r\n\r\n{'f' * 100}\r\n{{}}\r\n0\r\n\r\n",
    "a coding in the next line": "Transfer-Encoding:\r\n chunked\r\n\r\n" + SMUGGLED,
    "a length in the next line": "Content-Length:\r\n\t2\r\n\r\n{}",
    "a header that goes on": "X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    "chunks in HTTP/1.0": "Transfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "a chunk without a number": "Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n",
}


def say(port: int, text: str, timeout_s: float = 3.0) -> bytes:
    """Send bytes, and return what comes back until the connection is closed, or nothing more comes."""
    told = b""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as line:
        line.sendall(text.encode("latin-1", "replace"))
        with selectors.DefaultSelector() as selector:
            selector.register(line, selectors.EVENT_READ)
            while selector.select(timeout_s):
                try:
                    part = line.recv(65536)
                except ConnectionResetError:
                    break
                if not part:
                    break
                told += part
    return told


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_not_read(server: Served, name: str) -> None:
    """One refusal, or none, and the connection is closed: nothing that follows is taken for a request."""
    token = server.mint("hyla")
    head = HEAD.format(token=token)
    if "HTTP/1.0" in name:
        head = head.replace("HTTP/1.1", "HTTP/1.0")
    began = time.monotonic()
    told = say(server.port, head + AMBIGUOUS[name])
    assert time.monotonic() - began < 2.5  # it was closed, not left
    assert told.count(b"HTTP/1.1") <= 1
    assert told[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 413", b"HTTP/1.1 501")
    assert b"smuggled" not in told
    assert b"Traceback" not in told


def test_the_same_length_twice_is_one_length(server: Served) -> None:
    """There is one way to read it: RFC 9110, section 8.6, has it refused or read so."""
    token = server.mint("hyla")
    twice = "Connection: close\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}"
    told = say(server.port, HEAD.format(token=token) + twice)
    assert told.count(b"HTTP/1.1") == 1
    assert b"MISSING_REQUIRED_FIELD" in told  # of the body, which has been read


LINES = {
    "no version": "GET /healthz\r\n\r\n",
    "no path": "GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space in the path": "GET /health z HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": "GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an endless line": "GET /" + "x" * 100_000,
    "an endless header": "GET / HTTP/1.1\r\nX: " + "x" * 100_000,
    "a folded line after the request": "GET /healthz HTTP/1.1\r\n X: y\r\nHost: x\r\n\r\n",
    "bare line feeds and a NUL": "GET /\0 HTTP/1.1\nHost: x\n\n",
}


@pytest.mark.parametrize("name", LINES)
def test_what_is_no_request_is_refused(server: Served, name: str) -> None:
    told = say(server.port, LINES[name])
    status = told[9:12].decode()
    assert status in ("", "400", "404", "413", "431", "505"), told[:300]
    assert b"Traceback" not in told


@pytest.mark.parametrize("count", [98, 101, 1000])
def test_a_hundred_headers_are_enough(server: Served, count: int) -> None:
    extra = "".join(f"X-{number}: x\r\n" for number in range(count - 1))
    told = say(server.port, f"GET /healthz HTTP/1.1\r\nHost: x\r\n{extra}Connection: close\r\n\r\n")
    assert told[9:12].decode() in ({"200"} if count < 100 else {"400", "431"})


# --- what every answer has, and has not -----------------------------------------------------------------


@pytest.mark.parametrize("path", [SUBMIT, "/healthz", "/openapi.json", "/nothing", "/docs", "/metrics"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "TRACE", "PATCH"])
def test_headers_protect_and_reveal_nothing(server: Served, method: str, path: str) -> None:
    origin = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")]
    answer = server.client().ask(method, path, headers=origin)
    names = {name.lower() for name in answer.headers}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not {name for name in names if name.startswith("access-control-")}
    assert not names & {"server", "x-powered-by", "via", "set-cookie"}
    assert answer.status in {200, 401, 404, 405}
    assert (answer.status == 405) <= ("allow" in names)


def test_a_stranger_cannot_tell_what_there_is(server: Served) -> None:
    """Without a token, an intent that exists and one that does not are the same 401."""
    made = server.client(server.mint("hyla")).ask("POST", SUBMIT, json=intent("mine")).json["intent_id"]
    same, client = [("X-Request-ID", "same")], server.client()
    told = [client.ask("GET", f"{SUBMIT}/{each}", headers=same) for each in (made, "intent-0", "x")]
    assert {(answer.status, answer.body) for answer in told} == {(401, told[0].body)}
    assert client.ask("GET", "/api/v1/nothing").status == 404
    assert client.ask("PUT", f"{SUBMIT}/{made}").status == 405
