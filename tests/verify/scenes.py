"""Random small federations and intents, rich in edges: used nodes, unknown values, spot, shares, links."""

from collections.abc import Sequence
from itertools import combinations
from random import Random
from typing import Any

Json = dict[str, Any]
NOW = "2026-01-15T10:30:00Z"
PARTS = (
    # model, memory, FP32 TFLOPS, W
    ("nvidia-h100", "80Gi", "66.9", 700),
    ("nvidia-a100", "40Gi", "19.5", 400),
    ("nvidia-t4", "16Gi", "8.1", 70),
)
# Profiles at start 0, 0, 4 and 4 of the parts that can be cut.
SLICES = {
    "40Gi": ("1g.5gb", "3g.20gb", "2g.10gb", "3g.20gb"),
    "80Gi": ("1g.10gb", "3g.40gb", "2g.20gb", "3g.40gb"),
}
PLACES = (
    ("aws", "eu-west-1", "IE", ("eu-west-1a", "eu-west-1b")),
    ("gcp", "europe-west4", "NL", ("europe-west4-a", None)),
    ("acme", "us-north", "US", ("us-north-1",)),
)


def scene(rng: Random) -> tuple[list[Json], Json]:
    """Return one to three intents and an inventory document; one in four is crowded."""
    if rng.random() < 0.25:
        return _crowd(rng)
    offers = [_offer(rng, i) for i in range(rng.randint(2, 7))]
    several = rng.choice((1, 1, 1, 2, 3))
    return [_intent(rng, f"w{i}") for i in range(several)], {"version": 1, "offers": offers}


def _crowd(rng: Random) -> tuple[list[Json], Json]:
    """Return intents that meet on few GPUs, whole or in parts, with nothing else in their way."""
    kind = rng.choice(("mig", "time-slicing"))
    offers = [_offer(rng, i) for i in range(rng.randint(1, 2))]
    for offer in offers:
        offer["gpu"] |= {"model": "nvidia-a100", "memory": "40Gi", "fp32_tflops": "19.5", "power_w": 400}
        offer["gpu"] |= {"interconnect": "nvlink", "dedicated": True, "links": None, "topology": None}
        offer["gpu"] |= {
            "count": 2,
            "shared": True,
            "sharing_strategy": kind,
            "sharing_slots": rng.choice((3, 4)),
        }
        offer |= {"nodes": rng.randint(1, 2), "cpu": "64", "memory": "256Gi", "availability": None}
        offer |= {"used": None, "node_states": None}
        offer["price"]["billing"] = "gpu"
    asks = ({"multi_instance": True}, {"shared": True}) if kind == "mig" else ({"shared": True},)
    intents = []
    for i in range(rng.randint(1, 3)):
        gpu = {"count": rng.choice((1, 1, 1, 2)), **rng.choice((*asks, *asks, {}))}
        if rng.random() < 0.5 and len(gpu) > 1:
            gpu["memory"] = rng.choice(("10Gi", "15Gi", "20Gi"))
        workload: Json = {
            "type": "service",
            "name": f"w{i}",
            "image": "acme/app:1",
            "resources": {"gpu": gpu},
        }
        workload["scaling"] = {"min_replicas": rng.randint(1, 4)}
        intents.append({"objective": "Cost_Minimization", "workload": workload})
    return intents, {"version": 1, "offers": offers}


def _maybe(rng: Random, value: object, unknown: float = 0.15) -> object:
    return None if rng.random() < unknown else value


def _offer(rng: Random, i: int) -> Json:
    model, memory, fp32, watts = rng.choice(PARTS)
    provider, region, country, zones = rng.choice(PLACES)
    count, nodes = rng.choice((1, 2, 4, 8)), rng.choice((None, 1, 2, 3))
    hourly = rng.choice((1, 2, 3, 10)) * count + rng.choice((0, 0.1, 0.000001))
    document: Json = {
        "id": f"o{i}",
        "provider": provider,
        "region": region,
        "zone": rng.choice(zones),
        "country": country,
        "nodes": nodes,
        "price": {
            "hourly": f"{hourly:.6f} EUR/hour",
            "spot_hourly": _maybe(rng, f"{hourly * 0.4:.6f} EUR/hour", 0.5),
            "billing": rng.choice(("gpu", "gpu", "node")),
        },
        "cpu": _maybe(rng, str(16 * count), 0.1),
        "memory": _maybe(rng, f"{64 * count}Gi", 0.1),
        "storage": rng.choice(("elastic", "2Ti", "100Gi", None)),
        "persistent_storage": _maybe(rng, True),
        "gpu": {
            "model": model,
            "count": count,
            "memory": memory,
            "fp32_tflops": fp32,
            "power_w": watts,
            "interconnect": rng.choice(("nvswitch", "nvlink", "pcie", "pcie"))
            if model != "nvidia-t4"
            else "pcie",
            "dedicated": _maybe(rng, True, 0.5),
        },
        "performance": {
            "latency_ms": _maybe(rng, rng.choice((5, 20, 60, 90))),
            "uptime_percent": _maybe(rng, rng.choice((99.0, 99.5, 99.95)), 0.1),
            "cold_start_time": _maybe(rng, "45s"),
        },
        "energy": {
            "carbon_intensity": _maybe(rng, rng.choice((30, 250, 600)), 0.1),
            "power_usage_effectiveness": _maybe(rng, rng.choice((1.1, 1.5)), 0.1),
        },
        "compliance": {"certifications": rng.choice((["ISO27001"], ["ISO27001", "SOC2"], None))},
    }
    document["gpu"] |= _inside(rng, count)
    if rng.random() < 0.5:
        document["fabric"] = _fabric(rng)
    if rng.random() < 0.4:
        kind = rng.choice(("mig", "time-slicing", "mps"))
        shared = {"shared": True, "sharing_strategy": kind, "sharing_slots": rng.choice((2, 4, 7))}
        document["gpu"] |= shared
    if nodes and rng.random() < 0.3:
        document["used"] = {"gpus": rng.randint(0, nodes * count)}
    elif nodes and rng.random() < 0.4:
        document["node_states"] = [_state(rng, count, SLICES.get(memory, ()))]
    if rng.random() < 0.2:
        document["availability"] = {
            "window_start": "08:00",
            "window_end": "13:00",
            "timezone": "Europe/Berlin",
        }
    return document


def _inside(rng: Random, count: int) -> Json:
    """Return what an offer says of how its GPUs are linked; mostly nothing."""
    said: Json = {}
    if rng.random() < 0.2:
        said["multi_gpu_efficiency"] = rng.choice((0.8, 0.95))
    if count < 2 or rng.random() < 0.5:
        return said
    if rng.random() < 0.5:
        return said | {"topology": rng.choice(("ring", "mesh", "all-to-all", "nvswitch"))}
    speeds, kinds = (("25 GB/s",), ("50 GB/s",), ()), ("nvlink", "nvlink", "pcie", "nvswitch")
    pairs = [pair for pair in combinations(range(count), 2) if rng.random() < 0.6]
    return said | {"links": [[*pair, rng.choice(kinds), *rng.choice(speeds)] for pair in pairs]}


def _fabric(rng: Random) -> Json:
    path = [rng.choice(("dc1", "dc1", "dc2")), rng.choice(("s1", "s2")), rng.choice(("l1", "l2"))]
    return {
        "path": _maybe(rng, path[: rng.choice((1, 3, 3))], 0.2),
        "interconnect": rng.choice(("infiniband", "infiniband", "ethernet")),
        "bandwidth": _maybe(rng, rng.choice(("100Gbps", "400Gbps"))),
    }


def _state(rng: Random, count: int, slices: Sequence[str]) -> Json:
    """Return a node some of whose GPUs are in use, wholly or in part."""
    free, milli, instances = [], {}, []
    for gpu in range(count):
        match rng.choice(("free", "free", "used", "milli", "mig")):
            case "free":
                free.append(gpu)
            case "milli":
                milli[str(gpu)] = rng.choice((100, 250, 500, 999))
            case "mig" if slices:
                some = rng.choice(((0,), (1, 3), (2,)))  # which profiles, at starts that do not meet
                instances += [{"gpu": gpu, "profile": slices[i], "start": (0, 0, 4, 4)[i]} for i in some]
    return {"node": 0, "free_gpus": free, "gpu_milli": milli, "mig": instances, "cpu": "8", "memory": "64Gi"}


def _intent(rng: Random, name: str) -> Json:
    kind = rng.choice(("service", "service", "job", "batch"))
    workload: Json = {"type": kind, "name": name, "image": "acme/app:1", "resources": _resources(rng)}
    if kind == "service":
        workload["scaling"] = {"min_replicas": rng.randint(1, 4), "auto_scale": rng.random() < 0.4}
    else:
        workload["job"] = {
            "parallel_tasks": rng.randint(1, 3),
            "completion_policy": rng.choice(("All", "Any")),
        }
        if rng.random() < 0.6:
            workload["job"]["timeout"] = rng.choice(("1h", "7m"))
    if rng.random() < 0.3:
        size = rng.choice(("50Gi", "500Gi"))
        volume = {"name": "v", "size": size, "type": rng.choice(("persistent", "temporary")), "path": "/v"}
        workload["storage"] = {"volumes": [volume]}
    objectives = ("Cost_Minimization", "Performance_Maximization", "Latency_Minimization")
    objective = rng.choice((*objectives, "Balanced_Optimization", "Energy_Efficiency"))
    document: Json = {"objective": objective, "workload": workload, "constraints": _constraints(rng)}
    if rng.random() < 0.3:
        document["sla"] = {"availability": rng.choice(("99%", "99.9%"))}
    return document


def _resources(rng: Random) -> Json:
    resources: Json = {}
    if rng.random() < 0.7:
        resources["cpu"], resources["memory"] = rng.choice(("4", "500m")), rng.choice(("8Gi", "100Mi"))
    if rng.random() < 0.9:
        gpu: Json = {"count": rng.choice((1, 1, 2, 4)), "model": rng.choice(("any", "any", "nvidia-a100"))}
        if rng.random() < 0.5:
            gpu["interconnect"] = rng.choice(("nvlink", "nvswitch", "infiniband"))
        if rng.random() < 0.3:
            gpu["topology"] = rng.choice(("ring", "mesh", "all-to-all", "nvswitch"))
        if rng.random() < 0.1:
            gpu["multi_gpu_efficiency"] = rng.choice(("0.5", "0.9"))
        gpu |= rng.choice(({}, {}, {"shared": True}, {"multi_instance": True}))
        if rng.random() < 0.3:
            gpu["memory"] = rng.choice(("4Gi", "10Gi", "20Gi"))
        resources["gpu"] = gpu
    return resources


def _constraints(rng: Random) -> Json:
    wanted = {
        "max_hourly_cost": rng.choice(("4 EUR", "20 EUR", "60 EUR")),
        "location": rng.choice(("EU", "US", "IE", "eu-west")),
        "max_latency_ms": rng.choice((50, 90)),
        "deadline": rng.choice(("2026-01-15T12:00:00Z", "2026-01-15T11:30:00Z")),
        "preemptible": True,
        "energy": {"max_carbon_footprint": rng.choice(("100g CO2/h", "2kg CO2/h"))},
        "compliance": {"certifications": ["ISO 27001"]},
        "negotiation": {"fallback_strategy": "fail"},
    }
    return {key: value for key, value in wanted.items() if rng.random() < 0.2}
