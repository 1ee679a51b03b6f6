"""Jobs where prices and carbon change, and what is best of all seconds at which they could begin.

An offer is an array with a price for each second; a run is a difference of sums of it.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations_with_replacement
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flare_core.quantities import format_moment, parse_moment
from tests.worlds import NOW, Json, intent, offer, put

BEGIN = parse_moment(NOW)
Ints = NDArray[np.int64]
PRICES = (0.9, 1.0, 1.000001, 1.25, 2, 3.7)
INTENSITIES = (40, 200, 201, 450)


class Runs(NamedTuple):
    """What a run on one offer has from each second on, -1 where there is none; ``highest`` of the price."""

    total: Ints
    highest: Ints
    carbon: Ints
    dirtiest: Ints


def moment(second: int) -> str:
    """Return a second after the plan as text."""
    return format_moment(BEGIN + timedelta(seconds=second))


def steps(rng: Random, last: int, values: tuple[float, ...], unit: str = "") -> list[list[Any]]:
    """Return a random series; some of its moments are alike for many."""
    grid = rng.choice((1, 60, 900))
    moments = sorted({rng.randrange(-1200, last) // grid * grid for _ in range(rng.randint(1, 5))})
    return [
        [moment(at), f"{value} EUR/hour" if unit else value]
        for at in moments
        for value in [rng.choice(values)]
    ]


def some(seed: int) -> tuple[Json, list[Json]]:
    """Return a random job and the offers for it."""
    rng = Random(seed)
    length, slack = rng.randint(600, 4000), rng.choice((0, 30, 2400, 6000))
    last, tasks = length + slack, rng.choice((1, 1, 1, 2))
    one = intent("j", "job", tasks, workload__job__timeout=f"{length}s", constraints__deadline=moment(last))
    one["objective"] = rng.choice(
        ("Cost_Minimization", "Cost_Minimization", "Energy_Efficiency", "Performance_Maximization")
    )
    put(one, "constraints__preemptible", rng.random() < 0.4)
    if rng.random() < 0.2:
        put(one, "constraints__max_hourly_cost", f"{rng.choice((0.9, 1, 1.3, 2.5)) * tasks:f} EUR/hour")
    if rng.random() < 0.3:
        put(
            one,
            "constraints__max_total_cost",
            f"{rng.choice((0.5, 0.8, 1, 1.5)) * tasks * length / 3600:.6f} EUR",
        )
    if rng.random() < 0.2:
        put(one, "constraints__energy__max_carbon_footprint", f"{rng.choice((25, 90)) * tasks}g CO2/h")
    return one, [_offer(rng, name, last) for name in "abc"[: rng.randint(1, 3)]]


def _offer(rng: Random, name: str, last: int) -> Json:
    made = offer(
        name, rng.choice(PRICES), gpus=1, nodes=rng.choice((1, 2)), price__billing=rng.choice(("gpu", "node"))
    )
    if rng.random() < 0.8:
        put(made, "price__series", steps(rng, last, PRICES, "EUR"))
    if rng.random() < 0.4:
        put(made, "price__spot_hourly", f"{rng.choice(PRICES)} EUR/hour")
    if rng.random() < 0.3:
        put(made, "price__spot_series", steps(rng, last, PRICES, "EUR"))
    if rng.random() < 0.6:
        put(made, "energy__series", steps(rng, last, INTENSITIES))
    if rng.random() < 0.3:
        put(made, "availability", {"window_start": "10:10", "window_end": "12:00"})
    return made


class Best(NamedTuple):
    """The figures that the order of plans looks at, and when it begins."""

    cost: int
    carbon: int
    start: int


def best(one: Json, offers: list[Json]) -> Best | None:
    """Return what the best placement has, None where there is none."""
    asked, tasks = one["constraints"], one["workload"]["job"]["parallel_tasks"]
    length = int(one["workload"]["job"]["timeout"].removesuffix("s"))
    last = int((parse_moment(asked["deadline"]) - BEGIN).total_seconds())
    limits = [
        _limit(asked.get("max_hourly_cost")), _limit(asked.get("max_total_cost")),
        _limit(asked.get("energy", {}).get("max_carbon_footprint")),
    ]  # fmt: skip
    runs = [_runs(one, each, length, last, tasks, limits) for each in offers]
    found: list[Best] = []
    for used in combinations_with_replacement(range(len(offers)), tasks):
        if any(used.count(k) > offers[k]["nodes"] for k in used):
            continue
        found += _placed(one, [runs[k] for k in used], limits)
    order = (lambda b: (b.carbon, b.cost, b.start)) if one["objective"] == "Energy_Efficiency" else None
    if one["objective"] == "Performance_Maximization":  # waits for nothing but an opening that it needs
        found = _soonest(found, offers)
    return min(found, key=order, default=None)


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    return round(float(text.split()[0].removesuffix("g")) * 1e6)


def _soonest(found: list[Best], offers: list[Json]) -> list[Best]:
    opens = {0, 600} if any("availability" in each for each in offers) else {0}
    now = [each for each in found if each.start in opens]
    first = min((each.start for each in found), default=0)
    return now or [each for each in found if each.start == first]


def _placed(one: Json, used: list[Runs], limits: list[int | None]) -> Iterator[Best]:
    good = np.logical_and.reduce([runs.total >= 0 for runs in used])
    for limit, sums in zip(
        limits,
        (sum(r.highest for r in used), sum(r.total for r in used), sum(r.dirtiest for r in used)),
        strict=True,
    ):
        if limit is not None:
            good &= np.asarray(sums) <= limit
    cost, carbon = sum(r.total for r in used), sum(r.carbon for r in used)
    for start in np.flatnonzero(good).tolist():
        yield Best(int(np.asarray(cost)[start]), int(np.asarray(carbon)[start]), start)


def _runs(one: Json, made: Json, length: int, last: int, tasks: int, limits: list[int | None]) -> Runs:
    each = 1 if made["price"]["billing"] == "node" else tasks
    demand = bought(made, "hourly", "series", length, last)
    if one["constraints"]["preemptible"] and (
        "spot_hourly" in made["price"] or "spot_series" in made["price"]
    ):
        spot = bought(made, "spot_hourly", "spot_series", length, last)
        kept = [_kept(way, each, limits) for way in (demand, spot)]
        cheaper = (spot[0] < demand[0]) | ((spot[0] == demand[0]) & (spot[1] < demand[1]))
        chosen = (spot[0] >= 0) & (np.where(kept[0] == kept[1], cheaper, kept[1]) | (demand[0] < 0))
        demand = tuple(np.where(chosen, a, b) for a, b in zip(spot, demand, strict=True))
    total, highest = demand
    shut = np.zeros(len(total), np.bool_)
    if "availability" in made:  # 10:10 to 12:00, and the plan begins at 10:00
        starts = np.arange(len(total))
        shut = (starts < 600) | (starts + length > 7200)
    intensity = _values(made["energy"].get("series"), made["energy"]["carbon_intensity"], last)
    watt = 300.0 + 2.12 * 1000 / 1000 + 0.42 * 4096 / 1024
    sums = np.concatenate([[0.0], np.cumsum(intensity)])
    mean = (sums[length:] - sums[:-length]) / length
    carbon, dirtiest = (
        np.rint(watt * (1.25 * of) * 1000).astype(np.int64) for of in (mean, _highest(intensity, length))
    )
    return Runs(np.where(shut, -1, total), highest, carbon, dirtiest)


def _kept(way: tuple[Ints, ...], each: int, limits: list[int | None]) -> NDArray[np.bool_]:
    total, highest = way
    kept = np.ones(len(total), np.bool_)
    for limit, amounts in ((limits[0], highest), (limits[1], total)):
        if limit is not None:
            kept &= amounts * each <= limit
    return kept


def bought(made: Json, plain: str, series: str, length: int, last: int) -> tuple[Ints, ...]:
    text = made["price"].get(plain)
    prices = _values(made["price"].get(series), -1e-6 if text is None else float(text.split()[0]), last)
    price = np.rint(prices * 1e6).astype(np.int64)
    sums = np.concatenate([[0], np.cumsum(price)])
    total = -(-(sums[length:] - sums[:-length]) // 3600)
    sold = -_highest(-price, length) >= 0
    return np.where(sold, total, -1), np.where(sold, _highest(price, length), -1)


def _values(series: list[list[Any]] | None, plain: float, last: int) -> NDArray[np.float64]:
    values = np.full(last, float(plain))
    for text, value in series or ():
        at = int((parse_moment(text) - BEGIN).total_seconds())
        values[max(at, 0) :] = float(str(value).split()[0])
    return values


def _highest(values: NDArray[Any], length: int) -> NDArray[Any]:
    highest: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(values, length).max(axis=1)
    return highest
