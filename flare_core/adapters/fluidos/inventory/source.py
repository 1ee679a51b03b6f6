"""The federation's inventory: followed by watches, asked for when it is old, built when it has changed."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.errors import UnavailableError
from flare_core.adapters.fluidos.inventory import discovery
from flare_core.adapters.fluidos.kinds import DISCOVERY, FLUIDOS, NODE, PEERING_CANDIDATE, POD, Kind
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
    also
        Further kinds of FLUIDOS's namespace to follow, for `items`.
    """

    def __init__(
        self,
        cluster: Cluster,
        settings: FluidosSettings | None = None,
        *,
        assume: Mapping[str, object] | None = None,
        sold: Callable[[], Sequence[Sold]] = tuple,
        also: Sequence[Kind] = (),
    ) -> None:
        self._cluster, self._settings = cluster, settings or FluidosSettings()
        self._assume, self._sold, self._also = assume, sold, tuple(also)
        self._mirrors: dict[Kind, Mirror] = {}
        self._seen: object = None
        self._inventory: Inventory | None = None

    def start(self) -> None:
        """Follow what is there in threads until `stop`; idempotent."""
        if self._mirrors:
            return
        for kind in (*self._kinds(), *self._also):
            self._mirrors[kind] = Mirror(self._cluster, kind, self._namespace(kind), window_s=WINDOW_S)
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
        discoveries = self.items(DISCOVERY)
        if discovery.refresh(self._cluster, self._settings, now, discoveries) and not self._mirrors:
            discoveries = self.items(DISCOVERY)
        doubt = self._doubt(discoveries, now)
        if doubt is not None and not self._settings.nodes:
            raise UnavailableError(doubt)
        kinds = self._kinds()[1:] if doubt is None else (NODE, POD)  # nodes stand by themselves
        objects = [*(() if doubt else discoveries), *(each for kind in kinds for each in self.items(kind))]
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

    def items(self, kind: Kind) -> tuple[Json, ...]:
        """Return all objects of a kind: the copy that a watch keeps, else what the API server lists.

        Raises
        ------
        ClusterError
            The API server refuses, or does not answer.
        """
        mirror = self._mirrors.get(kind)
        if mirror is not None and mirror.version:
            return mirror.items()
        listed = self._cluster.list(kind, self._namespace(kind)).items
        return tuple({**each, "apiVersion": kind.api_version, "kind": kind.kind} for each in listed)

    def _namespace(self, kind: Kind) -> str | None:
        return self._settings.namespace if kind in FLUIDOS else None

    def _doubt(self, discoveries: Sequence[Object], now: datetime) -> str | None:
        """Return why the federation's last answer cannot be believed, None where it can."""
        failed = [each for each in discoveries if discovery.phase(each) == "Failed"]
        last = max(failed or discoveries, key=discovery.turn, default=None)
        told = "none was made" if last is None else _told(last)
        answered = [discovery.created(each) for each in discoveries if _has_answer(each)]
        if not answered:
            return f"no Discovery has succeeded yet: {told}"
        age = (now - max(answered)).total_seconds()
        return f"no Discovery has succeeded for {age:.0f} s: {told}" if age > self._settings.stale_s else None

    def _in_between(self, discoveries: Sequence[Object]) -> bool:
        """Whether candidates were deleted and the Discovery that brings them back is not done."""
        newest: Object = max(discoveries, key=discovery.turn, default={})
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
