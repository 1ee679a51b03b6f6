"""Orders for the tests of deployments: an intent, and where its tasks were put."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flare_core import read_intent
from flare_core.adapters.fluidos import deploy, names
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.adapters.gateway.backend import Order

Json = dict[str, Any]

KEY = "intent-0123456789abcdef0123456789abcdef-1"
SPACE = "flare-space"
START = "2026-01-15T10:00:00Z"


def seat(task: int, offer: str = "f", node: int = 0, **more: Any) -> Json:
    """Where one task was put; two GPUs where nothing else is said."""
    return {
        "task": task,
        "offer": offer,
        "node": node,
        "provider": "provider-1",
        "region": "eu-west-1",
        "zone": None,
        "gpu_model": "nvidia-h100",
        "gpus": [0, 1],
        "mig_profile": None,
        "gpu_milli": None,
        "spot": False,
        "start_time": START,
        "end_time": None,
        **more,
    }


def intent(kind: str = "service", *, constraints: Json | None = None, **workload: Any) -> Json:
    """The document of an intent for tasks with two H100."""
    resources = {"cpu": "8", "memory": "64Gi", "gpu": {"model": "nvidia-h100", "count": 2}}
    own = {"type": kind, "name": "demo", "image": "demo:1", "resources": resources, **workload}
    return {"objective": "Cost_Minimization", "workload": own, "constraints": constraints or {}}


def order(document: Json | None = None, seats: Sequence[Json] = (), **changed: Any) -> Order:
    """An order of one task, unless seats say more."""
    placed = {"assignments": list(seats) or [seat(0)], "start_time": START}
    fields: Json = {
        "key": KEY,
        "intent_id": KEY[:-2],
        "user": "ana",
        "intent": read_intent(document or intent()),
        "document": "",
        "placement": placed,
        "placed_at": datetime(2026, 1, 15, 10, tzinfo=UTC),
        **changed,
    }
    return Order(**fields)


def nodes_of(order: Order) -> dict[str, str]:
    """A virtual node for each node of the plan."""
    keys = {names.node_key(each["offer"], each["node"]) for each in order.placement["assignments"]}
    return {key: f"virtual-{key.replace('/', '-')}" for key in sorted(keys)}


def deployed(
    order: Order, settings: FluidosSettings | None = None, slots: Mapping[str, int] | None = None
) -> tuple[Json, ...]:
    """The objects of an order."""
    return deploy.objects(order, nodes_of(order), namespace=SPACE, settings=settings, slots=slots)


def of_kind(objects: Sequence[Json], kind: str) -> list[Json]:
    return [each for each in objects if each["kind"] == kind]


def the(objects: Sequence[Json], kind: str) -> Json:
    """The spec of the only object of a kind."""
    (found,) = of_kind(objects, kind)
    spec: Json = found["spec"]
    return spec


def container(order: Order, **more: Any) -> Json:
    """The container of the first Deployment or Job."""
    objects = deployed(order, **more)
    spec = next(each["spec"] for each in objects if each["kind"] in ("Deployment", "Job"))
    found: Json = spec["template"]["spec"]["containers"][0]
    return found
