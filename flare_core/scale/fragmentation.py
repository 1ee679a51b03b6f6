"""How much of what is free is of no use to the tasks that are expected.

Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
Descent", USENIX ATC 2023. For a task of class m, the free GPUs of node n are a fragment

- all of them, where the task does not fit (GPU model, cores, too few GPUs with enough free), or needs no GPU;
- those with less free than the task takes of one, otherwise.

The expected fragment of a node is the mean over the expected classes, each weighted by its number of tasks::

    F[n] = sum_m p[m] * fragment[n, m] = free[n] - sum_m p[m] * fits[n, m] * useful[n, m]

Tasks that take the same of one GPU find the same GPUs useful. So the sum goes over the *levels*, the
different amounts that are taken of one GPU, and what fits is looked up: a table has, for each GPU model, each
number of cores that some class asks for, each level and each number of GPUs with so much free, how many of
the expected tasks fit. Memory does not count, as in the paper. Everything is a whole number until the last
division.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from flare_core.inventory.types import FloatArray, IntArray, Mask
from flare_core.scale.fleet import WHOLE, Classes, Fleet, State

TYPICAL = 0.95
"""Share of the expected tasks that the most frequent kinds have to make up; the rest is not looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Fragmentation:
    """The expected fragment, for one fleet and one forecast.

    Attributes
    ----------
    fleet
        What the numbers of nodes mean.
    levels
        The different thousandths that expected classes take of one GPU, ascending.
    cores
        The different milli-cores that expected classes ask for, ascending.
    table
        ``[model, cores, level, gpus]``, flat: how many expected tasks of this level fit, by how many of
        `cores` are not more than what is free, and by how many GPUs have so much free.
    tasks
        How many tasks are expected, those without GPUs included.
    """

    fleet: Fleet
    levels: IntArray
    cores: IntArray
    table: IntArray
    tasks: int

    @classmethod
    def of(cls, fleet: Fleet, classes: Classes, forecast: IntArray) -> Self:
        """Return the measure for a forecast: how many tasks of each class are expected.

        Like the published simulator, it takes the most frequent kinds, whatever their memory, until they make
        up `TYPICAL` of all tasks.
        """
        kinds, count = _typical(classes, forecast)
        shared = kinds[classes.gpus[kinds] > 0]
        weight = count[classes.gpus[kinds] > 0]
        levels, cores = np.unique(classes.milli[shared]), np.unique(classes.cpu_milli[shared])
        # One model at least, so that nodes without GPUs have something to look into.
        shape = (max(1, len(fleet.models)), len(cores) + 1, len(levels), fleet.width + 1)
        table = np.zeros(shape, np.int64)
        for kind, tasks in zip(shared.tolist(), weight.tolist(), strict=True):
            level = np.searchsorted(levels, classes.milli[kind])
            enough = 1 + np.searchsorted(cores, classes.cpu_milli[kind])
            table[: len(fleet.models)][classes.allowed[kind], enough:, level, classes.gpus[kind] :] += tasks
        return cls(fleet, levels, cores, table.reshape(-1), int(count.sum()))

    def of_nodes(self, state: State) -> FloatArray:
        """Return the expected fragment of each node, thousandths of a GPU."""
        nodes = np.arange(len(self.fleet))
        enough, total = self._enough(state.milli[:, None]), state.milli.sum(axis=1)
        useful = self._useful(nodes, state.cpu_milli, *enough)[:, 0]
        fragment: FloatArray = total - useful / max(self.tasks, 1)
        return fragment

    def gains(
        self, state: State, classes: Classes, task_class: int, nodes: IntArray
    ) -> tuple[FloatArray, IntArray]:
        """Return by how much less the expected fragment of each node is once it has taken a task.

        The task has to fit on each of `nodes`.

        Returns
        -------
        gains
            ``[node, way]``, thousandths of a GPU; minus infinity where a way is none. A task that shares a
            GPU has a way for each GPU, the others have one.
        gpus
            ``[node, way]``: the GPUs of the way as a bit mask. Whole GPUs are the first free ones.
        """
        milli = state.milli[nodes]
        share = int(classes.milli[task_class])
        ways, gpus = _ways(milli, int(classes.gpus[task_class]), share)
        cores = state.cpu_milli[nodes]
        counts, sums = self._enough(milli[:, None])
        before = self._useful(nodes, cores, counts, sums)
        if share < WHOLE and share:
            taken, had = milli[:, :, None] - share, milli[:, :, None]
            stays, was = taken >= self.levels, had >= self.levels
            counts = counts + stays.astype(np.int64) - was
            sums = sums + taken * stays - had * was
        elif share:
            many = int(classes.gpus[task_class])
            counts, sums = counts - many, sums - many * WHOLE
        after = self._useful(nodes, cores - classes.cpu_milli[task_class], counts, sums)
        gains = classes.demand_milli[task_class] + (after - before) / max(self.tasks, 1)
        return np.where(ways, gains, -np.inf), gpus

    def _enough(self, milli: IntArray) -> tuple[IntArray, IntArray]:
        """Return how many of the GPUs (last axis) have so much free, for each level, and how much in all."""
        enough = milli[..., None] >= self.levels
        return enough.sum(axis=-2), (milli[..., None] * enough).sum(axis=-2)

    def _useful(self, nodes: IntArray, cores: IntArray, counts: IntArray, sums: IntArray) -> IntArray:
        """Return ``[node, way]``: thousandths useful to the expected tasks, summed over the tasks."""
        row = self.fleet.model[nodes] * (len(self.cores) + 1) + np.searchsorted(self.cores, cores, "right")
        at = row[:, None] * len(self.levels) + np.arange(len(self.levels))
        fitting = self.table.take(at[:, None] * (self.fleet.width + 1) + counts, mode="clip")
        useful: IntArray = (fitting * sums).sum(axis=-1)
        return np.where(self.fleet.model[nodes, None] >= 0, useful, 0)


def _typical(classes: Classes, forecast: IntArray) -> tuple[IntArray, IntArray]:
    """Return one class of each frequent kind, and how many tasks are expected of the kind."""
    rows = np.column_stack((classes.cpu_milli, classes.gpus, classes.milli, classes.allowed))
    _, first, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    count = np.bincount(kind.reshape(-1), forecast).astype(np.int64)
    order = np.lexsort((first, -count))
    before = np.cumsum(count[order]) - count[order]
    frequent = order[(before < TYPICAL * count.sum()) & (count[order] > 0)]
    return first[frequent], count[frequent]


def _ways(milli: IntArray, gpus: int, share: int) -> tuple[Mask, IntArray]:
    """Return ``[node, way]``: whether there is such a way, and its GPUs as a bit mask."""
    bits = np.int64(1) << np.arange(milli.shape[1])
    if gpus == 1 and share < WHOLE:
        return milli >= share, np.broadcast_to(bits, milli.shape)
    free = milli == WHOLE
    chosen = free & (np.cumsum(free, axis=1) <= gpus)
    return np.ones((len(milli), 1), np.bool_), (chosen @ bits)[:, None]
