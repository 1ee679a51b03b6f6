"""What the GPUs of one node hold: whole GPUs, sets that are linked well enough, and shares.

A GPU serves whole tasks or shares, never both. Shares do not care which of the wholly free GPUs they get, so
tasks fit exactly when the wholly free GPUs that the shares need at least and those of the whole tasks are no
more than there are, and the tasks that want certain sets find disjoint ones.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from flare_core.candidates.inside import Cut, is_shared, partly_free
from flare_core.inventory.kinds import read_kind
from flare_core.inventory.types import ELASTIC, IntArray, Inventory
from flare_core.placement.packing import Ask, Packing, Problem
from flare_core.sharing.cards import MILLI, card_of, milli
from flare_core.sharing.nodes import fresh_needed
from flare_core.sharing.states import free_milli
from flare_core.sharing.types import Card, Want
from flare_core.topology.charts import Claim, can_seat


class Guest(NamedTuple):
    """Tasks of one intent on a node, in seats of its entry `g` of the node's group, or of any grade."""

    ask: Ask
    g: int
    tasks: int
    any_grade: bool = False

    @property
    def cut(self) -> Cut | None:
        """The share that a task takes of a GPU; None for whole GPUs."""
        code = int(self.ask.found.cut[self.ask.found.group_candidate[self.g]])
        return None if code < 0 else self.ask.found.cuts[code]

    @property
    def sets(self) -> tuple[int, ...]:
        """The sets of GPUs that a task may take; none named where any will do."""
        found = self.ask.found
        mine = np.flatnonzero(found.group == found.group[self.g]) if self.any_grade else [self.g]
        codes = [int(found.group_sets[g]) for g in mine]
        if min(codes) < 0:
            return ()
        return tuple(sorted(mask for code in codes for mask in found.sets[code]))

    @property
    def want(self) -> Want | None:
        """What the tasks want of the GPUs that are cut; None where they take whole ones."""
        cut, share = self.cut, self.ask.needs.share
        if cut is None or share is None:
            return None
        return Want(cut.share, self.ask.needs.gpus, self.tasks, share.apart)


def taken_milli(ask: Ask) -> IntArray:
    """Return what a task takes on each candidate, thousandths of a GPU."""
    found = ask.found
    cuts = [MILLI if cut is None else milli(cut.card, cut.share) for cut in found.cuts]
    return ask.needs.gpus * np.array([*cuts, MILLI], np.int64)[found.cut]


def gpus_hold(inventory: Inventory, group: int, guests: Iterable[Guest]) -> bool:
    """Whether the GPUs of a node of a group hold all guests."""
    using = [guest for guest in guests if guest.tasks and guest.ask.needs.gpus]
    free = max(0, int(inventory.groups.free_gpus[group]))
    cut = next((guest.cut for guest in using if guest.cut is not None), None)
    left = free - sum(guest.ask.needs.gpus * guest.tasks for guest in using if guest.cut is None)
    if left < 0:
        return False
    if cut is not None:
        partial = tuple(partly_free(inventory, group, cut.card).values())
        wants = tuple(want for guest in using if (want := guest.want) is not None)
        if fresh_needed(cut.card, partial, left, wants) is None:
            return False
    claims = tuple(Claim(g.ask.needs.gpus, g.tasks, g.sets) for g in using if g.sets)
    return not claims or can_seat(free_set(inventory, group), claims)


def free_set(inventory: Inventory, group: int) -> int:
    """Return the wholly free GPUs of a node of a group, as a bit set."""
    count = int(inventory.whole["gpu_count"][inventory.groups.offer[group]])
    return sum(1 << gpu for gpu in inventory.groups.free_indices(group, count))


def free_milli_of(inventory: Inventory, groups: IntArray) -> IntArray:
    """Return what a node of each of some groups has free, thousandths of a GPU; 0 for elastic offers.

    Parts count where parts are sold.
    """
    amounts: IntArray = MILLI * np.maximum(inventory.groups.free_gpus[groups], 0)
    partly = {*inventory.groups.milli, *inventory.groups.mig}
    if partly:
        for at in np.flatnonzero(np.isin(groups, list(partly))).tolist():
            group = int(groups[at])
            card = card_at(inventory, group)
            if card is not None:
                states = partly_free(inventory, group, card).values()
                amounts[at] += sum(free_milli(card, state) for state in states)
    return np.where(inventory.groups.count[groups] == ELASTIC, 0, amounts)


def card_at(inventory: Inventory, group: int) -> Card | None:
    """Return how the GPUs of a node are shared; None where they are not."""
    text = inventory.label["gpu_kind"][int(inventory.groups.offer[group])]
    kind = None if text is None else read_kind(text)
    if kind is None or not is_shared(kind):
        return None
    return card_of(kind.gpu_model, kind.gpu_memory_mib, kind.strategy, kind.sharing_slots)


def left_milli(problem: Problem, packing: Packing) -> Iterator[int]:
    """Yield the fragmentation, node by node: what a touched node has left, thousandths of a GPU.

    It is the capacity that the plan breaks into and does not use. Offers that never run out leave nothing.
    """
    taken: dict[tuple[int, int], int] = {}
    for ask, loads in zip(problem.asks, packing, strict=True):
        each = taken_milli(ask)
        for load in loads:
            node = (int(ask.found.group[load.group]), load.node)
            taken[node] = taken.get(node, 0) + load.tasks * int(each[load.candidate])
    touched = sorted({group for group, _ in taken})
    free = dict(
        zip(touched, free_milli_of(problem.inventory, np.array(touched, np.int64)).tolist(), strict=True)
    )
    for (group, _), amount in taken.items():
        if problem.inventory.groups.count[group] != ELASTIC:
            yield free[group] - amount
