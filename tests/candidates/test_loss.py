"""What interruptions of spot cost: against runs that are thrown, and where they decide."""

from math import expm1, log
from random import Random
from typing import Any

import numpy as np
import pytest

import flare_core as flare
from flare_core.candidates.loss import CHECKPOINT_S, MONTH_S, expected, longest_s
from flare_core.quantities import parse_moment
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Requirements
from tests.worlds import NOW, Json, intent, offer, put, world

ROW = np.array([0])


def needs(hours: int, *, checkpoints: bool = False, **changes: Any) -> Requirements:
    one = intent("j", "job", workload__job__timeout=f"{hours}h", **changes)
    if checkpoints:
        put(one, "sla__backup_strategy", "checkpoint")
        put(
            one,
            "workload__storage__volumes",
            [{"name": "v", "size": "1Gi", "type": "persistent", "path": "/v"}],
        )
    return lower(flare.read_intent(one), now=parse_moment(NOW))


def inventory(percent: float | None, cold_start: str = "10m") -> flare.Inventory:
    made = offer("o", performance__cold_start_time=cold_start, performance__interruption_rate_percent=percent)
    return flare.read_inventory({"version": 1, "offers": [made]})


def thrown(length: int, piece: int, rate: float, restart: float, runs: int) -> float:
    """Return the mean length of runs whose interruptions are thrown."""
    rng, took = Random(7), 0.0
    for _ in range(runs):
        left = length
        while left > 0:
            until = rng.expovariate(rate)
            if until >= min(piece, left):
                took += min(piece, left)
                left -= piece
            else:
                took += until + restart
    return took / runs


@pytest.mark.parametrize("checkpoints", [False, True])
def test_the_mean_is_that_of_thrown_runs(checkpoints: bool) -> None:
    one = needs(48, checkpoints=checkpoints, workload__job__max_retries=1000)
    found = expected(one, inventory(99.99), ROW)[0]
    rate, length = -log(1 - 0.9999) / MONTH_S, 48 * 3600
    piece = CHECKPOINT_S if checkpoints else length
    assert found == pytest.approx(thrown(length, piece, rate, 600, 40_000) / length, rel=0.02)


def test_without_retries_or_a_known_rate_nothing_is_added() -> None:
    assert expected(needs(10, workload__job__max_retries=0), inventory(50), ROW).tolist() == [1.0]
    assert expected(needs(10), inventory(None), ROW).tolist() == [1.0]
    assert expected(needs(10), inventory(0), ROW).tolist() == [1.0]
    service = lower(flare.read_intent(intent()), now=parse_moment(NOW))
    assert expected(service, inventory(50), ROW).tolist() == [1.0]


def test_no_run_is_longer_than_its_retries_allow() -> None:
    one = needs(10, workload__job__max_retries=2)
    longest = 3 * 36_000 + 2 * 600
    assert longest_s(one, inventory(100), ROW).tolist() == [longest]
    assert expected(one, inventory(100), ROW).tolist() == [pytest.approx(longest / 36_000)]
    kept = needs(10, checkpoints=True, workload__job__max_retries=2)
    assert longest_s(kept, inventory(100), ROW).tolist() == [36_000 + 2 * (3600 + 600)]


def bought(price: str, **changes: Any) -> Json:
    """Return the plan of a job of 100 hours that may use spot, on an offer of 1 EUR per hour."""
    made = offer(
        "o",
        1,
        price__spot_hourly=f"{price} EUR/hour",
        performance__interruption_rate_percent=90,
        performance__cold_start_time="0s",
    )
    one = intent("j", "job", workload__job__timeout="100h", constraints__preemptible=True, **changes)
    return world(one, made).document()


def test_the_expected_total_decides() -> None:
    rate = -log(1 - 0.9) / MONTH_S
    times = expm1(rate * 360_000) / (rate * 360_000)
    cheap, dear = f"{1 / times - 1e-5:.6f}", f"{1 / times + 1e-5:.6f}"
    [spot], [demand] = (bought(price)["placements"][0]["assignments"] for price in (cheap, dear))
    assert (spot["spot"], demand["spot"]) == (True, False)
    assert 1 < times < 1.25


def test_a_budget_that_only_spot_keeps_decides_before() -> None:
    plan = bought("0.950000", constraints__max_hourly_cost="0.96 EUR/hour")
    assert plan["placements"][0]["assignments"][0]["spot"]


def test_the_plan_tells_what_is_expected_and_the_most() -> None:
    [told] = [text for text in bought("0.500000")["warnings"] if "spot" in text]
    assert told.startswith("on spot 58.920116 EUR")
    assert told.endswith("and at most 200.00 EUR with 3 retries of each task")
