"""An inventory while some of its nodes are in use: what a placement of another moment leaves.

What is in use is taken as it lies: its GPUs, the parts it has of GPUs, its cores and memory. MIG instances
of which nobody knows where they begin lie as new ones would. A node that is billed whole, or whose storage is
in use, counts as taken altogether: nothing else is known to fit there.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from flare_core.inventory.held import Held
from flare_core.inventory.types import ELASTIC, ELASTIC_STORAGE, UNKNOWN, Inventory
from flare_core.inventory.usage import MILLI, Instances, NodeState, Usage, node_groups
from flare_core.placement.nodes import card_at
from flare_core.sharing.starts import starts_of
from flare_core.sharing.states import state_of
from flare_core.sharing.types import Card

_OnNode = Mapping[tuple[int, int], Sequence[Held]]


def seen_at(inventory: Inventory, now: int) -> Inventory:
    """Return the inventory as it is at a moment (seconds since the epoch) and from then on.

    What comes free until then is free; what comes free later is busy until that.
    """
    groups = inventory.groups
    if not groups.until:
        return inventory
    busy = tuple(
        Held(int(groups.offer[group]), number, end=until - now, left=state_at(inventory, group, number))
        for group, until in sorted(groups.until.items())
        if until > now
        for number in (groups.node(group, k) for k in range(int(groups.count[group])))
    )
    return replace(_with(inventory, _usage(inventory, {}, freed=True)), busy=busy)


def occupied(inventory: Inventory, held: Iterable[Held]) -> Inventory:
    """Return the inventory without what is `held`, for good; nodes of elastic offers never run out."""
    on_node: dict[tuple[int, int], list[Held]] = {}
    for one in held:
        if inventory.whole["nodes"][one.offer] != ELASTIC:
            on_node.setdefault((one.offer, one.node), []).append(one)
    if on_node:
        return _with(inventory, _usage(inventory, on_node))
    return replace(inventory, busy=()) if inventory.busy else inventory


def with_busy(inventory: Inventory, held: Iterable[Held]) -> Inventory:
    """Return the inventory with more that is busy; what never ends is taken off it for good."""
    kept = {(one.offer, one.node) for one in inventory.busy}
    nodes = inventory.whole["nodes"]
    for_good: list[Held] = []
    ending: list[Held] = []
    for one in held:
        stays = one.end is None and one.start <= 0 and nodes[one.offer] != ELASTIC
        (for_good if stays and (one.offer, one.node) not in kept else ending).append(one)
    less = occupied(inventory, for_good) if for_good else inventory
    return replace(less, busy=(*inventory.busy, *ending)) if ending or for_good else inventory


def free_now(inventory: Inventory) -> Inventory:
    """Return the inventory without all that is busy: what may be used from now on without end."""
    return occupied(inventory, inventory.busy)


def group_of(inventory: Inventory, offer: int, number: int) -> tuple[int, int]:
    """Return the node group that has a node of an offer, and its place there.

    Raises
    ------
    KeyError
        If there is no such node.
    """
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


def state_at(inventory: Inventory, group: int, number: int) -> NodeState:
    """Return all that is free on a node of a group."""
    groups = inventory.groups
    count = max(0, int(inventory.whole["gpu_count"][groups.offer[group]]))
    cpu, memory = int(groups.free_cpu_milli[group]), int(groups.free_memory_mib[group])
    return NodeState(
        number,
        groups.free_indices(group, count),
        tuple(sorted(groups.milli.get(group, {}).items())),
        groups.mig.get(group, ()),
        None if cpu == UNKNOWN else cpu,
        None if memory == UNKNOWN else memory,
    )


def _with(inventory: Inventory, usage: Mapping[int, Usage]) -> Inventory:
    whole = inventory.whole
    columns = (whole["nodes"], whole["gpu_count"], whole["cpu_milli"], whole["memory_mib"])
    return replace(inventory, groups=node_groups(*columns, usage), busy=())


def _usage(inventory: Inventory, on_node: _OnNode, *, freed: bool = False) -> dict[int, Usage]:
    """Return what is used by row; `freed`: but for what comes free one day."""
    groups, states = inventory.groups, defaultdict[int, list[NodeState]](list)
    touched = {row for row, _ in on_node} | set(groups.offer[~groups.fresh].tolist())
    for group, row in enumerate(groups.offer.tolist()):
        if row not in touched or groups.count[group] == ELASTIC or (freed and group in groups.until):
            continue
        for k in range(int(groups.count[group])):
            number = groups.node(group, k)
            own = on_node.get((row, number), ())
            if own or not groups.fresh[group]:
                states[row].append(_state(inventory, group, number, own))
    return {row: Usage(states=tuple(own)) for row, own in sorted(states.items())}


def _state(inventory: Inventory, group: int, number: int, own: Sequence[Held]) -> NodeState:
    row = int(inventory.groups.offer[group])
    said = next((one.left for one in own if one.left is not None), None)
    base = state_at(inventory, group, number) if said is None else said
    tasks = [one for one in own if one.left is None]
    stored = inventory.whole["storage_mib"][row] != ELASTIC_STORAGE and any(one.storage_mib for one in own)
    if own and (stored or inventory.label["billing"][row] != "gpu"):
        return NodeState(number, (), cpu_milli=_less(base.cpu_milli), memory_mib=_less(base.memory_mib))
    return _beside(base, tasks, card_at(inventory, group)) if tasks else base


def _beside(base: NodeState, tasks: Sequence[Held], card: Card | None) -> NodeState:
    """Return what tasks leave of what is free on a node."""
    whole = {gpu for one in tasks if one.whole for gpu in one.gpus}
    slots = Counter({gpu: 0 for gpu, _ in base.milli})
    for one in tasks:
        slots.update({gpu: one.slots for gpu in one.gpus if one.slots})
    mig, full = _instances(base, tasks, card)
    divided = {gpu for gpu, _, _ in mig} | set(slots)
    return NodeState(
        base.node,
        tuple(gpu for gpu in base.free_gpus or () if gpu not in whole | full | divided),
        tuple((gpu, milli) for gpu, milli in _milli(base, slots, card) if gpu not in whole | full),
        tuple(one for one in mig if one[0] not in whole | full),
        _less(base.cpu_milli, sum(one.cpu_milli for one in tasks)),
        _less(base.memory_mib, sum(one.memory_mib for one in tasks)),
    )


def _milli(base: NodeState, slots: Mapping[int, int], card: Card | None) -> Iterator[tuple[int, int]]:
    """Yield the free thousandths of GPUs that are partly used, rounded up to read as the slots left."""
    before = dict(base.milli)
    for gpu, taken in sorted(slots.items()):
        free = before.get(gpu, MILLI if gpu in (base.free_gpus or ()) else 0)
        if taken:
            left = max(0, free * card.slots // MILLI - taken) if card is not None else 0
            free = -(-MILLI * left // card.slots) if card is not None and card.slots else 0
        yield gpu, free


def _instances(base: NodeState, tasks: Sequence[Held], card: Card | None) -> tuple[Instances, frozenset[int]]:
    """Return the MIG instances on the node, and the GPUs on which they find no place."""
    there = {*base.mig}
    unsettled: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for one in tasks:
        if one.profile is not None and one.starts:
            there |= {(gpu, one.profile, start) for gpu, start in zip(one.gpus, one.starts, strict=True)}
        elif one.profile is not None:
            for gpu in one.gpus:
                unsettled[gpu][one.profile] += 1
    full: set[int] = set()
    for gpu, wanted in sorted(unsettled.items()):
        before = tuple((profile, start) for at, profile, start in sorted(there) if at == gpu)
        try:
            there |= {(gpu, profile, start) for profile, start in _new(card, before, wanted)}
        except ValueError:
            full.add(gpu)
    return tuple(sorted(there)), frozenset(full)


def _new(
    card: Card | None, before: tuple[tuple[str, int], ...], wanted: Counter[str]
) -> list[tuple[str, int]]:
    if card is None or card.slots:
        raise ValueError("no MIG here")
    kinds = tuple(sorted(wanted))
    starts = starts_of(card, state_of(card, None, before), kinds, tuple(wanted[kind] for kind in kinds))
    return [(kind, start) for kind, own in zip(kinds, starts, strict=True) for start in own]


def _less(free: int | None, taken: int | None = None) -> int | None:
    """Return what is left of a free amount; nothing where all of it is taken, None where it is unknown."""
    return None if free is None else 0 if taken is None else max(0, free - taken)
