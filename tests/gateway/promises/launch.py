"""Real gateways, each a process of its own with its solver: started, killed, stopped and looked into."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import ROOT
from tests.gateway.promises.nursery import Copy, nursery

READY_S = 60.0
"""How long a gateway may take to be ready where that is not what is measured; the machine may be busy."""


@dataclass(slots=True)
class Gateway:
    """One process group: a gateway, and the solver that it has started.

    Attributes
    ----------
    folder
        Its own: configuration, log, clock.
    settings
        Of the gateway, by name.
    more
        What else the server is told (``tests.gateway.promises.server``).
    failpoints
        ``FLARE_FAILPOINTS`` of the next start.
    fresh
        Whether it loads everything itself, as it does in service: where time or memory is measured.
    """

    folder: Path
    settings: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)
    failpoints: str = ""
    fresh: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[str] | Copy | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> "Gateway":
        """Start the process and return when it listens; it may not be ready then."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "config.json"
        config.write_text(json.dumps({"settings": dict(self.settings), "port": self.port, **self.more}))
        self._run(config)
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.process.stdout.close()
        if line:  # else it died on its way, which some tests want it to
            self.port = int(line)
        return self

    def _run(self, config: Path) -> None:
        environment = {"FLARE_FAILPOINTS": self.failpoints} if self.failpoints else {}
        environment |= self.environment
        with (self.folder / "log").open("a") as log:
            if not self.fresh:
                self.process = nursery().copy(config, environment, log)
                return
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.gateway.promises.server", str(config)],
                cwd=ROOT,
                env={k: v for k, v in os.environ.items() if not k.startswith("FLARE_")} | environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def until_ready(self, timeout_s: float = READY_S) -> float:
        """Wait until it says that it is ready; return how long that took."""
        return await_true(self.is_ready, timeout_s)

    def is_ready(self) -> bool:
        return self.get("/readyz") == 200

    def get(self, path: str) -> int | None:
        """Return the status of a GET without a token, None without an answer."""
        with suppress(httpx.TransportError):
            return httpx.get(self.url + path, timeout=5).status_code
        return None

    def kill(self) -> None:
        """Kill the whole process group at once, as a power cut does."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def solvers(self) -> list[int]:
        """Return the processes below the gateway."""
        return descendants(self.pid)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


@contextmanager
def running(gateways: Sequence[Gateway], *, ready: bool = True) -> Iterator[Sequence[Gateway]]:
    """Start gateways at once, wait until they are ready, and leave nothing of them behind."""
    try:
        for gateway in gateways:
            gateway.start()
        if ready:
            for gateway in gateways:
                gateway.until_ready()
        yield gateways
    finally:
        for gateway in gateways:
            if gateway.process is not None:
                gateway.kill()


def await_true(condition: Callable[[], bool], timeout_s: float, every_s: float = 0.02) -> float:
    """Ask until it is so; return how long that took, seconds.

    Raises
    ------
    TimeoutError
        If it does not become so in time.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout_s:
            raise TimeoutError(f"not within {timeout_s} s")
        time.sleep(every_s)
    return time.monotonic() - began


def descendants(pid: int) -> list[int]:
    """Return all processes below one, from the top."""
    with suppress(FileNotFoundError, ProcessLookupError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        return [each for child in children for each in (child, *descendants(child))]
    return []


def memory_mib(pid: int, *, peak: bool = True) -> float:
    """Return the resident memory of a process, at most so far or now; 0 where it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:" if peak else "VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0
