"""How far apart the nodes of a gang lie in the fabric, and what the way between them costs.

A place in the fabric is a path from the top (room, spine, leaf). Nodes of one offer share all of its path; a
node whose path is unknown shares with others of its (provider, region, zone) that alone, and nothing with
anyone else.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from flare_core.verify.offers import Offer, rules_of
from flare_core.verify.told import Row

if TYPE_CHECKING:
    from flare_core.intent.types import Intent

Node = tuple[int, int]
Used = Sequence[tuple[Row, Offer]]


def node_of(row: Row, offer: Offer) -> Node:
    """Return what tells the node of a row from every other."""
    return offer.row, row.node


def path_of(offer: Offer) -> tuple[str, ...] | None:
    """Return the names from the top of the fabric down to an offer's nodes; None where they are unknown."""
    text = offer.text("fabric_path")
    return None if text is None else tuple(json.loads(text))


def one_infiniband(offers: Iterable[Offer]) -> bool:
    """Whether all offers lie in one fabric, and it is InfiniBand."""
    offers = list(offers)
    tops = {path[0] if (path := path_of(offer)) else None for offer in offers}
    kinds = {offer.text("fabric_interconnect") for offer in offers}
    return len(tops) == 1 and None not in tops and kinds == {"infiniband"}


def is_gang(intent: "Intent", used: Used) -> bool:
    """Whether several tasks of a job talk to each other from more than one node."""
    return intent.workload.type == "job" and len({node_of(*each) for each in used}) > 1


def span(used: Used, depth: int) -> int:
    """Return how many levels of the fabric lie between a gang's nodes: 1 where all share the whole path.

    Parameters
    ----------
    used
        Of at least two nodes.
    depth
        The number of levels; below the end of a shorter path its nodes stay together.
    """
    offers = {node_of(row, offer): offer for row, offer in used}.values()
    places = [_place(offer, depth, alone) for alone, offer in enumerate(offers)]
    shared = 0
    while shared < depth and len({place[shared] for place in places}) == 1:
        shared += 1
    return 1 + depth - shared


def _place(offer: Offer, depth: int, alone: int) -> tuple[object, ...]:
    """Return a node's place, level by level; what is unknown is nobody else's, but for the failure domain."""
    path = path_of(offer)
    if path is None:
        where = tuple(offer.text(column) for column in ("provider", "region", "zone"))
        return (where, *([alone] * (depth - 1)))
    return tuple(path[: level + 1] for level in range(depth))


def depths(intent: "Intent", used: Used) -> Iterator[int]:
    """Yield how many levels the fabric may have: that of the longest path among the intent's candidates.

    Which offers were candidates also depends on room, which other intents may have taken; so every length
    that an offer has which keeps the intent's rules will do, from that of the longest path used.
    """
    here = max((len(path) for _, offer in used if (path := path_of(offer))), default=1)
    yield here
    inventory, origin = used[0][1].inventory, used[0][1].origin
    labels, rules = inventory.label["fabric_path"], rules_of(intent)
    longer: dict[int, list[int]] = {}
    for code, text in enumerate(labels.values):
        longer.setdefault(len(json.loads(text)), []).append(code)
    for length in sorted(length for length in longer if length > here):
        rows = np.flatnonzero(np.isin(labels.codes, longer[length])).tolist()
        offers = (Offer(inventory, row, origin) for row in rows)
        if any(all(rule.broken_by(offer) is None for rule in rules) for offer in offers):
            yield length
