"""S7: bodies that are malformed, or too much, are refused quickly, and nobody falls over them."""

import itertools
import socket
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from flare_core.adapters.gateway.tokens import Permission
from flare_core.errors import IntentError
from flare_core.intent import parse_json
from tests.gateway.promises.launch import memory_mib
from tests.gateway.security.bodies import Document, documents, generated, intents
from tests.gateway.security.served import Answer, Client, Served, intent, quantile

PATH = "/api/v1/intents"
MIB = 2**20
AGAIN = 4
"""How often a document is sent again that took too long: it is slow if most times are."""


def faults(client: Client, bodies: Iterable[tuple[str, bytes, set[int]]], within_s: float) -> Iterator[str]:
    """Yield what was answered wrongly, or late."""
    taken_s = []
    for name, body, statuses in bodies:
        answer, took_s = timed(client, body)
        taken_s.append(took_s)
        if took_s >= within_s:  # the document, or the machine just then?
            took_s = statistics.median([took_s, *(timed(client, body)[1] for _ in range(AGAIN))])
        if answer.status not in statuses:
            yield f"{name}: {answer.status} {answer.body[:200]!r}"
        if took_s >= within_s:
            yield f"{name}: {took_s:.3f} s in the middle of {1 + AGAIN}"
    if quantile(taken_s, 0.99) >= within_s:
        yield f"p99 of all: {quantile(taken_s, 0.99):.3f} s"


def timed(client: Client, body: bytes) -> tuple[Answer, float]:
    began = time.perf_counter()
    return client.ask("POST", PATH, body=body), time.perf_counter() - began


def test_there_are_as_many_documents_as_promised() -> None:
    assert len(list(documents())) >= 300
    assert len(list(intents())) >= 60


@pytest.mark.parametrize(
    ("step", "within_s"),
    # A reduced run shares its machine with many others.
    [pytest.param(4, 2.0, id="reduced"), pytest.param(1, 0.1, id="t1", marks=pytest.mark.t1)],
)
@pytest.mark.parametrize("source", [documents, intents])
def test_each_document_is_refused(
    server: Served, source: Callable[[], Iterator[Document]], step: int, within_s: float
) -> None:
    client = server.client(server.mint("bodo"))
    wanted = ((each.name, each.body, {400}) for each in itertools.islice(source(), None, None, step))
    assert not list(faults(client, wanted, within_s=within_s))
    assert client.ask("GET", PATH).json["intents"] == []


def test_the_reader_knows_which_documents_are_json() -> None:
    for each in documents():
        try:
            parse_json(each.body)
        except IntentError:
            assert not each.valid, each.name
        else:
            assert each.valid, each.name


# Mutations often remain intents; users have three at most, names meet, and solving is nobody's matter here.
UNDERSTOOD = {400, 201, 202, 402, 409, 429}


@pytest.mark.parametrize(
    ("count", "within_s"),
    [pytest.param(600, 2.0, id="reduced"), pytest.param(20_000, 0.1, id="t1", marks=pytest.mark.t1)],
)
def test_no_generated_body_is_too_much(server: Served, count: int, within_s: float) -> None:
    bodies, parts = list(generated(count, seed=7)), 3
    users = [f"bodo-{count}-{number}" for number in range(parts)]
    tokens = server.mint_many([(user, frozenset(Permission)) for user in users])
    for user in users:  # what is read is the matter, not what is placed
        server.limit(user, open_intents=3)

    def work(number: int) -> list[str]:
        named = ((f"{i}: {body[:60]!r}", body, UNDERSTOOD) for i, body in enumerate(bodies[number::parts]))
        return list(faults(server.client(tokens[number]), named, within_s))

    before = server.processes()
    with ThreadPoolExecutor(parts) as pool:
        wrong = [fault for found in pool.map(work, range(parts)) for fault in found]
    assert not wrong
    assert {*before} <= {*server.processes()}  # nobody has died over them
    assert server.client().ask("GET", "/readyz").status == 200


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["text/plain"],
        ["application/xml"],
        ["application/x-www-form-urlencoded"],
        ["multipart/form-data; boundary=x"],
        ["application/jsonx"],
        ["application/json; charset=utf-16"],
        ["application/json; charset=latin-1"],
        ["application/json", "text/plain"],
        ["application/json, text/plain"],
        ["application/problem+json"],
        [""],
    ],
)
def test_another_content_type_is_refused(server: Served, given: list[str]) -> None:
    client = server.client(server.mint("bodo"))
    headers = [("Content-Type", value) for value in given] or [("content-TYPE", "")]
    answer = client.ask("POST", PATH, json=intent("typed"), headers=headers)
    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "x"])
def test_a_packed_body_is_refused(server: Served, coding: str) -> None:
    client = server.client(server.mint("bodo"))
    answer = client.ask("POST", PATH, json=intent("packed"), headers=[("Content-Encoding", coding)])
    assert answer.status == 415


# --- too much -------------------------------------------------------------------------------------------

SENT_AT_MOST = 8 * MIB
"""One MiB is read; what else was sent lies in the buffers of the two sockets."""


@pytest.mark.parametrize("kind", ["with-length", "without-length", "chunked"])
def test_a_body_of_100_mb_costs_nothing(server: Served, kind: str) -> None:
    """413 within a second of the first byte, and the gateway's memory stays as it is."""
    token = server.mint("bodo")
    assert server.client(token).ask("GET", PATH).status == 200
    before_mib = memory_mib(server.process.pid)  # the most so far: what comes is beyond it
    answer, sent, took_s = flood(server.port, token, kind)
    grown_mib = memory_mib(server.process.pid) - before_mib
    assert server.client(token).ask("GET", PATH).status == 200
    status = int(answer.split(b" ", 2)[1])
    assert status == (400 if kind == "without-length" else 413)
    # Without a length there is no body: what follows is no request either, and refused as such.
    assert kind == "without-length" or b"connection: close" in answer.lower()
    assert sent <= SENT_AT_MOST
    assert took_s < 1
    assert grown_mib < 8


def flood(port: int, token: str, kind: str) -> tuple[bytes, int, float]:
    """Send 100 MB until there is an answer; return it, how much was sent, and how long that took."""
    framing = {
        "with-length": "Content-Length: 100000000\r\n",
        "without-length": "",
        "chunked": "Transfer-Encoding: chunked\r\n",
    }[kind]
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\n{framing}\r\n"
    )
    block = b'{"intent": "' + b"x" * (64 * 1024 - 12)
    chunk = b"%x\r\n%s\r\n" % (len(block), block) if kind == "chunked" else block
    began, sent = time.perf_counter(), 0
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(head.encode())
        line.setblocking(False)
        rest, answer = b"", b""
        while sent < 100_000_000 and not answer and time.perf_counter() - began < 5:
            rest = rest or chunk
            try:
                sent += (count := line.send(rest))
                rest = rest[count:]
            except BlockingIOError:
                time.sleep(0.001)
            except (BrokenPipeError, ConnectionResetError):
                break
            try:
                answer = line.recv(65536)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                break
        return answer, sent, time.perf_counter() - began
