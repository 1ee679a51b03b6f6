"""Small worlds: an inventory, intents, and a plan whose figures were worked out by hand."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from flare_core.intent import Intent, read_intent
from flare_core.inventory.build import combine
from flare_core.inventory.document import read_document
from flare_core.inventory.types import Inventory

Json = dict[str, Any]
NOW = "2026-01-15T10:30:00Z"


def put(document: Json, path: str, value: object) -> Json:
    """Set the value at a dotted path, lists by index, and return the document."""
    *way, last = path.split(".")
    at: Any = document
    for key in way:
        at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
    if isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return document


def patched(document: Mapping[str, Any], changes: Mapping[str, object]) -> Json:
    """Return a copy with the values at dotted paths replaced."""
    copy = deepcopy(dict(document))
    for path, value in changes.items():
        put(copy, path, value)
    return copy


def offer(name: str, **changes: object) -> Json:
    """Return an offer of four nodes of eight H100, billed by the GPU; keys have ``__`` for dots."""
    document: Json = {
        "id": name,
        "provider": "p1",
        "region": "eu-west-1",
        "zone": "eu-west-1a",
        "country": "IE",
        "nodes": 4,
        "price": {"hourly": "32.00 EUR/hour", "spot_hourly": "12.80 EUR/hour", "billing": "gpu"},
        "cpu": "192",
        "memory": "2Ti",
        "storage": "20Ti",
        "persistent_storage": True,
        "gpu": {
            "model": "nvidia-h100",
            "count": 8,
            "memory": "80Gi",
            "cores": 16896,
            "clock_speed": "1.98G",
            "compute_capability": "9.0",
            "architecture": "hopper",
            "tier": "premium",
            "fp32_tflops": "66.9",
            "interconnect": "nvswitch",
            "power_w": 700,
            "dedicated": True,
        },
        "performance": {
            "latency_ms": 18,
            "network_bandwidth": "100Gbps",
            "jitter_ms": 2,
            "uptime_percent": 99.95,
            "cold_start_time": "45s",
        },
        "energy": {"carbon_intensity": 300, "power_usage_effectiveness": 1.25},
    }
    return patched(document, {key.replace("__", "."): value for key, value in changes.items()})


def inventory(*offers: Json) -> Inventory:
    return combine([read_document({"version": 1, "offers": list(offers)})])


def intent(name: str = "web", kind: str = "service", **changes: object) -> Json:
    """Return an intent of two GPUs a task; keys have ``__`` for dots."""
    document: Json = {
        "objective": "Cost_Minimization",
        "workload": {
            "type": kind,
            "name": name,
            "image": "acme/app:1",
            "resources": {"cpu": "8", "memory": "32Gi", "gpu": {"model": "nvidia-h100", "count": 2}},
        },
    }
    return patched(document, {key.replace("__", "."): value for key, value in changes.items()})


def row(task: int, name: str, **changes: object) -> Json:
    """Return an assignment of GPUs 0 and 1 of node 0 of an `offer`, without end."""
    document: Json = {
        "task": task,
        "offer": name,
        "node": 0,
        "provider": "p1",
        "region": "eu-west-1",
        "zone": "eu-west-1a",
        "gpu_model": "nvidia-h100",
        "gpus": [0, 1],
        "mig_profile": None,
        "gpu_milli": None,
        "spot": False,
        "efficiency": 1.0,
        "hourly_cost": "8.00 EUR/hour",
        "start_time": NOW,
        "end_time": None,
    }
    return {**document, **changes}


def placement(name: str, rows: Sequence[Json], **changes: object) -> Json:
    """Return the placement of one task of two GPUs on an `offer`."""
    document: Json = {
        "intent": name,
        "status": "placed",
        "relaxed": [],
        "hourly_cost": "8.00 EUR/hour",
        "total_cost": None,
        "start_time": NOW,
        "end_time": None,
        "latency_ms": 18.0,
        # (2 × 700 W + 2.12 W × 8 + 0.42 W × 32) × 1.25 × 300 g/kWh
        "carbon_g_per_hour": 536.4,
        "performance_tflops": 1978.8,  # 2 × 989.4
        "availability_percent": 99.95,
        "headroom": None,
        "assignments": list(rows),
        "error": None,
    }
    return {**document, **changes}


def refused(name: str, status: str = "rejected") -> Json:
    """Return the placement of an intent that is not placed."""
    empty = dict.fromkeys(placement(name, []), None)
    error = {
        "status": "error",
        "error_code": "COST_LIMIT_EXCEEDED",
        "message": "the cheapest offer costs 8.00 EUR/hour",
        "suggestions": [],
        "conflicts": [["constraints.max_hourly_cost"]],
    }
    known = {"intent": name, "status": status, "relaxed": [], "assignments": []}
    return {**empty, **known, "error": error if status == "rejected" else None}


def plan(*placements: Json, **changes: object) -> Json:
    """Return an optimal plan; for several intents its objective is an object."""
    count = sum(each["status"] == "placed" for each in placements)
    several: object = {"placed": count, "scaled": 0.0}
    objective = 8.0 if len(placements) == 1 else several
    document: Json = {
        "status": "optimal",
        "objective": objective,
        "bound": objective,
        "gap": 0.0,
        "wall_time_s": 0.01,
        "warnings": [],
        "placements": list(placements),
    }
    return deepcopy({**document, **changes})


@dataclass(frozen=True, slots=True)
class World:
    """A valid plan and what it was made for."""

    document: Json
    intents: tuple[Intent, ...]
    inventory: Inventory
    origin: tuple[float, float] | str | None = None


def world(document: Json, intents: Sequence[Json], *offers: Json, origin: str | None = None) -> World:
    return World(document, tuple(map(read_intent, intents)), inventory(*offers), origin)
