"""At the bounds of every number there is a checked plan or a clear refusal, never an accident."""

from collections import Counter
from random import Random

import pytest

import flare_core as flare
from flare_core.quantities import Rounding, parse_rate_ueur_per_h
from tests.worlds import OBJECTIVES, Json, World, intent, offer, put

DEAR = ("0.000001", "0.000002", "999999.999999", "1000000", "333333.333333", "1")


def extreme(seed: int) -> World:
    """Return a world whose prices, powers, lengths and counts lie at their bounds."""
    random = Random(seed)
    return World(
        tuple(_asked(random, f"w{k}") for k in range(random.choice((1, 1, 2)))),
        tuple(_offered(random, f"o{k}") for k in range(random.randint(1, 4))),
    )


def _offered(random: Random, name: str) -> Json:
    one = offer(
        name,
        price=random.choice(DEAR),
        gpus=random.choice((1, 8, 1024)),
        nodes=random.choice((None, 1, 100_000)),
        performance__latency_ms=random.choice((0, 0.001, 100)),
        performance__cold_start_time=random.choice(("0s", "1y")),
        energy__carbon_intensity=random.choice((0, 100_000)),
        energy__power_usage_effectiveness=random.choice((1, 2)),
    )
    one["gpu"] |= {
        "power_w": random.choice((1, 1_000_000)),
        "fp32_tflops": random.choice(("0.001", "1000000")),
    }
    one["price"]["billing"] = random.choice(("node", "gpu"))
    return one


def _asked(random: Random, name: str) -> Json:
    kind = random.choice(("service", "job"))
    one = intent(
        name,
        kind,
        random.choice((1, 2, 3, 50, 1000)),
        random.choice((1, 8, 1024)),
        objective=random.choice(OBJECTIVES),
    )
    if kind == "job":
        one["workload"]["job"]["timeout"] = random.choice(("1s", "1h", "100y"))
    if random.random() < 0.4:
        put(one, "constraints__max_hourly_cost", f"{random.choice((*DEAR, '9000000000'))} EUR")
    if random.random() < 0.3:
        put(
            one,
            "constraints__energy__max_carbon_footprint",
            random.choice(("0g CO2/h", "100000000 kg CO2/h")),
        )
    return one


def outcome(seed: int) -> str:
    """Place and recompute the price; return what came of it."""
    try:
        document = extreme(seed).document(effort=0.5, time_limit=20)
    except flare.InternalError:
        raise
    except flare.FlareError as refusal:
        return type(refusal).__name__
    for placement in document["placements"]:
        if placement["status"] == "placed":
            rows = [
                parse_rate_ueur_per_h(row["hourly_cost"], Rounding.UP) for row in placement["assignments"]
            ]
            assert sum(rows) == parse_rate_ueur_per_h(placement["hourly_cost"], Rounding.UP), seed
    return str(document["status"])


def test_extreme_numbers_are_placed_or_refused() -> None:
    found = Counter(outcome(seed) for seed in range(25))
    assert found["optimal"] >= 3


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(10))
def test_five_hundred_worlds_at_the_bounds_are_placed_or_refused(chunk: int) -> None:
    found = Counter(outcome(seed) for seed in range(100 + chunk * 50, 150 + chunk * 50))
    assert found["optimal"] >= 5
