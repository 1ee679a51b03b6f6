"""Equal nodes as one kind, and what tasks of each class a node of a kind could take."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from flare_core.inventory.types import IntArray, Mask
from flare_core.scale.fleet import WHOLE, Classes, Fleet, State


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """Nodes of which the same is free, counted.

    Attributes
    ----------
    of_node
        Kind of each node.
    nodes
        How many nodes are of each kind.
    cpu_milli, memory_mib
        Free on one node of each kind.
    milli
        ``[kind, gpu]``: free thousandths of its GPUs, most first.
    fits
        ``[class, kind]``: whether a task of the class fits a node of the kind.
    """

    of_node: IntArray
    nodes: IntArray
    cpu_milli: IntArray
    memory_mib: IntArray
    milli: IntArray
    fits: Mask

    @classmethod
    def of(cls, fleet: Fleet, classes: Classes, state: State) -> Self:
        """Return the kinds of nodes of a fleet of which `state` is free."""
        milli = -np.sort(-state.milli, axis=1)
        rows = np.column_stack((fleet.model, fleet.gpus, state.cpu_milli, state.memory_mib, milli))
        _, first, of_node, nodes = np.unique(
            rows, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        cpu, memory, milli = state.cpu_milli[first], state.memory_mib[first], milli[first]
        room = (milli[None] >= np.maximum(1, classes.milli)[:, None, None]).sum(2)
        fits = classes.suits(fleet)[:, first] & (room >= classes.gpus[:, None])
        fits &= (classes.cpu_milli[:, None] <= cpu) & (classes.memory_mib[:, None] <= memory)
        return cls(of_node.reshape(-1).astype(np.int64), nodes.astype(np.int64), cpu, memory, milli, fits)

    def __len__(self) -> int:
        return len(self.nodes)


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """GPUs of a kind of which the same is free: only a wholly free one takes a whole task.

    Attributes
    ----------
    kind, milli
        The kind of each level, and what is free of each of its GPUs.
    gpus
        GPUs of the level on one node of its kind.
    """

    kind: IntArray
    milli: IntArray
    gpus: IntArray

    @classmethod
    def of(cls, kinds: Kinds) -> Self:
        """Return the levels of all kinds, in order."""
        kind = np.repeat(np.arange(len(kinds)), kinds.milli.shape[1])
        rows = np.column_stack((kind, -kinds.milli.reshape(-1)))[kinds.milli.reshape(-1) > 0]
        rows, gpus = np.unique(rows, axis=0, return_counts=True)
        return cls(rows[:, 0].copy(), -rows[:, 1], gpus.astype(np.int64))

    def __len__(self) -> int:
        return len(self.kind)


def shares_of(classes: Classes) -> IntArray:
    """Return the different shares of one GPU that tasks ask for, ascending, thousandths."""
    return np.unique(classes.milli[(classes.gpus == 1) & (classes.milli < WHOLE)])
