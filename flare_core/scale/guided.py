"""Tasks seated where a plan for the expected ones has a place for them.

A plan for the forecast says which classes lie together on which node and GPU. Its places are *slots*, each
for one task of a class. An arriving task

1. takes an open slot of its class: on the node already begun that has the fewest open slots;
2. else one of a like class: the same number of GPUs, and at most a quarter of the slot's share is wasted;
3. else what no slot claims, by fragmentation gradient descent;
4. else whatever is free, by the same; slots that lose their room are closed.

So a task is refused only if it fits nowhere, and none is ever moved. What is freed goes back to the slot that
it came from, if that has room still.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from flare_core.inventory.types import IntArray, Mask
from flare_core.scale.fleet import REFUSED, Classes, Fleet, Seats, State
from flare_core.scale.fragmentation import Fragmentation
from flare_core.scale.policies import GradientDescent, Scored, Seat

WASTE = 0.25
"""The most of a slot's share of a GPU that a task of another class may leave unused."""
_UNBEGUN = 2**20
"""Comes after every number of open slots of a node."""
Slot = tuple[int, int, int]
"""Class, node, GPUs."""
Json = dict[str, list[list[int]]]


@dataclass(slots=True, eq=False)
class _Slots:
    """The open slots of one class: how many on each node, and their GPUs."""

    count: IntArray
    gpus: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    left: int = 0


@dataclass(slots=True, eq=False)
class Guided:
    """Seats tasks in the slots of a plan, and beside them.

    Attributes
    ----------
    fleet, classes, state
        What is placed where.
    fragmentation
        What to lose least of where there is no slot.
    """

    fleet: Fleet
    classes: Classes
    state: State
    fragmentation: Fragmentation
    _spare: State = field(init=False)
    _beside: Scored = field(init=False)
    _over: Scored = field(init=False)
    _slots: dict[int, _Slots] = field(default_factory=dict)
    _alike: dict[int, list[int]] = field(default_factory=dict)
    _open: IntArray = field(init=False)
    _begun: Mask = field(init=False)
    _held: dict[Slot, list[Slot]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        scorer = GradientDescent(self.fragmentation)
        self._spare = self.state.copy()
        self._beside = Scored(self.fleet, self.classes, self._spare, scorer)
        self._over = Scored(self.fleet, self.classes, self.state, scorer)
        self._open = np.zeros(len(self.fleet), np.int64)
        self._begun = np.zeros(len(self.fleet), np.bool_)

    def hold(self, slots: Seats) -> None:
        """Open the slots of a plan; they must have room in what is free and not claimed."""
        for slot in zip(slots.task_class.tolist(), slots.node.tolist(), slots.gpus.tolist(), strict=True):
            self._reopen(slot)

    def slots(self) -> list[Slot]:
        """Return the open slots."""
        return [
            (like, node, gpus)
            for like, slots in sorted(self._slots.items())
            for node in sorted(slots.gpus)
            for gpus in slots.gpus[node]
        ]

    def dump(self) -> Json:
        """Return what is held open and what became of the rest, for `load`."""
        return {
            "slots": [[*slot] for slot in self.slots()],
            "held": [[*seat, *slot] for seat, slots in self._held.items() for slot in slots],
            "begun": [np.flatnonzero(self._begun).tolist()],
        }

    def load(self, dumped: Json, nodes: Mapping[int, int] | None = None) -> None:
        """Hold open what another policy of the same classes did, as far as there is room.

        Parameters
        ----------
        dumped
            What it held.
        nodes
            The node here of each node there; without it they are the same.
        """
        nodes = {node: node for node in range(len(self.fleet))} if nodes is None else nodes
        suits = self.classes.suits(self.fleet)
        for like, node, gpus in dumped["slots"]:
            slot = (like, nodes.get(node, REFUSED), gpus)
            if slot[1] != REFUSED and suits[like, slot[1]] and self._spare.has_room(self.classes, *slot):
                self._reopen(slot)
        for j, node, gpus, like, _, mask in dumped["held"]:
            if (here := nodes.get(node)) is not None:
                self._held[j, here, gpus].append((like, here, mask))
        self._begun[[nodes[node] for node in dumped["begun"][0] if node in nodes]] = True

    def seat(self, task_class: int) -> Seat | None:
        seat = self._in_a_slot(task_class)
        if seat is None and (seat := self._beside.choose(task_class)) is not None:
            self._take(task_class, seat)
        if seat is None and (seat := self._over.choose(task_class)) is not None:
            self._take(task_class, seat)
            self._give_way(seat[0])
        return seat

    def seat_many(self, task_classes: Sequence[int]) -> list[Seat | None]:
        return [self.seat(each) for each in task_classes]

    def free(self, task_class: int, node: int, gpus: int) -> None:
        self._over.free(task_class, node, gpus)
        self._beside.free(task_class, node, gpus)
        if slots := self._held.get((task_class, node, gpus)):
            slot = slots.pop()
            if self._spare.has_room(self.classes, *slot):
                self._reopen(slot)

    def extend(self, classes: Classes) -> None:
        self.classes = classes
        self._beside.extend(classes)
        self._over.extend(classes)

    def _in_a_slot(self, task_class: int) -> Seat | None:
        for like in self._like(task_class):
            if (slots := self._slots[like]).left:
                nodes = np.flatnonzero(slots.count)
                if like != task_class and self.classes.gpus[like]:
                    nodes = nodes[self.classes.allowed[task_class, self.fleet.model[nodes]]]
                if len(nodes):
                    rank = self._open[nodes] + _UNBEGUN * ~self._begun[nodes]
                    return self._use(task_class, like, int(nodes[rank.argmin()]))
        return None

    def _like(self, task_class: int) -> list[int]:
        """Return the classes of slots that a class may take: its own, then those that waste least."""
        if (like := self._alike.get(task_class)) is None:
            classes, of = self.classes, np.array(sorted(self._slots), np.int64)
            fits = (
                (classes.gpus[of] == classes.gpus[task_class])
                & (classes.milli[of] >= classes.milli[task_class])
                & (classes.milli[of] * (1 - WASTE) <= classes.milli[task_class])
                & (classes.cpu_milli[of] >= classes.cpu_milli[task_class])
                & (classes.memory_mib[of] >= classes.memory_mib[task_class])
            )
            of = of[fits]
            keys = (classes.memory_mib[of], classes.cpu_milli[of], classes.milli[of], of != task_class)
            like = self._alike[task_class] = of[np.lexsort(keys)].tolist()
        return like

    def _use(self, task_class: int, like: int, node: int) -> Seat:
        gpus = self._slots[like].gpus[node][-1]
        self._close((like, node, gpus))
        self._take(task_class, (node, gpus))
        self._held[task_class, node, gpus].append((like, node, gpus))
        return node, gpus

    def _take(self, task_class: int, seat: Seat) -> None:
        for policy in (self._over, self._beside):
            policy.state.take(self.classes, task_class, *seat)
            policy.changed(seat[0])
        self._begun[seat[0]] = True

    def _reopen(self, slot: Slot) -> None:
        like, node, gpus = slot
        self._spare.take(self.classes, like, node, gpus)
        self._beside.changed(node)
        if like not in self._slots:
            self._slots[like] = _Slots(np.zeros(len(self.fleet), np.int64))
            self._alike.clear()
        slots = self._slots[like]
        slots.count[node] += 1
        slots.left += 1
        slots.gpus[node].append(gpus)
        self._open[node] += 1

    def _close(self, slot: Slot) -> None:
        """Close a slot: what it claimed is spare."""
        like, node, gpus = slot
        self._spare.give(self.classes, like, node, gpus)
        self._beside.changed(node)
        slots = self._slots[like]
        slots.count[node] -= 1
        slots.left -= 1
        slots.gpus[node].remove(gpus)
        self._open[node] -= 1

    def _give_way(self, node: int) -> None:
        """Close slots of a node until there is room for the rest: of those that help, the smallest first."""
        while True:
            lacking = int((self._spare.milli[node] < 0) @ (1 << np.arange(self.fleet.width)))
            if not lacking and self._spare.cpu_milli[node] >= 0 and self._spare.memory_mib[node] >= 0:
                return
            of_node = [(like, node, gpus) for like, slots in self._slots.items() for gpus in slots.gpus[node]]
            helps = [slot for slot in of_node if slot[2] & lacking or not lacking]
            self._close(min(helps, key=lambda slot: (int(self.classes.demand_milli[slot[0]]), slot)))
