"""Seats for the counts of the linear programme: balanced, kind by kind.

Whole GPUs and fillings are dealt out first, the most GPUs and the most CPU first, each to the node with the
most CPU left; then the tasks that share GPUs, the most CPU first, into the places that the fillings hold
open. Tasks without a GPU come last of all, and are not the matter of this module.

All that is equal is dealt in one pass over the nodes, so that the time hardly grows with the number of tasks.
"""

from dataclasses import dataclass

import numpy as np

from flare_core.inventory.types import FloatArray, IntArray, Mask
from flare_core.scale.fleet import WHOLE
from flare_core.scale.packed import Packed
from flare_core.scale.relax import Problem, Relaxation

_ALMOST = 1e-6
"""What the linear programme's whole numbers may lack."""


def decode(packed: Packed, problem: Problem, relaxation: Relaxation) -> None:
    """Seat the counts of a relaxation, rounded down, as far as they go."""
    counts = np.floor(relaxation.counts + _ALMOST).astype(np.int64)
    used = np.floor(relaxation.used + _ALMOST).astype(np.int64)
    for kind in range(len(problem.kinds)):
        of_kind = np.flatnonzero((problem.levels.kind[relaxation.level] == kind) & (used > 0))
        fillings = [
            (int(problem.levels.milli[relaxation.level[q]]), relaxation.fillings[q], int(used[q]))
            for q in of_kind.tolist()
        ]
        _Dealer(packed, problem, kind, counts[:, kind]).deal(fillings)


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """GPUs that are dealt together: of a whole task (`task_class`), or one of a filling."""

    gpus: int
    cpu_milli: float
    count: int
    milli: int
    task_class: int = -1
    filling: IntArray | None = None


class _Dealer:
    """Deals the tasks of one kind of nodes."""

    def __init__(self, packed: Packed, problem: Problem, kind: int, counts: IntArray) -> None:
        self.packed, self.problem, self.counts = packed, problem, counts
        self.nodes = np.flatnonzero(problem.kinds.of_node == kind)
        self.cpu = packed.state.cpu_milli[self.nodes].astype(float)  # less what is dealt already
        self.untouched = packed.state.milli[self.nodes]  # 0 where a GPU is dealt
        shape = (len(problem.shares), *self.untouched.shape)
        self.open = np.zeros(shape, np.int16)  # places held open, by share

    def deal(self, fillings: list[tuple[int, IntArray, int]]) -> None:
        """Deal whole GPUs and fillings (of GPUs of so much free, so many), then who shares."""
        for unit in sorted(self._units(fillings), key=lambda unit: (-unit.gpus, -unit.cpu_milli)):
            self._deal(unit)
        classes = self.problem.classes
        sharing = np.flatnonzero((self.counts > 0) & (self.problem.share >= 0))
        for j in sharing[np.argsort(-classes.cpu_milli[sharing], kind="stable")].tolist():
            self._seat(j)

    def _units(self, fillings: list[tuple[int, IntArray, int]]) -> list[_Unit]:
        classes = self.problem.classes
        whole = np.flatnonzero((self.counts > 0) & (classes.gpus > 0) & (self.problem.share < 0))
        units = [
            _Unit(int(classes.gpus[j]), float(classes.cpu_milli[j]), int(self.counts[j]), WHOLE, j)
            for j in whole.tolist()
        ]
        cpu = self._mean_cpu()
        for milli, filling, count in fillings:
            units.append(_Unit(1, float(cpu @ filling), count, milli, filling=filling))
        return units

    def _mean_cpu(self) -> FloatArray:
        """Return the mean CPU of the tasks of each share."""
        part = self.problem.share >= 0
        share, counts = self.problem.share[part], self.counts[part]
        tasks = np.bincount(share, counts, len(self.problem.shares))
        cpu = np.bincount(share, counts * self.problem.classes.cpu_milli[part], len(self.problem.shares))
        return cpu / np.maximum(1, tasks)

    def _deal(self, unit: _Unit) -> None:
        left = unit.count
        while left > 0:
            suits = self.untouched == unit.milli
            enough = suits.sum(1) >= unit.gpus
            if unit.task_class >= 0:
                enough[enough] &= self._has_room(unit.task_class, np.flatnonzero(enough))
                enough &= self.cpu >= unit.cpu_milli
            there = np.flatnonzero(enough)
            if not len(there):
                return
            there = there[np.argsort(-self.cpu[there], kind="stable")[:left]]
            gpus = suits[there] & (np.cumsum(suits[there], axis=1) <= unit.gpus)
            self.cpu[there] -= unit.cpu_milli
            self.untouched[there] *= ~gpus
            if unit.filling is None:
                bits = np.int64(1) << np.arange(gpus.shape[1])
                self.packed.put(unit.task_class, self.nodes[there], gpus @ bits)
            else:
                self.open[:, there] += (unit.filling[:, None, None] * gpus).astype(np.int16)
            left -= len(there)

    def _has_room(self, task_class: int, there: IntArray) -> Mask:
        state, classes, nodes = self.packed.state, self.problem.classes, self.nodes[there]
        room: Mask = (state.cpu_milli[nodes] >= classes.cpu_milli[task_class]) & (
            state.memory_mib[nodes] >= classes.memory_mib[task_class]
        )
        return room

    def _seat(self, task_class: int) -> None:
        """Seat the tasks of a class that shares GPUs where a place is held open for its share."""
        places = self.open[self.problem.share[task_class]]
        left = int(self.counts[task_class])
        while left > 0:
            there = np.flatnonzero(places.any(1))
            there = there[self._has_room(task_class, there)]
            if not len(there):
                return
            cpu = self.packed.state.cpu_milli[self.nodes[there]]
            there = there[np.argsort(-cpu, kind="stable")[:left]]
            gpu = (places[there] > 0).argmax(1)
            places[there, gpu] -= 1
            self.packed.put(task_class, self.nodes[there], np.int64(1) << gpu)
            left -= len(there)
