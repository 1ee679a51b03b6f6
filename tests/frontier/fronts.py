"""Fronts by enumeration of every placement of a world, to be compared with those that are found."""

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

import flare_core as flare
from tests.oracle.oracle import Choice, Oracle, Terms
from tests.worlds import NOW, RATINGS, World, intent, medium, offer, put, small, world

TERMS = ("cost", "performance", "latency", "carbon")
PAIRS_AND_TRIPLES = tuple(
    tuple(term for k, term in enumerate(TERMS) if bits >> k & 1)
    for bits in range(16)
    if bits.bit_count() in (2, 3)
)
"""Each way to take two or three of the four terms."""

Amounts = tuple[int, ...]


class Expected(NamedTuple):
    """A point: the terms as whole numbers, smaller is better, and the rows of its tasks."""

    amounts: Amounts
    rows: tuple[tuple[str, int, tuple[int, ...]], ...]


def front(world: World, terms: Sequence[str], **options: Any) -> flare.Front:
    """Return the front of the one intent of a world."""
    return flare.pareto(
        flare.read_intent(world.intents[0]),
        flare.read_inventory({"version": 1, "offers": list(world.offers)}),
        now=NOW,
        terms=terms,
        options=flare.Options(weights=world.weights, **options),
    )


def found(one: flare.Front) -> list[Expected]:
    """Return the points of a front in the form of the expected ones, with what their documents say."""
    return [_point(one, point) for point in one.points]


def _point(one: flare.Front, point: flare.Point) -> Expected:
    rows = tuple((r["offer"], r["node"], tuple(r["gpus"])) for r in point.placement["assignments"])
    return Expected(_amounts(one.terms, point.terms), rows)


def _amounts(terms: Sequence[str], values: Any) -> Amounts:
    scale = {"cost": 1e6, "performance": -1e3, "latency": 1e3, "carbon": 1e6}
    return tuple(round(values[term] * scale[term]) for term in terms)


def enumerated(world: World, terms: Sequence[str]) -> list[Expected]:
    """Return the front by looking at every placement; of equal ones the first in the order of plans."""
    oracle = Oracle(world)
    oracle.needs[0].objective = "Cost_Minimization"
    keyed = [(oracle._key(plan), plan) for plan in oracle._plans(0, {}, 0) if plan[0] is not None]
    if not keyed:
        return []
    first = min(key[:3] for key, _ in keyed)
    groups: dict[Amounts, list[tuple[Any, ...]]] = {}
    for key, plan in keyed:
        if key[:3] == first:
            amounts = _had(plan[0], key, terms)
            groups.setdefault(amounts, []).append((key, plan))
    best = [
        a
        for a in groups
        if not any(b != a and all(x <= y for x, y in zip(b, a, strict=True)) for b in groups)
    ]
    return [Expected(amounts, _rows(oracle, groups[amounts])) for amounts in sorted(best)]


def _had(choice: Choice | None, key: tuple[Any, ...], terms: Sequence[str]) -> Amounts:
    assert choice is not None
    sums: Terms = choice.terms
    # The key has what the tasks yield on the best GPUs of their nodes.
    had = {"cost": sums.cost, "performance": key[5], "latency": sums.latency, "carbon": sums.carbon}
    return tuple(had[term] for term in terms)


def _rows(oracle: Oracle, group: list[tuple[Any, ...]]) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
    # Without an objective of its own: the order begins with the terms.
    order = min((key[:3], key[4:]) for key, _ in group)
    tied = [plan for key, plan in group if (key[:3], key[4:]) == order]
    _, best = min(((oracle._ties(plan), k) for k, plan in enumerate(tied)))
    [rows] = oracle.rows(tied[best])
    return tuple((row.offer, row.node, row.gpus) for row in rows)


def single(seed: int) -> World | None:
    """Return a small world if it has one intent."""
    one = small(seed)
    return one if len(one.intents) == 1 else None


def larger(seed: int) -> World:
    """Return a world of one intent whose tasks have more places to go."""
    return medium(seed, tasks=4, offers=7)


def wide(seed: int) -> World:
    """Return a world with much to choose from: one to three tasks, offers that differ in every term."""
    random = Random(seed)
    tasks = random.randint(1, 3)
    kind = random.choice(("service", "service", "job", "batch"))
    asked = intent("w", kind, tasks, random.choice((1, 1, 2)))
    if random.random() < 0.4:
        coupled = random.choice(("hourly", "carbon", "availability", "spread"))
        if coupled == "hourly":
            put(asked, "constraints__max_hourly_cost", f"{tasks * random.uniform(2, 5):.2f} EUR")
        elif coupled == "carbon":
            put(
                asked,
                "constraints__energy__max_carbon_footprint",
                f"{tasks * random.randint(30, 120)}g CO2/h",
            )
        elif kind == "service":
            put(asked, "sla__availability", random.choice((99.95, 99.99, 99.999)))
    if kind == "service" and random.random() < 0.3:
        scaling = {"min_replicas": tasks, "max_replicas": tasks + 2, "auto_scale": True}
        put(asked, "workload__scaling", scaling)
    offers = tuple(_differing(random, f"o{k}") for k in range(random.randint(4, 8)))
    return world(asked, *offers)


def _differing(random: Random, name: str) -> dict[str, Any]:
    gpus = random.choice((1, 2, 2, 4))
    one = offer(name, f"{gpus * random.uniform(1, 4):.2f}", gpus, random.choice((None, 1, 2)))
    put(one, "price__billing", random.choice(("gpu", "gpu", "node")))
    put(one, "zone", random.choice(("z1", "z2", None)))
    model = random.choice(tuple(RATINGS))
    put(one, "gpu__model", model)
    put(one, "gpu__fp32_tflops", str(round(RATINGS[model] * random.uniform(0.5, 1.5), 1)))
    put(one, "gpu__power_w", random.choice((None, 200, 300, 400)) if random.random() < 0.3 else 300)
    put(
        one,
        "energy__carbon_intensity",
        random.choice((None, 50)) if random.random() < 0.1 else random.randint(20, 500),
    )
    put(one, "performance__latency_ms", random.choice((None, 5, 10, 20, 40, 80)))
    put(one, "performance__uptime_percent", random.choice((99.0, 99.9, 99.95, 99.99)))
    if random.random() < 0.2 and gpus > 1:
        one["price"]["spot_hourly"] = f"{gpus * random.uniform(0.5, 2):.2f} EUR/hour"
    return one


def coarse(seed: int) -> World:
    """Return a wide world whose figures are few, so that many placements are equal in the terms."""
    random, one = Random(seed), wide(seed)
    for offered in one.offers:
        gpus = offered["gpu"]["count"]
        offered["price"]["hourly"] = f"{gpus * random.choice((1, 1, 2))} EUR/hour"
        offered["energy"]["carbon_intensity"] = random.choice((100, 200))
        offered["gpu"]["fp32_tflops"] = random.choice(("10", "20"))
        offered["performance"]["latency_ms"] = random.choice((10, 20))
    return one
