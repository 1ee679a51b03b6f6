"""The executor that gives parts to Ray."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import ray
from ray.exceptions import TaskCancelledError, WorkerCrashedError

from flare_core.errors import InternalError
from flare_core.options import Cancellation
from flare_core.scale.executors import TRIES, Stop

Model = TypeVar("Model")
Part = TypeVar("Part")
Found = TypeVar("Found")


@ray.remote(max_retries=TRIES - 1)
def _part(work: Callable[..., Any], model: Any, part: Any) -> Any:
    return work(model, part, _never)


def _never() -> bool:
    """Return False: Ray itself interrupts a task that is cancelled."""
    return False


@dataclass(frozen=True, slots=True)
class Ray:
    """Works on parts as tasks of Ray, one CPU each; see `flare_core.scale.executors.Executor`.

    Where the program is connected to Ray already, that connection is used; otherwise one is made for each
    batch and ended with it. FLARE has to be installed on all machines of a cluster. A task whose worker is
    lost is begun again elsewhere.

    Parameters
    ----------
    address
        Of the cluster, as `ray.init` has it; None is this machine alone.
    workers
        Most tasks at once; None is as many as there are CPUs.
    """

    address: str | None = None
    workers: int | None = None

    def run(
        self,
        work: Callable[[Model, Part, Stop], Found],
        model: Model,
        parts: Sequence[Part],
        cancellation: Cancellation | None = None,
    ) -> list[Found | None]:
        """Return what `work` finds of each part; None for those that a cancellation kept from being done.

        Raises
        ------
        InternalError
            If those who work on a part are lost again and again.
        """
        with self._connected():
            shared = ray.put(model)
            return _Tasks(cancellation).run(
                lambda part: _part.remote(work, shared, part), parts, self.workers
            )

    @contextmanager
    def _connected(self) -> Iterator[None]:
        if ray.is_initialized():
            yield
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody unless it is asked
        cpus = self.workers if self.address is None else None
        ray.init(self.address, num_cpus=cpus, include_dashboard=False, log_to_driver=False)
        try:
            yield
        finally:
            ray.shutdown()


class _Tasks:
    """Tasks that are running, and what ends them."""

    def __init__(self, cancellation: Cancellation | None) -> None:
        self.cancellation = cancellation
        self.running: dict[Any, int] = {}

    def run(self, begin: Callable[[Any], Any], parts: Sequence[Any], most: int | None) -> list[Any]:
        """Return what is found of each part, at most so many at once."""
        found: list[Any] = [None] * len(parts)
        if self.cancellation is not None:
            self.cancellation.watch(self._cancel)
        try:
            for k, part in enumerate(parts):
                if self._ended:
                    break
                if most is not None and len(self.running) >= most:
                    self._take(found)
                self.running[begin(part)] = k
            if self._ended:  # what was begun in between
                self._cancel()
            while self.running:
                self._take(found)
        finally:
            if self.cancellation is not None:
                self.cancellation.unwatch(self._cancel)
        return found

    @property
    def _ended(self) -> bool:
        return self.cancellation is not None and self.cancellation.cancelled

    def _take(self, found: list[Any]) -> None:
        """Wait for the next task that ends."""
        [done], _ = ray.wait(list(self.running), num_returns=1)
        k = self.running.pop(done)
        try:
            found[k] = ray.get(done)
        except TaskCancelledError:
            pass
        except WorkerCrashedError as error:
            raise InternalError(f"workers were lost {TRIES} times while they worked on a part") from error

    def _cancel(self) -> None:
        for task in tuple(self.running):
            ray.cancel(task)
