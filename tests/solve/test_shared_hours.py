"""Jobs that wait for the same cheap hours of few GPUs, against every way to let them begin on half hours."""

from collections import Counter
from itertools import product
from random import Random

from flare_core.quantities import Rounding, parse_money_ueur
from tests.solve.seconds import moment
from tests.worlds import Json, intent, offer, world

HALF = 1800
SLOTS = 6
"""Half hours that there are; a job takes two."""


def some(seed: int) -> tuple[list[Json], Json, list[int]]:
    """Return two or three jobs alike, the offer of one or two GPUs, and its price in each half hour."""
    rng = Random(seed)
    prices = [rng.choice((1, 2, 4)) for _ in range(SLOTS)]
    series = [[moment(k * HALF), f"{price} EUR/hour"] for k, price in enumerate(prices)]
    jobs = [
        intent(name, "job", workload__job__timeout="1h", constraints__deadline=moment(SLOTS * HALF))
        for name in "abc"[: rng.randint(2, 3)]
    ]
    return jobs, offer("o", 3, nodes=rng.choice((1, 2)), price__series=series), prices


def least(jobs: list[Json], made: Json, prices: list[int]) -> int | None:
    """Return the least total of all jobs that begin on half hours, None where they do not all fit."""
    found = []
    for starts in product(range(SLOTS - 1), repeat=len(jobs)):
        running = Counter(slot for start in starts for slot in (start, start + 1))
        if max(running.values()) <= made["nodes"]:
            found.append(sum(prices[start] + prices[start + 1] for start in starts) * 500_000)
    return min(found, default=None)


def test_jobs_share_cheap_hours_nearly_as_well_as_can_be() -> None:
    counts: Counter[str] = Counter()
    for seed in range(40):
        jobs, made, prices = some(seed)
        plan = world(jobs, made).document()
        due = least(jobs, made, prices)
        costs = [
            parse_money_ueur(p["total_cost"], Rounding.UP) for p in plan["placements"] if p["total_cost"]
        ]
        if due is None or len(costs) < len(jobs):
            counts["not all"] += 1
            continue
        assert sum(costs) >= due, seed
        assert plan["status"] == "feasible", seed
        counts["best"] += sum(costs) == due
        counts["all"] += 1
    assert counts["all"] >= 30
    assert counts["best"] >= counts["all"] * 0.7
