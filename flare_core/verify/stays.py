"""Whether placements that are there still have room where an inventory has changed under them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from flare_core.quantities import parse_moment
from flare_core.verify.capacity import Use, check_capacity
from flare_core.verify.offers import Offer
from flare_core.verify.terms import given_way
from flare_core.verify.told import HasDocument, Placed, Row, read_told

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.inventory.types import Inventory


def without_room(
    plan: HasDocument | Mapping[str, object],
    intents: Sequence["Intent"],
    inventory: "Inventory",
    now: str | datetime,
) -> tuple[str, ...]:
    """Return the intents of a plan whose placements an inventory has no room for, beside those before them.

    A placement loses its room where its offer or node is gone, has another model of GPU, or has become too
    small for those before it and itself. What has ended needs none. Prices and whatever else was judged when
    it was placed are not looked at again.

    Parameters
    ----------
    intents
        All that the plan places.
    inventory
        What there is without the plan.
    """
    moment = parse_moment(now).replace(microsecond=0)
    document = plan if isinstance(plan, Mapping) else plan.to_dict()
    named = {intent.workload.name: intent for intent in intents}
    there: dict[tuple[str, int], list[Use]] = defaultdict(list)
    lost: list[str] = []
    for placed in read_told(document).placements:
        rows = [row for row in placed.rows if row.end is None or row.end > moment]
        if placed.status != "placed" or not rows:
            continue
        given = given_way(named[placed.intent], placed.relaxed, placed.path, offered=False)
        uses = _uses(given.intent, placed, rows, inventory)
        nodes = {(row.offer, row.node) for row in rows}
        beside = [use for node in sorted(nodes) for use in there[node]]
        if uses is None or any(check_capacity(inventory, [*beside, *uses])):
            lost.append(placed.intent)
            continue
        for use in uses:
            there[use.row.offer, use.row.node].append(use)
    return tuple(lost)


def _uses(intent: "Intent", placed: Placed, rows: Sequence[Row], inventory: "Inventory") -> list[Use] | None:
    """Return what rows use; None where an offer is gone or has other GPUs."""
    uses: list[Use] = []
    for row in rows:
        if row.offer not in inventory.ids:
            return None
        offer = Offer(inventory, inventory.row(row.offer))
        if row.gpu_model is not None and offer.text("gpu_model") != row.gpu_model:
            return None
        if any(gpu >= (offer.whole("gpu_count") or 0) for gpu in row.gpus):
            return None
        uses.append(Use(intent, placed.path, row, offer))
    return uses
