"""What every screen looks at: the offers, the needs, and what both together say about each offer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flare_core.candidates import pricing
from flare_core.candidates.inside import Inside
from flare_core.inventory.types import IntArray, Inventory, Labels, Mask
from flare_core.requirements.types import Requirements


@dataclass(frozen=True, slots=True)
class View:
    """One intent's look at an inventory; arrays are aligned with its rows.

    Attributes
    ----------
    price_ueur
        Hourly price of a whole node as bought, micro-EUR; -1 where it cannot be bought.
    by_node
        Billed by the node, which is so where nothing else is said.
    plain
        Whether node group ``g`` is offer ``g``: no offer has nodes that differ.
    first, next
        The first node group of each offer (every offer has one), and the first of the offer after it.
    later
        The node groups that are not the first of their offer.
    usable
        Node groups that may be used: there are nodes, and on offers billed by the node nothing runs there
        yet; None where that is all of them.
    inside
        What tasks could take of the GPUs.
    """

    inventory: Inventory
    needs: Requirements
    price_ueur: IntArray
    by_node: Mask
    plain: bool
    first: IntArray
    next: IntArray
    later: IntArray
    usable: Mask | None
    inside: Inside

    @classmethod
    def of(cls, inventory: Inventory, needs: Requirements) -> "View":
        """Look at `inventory` with the eyes of `needs`."""
        by_node = ~named(inventory.label["billing"], "gpu".__eq__)
        groups = inventory.groups
        plain = len(groups) == len(inventory)
        first, following, later = _runs(groups.offer)
        owners = by_node if plain else by_node[groups.offer]
        usable = (groups.count != 0) & (groups.fresh | ~owners)
        return cls(
            inventory=inventory,
            needs=needs,
            price_ueur=pricing.bought_at(inventory, needs),
            by_node=by_node,
            plain=plain,
            first=first,
            next=following,
            later=later,
            usable=None if usable.all() else usable,
            inside=Inside(inventory, needs),
        )

    def any_group(self, groups: Mask) -> Mask:
        """Return the offers that have at least one of `groups`."""
        if self.plain:
            return groups
        offers = groups[self.first]
        offers[self.inventory.groups.offer[self.later[groups[self.later]]]] = True
        return offers

    def mixed(self) -> IntArray:
        """Return the node groups of the offers that have several."""
        owner = self.inventory.groups.offer
        return np.flatnonzero(self.offers(owner[self.later])[owner])

    def offers(self, rows: IntArray) -> Mask:
        """Return the offers `rows` as a mask."""
        mask = np.zeros(len(self.inventory), np.bool_)
        mask[rows] = True
        return mask


def _runs(owner: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return where each run of equal owners begins and ends, and all places but the beginnings."""
    begins = np.ones(len(owner) + 1, np.bool_)
    np.not_equal(owner[1:], owner[:-1], out=begins[1:-1])
    edges = np.flatnonzero(begins)
    return edges[:-1], edges[1:], np.flatnonzero(~begins)


def named(labels: Labels, wanted: Callable[[str], bool]) -> Mask:
    """Return the rows whose name is known and `wanted`; quick where that is no name, one or all."""
    codes = [code for code, name in enumerate(labels.values) if wanted(name)]
    rows: Mask
    if not codes:
        rows = np.zeros(len(labels), np.bool_)
    elif len(codes) == 1:
        rows = labels.codes == codes[0]
    elif len(codes) == len(labels.values):
        rows = labels.codes >= 0
    else:
        table = np.zeros(len(labels.values) + 1, np.bool_)  # the last place answers for unknown, code -1
        table[codes] = True
        rows = table.take(labels.codes)
    return rows
