"""Small worlds in which one intent cannot be placed, and exhaustion without some of its constraints."""

from collections.abc import Collection, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from itertools import combinations
from random import Random
from typing import Any

import flare_core as flare
from flare_core.candidates.screen import screen
from flare_core.engine import ask_of
from flare_core.explanation.case import Case
from flare_core.explanation.feasible import Space
from flare_core.explanation.ladder import dropped
from flare_core.explanation.relax import Placer, Solved
from flare_core.intent.patch import merged
from flare_core.placement.packing import Problem, totals
from flare_core.quantities import Rounding, parse_moment, parse_money_ueur
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Objective, Requirements
from flare_core.solve.search import search
from tests.insides import cut, linked
from tests.oracle.oracle import Oracle, at
from tests.worlds import NOW, Json, Maker, World, put

GPU = "workload.resources.gpu"
EITHER = (f"{GPU}.shared", f"{GPU}.multi_instance", f"{GPU}.interconnect")
"""Without these something else is asked: given up means with or without."""

_ASKS: dict[str, tuple[object, ...]] = {
    "workload__resources__gpu__count": (2, 3, 4),
    "workload__resources__gpu__model": ("nvidia-x1", "nvidia-x2", "nvidia-x3", "nvidia-h100"),
    "workload__resources__gpu__memory": ("40Gi", "48Gi", "80Gi"),
    "workload__resources__gpu__tier": ("premium", "standard"),
    "workload__resources__cpu": ("4", "9", "17"),
    "workload__resources__memory": ("16Gi", "33Gi", "65Gi"),
    "workload__storage__volumes": (
        [
            {"name": "a", "size": "600Gi", "type": "persistent", "path": "/a"},
            {"name": "b", "size": "1500Mi", "type": "temporary", "path": "/b"},
        ],
        [{"name": "a", "size": "2Ti", "type": "temporary", "path": "/a"}],
    ),
    "constraints__location": ("EU", "DE", "Asia", "US", "r2"),
    "constraints__compliance__data_residency": (["EU"], ["FR"], ["DE", "US"]),
    "constraints__compliance__certifications": (["ISO 27001", "C5"], ["soc2"], ["SOC2", "HDS", "iso-27001"]),
    "constraints__availability_zone": ("z1", "z3", "z9"),
    "constraints__providers": (["p1"], ["P2", "p3"], ["p4"]),
    "constraints__max_latency_ms": (4, 10, 20),
    "constraints__performance__min_uptime_percent": (99.9, 99.95, 99.995),
    "constraints__performance__min_network_bandwidth": ("25Gbps", "40Gbps"),
    "constraints__performance__max_cold_start_time": ("5s", "10s"),
    "constraints__energy__energy_efficiency_rating": ("A", "B"),
    "constraints__energy__power_usage_effectiveness": (1.05, 1.2),
    "constraints__energy__max_carbon_footprint": ("10g CO2/h", "45.5g CO2/h"),
    "constraints__compliance__hipaa_compliant": (True,),
    "constraints__max_hourly_cost": ("0.2 EUR", "0.75 EUR", "1.9 EUR", "3.1 EUR"),
    "sla__availability": (99.9, 99.97, 99.9999),
    "sla__max_interruption_time": ("5s", "10s"),
}


def demanding(seed: int) -> World:
    """Return a world of one intent that asks for much; often it is too much."""
    random = Random(f"demanding {seed}")
    if random.random() < 0.25:
        one = random.choice((cut, linked))(seed)
        intent = deepcopy(one.intents[0])
    else:
        maker = Maker(random)
        maker.strict = maker.strict or maker.chance(0.5)
        one = maker.world(1, tasks_each=3, offers=5)
        intent = deepcopy(one.intents[0])
    for path in random.sample(sorted(_ASKS), random.choice((0, 1, 1, 2, 2, 3))):
        _ask(intent, path, random.choice(_ASKS[path]))
    return replace(one, intents=(intent,), priorities={})


def _ask(intent: Json, path: str, value: object) -> None:
    if "__gpu__" not in path or intent["workload"]["resources"].get("gpu") is not None:
        put(intent, path, value)


def refused(seeds: Iterable[int]) -> Iterator[tuple[int, World]]:
    """Yield the demanding worlds whose intent can be read and, by exhaustion, not be placed."""
    for seed in seeds:
        one = demanding(seed)
        try:
            lower(flare.read_intent(deepcopy(one.intents[0])), now=parse_moment(NOW))
        except flare.FlareError:
            continue
        if not possible(one):
            yield seed, one


# --- exhaustion -------------------------------------------------------------------------------------


def possible(world: World, gone: Collection[str] = ()) -> bool:
    """Return whether the intent has a placement where the constraints at `gone` need not hold."""
    return any(
        _has_plan(_lifted(world, frozenset(gone) - set(kept)))
        for number in range(len(EITHER) + 1)
        for kept in combinations([path for path in EITHER if path in gone], number)
    )


def _has_plan(world: World) -> bool:
    waves = _waves(world)
    if waves > 1:
        return _has_waves(world, waves)
    oracle = Oracle(world)
    return any(True for loads in oracle._ways(0, {}) for _ in oracle._judged(0, loads))


def _waves(world: World) -> int:
    """Return how many waves of a batch end by its deadline, as many as tasks without one; 1 for others."""
    [need] = Oracle(world).needs
    if need.kind != "batch" or not need.length:
        return 1
    deadline = at(world.intents[0], "constraints.deadline")
    left_s = None if deadline is None else int((parse_moment(deadline) - parse_moment(NOW)).total_seconds())
    return need.tasks if left_s is None else min(need.tasks, left_s // need.length)


def _has_waves(world: World, waves: int) -> bool:
    """Return whether a batch has a placement in so many waves: nothing but the total cost joins them."""
    [intent] = world.intents
    job, total = intent["workload"]["job"], at(intent, "constraints.max_total_cost")
    tasks = 1 if job.get("completion_policy") == "Any" else job["parallel_tasks"]
    cheapest: dict[int, int] = {}
    for many in range(1, tasks + 1):
        one = written(
            written(intent, "constraints.max_total_cost", None), "workload.job.parallel_tasks", many
        )
        wave = Oracle(replace(world, intents=(written(one, "workload.job.completion_policy", None),)))
        costs = [c.terms.total for loads in wave._ways(0, {}) for c in wave._judged(0, loads)]
        if costs:
            cheapest[many] = min(costs)
    sums = {0: 0}
    for _ in range(waves):
        grown = [
            (done + many, spent + cost) for done, spent in sums.items() for many, cost in cheapest.items()
        ]
        for done, spent in grown:
            sums[done] = min(spent, sums.get(done, spent))
    limit = None if total is None else parse_money_ueur(total, Rounding.DOWN)
    return tasks in sums and (limit is None or sums[tasks] <= limit)


def _lifted(world: World, gone: Collection[str]) -> World:
    """Return the world without some constraints of its intent."""
    [intent], offers = world.intents, list(world.offers)
    for path in sorted(gone):
        values = dict(dropped(path))
        if path == "constraints.deadline" and intent["workload"]["type"] == "service":
            values["constraints.max_total_cost"] = None
        for at_path, value in values.items():
            intent = written(intent, at_path, value)
        if path in _FILLED:
            offers = [_filled(offer, *_FILLED[path]) for offer in offers]
    return replace(world, intents=(intent,), offers=tuple(offers))


def written(intent: Json, path: str, value: object) -> Json:
    """Return the intent with a value at a path; None takes it away."""
    patch: Any = value
    for key in reversed(path.split(".")):
        patch = {key: patch}
    result = merged(intent, patch)
    assert isinstance(result, dict)
    return result


_FILLED = {
    "constraints.max_latency_ms": ("performance.latency_ms", 0),
    "constraints.performance.max_jitter_ms": ("performance.jitter_ms", 0),
    "constraints.energy.power_usage_effectiveness": ("energy.power_usage_effectiveness", 1e9),
}
"""What an unknown figure is for a largest one that is given up; such a PUE fails all else as unknown does."""


def _filled(offer: Json, path: str, value: object) -> Json:
    return written(offer, path, value) if at(offer, path) is None else offer


# --- the questions of the package -------------------------------------------------------------------


def case_of(world: World) -> tuple[Case, Space]:
    """Return the intent of a world as a refused one, and what can be asked about it."""
    intent = flare.read_intent(deepcopy(world.intents[0]))
    inventory = flare.read_inventory({"version": 1, "offers": deepcopy(list(world.offers))})
    now = parse_moment(NOW)
    needs = lower(intent, now=now)
    space = Space(needs, inventory, _placer(inventory))
    return Case(needs, screen(needs, inventory).funnel, inventory, intent, now), space


def _placer(inventory: flare.Inventory) -> Placer:
    """Return what places one intent alone, as cheaply as possible."""
    options = flare.Options()

    def place(needs: Requirements) -> Solved | None:
        least = replace(needs, tasks=1, max_tasks=1) if needs.any_tasks else needs
        ask = ask_of(replace(least, objective=Objective.COST), inventory, options, several=False)
        found = search(Problem((ask,), inventory), options, options.timer())
        assert found.outcome is not flare.Outcome.UNKNOWN
        [loads] = found.packing
        return Solved(ask, loads, totals(ask, loads)) if loads else None

    return place
