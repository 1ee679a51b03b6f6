"""Offers written as FLUIDOS Flavors, such that reading them gives the same offers.

A flavor is one node, so an offer of several nodes becomes several flavors. Each is written in FLUIDOS's own
fields and then read: whatever comes out different, or not at all, is stated once more under
``additionalProperties``, by the path of the offer document. So nothing that both know is lost, whatever the
fields of a GPU object can hold.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.kinds import FLAVOR
from flare_core.adapters.fluidos.settings import Identity
from flare_core.errors import InventoryError
from flare_core.inventory.fields import BY_PATH, parse_value
from flare_core.inventory.flavors import K8SLICE, flavor_facts
from flare_core.inventory.reading import Reading
from flare_core.inventory.types import Inventory
from flare_core.inventory.write import offer_document
from flare_core.quantities import parse_bandwidth_gbps, parse_clock_mhz

Json = dict[str, Any]

DOMAIN: Final = "fluidos.eu"
_LONGEST_NAME: Final = 49
"""So that the name of the contract, and with it the host name of the virtual node, has 63 characters."""
_BY_NODE: Final = frozenset({"id", "nodes", "node_states"})
_WORDS: Final = (
    *("tier", "architecture", "topology", "interconnect", "fp32_tflops"),
    *("shared", "dedicated", "sharing_strategy"),
)


def flavors_of(
    inventory: Inventory,
    *,
    namespace: str = "fluidos",
    owners: Mapping[str, Identity] | None = None,
    elastic: int = 1,
) -> tuple[Json, ...]:
    """Return a flavor for each node of an inventory on which anything is free.

    Parameters
    ----------
    owners
        Who sells, by provider; made up of the provider's name where there is none.
    elastic
        Flavors of an offer that has as many nodes as one pays for.
    """
    found: list[Json] = []
    for row in range(len(inventory)):
        offer = flat_offer(inventory, row)
        nodes = inventory.value("nodes", row)
        count = elastic if nodes is None else int(nodes)
        states = {int(state["node"]): state for state in _states(offer)}
        for node in range(count):
            name = _flavor_name(inventory.ids[row], node, count)
            free = _free_of(offer, states.get(node))
            if free is not None:
                found.append(flavor_of(name, free, namespace=namespace, owner=_owner(offer, owners or {})))
    return tuple(found)


def flavor_of(name: str, offer: Mapping[str, Any], *, namespace: str, owner: Identity) -> Json:
    """Return the flavor of one node of an offer.

    Parameters
    ----------
    name
        Name of the flavor.
    offer
        By dotted path, as the offer document writes values; what is said of several nodes is left out.
    """
    data: Json = {
        "characteristics": _characteristics(offer),
        "properties": {},
        "policies": {"partitionability": _PARTITIONS},
    }
    spec: Json = {
        "providerID": owner.node_id,
        "flavorType": {"typeIdentifier": K8SLICE, "typeData": data},
        "owner": owner.to_dict(),
        "price": _price(offer),
        "availability": True,
        "networkPropertyType": "networkProperty",
    }
    extra = _unsaid(spec, name, offer)
    if extra:
        data["properties"]["additionalProperties"] = extra
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": FLAVOR.api_version, "kind": FLAVOR.kind, "metadata": metadata, "spec": spec}


def flat_offer(inventory: Inventory, row: int) -> Json:
    """Return one offer of an inventory by dotted path."""
    flat: Json = {}
    for key, value in offer_document(inventory, row).items():
        if isinstance(value, Mapping) and key not in BY_PATH:
            flat |= {f"{key}.{inner}": said for inner, said in value.items()}
        else:
            flat[key] = value
    return flat


_PARTITIONS: Final = {
    **{f"{what}Min": "0" for what in ("cpu", "memory", "pods", "gpu")},
    **{"cpuStep": "1", "memoryStep": "100Mi", "podsStep": "0", "gpuStep": "0"},
}


def _flavor_name(offer: str, node: int, count: int) -> str:
    own = offer if count == 1 else f"{offer}-{node}"
    return own if names.is_subdomain(own, _LONGEST_NAME) else names.name(own, limit=_LONGEST_NAME)


def _owner(offer: Json, owners: Mapping[str, Identity]) -> Identity:
    provider = str(offer["provider"])
    return owners.get(provider) or Identity(domain=DOMAIN, node_id=names.name(provider), ip="")


def _states(offer: Json) -> Iterator[Json]:
    yield from offer.get("node_states", ())


def _free_of(offer: Json, state: Json | None) -> Json | None:
    """Return an offer of what is free on one node; None where nothing is.

    A flavor knows whole GPUs only, and has the price of what it has.
    """
    if state is None:
        return offer
    free, count = len(state["free_gpus"]), offer.get("gpu.count", 0)
    if not free or offer.get("price.billing") == "node":
        return None
    left = {**offer, "gpu.count": free, "cpu": state.get("cpu"), "memory": state.get("memory")}
    for path in ("price.hourly", "price.spot_hourly"):
        if path in left:
            rate = BY_PATH[path]
            left[path] = f"{-(-int(parse_value(rate, left[path]) or 0) * free // count) / 10**6:f} EUR/hour"
    left.pop("gpu.links", None)
    return {path: value for path, value in left.items() if value is not None}


def _characteristics(offer: Mapping[str, Any]) -> Json:
    said: Json = {"architecture": "amd64", "cpu": offer.get("cpu", "0"), "memory": offer.get("memory", "0")}
    said |= {"pods": "110", "storage": "0"}
    if "gpu.model" in offer:
        said["gpu"] = _gpu(offer)
    return said


def _gpu(offer: Mapping[str, Any]) -> Json:
    """Return the GPU object as the controllers write it: totals of the node, region and zone swapped."""
    count = int(offer["gpu.count"])
    gpu: Json = {
        "vendor": str(offer["gpu.model"]).partition("-")[0],
        "model": offer["gpu.model"],
        "count": count,
        "cores": str(offer.get("gpu.cores", 0) * count),
        "memory": _times(offer.get("gpu.memory"), count),
        "clock_speed": "0",
        "interconnect_bandwidth": "0",
        "network_bandwidth": "0",
    }
    gpu |= {key: offer[f"gpu.{key}"] for key in _WORDS if f"gpu.{key}" in offer}
    if "gpu.clock_speed" in offer:
        gpu["clock_speed"] = _plain(parse_clock_mhz(offer["gpu.clock_speed"]), "M")
    for key, path in (
        ("interconnect_bandwidth", "gpu.interconnect_bandwidth"),
        ("network_bandwidth", "performance.network_bandwidth"),
    ):
        if path in offer:
            gpu[key] = _plain(parse_bandwidth_gbps(offer[path]))
    for key in ("compute_capability", "multi_gpu_efficiency"):
        if f"gpu.{key}" in offer:
            gpu[key] = str(float(offer[f"gpu.{key}"]))
    latency = offer.get("performance.latency_ms")
    if isinstance(latency, int) and latency > 0:
        gpu["network_latency_ms"] = latency
    if offer.get("gpu.sharing_strategy") == "mig":
        gpu["multi_instance"] = True
    return gpu | _market(offer)


def _market(offer: Mapping[str, Any]) -> Json:
    said = {"region": offer.get("zone"), "zone": offer["region"], "provider": offer["provider"]}
    said["hourly_rate"] = float(_price(offer)["amount"] or 0) or None
    if "price.hourly" not in offer:
        said["interruptible"] = True
    # A flag that is false is not written, nor is a text that is empty.
    return {key: value for key, value in said.items() if value is not None}


def _price(offer: Mapping[str, Any]) -> Json:
    stated = offer.get("price.hourly") or offer.get("price.spot_hourly")
    amount = str(stated).partition(" ")[0] if stated else ""
    return {"amount": amount, "currency": "EUR" if amount else "", "period": "hourly" if amount else ""}


def _times(memory: object, count: int) -> str:
    mib = parse_value(BY_PATH["gpu.memory"], memory) if memory is not None else None
    return f"{int(mib) * count}Mi" if mib is not None else "0"


def _plain(number: float, suffix: str = "") -> str:
    """Return a Kubernetes quantity, which is read to the thousandth."""
    whole = int(number) if number == int(number) else round(number, 3)
    return f"{whole}{suffix}"


def _unsaid(spec: Json, name: str, offer: Mapping[str, Any]) -> Json:
    """Return what reading the flavor does not give back."""
    try:
        read = flavor_facts(spec, name, Reading()).values
    except InventoryError:
        read = {}
    return {
        path: value
        for path, value in offer.items()
        if path not in _BY_NODE and not (path in read and _same(path, read[path][0], value))
    }


def _same(path: str, read: object, stated: object) -> bool:
    column = BY_PATH[path]
    return parse_value(column, read) == parse_value(column, stated)
