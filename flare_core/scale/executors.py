"""Who works on the parts of a batch: this process, others of this machine, or those of a cluster.

A part does not know who else works, how many, or whether it is done again because somebody was lost: the
answer depends on the parts alone. `flare_core.adapters.ray` has the executor for several machines.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from ctypes import c_bool
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, Final, Protocol, TypeVar

from flare_core.errors import InternalError
from flare_core.options import Cancellation

Model = TypeVar("Model")
Part = TypeVar("Part")
Found = TypeVar("Found")
Stop = Callable[[], bool]
"""Whether a part should end with what it has."""

TRIES: Final = 4
"""How often a part is begun before it is given up, where those who work on it are lost."""


class Executor(Protocol):
    """Works on parts, in whatever order, and returns what was found in theirs."""

    def run(
        self,
        work: Callable[[Model, Part, Stop], Found],
        model: Model,
        parts: Sequence[Part],
        cancellation: Cancellation | None = None,
    ) -> list[Found | None]:
        """Return what `work` finds of each part; None for those that a cancellation kept from being done.

        Parameters
        ----------
        work
            A function of a module, which gives the same for the same model and part.
        model
            What all parts need, sent to each worker once.
        cancellation
            Ends the work.

        Raises
        ------
        InternalError
            If those who work on a part are lost again and again.
        """
        ...


class Serial:
    """Works on one part after the other in this process."""

    def run(
        self,
        work: Callable[[Model, Part, Stop], Found],
        model: Model,
        parts: Sequence[Part],
        cancellation: Cancellation | None = None,
    ) -> list[Found | None]:
        """Return what `work` finds of each part; see `Executor`."""

        def stop() -> bool:
            return cancellation is not None and cancellation.cancelled

        return [None if stop() else work(model, part, stop) for part in parts]


@dataclass(frozen=True, slots=True)
class Processes:
    """Works on parts in processes of this machine, which are begun for each batch and end with it.

    They are spawned, so a script has to guard what it does with ``if __name__ == "__main__":``.

    Parameters
    ----------
    workers
        How many, 1 or more.
    """

    workers: int

    def run(
        self,
        work: Callable[[Model, Part, Stop], Found],
        model: Model,
        parts: Sequence[Part],
        cancellation: Cancellation | None = None,
    ) -> list[Found | None]:
        """Return what `work` finds of each part; see `Executor`."""
        context = multiprocessing.get_context("spawn")
        ended = context.RawValue(c_bool, False)  # without a lock, which a killed process could keep

        def end() -> None:
            ended.value = True

        if cancellation is not None:
            cancellation.watch(end)
        try:
            crew = _Crew(context, (work, model, ended), parts)
            found: list[Found | None] = crew.run(self.workers)
        finally:
            if cancellation is not None:
                cancellation.unwatch(end)
        return found


class _Crew:
    """Processes and the parts that they work on; who is lost leaves the others alone."""

    def __init__(
        self, context: SpawnContext, setup: tuple[Callable[..., Any], object, c_bool], parts: Sequence[Any]
    ) -> None:
        self.context, self.setup, self.parts, self.ended = context, setup, parts, setup[2]
        self.waiting = deque(range(len(parts)))
        self.tries = [0] * len(parts)
        self.found: list[Any] = [None] * len(parts)
        self.busy: dict[Connection, tuple[SpawnProcess, int]] = {}

    def run(self, workers: int) -> list[Any]:
        """Work on all parts, so many at once."""
        try:
            while self.busy or (self.waiting and not self.ended.value):
                while self.waiting and len(self.busy) < workers and not self.ended.value:
                    here, there = self.context.Pipe()
                    process = self.context.Process(target=_serve, args=(there, *self.setup), daemon=True)
                    process.start()
                    there.close()
                    self._give(here, process)
                for ready in connection.wait(list(self.busy)):
                    assert isinstance(ready, Connection)
                    self._take(ready)
        finally:
            for here, (process, _) in self.busy.items():
                process.kill()
                _dismissed(here, process)
        return self.found

    def _give(self, here: Connection, process: SpawnProcess) -> None:
        """Give the next part to a process."""
        k = self.waiting.popleft()
        self.tries[k] += 1
        if self.tries[k] > TRIES:
            _dismissed(here, process)
            raise InternalError(f"processes were lost {TRIES} times while they worked on a part")
        self.busy[here] = process, k
        with suppress(OSError):  # who is lost by now is seen when something is expected
            here.send(self.parts[k])

    def _take(self, here: Connection) -> None:
        """Take what a process has found, and give it the next part."""
        process, k = self.busy.pop(here)
        try:
            good, found = here.recv()
        except (EOFError, OSError):
            self.waiting.appendleft(k)
            _dismissed(here, process)
            return
        if not good:
            _dismissed(here, process)
            raise found
        self.found[k] = found
        if self.waiting and not self.ended.value:
            self._give(here, process)
        else:
            _dismissed(here, process)


def _dismissed(here: Connection, process: SpawnProcess) -> None:
    here.close()
    process.join()


def _serve(there: Connection, work: Callable[..., Any], model: object, ended: c_bool) -> None:
    """Work on parts until nobody sends any more; what is raised is sent back."""
    with suppress(EOFError):
        while True:
            part = there.recv()
            try:
                found = True, work(model, part, lambda: bool(ended.value))
            except Exception as error:  # whatever it is, it is the caller's
                found = False, error
            there.send(found)
