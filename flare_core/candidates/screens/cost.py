"""Cost: what can be bought at all, and what one task alone costs.

``constraints.max_hourly_cost`` and ``max_total_cost`` bound the whole placement, which is the model's matter;
an offer on which a single task breaks them can be left out at once.
"""

import numpy as np

from flare_core.candidates import pricing
from flare_core.candidates.screens.screen import Screen, amount
from flare_core.candidates.view import View
from flare_core.inventory.types import Mask
from flare_core.quantities import format_eur, format_rate
from flare_core.requirements.types import Limit


def _unpriced(view: View, limit: Limit) -> Mask:
    # Without permission for spot, an offer that has only that is the matter of the rule "spot".
    unsold = view.price_ueur < 0
    missing = unsold if view.needs.spot else unsold & ~_sold_as_spot(view)
    missing = missing | (view.price_ueur > pricing.dearest_ueur(view.needs))
    for column in pricing.shared_columns(view.needs):  # no share of a node whose size nobody knows
        missing |= ~view.by_node & (view.inventory.whole[column] < 0)
    flags = view.inventory.label["price_flag"]
    return missing | (flags.codes >= 0) if flags.values else missing


def _spot_only(view: View, limit: Limit) -> Mask | None:
    if view.needs.spot:
        return None
    return (view.price_ueur < 0) & _sold_as_spot(view)


def _sold_as_spot(view: View) -> Mask:
    """Return the offers that have a price for spot, wanted or not."""
    plain: Mask = view.inventory.whole["spot_ueur"] >= 0
    series = view.inventory.label["spot_series"]
    return plain | (series.codes >= 0) if series.values else plain


def _over_hourly(view: View, limit: Limit) -> Mask:
    return _over(view, int(amount(limit)))


def _over_total(view: View, limit: Limit) -> Mask | None:
    if view.needs.length_s is None:
        return None
    return _over(view, pricing.hourly_bound(int(amount(limit)), view.needs.length_s))


def _over(view: View, bound: int) -> Mask:
    if view.needs.share is None or not view.inside.cuts_some:
        return pricing.dearer_than(bound, view.needs, view.inventory, view.price_ueur, view.by_node)
    every = np.arange(len(view.inventory))
    parts = view.inside.parts(every)
    price = pricing.task_ueur(view.needs, view.inventory, every, view.price_ueur, view.by_node, parts)
    return price > bound


COST: tuple[Screen, ...] = (
    Screen("price", _unpriced, lambda limit: "a price that can be believed"),
    Screen("spot", _spot_only, lambda limit: "on-demand capacity"),
    Screen("hourly-cost", _over_hourly, lambda limit: f"at most {format_rate(int(amount(limit)))} in all"),
    Screen("total-cost", _over_total, lambda limit: f"at most {format_eur(int(amount(limit)))} in all"),
)
