"""What is taken of each node while a placement is put together."""

from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple

from flare_core.inventory.types import ELASTIC, Inventory
from flare_core.placement.nodes import Guest, gpus_hold
from flare_core.placement.packing import Ask, Load, Packing, Problem
from flare_core.requirements.types import Requirements


class Demand(NamedTuple):
    """What tasks take of a node beside its GPUs: milli-cores, MiB of memory, MiB of storage."""

    cpu_milli: int
    memory_mib: int
    storage_mib: int

    def times(self, tasks: int) -> "Demand":
        """Return what `tasks` tasks take."""
        return Demand(*(tasks * amount for amount in self))

    def plus(self, other: "Demand") -> "Demand":
        """Return both together."""
        return Demand(*(a + b for a, b in zip(self, other, strict=True)))


NOTHING = Demand(0, 0, 0)


def demand(needs: Requirements) -> Demand:
    """Return what one task takes; what it does not ask for counts 0."""
    return Demand(needs.cpu_milli or 0, needs.memory_mib or 0, needs.storage_mib or 0)


def capacity(inventory: Inventory, group: int) -> Demand:
    """Return what a node of a group has free; unknown is 0, so that only tasks that do not ask fit."""
    groups = inventory.groups
    storage = int(inventory.whole["storage_mib"][groups.offer[group]])
    free = (groups.free_cpu_milli[group], groups.free_memory_mib[group], storage)
    return Demand(*(max(0, int(amount)) for amount in free))


def tasks_that_fit(free: Demand, task: Demand, most: int) -> int:
    """Return how many tasks fit into `free`, at most `most`."""
    return min((have // want for have, want in zip(free, task, strict=True) if want), default=most)


@dataclass(slots=True)
class Ledger:
    """Nodes in use: how much of each is taken, by whom, and which intent owns nodes billed whole.

    Nodes are named (inventory group, number of the node in its group).
    """

    inventory: Inventory
    taken: dict[tuple[int, int], Demand] = field(default_factory=dict)
    guests: dict[tuple[int, int], dict[tuple[int, int], Guest]] = field(default_factory=dict)
    owner: dict[tuple[int, int], int] = field(default_factory=dict)
    used: dict[int, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, packing: Packing) -> "Ledger":
        """Return the ledger of a whole packing."""
        ledger = cls(problem.inventory)
        for i, (ask, loads) in enumerate(zip(problem.asks, packing, strict=True)):
            for load in loads:
                ledger.take(i, ask, load)
        return ledger

    def copy(self) -> "Ledger":
        """Return a ledger that can be written to without changing this one."""
        return Ledger(
            self.inventory,
            dict(self.taken),
            {node: dict(guests) for node, guests in self.guests.items()},
            dict(self.owner),
            {group: set(nodes) for group, nodes in self.used.items()},
        )

    def take(self, i: int, ask: Ask, load: Load) -> None:
        """Book `load` of intent number `i`."""
        group = int(ask.found.group[load.group])
        node = (group, load.node)
        self.taken[node] = self.taken.get(node, NOTHING).plus(demand(ask.needs).times(load.tasks))
        self.owner[node] = i
        guests = self.guests.setdefault(node, {})
        known = guests.get((i, load.group))
        tasks = load.tasks if known is None else known.tasks + load.tasks
        guests[i, load.group] = Guest(ask, load.group, tasks)
        self.used.setdefault(group, set()).add(load.node)

    def room(self, i: int, ask: Ask, g: int, node: int) -> int:
        """Return how many more tasks of intent `i` fit on a node of its candidate group `g`."""
        group, most = int(ask.found.group[g]), int(ask.found.group_tasks[g])
        key = (group, node)
        if key not in self.taken:
            return most
        if ask.found.by_node[ask.found.group_candidate[g]] and self.owner[key] != i:
            return 0
        free, taken = capacity(self.inventory, group), self.taken[key]
        left = Demand(*(max(0, a - b) for a, b in zip(free, taken, strict=True)))
        most = min(most, tasks_that_fit(left, demand(ask.needs), most))
        return self._gpus_for(i, ask, g, key, most) if ask.needs.gpus else most

    def _gpus_for(self, i: int, ask: Ask, g: int, node: tuple[int, int], most: int) -> int:
        """Return how many more tasks, at most `most`, the GPUs of a node in use hold."""
        guests = self.guests[node]
        own = guests[i, g].tasks if (i, g) in guests else 0
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            tried = guests | {(i, g): Guest(ask, g, own + middle)}
            if gpus_hold(self.inventory, node[0], tried.values()):
                low = middle
            else:
                high = middle - 1
        return low

    def growth(self, i: int, ask: Ask, g: int, node: int) -> int:
        """Return how many more tasks of intent `i` fit on a node in use, their seats chosen anew."""
        key = (int(ask.found.group[g]), node)
        most = int(ask.found.group_room[g])
        if ask.found.by_node[ask.found.group_candidate[g]] and self.owner[key] != i:
            return 0
        free, taken = capacity(self.inventory, key[0]), self.taken[key]
        left = Demand(*(max(0, a - b) for a, b in zip(free, taken, strict=True)))
        most = min(most, tasks_that_fit(left, demand(ask.needs), most))
        if not ask.needs.gpus:
            return most
        together: dict[int, Guest] = {}
        for (k, h), guest in self.guests[key].items():
            known = together[k].tasks if k in together else 0
            together[k] = Guest(guest.ask, h, guest.tasks + known, any_grade=True)
        own = together[i].tasks if i in together else 0
        fits = (
            gpus_hold(
                self.inventory, key[0], (together | {i: Guest(ask, g, own + more, any_grade=True)}).values()
            )
            for more in range(1, most + 1)
        )
        return sum(takewhile(bool, fits))

    def unused(self, ask: Ask, g: int, wanted: int) -> int:
        """Return how many nodes of candidate group `g` nobody uses, at most `wanted`."""
        nodes = int(ask.found.group_nodes[g])
        if nodes == ELASTIC:
            return wanted
        return min(wanted, nodes - len(self.used.get(int(ask.found.group[g]), ())))

    def next_unused(self, ask: Ask, g: int) -> int:
        """Return the lowest node number of group `g` that nobody uses."""
        taken = self.used.get(int(ask.found.group[g]), set())
        return next(k for k in range(len(taken) + 1) if k not in taken)
