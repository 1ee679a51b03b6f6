"""A backend that runs nothing and tells a plausible life: offers from files, times from the placement.

What is bought starts when the placement says and the offer's cold start is over; jobs and batches end after
their length, services run until they are released. Nothing fails, so nothing is retried. It keeps nothing of
it: the same order at the same time has the same answer in every process.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from flare_core.adapters.gateway.backend.port import BackendError, Order, Phase, Report
from flare_core.adapters.gateway.backend.reading import read_offers
from flare_core.errors import FlareError
from flare_core.inventory.types import Inventory
from flare_core.quantities import format_moment, parse_moment

_log = logging.getLogger(__name__)
DEMONSTRATION: Final = Path(__file__).parents[3] / "examples" / "federation.json"
_NO_NEWS_S: Final = 3600.0

Signature = tuple[tuple[str, int, int, int], ...]


class LocalBackend:
    """Offers from files and directories, read again when they change, and runs that only the clock makes.

    Parameters
    ----------
    paths
        Files of offers, and directories of such files; none is the bundled demonstration federation.
    clock
        Tells the time.
    usd_eur, assume
        As for `read_inventory`.
    """

    def __init__(
        self,
        paths: Sequence[Path] = (),
        *,
        clock: Callable[[], datetime],
        usd_eur: str | None = None,
        assume: Mapping[str, object] | None = None,
    ) -> None:
        self._paths = tuple(paths) or (DEMONSTRATION,)
        self._clock = clock
        self._read = partial(read_offers, usd_eur=usd_eur, assume=assume)
        self._turn = threading.Lock()
        self._seen: Signature = ()
        self._inventory: Inventory | None = None
        self._fault: str | None = None

    @property
    def name(self) -> str:
        """``local``."""
        return "local"

    @property
    def fault(self) -> str | None:
        """Why the newest files are not used; None where they are."""
        return self._fault

    def discover(self) -> Inventory:
        """Return the offers; where new files cannot be read, the old ones stay.

        Raises
        ------
        BackendError
            If none could ever be read.
        """
        with self._turn:
            try:
                files = [file for path in self._paths for file in _files(path)]
                seen = tuple(_signature(file) for file in files)
                if seen != self._seen:
                    self._seen = seen  # also where they are bad: they are not read again until they change
                    self._inventory = self._read(files)
                    self._fault = None
            except (FlareError, OSError) as error:
                if self._fault is None:
                    _log.warning("offers cannot be read", extra={"reason": str(error)})
                self._fault = "the newest files of offers cannot be read"
            if self._inventory is None:
                self._seen = ()
                raise BackendError("no file of offers can be read")
            return self._inventory

    def reserve(self, order: Order) -> Report:
        """Say yes."""
        starts = _start(order) + timedelta(seconds=self._cold_start_s(order))
        handle = {"starts": order.handle.get("starts", format_moment(starts))}
        return Report(phase=Phase.RESERVED, message="reserved", handle=handle)

    def commit(self, order: Order) -> Report:
        """Start it."""
        return self.status(order)

    def status(self, order: Order) -> Report:
        """Tell by the clock how far it is."""
        handle = dict(order.handle or self.reserve(order).handle)
        now, starts = self._clock(), parse_moment(handle["starts"])
        if now < starts:
            again = (starts - now).total_seconds()
            return Report(phase=Phase.STARTING, message="starting", handle=handle, again_s=again)
        length = _length(order)
        if length is None:
            return Report(
                phase=Phase.RUNNING,
                message="running",
                started=starts,
                handle=handle,
                again_s=_NO_NEWS_S,
            )
        ends = starts + length
        if now < ends:
            again = (ends - now).total_seconds()
            return Report(
                phase=Phase.RUNNING, message="running", started=starts, handle=handle, again_s=again
            )
        return Report(phase=Phase.COMPLETED, message="completed", started=starts, ended=ends, handle=handle)

    def release(self, order: Order) -> Report:
        """Say that nothing is left."""
        return Report(phase=Phase.RELEASED, message="released", handle=order.handle)

    def close(self) -> None:
        """Do nothing: no connection is held."""

    def _cold_start_s(self, order: Order) -> float:
        inventory, longest = self.discover(), 0.0
        for row in order.placement.get("assignments", ()):
            try:
                known = inventory.value("cold_start_s", inventory.row(row["offer"]))
            except KeyError:  # an offer that is gone
                continue
            longest = max(longest, float(known or 0.0))
        return longest


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    yield from (file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith("."))


def _signature(file: Path) -> tuple[str, int, int, int]:
    found = file.stat()
    return str(file), found.st_mtime_ns, found.st_size, found.st_ino


def _start(order: Order) -> datetime:
    planned = order.placement.get("start_time")
    return order.placed_at if planned is None else max(order.placed_at, parse_moment(planned))


def _length(order: Order) -> timedelta | None:
    start, end = (order.placement.get(name) for name in ("start_time", "end_time"))
    if start is None or end is None:
        return None
    return parse_moment(end) - parse_moment(start)
