"""An inventory while some of its nodes are in use: what a placement of another moment leaves.

What is in use is taken as it lies: its GPUs, cores and memory. A GPU of which a part is in use counts as
taken altogether, and so does a node that is billed whole, or whose storage is in use: nothing else is known
to fit there.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from flare_core.inventory.types import ELASTIC, ELASTIC_STORAGE, UNKNOWN, Inventory
from flare_core.inventory.usage import NodeState, Usage, node_groups


class Held(NamedTuple):
    """One task on a node: where, its GPUs, what it takes beside them, and when it begins and ends.

    Seconds after the plan; ``end`` None is never.
    """

    offer: int
    node: int
    gpus: tuple[int, ...]
    cpu_milli: int
    memory_mib: int
    storage_mib: int
    start: int
    end: int | None

    def meets(self, start: int, end: int | None) -> bool:
        """Whether it runs at any moment from `start` to `end`."""
        return (end is None or self.start < end) and (self.end is None or start < self.end)


def occupied(inventory: Inventory, held: Iterable[Held]) -> Inventory:
    """Return the inventory without what is `held`; nodes of elastic offers never run out."""
    on_node: dict[tuple[int, int], list[Held]] = {}
    for one in held:
        if inventory.whole["nodes"][one.offer] != ELASTIC:
            on_node.setdefault((one.offer, one.node), []).append(one)
    if not on_node:
        return inventory
    usage = _usage(inventory, on_node)
    whole = inventory.whole
    columns = (whole["nodes"], whole["gpu_count"], whole["cpu_milli"], whole["memory_mib"])
    return replace(inventory, groups=node_groups(*columns, usage))


def group_of(inventory: Inventory, offer: int, number: int) -> tuple[int, int]:
    """Return the node group that has a node of an offer, and its place there."""
    groups = inventory.groups
    at = int(groups.offer.searchsorted(offer))
    while at < len(groups) and groups.offer[at] == offer:
        numbers = groups.nodes.get(at)
        if numbers is None and (groups.count[at] == ELASTIC or number < groups.count[at]):
            return at, number
        if numbers is not None and number in numbers:
            return at, numbers.index(number)
        at += 1
    raise KeyError(number)


def _usage(inventory: Inventory, on_node: dict[tuple[int, int], list[Held]]) -> dict[int, Usage]:
    groups, states = inventory.groups, dict[int, list[NodeState]]()
    touched = {row for row, _ in on_node} | set(groups.offer[~groups.fresh].tolist())
    for group, row in enumerate(groups.offer.tolist()):
        if row not in touched or groups.count[group] == ELASTIC:
            continue
        for k in range(int(groups.count[group])):
            number = groups.node(group, k)
            own = on_node.get((row, number), [])
            if own or not groups.fresh[group]:
                states.setdefault(row, []).append(_state(inventory, group, number, own))
    return {row: Usage(states=tuple(own)) for row, own in sorted(states.items())}


def _state(inventory: Inventory, group: int, number: int, own: list[Held]) -> NodeState:
    groups, row = inventory.groups, int(inventory.groups.offer[group])
    cpu, memory = int(groups.free_cpu_milli[group]), int(groups.free_memory_mib[group])
    storage = inventory.whole["storage_mib"][row]
    stored = storage != ELASTIC_STORAGE and any(one.storage_mib for one in own)
    if own and (stored or inventory.label["billing"][row] != "gpu"):
        return NodeState(number, (), cpu_milli=_less(cpu, cpu), memory_mib=_less(memory, memory))
    taken = {gpu for one in own for gpu in one.gpus}
    free = groups.free_indices(group, max(0, int(inventory.whole["gpu_count"][row])))
    return NodeState(
        number,
        tuple(gpu for gpu in free if gpu not in taken),
        tuple((gpu, milli) for gpu, milli in sorted(groups.milli.get(group, {}).items()) if gpu not in taken),
        tuple(one for one in groups.mig.get(group, ()) if one[0] not in taken),
        _less(cpu, sum(one.cpu_milli for one in own)),
        _less(memory, sum(one.memory_mib for one in own)),
    )


def _less(free: int, taken: int) -> int | None:
    return None if free == UNKNOWN else max(0, free - taken)
