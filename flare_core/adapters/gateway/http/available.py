"""What of an inventory is free, as the API tells it: by model, memory, place, provider and price."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from flare_core.adapters.gateway.http.models import AvailableGpus
from flare_core.catalog.regions import location_countries
from flare_core.inventory.types import ELASTIC, UNKNOWN, Inventory
from flare_core.quantities import format_eur, format_memory

_ENDLESS = -1


class _Kind(NamedTuple):
    """What makes GPUs one kind: equal ones are counted together."""

    model: str
    memory_mib: int
    location: str
    provider: str
    each_ueur: int
    spot_ueur: int


def available(
    free: Inventory, model: str | None = None, provider: str | None = None, location: str | None = None
) -> tuple[AvailableGpus, ...]:
    """Return the GPUs that are wholly free.

    Parameters
    ----------
    free
        The inventory less what is booked.
    model, provider, location
        Only these; a location is a location class, an ISO country code, or a provider region or its
        beginning up to a dash, as in intents.

    Notes
    -----
    On a node that is billed whole GPUs are free only where the node is not used at all. A price is that of
    one GPU: the node's by the number of its GPUs, rounded up to the micro-euro. Offers that have as many
    nodes as one pays for have no count.
    """
    rows = [row for row in range(len(free)) if _matches(free, row, model, provider)]
    if location is not None and location != "any":
        lies_there = _place(location)
        rows = [row for row in rows if lies_there(free, row)]
    counts = _counts(free)
    kinds: dict[_Kind, list[int]] = defaultdict(list)
    for row in rows:
        if counts[row]:
            kinds[_kind(free, row)].append(row)
    return tuple(_told(free, kind, kinds[kind], counts) for kind in sorted(kinds))


def _matches(free: Inventory, row: int, model: str | None, provider: str | None) -> bool:
    own_model, own_provider = free.label["gpu_model"][row], free.label["provider"][row] or ""
    return own_model is not None and (
        model in (None, "any", own_model)
        and (provider is None or provider.casefold() == own_provider.casefold())
    )


def _place(location: str) -> Callable[[Inventory, int], bool]:
    countries, wanted = location_countries(location), location.casefold()

    def lies_there(free: Inventory, row: int) -> bool:
        if countries is not None:
            return free.label["country"][row] in countries
        region = (free.label["region"][row] or "").casefold()
        return region == wanted or region.startswith(f"{wanted}-")

    return lies_there


def _counts(free: Inventory) -> dict[int, int]:
    """Return the free GPUs of each offer, ``_ENDLESS`` where they never run out."""
    counts: dict[int, int] = defaultdict(int)
    groups = free.groups
    for group in range(len(groups)):
        row, nodes, gpus = (int(column[group]) for column in (groups.offer, groups.count, groups.free_gpus))
        whole = free.label["billing"][row] != "gpu"
        if nodes == ELASTIC:
            counts[row] = _ENDLESS if gpus else 0
        elif gpus > 0 and not (whole and not groups.fresh[group]):
            counts[row] += nodes * gpus
    return counts


def _kind(free: Inventory, row: int) -> _Kind:
    each = int(free.whole["gpu_count"][row])
    hourly, spot = (int(free.whole[name][row]) for name in ("hourly_ueur", "spot_ueur"))
    return _Kind(
        model=free.label["gpu_model"][row] or "",
        memory_mib=int(free.whole["gpu_memory_mib"][row]),
        location=free.label["region"][row] or "",
        provider=free.label["provider"][row] or "",
        each_ueur=-(-hourly // each),
        spot_ueur=UNKNOWN if spot == UNKNOWN else -(-spot // each),
    )


def _told(free: Inventory, kind: _Kind, rows: list[int], counts: dict[int, int]) -> AvailableGpus:
    endless = any(counts[row] == _ENDLESS for row in rows)
    return AvailableGpus(
        model=kind.model,
        count=None if endless else sum(counts[row] for row in rows),
        memory=None if kind.memory_mib == UNKNOWN else format_memory(kind.memory_mib),
        location=kind.location,
        cost_per_hour=format_eur(kind.each_ueur),
        spot_cost_per_hour=None if kind.spot_ueur == UNKNOWN else format_eur(kind.spot_ueur),
        provider=kind.provider,
        offers=tuple(_ids(free, rows)),
    )


def _ids(free: Inventory, rows: list[int]) -> Iterator[str]:
    return (free.ids[row] for row in rows)
