"""A proxy on the client's side of the wire, on which faults can be put: real sockets, real cuts."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx2
from lightkube import KubeConfig
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import Cluster as Address
from lightkube.config.models import User

from flare_core.adapters.fluidos.cluster import Cluster

STATUSES = {
    409: "Conflict",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}
Match = Callable[[str, str], bool]
Lines = Callable[[Iterator[str]], Iterator[str]]


@dataclass
class Fault:
    """What happens to requests that match: an HTTP status, or `timeout`, `reset`, `lost`, `malformed`."""

    kind: str
    match: Match
    times: int = 1
    hits: int = field(default=0, init=False)

    @property
    def commits(self) -> bool:
        """Whether the server carries the request out all the same."""
        return self.kind in ("lost", "malformed")


class CutError(Exception):
    """Raised by what rewrites a watch, to cut the connection there."""


class Proxy:
    """Passes requests on, and counts them; faults are put on with `during`, watches rewritten by `lines`."""

    def __init__(self, config: SingleConfig) -> None:
        config = config._replace(user=config.user or User())
        timeout = httpx2.Timeout(60.0)
        self.upstream = Client(config, ConnectionParams(timeout=timeout, trust_env=False))
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.lines: Lines | None = None
        self.down = False
        self.answer: bytes | None = None
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.upstream.close()

    @property
    def config(self) -> SingleConfig:
        """How a client gets here; the credentials of the way on are the proxy's own."""
        address = Address(server=f"http://127.0.0.1:{self._server.server_port}")
        found = KubeConfig.from_one(cluster=address, user=User()).get()
        assert found is not None
        return found

    @contextmanager
    def client(self, timeout_s: float = 5.0) -> Iterator[Cluster]:
        with Cluster(self.config, timeout_s=timeout_s) as cluster:
            yield cluster

    @contextmanager
    def during(self, *faults: Fault) -> Iterator[Sequence[Fault]]:
        self.faults += faults
        self.released.clear()
        try:
            yield faults
        finally:
            self.faults = [fault for fault in self.faults if fault not in faults]
            self.released.set()

    def fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.hits < fault.times and fault.match(method, path):
                fault.hits += 1
                return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, proxy: Proxy, *args: Any) -> None:
        self.proxy = proxy
        super().__init__(*args)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        self.proxy.requests.append((self.command, path))
        fault = self.proxy.fault(self.command, path)
        with suppress(ConnectionError, CutError, httpx2.HTTPError):
            if self.proxy.down or (fault and fault.kind == "reset"):
                self._reset()
            elif self.proxy.answer is not None:
                self._send(200, self.proxy.answer)
            elif fault and fault.kind == "timeout":
                self.proxy.released.wait()
                self._reset()
            elif fault and fault.kind.isdecimal():
                self._send(int(fault.kind), _status(int(fault.kind)))
            elif self.command == "GET" and "watch=true" in self.path:
                self._watch()
            else:
                self._pass(content, fault)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _pass(self, content: bytes, fault: Fault | None) -> None:
        answer = self.proxy.upstream.request(
            self.command, self.path, content=content or None, headers=self._headers()
        )
        if fault is None:
            self._send(answer.status_code, answer.content)
        elif fault.kind == "lost":
            self._reset()
        else:
            self._send(answer.status_code, answer.content[: len(answer.content) // 2])

    def _headers(self) -> dict[str, str]:
        return {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}

    def _watch(self) -> None:
        with self.proxy.upstream.stream("GET", self.path, headers=self._headers()) as answer:
            self.send_response(answer.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            lines: Iterator[str] = answer.iter_lines()
            try:
                for line in self.proxy.lines(lines) if self.proxy.lines else lines:
                    data = line.encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.write(b"0\r\n\r\n")
            except CutError:
                self._reset()

    def _send(self, code: int, data: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        if code == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _reset(self) -> None:
        """Cut the connection hard: no answer, not even an orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def _status(code: int) -> bytes:
    told = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}
    return json.dumps({**told, "reason": STATUSES[code], "message": "put on by the proxy"}).encode()
