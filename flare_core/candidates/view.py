"""What every screen looks at: the offers, the needs, and what both together say about each offer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flare_core.candidates import pricing
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
    first, later
        The first node group of each offer (every offer has one), and all others.
    usable
        Node groups that may be used: there are nodes, and on offers billed by the node nothing runs there
        yet; None where that is all of them.
    """

    inventory: Inventory
    needs: Requirements
    price_ueur: IntArray
    by_node: Mask
    plain: bool
    first: IntArray
    later: IntArray
    usable: Mask | None

    @classmethod
    def of(cls, inventory: Inventory, needs: Requirements) -> "View":
        """Look at `inventory` with the eyes of `needs`."""
        by_node = ~named(inventory.label["billing"], "gpu".__eq__)
        groups = inventory.groups
        plain = len(groups) == len(inventory)
        first, later = (groups.offer, _NO_ROWS) if plain else _firsts(groups.offer)
        owners = by_node if plain else by_node[groups.offer]
        usable = (groups.count != 0) & (groups.fresh | ~owners)
        return cls(
            inventory=inventory,
            needs=needs,
            price_ueur=pricing.bought_at(inventory, needs.spot),
            by_node=by_node,
            plain=plain,
            first=first,
            later=later,
            usable=None if usable.all() else usable,
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


_NO_ROWS: IntArray = np.zeros(0, np.int64)


def _firsts(owner: IntArray) -> tuple[IntArray, IntArray]:
    """Return the first of each run of equal owners, and the others."""
    begins = np.ones(len(owner), np.bool_)
    np.not_equal(owner[1:], owner[:-1], out=begins[1:])
    return np.flatnonzero(begins), np.flatnonzero(~begins)


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
