"""The loop that gathers intents, has them solved, and books what was found."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final

from sqlalchemy import Connection

from flare_core.adapters.gateway.errors import UnavailableError
from flare_core.adapters.gateway.failpoints import hit
from flare_core.adapters.gateway.ledger import capacity_count, held
from flare_core.adapters.gateway.metrics import Metrics
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.spans import Spans
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.work import commit
from flare_core.adapters.gateway.work.claims import Work, claim, find_work, hand_back, renew
from flare_core.adapters.gateway.work.request import Request, origin_of
from flare_core.adapters.gateway.work.solver import Solver, SolverDiedError
from flare_core.inventory.types import Inventory

_log = logging.getLogger(__name__)
Clock = Callable[[], datetime]

BATCH_EFFORT: Final = 0.1
"""What a search for several intents may take, in the solver's own measure: about a third of a second. What
is still better is not worth the wait of everybody in the batch."""
_ASIDE: Final = 4
"""So many batches are looked at, since other processes take the same ones."""
_TOGETHER: Final = 8
"""So many intents are booked in one transaction: who submits meanwhile waits for it."""
_PAUSE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Tools:
    """What the loops of a process share.

    Attributes
    ----------
    me
        A name that no other process has.
    inventory
        Returns what is offered now.
    changed
        Called when something was written that others wait for.
    """

    settings: Settings
    store: Store
    clock: Clock
    me: str
    inventory: Callable[[], Inventory]
    metrics: Metrics
    spans: Spans
    changed: Callable[[], object]

    @property
    def lease(self) -> timedelta:
        """For how long work is claimed."""
        return timedelta(seconds=self.settings.lease_s)

    def renew(self) -> None:
        """Prolong what is claimed; a store that does not answer now may answer in time the next time."""
        try:
            with self.store.write() as connection:
                renew(connection, self.me, self.clock() + self.lease)
        except UnavailableError:
            _log.warning("leases were not renewed")


class Loop(threading.Thread, ABC):
    """A thread that works while there is work, and else looks again after a while, or when it is woken."""

    def __init__(self, name: str, tools: Tools) -> None:
        super().__init__(name=name, daemon=True)
        self.tools = tools
        self.stopping = threading.Event()
        self._woken = threading.Event()

    @abstractmethod
    def work(self) -> bool:
        """Do what there is to do; return whether there was any."""

    def wake(self) -> None:
        """Say that there is work."""
        self._woken.set()

    def run(self) -> None:
        while not self.stopping.is_set():
            self._woken.clear()
            try:
                busy = self.work()
            except UnavailableError:
                _log.warning("store unavailable", extra={"loop": self.name})
                self.stopping.wait(_PAUSE_S)
            except Exception:  # a loop that ends would leave every intent where it is
                _log.exception("loop failed", extra={"loop": self.name})
                self.stopping.wait(_PAUSE_S)
            else:
                if not busy:
                    self._woken.wait(self.tools.settings.poll_s)
                self.pause()

    def pause(self) -> None:
        """Wait between two rounds."""

    def end(self) -> None:
        """Ask the loop to end after what it is doing."""
        self.stopping.set()
        self._woken.set()


class Driver(Loop):
    """Gathers intents, has them solved together, books what was found."""

    def __init__(self, tools: Tools, solver: Solver, placed: Callable[[], object]) -> None:
        super().__init__("flare-driver", tools)
        self._solver = solver
        self._placed = placed

    def pause(self) -> None:
        self.stopping.wait(self.tools.settings.batch_window_s)

    def work(self) -> bool:
        gathered = self._claim()
        try:
            for group in _groups(gathered):
                self._settle(group)
        except BaseException:
            self._hand_back(gathered)
            raise
        return bool(gathered)

    def _claim(self) -> tuple[Work, ...]:
        tools = self.tools
        tools.inventory()  # more that is offered is what the queue waits for
        while True:
            with tools.store.read() as connection:
                seen = self._found(connection, _ASIDE * tools.settings.batch_size)
            if not seen:
                return ()
            ids = [work.record.id for work in seen]
            with tools.store.write("claim") as connection:
                gathered = self._found(connection, tools.settings.batch_size, ids)
                own = [work.record.id for work in gathered]
                claim(connection, tools.me, own, tools.clock() + tools.lease)
            if gathered or self.stopping.is_set():
                return gathered

    def _found(
        self, connection: Connection, limit: int, among: Sequence[str] | None = None
    ) -> tuple[Work, ...]:
        tools = self.tools
        return find_work(connection, tools.clock(), tools.lease, capacity_count(connection), limit, among)

    def _hand_back(self, gathered: Sequence[Work]) -> None:
        try:
            with self.tools.store.write() as connection:
                hand_back(connection, self.tools.me, [work.record.id for work in gathered])
        except UnavailableError:
            _log.warning("claims are left to expire")

    def _settle(self, group: Sequence[Work]) -> None:
        """Solve and book intents; those whose capacity was taken meanwhile again, so many times."""
        tools = self.tools
        for _ in range(tools.settings.max_rounds):
            if self.stopping.is_set():
                self._hand_back(group)
                return
            desk, booked = self._desk()
            found = self._solved(group, desk, booked)
            if "error" in found and len(group) > 1:
                for work in group:
                    self._settle([work])
                return
            group = self._write(desk, group, found)
            tools.changed()
            self._placed()
            if not group:
                return
        with tools.store.write() as connection:
            commit.postpone(connection, replace(self._desk()[0], now=tools.clock()), group)

    def _write(self, desk: commit.Desk, group: Sequence[Work], found: Mapping[str, Any]) -> list[Work]:
        """Write what was found; return those whose capacity was taken meanwhile."""
        tools, taken = self.tools, list[Work]()
        newest = tools.inventory()  # what has vanished during the search is not booked
        for start in range(0, len(group), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            with tools.store.write("place") as connection:
                now = replace(desk, now=tools.clock(), inventory=newest)
                taken += _written(connection, now, group[part], found.get("outcomes", ())[part], found)
        return taken

    def _desk(self) -> "tuple[commit.Desk, tuple[Any, ...]]":
        tools = self.tools
        inventory = tools.inventory()
        with tools.store.read() as connection:
            capacity, booked = capacity_count(connection), held(connection)
        return commit.Desk(tools.settings, tools.me, inventory, capacity, tools.clock()), booked

    def _solved(self, group: Sequence[Work], desk: commit.Desk, booked: tuple[Any, ...]) -> Mapping[str, Any]:
        """Return the solver's answer; ``died`` where it gave none."""
        settings = self.tools.settings
        request = Request(
            kind="solve",
            documents=tuple(work.record.document for work in group),
            held=booked,
            now=desk.now,
            limit_s=settings.solve_time_limit_s * 2 ** group[0].unknowns,
            excluded=group[0].excluded,
            origin=origin_of(settings),
            effort=BATCH_EFFORT if len(group) > 1 else None,
        )
        hit("solve.before")
        began = monotonic()
        try:
            with self.tools.spans.span("solve", intents=len(group)):
                found: Mapping[str, Any] = self._solver.ask(
                    request, desk.inventory, beat=self.tools.renew, beat_s=settings.lease_s / 3
                )
        except SolverDiedError:
            if self.stopping.is_set():
                raise
            _log.warning("solver died", extra={"intents": [work.record.id for work in group]})
            found = {"died": True}
        hit("solve.after")
        outcome = "crashed" if "died" in found else found.get("plan", "unknown")
        self.tools.metrics.solved(outcome, monotonic() - began, len(group))
        return found


def _written(
    connection: Connection,
    desk: commit.Desk,
    group: Sequence[Work],
    outcomes: Sequence[Mapping[str, Any]],
    found: Mapping[str, Any],
) -> list[Work]:
    if "died" in found:
        commit.crashed(connection, desk, group)
        return []
    if "error" in found:
        for work in group:
            commit.refuse(connection, desk, work, found["error"])
        return []
    return commit.settle(connection, desk, group, outcomes)


def _groups(gathered: Sequence[Work]) -> Iterator[list[Work]]:
    """Yield what is solved together: intents of different names, the difficult ones alone."""
    together = [work for work in gathered if not work.alone]
    while together:
        group = {work.record.name: work for work in reversed(together)}
        chosen = {work.record.id for work in group.values()}
        yield [work for work in together if work.record.id in chosen]
        together = [work for work in together if work.record.id not in chosen]
    yield from ([work] for work in gathered if work.alone)
