"""What gateways are measured under."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter
from typing import Any

from benchmarks.gateway.raw import Connection, Reply

Json = dict[str, Any]

INTENTS = "/api/v1/intents"
SOLVE_S = 5.0
"""How long a search may take where its length is what matters."""


def service(name: str, gpus: int = 1) -> Json:
    """Return an intent that is placed at once."""
    resources = {"cpu": "2", "memory": "4Gi", "gpu": {"model": "nvidia-h100", "count": gpus}}
    workload = {"type": "service", "name": name, "image": "registry.example/work:1", "resources": resources}
    return {"intent": {"objective": "Cost_Minimization", "workload": workload}}


def elastic() -> Json:
    """Return offers with room for everybody."""
    return {"version": 1, "offers": [_machine("ample", None, 8, 32.0, Random(0))]}


def hard_offers(offers: int = 30, seed: int = 1) -> Json:
    """Return offers of many shapes; a `hard` intent keeps the search busy as long as it may."""
    random = Random(seed)
    shapes = [
        _machine(f"o{k:03d}", random.randint(1, 3), random.choice((3, 5, 7, 8)), 0.0, random)
        for k in range(offers)
    ]
    return {"version": 1, "offers": shapes}


def _machine(name: str, nodes: int | None, gpus: int, hourly: float, random: Random) -> Json:
    k = int(name[1:]) if name[1:].isdigit() else 0
    return {
        "id": name,
        "provider": f"p{k % 7}",
        "region": f"r{k % 11}",
        "zone": f"r{k % 11}{'abc'[k % 3]}",
        "country": "DE",
        "nodes": nodes,
        "price": {
            "hourly": f"{hourly or random.uniform(5, 50):.4f} EUR/hour",
            "billing": "gpu" if hourly else "node",
        },
        "cpu": "128" if hourly else str(random.choice((17, 29, 41, 53, 67))),
        "memory": "1Ti" if hourly else f"{random.choice((101, 211, 307))}Gi",
        "storage": "1Ti",
        "energy": {"carbon_intensity": random.randint(20, 600), "power_usage_effectiveness": 1.2},
        "performance": {
            "latency_ms": random.randint(5, 90),
            "uptime_percent": 99.9 if hourly else random.choice((95.0, 97.0, 98.0, 99.0)),
        },
        "gpu": {"model": "nvidia-h100", "count": gpus, "memory": "80Gi", "power_w": random.randint(250, 700)},
    }


def hard(name: str, tasks: int = 10) -> Json:
    """Return an intent whose availability many combinations of zones and providers may buy."""
    resources = {"cpu": "7", "memory": "23Gi", "gpu": {"model": "nvidia-h100", "count": 2}}
    workload = {
        "type": "service",
        "name": name,
        "image": "registry.example/work:1",
        "resources": resources,
        "scaling": {"min_replicas": tasks, "max_replicas": tasks},
    }
    constraints = {
        "max_hourly_cost": "5000 EUR",
        "max_latency_ms": 95,
        "performance": {"min_uptime_percent": 90},
        "energy": {"max_carbon_footprint": f"{tasks * 400}g CO2/h"},
    }
    sla = {"availability": "99.999%"}
    return {
        "intent": {
            "objective": "Balanced_Optimization",
            "workload": workload,
            "constraints": constraints,
            "sla": sla,
        }
    }


# --- submissions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """How many submissions were accepted durably, in how long; and all answers by status."""

    accepted: int
    seconds: float
    statuses: Mapping[int, int]

    @property
    def per_s(self) -> float:
        """Accepted submissions a second."""
        return self.accepted / self.seconds


async def submitted(urls: Sequence[str], token: str, seconds: float, clients: int = 256) -> Rate:
    """Let clients submit one after another for so long."""
    statuses: Counter[int] = Counter()
    began = perf_counter()

    async def one(client: int) -> None:
        connection, number = Connection(urls[client % len(urls)], token), 0
        while perf_counter() - began < seconds:
            number += 1
            reply = await connection.ask("POST", INTENTS, service(f"c{client}-{number}"))
            statuses[reply.status] += 1
        connection.close()

    await asyncio.gather(*(one(client) for client in range(clients)))
    took = perf_counter() - began
    return Rate(statuses[201] + statuses[202], took, dict(statuses))


async def at_once(urls: Sequence[str], token: str, number: int = 1000) -> list[Reply]:
    """Submit so many intents at the same time, each over a connection of its own."""

    async def one(client: int) -> Reply:
        connection = Connection(urls[client % len(urls)], token)
        reply = await connection.ask("POST", INTENTS, service(f"burst-{client}"))
        connection.close()
        return reply

    return await asyncio.gather(*(one(client) for client in range(number)))


# --- looking while it searches ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Looks:
    """How long GETs took while searches ran, and whether these still ran at the end."""

    replies: Sequence[Reply]
    busy: bool

    def percentile_ms(self, share: float) -> float:
        """Return what that share of the GETs took at most, milliseconds."""
        times = sorted(reply.took_s for reply in self.replies)
        return times[max(0, -(-len(times) * round(share * 1000) // 1000) - 1)] * 1000


async def looked(urls: Sequence[str], token: str, gets: int = 1000, clients: int = 8) -> Looks:
    """Start two hard searches in different processes, and look at their intents meanwhile."""
    first = Connection(urls[0], token)
    names = []
    for number in range(2):
        # One after the other, so that the second is not solved together with the first.
        names.append((await first.ask("POST", INTENTS, hard(f"hard-{number}"))).json()["intent_id"])
    replies: list[Reply] = []

    async def one(client: int) -> None:
        connection = Connection(urls[client % len(urls)], token)
        for number in range(gets // clients):
            replies.append(await connection.ask("GET", f"{INTENTS}/{names[number % 2]}"))
        connection.close()

    await asyncio.gather(*(one(client) for client in range(clients)))
    after = [(await first.ask("GET", f"{INTENTS}/{name}")).json()["status"] for name in names]
    first.close()
    return Looks(replies, busy=after == ["pending", "pending"])
