"""What choosing when and where would have saved: jobs drawn over the price history of two clouds.

::

    python -m benchmarks.prices                              # 300 jobs for each cloud
    python -m benchmarks.prices --jobs 50 --data FOLDER

The history has one state a week (``gpu-offers/price-history`` of the shared data, extracted from the
SkyPilot catalogs): AWS's GPU instances by availability zone, Google's cards by region without their hosts.
Its prices are known in advance here, as those of a price list or a contract are and those of a spot market
are not; what is saved is the most that knowing them is worth. Interruptions are not in the history: none
happen.
"""

import argparse
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import NamedTuple

import flare_core as flare
from benchmarks.scenarios import Json
from benchmarks.table import data_folder
from flare_core.quantities import Rounding, format_moment, parse_moment, parse_money_ueur

USD_EUR = 0.92
"""Euro for a dollar, the same for all of the history: only proportions matter."""

WEEK = timedelta(days=7)
SLACKS = (0, 7, 28)
"""Days that a job may wait."""

_NAMES = {
    "A10G": "nvidia-a10g",
    "A100": "nvidia-a100",
    "A100-80GB": "nvidia-a100",
    "V100-32GB": "nvidia-v100",
}
_MEMORY = {"A100": "40Gi", "A100-80GB": "80Gi", "V100": "16Gi", "V100-32GB": "32Gi"}


class State(NamedTuple):
    """The prices of an offer in one week, dollars per hour; spot None where there is none."""

    week: datetime
    hourly: float
    spot: float | None


@dataclass(frozen=True, slots=True)
class Sold:
    """One offer of the history: an instance type in a zone, or cards in a region."""

    name: str
    provider: str
    region: str
    gpu: str
    count: int
    states: tuple[State, ...]

    def within(self, start: datetime, end: datetime) -> tuple[State, ...]:
        """Return the states of a span of time; none where one of its weeks is missing."""
        held = [state for state in self.states if start - WEEK < state.week < end]
        weeks = [state.week for state in held]
        whole = held and weeks[0] <= start and end - weeks[-1] <= 2 * WEEK
        gaps = any(b - a > 2 * WEEK for a, b in pairwise(weeks))
        return tuple(held) if whole and not gaps else ()

    def offer(self, states: Sequence[State]) -> Json:
        """Return the offer as the inventory document has it."""
        price: Json = {
            "hourly": _rate(states[0].hourly),
            "series": _steps((s.week, s.hourly) for s in states),
        }
        spot = [(s.week, s.spot) for s in states if s.spot is not None]
        if len(spot) == len(states):
            price["spot_series"] = _steps(spot)
        gpu: Json = {"model": _NAMES.get(self.gpu, f"nvidia-{self.gpu.lower()}"), "count": self.count}
        if self.gpu in _MEMORY:
            gpu["memory"] = _MEMORY[self.gpu]
        return {"id": self.name, "provider": self.provider, "region": self.region, "price": price, "gpu": gpu}


def _rate(usd: float) -> str:
    return f"{usd * USD_EUR:.6f} EUR/hour"


def _steps(prices: Iterator[tuple[datetime, float]] | Sequence[tuple[datetime, float]]) -> list[list[str]]:
    return [[format_moment(week), _rate(usd)] for week, usd in prices]


def history(path: Path) -> list[Sold]:
    """Read the offers of one file, by name."""
    found: dict[tuple[str, str, str, int], list[State]] = {}
    provider = path.name.partition("-")[0]
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            zone, kind = row.get("availability_zone") or row["region"], row.get("instance_type") or "cards"
            count, gpu = round(float(row["accelerator_count"])), row["accelerator"]
            if not row["price_usd_h"]:
                continue
            spot = float(row["spot_price_usd_h"] or 0) or None
            state = State(parse_moment(f"{row['date']}T00:00:00Z"), float(row["price_usd_h"]), spot)
            found.setdefault((f"{kind}-{gpu}x{count}-{zone}".lower(), row["region"], gpu, count), []).append(
                state
            )
    return [
        Sold(name, provider, region, gpu, count, tuple(sorted(states)))
        for (name, region, gpu, count), states in sorted(found.items())
    ]


class Job(NamedTuple):
    """A job as it is drawn: what it needs, from when on, for how long, and where its owner would run it."""

    gpu: str
    gpus: int
    start: datetime
    hours: int
    home: str


def drawn(
    sold: Sequence[Sold], number: int, seed: int
) -> Iterator[tuple[Job, list[tuple[Sold, tuple[State, ...]]]]]:
    """Yield random jobs with the offers that are in the history for all of the time that they may wait."""
    rng, kinds = Random(seed), sorted({(one.gpu, one.count) for one in sold})
    first, last = min(s.states[0].week for s in sold), max(s.states[-1].week for s in sold)
    while number:
        gpu, count = rng.choice(kinds)
        hours = rng.choice((6, 24, 72, 168))
        start = first + timedelta(hours=rng.randrange(int((last - first) / timedelta(hours=1))))
        end = start + timedelta(days=max(SLACKS), hours=hours)
        alike = [one for one in sold if (one.gpu, one.count) == (gpu, count)]
        there = [(one, held) for one in alike if (held := one.within(start, end))]
        homes = sorted({one.region for one, _ in there})
        if homes:
            number -= 1
            yield Job(gpu, count, start, hours, rng.choice(homes)), there


def intent(job: Job, *, spot: bool, home: bool, days: int) -> flare.Intent:
    """Return the job as an intent that may wait so many days."""
    constraints: Json = {
        "preemptible": spot,
        "deadline": format_moment(job.start + timedelta(days=days, hours=job.hours)),
    }
    if home:
        constraints["location"] = job.home
    resources: Json = {"gpu": {"count": job.gpus}}
    workload: Json = {"type": "job", "name": "job", "image": "acme/train:1", "resources": resources}
    workload["job"] = {"timeout": f"{job.hours}h"}
    return flare.read_intent(
        {"objective": "Cost_Minimization", "workload": workload, "constraints": constraints}
    )


def cost(job: Job, inventory: flare.Inventory, *, spot: bool, home: bool = False, days: int = 0) -> int:
    """Return what the placement of a job costs, micro-EUR."""
    plan = flare.place(intent(job, spot=spot, home=home, days=days), inventory, now=job.start)
    [placed] = plan.to_dict()["placements"]
    return parse_money_ueur(placed["total_cost"], Rounding.UP)


def cheapest_spot(job: Job, there: Sequence[tuple[Sold, tuple[State, ...]]]) -> int:
    """Return what a job costs, micro-EUR, that runs where spot is cheapest when it begins."""
    offers = [(states[0].spot, states) for _, states in there if all(s.spot for s in states)]
    if not offers:
        return cost_of(min((states for _, states in there), key=lambda s: s[0].hourly), job, spot=False)
    return cost_of(min(offers, key=lambda one: one[0] or 0)[1], job, spot=True)


def cost_of(states: Sequence[State], job: Job, *, spot: bool) -> int:
    """Return what a run from the beginning on costs on one offer, micro-EUR."""
    end, total = job.start + timedelta(hours=job.hours), 0.0
    for state, until in zip(states, (*(s.week for s in states[1:]), end), strict=True):
        seconds = (min(until, end) - max(state.week, job.start)).total_seconds()
        total += max(0.0, seconds) / 3600 * ((state.spot or 0) if spot else state.hourly)
    return round(total * USD_EUR * 1e6)


def replayed(path: Path, jobs: int) -> Mapping[str, int]:
    """Return what all jobs of a cloud cost together by each way to buy, micro-EUR."""
    sums: dict[str, int] = {}
    for job, there in drawn(history(path), jobs, seed=1):
        inventory = flare.read_inventory({"version": 1, "offers": [one.offer(s) for one, s in there]})
        ways = {
            "on demand, now, at home": cost(job, inventory, spot=False, home=True),
            "on demand, now, anywhere": cost(job, inventory, spot=False),
            "the cheapest spot of the moment": cheapest_spot(job, there),
            "FLARE: now, anywhere, spot or on demand": cost(job, inventory, spot=True),
            **{
                f"FLARE: within {days} days, anywhere": cost(job, inventory, spot=True, days=days)
                for days in SLACKS[1:]
            },
        }
        for way, amount in ways.items():
            sums[way] = sums.get(way, 0) + amount
    return sums


def main() -> None:
    """Print the table of each cloud."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=300, help="jobs of each cloud")
    parser.add_argument("--data", help="the shared data, with gpu-offers/ in it")
    given = parser.parse_args()
    data = data_folder(given.data)
    files = sorted((data / "gpu-offers" / "price-history").glob("*.csv")) if data else []
    if not files:
        print("not measured: there is no gpu-offers/price-history")
    for path in files:
        sums = replayed(path, given.jobs)
        base, spot = sums["on demand, now, at home"], sums["the cheapest spot of the moment"]
        print(f"\n{path.stem}, {given.jobs} jobs\n")
        print(
            "| bought | EUR | against on demand now | against the cheapest spot |\n"
            "| --- | ---: | ---: | ---: |"
        )
        for way, amount in sums.items():
            print(f"| {way} | {amount / 1e6:,.0f} | {amount / base - 1:+.1%} | {amount / spot - 1:+.1%} |")


if __name__ == "__main__":
    main()
