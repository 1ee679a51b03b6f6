"""Intents that a market cannot serve: what it takes to say why, and what instead."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import flare_core as flare
from benchmarks.phases import Loaded, load
from benchmarks.scenarios import NOW, Json, Scenario, World, market
from flare_core.candidates.screen import screen
from flare_core.engine import ask_of
from flare_core.explanation.case import Case
from flare_core.explanation.conflicts import Reasons, reasons
from flare_core.explanation.corrections import remedies
from flare_core.explanation.feasible import Space
from flare_core.explanation.messages import message, together
from flare_core.explanation.relax import Placer, Solved
from flare_core.intent.patch import patched
from flare_core.placement.packing import Problem, totals
from flare_core.quantities import parse_moment
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Objective, Requirements
from flare_core.solve.search import search

OFFERS = 10_000


def _asked(gpu: Json, tasks: int = 1, **constraints: object) -> Json:
    return {
        "objective": "Cost_Minimization",
        "workload": {
            "type": "service",
            "name": "work",
            "image": "registry.example/work:1",
            "resources": {"cpu": "8", "memory": "32Gi", "gpu": gpu},
            "scaling": {"min_replicas": tasks, "max_replicas": tasks},
        },
        "constraints": constraints,
    }


_SINGLE = {
    "a model that nobody has": _asked({"model": "nvidia-b200"}),
    "more GPUs than any node has": _asked({"model": "nvidia-h100", "count": 16}),
    "too little money": _asked({"model": "nvidia-h100", "count": 8}, location="JP", max_hourly_cost="10 EUR"),
    "a dozen constraints": _asked(
        {"model": "nvidia-h100", "count": 8, "memory": "80Gi"},
        location="EU",
        max_hourly_cost="3 EUR",
        max_latency_ms=20,
        compliance={
            "certifications": ["ISO27001", "PCI-DSS"],
            "encryption_at_rest": True,
            "gdpr_compliant": True,
            "audit_logging": True,
        },
        security={"vpn_access": True, "network_isolation": "private", "intrusion_detection": True},
        energy={"max_carbon_footprint": "100g CO2/h", "power_usage_effectiveness": 1.1},
        performance={"min_network_bandwidth": "100Gbps", "min_uptime_percent": 99.99},
    ),
}
_REPLICAS = {
    "six replicas under one budget": _asked(
        {"model": "nvidia-h100", "count": 2}, tasks=6, max_hourly_cost="5 EUR"
    ),
    "six replicas in one country": _asked(
        {"model": "nvidia-h100", "count": 2}, tasks=6, max_hourly_cost="15 EUR", location="SG"
    ),
}


def _over_market(asked: Json) -> Callable[[int], World]:
    return lambda offers: World((asked,), market(offers))


SCENARIOS = tuple(
    Scenario(name, _over_market(asked), (OFFERS,)) for name, asked in {**_SINGLE, **_REPLICAS}.items()
)
"""Intents of one task, then of several that cost something together."""

SINGLE = SCENARIOS[: len(_SINGLE)]


def read(scenario: Scenario) -> Loaded:
    """Read a scenario, and see that its intent is refused."""
    loaded = load(scenario.build(OFFERS))
    [placement] = refuse(loaded)().placements
    assert placement.status is flare.Status.REJECTED, scenario.name
    return loaded


def refuse(loaded: Loaded) -> Callable[[], flare.Plan]:
    """Refuse with all that there is to say: conflicts, corrections, suggestions, each checked."""
    return partial(flare.place, loaded.intents, loaded.inventory, now=NOW)


def say_first(loaded: Loaded) -> Callable[[], flare.Plan]:
    """Find the code, the message, the first conflict, and place the first thing that would help."""
    [intent], inventory, now = loaded.intents, loaded.inventory, parse_moment(NOW)

    def call() -> flare.Plan:
        needs = lower(intent, now=now)
        space = Space(needs, inventory, _placer(inventory))
        case = Case(needs, screen(needs, inventory).funnel, inventory, intent, now)
        found = reasons(space, most=1)
        assert found.conflicts
        _say(case, space, found)
        first = next(remedies(case, space, found.ways_out))
        return flare.place(patched(intent, first.patch), inventory, now=NOW)

    return call


def _say(case: Case, space: Space, found: Reasons) -> tuple[flare.ErrorCode, str]:
    path, *more = found.ways_out[0]
    topic = next(handle.topic for handle in space.handles if handle.path == path)
    text = together(case, (path, *more)) if more else message(case, space, found, path, topic)
    return topic.code, text


def _placer(inventory: flare.Inventory) -> Placer:
    options = flare.Options()

    def place(needs: Requirements) -> Solved | None:
        ask = ask_of(replace(needs, objective=Objective.COST), inventory, options, several=False)
        [loads] = search(Problem((ask,), inventory), options, options.timer()).packing
        return Solved(ask, loads, totals(ask, loads)) if loads else None

    return place
