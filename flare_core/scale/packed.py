"""A fleet that is being filled, many tasks of a class at a time."""

import numpy as np

from flare_core.inventory.types import IntArray
from flare_core.scale.fleet import WHOLE, Classes, Fleet, Seats, State


class Packed:
    """What is free of a fleet, and the tasks seated so far.

    Parameters
    ----------
    fleet, classes
        What there is, and what tasks ask for.
    state
        What is free; it is changed.
    """

    def __init__(self, fleet: Fleet, classes: Classes, state: State) -> None:
        self.fleet, self.classes, self.state = fleet, classes, state
        self.suits = classes.suits(fleet)
        self._rows: list[IntArray] = []

    def put(self, task_class: int, nodes: IntArray, gpus: IntArray) -> None:
        """Seat one task of a class on each of some different nodes, on a set of GPUs of each."""
        classes, state = self.classes, self.state
        state.cpu_milli[nodes] -= classes.cpu_milli[task_class]
        state.memory_mib[nodes] -= classes.memory_mib[task_class]
        if classes.gpus[task_class]:
            bits = (gpus[:, None] >> np.arange(state.milli.shape[1])) & 1
            state.milli[nodes] -= bits * classes.milli[task_class]
        self._rows.append(np.stack((np.full(len(nodes), task_class), nodes, gpus)))

    def take(self, seats: Seats) -> None:
        """Seat tasks where they sit already; there is room for them."""
        classes, state = self.classes, self.state
        np.subtract.at(state.cpu_milli, seats.node, classes.cpu_milli[seats.task_class])
        np.subtract.at(state.memory_mib, seats.node, classes.memory_mib[seats.task_class])
        bits = (seats.gpus[:, None] >> np.arange(state.milli.shape[1])) & 1
        np.subtract.at(state.milli, seats.node, bits * classes.milli[seats.task_class][:, None])
        self._rows.append(np.stack((seats.task_class, seats.node, seats.gpus)))

    def seats(self) -> Seats:
        """Return who sits where."""
        empty = np.zeros((3, 0), np.int64)
        return Seats(*np.concatenate([empty, *self._rows], axis=1))

    def room(self, task_class: int, nodes: IntArray) -> tuple[IntArray, IntArray]:
        """Return those of `nodes` that have room for a task of a class, and its tightest GPUs on each.

        A part of a GPU goes to the GPU with the least left that suffices; whole GPUs are the first free ones.
        """
        classes, state = self.classes, self.state
        ok = (state.cpu_milli[nodes] >= classes.cpu_milli[task_class]) & self.suits[task_class, nodes]
        nodes = nodes[ok & (state.memory_mib[nodes] >= classes.memory_mib[task_class])]
        wanted, milli = int(classes.gpus[task_class]), int(classes.milli[task_class])
        if not wanted:
            return nodes, np.zeros(len(nodes), np.int64)
        free = state.milli[nodes]
        fits = free >= milli
        enough = fits.sum(1) >= wanted
        nodes, free, fits = nodes[enough], free[enough], fits[enough]
        bits = np.int64(1) << np.arange(free.shape[1])
        if milli < WHOLE:
            return nodes, bits[np.where(fits, free, WHOLE + 1).argmin(1)]
        return nodes, (bits * (fits & (np.cumsum(fits, axis=1) <= wanted))).sum(1)

    def fill(self, todo: IntArray) -> IntArray:
        """Seat what fits of so many tasks of each class by best fit, the largest first.

        Returns how many are left.
        """
        left = todo.copy()
        nodes = np.arange(len(self.fleet))
        for j in np.lexsort((-self.classes.cpu_milli, -self.classes.demand_milli)).tolist():
            there = nodes
            while left[j] > 0:
                there, gpus = self.room(j, there)
                if not len(there):
                    break
                chosen = self._tightest(j, there, gpus)[: left[j]]
                self.put(j, there[chosen], gpus[chosen])
                left[j] -= len(chosen)
        return left

    def _tightest(self, task_class: int, nodes: IntArray, gpus: IntArray) -> IntArray:
        """Return the order in which nodes are filled: least left of GPUs, then of CPU."""
        free = self.state.milli[nodes]
        if 0 < self.classes.milli[task_class] < WHOLE:
            bits = (gpus[:, None] >> np.arange(free.shape[1])) & 1
            left = (free * bits).sum(1)
        else:
            left = free.sum(1)
        return np.lexsort((self.state.cpu_milli[nodes], left))
