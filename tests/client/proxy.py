"""Something bad between a client and a gateway: connections that break, answers that are lost."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cut:
    """Let so many bytes of the answer through, then break; 0 loses the answer."""

    after: int


@dataclass(frozen=True)
class Say:
    """Answer instead of the gateway."""

    text: str


PASS = Cut(2**62)
RESET = Say("")


@dataclass
class Proxy:
    """Takes connections to a gateway; each has the next fate, those after the last one its fate."""

    port: int
    fates: Sequence[Cut | Say]
    listening: socket.socket
    seen: list[bytes] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def heads(self) -> list[str]:
        """The heads of the requests that came, each first one of a connection."""
        return [text.partition(b"\r\n\r\n")[0].decode().lower() for text in self.seen]

    def accept(self) -> None:
        number = 0
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            fate = self.fates[min(number, len(self.fates) - 1)]
            number += 1
            self.threads.append(threading.Thread(target=self._serve, args=(client, fate), daemon=True))
            self.threads[-1].start()

    def _serve(self, client: socket.socket, fate: Cut | Say) -> None:
        with client:
            request = client.recv(65_536)
            while b"\r\n\r\n" not in request:
                request += client.recv(65_536)
            self.seen.append(request)
            if isinstance(fate, Say):
                client.sendall(fate.text.encode())
                return
            with socket.create_connection(("127.0.0.1", self.port)) as server:
                server.sendall(request)
                up = threading.Thread(target=_carry, args=(client, server), daemon=True)
                up.start()
                _carry(server, client, fate.after)


def _carry(source: socket.socket, target: socket.socket, most: int = 2**62) -> None:
    """Carry bytes until one side ends, or so many have come; one that lets none through reads one answer."""
    carried = 0
    try:
        while carried < most or not most:
            data = source.recv(65_536)
            if not data or not most:
                break
            target.sendall(data[: most - carried])
            carried += len(data)
        target.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


@contextmanager
def between(url: str, *fates: Cut | Say) -> Iterator[Proxy]:
    """Stand between a client and the gateway at `url`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Proxy(int(url.rpartition(":")[2]), fates or (PASS,), listening)
        thread = threading.Thread(target=proxy.accept, daemon=True)
        thread.start()
        yield proxy
        listening.shutdown(socket.SHUT_RDWR)


def said(status: int, body: str = "", **headers: str) -> Say:
    """Return an answer of HTTP."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body.encode())}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return Say("\r\n".join([*lines, "", body]))
