"""The ``openb`` trace as whole batches: how far from the bound of the linear programme, in what CPU time.

Tasks that ask for all GPUs of the fleet together, in the order of `benchmarks.openb`. Which of them fit is a
choice; what no choice can pass is the bound. Gaps are in points: hundredths of the GPUs of the fleet.
"""

import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np

from benchmarks import openb
from benchmarks.table import Row
from flare_core.inventory.types import IntArray
from flare_core.scale.batch import Batch, batch
from flare_core.scale.check import check
from flare_core.scale.fleet import Classes, Fleet

SEEDS = range(42, 52)
QUICK, LONG = 0.2, 12.0
"""Efforts of the local search, CP-SAT's deterministic time: about 3 and 60 seconds of CPU time in all."""
TIMES = 64


@dataclass(frozen=True, slots=True)
class Run:
    """One batch, and what it took.

    Attributes
    ----------
    name
        List and seed.
    found
        What came of it.
    points
        Its gap, in hundredths of the GPUs of the fleet.
    greedy
        How much more of the GPUs it fills than the greedy policy does, in the same points.
    seconds, checking
        CPU time of the batch, and of the check of its seats.
    """

    name: str
    found: Batch
    points: float
    greedy: float
    seconds: float
    checking: float


def run(name: str, fleet: Fleet, classes: Classes, tasks: IntArray, effort: float, seed: int) -> Run:
    """Place one batch and check it."""
    start = process_time()
    found = batch(fleet, classes, tasks, effort=effort)
    placed = process_time()
    violations = check(fleet, classes, found.seats)
    assert not violations, f"{name}, seed {seed}: {violations}"
    per = fleet.capacity_milli / 100
    return Run(
        f"{name} seed {seed}",
        found,
        (found.bound - found.value) / per,
        (found.value - found.greedy) / per,
        placed - start,
        process_time() - placed,
    )


def enlarged(fleet: Fleet, times: int) -> Fleet:
    """Return so many copies of a fleet as one."""
    return Fleet(
        names=tuple(f"{copy:03}/{name}" for copy in range(times) for name in fleet.names),
        cpu_milli=np.tile(fleet.cpu_milli, times),
        memory_mib=np.tile(fleet.memory_mib, times),
        gpus=np.tile(fleet.gpus, times),
        model=np.tile(fleet.model, times),
        models=fleet.models,
    )


def _batches(data: Path, effort: float, seeds: Iterable[int]) -> Iterator[tuple[str, list[Run]]]:
    for name in openb.LISTS:
        trace = openb.read(data, name)
        yield (
            name,
            [
                run(name, trace.fleet, trace.classes, trace.arrivals(seed, 1.0), effort, seed)
                for seed in seeds
            ],
        )


def _rows(batches: Iterable[tuple[str, list[Run]]], points: float, seconds: float) -> Iterator[Row]:
    for name, runs in batches:
        worst = max(runs, key=lambda each: each.points)
        note = f"{worst.name}, {len(runs)} seeds; {min(r.greedy for r in runs):.2f} points or more above FGD"
        what = f"batch of {name}, 100 % arrivals: gap to the bound"
        yield Row(what, "points", points, worst.points, min(r.points for r in runs), note)
        slowest = max(runs, key=lambda each: each.seconds)
        least = min(r.seconds for r in runs)
        yield Row("… its CPU time", "s", seconds, slowest.seconds, least, slowest.name)


def _quick(data: Path) -> Iterator[Row]:
    yield from _rows(_batches(data, QUICK, SEEDS), 0.25, 3)


def _long(data: Path) -> Iterator[Row]:
    yield from _rows(_batches(data, LONG, SEEDS[:1]), 0.05, 60)


def _large(data: Path) -> Iterator[Row]:
    trace = openb.read(data)
    fleet = enlarged(trace.fleet, TIMES)
    tasks = np.tile(trace.arrivals(SEEDS[0], 1.0), TIMES)
    done = run("default", fleet, trace.classes, tasks, 0, SEEDS[0])
    what = f"batch of {len(tasks):,} tasks, {len(fleet):,} nodes"
    # Kibibytes, but bytes on macOS.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 2**-10)
    yield Row(f"{what}: gap to the bound", "points", 0.4, done.points, None, done.found.method)
    yield Row("… its CPU time", "s", 30, done.seconds)
    yield Row("… most memory of the process", "GB", 4, memory / 1e9)
    yield Row("… check of the seats", "s", 10, done.checking)


def _fair(data: Path) -> Iterator[Row]:
    trace = openb.read(data)
    tasks = trace.arrivals(SEEDS[0], 1.0)
    for first_come in (False, True):
        found = batch(trace.fleet, trace.classes, tasks, first_come=first_come, effort=QUICK)
        shares = ", ".join(
            f"{name} {100 * x:.0f} %" for name, x in openb.accepted(trace.classes, found.seats).items()
        )
        points = 100 * (found.bound - found.value) / trace.fleet.capacity_milli
        what = "all that first-come accepts, and more" if first_come else "whoever fits best"
        yield Row(f"batch of default, {what}: gap", "points", 0.25, points, None, f"accepted: {shares}")


GROUPS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "batch": _quick,
    "batch-fair": _fair,
    "batch-large": _large,
    "batch-long": _long,
}
"""Groups of rows by name."""
