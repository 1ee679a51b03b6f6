"""Where the next task goes: first match, best fit, and fragmentation gradient descent.

A policy owns what is free. Nearly all of that is as it was when a class was last asked for, so the scores of
each class are kept, and only the nodes that changed are scored again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from flare_core.inventory.types import IntArray, Mask
from flare_core.scale.fleet import WHOLE, Classes, Fleet, State
from flare_core.scale.fragmentation import Fragmentation

NOWHERE = -1
"""The score of a node that a task does not fit on."""


Seat = tuple[int, int]
"""A node, and its GPUs as a bit mask."""


class Policy(Protocol):
    """Seats tasks, one after the other."""

    @property
    def state(self) -> State:
        """What is free; changed by the policy alone."""

    def seat(self, task_class: int) -> Seat | None:
        """Seat a task, and return where it sits; None where it fits nowhere."""

    def seat_many(self, task_classes: Sequence[int]) -> list[Seat | None]:
        """Seat tasks that have arrived together."""

    def free(self, task_class: int, node: int, gpus: int) -> None:
        """Free what a task that this policy has seated took."""

    def extend(self, classes: Classes) -> None:
        """Take note of more classes, behind those that there are."""


class Scorer(Protocol):
    """Says how well a task sits on each of some nodes that it fits on."""

    def __call__(
        self, state: State, classes: Classes, task_class: int, nodes: IntArray
    ) -> tuple[IntArray, IntArray]:
        """Return a score of 0 or more for each node, and the best GPUs there as a bit mask."""


@dataclass(slots=True, eq=False)
class _Row:
    """What is known of one class: its score and GPUs on each node, as of the change `asked`."""

    suits: Mask
    score: IntArray
    gpus: IntArray
    asked: int = 0


@dataclass(slots=True, eq=False)
class Scored:
    """The node of the highest score; of those, the one of the smallest name, or any.

    Attributes
    ----------
    fleet, classes, state
        What is placed where.
    scorer
        What the scores are.
    random
        Chooses among equal scores; without it the smallest name does.
    """

    fleet: Fleet
    classes: Classes
    state: State
    scorer: Scorer
    random: np.random.Generator | None = None
    _rows: dict[int, _Row] = field(default_factory=dict)
    _changed: IntArray = field(init=False)
    _kind: IntArray = field(init=False)
    _now: int = 0

    def __post_init__(self) -> None:
        self._changed = np.zeros(len(self.fleet), np.int64)
        state = self.state
        rows = np.column_stack((self.fleet.model, state.cpu_milli, state.memory_mib, state.milli))
        self._kind = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)

    def seat(self, task_class: int) -> Seat | None:
        if (seat := self.choose(task_class)) is not None:
            self.state.take(self.classes, task_class, *seat)
            self.changed(seat[0])
        return seat

    def seat_many(self, task_classes: Sequence[int]) -> list[Seat | None]:
        return [self.seat(each) for each in task_classes]

    def free(self, task_class: int, node: int, gpus: int) -> None:
        self.state.give(self.classes, task_class, node, gpus)
        self.changed(node)

    def extend(self, classes: Classes) -> None:
        self.classes = classes

    def changed(self, node: int) -> None:
        """Take note that what is free on a node is no longer what it was."""
        self._now += 1
        self._changed[node] = self._now

    def choose(self, task_class: int) -> Seat | None:
        """Return where the next task of a class would sit."""
        row = self._row(task_class)
        node = int(row.score.argmax())
        if row.score[node] == NOWHERE:
            return None
        if self.random is not None:
            node = int(self.random.choice(np.flatnonzero(row.score == row.score[node])))
        return node, int(row.gpus[node])

    def _row(self, task_class: int) -> _Row:
        """Return the row of a class, brought up to date."""
        if (row := self._rows.get(task_class)) is None:
            suits = self.classes.one(task_class).suits(self.fleet)[0]
            row = _Row(suits, np.full(len(suits), NOWHERE, np.int64), np.zeros(len(suits), np.int64))
            self._rows[task_class] = row
            self._score_untouched(task_class, row)
        if row.asked < self._now:
            self._score(task_class, row, np.flatnonzero(self._changed > row.asked))
            row.asked = self._now
        return row

    def _score(self, task_class: int, row: _Row, nodes: IntArray) -> None:
        row.score[nodes] = NOWHERE
        fits = nodes[fitting(self.state, self.classes, task_class, nodes) & row.suits[nodes]]
        if len(fits):
            row.score[fits], row.gpus[fits] = self.scorer(self.state, self.classes, task_class, fits)

    def _score_untouched(self, task_class: int, row: _Row) -> None:
        """Score one node of each kind that is as it was in the beginning, for all the others of the kind."""
        untouched = np.flatnonzero(self._changed == 0)
        _, first, kind = np.unique(self._kind[untouched], return_index=True, return_inverse=True)
        self._score(task_class, row, untouched[first])
        row.score[untouched] = row.score[untouched[first]][kind.reshape(-1)]
        row.gpus[untouched] = row.gpus[untouched[first]][kind.reshape(-1)]


def fitting(state: State, classes: Classes, task_class: int, nodes: IntArray) -> Mask:
    """Return which of some nodes have enough free for a task, whatever their GPU model."""
    fits: Mask = (state.cpu_milli[nodes] >= classes.cpu_milli[task_class]) & (
        state.memory_mib[nodes] >= classes.memory_mib[task_class]
    )
    if gpus := int(classes.gpus[task_class]):
        fits &= (state.milli[nodes] >= classes.milli[task_class]).sum(axis=1) >= gpus
    return fits


@dataclass(frozen=True, slots=True, eq=False)
class FirstMatch:
    """Every node is as good as any other: the first one that fits."""

    def __call__(
        self, state: State, classes: Classes, task_class: int, nodes: IntArray
    ) -> tuple[IntArray, IntArray]:
        enough = state.milli[nodes] >= max(int(classes.milli[task_class]), 1)
        return np.zeros(len(nodes), np.int64), _first(enough, int(classes.gpus[task_class]))


@dataclass(frozen=True, slots=True, eq=False)
class BestFit:
    """The node that has least left: ``int(100 (1 - cores left / 2 most cores - GPUs left / 2 most GPUs))``.

    As the published simulator of Weng et al. has it (``best_fit_score.go``); the most is that of any node of
    the fleet. Of the GPUs that can be shared, the one with least free.
    """

    fleet: Fleet

    def __call__(
        self, state: State, classes: Classes, task_class: int, nodes: IntArray
    ) -> tuple[IntArray, IntArray]:
        milli, share = state.milli[nodes], int(classes.milli[task_class])
        cpu = state.cpu_milli[nodes] - classes.cpu_milli[task_class]
        left = milli.sum(axis=1) - classes.demand_milli[task_class]
        most_cpu, most_gpu = int(self.fleet.cpu_milli.max()), max(self.fleet.width, 1) * WHOLE
        score = (100 * (1 - 0.5 * cpu / most_cpu - 0.5 * left / most_gpu)).astype(np.int64)
        if classes.gpus[task_class] == 1 and share < WHOLE:
            least = np.where(milli >= share, milli, WHOLE + 1).argmin(axis=1)
            return score, np.int64(1) << least
        return score, _first(milli == WHOLE, int(classes.gpus[task_class]))


@dataclass(frozen=True, slots=True, eq=False)
class GradientDescent:
    """The node whose expected fragment falls most or grows least: ``int(100 / (1 + exp(-gain / 1000)))``.

    As published; see `flare_core.scale.fragmentation`. The many ties are part of it.
    """

    fragmentation: Fragmentation

    def __call__(
        self, state: State, classes: Classes, task_class: int, nodes: IntArray
    ) -> tuple[IntArray, IntArray]:
        gains, gpus = self.fragmentation.gains(state, classes, task_class, nodes)
        score = (100 / (1 + np.exp(np.minimum(gains / -WHOLE, 700)))).astype(np.int64)
        best = score.argmax(axis=1)
        rows = np.arange(len(nodes))
        return score[rows, best], gpus[rows, best]


def _first(free: Mask, gpus: int) -> IntArray:
    """Return the first so many GPUs of each node that are free, as bit masks."""
    chosen: Mask = free & (np.cumsum(free, axis=1) <= gpus)
    masks: IntArray = chosen @ (np.int64(1) << np.arange(free.shape[1]))
    return masks


Maker = Callable[[Fleet, Classes, IntArray, State], Policy]
"""Makes a policy for a fleet, its classes, how many tasks of each are expected, and a state."""


def first_match(fleet: Fleet, classes: Classes, forecast: IntArray, state: State) -> Scored:
    """Return the policy that takes the first node that fits."""
    return Scored(fleet, classes, state, FirstMatch())


def best_fit(fleet: Fleet, classes: Classes, forecast: IntArray, state: State) -> Scored:
    """Return the policy that takes the node with least left; see `BestFit`."""
    return Scored(fleet, classes, state, BestFit(fleet))


def gradient_descent(
    fleet: Fleet,
    classes: Classes,
    forecast: IntArray,
    state: State,
    random: np.random.Generator | None = None,
) -> Scored:
    """Return fragmentation gradient descent; `random` breaks ties, names where there is none."""
    return Scored(fleet, classes, state, GradientDescent(Fragmentation.of(fleet, classes, forecast)), random)
