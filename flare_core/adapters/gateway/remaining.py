"""An inventory less what is booked: what the next intents are solved on."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from flare_core.adapters.gateway.rooms import Held
from flare_core.inventory.types import ELASTIC, UNKNOWN, IntArray, Inventory, NodeGroups, freeze
from flare_core.inventory.usage import MILLI, NodeState, Usage, node_groups
from flare_core.placement.nodes import card_at
from flare_core.sharing.types import Card

T = TypeVar("T")
_COLUMNS = ("nodes", "gpu_count", "cpu_milli", "memory_mib")


def remaining(
    inventory: Inventory, booked: Iterable[Held], excluded: Collection[tuple[str, int | None]] = ()
) -> Inventory:
    """Return the inventory less what is booked.

    Bookings of offers that are gone or never run out change nothing. A booking counts from now on, though it
    may begin later: what is solved on the result can always be booked beside it.

    Parameters
    ----------
    excluded
        ``(offer, node)`` that cannot be had either; node None is the whole offer, as is any node of an offer
        that never runs out.
    """
    known = {(offer, node) for offer, node in excluded if offer in inventory.ids}
    gone = {offer for offer, node in known if node is None or _is_endless(inventory, offer)}
    inventory = _without(inventory, gone)
    used = usage_of(inventory, booked)
    for offer, node in sorted(
        (offer, node) for offer, node in known if offer not in gone and node is not None
    ):
        row = inventory.row(offer)
        others = [state for state in used.get(row, Usage()).states if state.node != node]
        used[row] = Usage(states=(*others, NodeState(node, (), cpu_milli=0, memory_mib=0)))
    nodes, gpus, cpu, memory = (inventory.whole[name] for name in _COLUMNS)
    return replace(inventory, groups=node_groups(nodes, gpus, cpu, memory, used))


def _is_endless(inventory: Inventory, offer: str) -> bool:
    return inventory.value("nodes", inventory.row(offer)) is None


def _without(inventory: Inventory, offers: Collection[str]) -> Inventory:
    """Return the inventory without some offers."""
    if not offers:
        return inventory
    rows = np.array([row for row, offer in enumerate(inventory.ids) if offer not in offers], np.int64)
    old = inventory.groups
    kept = np.flatnonzero(np.isin(old.offer, rows))
    groups = NodeGroups(
        offer=np.searchsorted(rows, old.offer[kept]),
        count=old.count[kept],
        free_gpus=old.free_gpus[kept],
        free_cpu_milli=old.free_cpu_milli[kept],
        free_memory_mib=old.free_memory_mib[kept],
        fresh=old.fresh[kept],
        nodes=_renumbered(old.nodes, kept),
        gpus=_renumbered(old.gpus, kept),
        milli=_renumbered(old.milli, kept),
        mig=_renumbered(old.mig, kept),
    )
    return replace(
        inventory,
        ids=tuple(inventory.ids[row] for row in rows),
        whole=freeze({name: column[rows] for name, column in inventory.whole.items()}),
        number=freeze({name: column[rows] for name, column in inventory.number.items()}),
        flag=freeze({name: column[rows] for name, column in inventory.flag.items()}),
        label={name: column.take(rows) for name, column in inventory.label.items()},
        groups=groups,
    )


def _renumbered(by_group: Mapping[int, T], kept: IntArray) -> dict[int, T]:
    return {new: by_group[old] for new, old in enumerate(kept.tolist()) if old in by_group}


def usage_of(inventory: Inventory, booked: Iterable[Held]) -> dict[int, Usage]:
    """Return what is used by row, from the inventory's own statements and from the bookings."""
    by_node: dict[tuple[int, int], list[Held]] = defaultdict(list)
    rows = {offer: row for row, offer in enumerate(inventory.ids)}
    for h in booked:
        if h.seat.offer in rows:
            by_node[rows[h.seat.offer], h.seat.node].append(h)
    touched = {row for row, _ in by_node} | set(inventory.groups.offer[~inventory.groups.fresh].tolist())
    states: dict[int, list[NodeState]] = defaultdict(list)
    groups = inventory.groups
    for group in range(len(groups)):
        row = int(groups.offer[group])
        if row not in touched or groups.count[group] == ELASTIC:
            continue
        for k in range(int(groups.count[group])):
            node = groups.node(group, k)
            own = by_node.get((row, node), [])
            if own or not groups.fresh[group]:
                states[row].append(_state(inventory, group, node, own))
    return {row: Usage(states=tuple(own)) for row, own in sorted(states.items()) if own}


def _state(inventory: Inventory, group: int, node: int, own: Sequence[Held]) -> NodeState:
    """Return what is free on a node beside its bookings."""
    groups = inventory.groups
    row = int(groups.offer[group])
    cpu, memory = int(groups.free_cpu_milli[group]), int(groups.free_memory_mib[group])
    if own and inventory.label["billing"][row] != "gpu":
        return NodeState(node, (), cpu_milli=_less(cpu, cpu), memory_mib=_less(memory, memory))
    whole = {gpu for h in own if h.seat.whole for gpu in h.seat.gpus}
    slots: dict[int, int] = defaultdict(int)
    for h in own:
        for gpu in h.seat.gpus:
            slots[gpu] += h.seat.slots
    mig = (*groups.mig.get(group, ()), *(one for h in own for one in h.seat.instances))
    divided = {gpu for gpu, _, _ in mig} | {gpu for gpu, taken in slots.items() if taken}
    free = groups.free_indices(group, max(0, int(inventory.whole["gpu_count"][row])))
    return NodeState(
        node,
        tuple(gpu for gpu in free if gpu not in whole | divided),
        tuple(_milli(groups.milli.get(group, {}), slots, card_at(inventory, group))),
        tuple(sorted(set(mig))),
        _less(cpu, sum(h.seat.cpu_milli for h in own)),
        _less(memory, sum(h.seat.memory_mib for h in own)),
    )


def _milli(base: Mapping[int, int], slots: Mapping[int, int], card: Card | None) -> Iterator[tuple[int, int]]:
    """Yield the free thousandths of GPUs that are partly used, rounded up to read as the slots left."""
    for gpu in sorted({*base, *(gpu for gpu, taken in slots.items() if taken)}):
        free = base.get(gpu, MILLI)
        if card is not None and card.slots and slots.get(gpu):
            left = max(0, free * card.slots // MILLI - slots[gpu])
            free = -(-MILLI * left // card.slots)
        yield gpu, free


def _less(free: int, taken: int) -> int | None:
    return None if free == UNKNOWN else max(0, free - taken)
