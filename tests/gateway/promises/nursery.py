"""Gateways without the second that each takes to load: copies of a process that has loaded everything.

``python -m tests.gateway.promises.nursery DESCRIPTOR``: over the socket come a configuration and what is to
be in the environment, with the descriptors of output and log; the number of the new process goes back.
"""

import atexit
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from types import FrameType
from typing import IO, Any

from tests.conftest import ROOT

MOST = 65_536


class Copy:
    """A process that is not ours: what is asked of a `Popen`, but for how it has ended.

    Attributes
    ----------
    stdout
        What it says.
    """

    def __init__(self, pid: int, stdout: IO[str]) -> None:
        self.pid, self.stdout = pid, stdout
        try:
            self._open: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._open = None

    def poll(self) -> int | None:
        """Return None while it runs."""
        return self._over(0)

    def wait(self) -> int | None:
        """Wait for its end."""
        return self._over(None)

    def _over(self, timeout_s: float | None) -> int | None:
        if self._open is not None:
            if not select.select([self._open], [], [], timeout_s)[0]:
                return None
            os.close(self._open)
            self._open = None
        return 0


class Nursery:
    """Where copies come from."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._turn = Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.gateway.promises.nursery", str(theirs.fileno())],
                cwd=ROOT,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        atexit.register(self.end)

    def copy(self, config: Path, environment: Mapping[str, str], log: IO[str]) -> Copy:
        """Return a new gateway."""
        output, theirs = os.pipe()
        asked = json.dumps({"config": str(config), "environment": dict(environment)}).encode()
        with self._turn:
            socket.send_fds(self._line, [asked], [theirs, log.fileno()])
            os.close(theirs)
            pid = int(self._line.recv(MOST))
        return Copy(pid, os.fdopen(output))

    def end(self) -> None:
        """End it; the copies stay."""
        self._line.close()
        self._process.wait()


@cache
def nursery() -> Nursery:
    """Return the one of this process."""
    return Nursery()


def main(descriptor: int) -> None:
    """Make copies until nobody can ask for them any more."""
    import_module("flare_core.adapters.gateway.work.solving")
    import_module("tests.gateway.promises.server")
    signal.signal(signal.SIGCHLD, _reap)
    line = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, _, _ = socket.recv_fds(line, MOST, 2)
        if not message:
            return
        pid = os.fork()
        if not pid:
            line.close()
            _be(json.loads(message), *descriptors)
        for each in descriptors:
            os.close(each)
        line.send(str(pid).encode())


def _reap(sig: int, frame: FrameType | None) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _be(asked: Mapping[str, Any], output: int, log: int) -> None:
    """Be a gateway until its end."""
    from flare_core.adapters.gateway import failpoints
    from tests.gateway.promises import server

    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for old, new in ((output, 1), (log, 2)):
            os.dup2(old, new)
            os.close(old)
        os.environ.update(asked["environment"])
        failpoints._armed = failpoints.parse(os.environ.get(failpoints.VARIABLE, ""))
        if "PYTHONPATH" in asked["environment"]:  # what is done there when Python starts
            runpy.run_path(f"{asked['environment']['PYTHONPATH']}/sitecustomize.py")
        server.main(asked["config"], copied=True)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
