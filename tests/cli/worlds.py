"""A small federation and intents that are placed, rejected and placed on spot, as documents."""

import json
from pathlib import Path
from typing import Any

import flare_core

EXAMPLES = Path(flare_core.__file__).parent / "examples"
NOW = "2024-11-01T00:00:00Z"
"""Before every deadline of the examples."""

Json = dict[str, Any]


def offer(name: str, hourly: str, country: str, **changes: Any) -> Json:
    """Return an offer of four H100 whose provider is what stands before the first dash of its name."""
    return {
        "id": name,
        "provider": name.split("-")[0],
        "region": name.split("-")[1],
        "country": country,
        "nodes": 2,
        "price": {"hourly": hourly, "billing": "gpu"},
        "cpu": "64",
        "memory": "512Gi",
        "gpu": {"model": "nvidia-h100", "count": 4, "memory": "80Gi", "interconnect": "pcie"},
        "performance": {"latency_ms": 12, "uptime_percent": 99.9},
        "energy": {"carbon_intensity": 200, "power_usage_effectiveness": 1.2},
    } | changes


def federation() -> Json:
    fast = {"latency_ms": 9, "uptime_percent": 99.5}
    spot = {"hourly": "6.00 EUR/hour", "spot_hourly": "2.40 EUR/hour", "billing": "node"}
    small = {"model": "nvidia-l4", "count": 2}
    offers = [
        offer("north-oslo-h100", "10.00 EUR/hour", "NO"),
        offer("south-rome-h100", "12.00 EUR/hour", "IT"),
        offer("south-pisa-h100", "14.40 EUR/hour", "IT", performance=fast),
        offer("west-lyon-l4", "6.00 EUR/hour", "FR", price=spot, gpu=small, nodes=None, performance={}),
    ]
    return {"version": 1, "offers": offers}


def service(name: str = "chat", **constraints: Any) -> Json:
    """Return a service of two replicas with two H100 each, for the lowest cost."""
    return {
        "intent": {
            "objective": "Cost_Minimization",
            "workload": {
                "type": "service",
                "name": name,
                "image": "chat:1",
                "resources": {"cpu": "8", "memory": "32Gi", "gpu": {"model": "nvidia-h100", "count": 2}},
                "scaling": {"min_replicas": 2, "max_replicas": 4, "auto_scale": True},
            },
            "constraints": constraints,
        }
    }


def batch(name: str = "thumbs") -> Json:
    """Return a batch of three tasks on spot."""
    return {
        "intent": {
            "objective": "Cost_Minimization",
            "workload": {
                "type": "batch",
                "name": name,
                "image": "thumbs:1",
                "resources": {"cpu": "4", "memory": "8Gi", "gpu": {"model": "nvidia-l4", "count": 1}},
                "job": {"parallel_tasks": 3, "timeout": "90m"},
            },
            "constraints": {"preemptible": True},
        }
    }


def written(folder: Path, name: str, document: object) -> Path:
    """Write a JSON document and return its path."""
    path = folder / name
    path.write_text(json.dumps(document))
    return path
