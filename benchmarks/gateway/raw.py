"""HTTP with next to no work of its own: what a thousand clients at once cost must be the gateway's."""

import asyncio
import json
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; status 0 is none."""

    status: int
    body: bytes
    took_s: float
    headers: dict[str, str]

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class Connection:
    """One connection that is kept open and opened again where it was closed.

    Parameters
    ----------
    url
        ``http://host:port`` of the gateway.
    token
        What it authenticates with.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._head = f"Host: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, document: Any = None) -> Reply:
        """Send a request and wait for the whole answer."""
        body = b"" if document is None else json.dumps(document).encode()
        typed = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        message = f"{method} {path} HTTP/1.1\r\n{self._head}{typed}\r\n".encode() + body
        began = perf_counter()
        try:
            status, headers, answer = await self._exchange(message)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            self.close()
            return Reply(0, b"", perf_counter() - began, {})
        return Reply(status, answer, perf_counter() - began, headers)

    async def _exchange(self, message: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(message)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        answer = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        return int(head[0].split()[1]), headers, answer

    def close(self) -> None:
        """Close it; the next request opens it again."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
