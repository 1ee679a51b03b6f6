"""What a node holds at once, and who stands in whose way; pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from flare_core.candidates.inside import partly_free
from flare_core.catalog.mig import layout_fault
from flare_core.inventory.types import ELASTIC, Inventory
from flare_core.placement.ledger import Demand, capacity
from flare_core.placement.nodes import card_at
from flare_core.placement.types import Plan
from flare_core.sharing.cards import MILLI
from flare_core.sharing.starts import starts_of
from flare_core.sharing.types import Card, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What one task takes of one node.

    Attributes
    ----------
    offer, node
        Id of the offer, number of the node in it.
    gpus
        GPU indices, one for each GPU or share of the task.
    slots
        Slots that are taken of each GPU; 0 where none are: whole GPUs, or MIG.
    profile
        MIG profile of which an instance is taken on each of `gpus`; None without.
    starts
        Memory slices at which the instances begin, as `gpus`; empty until they are chosen.
    cpu_milli, memory_mib, storage_mib
        Milli-cores, MiB, MiB.
    start, end
        The interval, without its end; None is without end.
    """

    offer: str
    node: int
    gpus: tuple[int, ...] = ()
    slots: int = 0
    profile: str | None = None
    starts: tuple[int, ...] = ()
    cpu_milli: int = 0
    memory_mib: int = 0
    storage_mib: int = 0
    start: datetime
    end: datetime | None = None

    def __post_init__(self) -> None:
        amounts = (self.node, self.slots, self.cpu_milli, self.memory_mib, self.storage_mib, *self.gpus)
        if min(amounts) < 0 or (self.slots and self.profile is not None):
            raise ValueError(f"no seat: {self}")
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"a seat ends after it starts: {self}")

    @property
    def whole(self) -> bool:
        """Whether the GPUs are taken whole."""
        return not self.slots and self.profile is None

    @property
    def instances(self) -> tuple[tuple[int, str, int], ...]:
        """``(gpu, profile, start)`` of its MIG instances, once their starts are chosen."""
        if self.profile is None or not self.starts:
            return ()
        return tuple((g, self.profile, start) for g, start in zip(self.gpus, self.starts, strict=True))

    def at(self, moment: datetime) -> bool:
        """Whether it is taken then."""
        return self.start <= moment and (self.end is None or moment < self.end)

    def meets(self, other: "Seat") -> bool:
        """Whether there is a moment at which both are taken."""
        return self.at(other.start) or other.at(self.start)


@dataclass(frozen=True, slots=True)
class Held:
    """A seat that is booked, and for which intent."""

    intent: str
    seat: Seat


def seats_of(plan: Plan, number: int, each: Demand) -> Iterator[Seat]:
    """Yield the seats of a plan's placement.

    Parameters
    ----------
    number
        Which placement.
    each
        What one task takes beside its GPUs.
    """
    a, inventory = plan.assignments, plan.inventory
    for r in range(*plan.placements[number].rows.indices(len(a))):
        row, end = int(a.offer[r]), int(a.end_s[r])
        card = card_at(inventory, int(inventory.groups.offer.searchsorted(row)))
        milli = max(0, int(a.gpu_milli[r]))
        yield Seat(
            offer=inventory.ids[row],
            node=int(a.node[r]),
            gpus=tuple(a.gpu_indices[a.gpu_offsets[r] : a.gpu_offsets[r + 1]].tolist()),
            # Thousandths were rounded down, so the slots they stand for are found upwards.
            slots=-(-milli * card.slots // MILLI) if card else 0,
            profile=a.mig_profile[r],
            cpu_milli=each.cpu_milli,
            memory_mib=each.memory_mib,
            storage_mib=each.storage_mib,
            start=datetime.fromtimestamp(int(a.start_s[r]), UTC),
            end=None if end < 0 else datetime.fromtimestamp(end, UTC),
        )


@dataclass(frozen=True, slots=True)
class Clash:
    """Why seats cannot be booked.

    Attributes
    ----------
    offer, node
        Where.
    what
        In a few words: ``GPU 3 is taken``.
    by
        Intents that stand in the way, sorted; empty where the inventory does not have it.
    """

    offer: str
    node: int
    what: str
    by: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.offer}, node {self.node}: {self.what}"


@dataclass(frozen=True, slots=True)
class Room:
    """What the inventory leaves free on a node, before any booking.

    Attributes
    ----------
    gpus
        Wholly free GPUs.
    parts
        States of partly used GPUs.
    card
        How its GPUs are shared; None where they are not.
    amounts
        Cores, memory, storage.
    whole
        The node is billed whole: it belongs to one intent.
    """

    gpus: frozenset[int]
    parts: Mapping[int, State]
    card: Card | None
    amounts: Demand
    whole: bool


def room_of(inventory: Inventory, offer: str, node: int) -> Room | str:
    """Return what the inventory has free on a node, or what is wrong with the node."""
    try:
        row = inventory.row(offer)
    except KeyError:
        return "the offer is gone"
    groups = inventory.groups
    low, high = np.searchsorted(groups.offer, [row, row + 1]).tolist()
    group = next((g for g in range(low, high) if _has(inventory, g, node)), None)
    if group is None:
        return "the node is gone"
    whole = inventory.label["billing"][row] != "gpu"
    if whole and not groups.fresh[group]:
        return "the node is in use"
    card = card_at(inventory, group)
    free = groups.free_indices(group, max(0, int(inventory.whole["gpu_count"][row])))
    parts = {} if card is None else partly_free(inventory, group, card)
    return Room(frozenset(free), parts, card, capacity(inventory, group), whole)


def is_elastic(inventory: Inventory, offer: str) -> bool:
    """Whether an offer never runs out, so that nobody stands in another's way."""
    try:
        return inventory.value("nodes", inventory.row(offer)) is None
    except KeyError:
        return False


def _has(inventory: Inventory, group: int, node: int) -> bool:
    groups = inventory.groups
    count = int(groups.count[group])
    if count == ELASTIC:
        return True
    return node in groups.nodes[group] if group in groups.nodes else node < count


def choose_starts(room: Room, held: Sequence[Held], new: Sequence[Held]) -> list[Held] | str:
    """Return the new seats of a node with the starts of their MIG instances, or why there are none.

    What any held seat takes at any time of a new one counts as taken all the time.
    """
    card = room.card
    open_ = [h for h in new if h.seat.profile is not None and not h.seat.starts]
    if not open_:
        return list(new)
    if card is None:
        return "its GPUs have no MIG"
    wanted: dict[int, Counter[str]] = defaultdict(Counter)
    for h in open_:
        for gpu in h.seat.gpus:
            wanted[gpu][str(h.seat.profile)] += 1
    near = [h.seat for h in (*held, *new) if any(h.seat.meets(other.seat) for other in open_)]
    chosen: dict[tuple[int, str], list[int]] = {}
    for gpu, counts in sorted(wanted.items()):
        state = _with_instances(room.parts.get(gpu, ()), gpu, near)
        try:
            starts = starts_of(card, state, tuple(counts), tuple(counts.values()))
        except ValueError:
            return f"GPU {gpu} has no room for {' and '.join(counts)}"
        chosen |= {(gpu, name): list(found) for name, found in zip(counts, starts, strict=True)}
    return [replace(h, seat=_started(h.seat, chosen)) if h in open_ else h for h in new]


def _started(seat: Seat, chosen: Mapping[tuple[int, str], list[int]]) -> Seat:
    return replace(seat, starts=tuple(chosen[gpu, str(seat.profile)].pop(0) for gpu in seat.gpus))


def _with_instances(state: State, gpu: int, seats: Iterable[Seat]) -> State:
    if isinstance(state, int):
        return state
    more = ((profile, start) for seat in seats for g, profile, start in seat.instances if g == gpu)
    return tuple(sorted({*state, *more}, key=lambda each: (each[1], each[0])))


def clashes(room: Room, held: Sequence[Held], new: Sequence[Held]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what new seats of a node cannot have, and who has it, at the first moment where that is so.

    Others may be in each other's way: one that is late, and who waits for it.
    """
    seats, own = (*held, *new), {h.intent for h in new}
    for moment in sorted({h.seat.start for h in seats}):
        here = [h for h in seats if h.seat.at(moment)]
        found = [(what, users) for what, users in _too_much(room, here) if users & own]
        if found:
            yield from ((what, tuple(sorted(users - own))) for what, users in found)
            return


def _too_much(room: Room, here: Sequence[Held]) -> Iterator[tuple[str, set[str]]]:
    """Yield what a node does not hold together, and whose it is."""
    everyone = {h.intent for h in here}
    if room.whole and len(everyone) > 1:
        yield "the node is another intent's", everyone
    for name, free, taken in zip(("cores", "memory", "storage"), room.amounts, _amounts(here), strict=True):
        if taken > free:
            yield f"not enough {name}", everyone
    users: dict[int, list[Held]] = defaultdict(list)
    for h in here:
        for gpu in h.seat.gpus:
            users[gpu].append(h)
    for gpu, on in sorted(users.items()):
        fault = _gpu_fault(room, gpu, on)
        if fault is not None:
            yield f"GPU {gpu} {fault}", {h.intent for h in on}


def _amounts(here: Sequence[Held]) -> Demand:
    return Demand(
        sum(h.seat.cpu_milli for h in here),
        sum(h.seat.memory_mib for h in here),
        sum(h.seat.storage_mib for h in here),
    )


def _gpu_fault(room: Room, gpu: int, on: Sequence[Held]) -> str | None:
    """Return what is wrong with all these on one GPU; who is there twice has it twice."""
    if gpu not in room.gpus and (gpu not in room.parts or any(h.seat.whole for h in on)):
        return "is not free"
    if any(h.seat.whole for h in on):
        return "is taken" if len(on) > 1 else None
    card = room.card
    if card is None or any(bool(h.seat.slots) != bool(card.slots) for h in on):
        return "is not shared so"
    state = room.parts.get(gpu, card.slots or ())
    if isinstance(state, int):
        return None if sum(h.seat.slots for h in on) <= state else "has not so many slots"
    # A seat stands here once for each of its instances, so it is asked for them once.
    seats = {id(h): h.seat for h in on}.values()
    own = [(profile, start) for seat in seats for g, profile, start in seat.instances if g == gpu]
    return None if layout_fault(card.cuts, (*state, *own)) is None else "has no room for the instances"
