"""An inventory less what is booked: what the next intents are solved on."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import numpy as np

from flare_core.adapters.gateway.rooms import Held
from flare_core.inventory import held as core
from flare_core.inventory.types import IntArray, Inventory, NodeGroups, freeze
from flare_core.inventory.usage import NodeState
from flare_core.placement.occupied import seen_at, with_busy

T = TypeVar("T")


def remaining(
    inventory: Inventory,
    booked: Iterable[Held],
    excluded: Collection[tuple[str, int | None]] = (),
    *,
    now: datetime | None = None,
) -> Inventory:
    """Return the inventory less what is booked.

    Bookings of offers that are gone or never run out change nothing.

    Parameters
    ----------
    excluded
        ``(offer, node)`` that cannot be had either; node None is the whole offer, as is any node of an offer
        that never runs out.
    now
        The moment of the plan: then a booking is busy from its start until its end, and what is solved on the
        result may begin after that. A run that is late still has what it has, nobody knows until when.
        Without a moment every booking counts from now on without end.
    """
    known = {(offer, node) for offer, node in excluded if offer in inventory.ids}
    gone = {offer for offer, node in known if node is None or _is_endless(inventory, offer)}
    inventory = _without(inventory, gone)
    rows = {offer: row for row, offer in enumerate(inventory.ids) if not _is_endless(inventory, offer)}
    if now is not None:
        now = now.replace(microsecond=0)  # plans are made to the second
        inventory = seen_at(inventory, int(now.timestamp()))
    closed = (
        core.Held(rows[offer], node, left=NodeState(node, (), cpu_milli=0, memory_mib=0))
        for offer, node in sorted((o, n) for o, n in known if o in rows and n is not None)
    )
    return with_busy(inventory, [*closed, *_busy(rows, booked, now)])


def _busy(rows: Mapping[str, int], booked: Iterable[Held], now: datetime | None) -> Iterator[core.Held]:
    """Yield what is booked as the core knows it; storage is looked at when it is booked."""
    for seat in (h.seat for h in booked if h.seat.offer in rows):
        start, end = 0, None
        if now is not None:
            start = int((seat.start - now).total_seconds())
            if seat.end is not None and seat.end > now:
                end = int((seat.end - now).total_seconds())
        yield core.Held(
            rows[seat.offer],
            seat.node,
            seat.gpus,
            seat.cpu_milli,
            seat.memory_mib,
            start=start,
            end=end,
            slots=seat.slots,
            profile=seat.profile,
            starts=seat.starts,
        )


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
        until=_renumbered(old.until, kept),
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
