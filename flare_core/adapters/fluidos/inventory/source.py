"""The federation's inventory: followed by watches, asked for when it is old, built when it has changed."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.errors import UnavailableError
from flare_core.adapters.fluidos.inventory import discovery
from flare_core.adapters.fluidos.kinds import DISCOVERY, NODE, PEERING_CANDIDATE, POD, Kind
from flare_core.adapters.fluidos.mirror import Mirror
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.errors import InventoryError
from flare_core.inventory.build import combine, empty_inventory
from flare_core.inventory.flavors import Object, part
from flare_core.inventory.fluidos import Sold, read_objects
from flare_core.inventory.types import Inventory

Json = dict[str, Any]

WINDOW_S: Final = 60.0
NAME: Final = "fluidos"


class Source:
    """What a FLUIDOS federation offers, as one cluster sees it.

    Without `start` each look lists everything; with it, watches keep a copy. Several processes may have a
    source each.

    Parameters
    ----------
    cluster
        The cluster that buys.
    settings
        How its objects are read.
    assume
        Values for what no flavor says, by provider or region, see `flare_core.read_inventory`.
    sold
        Returns own purchases whose GPUs are still advertised.
    """

    def __init__(
        self,
        cluster: Cluster,
        settings: FluidosSettings | None = None,
        *,
        assume: Mapping[str, object] | None = None,
        sold: Callable[[], Sequence[Sold]] = tuple,
    ) -> None:
        self._cluster, self._settings = cluster, settings or FluidosSettings()
        self._assume, self._sold = assume, sold
        self._mirrors: dict[Kind, Mirror] = {}
        self._seen: object = None
        self._inventory: Inventory | None = None

    def start(self) -> None:
        """Follow what is there in threads until `stop`; idempotent."""
        if self._mirrors:
            return
        for kind in self._kinds():
            namespace = self._settings.namespace if kind in (DISCOVERY, PEERING_CANDIDATE) else None
            self._mirrors[kind] = Mirror(self._cluster, kind, namespace, window_s=WINDOW_S)
            self._mirrors[kind].start()

    def stop(self) -> None:
        """End the threads."""
        for mirror in self._mirrors.values():
            mirror.stop(timeout_s=0.0)
        self._mirrors.clear()

    def discover(self, now: datetime) -> Inventory:
        """Return what is offered now, the same object while nothing has changed.

        Asks the federation anew where the last answer is older than ``refresh_s``, and does not wait for the
        answer. While one is awaited, or the last one failed, what was known before stands.

        Raises
        ------
        UnavailableError
            No Discovery has succeeded yet, or for longer than ``stale_s``.
        ClusterError
            The API server refuses, or does not answer.
        InventoryError
            `assume` is wrong.
        """
        discoveries = self._items(DISCOVERY)
        if discovery.refresh(self._cluster, self._settings, now, discoveries) and not self._mirrors:
            discoveries = self._items(DISCOVERY)
        self._check_age(discoveries, now)
        objects = [*discoveries, *(each for kind in self._kinds()[1:] for each in self._items(kind))]
        sold = tuple(self._sold())
        seen = (sold, tuple(map(_version, objects)))
        if self._inventory is None or (seen != self._seen and not self._in_between(discoveries)):
            self._seen, self._inventory = seen, self._read(objects, sold)
        return self._inventory

    def wait(self, patience_s: float, *, pause_s: float = 0.2) -> Inventory:
        """Return what is offered as soon as a Discovery has succeeded.

        Raises
        ------
        UnavailableError
            None has within `patience_s`.
        ClusterError
            The API server refuses.
        """
        until = time.monotonic() + patience_s
        while True:
            try:
                return self.discover(datetime.now(UTC))
            except UnavailableError:
                if time.monotonic() >= until:
                    raise
            time.sleep(min(pause_s, max(0.0, until - time.monotonic())))

    def _kinds(self) -> tuple[Kind, ...]:
        return (DISCOVERY, PEERING_CANDIDATE, *((NODE, POD) if self._settings.nodes else ()))

    def _items(self, kind: Kind) -> tuple[Json, ...]:
        mirror = self._mirrors.get(kind)
        if mirror is not None and mirror.version:
            return mirror.items()
        namespace = self._settings.namespace if kind in (DISCOVERY, PEERING_CANDIDATE) else None
        listed = self._cluster.list(kind, namespace).items
        return tuple({**each, "apiVersion": kind.api_version, "kind": kind.kind} for each in listed)

    def _check_age(self, discoveries: Sequence[Object], now: datetime) -> None:
        """Refuse to tell what nobody has confirmed for too long."""
        answered = [each for each in discoveries if _has_answer(each)]
        if self._settings.nodes and not discoveries:
            return
        if not answered:
            waiting = [_told(each) for each in discoveries if discovery.is_own(each)]
            why = waiting[-1] if waiting else "none was made"
            raise UnavailableError(f"no Discovery has succeeded yet: {why}")
        age = (now - max(map(discovery.created, answered))).total_seconds()
        if age > self._settings.stale_s:
            last = max(discoveries, key=discovery.turn)
            raise UnavailableError(f"no Discovery has succeeded for {age:.0f} s: {_told(last)}")

    def _in_between(self, discoveries: Sequence[Object]) -> bool:
        """Whether candidates were deleted and the Discovery that brings them back is not done."""
        newest = max(discoveries, key=discovery.turn)
        return self._settings.delete_candidates and discovery.phase(newest) in ("", "Running")

    def _read(self, objects: Sequence[Json], sold: Sequence[Sold]) -> Inventory:
        newest = max(filter(_has_answer, _of(objects, DISCOVERY)), key=discovery.turn, default=None)
        if newest is not None and discovery.phase(newest) != "Solved":
            objects = _of(objects, NODE) + _of(objects, POD)  # every provider answered that it sells nothing
        try:
            raw = read_objects(objects, NAME, reading=self._settings.reading(), sold=sold)
        except InventoryError as error:
            return empty_inventory(NAME, [error.message])
        try:
            return combine([raw], assume=self._assume)
        except InventoryError as error:
            if error.path.startswith("assume"):
                raise
            return empty_inventory(NAME, [error.message])


def _of(objects: Sequence[Json], kind: Kind) -> list[Json]:
    return [each for each in objects if each.get("kind") == kind.kind]


def _has_answer(each: Object) -> bool:
    told = str(part(each, "status", "phase").get("message") or "")
    return discovery.phase(each) == "Solved" or (
        discovery.phase(each) == "Failed" and discovery.NO_FLAVORS in told
    )


def _told(each: Object) -> str:
    name, message = part(each, "metadata").get("name"), part(each, "status", "phase").get("message")
    return f"{name}: {discovery.phase(each) or 'not seen'} {message or ''}".rstrip()


def _version(each: Object) -> tuple[object, object]:
    meta = part(each, "metadata")
    return meta.get("uid"), meta.get("resourceVersion")
