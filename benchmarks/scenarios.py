"""What is measured: seeded worlds of intents and offers, as documents, each with the sizes it is measured at.

A *market* resembles the real ones: large clouds that sell elastic machines whole, and smaller providers that
sell single GPUs of a few machines, some of them in use; what a provider or region has (certificates, latency,
energy) is the same for all its offers, and some of it is unknown.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any, NamedTuple

Json = dict[str, Any]

NOW = "2026-01-15T10:00:00Z"


class World(NamedTuple):
    """Intents to be placed together, and the offers."""

    intents: tuple[Json, ...]
    offers: Sequence[Json]


class Scenario(NamedTuple):
    """A family of worlds by the number of offers."""

    name: str
    build: Callable[[int], World]
    sizes: tuple[int, ...]


# --- offers -----------------------------------------------------------------------------------------

_GPUS = (  # model, memory, EUR for an hour of one, link where there are several
    ("nvidia-h100", "80Gi", 2.8, "nvswitch"),
    ("nvidia-h200", "141Gi", 3.6, "nvswitch"),
    ("nvidia-a100", "80Gi", 1.6, "nvswitch"),
    ("nvidia-a100", "40Gi", 1.2, "nvlink"),
    ("nvidia-l40s", "48Gi", 1.1, "pcie"),
    ("nvidia-l4", "24Gi", 0.6, "pcie"),
    ("nvidia-a10g", "24Gi", 0.7, "pcie"),
    ("nvidia-v100", "16Gi", 0.8, "nvlink"),
    ("nvidia-t4", "16Gi", 0.35, "pcie"),
    ("nvidia-rtx-4090", "24Gi", 0.4, "pcie"),
    ("amd-mi300x", "192Gi", 2.6, "infinity-fabric"),
)
_COUNTRIES = ("DE", "FR", "IE", "SE", "NL", "GB", "US", "US", "US", "CA", "JP", "SG", "IN", "BR")
_PROVIDERS, _REGIONS = 16, 8


@cache
def market(offers: int, seed: int = 0, *, elastic: bool = True) -> tuple[Json, ...]:
    """Return so many GPU offers; without `elastic`, all of them have a few machines."""
    random = Random(seed)
    places = [
        place
        for p in range(_PROVIDERS)
        for place in _places(random, f"provider-{p}", cloud=elastic and p < _PROVIDERS / 2)
    ]
    machines = [_machine(gpu, count) for gpu in _GPUS for count in (1, 2, 4, 8)]
    return tuple(_offer(random, k, *random.choice(places), *random.choice(machines)) for k in range(offers))


def _places(random: Random, provider: str, *, cloud: bool) -> list[tuple[Json, bool]]:
    """Return what holds for all offers of each of a provider's regions, and whether it is a large cloud."""
    owned = {
        "certifications": random.choice(
            (["ISO27001", "SOC2"], ["ISO27001", "SOC2", "PCI-DSS"], ["ISO27001"])
        ),
        **{
            name: random.choice((True, True, None))
            for name in ("encryption_at_rest", "encryption_in_transit", "audit_logging", "gdpr_compliant")
        },
    }
    security = {
        "network_isolation": random.choice(("private", "private", "public")),
        **{name: random.choice((True, True, False)) for name in ("vpn_access", "intrusion_detection")},
    }
    return [
        (
            {
                "provider": provider,
                "region": f"{provider}-r{r}",
                "country": random.choice(_COUNTRIES),
                "storage": "elastic" if cloud else "20Ti",
                "persistent_storage": True,
                "performance": {
                    "latency_ms": random.choice((None, *range(5, 120, 5))),
                    "network_bandwidth": random.choice(("10Gbps", "25Gbps", "100Gbps")),
                    "jitter_ms": random.choice((1, 2, 4, None)),
                    "uptime_percent": random.choice((99.5, 99.9, 99.95, 99.99)),
                    "cold_start_time": random.choice(("20s", "45s", "90s")),
                },
                "energy": {
                    "carbon_intensity": random.randrange(20, 600),
                    "power_usage_effectiveness": random.choice((1.1, 1.2, 1.3, 1.5)),
                },
                "compliance": owned,
                "security": security,
            },
            cloud,
        )
        for r in range(_REGIONS)
    ]


def _machine(gpu: tuple[str, str, float, str], count: int) -> tuple[Json, float]:
    """Return what holds for all machines of a kind, and about what it costs."""
    model, memory, price, link = gpu
    section = {"model": model, "count": count, "memory": memory, "dedicated": True}
    if count > 1:
        section["interconnect"] = link
    return {"cpu": str(16 * count), "memory": f"{128 * count}Gi", "gpu": section}, price * count


def _offer(random: Random, k: int, place: Json, cloud: bool, machine: Json, about: float) -> Json:
    hourly = about * random.uniform(0.7, 1.5)
    price = {"hourly": f"{hourly:.4f} EUR/hour", "billing": "node" if cloud else "gpu"}
    if random.random() < 0.5:
        price["spot_hourly"] = f"{hourly * random.uniform(0.3, 0.7):.4f} EUR/hour"
    offer = {
        "id": f"{place['region']}-{k:06d}",
        "zone": f"{place['region']}{random.choice('abc')}",
        "price": price,
        "nodes": None if cloud else random.randint(1, 8),
        **place,
        **machine,
    }
    if not cloud and random.random() < 0.1:
        offer["used"] = {"gpus": random.randint(1, machine["gpu"]["count"])}
    return offer


# --- intents ----------------------------------------------------------------------------------------


def _intent(objective: str, gpu: Json, *, tasks: int = 1, name: str = "work", **constraints: object) -> Json:
    """Return a service of `tasks` replicas."""
    return {
        "objective": objective,
        "workload": {
            "type": "service",
            "name": name,
            "image": "registry.example/work:1",
            "resources": {"cpu": "8", "memory": "32Gi", "gpu": gpu},
            "scaling": {"min_replicas": tasks, "max_replicas": tasks},
        },
        "constraints": constraints,
    }


def simple() -> Json:
    """Return an intent as most are: a model, a place, a budget, a latency."""
    gpu = {"model": "nvidia-a100", "count": 1, "memory": "40Gi"}
    return _intent("Cost_Minimization", gpu, location="EU", max_hourly_cost="10 EUR", max_latency_ms=60)


def compliant() -> Json:
    """Return an intent with two dozen requirements."""
    return _intent(
        "Balanced_Optimization",
        {"model": "any", "count": 2, "memory": "40Gi", "compute_capability": "8.0", "interconnect": "nvlink"},
        location="EU",
        max_hourly_cost="40 EUR",
        max_latency_ms=80,
        compliance={
            "data_residency": ["EU"],
            "certifications": ["ISO 27001"],
            "encryption_at_rest": True,
            "encryption_in_transit": True,
            "audit_logging": True,
            "gdpr_compliant": True,
        },
        security={"network_isolation": "private", "vpn_access": True, "intrusion_detection": True},
        performance={"min_uptime_percent": 99.9, "max_jitter_ms": 5, "min_network_bandwidth": "10Gbps"},
        energy={"power_usage_effectiveness": 1.3, "energy_efficiency_rating": "B"},
    )


def spot() -> Json:
    """Return a job that may be interrupted, on whatever is cheapest."""
    return {
        "objective": "Cost_Minimization",
        "workload": {
            "type": "job",
            "name": "train",
            "image": "registry.example/train:1",
            "resources": {
                "cpu": "16",
                "memory": "128Gi",
                "gpu": {"model": "any", "count": 8, "memory": "24Gi"},
            },
            "job": {"parallel_tasks": 1, "timeout": "6h"},
        },
        "constraints": {"preemptible": True, "max_total_cost": "200 EUR", "deadline": "2026-01-16T10:00:00Z"},
    }


def jupyter() -> Json:
    """Return the example of a notebook server that comes with the package."""
    text = (files("flare_core") / "examples" / "05-jupyter.json").read_text(encoding="utf-8")
    intent: Json = json.loads(text)["intent"]
    return intent


def over_catalogs() -> tuple[tuple[str, Json], ...]:
    """Return intents for price catalogs, which say little beyond machines, places and prices."""
    a100 = {"model": "nvidia-a100", "count": 8}
    eu = _intent("Cost_Minimization", a100, location="EU", max_hourly_cost="60 EUR")
    some = {"model": "any", "count": 4, "memory": "24Gi"}
    fast = _intent("Performance_Maximization", some, providers=["aws", "gcp"], max_latency_ms=60)
    one = _intent("Cost_Minimization", {"model": "any"})
    return ("EU", eu), ("spot", spot()), ("fastest near", fast), ("cheapest", one)


def budget() -> Json:
    """Return replicas of which all are to be good, under one budget for them together."""
    return _intent("Balanced_Optimization", {"model": "any"}, tasks=16, max_hourly_cost="16 EUR")


def spread() -> Json:
    """Return replicas that no single failure may take down."""
    one = _intent("Balanced_Optimization", {"model": "any"}, tasks=4)
    return {**one, "sla": {"availability": "99.999%"}}


def green() -> Json:
    """Return replicas of which all are to be good, under one carbon cap for them together."""
    cap = {"max_carbon_footprint": "320g CO2/h"}
    return _intent("Balanced_Optimization", {"model": "any"}, tasks=16, energy=cap)


def several(number: int, seed: int) -> tuple[Json, ...]:
    """Return intents of all objectives that compete for the same machines."""
    random = Random(seed)
    return tuple(
        _intent(
            random.choice(_OBJECTIVES),
            {
                "model": random.choice(("nvidia-a100", "nvidia-h100", "any")),
                "count": random.choice((1, 1, 2, 4)),
            },
            tasks=random.choice((1, 1, 2, 3)),
            name=f"work-{k}",
            location=random.choice(("EU", "any")),
            max_hourly_cost=f"{random.choice((20, 40, 80))} EUR",
        )
        for k in range(number)
    )


_OBJECTIVES = (
    "Cost_Minimization",
    "Performance_Maximization",
    "Latency_Minimization",
    "Balanced_Optimization",
    "Energy_Efficiency",
)


# --- worlds -----------------------------------------------------------------------------------------


def _single(intent: Callable[[], Json]) -> Callable[[int], World]:
    return lambda offers: World((intent(),), market(offers))


def _finite(intent: Callable[[], Json]) -> Callable[[int], World]:
    return lambda offers: World((intent(),), market(offers, elastic=False))


def crowd(offers: int, seed: int = 0) -> World:
    """Return twenty intents that share finite capacity."""
    return World(several(20, seed), market(offers, seed, elastic=False))


SINGLE = tuple(
    Scenario(intent.__name__, _single(intent), (1_000, 10_000))
    for intent in (simple, compliant, spot, jupyter)
)
"""One intent whose tasks do not depend on each other."""

COUPLED = tuple(Scenario(intent.__name__, _finite(intent), (1_000,)) for intent in (budget, spread, green))
"""One intent with a rule that couples its tasks."""

CROWD = Scenario("twenty", crowd, (1_000,))
"""Several intents that share capacity."""

SCENARIOS = (*SINGLE, *COUPLED, CROWD)
