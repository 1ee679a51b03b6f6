"""The ``openb`` trace as it is replayed: its nodes with GPUs, a list of tasks, the order of arrivals.

The protocol is that of Weng et al., "Beware of Fragmentation", USENIX ATC 2023: the tasks of the list,
sorted by name, are shuffled; then tasks drawn from the list at random follow, until all together ask for a
given share of the GPUs. They are placed one by one, and none is refused that fits anywhere. The published
figures come of another generator, so that the orders of equal seeds differ from ours.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flare_core.inventory.openb import read_openb_pods
from flare_core.inventory.types import IntArray
from flare_core.scale.fleet import REFUSED, WHOLE, Classes, Fleet, Seats

FOLDER = "openb"
LISTS = ("default", "gpuspec33", "multigpu20")
ARRIVALS = 1.3
"""Share of the fleet's GPUs that the arriving tasks ask for."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A fleet, and the tasks of one list: the class of each, in the order of their names."""

    fleet: Fleet
    classes: Classes
    tasks: IntArray

    def arrivals(self, seed: int, share: float = ARRIVALS) -> IntArray:
        """Return the classes of the tasks in the order of their arrival."""
        random, demand = np.random.default_rng(seed), self.classes.demand_milli
        order = random.permutation(self.tasks)
        wanted = share * self.fleet.capacity_milli
        while demand[order].sum() < wanted:
            order = np.append(order, random.choice(self.tasks, 1000))
        # Up to the last task before the asked share is passed.
        return order[: int(np.searchsorted(np.cumsum(demand[order]), wanted, side="right"))]


def read(data: Path, name: str = "default") -> Trace:
    """Read the fleet and one list of tasks out of the folder of shared data."""
    with (data / FOLDER / "openb_node_list_gpu_node.csv").open(newline="") as file:
        nodes = [
            (row["sn"], int(row["cpu_milli"]), int(row["memory_mib"]), int(row["gpu"]), row["model"])
            for row in csv.DictReader(file)
        ]
    fleet = Fleet.of(nodes)
    pods = read_openb_pods(data / FOLDER / f"openb_pod_list_{name}.csv")
    spec = [pods.gpu_spec.values[code].split("|") if code >= 0 else None for code in pods.gpu_spec.codes]
    allowed = np.array([[names is None or model in names for model in fleet.models] for names in spec])
    order = sorted(range(len(pods)), key=pods.names.__getitem__)
    classes, tasks = Classes.of(pods.cpu_milli, pods.memory_mib, pods.num_gpu, pods.gpu_milli, allowed)
    return Trace(fleet, classes, tasks[order])


def accepted(classes: Classes, seats: Seats) -> dict[str, float]:
    """Return the share of the tasks that sit somewhere, by what they ask of GPUs."""
    gpus, milli = classes.gpus[seats.task_class], classes.milli[seats.task_class]
    sets = {"no GPU": gpus == 0, "a part": (gpus == 1) & (milli < WHOLE), "810 of 1000": milli == 810}
    sets |= {"1 GPU": (gpus == 1) & (milli == WHOLE), "more": gpus > 1}
    return {name: float((seats.node[of] != REFUSED).mean()) for name, of in sets.items() if of.any()}
