"""The gateway as processes: one socket, one or more workers of uvicorn, and an end that keeps its time."""

import importlib
import logging
import multiprocessing
import os
import re
import select
import signal
import socket
import sys
import tempfile
import threading
from asyncio import TimerHandle, Transport
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import h11
import uvicorn
from uvicorn import _subprocess
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.supervisors import Multiprocess

from flare_core.adapters.gateway.settings import Settings
from flare_core.errors import OptionsError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from flare_core.adapters.gateway.backend import Backend

MAX_HEADER_BYTES: Final = 16 * 1024
_BACKLOG: Final = 2048
_SUPERVISOR_S: Final = 0.7
"""How late a supervisor may be to pass a signal on, and to see that its workers have ended; seconds."""
_HEALTH_S: Final = 10
"""Silence after which a worker is taken for hung; a signal waits as long for one that is just starting."""
_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
_FOLDED: Final = re.compile(rb"(?:[^\r\n]+\r?\n)+[ \t]")
"""A head in which a line begins with a space, before the empty line that ends it."""
_FORKS: Final = sys.platform == "linux"
"""Elsewhere the libraries of the system do not bear it."""
_log = logging.getLogger(__name__)


def listening(settings: Settings) -> socket.socket:
    """Return the socket that all workers share.

    Raises
    ------
    OptionsError
        If there can be none at that address.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        bound = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        where = f"{settings.host} port {settings.port}"
        raise OptionsError("host", f"found no way to listen on {where} ({error.strerror})") from None
    # Connections take it from here; asyncio sets it only where the socket was made for TCP by its number, and
    # without it the body of each answer waits 40 ms for the client to acknowledge the head.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def url_of(bound: socket.socket) -> str:
    """Return where a socket is to be found."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if bound.family is socket.AF_INET6 else f"http://{host}:{port}"


def prepared(settings: Settings, bound: socket.socket) -> Callable[[], None]:
    """Return what serves until a signal says to stop, and then ends what is in flight, in `stop_timeout_s`.

    A signal that comes before it is called counts already: whoever is told of the gateway may stop it.
    """
    config = uvicorn.Config(
        Worker(settings),
        factory=True,
        loop="asyncio",
        http=PatientNoMore,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        workers=settings.workers,
        backlog=_BACKLOG,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_graceful_shutdown=max(1, int(_in_worker_s(settings) / 2)),
        timeout_worker_healthcheck=_HEALTH_S,
    )
    if settings.workers > 1:
        supervisor = Multiprocess(config, [bound])
        return partial(_supervised, supervisor)
    server = uvicorn.Server(config)

    def stop(sig: int, frame: FrameType | None) -> None:
        # uvicorn raises the signal again once all is done: to have been told to end is no failure.
        server.should_exit = True

    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, stop)
    return partial(_served, server, bound)


def _served(server: uvicorn.Server, bound: socket.socket) -> None:
    if _FORKS:
        _load()
    server.run([bound])


def _load() -> None:
    """Load here what every process needs, workers and solvers: they are copies of this one.

    To load it takes each of them over a second, and four workers with their solvers are eight.
    """
    importlib.import_module("flare_core.adapters.gateway.app")
    importlib.import_module("flare_core.adapters.gateway.work.solving")
    _subprocess.spawn = multiprocessing.get_context("fork")  # type: ignore[assignment]  # uvicorn has no option


def _supervised(supervisor: Multiprocess) -> None:
    with _counted_together():  # what counts asks for it as soon as it is loaded
        if _FORKS:
            _load()
        supervisor.run()


@dataclass(frozen=True, slots=True)
class Worker:
    """Makes the application in each worker process; crosses to it by value."""

    settings: Settings

    def __call__(self) -> "ASGIApp":
        """Return the application, with the process ready for it."""
        from flare_core.adapters.gateway import logs
        from flare_core.adapters.gateway.app import create_app
        from flare_core.adapters.gateway.work.solver import Solver

        logs.configure(self.settings)
        solvers = Solver(self.settings.solver_memory_mib), Solver(self.settings.solver_memory_mib)
        if _FORKS:
            solvers[0].fork()
        _end_in_time(_in_worker_s(self.settings))
        _end_with_parent()
        return create_app(self.settings, backend=backend_of(self.settings), solvers=solvers)


def backend_of(settings: Settings) -> "Backend | None":
    """Return who runs what is chosen; None is the gateway's own."""
    if settings.backend == "local":
        return None
    from flare_core.adapters.fluidos import backend_of as fluidos

    return fluidos(settings)


class PatientNoMore(H11Protocol):
    """HTTP that waits for the head of a request no longer than for the rest of it."""

    _waiting: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait on while a head is not complete."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._wait()
        else:
            self._wait_no_more()

    def handle_events(self) -> None:
        """Refuse a head with a line that goes on in the next one: not everybody before us reads it as we do.

        RFC 9112, section 5.2: a server refuses it, or reads a space.
        """
        if self.conn.their_state is h11.IDLE and _FOLDED.match(self.conn.trailing_data[0]):
            self.send_400_response("Invalid HTTP request received.")
            return
        super().handle_events()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        worker: Any = self.config.app
        if self._waiting is None:
            self._waiting = self.loop.call_later(worker.settings.request_timeout_s, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def _in_worker_s(settings: Settings) -> float:
    """Return what of the time to stop is a worker's, seconds."""
    return max(settings.stop_timeout_s / 2, settings.stop_timeout_s - _SUPERVISOR_S)


def _end_in_time(limit_s: float) -> None:
    """Once told to stop, end after so long whatever still hangs: what was accepted is in the store."""
    if threading.current_thread() is not threading.main_thread():
        return

    def hurry(sig: int, frame: FrameType | None) -> None:
        overdue = threading.Timer(limit_s, _give_up)
        overdue.daemon = True
        overdue.start()
        if callable(before):
            before(sig, frame)

    before: Callable[[int, FrameType | None], object] | int | None = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, hurry)


def _give_up() -> None:
    _log.warning("stopped before everything had ended")
    os._exit(0)


def _end_with_parent() -> None:
    """Stop when the supervisor is gone: nobody would ever stop this worker, and its socket stays taken."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        if _FORKS:  # what `join` waits for is open in the workers that were forked later, too
            select.select([os.pidfd_open(os.getppid())], [], [])
        else:
            parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


@contextmanager
def _counted_together() -> Iterator[None]:
    """Give the workers a directory in which they count together."""
    with tempfile.TemporaryDirectory(prefix="flare-metrics-") as folder:
        os.environ[_METRICS] = folder
        try:
            yield
        finally:
            del os.environ[_METRICS]
