"""Thousands of unlike intents over real catalogs and a few hundred finite nodes.

Every kind of constraint occurs: models, memory, links, capability, places, providers, latency, compliance,
security, energy, uptime, budgets by the hour and in total, deadlines, spot, jobs of several tasks and spread
replicas. Catalogs say little beyond machines, places and prices, so what asks for more goes to the market.
"""

from pathlib import Path
from random import Random

import flare_core as flare
from benchmarks.phases import Loaded
from benchmarks.scenarios import Json, market

USD_EUR = "0.92"
NODES = 500
"""Finite nodes beside the catalogs."""

_OBJECTIVES = (
    "Cost_Minimization",
    "Cost_Minimization",
    "Performance_Maximization",
    "Latency_Minimization",
    "Balanced_Optimization",
    "Energy_Efficiency",
)
_MODELS = ("nvidia-a100", "nvidia-h100", "nvidia-l4", "nvidia-t4", "nvidia-v100", "nvidia-a10g", "any", "any")


def intents(number: int, seed: int = 0) -> tuple[Json, ...]:
    """Return so many intents of all kinds."""
    random = Random(seed)
    return tuple(_intent(random, k) for k in range(number))


def _intent(random: Random, k: int) -> Json:
    model, job = random.choice(_MODELS), random.random() < 0.4
    count = random.choice((1, 1, 1, 2, 4, 8))
    gpu: Json = {"model": model, "count": count}
    if model == "any":
        gpu["memory"] = random.choice(("16Gi", "24Gi", "40Gi", "80Gi"))
    constraints: Json = {"location": random.choice(("EU", "any", "any", "US"))}
    tasks = random.choice((1, 1, 1, 2, 3))
    workload: Json = {
        "type": random.choice(("job", "batch")) if job else "service",
        "name": f"work-{k:05}",
        "image": "registry.example/work:1",
        "resources": {"cpu": str(2 * count), "memory": f"{8 * count}Gi", "gpu": gpu},
    }
    if job:
        workload["job"] = {"parallel_tasks": tasks, "timeout": random.choice(("1h", "6h", "24h"))}
        constraints["preemptible"] = random.random() < 0.5
    else:
        workload["scaling"] = {"min_replicas": tasks, "max_replicas": tasks}
    section = random.choice(_SECTIONS)
    section(random, gpu, constraints, count * tasks, job)
    objective = random.choice(_OBJECTIVES)
    return {"objective": objective, "workload": workload, "constraints": constraints}


def _budget(random: Random, gpu: Json, constraints: Json, gpus: int, job: bool) -> None:
    constraints["max_hourly_cost"] = f"{gpus * random.choice((6, 8, 12))} EUR"
    if job:
        constraints["max_total_cost"] = f"{gpus * random.choice((200, 300))} EUR"


def _deadline(random: Random, gpu: Json, constraints: Json, gpus: int, job: bool) -> None:
    constraints["deadline"] = random.choice(("2026-01-17T10:00:00Z", "2026-01-22T10:00:00Z"))


def _compliance(random: Random, gpu: Json, constraints: Json, gpus: int, job: bool) -> None:
    constraints["compliance"] = {
        "certifications": ["ISO 27001"],
        "encryption_at_rest": random.choice((True, False)),
        "gdpr_compliant": random.choice((True, False)),
        "data_residency": [random.choice(("EU", "US"))] if constraints["location"] == "any" else [],
    }
    if not constraints["compliance"]["data_residency"]:
        del constraints["compliance"]["data_residency"]


def _security(random: Random, gpu: Json, constraints: Json, gpus: int, job: bool) -> None:
    constraints["security"] = {"network_isolation": "private", "vpn_access": random.choice((True, False))}


def _energy(random: Random, gpu: Json, constraints: Json, gpus: int, job: bool) -> None:
    constraints["energy"] = {"power_usage_effectiveness": random.choice((1.3, 1.5))}
    if random.random() < 0.5:
        constraints["energy"]["max_carbon_footprint"] = f"{gpus * 400}g CO2/h"


def _near(random: Random, gpu: Json, constraints: Json, gpus: int, job: bool) -> None:
    constraints["max_latency_ms"] = random.choice((40, 60, 80))
    constraints["performance"] = {"min_uptime_percent": random.choice((99.5, 99.9))}


def _providers(random: Random, gpu: Json, constraints: Json, gpus: int, job: bool) -> None:
    constraints["providers"] = random.choice((["aws", "gcp"], ["azure", "aws", "oci"], ["provider-9", "gcp"]))


def _links(random: Random, gpu: Json, constraints: Json, gpus: int, job: bool) -> None:
    gpu["compute_capability"] = random.choice(("7.0", "7.5", "8.0"))
    if gpu["count"] > 1:
        gpu["interconnect"] = "nvlink"


_SECTIONS = (_budget, _budget, _deadline, _compliance, _security, _energy, _near, _providers, _links)


def catalogs_in(data: Path | None) -> list[str]:
    """Return the SkyPilot catalogs below the folder of shared data."""
    return [] if data is None else sorted(map(str, data.glob("gpu-offers/skypilot-v*/*/vms.csv")))


def finite(nodes: int, seed: int = 0) -> list[Json]:
    """Return offers of a few machines each, so many nodes in all."""
    offers, left = [], nodes
    for offer in market(nodes, seed, elastic=False):
        offers.append({**offer, "nodes": min(left, offer["nodes"])})
        left -= offers[-1]["nodes"]
        if not left:
            break
    return offers


def world(data: Path, number: int, seed: int = 0) -> Loaded:
    """Return intents over all catalogs and the finite nodes."""
    document = {"version": 1, "offers": finite(NODES, seed)}
    inventory = flare.read_inventory([*catalogs_in(data), document], usd_eur=USD_EUR)
    return Loaded(tuple(map(flare.read_intent, intents(number, seed))), inventory)
