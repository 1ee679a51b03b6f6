"""One gateway as a process: ``python -m tests.gateway.promises.server CONFIG``; says its port, then serves.

The configuration: ``settings`` by name, ``port`` (0 is any), ``clock`` (a file with the seconds by which the
clock is off), ``provider`` (a file in which the backend's objects are kept), ``lag`` (a file for the longest
that the event loop was late, ms).
"""

import asyncio
import json
import logging
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import uvicorn

from flare_core.adapters.gateway.app import create_app
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.work.solver import Solver
from tests.gateway.promises.provider import Provider


class Clock:
    """The clock of this machine, and off by what a file says."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)

    def __call__(self) -> datetime:
        off = 0.0 if self._path is None else float(self._path.read_text() or 0)
        return datetime.now(UTC) + timedelta(seconds=off)


async def watch(path: Path) -> None:
    """Note the longest that the event loop was late since the file was last emptied."""
    longest = 0.0
    while True:
        due = perf_counter() + 0.005
        await asyncio.sleep(0.005)
        late_ms = (perf_counter() - due) * 1000
        if not path.exists():
            longest = -1.0
        if late_ms > longest:
            longest = late_ms
            path.write_text(f"{longest:.2f}")


async def serve(app: Any, listening: socket.socket, lag: str | None) -> None:
    server = uvicorn.Server(uvicorn.Config(app, http="h11", access_log=False, log_config=None))
    watching = asyncio.create_task(watch(Path(lag))) if lag else None
    await server.serve(sockets=[listening])
    if watching is not None:
        watching.cancel()


def main(path: str, *, copied: bool = False) -> None:
    """Serve; a copy of a process that has loaded everything makes another one for its solver."""
    logging.basicConfig(level=logging.WARNING)
    given = json.loads(Path(path).read_text())
    clock = Clock(given.get("clock"))
    settings = Settings(**given["settings"])
    kept = given.get("provider")
    backend = Provider(settings, clock, Path(kept)) if kept else None
    solvers = Solver(settings.solver_memory_mib), Solver(settings.solver_memory_mib)
    if copied:
        solvers[0].fork()
    app = create_app(settings, backend=backend, clock=clock, solvers=solvers)
    listening = socket.create_server(("127.0.0.1", given["port"]), backlog=2048)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    asyncio.run(serve(app, listening, given.get("lag")))


if __name__ == "__main__":
    main(sys.argv[1])
