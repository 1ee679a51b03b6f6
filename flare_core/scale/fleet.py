"""Nodes, classes of equal tasks, what is free, and where tasks sit: columns of whole numbers.

A *class* is a set of tasks that ask for the same. A task takes ``gpus`` GPUs of one node and of each of them
``milli`` thousandths: 1000 is the whole GPU; a task of several GPUs takes them whole. A set of GPUs is a bit
mask, bit g for GPU g. Nodes are sorted by name, so that "smallest name" is "smallest number".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from flare_core.inventory.types import IntArray, Mask

WHOLE: Final = 1000
"""Thousandths of one GPU."""
REFUSED: Final = -1
"""The node of a task that sits nowhere."""
MOST_GPUS: Final = 62
"""GPUs of one node: a set of them is one int64."""


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Nodes, a row each.

    Attributes
    ----------
    names
        Names of the nodes, ascending, all different.
    cpu_milli, memory_mib, gpus
        What each node has.
    model
        Index of each node's GPU model in `models`; -1 where it has no GPU.
    models
        Names of the GPU models.

    Raises
    ------
    ValueError
        If the columns do not belong together.
    """

    names: tuple[str, ...]
    cpu_milli: IntArray
    memory_mib: IntArray
    gpus: IntArray
    model: IntArray
    models: tuple[str, ...]

    def __post_init__(self) -> None:
        if any(a >= b for a, b in zip(self.names, self.names[1:], strict=False)):
            raise ValueError("names of nodes must ascend, and no two be equal")
        columns = (self.cpu_milli, self.memory_mib, self.gpus, self.model)
        if any(column.shape != (len(self.names),) for column in columns):
            raise ValueError(f"columns of {[column.shape for column in columns]}, {len(self.names)} nodes")
        if any((column < 0).any() for column in columns[:3]) or self.width > MOST_GPUS:
            raise ValueError(f"nodes have nothing less than zero, and up to {MOST_GPUS} GPUs")
        if ((self.model < 0) != (self.gpus == 0)).any() or (self.model >= len(self.models)).any():
            raise ValueError("nodes with GPUs have a model, the others have none")
        _freeze(*columns)

    @classmethod
    def of(cls, rows: Sequence[tuple[str, int, int, int, str]]) -> Self:
        """Return the fleet of rows (name, milli-cores, MiB, GPUs, model), in whatever order.

        The model of a row without GPUs does not matter.
        """
        rows = sorted(rows)
        models = tuple(sorted({model for *_, gpus, model in rows if gpus}))
        code = {model: k for k, model in enumerate(models)}
        return cls(
            names=tuple(row[0] for row in rows),
            cpu_milli=np.array([row[1] for row in rows], np.int64),
            memory_mib=np.array([row[2] for row in rows], np.int64),
            gpus=np.array([row[3] for row in rows], np.int64),
            model=np.array([code[row[4]] if row[3] else -1 for row in rows], np.int64),
            models=models,
        )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def width(self) -> int:
        """Most GPUs of a node."""
        return int(self.gpus.max(initial=0))

    @property
    def capacity_milli(self) -> int:
        """Thousandths of all GPUs together."""
        return WHOLE * int(self.gpus.sum())

    def kinds(self) -> tuple[IntArray, IntArray]:
        """Return the first node of each kind of equal nodes, and the kind of each node."""
        rows = np.column_stack((self.model, self.gpus, self.cpu_milli, self.memory_mib))
        _, first, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        return first.astype(np.int64), kind.reshape(-1).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """What the tasks of each class ask for, a row each.

    Attributes
    ----------
    cpu_milli, memory_mib
        Beside the GPUs.
    gpus
        How many GPUs, all of one node; 0 for a task without.
    milli
        Thousandths of each of them: 1000 unless `gpus` is 1; 0 without GPUs.
    allowed
        ``[class, model]``: whether a task with GPUs may run on a model.

    Raises
    ------
    ValueError
        If the columns do not belong together.
    """

    cpu_milli: IntArray
    memory_mib: IntArray
    gpus: IntArray
    milli: IntArray
    allowed: Mask

    def __post_init__(self) -> None:
        columns = (self.cpu_milli, self.memory_mib, self.gpus, self.milli)
        if any(column.shape != self.allowed.shape[:1] for column in columns):
            raise ValueError(f"columns of {[column.shape for column in columns]} and {self.allowed.shape}")
        if any((column < 0).any() for column in columns):
            raise ValueError("tasks ask for nothing less than zero")
        shares = (self.gpus == 1) & (self.milli > 0) & (self.milli <= WHOLE)
        wholes = (self.gpus > 1) & (self.milli == WHOLE)
        if not (shares | wholes | ((self.gpus == 0) & (self.milli == 0))).all():
            raise ValueError("a task takes a part of one GPU, or whole GPUs, or none")
        _freeze(*columns, self.allowed)

    @classmethod
    def of(
        cls, cpu_milli: IntArray, memory_mib: IntArray, gpus: IntArray, milli: IntArray, allowed: Mask
    ) -> tuple[Self, IntArray]:
        """Return the classes of many tasks, sorted, and the class of each task.

        Takes what the attributes hold, a row a task; `milli` matters where `gpus` is 1.
        """
        milli = np.where(gpus == 1, milli, np.where(gpus > 1, WHOLE, 0))
        allowed = np.where((gpus > 0)[:, None], allowed, True)
        rows = np.column_stack((gpus, milli, cpu_milli, memory_mib, allowed.astype(np.int64)))
        rows, code = np.unique(rows, axis=0, return_inverse=True)
        made = cls(
            cpu_milli=rows[:, 2].copy(),
            memory_mib=rows[:, 3].copy(),
            gpus=rows[:, 0].copy(),
            milli=rows[:, 1].copy(),
            allowed=rows[:, 4:] > 0,
        )
        return made, code.reshape(-1).astype(np.int64)

    def __len__(self) -> int:
        return len(self.gpus)

    @property
    def demand_milli(self) -> IntArray:
        """Thousandths of GPUs that a task of each class takes."""
        return self.gpus * self.milli

    def suits(self, fleet: Fleet) -> Mask:
        """Return ``[class, node]``: whether the node's GPU model is allowed, however full the node is."""
        # Code -1, a node without GPUs, reads the last column, which a class that needs none ignores.
        allowed = np.column_stack((self.allowed, np.zeros(len(self), np.bool_)))
        suits: Mask = allowed[:, fleet.model] | (self.gpus == 0)[:, None]
        return suits

    def one(self, task_class: int) -> "Classes":
        """Return a single class."""
        only = slice(task_class, task_class + 1)
        return Classes(
            self.cpu_milli[only], self.memory_mib[only], self.gpus[only], self.milli[only], self.allowed[only]
        )

    def and_more(self, other: "Classes") -> "Classes":
        """Return these classes, numbered as they are, and behind them those of `other`."""
        return Classes(
            np.concatenate((self.cpu_milli, other.cpu_milli)),
            np.concatenate((self.memory_mib, other.memory_mib)),
            np.concatenate((self.gpus, other.gpus)),
            np.concatenate((self.milli, other.milli)),
            np.concatenate((self.allowed, other.allowed)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Seats:
    """Where tasks sit, or may sit: a row a task.

    Attributes
    ----------
    task_class
        Class of each task.
    node
        Its node; `REFUSED` where it sits nowhere.
    gpus
        Its GPUs as a bit mask; 0 where it takes none.
    """

    task_class: IntArray
    node: IntArray
    gpus: IntArray

    def __len__(self) -> int:
        return len(self.task_class)

    def allocated_milli(self, classes: Classes) -> int:
        """Return the thousandths of GPUs of those that sit somewhere."""
        return int(classes.demand_milli[self.task_class[self.node != REFUSED]].sum())


@dataclass(slots=True, eq=False)
class State:
    """What is free; changed in place by its owner.

    Attributes
    ----------
    cpu_milli, memory_mib
        Free on each node.
    milli
        ``[node, gpu]``: free thousandths; 0 where a node has no such GPU.
    """

    cpu_milli: IntArray
    memory_mib: IntArray
    milli: IntArray

    @classmethod
    def of(cls, fleet: Fleet) -> Self:
        """Return a fleet of which nothing is taken."""
        there = np.arange(fleet.width) < fleet.gpus[:, None]
        return cls(fleet.cpu_milli.copy(), fleet.memory_mib.copy(), there * np.int64(WHOLE))

    def copy(self) -> "State":
        """Return a state that changes on its own."""
        return State(self.cpu_milli.copy(), self.memory_mib.copy(), self.milli.copy())

    def take(self, classes: Classes, task_class: int, node: int, gpus: int) -> None:
        """Seat a task of a class on a node and a set of its GPUs."""
        self._move(classes, task_class, node, gpus, -1)

    def give(self, classes: Classes, task_class: int, node: int, gpus: int) -> None:
        """Free what such a task took."""
        self._move(classes, task_class, node, gpus, 1)

    def has_room(self, classes: Classes, task_class: int, node: int, gpus: int) -> bool:
        """Return whether a node and a set of its GPUs have enough free for a task, whatever the model."""
        free = self.milli[node].tolist()
        wanted = [g for g in range(gpus.bit_length()) if gpus >> g & 1]
        return bool(
            self.cpu_milli[node] >= classes.cpu_milli[task_class]
            and self.memory_mib[node] >= classes.memory_mib[task_class]
            and all(g < len(free) and free[g] >= classes.milli[task_class] for g in wanted)
        )

    def _move(self, classes: Classes, task_class: int, node: int, gpus: int, sign: int) -> None:
        self.cpu_milli[node] += sign * classes.cpu_milli[task_class]
        self.memory_mib[node] += sign * classes.memory_mib[task_class]
        milli = sign * classes.milli[task_class]
        while gpus:
            self.milli[node, (gpus & -gpus).bit_length() - 1] += milli
            gpus &= gpus - 1


def _freeze(*columns: IntArray | Mask) -> None:
    for column in columns:
        column.setflags(write=False)
