"""Batches whose price changes, against the cheapest of all ways to run them on the seconds of each GPU."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from flare_core.quantities import Rounding, parse_money_ueur
from tests.solve.seconds import PRICES, bought, moment, steps
from tests.worlds import Json, intent, offer, world

NEVER = 2**60


def some(seed: int) -> tuple[Json, list[Json], int, int]:
    """Return a random batch, offers of single GPUs for it, its length and the time there is."""
    rng = Random(seed)
    length, tasks = rng.randint(600, 2400), rng.randint(1, 5)
    last = length + rng.randint(0, 3 * length)
    one = intent("b", "batch", tasks, workload__job__timeout=f"{length}s", constraints__deadline=moment(last))
    offers = [
        offer(
            name, rng.choice(PRICES), nodes=rng.choice((1, 2)), price__series=steps(rng, last, PRICES, "EUR")
        )
        for name in "ab"[: rng.randint(1, 2)]
    ]
    return one, offers, length, last


def totals(made: Json, length: int, last: int) -> NDArray[np.int64]:
    """Return what a run costs from each second on."""
    return bought(made, "hourly", "series", length, last)[0]


def cheapest(total: NDArray[np.int64], tasks: int, length: int) -> list[int]:
    """Return the least cost of 0, 1, … tasks one after the other on a GPU."""
    after = np.zeros(len(total) + length + 1, np.int64)  # the least from a second on, of one task fewer
    costs = [0]
    for _ in range(tasks):
        own = np.full(len(after), NEVER, np.int64)
        own[: len(total)] = total + after[length : length + len(total)]
        after = np.minimum.accumulate(own[::-1])[::-1]
        costs.append(int(min(after[0], NEVER)))
    return costs


def least(offers: list[Json], tasks: int, length: int, last: int) -> int:
    """Return the least cost of all tasks on all GPUs; `NEVER` or more where they do not fit."""
    best = [0] + [NEVER] * tasks
    for made in offers:
        own = cheapest(totals(made, length, last), tasks, length)
        for _ in range(made["nodes"]):
            best = [min(best[k - n] + own[n] for n in range(k + 1)) for k in range(tasks + 1)]
    return best[tasks]


def compared(seeds: range) -> Counter[str]:
    """Return how plans stand beside the best."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        one, offers, length, last = some(seed)
        due = least(offers, one["workload"]["job"]["parallel_tasks"], length, last)
        plan = world(one, *offers).document()
        if due >= NEVER:
            assert plan["status"] == "infeasible", seed
            counts["none"] += 1
            continue
        cost = parse_money_ueur(plan["placements"][0]["total_cost"], Rounding.UP)
        assert round(plan["bound"] * 1e6) <= due <= cost, seed
        if plan["status"] == "optimal":
            assert cost == due, seed
        counts[plan["status"]] += 1
        counts["best"] += cost == due
        counts["more"] += cost > due * 1.1
    return counts


def test_no_batch_is_cheaper_than_it_can_be_and_few_are_much_dearer() -> None:
    counts = compared(range(60))
    assert counts["optimal"] >= 15
    assert counts["best"] >= 30
    assert counts["more"] <= 6


@pytest.mark.t1
def test_a_thousand_batches_stand_beside_the_cheapest_way() -> None:
    counts = compared(range(1000))
    assert counts["best"] >= 600
