"""Nodes: that they exist and have room for all that is put on them, across all intents.

A node is looked at when something on it starts, with everything that runs at that moment. What the inventory
says to be used until then is free then.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flare_core.quantities import format_cpu, format_memory
from flare_core.verify.gpus import all_gpus, check_gpus, gpus_of
from flare_core.verify.shares import Share
from flare_core.verify.told import Row, Violation, Violations

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.inventory.types import Inventory
    from flare_core.verify.offers import Offer


@dataclass(frozen=True, slots=True)
class Use:
    """One task on one node: which intent it is of, and what it takes."""

    intent: "Intent"
    placement: str
    row: Row
    offer: "Offer"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a task has that runs already, and was placed by another plan."""

    offer: int
    row: Row
    share: Share
    cpu_milli: int
    memory_mib: int


def check_capacity(inventory: "Inventory", uses: Sequence[Use], taken: Sequence[Taken] = ()) -> Violations:
    """Check every node that the plan uses, beside what is taken there."""
    nodes: dict[tuple[int, int], list[Use]] = defaultdict(list)
    for use in uses:
        nodes[use.offer.row, use.row.node].append(use)
    for (row, number), guests in nodes.items():
        group = _group_of(inventory, row, number)
        if group is None:
            yield Violation(
                "node", f"{guests[0].row.path}.node", f"offer {guests[0].offer.id} has no node {number}"
            )
        else:
            beside = [one for one in taken if (one.offer, one.row.node) == (row, number)]
            yield from _check_node(inventory, group, guests, beside)


def _group_of(inventory: "Inventory", row: int, number: int) -> int | None:
    """Return the group of equal nodes that holds a node of an offer, None where there is no such node."""
    groups = inventory.groups
    group = bisect_left(groups.offer, row)
    while group < len(groups) and groups.offer[group] == row:
        numbers, count = groups.nodes.get(group), int(groups.count[group])
        if number in numbers if numbers is not None else number < count or count < 0:
            return group
        group += 1
    return None


def _check_node(
    inventory: "Inventory", group: int, guests: Sequence[Use], taken: Sequence[Taken]
) -> Violations:
    until = inventory.groups.until.get(group)
    # Where something runs that is still to begin, its beginning counts as well.
    starts = sorted({guest.row.start for guest in guests} | {one.row.start for one in taken})
    freed = {start for start in starts if until is not None and until <= start.timestamp()}
    if guests[0].offer.billed_whole:
        begun = {guest.row.start for guest in guests}
        yield from _check_whole(bool(inventory.groups.fresh[group]) or begun <= freed, guests)
        yield from _check_alone(guests, taken)
    for moment in starts:
        running = [guest for guest in guests if guest.row.runs_at(moment)]
        if running:
            offer = running[-1].offer
            gpus = all_gpus(offer) if moment in freed else gpus_of(inventory, group, offer)
            left = _all(offer) if moment in freed else _left(inventory, group, offer)
            beside = [one for one in taken if one.row.runs_at(moment)]
            for one in beside:
                for gpu in one.row.gpus:
                    gpus = gpus.less(gpu, one.share)
            yield from check_gpus(gpus, running, moment)
            yield from _check_amounts(_rest(left, beside), running)


def _check_whole(fresh: bool, guests: Sequence[Use]) -> Violations:
    """A node that is paid whole belongs to one intent at a time, was unused, and is bought in one way."""
    path, offer = guests[0].row.path, guests[0].offer.id
    if not fresh:
        yield Violation("billing", path, f"a node of {offer} is billed whole and used already")
    if _shared(guests):
        yield Violation("billing", path, f"a node of {offer} is billed whole and given to several intents")
    ways = {(guest.placement, guest.row.spot) for guest in guests}
    if len(ways) > len({placement for placement, _ in ways}):
        yield Violation("billing", path, f"a node of {offer} is billed whole and both spot and on-demand")


def _check_alone(guests: Sequence[Use], taken: Sequence[Taken]) -> Violations:
    """A node that is paid whole is not where something else runs at the same time."""
    for guest in guests:
        if any(one.row.runs_at(guest.row.start) or guest.row.runs_at(one.row.start) for one in taken):
            found = f"a node of {guest.offer.id} is billed whole, and another intent runs there"
            yield Violation("billing", guest.row.path, found)


def _rest(left: Iterable[int | None], taken: Sequence[Taken]) -> Iterator[int | None]:
    """Yield what of cores, memory and storage is left beside what runs."""
    for amount, name in zip(left, ("cpu_milli", "memory_mib", None), strict=True):
        used = 0 if name is None else sum(getattr(one, name) for one in taken)
        yield None if amount is None else max(0, amount - used)


def _shared(guests: Sequence[Use]) -> bool:
    """Whether tasks of several intents are on a node at the same moment, which begins where one starts."""
    starts = {guest.row.start for guest in guests}
    return any(len({guest.placement for guest in guests if guest.row.runs_at(at)}) > 1 for at in starts)


def _cpu(intent: "Intent") -> int:
    return intent.workload.resources.cpu or 0


def _memory(intent: "Intent") -> int:
    return intent.workload.resources.memory or 0


def _storage(intent: "Intent") -> int:
    return sum(volume.size for volume in intent.workload.storage.volumes)


_AMOUNTS: Final[tuple[tuple[str, Callable[["Intent"], int], Callable[[int], str]], ...]] = (
    ("cpu", _cpu, format_cpu),
    ("memory", _memory, format_memory),
    ("storage", _storage, format_memory),
)


def _check_amounts(free: Iterable[int | None], running: Sequence[Use]) -> Violations:
    """What is asked fits into what is left; what is not known to be left fits nothing."""
    last = running[-1]
    for (what, asked, show), left in zip(_AMOUNTS, free, strict=True):
        taken = sum(asked(guest.intent) for guest in running)
        if taken and (left is None or taken > left):
            shown = "an unknown amount" if left is None else show(left)
            found = f"{show(taken)} of {what} asked on a node of {last.offer.id} that has {shown} left"
            yield Violation("capacity", last.row.path, found)


def _all(offer: "Offer") -> Iterator[int | None]:
    """Return the cores, memory and storage of an unused node; None where they are unknown."""
    for name in ("cpu_milli", "memory_mib", "storage_mib"):
        yield offer.whole(name)


def _left(inventory: "Inventory", group: int, offer: "Offer") -> Iterator[int | None]:
    """Return what a node has left of cores, memory and storage; None where it is unknown."""
    for column in (inventory.groups.free_cpu_milli, inventory.groups.free_memory_mib):
        left = int(column[group])
        yield None if left < 0 else left
    yield offer.whole("storage_mib")  # ELASTIC_STORAGE is more than anyone can ask for
