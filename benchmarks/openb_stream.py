"""The ``openb`` trace as a stream: tasks come one by one, are seated at once, and never moved.

For each list, the policy is chosen by replaying samples of the list (`flare_core.scale.replay`), which is
what the published policy knows of it, too: how often each kind of task occurs. The seed of the samples is
none of those that are measured. What counts is the share of the fleet's GPUs that is left when tasks for
130 % of them have come. Published figures are means over the ten seeds in the artifact of Weng et al.,
"Beware of Fragmentation", USENIX ATC 2023.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from time import process_time

import numpy as np

from benchmarks import openb
from benchmarks.table import Row
from flare_core.inventory.types import IntArray
from flare_core.scale.assign import assigning
from flare_core.scale.check import check
from flare_core.scale.fleet import Seats, State
from flare_core.scale.policies import Policy, best_fit, first_match, gradient_descent
from flare_core.scale.replay import MAKERS, Choice, Planned, choose, following, replay, sample
from flare_core.scale.stream import place_in_order

SEEDS = range(42, 52)
SAMPLES = 0
"""Seed of the samples that the policy is chosen by."""
EFFORT = 10.0
"""Of the local search for a plan, CP-SAT's deterministic time: about half a minute."""
TOGETHER = 64
LOAD = 1.05
"""Where tasks leave: what those ask for that would be there if none were refused, as a part of all GPUs."""
PUBLISHED: Mapping[str, float] = {"default": 95.39, "gpuspec33": 94.55}
"""Allocation of the published gradient descent, percent."""
DEFAULT = 3.7
"""Percent of the GPUs that may be left on the default list; what first-come could reach is 3.58."""

Start = Callable[[int], Policy]
"""Makes a policy for one seed, in an empty fleet."""


@dataclass(slots=True)
class Runs:
    """The runs of one policy: percent of the GPUs allocated, and CPU milliseconds a decision."""

    name: str
    allocated: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    accepted: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} {mean(self.allocated):.2f} ± {stdev(self.allocated):.2f}"


def run(trace: openb.Trace, name: str, start: Start, together: int = 1) -> Runs:
    """Seat the stream of every seed, and check the seats."""
    runs = Runs(name)
    for seed in SEEDS:
        arrivals, policy = trace.arrivals(seed), start(seed)
        begun = process_time()
        seats = place_in_order(policy, arrivals, together)
        runs.milliseconds.append(1e3 * (process_time() - begun) / len(arrivals))
        violations = check(trace.fleet, trace.classes, seats)
        assert not violations, f"{name}, seed {seed}: {violations}"
        allocated = seats.allocated_milli(trace.classes) / trace.fleet.capacity_milli
        runs.allocated.append(100 * allocated)
        runs.accepted = runs.accepted or openb.accepted(trace.classes, seats)
    return runs


def chosen(trace: openb.Trace) -> tuple[Choice, Start]:
    """Return the policy that suits a list, and how to make it."""
    fleet, classes, forecast = trace.fleet, trace.classes, _forecast(trace)
    choice = choose(fleet, classes, forecast, State.of(fleet), seed=SAMPLES)
    maker = MAKERS[choice.name]
    if not isinstance(maker, Planned):
        return choice, lambda _: maker(fleet, classes, forecast, State.of(fleet))
    planned = Planned(maker.share, EFFORT)
    slots: Seats = planned.slots(fleet, classes, forecast, State.of(fleet))
    return choice, lambda _: following(slots, fleet, classes, forecast, State.of(fleet))


def _forecast(trace: openb.Trace) -> IntArray:
    return np.bincount(trace.tasks, minlength=len(trace.classes))


def peers(trace: openb.Trace) -> Iterator[Runs]:
    """Run the policies that the chosen one is compared with."""
    fleet, classes, forecast = trace.fleet, trace.classes, _forecast(trace)

    def descent(random: bool) -> Start:
        return lambda seed: gradient_descent(
            fleet, classes, forecast, State.of(fleet), np.random.default_rng(seed) if random else None
        )

    yield run(trace, "FGD, ties by name", descent(random=False))
    yield run(trace, "FGD, ties at random", descent(random=True))
    yield run(trace, "best fit", lambda _: best_fit(fleet, classes, forecast, State.of(fleet)))
    yield run(trace, "first match", lambda _: first_match(fleet, classes, forecast, State.of(fleet)))
    together = f"assignment of {TOGETHER} together"
    yield run(trace, together, lambda _: assigning(fleet, classes, forecast, State.of(fleet)), TOGETHER)


def _rows(data: Path, name: str) -> Iterator[Row]:
    trace = openb.read(data, name)
    others = list(peers(trace))
    choice, start = chosen(trace)
    ours = run(trace, choice.name, start)
    left = sorted(100 - each for each in ours.allocated)
    bar = max(PUBLISHED.get(name, 0.0), *(mean(each.allocated) for each in others[:2]))
    reach = min(DEFAULT, 100 - bar) if name == "default" else 100 - bar
    published = f", published {PUBLISHED[name]}" if name in PUBLISHED else ""
    note = f"allocated: {ours}; {', '.join(map(str, others))}{published}"
    what = f"stream of {name}, 130 % arrivals one by one: GPUs unallocated"
    yield Row(what, "%", reach, mean(left), left[0], note)
    by_class = "; ".join(
        f"{each.name}: " + ", ".join(f"{of} {100 * share:.0f} %" for of, share in each.accepted.items())
        for each in (ours, others[0])
    )
    note = f"accepted at seed {SEEDS[0]}: {by_class}"
    yield Row("… CPU time per decision", "ms", 0.2, max(ours.milliseconds), min(ours.milliseconds), note)


def _stream(data: Path) -> Iterator[Row]:
    for name in openb.LISTS:
        yield from _rows(data, name)


def _leaving(data: Path) -> Iterator[Row]:
    """Measure the choice for tasks that leave at random, on a stream of another seed than it is made by."""
    trace = openb.read(data)
    fleet, classes, forecast = trace.fleet, trace.classes, _forecast(trace)
    stay = LOAD * len(trace.arrivals(SEEDS[0], 1.0))
    makers = {
        name: MAKERS[name] for name in ("best fit", "gradient descent", "plan for 97%", "plan for 106%")
    }
    choice = choose(fleet, classes, forecast, State.of(fleet), makers=makers, stay=stay, seed=SAMPLES)
    capacity = fleet.capacity_milli
    drawn = sample(classes, forecast, State.of(fleet), stay, SEEDS[0])
    left = {
        name: 100 * (1 - replay(maker(fleet, classes, forecast, State.of(fleet)), classes, drawn) / capacity)
        for name, maker in makers.items()
    }
    note = f"chosen: {choice.name}; allocated: " + ", ".join(f"{n} {100 - x:.2f}" for n, x in left.items())
    what = f"stream of default, tasks leave, {LOAD:.0%} of the GPUs are always asked for: GPUs unallocated"
    yield Row(what, "%", left["gradient descent"], left[choice.name], min(left.values()), note)


GROUPS: dict[str, Callable[[Path], Iterator[Row]]] = {"stream": _stream, "stream-leaving": _leaving}
"""Groups of rows by name."""
