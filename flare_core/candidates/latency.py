"""Network latency where offers do not state it: estimated from where the consumer sits."""

from dataclasses import replace

import numpy as np

from flare_core.catalog.regions import Point, distance_km, estimate_latency_ms, region
from flare_core.inventory.types import Inventory, freeze


def with_latency(inventory: Inventory, origin: Point | None) -> Inventory:
    """Return `inventory` with unknown latencies estimated from the great-circle distance.

    An estimate counts as known and is marked in ``latency_estimated``. It needs both places: offers in a
    region that the catalog does not know keep an unknown latency.

    Parameters
    ----------
    origin
        Latitude and longitude of the consumer, degrees; None estimates nothing.
    """
    stated = inventory.number["latency_ms"]
    unknown = np.isnan(stated)
    if origin is None or not unknown.any():
        return inventory
    provider, place = inventory.label["provider"], inventory.label["region"]
    # Asked once for each pair of provider and region that occurs; the last column is the unknown region.
    width = len(place.values) + 1
    pair = provider.codes.astype(np.int64) * width + place.codes % width
    occurs = np.zeros(len(provider.values) * width, np.bool_)
    occurs[pair[unknown]] = True
    estimates = np.full(len(occurs), np.nan)
    for code in np.flatnonzero(occurs).tolist():
        p, r = divmod(code, width)
        here = region(provider.values[p], place.values[r]) if r < len(place.values) else None
        if here is not None:
            estimates[code] = estimate_latency_ms(distance_km(origin, (here.lat, here.lon)))
    latency = np.where(unknown, estimates[pair], stated)
    estimated = np.where(unknown & ~np.isnan(latency), 1, inventory.flag["latency_estimated"])
    return replace(
        inventory,
        number=freeze({**inventory.number, "latency_ms": latency}),
        flag=freeze({**inventory.flag, "latency_estimated": estimated.astype(np.int8)}),
    )
