"""Small federations and orders for the tests of FLUIDOS."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flare_core import read_intent
from flare_core.adapters.gateway.backend.port import Order

Json = dict[str, Any]
NOW = datetime(2026, 1, 15, 10, 35, tzinfo=UTC)
BUYER = {"domain": "fluidos.eu", "nodeID": "hub0000001", "ip": "10.0.0.1:30000"}


@dataclass(frozen=True, slots=True)
class Provider:
    """A seller: its node id, and its id in Liqo, which no other test has."""

    node_id: str
    liqo_id: str

    @property
    def identity(self) -> Json:
        return {"domain": "fluidos.eu", "nodeID": self.node_id, "ip": "10.0.0.7:30001"}


def providers(space: str, count: int = 2) -> tuple[Provider, ...]:
    return tuple(Provider(f"prov{number:06}", f"{space}-p{number}") for number in range(count))


def flavor(provider: Provider, gpus: int = 8, model: str = "nvidia-h100", name: str | None = None) -> Json:
    """A GPU node as the fork of FLUIDOS writes it: totals of the node, place names swapped."""
    gpu = {
        "vendor": model.split("-")[0],
        "model": model,
        "count": gpus,
        "cores": str(16896 * gpus),
        "memory": f"{80 * gpus}Gi",
        "interconnect_bandwidth": "900",
        "network_bandwidth": "100",
        "clock_speed": "1980M",
        "region": "zone-a",
        "zone": "eu-west-1",
        "hourly_rate": 18.4,
        "provider": provider.node_id,
        "dedicated": True,
    }
    characteristics = {"architecture": "amd64", "cpu": "192", "memory": "2Ti", "pods": "110", "gpu": gpu}
    data = {"characteristics": characteristics, "properties": {}, "policies": {"partitionability": {}}}
    return {
        "apiVersion": "nodecore.fluidos.eu/v1alpha1",
        "kind": "Flavor",
        "metadata": {"name": name or f"fluidos.eu-k8slice-{secrets.token_hex(5)}"},
        "spec": {
            "providerID": provider.node_id,
            "availability": True,
            "networkPropertyType": "networkProperty",
            "owner": provider.identity,
            "price": {"amount": "", "currency": "", "period": ""},
            "flavorType": {"typeIdentifier": "K8Slice", "typeData": data},
        },
    }


def name_of(flavor: Json) -> str:
    return str(flavor["metadata"]["name"])


def intent(
    kind: str = "service", tasks: int = 1, gpus: int = 2, *, policy: str = "All", **more: object
) -> Json:
    """An intent whose tasks each want some H100."""
    workload: Json = {
        "type": kind,
        "name": "demo",
        "image": "registry.example.org/demo:1",
        "commands": ["python3 serve.py"],
        "resources": {"cpu": "8", "memory": "64Gi", "gpu": {"model": "nvidia-h100", "count": gpus}},
        **more,
    }
    if kind == "service":
        workload["scaling"] = {"min_replicas": tasks, "max_replicas": tasks}
    else:
        workload["job"] = {"parallel_tasks": tasks, "timeout": "1h", "completion_policy": policy}
    return {"intent": {"objective": "Cost_Minimization", "workload": workload}}


def order(
    flavors: Sequence[Json],
    *,
    key: str | None = None,
    kind: str = "service",
    gpus: int = 2,
    policy: str = "All",
    **more: object,
) -> Order:
    """An order for one task on each of the flavors."""
    document = json.dumps(intent(kind, len(flavors), gpus, policy=policy, **more))
    ends = None if kind == "service" else "2026-01-15T11:35:00Z"
    assignments = [
        {
            "task": task,
            "offer": name_of(each),
            "node": 0,
            "provider": each["spec"]["providerID"],
            "region": "eu-west-1",
            "zone": "zone-a",
            "gpu_model": "nvidia-h100",
            "gpus": list(range(gpus)),
            "mig_profile": None,
            "gpu_milli": None,
            "spot": False,
            "efficiency": None,
            "hourly_cost": "4.60 EUR/hour",
            "start_time": "2026-01-15T10:35:00Z",
            "end_time": ends,
        }
        for task, each in enumerate(flavors)
    ]
    placement = {
        "intent": "demo",
        "status": "placed",
        "start_time": "2026-01-15T10:35:00Z",
        "end_time": ends,
        "assignments": assignments,
    }
    own = key or f"intent-{secrets.token_hex(8)}"
    return Order(
        key=f"{own}-1",
        intent_id=own,
        user="ana",
        intent=read_intent(document),
        document=document,
        placement=placement,
        placed_at=NOW,
    )
