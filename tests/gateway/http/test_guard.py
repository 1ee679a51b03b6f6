"""What every answer has, whoever asks for what."""

import socket
from contextlib import closing, suppress

import httpx
import pytest

from flare_core.adapters.gateway.http.guard import MOST_HEADERS
from tests.gateway.http.site import Site

PATHS = ["/healthz", "/nothing", "/api/v1/intents", "/api/v1/auth/verify", "/docs", "/openapi.json"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_protected(path: str, site_http: httpx.Client, ada: httpx.Client) -> None:
    for client in (site_http, ada):
        answer = client.get(path, headers={"Origin": "https://elsewhere.example"})
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] in ("no-store", "no-cache")
        assert answer.headers["x-request-id"].startswith("req-")
        assert not {name for name in answer.headers if name.startswith("access-control")}
        assert "server" not in answer.headers


@pytest.mark.parametrize("given", ["abc-123", "x" * 128, "a.b_c~d"])
def test_a_request_id_is_taken_up(given: str, site_http: httpx.Client) -> None:
    answer = site_http.get("/nothing", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "<script>", "a;b", "é".encode().decode("latin-1")])
def test_what_is_no_request_id_is_replaced(given: str, site_http: httpx.Client) -> None:
    answer = site_http.get("/nothing", headers=[(b"X-Request-ID", given.encode("latin-1"))])
    assert answer.headers["x-request-id"].startswith("req-")


def test_paths_and_methods_reveal_nothing_without_a_token(site_http: httpx.Client, ada: httpx.Client) -> None:
    """Who is not known learns of paths and methods what everybody may read in the description."""
    for method, path in (
        ("GET", "/api/v1/nothing"),
        ("PATCH", "/api/v1/intents"),
        ("GET", "/api/v2/intents"),
    ):
        told, known = site_http.request(method, path), ada.request(method, path)
        assert told.status_code == known.status_code
        assert told.json() | {"request_id": ""} == known.json() | {"request_id": ""}


def test_too_many_headers_are_refused(site_http: httpx.Client) -> None:
    few = site_http.get("/healthz", headers={f"X-{i}": "x" for i in range(MOST_HEADERS - 10)})
    many = site_http.get("/healthz", headers={f"X-{i}": "x" for i in range(MOST_HEADERS)})
    assert (few.status_code, many.status_code) == (200, 431)
    assert many.json()["error_code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.parametrize("size", [16 * 1024, 64 * 1024, 1024 * 1024])
def test_headers_that_are_too_long_are_refused(size: int, site: Site) -> None:
    """However much comes at once: by the application, or by the server before it has read a head."""
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * size + b"\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", site.port), timeout=20)) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        told = connection.recv(65536)
    assert told.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))


def test_a_slash_too_many_redirects_nowhere(site_http: httpx.Client) -> None:
    answer = site_http.get("/api/v1/intents/", headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "evil.example" not in answer.text + str(answer.headers)


def test_a_websocket_is_no_way_in(site: Site) -> None:
    upgrade = (
        b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with closing(socket.create_connection(("127.0.0.1", site.port), timeout=20)) as connection:
        connection.sendall(upgrade)
        assert connection.recv(65536).startswith(b"HTTP/1.1 401")
