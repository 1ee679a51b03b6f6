"""Calendars, waves and queues: worlds in which something begins later."""

from random import Random

import flare_core as flare
from benchmarks.phases import Call
from benchmarks.scenarios import NOW, Json
from flare_core.candidates.screens import BY_RULE
from flare_core.candidates.times import forget
from flare_core.candidates.view import View
from flare_core.engine import moment_of
from flare_core.requirements.lower import lower

OFFERS, CALENDARS = 10_000, 12
TASKS, NODES = 1_000, 40
JOBS, PLACES = 100, 20
ZONES = ("Europe/Berlin", "Europe/London", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "UTC")
NEEDED: Json = {
    "window_start": "09:00",
    "window_end": "17:00",
    "timezone": "Europe/Berlin",
    "days_of_week": ["Mon", "Tue", "Fri"],
}
OPTIONS = flare.Options(time_limit=60.0, effort=60.0)


def _offer(name: str, nodes: int, gpus: int, price: float) -> Json:
    return {
        "id": name,
        "provider": f"p{len(name) % 3}",
        "region": "r",
        "nodes": nodes,
        "price": {"hourly": f"{price} EUR/hour", "billing": "gpu"},
        "gpu": {"model": "nvidia-a100", "count": gpus},
        "performance": {"latency_ms": 10},
    }


def _intent(name: str, kind: str, **rest: Json) -> Json:
    workload = {"type": kind, "name": name, "image": "acme/app:1", "resources": {"gpu": {"count": 1}}}
    workload |= rest.pop("workload", {})
    return {"objective": "Cost_Minimization", "workload": workload, **rest}


def calendars(kind: str) -> Call:
    """Return the judgement of one intent's needed times over 31 days against many offers of few calendars."""
    random, offers = Random(kind), []
    said = [_hours(random, zone) for zone in ZONES for _ in range(CALENDARS // len(ZONES))]
    for k in range(OFFERS):
        offers.append({**_offer(f"o{k:05}", 1, 1, 1), "availability": random.choice(said)})
    inventory = flare.read_inventory({"version": 1, "offers": offers})
    job: Json = {"workload": {"job": {"timeout": "2h"}}} if kind == "job" else {}
    intent = flare.read_intent(_intent("work", kind, constraints={"availability": NEEDED}, **job))
    needs = lower(intent, now=moment_of(NOW))
    limits = [limit for limit in needs.limits if limit.rule in ("offer-calendar", "needed-times")]

    def judge() -> None:
        forget()
        view = View.of(inventory, needs)
        for limit in limits:
            BY_RULE[limit.rule].fails(view, limit)

    return judge


def _hours(random: Random, zone: str) -> Json:
    opens, closes = random.sample(range(24), 2)
    hours: Json = {"window_start": f"{opens:02}:00", "window_end": f"{closes:02}:00", "timezone": zone}
    hours["maintenance_windows"] = [
        {
            "start": "2026-01-04T02:00:00Z",
            "end": "2026-01-04T04:00:00Z",
            "frequency": random.choice(("weekly", "monthly")),
        }
    ]
    return hours


def waves() -> tuple[str, tuple[flare.Intent, ...], flare.Inventory]:
    """Return a batch of a thousand equal tasks, and forty nodes of five prices for it."""
    inventory = flare.read_inventory(
        {"version": 1, "offers": [_offer(f"o{k}", NODES // 5, 1, 1 + k / 4) for k in range(5)]}
    )
    batch: Json = {"job": {"parallel_tasks": TASKS, "timeout": "1h"}}
    intent = _intent("many", "batch", workload=batch, constraints={"deadline": "2026-01-17T10:00:00Z"})
    return f"{TASKS} tasks, {NODES} nodes", (flare.read_intent(intent),), inventory


def queue() -> tuple[str, tuple[flare.Intent, ...], flare.Inventory]:
    """Return a hundred jobs, and twenty offers that hold a fifth of them at once, for seven days."""
    inventory = flare.read_inventory(
        {"version": 1, "offers": [_offer(f"o{k:02}", 1, 2, 2 + k / 4) for k in range(PLACES)]}
    )
    random = Random("queue")
    jobs = []
    for k in range(JOBS):
        asked: Json = {
            "job": {"timeout": f"{random.randint(1, 8)}h"},
            "resources": {"gpu": {"count": random.randint(1, 2)}},
        }
        one = _intent(f"job-{k:03}", "job", workload=asked, constraints={"deadline": "2026-01-22T10:30:00Z"})
        jobs.append(flare.read_intent(one))
    return f"{JOBS} jobs, {PLACES} offers", tuple(jobs), inventory
