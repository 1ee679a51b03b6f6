"""What is bought of which flavor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.cluster import Json
from flare_core.adapters.fluidos.deploy import demand
from flare_core.adapters.fluidos.deploy.groups import Ordered
from flare_core.inventory.fluidos import Sold
from flare_core.inventory.reading import quantity
from flare_core.inventory.types import Inventory
from flare_core.quantities import format_memory

DISK = ("ephemeral-storage", "storage")


@dataclass(frozen=True, slots=True)
class Lot:
    """What is bought of one node of one offer: one flavor, one contract, one virtual node.

    Attributes
    ----------
    index
        Its number in the order, part of the names of its objects.
    offer, node
        Which capacity it is.
    wants
        Quantities by resource, as Kubernetes writes them.
    gpu_model, gpus
        What of its GPUs is bought; None and 0 without.
    """

    index: int
    offer: str
    node: int
    wants: Mapping[str, str]
    gpu_model: str | None
    gpus: int

    @property
    def key(self) -> str:
        """As a deployment names the node."""
        return names.node_key(self.offer, self.node)

    @property
    def capacity(self) -> tuple[tuple[str, int | None], ...]:
        """As a refusal names it."""
        return ((self.offer, self.node),)

    @property
    def disk(self) -> str | None:
        """Local disk and volumes together; None without."""
        total = sum(amount(self.wants.get(key)) for key in DISK)
        return format_memory(int(total) >> 20) if total else None

    def extras(self) -> dict[str, str]:
        """Return what FLUIDOS does not ask Liqo for by itself: GPUs."""
        return {key: value for key, value in self.wants.items() if "/" in key}


def lots_of(order: Ordered, slots: Mapping[str, int] | None = None) -> tuple[Lot, ...]:
    """Return the lots of an order, by offer and node: their numbers are the same in every attempt."""
    wanted = demand(order, slots=slots)
    seats = order.placement["assignments"]
    places = sorted({(str(seat["offer"]), int(seat["node"])) for seat in seats})
    found = []
    for index, (offer, node) in enumerate(places):
        here = [seat for seat in seats if (seat["offer"], seat["node"]) == (offer, node)]
        gpus = {gpu for seat in here for gpu in seat["gpus"]}
        model = next((seat["gpu_model"] for seat in here if seat["gpu_model"]), None)
        found.append(Lot(index, offer, node, wanted[names.node_key(offer, node)], model, len(gpus)))
    return tuple(found)


def slots_of(inventory: Inventory | None, offers: Iterable[str]) -> dict[str, int]:
    """Return the slots of one GPU of those offers that share theirs by time-slicing or MPS."""
    if inventory is None:
        return {}
    of_all = dict(zip(inventory.ids, inventory.whole["sharing_slots"], strict=True))
    return {offer: int(of_all[offer]) for offer in sorted(offers) if of_all.get(offer, 0) > 1}


def sold(contract: Json) -> Sold | None:
    """Return which GPUs a contract takes of its flavor; None where it takes it whole, or none of them."""
    spec = contract["spec"]
    data = (spec.get("configuration") or {}).get("data")
    had = spec["flavor"]["spec"]["flavorType"]["typeData"].get("characteristics") or {}
    gpu = had.get("gpu") or {}
    count = int(amount(((data or {}).get("gpu") or {}).get("count")))
    if data is None or not count:
        return None
    left = amount(had.get("cpu")) - amount(data.get("cpu"))
    return Sold(
        flavor=spec["flavor"]["metadata"]["name"],
        node_id=spec["seller"]["nodeID"],
        model=str(gpu.get("model", "")),
        gpus=count,
        advertised=int(amount(gpu.get("count"))),
        cpu_left_milli=int(left * 1000),
    )


def amount(value: object) -> Fraction:
    """Read a quantity; what is none counts as nothing."""
    return quantity(value) or Fraction(0)


def lacks(wanted: Mapping[str, str], given: Mapping[str, object]) -> dict[str, str]:
    """Return what of `wanted` is not, or not in full, in `given`."""
    return {key: value for key, value in wanted.items() if amount(given.get(key)) < amount(value)}
