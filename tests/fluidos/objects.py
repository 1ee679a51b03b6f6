"""Objects of a federation for the tests of reading: small, whole, and changed at one path."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from flare_core import Inventory
from flare_core.inventory.build import combine
from flare_core.inventory.fluidos import Reading, Sold, read_objects
from flare_core.inventory.write import to_document

Json = dict[str, Any]

GPU: Json = {
    "vendor": "nvidia",
    "model": "nvidia-h100",
    "count": 4,
    "cores": "67584",
    "memory": "320Gi",
    "tier": "premium",
    "architecture": "hopper",
    "compute_capability": "9.0",
    "clock_speed": "1980M",
    "fp32_tflops": 66.9,
    "interconnect": "nvlink",
    "interconnect_bandwidth": "900",
    "topology": "nvswitch",
    "multi_gpu_efficiency": "0.95",
    "dedicated": True,
    "network_bandwidth": "100",
    "network_latency_ms": 4,
    "region": "zone-a",
    "zone": "eu-west-1",
    "hourly_rate": 18.4,
    "provider": "provider-1",
}
GPU_AT = "spec.flavorType.typeData.characteristics.gpu"


def flavor(name: str = "fluidos.eu-k8slice-1a2b", *, gpu: Json | None = GPU, **changed: object) -> Json:
    """A GPU node as the API server returns it; `changed` are fields of its spec."""
    characteristics: Json = {"architecture": "amd64", "cpu": "63250m", "memory": "251Gi", "pods": "110"}
    characteristics["storage"] = "0"
    if gpu is not None:
        characteristics["gpu"] = deepcopy(gpu)
    data = {"characteristics": characteristics, "properties": {}, "policies": {"partitionability": {}}}
    spec: Json = {
        "providerID": "prov000001",
        "availability": True,
        "networkPropertyType": "networkProperty",
        "owner": {"domain": "fluidos.eu", "nodeID": "prov000001", "ip": "10.0.0.7:30001"},
        "price": {"amount": "", "currency": "", "period": ""},
        "flavorType": {"typeIdentifier": "K8Slice", "typeData": data},
        **changed,
    }
    return {
        "apiVersion": "nodecore.fluidos.eu/v1alpha1",
        "kind": "Flavor",
        "metadata": {"name": name, "namespace": "fluidos"},
        "spec": spec,
    }


def with_gpu(**fields: object) -> Json:
    """A flavor whose GPU object has other fields; None takes one away."""
    gpu = {key: value for key, value in {**GPU, **fields}.items() if value is not None}
    return flavor(gpu=gpu)


def put(document: Json, path: str, value: object) -> Json:
    """A copy with another value at a path, absent objects on the way made."""
    changed = deepcopy(document)
    inner = changed
    *way, last = path.split("/") if "/" in path else path.split(".")
    for part in way:
        inner = inner.setdefault(part, {})
    inner[last] = value
    return changed


def candidate(of: Json, *, available: bool = True) -> Json:
    """The PeeringCandidate of a flavor."""
    meta = {"name": of["metadata"]["name"], "namespace": "fluidos"}
    return {
        "apiVersion": "advertisement.fluidos.eu/v1alpha1",
        "kind": "PeeringCandidate",
        "metadata": {"name": f"peeringcandidate-{meta['name']}", "namespace": "fluidos"},
        "spec": {
            "interestedSolverIDs": ["refresh"],
            "available": available,
            "flavor": {"metadata": meta, "spec": of["spec"]},
        },
    }


def discovery(
    found: Iterable[Json],
    *,
    name: str = "discovery-1",
    ended: str = "2026-01-15T10:00:00+01:00",
    **phase: str,
) -> Json:
    """A Discovery that has ended."""
    told = {"phase": "Solved", "message": "Discovery Solved", "startTime": ended, "endTime": ended, **phase}
    return {
        "apiVersion": "advertisement.fluidos.eu/v1alpha1",
        "kind": "Discovery",
        "metadata": {"name": name, "namespace": "fluidos"},
        "spec": {"solverID": "refresh", "subscribe": False},
        "status": {"phase": told, "peeringCandidateList": {"items": list(found)}},
    }


def node(
    name: str = "gpu-1",
    *,
    annotations: Json | None = None,
    labels: Mapping[str, str] | None = None,
    resources: Mapping[str, str] | None = None,
) -> Json:
    """A node with 64 cores, 256 GiB and further allocatable resources."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**(labels or {})}, "annotations": annotations or {}},
        "spec": {},
        "status": {
            "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "110", **(resources or {})},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def read(*objects: object, sold: Iterable[Sold] = (), **reading: Any) -> Inventory:
    """What objects offer, read in a way that `reading` says."""
    return combine([read_objects(objects, reading=Reading(**reading), sold=tuple(sold))])


def offer(*objects: object, **reading: Any) -> Json:
    """The one offer that objects make, by dotted path."""
    listed: Any = to_document(read(*objects, **reading))["offers"]
    assert len(listed) == 1
    return flat(listed[0])


def flat(nested: Json) -> Json:
    found: Json = {}
    for key, value in nested.items():
        if isinstance(value, dict) and key != "availability":
            found |= {f"{key}.{inner}": said for inner, said in value.items()}
        else:
            found[key] = value
    return found
