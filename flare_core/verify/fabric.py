"""How far apart the nodes of a gang lie in the fabric, and what the way between them costs.

A place in the fabric is a path from the top (room, spine, leaf). Nodes of one offer share all of its path; a
node whose path is unknown shares with others of its (provider, region, zone) that alone, and nothing with
anyone else.
"""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from flare_core.verify.told import Row

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.inventory.types import Inventory
    from flare_core.verify.offers import Offer

Node = tuple[int, int]
Used = Sequence[tuple[Row, "Offer"]]


def node_of(row: Row, offer: "Offer") -> Node:
    """Return what tells the node of a row from every other."""
    return offer.row, row.node


def path_of(offer: "Offer") -> tuple[str, ...] | None:
    """Return the names from the top of the fabric down to an offer's nodes; None where they are unknown."""
    text = offer.text("fabric_path")
    return None if text is None else tuple(json.loads(text))


def one_infiniband(offers: Iterable["Offer"]) -> bool:
    """Whether all offers lie in one fabric, and it is InfiniBand."""
    offers = list(offers)
    tops = {path[0] if (path := path_of(offer)) else None for offer in offers}
    kinds = {offer.text("fabric_interconnect") for offer in offers}
    return len(tops) == 1 and None not in tops and kinds == {"infiniband"}


def is_gang(intent: "Intent", used: Used) -> bool:
    """Whether several tasks of a job talk to each other from more than one node."""
    return intent.workload.type == "job" and len({node_of(*each) for each in used}) > 1


def span(intent: "Intent", used: Used) -> int:
    """Return how many levels of the fabric lie between a gang's nodes: 1 where all share the whole path.

    0 on one node, and for tasks that do not talk to each other. There are as many levels as the longest path
    of any offer has; below the end of a shorter path its nodes stay together.
    """
    if not is_gang(intent, used):
        return 0
    depth = depth_of(used[0][1].inventory)
    offers = {node_of(row, offer): offer for row, offer in used}.values()
    places = [_place(offer, depth, alone) for alone, offer in enumerate(offers)]
    shared = 0
    while shared < depth and len({place[shared] for place in places}) == 1:
        shared += 1
    return 1 + depth - shared


def _place(offer: "Offer", depth: int, alone: int) -> tuple[object, ...]:
    """Return a node's place, level by level; what is unknown is nobody else's, but for the failure domain."""
    path = path_of(offer)
    if path is None:
        where = tuple(offer.text(column) for column in ("provider", "region", "zone"))
        return (where, *[alone] * depth)
    return tuple(path[: level + 1] for level in range(depth))


def depth_of(inventory: "Inventory") -> int:
    """Return how many levels the fabric has: those of the longest path of any offer, at least 1."""
    return max((len(json.loads(text)) for text in inventory.label["fabric_path"].values), default=1)
