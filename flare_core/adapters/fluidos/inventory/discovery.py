"""Asking the federation what there is: one Discovery after the other, the same one for all processes.

A Discovery asks every known provider once, and fails as a whole where one of them does not answer. Its name
is made of the time at which it is due, so that several processes that find it due create it once.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.errors import ExistsError
from flare_core.adapters.fluidos.kinds import DISCOVERY, PEERING_CANDIDATE
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.inventory.flavors import Object, part
from flare_core.quantities import QuantityError, parse_moment

PURPOSE: Final = "flare.io/purpose"
INVENTORY: Final = "inventory"
_KEPT: Final = 2
NO_FLAVORS: Final = "No Flavors found"
"""What FLUIDOS says when every provider answered and none of them sells anything."""


def body(now: datetime, settings: FluidosSettings) -> dict[str, Any]:
    """Return the Discovery that is due at a moment: without a selector, whose answers are often wrong."""
    name = f"discovery-{_solver_id(now, settings)}"
    labels = {names.MANAGED_BY: names.MANAGER, PURPOSE: INVENTORY}
    return {
        "apiVersion": DISCOVERY.api_version,
        "kind": DISCOVERY.kind,
        "metadata": {"name": name, "namespace": settings.namespace, "labels": labels},
        "spec": {"solverID": _solver_id(now, settings), "subscribe": False},
    }


def is_own(discovery: Object) -> bool:
    """Whether it was created here, to read the inventory."""
    labels = part(discovery, "metadata", "labels")
    return labels.get(names.MANAGED_BY) == names.MANAGER and labels.get(PURPOSE) == INVENTORY


def phase(discovery: Object) -> str:
    """Return its phase; empty before FLUIDOS has seen it."""
    return str(part(discovery, "status", "phase").get("phase") or "")


def created(discovery: Object) -> datetime:
    """Return when it was created, by the API server's clock."""
    try:
        return parse_moment(part(discovery, "metadata").get("creationTimestamp"))
    except QuantityError:
        return datetime.min.replace(tzinfo=UTC)


def turn(discovery: Object) -> tuple[datetime, str]:
    """Return what puts discoveries in order: when they were created, to the second, and their names."""
    return created(discovery), str(part(discovery, "metadata").get("name"))


def refresh(
    cluster: Cluster, settings: FluidosSettings, now: datetime, discoveries: Sequence[Object]
) -> bool:
    """Create the Discovery that is due, and delete those that are over; whether one was due.

    Parameters
    ----------
    discoveries
        All that are there.

    Raises
    ------
    ClusterError
        The API server refuses, or does not answer.
    """
    own = sorted((each for each in discoveries if is_own(each)), key=turn)
    newest = own[-1] if own else None
    if newest is not None:
        # Either way: a clock that lies behind the API server's must not stop the asking.
        age = abs((now - created(newest)).total_seconds())
        waiting = phase(newest) in ("", "Running")
        if age < (settings.deadlines.discovery_s if waiting else settings.refresh_s):
            return False
    if settings.delete_candidates:
        _delete_candidates(cluster, settings)
    try:
        cluster.create(DISCOVERY, body(now, settings))
    except ExistsError:
        return False
    solved = [each for each in own if phase(each) == "Solved"]
    kept = {id(each) for each in (*solved[-1:], *own[-_KEPT:])}
    for each in own:
        if id(each) not in kept:
            cluster.delete(DISCOVERY, str(part(each, "metadata")["name"]), settings.namespace)
    return True


def _delete_candidates(cluster: Cluster, settings: FluidosSettings) -> None:
    """Delete the candidates that nobody has reserved."""
    for candidate in cluster.list(PEERING_CANDIDATE, settings.namespace).items:
        if part(candidate, "spec").get("available") is True:
            meta = candidate["metadata"]
            cluster.delete(PEERING_CANDIDATE, meta["name"], settings.namespace, uid=meta.get("uid"))


def _solver_id(now: datetime, settings: FluidosSettings) -> str:
    return f"flare-{int(now.timestamp() // settings.refresh_s)}"
