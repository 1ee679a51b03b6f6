"""All ways to seat tasks on the GPUs of one small node, by trying them one by one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement

from flare_core.catalog.gpus import parts
from flare_core.catalog.mig import MigProfile, profiles_of
from flare_core.inventory.kinds import GpuKind, read_kind
from flare_core.inventory.types import Inventory
from flare_core.placement.nodes import Guest

Gpus = tuple[int, ...]
Instance = tuple[str, int]
Room = int | tuple[Instance, ...]
"""What of a GPU is free or in use: its free slots, or the instances on it."""

CLOSED: Room = 0
"""A GPU of which no more can be had."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the inventory tells it: wholly free GPUs, partly used ones, and how they are shared."""

    free: Gpus
    partly: Mapping[int, Room]
    slots: int
    table: tuple[MigProfile, ...]

    @property
    def fresh(self) -> Room:
        """A GPU that nobody uses."""
        return self.slots or ()


def node_of(inventory: Inventory, group: int) -> Node:
    """Read what is free on a node of a group."""
    offer, groups = int(inventory.groups.offer[group]), inventory.groups
    text = inventory.label["gpu_kind"][offer]
    if text is None:
        return Node((), {}, 0, ())
    kind = read_kind(text)
    mig = kind.strategy == "mig"
    slots = 0 if mig else kind.sharing_slots or 0
    partly: dict[int, Room] = {}
    for gpu, milli in groups.milli.get(group, {}).items():
        partly[gpu] = CLOSED if mig else milli * slots // 1000
    for gpu, profile, start in sorted(groups.mig.get(group, ())):
        known = partly.get(gpu, ())
        assert not isinstance(known, int)
        partly[gpu] = (*known, (profile, start))
    free = groups.free_indices(group, kind.gpu_count)
    return Node(free, partly, slots, _table(kind) if mig else ())


def _table(kind: GpuKind) -> tuple[MigProfile, ...]:
    """Return the profiles of the first part that this may be; the worlds name parts exactly."""
    skus = [p.sku for p in parts() if (p.model, p.memory_mib) == (kind.gpu_model, kind.gpu_memory_mib)]
    return next((profiles_of(sku) for sku in skus if profiles_of(sku)), ())


def seatings(
    node: Node, guests: list[Guest], *, any_grade: bool = False
) -> Iterator[tuple[tuple[Gpus, ...], ...]]:
    """Yield the ways to seat all tasks, some repeatedly: the GPUs of each task of each guest.

    Parameters
    ----------
    any_grade
        Tasks may take the sets of all grades that the node has for their intent.
    """
    whole = [(guest, _named(guest, any_grade)) for guest in guests if guest.cut is None]
    for seats, left in _whole(node.free, whole):
        rooms = dict(node.partly) | dict.fromkeys(left, node.fresh)
        for shares in _shares(node, rooms, [guest for guest in guests if guest.cut is not None]):
            ours, theirs = iter(seats), iter(shares)
            yield tuple(next(ours) if guest.cut is None else next(theirs) for guest in guests)


def _named(guest: Guest, any_grade: bool) -> set[Gpus]:
    """Return the sets that a guest's tasks may take, none where any will do."""
    found = guest.ask.found
    entries = [g for g, group in enumerate(found.group) if group == found.group[guest.g]]
    grades = [guest._replace(g=g).sets for g in (entries if any_grade else [guest.g])]
    if not all(grades):
        return set()
    return {tuple(i for i in range(m.bit_length()) if m >> i & 1) for sets in grades for m in sets}


def _whole(
    free: Gpus, guests: list[tuple[Guest, set[Gpus]]]
) -> Iterator[tuple[tuple[tuple[Gpus, ...], ...], Gpus]]:
    if not guests:
        yield (), free
        return
    (guest, named), *rest = guests
    allowed = [own for own in combinations(free, guest.ask.needs.gpus) if not named or own in named]
    for own in combinations(allowed, guest.tasks):
        taken = {gpu for gpus in own for gpu in gpus}
        if len(taken) == sum(map(len, own)):
            left = tuple(gpu for gpu in free if gpu not in taken)
            for others, end in _whole(left, rest):
                yield (own, *others), end


def _shares(
    node: Node, rooms: Mapping[int, Room], guests: list[Guest]
) -> Iterator[tuple[tuple[Gpus, ...], ...]]:
    if not guests:
        yield ()
        return
    guest, *rest = guests
    for own, left in _tasks(node, rooms, guest, guest.tasks, ()):
        for others in _shares(node, left, rest):
            yield (own, *others)


def _tasks(
    node: Node, rooms: Mapping[int, Room], guest: Guest, tasks: int, least: Gpus
) -> Iterator[tuple[tuple[Gpus, ...], Mapping[int, Room]]]:
    """Yield the ways to seat a guest's tasks, each on GPUs not smaller than those of the task before."""
    if not tasks:
        yield (), rooms
        return
    assert guest.cut is not None
    assert guest.ask.needs.share is not None
    ways = combinations if guest.ask.needs.share.apart else combinations_with_replacement
    for gpus in ways(sorted(rooms), guest.ask.needs.gpus):
        if gpus >= least:
            for left in _taken(node, rooms, gpus, guest.cut.share):
                for others, end in _tasks(node, left, guest, tasks - 1, gpus):
                    yield (gpus, *others), end


def _taken(
    node: Node, rooms: Mapping[int, Room], gpus: Gpus, share: int | str
) -> Iterator[Mapping[int, Room]]:
    if not gpus:
        yield rooms
        return
    for room in _after(node, rooms[gpus[0]], share):
        yield from _taken(node, {**rooms, gpus[0]: room}, gpus[1:], share)


def _after(node: Node, room: Room, share: int | str) -> Iterator[Room]:
    """Yield what a GPU is after one more share, by the vendor's table for instances."""
    if isinstance(room, int):
        if isinstance(share, int) and share <= room:
            yield room - share
        return
    by_name = {profile.profile: profile for profile in node.table}
    new = by_name[str(share)]
    used = {s for name, start in room for s in range(start, start + by_name[name].memory_slices)}
    compute = sum(by_name[name].compute_slices for name, _ in room)
    same = sum(name == share for name, _ in room)
    if compute + new.compute_slices > max(p.compute_slices for p in node.table) or same == new.max_instances:
        return
    for start in new.starts:
        if not used & set(range(start, start + new.memory_slices)):
            yield tuple(sorted((*room, (str(share), start))))
