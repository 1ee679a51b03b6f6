"""Small worlds: an inventory, intents, and a plan whose figures were worked out by hand."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from flare_core.catalog.regions import estimate_latency_ms
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
            "multi_gpu_efficiency": 1.0,
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
        "corrections": [],
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
    """Return a world; the offers are those of `offer`, the intents those of `intent`."""
    return World(document, tuple(map(read_intent, intents)), inventory(*offers), origin)


def service() -> World:
    """One task of two GPUs, with every limit at what is reached."""
    asked = intent(
        constraints__max_hourly_cost="8 EUR",
        constraints__energy__max_carbon_footprint="536.4 g CO2/h",
        sla__availability="99.95%",
    )
    return world(plan(placement("web", [row(0, "a")])), [asked], offer("a"))


def scaled() -> World:
    """Auto-scaling up to three replicas; two of them fit into the budget."""
    asked = intent(
        workload__scaling={"min_replicas": 1, "max_replicas": 4, "auto_scale": True},
        constraints__max_hourly_cost="24 EUR",
    )
    headroom = {"replicas": 2, "hourly_cost": "24.00 EUR/hour"}
    return world(plan(placement("web", [row(0, "a")], headroom=headroom)), [asked], offer("a"))


def spot() -> World:
    """The same as spot capacity, a fifth of 8 × 1.60 EUR."""
    asked = intent(workload__resources__gpu__interruptible=True)
    rows = [row(0, "a", spot=True, hourly_cost="3.20 EUR/hour")]
    told = plan(placement("web", rows, hourly_cost="3.20 EUR/hour"), objective=3.2, bound=3.2)
    return world(told, [asked], offer("a"), offer("b", price__spot_hourly=None))


def machine_job() -> World:
    """A gang of two tasks on one machine that is paid whole, once."""
    asked = intent(
        "train",
        "job",
        workload__job={"parallel_tasks": 2, "timeout": "2h"},
        constraints__deadline="2026-01-15T12:30:00Z",
        constraints__max_total_cost="64 EUR",
    )
    end = "2026-01-15T12:30:00Z"
    rows = [
        row(0, "vm", hourly_cost="32.00 EUR/hour", end_time=end),
        row(1, "vm", hourly_cost="0.00 EUR/hour", end_time=end, gpus=[2, 3]),
    ]
    told = placement(
        "train",
        rows,
        hourly_cost="32.00 EUR/hour",
        total_cost="64.00 EUR",
        end_time=end,
        carbon_g_per_hour=1072.8,
        performance_tflops=3957.6,
    )
    return world(
        plan(told, objective=64.0, bound=64.0), [asked], offer("vm", nodes=None, price__billing="node")
    )


def processor_batch() -> World:
    """Two tasks without GPUs, each a quarter of the cores."""
    asked = intent(
        "etl",
        "batch",
        workload__resources={"cpu": "48", "memory": "64Gi"},
        workload__job={"parallel_tasks": 2, "timeout": "90m"},
    )
    end = "2026-01-15T12:00:00Z"
    rows = [row(task, "a", gpus=[], gpu_model=None, end_time=end) for task in (0, 1)]
    told = placement(
        "etl",
        rows,
        hourly_cost="16.00 EUR/hour",
        total_cost="24.00 EUR",
        end_time=end,
        carbon_g_per_hour=96.48,  # 2 × (2.12 W × 48 + 0.42 W × 64) × 1.25 × 300 g/kWh
        performance_tflops=0.0,
    )
    return world(plan(told, objective=24.0, bound=24.0), [asked], offer("a"))


def pair() -> World:
    """Two intents on one node that is paid by the GPU."""
    told = plan(
        placement("web", [row(0, "a")]),
        placement("api", [row(0, "a", gpus=[2, 3])]),
        objective={"placed": 2, "scaled": 0.5},
        bound={"placed": 2, "scaled": 0.5},
    )
    return world(told, [intent(), intent("api")], offer("a"))


def spread() -> World:
    """Four replicas in two zones: down only while both zones are."""
    asked = intent(workload__scaling__min_replicas=4, sla__availability="99.9995%")
    zone = "eu-west-1b"
    rows = [
        row(0, "a"),
        row(1, "a", gpus=[2, 3]),
        row(2, "b", zone=zone),
        row(3, "b", zone=zone, gpus=[2, 3]),
    ]
    told = placement(
        "web",
        rows,
        hourly_cost="32.00 EUR/hour",
        carbon_g_per_hour=2145.6,
        performance_tflops=7915.2,
        availability_percent=99.9995,
    )
    offers = [
        offer("a", performance__uptime_percent=99.9),
        offer("b", performance__uptime_percent=99.5, zone=zone),
    ]
    return world(plan(told, objective=32.0, bound=32.0), [asked], *offers)


def unlinked() -> World:
    """NVLink is preferred, and the offer has PCIe."""
    asked = intent(workload__resources__gpu__interconnect="nvlink")
    missed = {"path": "workload.resources.gpu.interconnect", "asked": "nvlink", "got": "pcie"}
    told = plan(placement("web", [row(0, "a")], relaxed=[missed]))
    return world(told, [asked], offer("a", gpu__interconnect="pcie"))


def gang() -> World:
    """Two tasks on two nodes of one InfiniBand fabric; the deadline is the length."""
    asked = intent(
        "train",
        "job",
        workload__job__parallel_tasks=2,
        workload__resources__gpu__interconnect="infiniband",
        constraints__deadline="2026-01-15T13:30:00Z",
    )
    end = "2026-01-15T13:30:00Z"
    rows = [row(0, "a", end_time=end), row(1, "b", end_time=end)]
    told = placement(
        "train",
        rows,
        hourly_cost="16.00 EUR/hour",
        total_cost="48.00 EUR",
        end_time=end,
        carbon_g_per_hour=1072.8,
        # Spines apart, at half of 400 Gbit/s: 1 / (1 + 2 × 0.00813802 × 989.4 / (0.85 × 50 GB/s / 2))
        performance_tflops=3957.6 * 0.568888,
    )
    warned = ["intent train states no timeout: it is taken to last until its deadline"]
    fabric = {"path": ["dc1", "spine1"], "interconnect": "infiniband", "bandwidth": "400 Gb/s"}
    other = {**fabric, "path": ["dc1", "spine2"]}
    return world(
        plan(told, objective=48.0, bound=48.0, warnings=warned),
        [asked],
        offer("a", fabric=fabric),
        offer("b", fabric=other),
    )


def any_job() -> World:
    """Of three tasks, two fit into the budget, and one hour is the length of each."""
    asked = intent(
        "sweep",
        "batch",
        workload__job={"parallel_tasks": 3, "completion_policy": "Any"},
        constraints__max_hourly_cost="16 EUR",
    )
    end = "2026-01-15T11:30:00Z"
    rows = [row(0, "a", end_time=end), row(1, "a", end_time=end, gpus=[2, 3])]
    told = placement(
        "sweep",
        rows,
        hourly_cost="16.00 EUR/hour",
        total_cost="16.00 EUR",
        end_time=end,
        carbon_g_per_hour=1072.8,
        performance_tflops=3957.6,
    )
    warned = ["intent sweep: 2 of 3 tasks are placed"]
    return world(plan(told, objective=16.0, bound=16.0, warnings=warned), [asked], offer("a"))


def ending_service() -> World:
    """A service with a deadline ends there and has a total cost, rounded up to the micro-euro."""
    asked = intent(constraints__deadline="2026-01-15T10:30:01Z", constraints__max_total_cost="0.002223 EUR")
    end = "2026-01-15T10:30:01Z"
    told = placement("web", [row(0, "a", end_time=end)], total_cost="0.002223 EUR", end_time=end)
    return world(plan(told), [asked], offer("a"))


def nothing() -> World:
    """One intent is refused."""
    told = plan(refused("web"), status="infeasible", objective=None, bound=None, gap=None)
    return world(told, [intent(constraints__max_hourly_cost="1 EUR")], offer("a"))


def undecided() -> World:
    """Time ran out."""
    told = plan(refused("web", "unknown"), status="unknown", objective=None, bound=None, gap=None)
    return world(told, [intent()], offer("a"))


def used() -> World:
    """Nodes that are used already: two GPUs of node 0, and node 3 as its state says."""
    states = [
        {"node": 0, "free_gpus": [2, 3, 4, 5, 6], "gpu_milli": {"7": 400}, "cpu": "16", "memory": "64Gi"}
    ]
    asked = intent()
    told = plan(placement("web", [row(0, "a", gpus=[5, 6])]))
    return world(told, [asked], offer("a", node_states=states), offer("b", used={"gpus": 3}))


def nightly() -> World:
    """A job within the opening hours of its offer, between two maintenances."""
    calendar = {
        "window_start": "11:00",
        "window_end": "13:00",
        "timezone": "Europe/Berlin",
        "days_of_week": ["Thu"],
        "maintenance_windows": [
            {"start": "2026-01-08T09:00:00Z", "end": "2026-01-08T10:30:00Z", "frequency": "weekly"},
            {"start": "2025-11-15T11:30:00Z", "end": "2025-11-15T12:00:00Z", "frequency": "monthly"},
        ],
    }
    end = "2026-01-15T11:30:00Z"
    asked = intent("night", "job", workload__job__timeout="1h")
    told = placement("night", [row(0, "a", end_time=end)], total_cost="8.00 EUR", end_time=end)
    return world(plan(told), [asked], offer("a", availability=calendar))


def estimated() -> World:
    """The offer does not state its latency; the consumer sits in Dublin, where it is."""
    asked = intent(objective="Latency_Minimization", constraints__max_latency_ms=50)
    there = offer("a", provider="aws", performance__latency_ms=None)
    rows = [row(0, "a", provider="aws")]
    ms = estimate_latency_ms(0.0)
    told = plan(placement("web", rows, latency_ms=ms), objective=ms + 45, bound=ms + 45)
    return world(told, [asked], there, origin="aws/eu-west-1")


WORLDS = (
    service,
    scaled,
    spot,
    machine_job,
    processor_batch,
    pair,
    spread,
    unlinked,
    gang,
    any_job,
    ending_service,
    nothing,
    undecided,
    used,
    nightly,
    estimated,
)
