"""The objects of a purchase, as they are created: pure functions of the order."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.buying.lots import Lot
from flare_core.adapters.fluidos.cluster import Json
from flare_core.adapters.fluidos.kinds import (
    ALLOCATION,
    NAMESPACE,
    NAMESPACE_OFFLOADING,
    RESERVATION,
    Kind,
)
from flare_core.adapters.fluidos.settings import FluidosSettings, Identity

FEDERATION: Final = "flare.io/federation"
"""Label that says which FLUIDOS namespace an object belongs to, wherever it lies."""
OFFLOADING: Final = "offloading"
"""The only name of a NamespaceOffloading that Liqo takes."""


def labels(order: names.Ordered, settings: FluidosSettings, lot: Lot | None = None) -> dict[str, str]:
    """Return what every object of an order is labelled with."""
    group = {names.GROUP: str(lot.index)} if lot is not None else {}
    return {**names.labels(order), FEDERATION: names.label_value(settings.namespace), **group}


def reservation(
    order: names.Ordered,
    settings: FluidosSettings,
    lot: Lot,
    buyer: Identity,
    seller: Mapping[str, Any] | None,
) -> Json:
    """Return the Reservation of a lot, which holds it and does not buy it yet."""
    name = names.name("reservation", order.key, str(lot.index))
    spec: Json = {
        "solverID": name.removeprefix("reservation-"),
        "buyer": buyer.to_dict(),
        **({"seller": dict(seller)} if seller is not None else {}),
        "peeringCandidate": {"name": names.candidate(lot.offer), "namespace": settings.namespace},
        "configuration": {"type": "K8Slice", "data": _configuration(lot)},
        "reserve": True,
        "purchase": False,
    }
    meta = {"name": name, "namespace": settings.namespace, "labels": labels(order, settings, lot)}
    return _object(RESERVATION, meta, spec)


def allocation(order: names.Ordered, settings: FluidosSettings, lot: Lot, contract: str) -> Json:
    """Return the Allocation of a contract."""
    name = names.name("allocation", order.key, str(lot.index))
    meta = {"name": name, "namespace": settings.namespace, "labels": labels(order, settings, lot)}
    return _object(ALLOCATION, meta, {"contract": {"name": contract, "namespace": settings.namespace}})


def workload_namespace(order: names.Ordered, settings: FluidosSettings) -> Json:
    """Return the namespace of the workload; Liqo's webhook knows it before the first pod is made."""
    marked = {**labels(order, settings), "liqo.io/scheduling-enabled": "true"}
    return _object(NAMESPACE, {"name": names.namespace(order.key), "labels": marked}, None)


def offloading(order: names.Ordered, settings: FluidosSettings, liqo_ids: Iterable[str]) -> Json:
    """Return what mirrors the namespace at the providers, and keeps every pod there."""
    chosen = {"key": "liqo.io/remote-cluster-id", "operator": "In", "values": sorted(set(liqo_ids))}
    spec = {
        "namespaceMappingStrategy": "DefaultName",
        "podOffloadingStrategy": "Remote",
        "clusterSelector": {"nodeSelectorTerms": [{"matchExpressions": [chosen]}]},
    }
    where = names.namespace(order.key)
    meta = {"name": OFFLOADING, "namespace": where, "labels": labels(order, settings)}
    return _object(NAMESPACE_OFFLOADING, meta, spec)


def _configuration(lot: Lot) -> Json:
    """The part of the flavor that is bought; GPUs as flavors tell them, though FLUIDOS counts none."""
    data: Json = {key: lot.wants.get(key, "0") for key in ("cpu", "memory", "pods")}
    if lot.disk:
        data["storage"] = lot.disk
    if lot.gpus:
        data["gpu"] = {"model": lot.gpu_model or "", "count": lot.gpus, "cores": "0", "memory": "0"}
    return data


def _object(kind: Kind, meta: Json, spec: Json | None) -> Json:
    body: Json = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
    return body if spec is None else {**body, "spec": spec}
