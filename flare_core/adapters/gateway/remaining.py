"""An inventory less what is booked: what the next intents are solved on."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from flare_core.adapters.gateway.rooms import Held
from flare_core.inventory.types import ELASTIC, UNKNOWN, Inventory, NodeGroups
from flare_core.inventory.usage import MILLI, NodeState, Usage, node_groups
from flare_core.placement.nodes import card_at
from flare_core.sharing.types import Card

_COLUMNS = ("nodes", "gpu_count", "cpu_milli", "memory_mib")


def remaining(inventory: Inventory, booked: Iterable[Held]) -> Inventory:
    """Return the inventory less what is booked.

    Bookings of offers that are gone or never run out change nothing. A booking counts from now on, though it
    may begin later: what is solved on the result can always be booked beside it.
    """
    nodes, gpus, cpu, memory = (inventory.whole[name] for name in _COLUMNS)
    return replace(inventory, groups=node_groups(nodes, gpus, cpu, memory, usage_of(inventory, booked)))


def without(inventory: Inventory, excluded: Collection[tuple[str, int | None]]) -> Inventory:
    """Return the inventory without some capacity.

    Parameters
    ----------
    excluded
        ``(offer, node)``; node None is the whole offer, as is any node of an offer that never runs out.
    """
    gone = {(offer, node) for offer, node in excluded if offer in inventory.ids}
    if not gone:
        return inventory
    groups = inventory.groups
    nodes: dict[int, tuple[int, ...]] = {}
    for group in range(len(groups)):
        offer, count = inventory.ids[int(groups.offer[group])], int(groups.count[group])
        if (offer, None) in gone or (count == ELASTIC and any(name == offer for name, _ in gone)):
            nodes[group] = ()
        elif count != ELASTIC:
            nodes[group] = tuple(n for k in range(count) if (offer, n := groups.node(group, k)) not in gone)
    return replace(inventory, groups=_kept(groups, nodes))


def _kept(groups: NodeGroups, nodes: Mapping[int, tuple[int, ...]]) -> NodeGroups:
    """Return groups of these nodes; what has none left is gone, what is not named stays."""
    kept = [group for group in range(len(groups)) if nodes.get(group, (0,))]
    count = groups.count.copy()
    for group, own in nodes.items():
        count[group] = len(own)
    columns = ("offer", "free_gpus", "free_cpu_milli", "free_memory_mib", "fresh")
    exact = {
        name: {new: own[old] for new, old in enumerate(kept) if old in own}
        for name, own in (("gpus", groups.gpus), ("milli", groups.milli), ("mig", groups.mig))
    }
    return NodeGroups(
        count=count[kept],
        nodes={new: nodes[old] for new, old in enumerate(kept) if old in nodes},
        **{name: getattr(groups, name)[kept] for name in columns},
        **exact,
    )


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
