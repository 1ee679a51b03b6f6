"""The solver's process from outside: asked, timed, killed, replaced."""

import json
import logging
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Final, Protocol

from flare_core.adapters.gateway.errors import UnavailableError
from flare_core.adapters.gateway.parcels import packed
from flare_core.inventory.types import Inventory

if TYPE_CHECKING:
    from flare_core.adapters.gateway.work.request import Request

_log = logging.getLogger(__name__)
_MODULE: Final = "flare_core.adapters.gateway.work.child"
_START_S: Final = 60.0
_LEAST_S: Final = 2.0
"""However short the limit, a process is not ended before: reading and building take their time as well."""
_ONE_THREAD: Final = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


class _Process(Protocol):
    """What is asked of a process: of a `Popen`, and of a copy."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def wait(self) -> int: ...


class SolverDiedError(Exception):
    """The process has ended, or was ended, before it answered."""


class Solver:
    """A process that searches; one request at a time, from any thread.

    Parameters
    ----------
    memory_mib
        What it may use, MiB.
    """

    def __init__(self, memory_mib: int) -> None:
        self._memory_mib = memory_mib
        self._turn = threading.Lock()
        self._process: _Process | None = None
        self._connection: Connection | None = None
        self._known: Inventory | None = None
        self._warm = False
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """The process's number; None where none runs."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    @property
    def warm(self) -> bool:
        """Whether a process runs and has loaded what it needs."""
        return self._warm and self.pid is not None

    def start(self) -> None:
        """Start the process and wait until it has loaded what it needs; does nothing where it runs.

        Raises
        ------
        UnavailableError
            If it does not start.
        """
        with self._turn:
            self._connected()

    def fork(self) -> None:
        """Start the process as a copy of this one: at once where this one has loaded what is needed.

        Only for a process that has no threads yet that hold anything; the next one is started as ever.
        """
        with self._turn:
            self._begun(_copied)

    def ask(
        self,
        request: "Request",
        inventory: Inventory,
        *,
        wait_s: float | None = None,
        beat: Callable[[], object] | None = None,
        beat_s: float = 5.0,
    ) -> Mapping[str, Any]:
        """Return what `solving.answer` says.

        Parameters
        ----------
        wait_s
            How long to wait for the process to be free, seconds; None is without end.
        beat, beat_s
            Called every so many seconds while the search goes on.

        Raises
        ------
        SolverDiedError
            If it has ended without an answer; at twice the limit of the request it is ended.
        UnavailableError
            If it is not free in time.
        """
        if not self._turn.acquire(timeout=-1 if wait_s is None else wait_s):
            raise UnavailableError("the solver is busy, try again")
        try:
            connection = self._connected()
            if inventory is not self._known:
                connection.send_bytes(packed(inventory))
                self._known = inventory
            connection.send_bytes(packed(request))
            self._await(connection, max(_LEAST_S, 2 * request.limit_s), beat, beat_s)
            answer: Mapping[str, Any] = json.loads(connection.recv_bytes())
        except (EOFError, OSError) as error:
            self._end()
            raise SolverDiedError("the solver has ended") from error
        except BaseException:
            self._end()  # its answer would be taken for that of the next request
            raise
        finally:
            self._turn.release()
        return answer

    def kill(self) -> None:
        """End the process, also in the middle of a search."""
        process = self._process
        if process is not None:
            process.kill()

    def stop(self) -> None:
        """End the process for good, and wait for it."""
        self._stopped = True
        self.kill()
        with self._turn:
            self._end()

    def _connected(self) -> Connection:
        if self._stopped:
            raise UnavailableError("the solver is stopped")
        try:
            return self._started()
        except (EOFError, OSError) as error:
            raise UnavailableError("the solver does not start") from error

    def _started(self) -> Connection:
        if self._connection is not None and self.pid is not None:
            return self._connection
        self._end()
        return self._begun(_executed)

    def _begun(self, launch: Callable[[int, int], _Process]) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = launch(theirs.fileno(), self._memory_mib)
        self._connection = connection = Connection(ours.detach())
        self._await(connection, _START_S, None, _START_S)
        connection.recv_bytes()
        self._warm = True
        _log.info("solver started", extra={"solver_pid": self._process.pid})
        return connection

    def _await(
        self, connection: Connection, limit_s: float, beat: Callable[[], object] | None, beat_s: float
    ) -> None:
        """Wait for an answer; kill who does not give it."""
        left = limit_s
        while not connection.poll(min(left, beat_s)):
            left -= beat_s
            if left <= 0:
                self.kill()
                raise EOFError
            if beat is not None:
                beat()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            code = self._process.wait()
            _log.warning("solver ended", extra={"solver_pid": self._process.pid, "exit_code": code})
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = self._known = None
        self._warm = False


def _executed(descriptor: int, memory_mib: int) -> _Process:
    return subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-m", _MODULE, str(descriptor), str(memory_mib)],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        env=os.environ | _ONE_THREAD,
        process_group=0,  # Ctrl-C in a terminal is for the gateway, whose end is that of its solvers
    )


class _Copy:
    """A process that was forked."""

    def __init__(self, descriptor: int, memory_mib: int) -> None:
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=_run, args=(descriptor, memory_mib), daemon=True)
        self._process.start()
        self.pid: int = self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int:
        self._process.join()
        return self._process.exitcode or 0


def _copied(descriptor: int, memory_mib: int) -> _Process:
    return _Copy(descriptor, memory_mib)


def _run(descriptor: int, memory_mib: int) -> None:
    """Be a solver, and nothing else of what this was a copy of: no signal, no file, no socket."""
    from flare_core.adapters.gateway.work import child

    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    child.main(descriptor, memory_mib)
