"""The stretch taken is allowed, needed, told, and the smallest: held against a grid of plain placements."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations
from random import Random
from typing import Any

import pytest

from tests.worlds import Json, World, answer, intent, offer, patched, world

GPU = "workload.resources.gpu"
HOURLY, TOTAL = "constraints.max_hourly_cost", "constraints.max_total_cost"
GRID = [Fraction(k, 200) for k in range(101)]
UNITS = {f"{GPU}.memory": "Mi", f"{GPU}.clock_speed": "M", HOURLY: " EUR", TOTAL: " EUR"}
SEEDS = 120
WHOLE = (f"{GPU}.memory", f"{GPU}.cores")


def drawn(seed: int) -> tuple[World, dict[str, Fraction], Mapping[str, Fraction]]:
    """A world, what its intent asks of each field in base units, and how far each may be stretched."""
    random = Random(seed)
    offers = [
        offer(
            f"o{k}",
            random.randint(80, 130) / 100,
            nodes=random.choice((1, 2, None)),
            price__billing=random.choice(("gpu", "node")),
            gpu__memory=f"{random.randint(36, 48)}Gi",
            gpu__cores=random.randint(36, 48) * 100,
            gpu__clock_speed=f"{random.randint(36, 48) * 25}M",
            gpu__fp32_tflops=str(random.randint(36, 48) / 4),
            gpu__shared=shared,
            gpu__sharing_strategy="mps" if shared else None,
            gpu__sharing_slots=2 if shared else None,
        )
        for k in range(random.randint(1, 6))
        for shared in (random.random() < 0.3,)
    ]
    kind, tasks = random.choice(("service", "job")), random.choice((1, 1, 2))
    least = random.choice((20, 40, 44, 46))
    fields = {
        HOURLY: Fraction(random.randint(60, 110) * tasks, 100),
        TOTAL: Fraction(random.randint(120, 220) * tasks, 100),
        f"{GPU}.memory": Fraction(random.randint(least, 48) * 1024),
        f"{GPU}.cores": Fraction(random.randint(least, 48) * 100),
        f"{GPU}.clock_speed": Fraction(random.randint(least, 48) * 25),
        f"{GPU}.fp32_tflops": Fraction(random.randint(least, 48), 4),
    }
    if kind == "service":
        del fields[TOTAL]
    asked = {path: fields[path] for path in random.sample(sorted(fields), random.randint(1, 4))}
    price, resource = (Fraction(random.choice((0, 5, 10, 30, 50, 50)), 100) for _ in range(2))
    terms = {
        "max_negotiation_rounds": 1,
        "price_flexibility": float(price),
        "resource_flexibility": float(resource),
        "auto_accept_threshold": 1,
    }
    one = intent("web", kind, tasks, constraints__negotiation=terms)
    if random.random() < 0.4:
        one = patched(one, workload__resources__gpu__shared=True)
    most = {path: price if "constraints" in path else resource for path in asked}
    return world(written(one, asked), *offers), asked, most


def written(one: Json, values: Mapping[str, Fraction]) -> Json:
    """The intent with these values; whole units, as no offer or price in these worlds is finer."""
    changes: dict[str, Any] = {}
    for path, value in values.items():
        exact = value.limit_denominator(10**6)
        text = str(exact.numerator) if path in WHOLE else f"{float(exact):.6f}"
        changes[path.replace(".", "__")] = int(text) if path.endswith("cores") else text + UNITS.get(path, "")
    return patched(one, **changes)


def stretched(asked: Mapping[str, Fraction], parts: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """The values of fields that give way by `parts` of themselves, in the units of limits."""
    values = {}
    for path, part in parts.items():
        value = asked[path] * (1 + part if "constraints" in path else 1 - part)
        unit = 1 if path in WHOLE else 10**6
        values[path] = Fraction(value * unit // 1 if "constraints" in path else -(-value * unit // 1), unit)
    return values


def fits(given: World, values: Mapping[str, Fraction]) -> bool:
    """Whether the intent with these values is placed as it stands."""
    plain = written(given.intents[0], values)
    del plain["constraints"]["negotiation"]
    [placed] = answer(world(plain, *given.offers).place())["placements"]
    return bool(placed["status"] == "placed")


def base(path: str, got: object) -> Fraction:
    text = str(got).replace(" EUR/hour", "").replace(" EUR", "").replace("MHz", "")
    if text.endswith(("Mi", "Gi")):
        return Fraction(text[:-2]) * (1024 if text.endswith("Gi") else 1)
    return Fraction(text)


def part_of(path: str, asked: Fraction, got: Fraction) -> Fraction:
    return (got - asked if "constraints" in path else asked - got) / asked


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_stretch_is_the_smallest(seed: int) -> None:
    given, asked, most = drawn(seed)
    [placed] = given.document()["placements"]
    got = {entry["path"]: base(entry["path"], entry["got"]) for entry in placed["relaxed"]}
    parts = {path: part_of(path, asked[path], value) for path, value in got.items()}
    if fits(given, asked):
        assert (placed["status"], parts) == ("placed", {})
        return
    if not fits(given, stretched(asked, most)):
        assert (placed["status"], placed["offer"], parts) == ("queued", None, {})
        return
    assert placed["status"] == "placed"
    assert all(0 < part <= most[path] for path, part in parts.items())
    largest = max(parts.values())
    below = [step for step in (*GRID, largest - Fraction(1, 10**5)) if step < largest]
    for step in below[-4:]:  # what fits at one step fits at every later one
        assert not fits(given, stretched(asked, {path: min(step, part) for path, part in most.items()}))
    for fewer in combinations(asked, len(parts) - 1):
        some = {path: min(largest, most[path]) for path in fewer}
        assert not fits(given, {**asked, **stretched(asked, some)})
    for path, part in parts.items():
        less = {**got, **stretched(asked, {path: max(Fraction(0), part - Fraction(1, 10**4))})}
        assert not fits(given, {**asked, **less})
    assert fits(given, {**asked, **got})


def test_the_worlds_are_telling() -> None:
    kinds = []
    for seed in range(SEEDS):
        given, *_ = drawn(seed)
        [placed] = given.document()["placements"]
        kinds.append(len(placed["relaxed"]) if placed["status"] == "placed" else -1)
    assert min(kinds.count(kind) for kind in (-1, 0, 1, 2)) >= 10
