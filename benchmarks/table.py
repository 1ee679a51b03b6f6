"""The figures that are promised, what is reached on this machine, and whether that is enough.

``flare bench`` draws them; ``python -m benchmarks.table`` prints them as lines of JSON. Times are CPU times
in a warm process, the worst one over the scenarios of a row: the median of the quietest of three batches of
runs, because neighbours on the machine cost time, too. The least time of all stands beside it.
"""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from time import process_time
from typing import NamedTuple

import numpy as np

import flare_core as flare
from benchmarks import gangs, instances, phases, scenarios, subsets, times, unplaced
from benchmarks.phases import Call, Loaded
from flare_core.inventory.types import NodeGroups, freeze

ROOT = Path(__file__).resolve().parent.parent
USD_EUR = "0.92"
ORIGIN = "DE"
SEEDS = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One promise.

    Attributes
    ----------
    what
        What is measured.
    unit, reach
        The unit of all figures, and the most that is promised.
    reached
        The worst time over the scenarios; None where it was not measured.
    least
        The least that the same scenario took.
    note
        Which scenario it was; or why it was not measured.
    """

    what: str
    unit: str
    reach: float
    reached: float | None = None
    least: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the promise is kept; None where it was not measured."""
        return None if self.reached is None else self.reached <= self.reach

    def to_dict(self) -> dict[str, object]:
        """Return the row as a JSON object."""
        return {**asdict(self), "met": self.met}


class Timing(NamedTuple):
    """Seconds of CPU time of one call, and what it was."""

    middle: float
    least: float
    name: str


def timed(call: Call, name: str, *, seconds: float = 0.3, batches: int = 3) -> Timing:
    """Call again and again: some batches of about so many `seconds` and at least five calls each."""
    call()
    gc.collect()
    timings = [_batch(call, seconds) for _ in range(batches)]
    return Timing(min(map(median, timings)), min(map(min, timings)), name)


def _batch(call: Call, seconds: float) -> list[float]:
    runs: list[float] = []
    while len(runs) < 5 or sum(runs) < seconds:
        start = process_time()
        call()
        runs.append(process_time() - start)
    return runs


def _worst(row: Row, timings: Iterable[Timing]) -> Row:
    """Return `row` with the worst of `timings`."""
    times = list(timings)
    worst = max(times)
    per = {"ms": 1e3, "s": 1.0}[row.unit]
    others = ", ".join(f"{t.name} {t.middle * per:.2f}" for t in times)
    note = "; ".join(filter(None, (others, row.note)))
    return replace(row, reached=worst.middle * per, least=worst.least * per, note=note)


# --- one intent -------------------------------------------------------------------------------------


def _single(offers: int) -> list[tuple[str, Loaded]]:
    """Return one intent of each kind over one market, which is read once."""
    inventory = phases.load(scenarios.SINGLE[0].build(offers)).inventory
    return [
        (s.name, Loaded((flare.read_intent(s.build(offers).intents[0]),), inventory))
        for s in scenarios.SINGLE
    ]


def _place(name: str, loaded: Loaded, options: flare.Options = phases.OPTIONS) -> Timing:
    plan = flare.place(loaded.intents, loaded.inventory, now=scenarios.NOW, options=options)
    assert plan.outcome is flare.Outcome.OPTIMAL, f"{name}: {plan.outcome}"
    return timed(
        lambda: flare.place(loaded.intents, loaded.inventory, now=scenarios.NOW, options=options), name
    )


def _ten_thousand() -> Iterator[Row]:
    row = Row("one intent, 10,000 offers: screens + choose + verify + funnel", "ms", 2)
    yield _worst(row, [_place(name, loaded) for name, loaded in _single(10_000)])


def _hundred_thousand() -> Iterator[Row]:
    worlds = _single(100_000)
    yield _worst(Row("… 100,000 synthetic GPU offers", "ms", 8), [_place(*world) for world in worlds])
    row = Row(
        "… 100,000 synthetic GPU offers, mask + score + choose alone", "ms", 1.5, note="funnel subtracted"
    )
    yield _worst(row, [_without_funnel(*world) for world in worlds])


def _without_funnel(name: str, loaded: Loaded) -> Timing:
    """Time screens, score and choice, less what counting the funnel takes."""
    screens, funnel = timed(phases.screen(loaded), name), timed(phases.count(loaded), name)
    choice = timed(phases.choose(loaded), name)
    return Timing(
        screens.middle - funnel.middle + choice.middle, screens.least - funnel.least + choice.least, name
    )


# --- one intent on real catalogs --------------------------------------------------------------------


def _catalogs(data: Path | None) -> Iterator[Row]:
    every = Row("… all shared SkyPilot rows", "ms", 6)
    gpus = Row("… their GPU rows alone", "ms", 2)
    files = catalogs_in(data)
    if not files:
        yield from (replace(row, note=_absent(data)) for row in (every, gpus))
        return
    inventory = flare.read_inventory(files, usd_eur=USD_EUR)
    for row, offers in ((every, inventory), (gpus, with_gpus(inventory))):
        sized = replace(row, what=f"{row.what} ({len(offers):,})")
        yield _worst(
            sized, [_place(name, Loaded((intent,), offers), _FROM_HERE) for name, intent in _asked()]
        )


_FROM_HERE = flare.Options(origin=ORIGIN)


def _asked() -> Iterator[tuple[str, flare.Intent]]:
    for name, document in scenarios.over_catalogs():
        yield name, flare.read_intent(document)


def catalogs_in(data: Path | None) -> list[str]:
    """Return the SkyPilot catalogs below the folder of shared data; none where there is no such folder."""
    return [] if data is None else sorted(map(str, data.glob("gpu-offers/skypilot-v*/*/vms.csv")))


def _absent(data: Path | None) -> str:
    return f"not measured: no catalogs in {data}" if data else "not measured: no shared data"


def with_gpus(inventory: flare.Inventory) -> flare.Inventory:
    """Return the GPU offers of an inventory of which nothing is in use."""
    assert inventory.groups.one_per_offer
    rows = np.flatnonzero(inventory.whole["gpu_count"] > 0)
    groups = inventory.groups
    return replace(
        inventory,
        ids=tuple(inventory.ids[row] for row in rows.tolist()),
        whole=freeze({name: column[rows] for name, column in inventory.whole.items()}),
        number=freeze({name: column[rows] for name, column in inventory.number.items()}),
        flag=freeze({name: column[rows] for name, column in inventory.flag.items()}),
        label={name: column.take(rows) for name, column in inventory.label.items()},
        groups=NodeGroups(
            offer=np.arange(len(rows)),
            count=groups.count[rows],
            free_gpus=groups.free_gpus[rows],
            free_cpu_milli=groups.free_cpu_milli[rows],
            free_memory_mib=groups.free_memory_mib[rows],
            fresh=groups.fresh[rows],
        ),
    )


def _fronts() -> Iterator[Row]:
    times = []
    for name, loaded in _single(10_000):
        front = phases.front(loaded)()
        assert front.complete, f"{name}: {front.outcome}"
        times.append(timed(phases.front(loaded), f"{name} ({len(front)} points)"))
    yield _worst(Row("front of cost and carbon, one intent, 10,000 offers", "ms", 200), times)


# --- rules that couple, intents that compete --------------------------------------------------------


def _coupled() -> Iterator[Row]:
    first: list[Timing] = []
    settled: list[Timing] = []
    for scenario in scenarios.COUPLED:
        loaded = phases.load(scenario.build(scenario.sizes[0]))
        problem = phases.problem_of(loaded)
        found = phases.solve_all(problem)
        assert (found.outcome, found.path) == (flare.Outcome.OPTIMAL, "cp-sat"), f"{scenario.name}: {found}"
        left = sum(len(ask.found) for ask in phases.pruned(problem)[0].asks)
        assert left <= 200, f"{scenario.name}: {left} candidates"
        name = f"{scenario.name} ({left} candidates)"
        first.append(timed(phases.solve(loaded), name))
        settled.append(timed(phases.choose(loaded), name))
    what = "one intent with a coupling rule, ≤ 200 candidates after pruning"
    yield _worst(Row(f"{what}: first term", "ms", 15), first)
    yield _worst(Row(f"{what}: all ties", "ms", 60), settled)


def _several() -> Iterator[Row]:
    times = []
    for seed in range(SEEDS):
        loaded = phases.load(scenarios.crowd(1_000, seed))
        plan = flare.place(loaded.intents, loaded.inventory, now=scenarios.NOW, options=phases.OPTIONS)
        assert (plan.outcome, plan.gap) == (flare.Outcome.OPTIMAL, 0), f"seed {seed}: {plan.outcome}"
        times.append(timed(phases.place(loaded), f"seed {seed}", batches=1))
    yield _worst(
        Row("20 intents × 1,000 offers, shared capacity, proven optimum", "s", 2, note="gap 0"), times
    )


# --- refusals ---------------------------------------------------------------------------------------


def _unplaced() -> Iterator[Row]:
    worlds = [(scenario, unplaced.read(scenario)) for scenario in unplaced.SCENARIOS]
    first = [timed(unplaced.say_first(world), s.name) for s, world in worlds if s in unplaced.SINGLE]
    what = "rejected intent, 10,000 offers: code, message, first conflict, best suggestion"
    yield _worst(Row(what, "ms", 50, note="one task"), first)
    everything = [timed(unplaced.refuse(world), s.name) for s, world in worlds]
    what = "… all conflicts and corrections up to size 3, five suggestions"
    yield _worst(Row(what, "ms", 500), everything)


# --- which GPUs -------------------------------------------------------------------------------------


def _subsets() -> Iterator[Row]:
    each = [timed(subsets.choice(name, 4), f"4 of {name}") for name in subsets.TYPES]
    mixed = timed(subsets.mixture(), "1 to 8 of a mixture")
    yield _worst(Row("the best free GPUs of 10,000 nodes of eight", "ms", 1), [*each, mixed])
    built = [timed(subsets.tables(name), name) for name in subsets.TYPES]
    yield _worst(Row("… tables of a node type: all k, all free sets", "s", 0.1), built)
    size = max(map(subsets.kibibytes, subsets.TYPES))
    yield Row("… memory", "KiB", 64, reached=size, least=size, note="keys of all sets included")


def _gangs() -> Iterator[Row]:
    fleets = list(gangs.fleets(seeds=1))
    assert all(all(fleet.closest().proven) for fleet in fleets)
    what = f"gang of {gangs.GPUS} GPUs in {gangs.NODES:,} nodes over 2 spine levels"
    row = Row(what, "ms", 10, note="spines, leaves and nodes proven fewest")
    yield _worst(row, [timed(fleet.closest, fleet.name) for fleet in fleets])


def _instances() -> Iterator[Row]:
    times = []
    for seed in range(SEEDS):
        fleet = instances.fleet(seed)
        packed, least = fleet.packed(), min(filter(None, fleet.simple()), key=instances.worth)
        assert packed is not None, f"seed {seed}"
        assert packed.proven, f"seed {seed}"
        assert instances.worth(packed) <= instances.worth(least), f"seed {seed}"
        figures = " for ".join(f"{each.opened} fresh, {each.touched} in all" for each in (packed, least))
        times.append(timed(fleet.packed, f"seed {seed}: {figures}:", batches=1))
    what = "200 mixed MIG instances, 40 half-filled A100 and H100, fewest GPUs proven"
    yield _worst(Row(what, "s", 5, note="GPUs for those of the better of first fit and best fit"), times)


# --- time -------------------------------------------------------------------------------------------


def _times() -> Iterator[Row]:
    what = f"calendar of one intent against {times.OFFERS:,} offers of {times.CALENDARS} calendars, 31 days"
    yield _worst(Row(what, "ms", 20), [timed(times.calendars(kind), kind) for kind in ("service", "job")])
    name, intents, inventory = times.waves()
    what = f"batch of {times.TASKS:,} equal tasks in waves on {times.NODES} nodes, proven optimum"
    yield _worst(Row(what, "s", 1), [_place(name, Loaded(intents, inventory))])
    name, intents, inventory = times.queue()
    plan = flare.place(intents, inventory, now=scenarios.NOW, options=times.OPTIONS)
    assert all(placement.status is flare.Status.PLACED for placement in plan.placements)
    assert plan.gap is not None
    assert plan.gap <= 0.05
    what = f"{times.JOBS} jobs × {times.PLACES} offers over 7 days: all of them placed, gap at most 5 %"
    row = Row(what, "s", 1, note=f"the whole plan, {plan.outcome.value}, gap {plan.gap:.1%}")
    yield _worst(row, [timed(phases.place(Loaded(intents, inventory)), name, batches=1)])


# --- fresh processes --------------------------------------------------------------------------------

_LOADING = """
import sys, time
from pathlib import Path
import flare_core as flare
read = flare.read_inventory
def peak():  # of this program alone: ru_maxrss remembers the process that started it
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
before, start = peak(), time.process_time()
read(sys.argv[2:], usd_eur=sys.argv[1])
print(time.process_time() - start, peak() - before, peak())
"""

_IMPORTING = """
import sys, time
from ortools.sat.python import cp_model
start = time.process_time()
import flare_core as flare
imported = time.process_time()
from flare_core.inventory.demo import demo_inventory
inventory, intent = demo_inventory(), flare.read_intent(sys.argv[1])
read = time.process_time()
plan = flare.place(intent, inventory, now="2024-11-01T00:00:00Z")
assert plan.outcome is flare.Outcome.OPTIMAL
print(imported - start, read - imported, time.process_time() - read)
"""


def _fresh(script: str, *arguments: str, runs: int = 5) -> Iterator[tuple[float, ...]]:
    """Yield, for each figure that a script prints, its values in `runs` fresh processes."""
    command = [sys.executable, "-c", script, *arguments]
    printed = [
        subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
        for _ in range(runs)
    ]
    yield from zip(*(map(float, line.split()) for line in printed), strict=True)


def _loading(data: Path | None) -> Iterator[Row]:
    time, memory = Row("loading all shared SkyPilot catalogs", "s", 3), Row("… memory", "MiB", 300)
    files = catalogs_in(data)
    if not files:
        yield from (replace(row, note=_absent(data)) for row in (time, memory))
        return
    took, grown, peak = _fresh(_LOADING, USD_EUR, *files)
    yield replace(
        time, reached=median(took), least=min(took), note=f"{len(files)} files, lazy imports included"
    )
    note = f"growth of the peak; {median(peak):.0f} MiB in all, interpreter and libraries included"
    yield replace(memory, reached=median(grown), least=min(grown), note=note)


def _importing() -> Iterator[Row]:
    importing, reading, placing = [], [], []
    for name in ("01-llm-inference", "05-jupyter"):
        example = ROOT / "flare_core" / "examples" / f"{name}.json"
        figures = _fresh(_IMPORTING, str(example))
        one, two, three = (Timing(median(each), min(each), name) for each in figures)
        importing.append(one)
        reading.append(two)
        placing.append(three)
    row = Row("import flare_core, over ortools.sat.python.cp_model", "ms", 100)
    yield _worst(row, importing)
    read = max(reading).middle * 1e3
    note = f"with what place imports; reading inventory and intent before it, imports included: {read:.0f} ms"
    yield _worst(Row("the first place after it", "ms", 300, note=note), placing)


# --- the table --------------------------------------------------------------------------------------


def data_folder(given: str | None = None) -> Path | None:
    """Return the folder of shared data: as given, ``FLARE_BENCH_DATA``, or beside the repository."""
    named = given or os.environ.get("FLARE_BENCH_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder.resolve() if folder.is_dir() else None


GROUPS: Mapping[str, Callable[[Path | None], Iterator[Row]]] = {
    "single": lambda _: _ten_thousand(),
    "catalogs": _catalogs,
    "large": lambda _: _hundred_thousand(),
    "fronts": lambda _: _fronts(),
    "coupled": lambda _: _coupled(),
    "several": lambda _: _several(),
    "unplaced": lambda _: _unplaced(),
    "subsets": lambda _: _subsets(),
    "instances": lambda _: _instances(),
    "gangs": lambda _: _gangs(),
    "times": lambda _: _times(),
    "loading": _loading,
    "import": lambda _: _importing(),
}
"""The rows of the table, by the names under which they can be asked for alone."""


def measured(data: Path | None, only: Sequence[str] = ()) -> Iterator[Row]:
    """Measure one promise after the other.

    Parameters
    ----------
    data
        The folder of shared data; rows that need it say that it is absent.
    only
        Names of `GROUPS`; all where empty.
    """
    for name in only or GROUPS:
        yield from GROUPS[name](data)


def main() -> None:
    for row in measured(data_folder(), sys.argv[1:]):
        print(json.dumps(row.to_dict(), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
