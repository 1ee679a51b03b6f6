"""Nodes: that they exist and have room for all that is put on them, across all intents.

A node is looked at when something on it starts, with everything that runs at that moment.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flare_core.quantities import format_cpu, format_memory
from flare_core.verify.gpus import check_gpus, gpus_of
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


def check_capacity(inventory: "Inventory", uses: Sequence[Use]) -> Violations:
    """Check every node that the plan uses."""
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
            yield from _check_node(inventory, group, guests)


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


def _check_node(inventory: "Inventory", group: int, guests: Sequence[Use]) -> Violations:
    if guests[0].offer.billed_whole:
        yield from _check_whole(bool(inventory.groups.fresh[group]), guests)
    gpus = gpus_of(inventory, group, guests[0].offer)
    for moment in sorted({guest.row.start for guest in guests}):
        running = [guest for guest in guests if guest.row.runs_at(moment)]
        if running:
            yield from check_gpus(gpus, running, moment)
            yield from _check_amounts(inventory, group, running)


def _check_whole(fresh: bool, guests: Sequence[Use]) -> Violations:
    """A node that is paid whole belongs to one intent, was unused, and is bought in one way."""
    path, offer = guests[0].row.path, guests[0].offer.id
    if not fresh:
        yield Violation("billing", path, f"a node of {offer} is billed whole and used already")
    if _shared(guests):
        yield Violation("billing", path, f"a node of {offer} is billed whole and given to several intents")
    if len({guest.row.spot for guest in guests}) > 1:
        yield Violation("billing", path, f"a node of {offer} is billed whole and both spot and on-demand")


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


def _check_amounts(inventory: "Inventory", group: int, running: Sequence[Use]) -> Violations:
    """What is asked fits into what is left; what is not known to be left fits nothing."""
    last = running[-1]
    for (what, asked, show), left in zip(_AMOUNTS, _left(inventory, group, last.offer), strict=True):
        taken = sum(asked(guest.intent) for guest in running)
        if taken and (left is None or taken > left):
            shown = "an unknown amount" if left is None else show(left)
            found = f"{show(taken)} of {what} asked on a node of {last.offer.id} that has {shown} left"
            yield Violation("capacity", last.row.path, found)


def _left(inventory: "Inventory", group: int, offer: "Offer") -> Iterator[int | None]:
    """Return what a node has left of cores, memory and storage; None where it is unknown."""
    for column in (inventory.groups.free_cpu_milli, inventory.groups.free_memory_mib):
        left = int(column[group])
        yield None if left < 0 else left
    yield offer.whole("storage_mib")  # ELASTIC_STORAGE is more than anyone can ask for
