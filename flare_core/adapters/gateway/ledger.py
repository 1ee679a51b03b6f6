"""Who has which node, GPU, slot and instance: booked in the transaction that has checked it.

A booking holds until it is released, also beyond its end: a run that is late still has its GPUs. What begins
after the end of a booking may be booked before that. Offers that never run out are booked too, and never
refused for others' sake. Who was booked behind a run that is late begins when that has been released.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Row, insert, select, tuple_, update

from flare_core.adapters.gateway.errors import ConflictError
from flare_core.adapters.gateway.rooms import Clash, Held, Seat, choose_starts, clashes, is_elastic, room_of
from flare_core.adapters.gateway.store import require_write
from flare_core.adapters.gateway.store.rows import add_if_new
from flare_core.adapters.gateway.store.tables import bookings, meta
from flare_core.inventory.types import Inventory

_CAPACITY: Final = "capacity"


class TakenError(ConflictError):
    """What is to be booked is not free: find another placement.

    Parameters
    ----------
    clashes
        What stands in the way, node by node.
    """

    def __init__(self, clashes: Sequence[Clash]) -> None:
        super().__init__("the capacity was taken in the meantime")
        self.clashes = tuple(clashes)


def book(
    connection: Connection, inventory: Inventory, intent: str, seats: Iterable[Seat], now: datetime
) -> tuple[Seat, ...]:
    """Book seats for an intent, all or none.

    Parameters
    ----------
    connection
        A ``write`` transaction.
    inventory
        What there is now, without what FLARE itself has booked.

    Returns
    -------
    tuple of Seat
        The seats as they are booked: with the starts of MIG instances that were chosen, and those that begin
        at once until they end if they begin now, which the search that chose them began before.

    Raises
    ------
    TakenError
        If a seat is not free; nothing is booked then.
    """
    require_write(connection)
    new = [Held(intent, _from_now(seat, now)) for seat in seats]
    settled: list[Held] = []
    found: list[Clash] = []
    for (offer, node), own, others in _by_node(connection, new, now):
        if is_elastic(inventory, offer):
            others = [h for h in others if h.intent == intent]
        outcome = _fitted(inventory, offer, node, others, own)
        if isinstance(outcome, list):
            settled += outcome
        else:
            found += outcome
    if found:
        raise TakenError(found)
    if settled:
        connection.execute(insert(bookings), [_columns(h) for h in settled])
    return tuple(h.seat for h in settled)


def _from_now(seat: Seat, now: datetime) -> Seat:
    """Return a seat that begins no sooner than now, booked to the second."""
    second = now.replace(microsecond=0)
    if seat.end is None or seat.start >= now:
        return seat
    ends = seat.end + (now - seat.start)
    return replace(
        seat, start=max(seat.start, second), end=ends + timedelta(microseconds=-ends.microsecond % 10**6)
    )


def still_in(connection: Connection, inventory: Inventory, intent: str) -> set[str]:
    """Return who still holds what an intent is to begin with now, though booked for a time before it.

    What begins after it waits itself, for this one too.
    """
    its = (bookings.c.intent == intent, bookings.c.released.is_(None))
    own, found = [*map(_held, connection.execute(select(bookings).where(*its)))], set[str]()
    for offer, node in sorted({(h.seat.offer, h.seat.node) for h in own}):
        room, start = room_of(inventory, offer, node), min(h.seat.start for h in own)
        if isinstance(room, str) or is_elastic(inventory, offer):
            continue  # where there is none any more the backend says so
        here = held_on(connection, {(offer, node)})
        first = [_endless(h) for h in here if h.intent != intent and h.seat.start < start]
        mine = [_endless(h) for h in here if h.intent == intent]
        found |= {each for _, by in clashes(room, first, mine) for each in by}
    return found


def _endless(h: Held) -> Held:
    return replace(h, seat=replace(h.seat, end=None))


def release(connection: Connection, intent: str, now: datetime) -> int:
    """Give back all that an intent holds; return how many seats that were, 0 the second time."""
    own = (bookings.c.intent == intent, bookings.c.released.is_(None))
    number = connection.execute(update(bookings).where(*own).values(released=now)).rowcount
    if number:
        more_capacity(connection)
    return number


def more_capacity(connection: Connection) -> None:
    """Count that there may be more than before: whoever waits is worth another try."""
    if not add_if_new(connection, meta, key=_CAPACITY, number=1):
        connection.execute(update(meta).where(meta.c.key == _CAPACITY).values(number=meta.c.number + 1))


def capacity_count(connection: Connection) -> int:
    """Return how often there was more than before."""
    return connection.execute(select(meta.c.number).where(meta.c.key == _CAPACITY)).scalar() or 0


def held(connection: Connection, offers: Collection[str] | None = None) -> tuple[Held, ...]:
    """Return what is booked and not released, in the order of booking; of some offers, or of all."""
    query = select(bookings).where(bookings.c.released.is_(None)).order_by(bookings.c.id)
    if offers is not None:
        query = query.where(bookings.c.offer.in_(sorted(offers)))
    return tuple(map(_held, connection.execute(query)))


def held_on(connection: Connection, nodes: Collection[tuple[str, int]]) -> tuple[Held, ...]:
    """Return what is booked on some nodes, ``(offer, node)``, and not released, in the order of booking."""
    on = tuple_(bookings.c.offer, bookings.c.node).in_(sorted(nodes))
    query = select(bookings).where(bookings.c.released.is_(None), on).order_by(bookings.c.id)
    return tuple(map(_held, connection.execute(query)))


def _fitted(
    inventory: Inventory, offer: str, node: int, others: Sequence[Held], own: Sequence[Held]
) -> list[Held] | tuple[Clash, ...]:
    """Return the seats of one node as they can be booked, or what stands in the way."""
    room = room_of(inventory, offer, node)
    if isinstance(room, str):
        return (Clash(offer, node, room),)
    near = [h for h in others if any(h.seat.meets(new.seat) for new in own)]
    chosen = choose_starts(room, near, own)
    if isinstance(chosen, str):
        return (Clash(offer, node, chosen, tuple(sorted({h.intent for h in near}))),)
    return tuple(Clash(offer, node, what, by) for what, by in clashes(room, near, chosen)) or chosen


def _by_node(
    connection: Connection, new: Sequence[Held], now: datetime
) -> Iterator[tuple[tuple[str, int], list[Held], list[Held]]]:
    """Yield each node with its new seats and those that are held on it."""
    own: dict[tuple[str, int], list[Held]] = defaultdict(list)
    for h in new:
        own[h.seat.offer, h.seat.node].append(h)
    others: dict[tuple[str, int], list[Held]] = defaultdict(list)
    for h in held_on(connection, own.keys()):
        late = h.seat.end is not None and h.seat.end <= now
        others[h.seat.offer, h.seat.node].append(_endless(h) if late else h)
    for place in sorted(own):
        yield place, own[place], others[place]


def _columns(h: Held) -> dict[str, object]:
    seat = h.seat
    return {
        "intent": h.intent,
        "offer": seat.offer,
        "node": seat.node,
        "gpus": " ".join(map(str, seat.gpus)),
        "slots": seat.slots,
        "profile": seat.profile,
        "starts": " ".join(map(str, seat.starts)),
        "cpu_milli": seat.cpu_milli,
        "memory_mib": seat.memory_mib,
        "storage_mib": seat.storage_mib,
        "start": seat.start,
        "end": seat.end,
    }


def _held(row: Row[tuple[object, ...]]) -> Held:
    seat = Seat(
        offer=row.offer,
        node=row.node,
        gpus=tuple(map(int, row.gpus.split())),
        slots=row.slots,
        profile=row.profile,
        starts=tuple(map(int, row.starts.split())),
        cpu_milli=row.cpu_milli,
        memory_mib=row.memory_mib,
        storage_mib=row.storage_mib,
        start=row.start,
        end=row.end,
    )
    return Held(row.intent, seat)
