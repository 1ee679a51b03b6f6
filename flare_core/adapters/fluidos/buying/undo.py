"""The way back: everything that carries an order's label, in the reverse order of its creation.

It asks the cluster what there is, not the order: so it undoes as well what a process made that died, and what
nobody remembers.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from flare_core.adapters.fluidos.buying.ground import Bought, Memory
from flare_core.adapters.fluidos.buying.steps.buy import bought
from flare_core.adapters.fluidos.buying.steps.reserve import ENDED_BADLY, SOLVED
from flare_core.adapters.fluidos.cluster import Cluster, Json
from flare_core.adapters.fluidos.errors import ConflictError, UnservedError
from flare_core.adapters.fluidos.kinds import (
    ALLOCATION,
    AUTOSCALER,
    CONTRACT,
    DEPLOYMENT,
    INGRESS,
    JOB,
    NAMESPACE,
    NAMESPACE_OFFLOADING,
    NETWORK_POLICY,
    NODE,
    RESERVATION,
    RESOURCE_SLICE,
    SECRET,
    SERVICE,
    TRANSACTION,
    VOLUME_CLAIM,
    Kind,
)
from flare_core.adapters.fluidos.settings import FluidosSettings

WORKLOAD = (AUTOSCALER, JOB, DEPLOYMENT, VOLUME_CLAIM, INGRESS, SERVICE, NETWORK_POLICY, SECRET)
"""In the reverse order of their creation: what makes pods goes first."""


@dataclass(frozen=True, slots=True)
class Way:
    """What is undone, and where.

    Attributes
    ----------
    labels
        Selector of all that belongs to the order.
    memory
        What was bought, and since when it is being undone.
    """

    cluster: Cluster
    settings: FluidosSettings
    labels: str
    now: datetime
    memory: Memory


def undo(way: Way) -> list[str]:
    """Take back what can be taken back now; what is still waited for, nothing once nothing is left.

    A stage begins when the one before it has left nothing behind.
    """
    reservations = way.cluster.list(RESERVATION, way.settings.namespace, labels=way.labels).items
    contracts = _contracts(way, reservations)
    for stage in (
        _workloads(way),
        _slices(way, contracts),
        _listed(way, ALLOCATION),
        _settled(way, reservations),
        _named(way, CONTRACT, [each.contract for each in contracts]),
        _named(way, TRANSACTION, _transactions(reservations)),
        _listed(way, RESERVATION),
    ):
        rest = list(stage)
        if rest:
            return rest
    return []


def _contracts(way: Way, reservations: Sequence[Json]) -> list[Bought]:
    """The contracts that are the order's own; that their providers keep them is told."""
    found = {each.contract: each for each in way.memory.bought.values()}
    for reservation in reservations:
        status = reservation.get("status") or {}
        name, transaction = (status.get("contract") or {}).get("name"), status.get("transactionID")
        if name and transaction and name not in found:
            found[name] = Bought(name, transaction, "", "")
    return [each for name in sorted(found) if (each := _own(way, found[name])) is not None]


def _own(way: Way, known: Bought) -> Bought | None:
    """What is known of a contract; None where one of that name stands for another sale of the flavor."""
    contract = way.cluster.find(CONTRACT, known.contract, way.settings.namespace)
    if contract is None:
        return known if known.liqo_id else None
    each = bought(contract)
    if each.transaction != known.transaction:
        return None
    flavor = contract["spec"]["flavor"]["metadata"]["name"]
    _owe(way, f"provider {each.seller} keeps its contract {each.contract} and {flavor} as sold")
    return each


def _owe(way: Way, text: str) -> None:
    if text not in way.memory.owed:
        way.memory.owed.append(text)


def _workloads(way: Way) -> Iterator[str]:
    for namespace in way.cluster.list(NAMESPACE, labels=way.labels).items:
        name = namespace["metadata"]["name"]
        rest = [*_emptied(way, name)]
        if not rest:
            rest = [*_listed(way, NAMESPACE_OFFLOADING, name)]
        if not rest:
            rest = [*_gone(way, NAMESPACE, namespace)]
        yield from rest


def _emptied(way: Way, namespace: str) -> Iterator[str]:
    for kind in WORKLOAD:
        if kind is SECRET and way.settings.secrets_namespace is None:
            continue  # none was copied, and there is no right to look
        yield from _listed(way, kind, namespace)


def _slices(way: Way, contracts: Sequence[Bought]) -> Iterator[str]:
    for each in contracts:
        found = way.cluster.find(RESOURCE_SLICE, each.contract, each.tenant)
        if found is not None:
            yield from _gone(way, RESOURCE_SLICE, found)
        if way.cluster.find(NODE, each.contract) is not None:
            yield f"the virtual node {each.contract} to go"


def _settled(way: Way, reservations: Sequence[Json]) -> Iterator[str]:
    """A reservation that is under way may still become a contract; so it is waited for, but not for ever."""
    for reservation in reservations:
        if "deletionTimestamp" in reservation["metadata"] or is_settled(reservation):
            continue
        name = reservation["metadata"]["name"]
        if way.memory.waits_s("undo", way.now) < way.settings.deadlines.reservation_s:
            yield f"the reservation {name} to come to an end"
        else:
            _owe(way, f"the reservation {name} never came to an end: its provider may yet sell it")


def is_settled(reservation: Json) -> bool:
    """Whether nothing will come of a Reservation any more unless it is changed."""
    status = reservation.get("status") or {}
    phase = (status.get("phase") or {}).get("phase")
    if phase == SOLVED or phase in ENDED_BADLY:
        return True
    return not reservation["spec"].get("purchase") and status.get("reservePhase") == SOLVED


def _transactions(reservations: Sequence[Json]) -> list[str]:
    ids = ((reservation.get("status") or {}).get("transactionID") for reservation in reservations)
    return sorted(each for each in ids if each)


def _listed(way: Way, kind: Kind, namespace: str | None = None) -> Iterator[str]:
    """Delete all of a kind that carry the label."""
    where = namespace or way.settings.namespace
    try:
        listed = way.cluster.list(kind, where, labels=way.labels).items
    except UnservedError:
        return  # then none was made
    for found in listed:
        yield from _gone(way, kind, found)


def _named(way: Way, kind: Kind, names: Sequence[str]) -> Iterator[str]:
    """Delete what FLUIDOS made, which carries no label."""
    for name in names:
        found = way.cluster.find(kind, name, way.settings.namespace)
        if found is not None:
            yield from _gone(way, kind, found)


def _gone(way: Way, kind: Kind, found: Json) -> Iterator[str]:
    """Delete this very object, and say so if it is still there."""
    meta = found["metadata"]
    name, namespace = meta["name"], meta.get("namespace")
    if "deletionTimestamp" not in meta:
        with suppress(ConflictError):  # another one bears its name: seen in the next line
            way.cluster.delete(kind, name, namespace, uid=meta["uid"])
        again = way.cluster.find(kind, name, namespace)
        if again is None or again["metadata"]["uid"] != meta["uid"]:
            return
    held = ", ".join(meta.get("finalizers") or ())
    yield f"{kind.kind} {name} to go" + (f" (held by {held})" if held else "")
