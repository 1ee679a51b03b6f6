"""The page on this machine alone: loopback only, behind a random path, for who started it.

The path is the key: who does not know it is answered with 404. A page of another site could make a browser
send requests here under another name (DNS rebinding), so the Host header must be the address itself.
"""

import json
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from flare_core.adapters.explorer.answers import World, answer
from flare_core.adapters.explorer.pages import POLICY, asset, names
from flare_core.adapters.explorer.question import Question, read_question
from flare_core.errors import CancelledError, FlareError
from flare_core.options import Cancellation

HOST: Final = "127.0.0.1"
MAX_BYTES: Final = 2 * 2**20
"""Largest question; an intent has at most 1 MiB."""

_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Explorer(ThreadingHTTPServer):
    """Serves the page and its questions until `shutdown`.

    Parameters
    ----------
    world
        What is explored.
    clock
        The present.
    port
        0 is any free one.
    """

    daemon_threads = True

    def __init__(self, world: World, clock: Callable[[], datetime], port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.clock = clock
        self._world = world
        self._slow: set[Cancellation] = set()
        self._turn = threading.Lock()
        self.key = secrets.token_urlsafe(24)

    @contextmanager
    def world_for(self, question: Question) -> Iterator[World]:
        """Yield what a question is about; what takes long ends as soon as the page asks for a new plan."""
        cancellation = Cancellation()
        slow = question.ask in ("why", "front")
        with self._turn:
            if not slow:
                for other in self._slow:
                    other.cancel()
            else:
                self._slow.add(cancellation)
        options = replace(self._world.options, cancellation=cancellation if slow else None)
        try:
            yield replace(self._world, options=options)
        finally:
            with self._turn:
                self._slow.discard(cancellation)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that has gone away, and everything of a mistake."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on as it came

    @property
    def host(self) -> str:
        """What the Host header of a request must be."""
        return f"{HOST}:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """Where the page is, key included."""
        return f"http://{self.host}/{self.key}/ui"


class _Handler(BaseHTTPRequestHandler):
    server: Explorer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "FLARE", ""
    disable_nagle_algorithm = True  # else the body waits for the acknowledgement of the head
    timeout = 60

    def do_GET(self) -> None:
        name = self._inside()
        if name is None or not (name == "ui" or name.startswith("ui/")) or name[3:] not in names():
            return self._send(404, b"not found", "text/plain")
        found = asset(name[3:], gateway=False)
        return self._send(200, found.body, found.media_type, {"Content-Encoding": "gzip"})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self._inside() != "api/v1/explore" or not self._is_own():
            self.close_connection = True
            return self._send(404, b"not found", "text/plain")
        if not length.isdecimal() or int(length) > MAX_BYTES:
            self.close_connection = True
            return self._send(413, b"too large", "text/plain")
        status, document = self._answered(self.rfile.read(int(length)))
        body = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        return self._send(status, body, "application/json")

    def _answered(self, body: bytes) -> tuple[int, dict[str, Any]]:
        try:
            question = read_question(body)
            with self.server.world_for(question) as world:
                return 200, answer(question, world, self.server.clock())
        except CancelledError as error:
            return 409, {"message": error.message}
        except FlareError as error:
            return 400, {"message": error.message, "path": error.path}

    def _inside(self) -> str | None:
        """Return the path behind the key; None for whoever does not know it, or calls us by another name."""
        key, _, inside = self.path.partition("?")[0].removeprefix("/").partition("/")
        known = compare_digest(key.encode(), self.server.key.encode())
        return inside if known and self.headers.get("Host") == self.server.host else None

    def _is_own(self) -> bool:
        """Whether the page itself asks: a form or an image of another page sends no JSON."""
        origin = self.headers.get("Origin")
        plain = self.headers.get("Content-Type", "").partition(";")[0].strip()
        return plain == "application/json" and origin in (None, f"http://{self.server.host}")

    def _send(self, status: int, body: bytes, media_type: str, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": media_type, **(more or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the path holds the key."""
