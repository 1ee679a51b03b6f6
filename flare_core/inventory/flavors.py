"""FLUIDOS Flavors of type K8Slice: one flavor is one node, offered by one provider.

The GPU object is read as the controllers write it, not as its names suggest: ``memory`` and ``cores`` are
those of all GPUs of the node, ``region`` holds the zone and ``zone`` the region, numbers may be text, and a
zero stands for "not known". What a provider wants to say beyond it stands under
``properties.additionalProperties`` by the dotted path of the offer document
(``"energy.carbon_intensity": 278``), which goes before everything else.

Source: https://github.com/fluidos-project/node and https://github.com/clastix/fluidos-node,
``apis/nodecore/v1alpha1`` and the local resource manager.
"""

import re
from collections.abc import Mapping
from typing import Final

from flare_core.catalog import gpus
from flare_core.errors import InventoryError, found_expected
from flare_core.inventory.cells import CellError
from flare_core.inventory.fields import BY_PATH
from flare_core.inventory.reading import (
    UNSTATED,
    Facts,
    Reading,
    country_of,
    known,
    mebibytes,
    plain_word,
    quantity,
    rate,
    truth,
    whole,
)

Object = Mapping[str, object]

K8SLICE: Final = "K8Slice"
TYPE_DATA: Final = "spec.flavorType.typeData"
ADDITIONAL: Final = f"{TYPE_DATA}.properties.additionalProperties"
_GPU: Final = f"{TYPE_DATA}.characteristics.gpu"
_REGION: Final = re.compile(r"[a-z]{2,}(-[a-z]+)*-?[0-9]+")
"""What a cloud's region looks like: ``eu-west-1``, ``europe-west4``; a zone has a letter more."""

_HOURLY: Final[Mapping[str, int]] = {
    **dict.fromkeys(("hour", "hourly", "h", "1h", "per-hour"), 1),
    **dict.fromkeys(("day", "daily", "d", "24h", "per-day"), 24),
}
_WORDS: Final = (
    ("tier", "tier", gpus.TIERS),
    ("interconnect", "interconnect", gpus.LINK_CLASSES),
    ("topology", "topology", ("all-to-all", "nvswitch", "ring", "mesh")),
)
_STRATEGIES: Final = ("mig", "mps", "time-slicing")


def part(data: object, *path: str) -> Object:
    """Return the object at a path, an empty one where there is none."""
    for name in path:
        data = data.get(name) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def flavor_facts(spec: Object, name: str, reading: Reading) -> Facts:
    """Return what a flavor says.

    Parameters
    ----------
    spec
        Its ``spec``; of type K8Slice.
    name
        Its name, which is the id of the offer.

    Raises
    ------
    InventoryError
        With a path in the flavor, at the first thing that no offer can have.
    """
    data = part(spec, "flavorType", "typeData")
    characteristics, properties = part(data, "characteristics"), part(data, "properties")
    gpu, extra = part(characteristics, "gpu"), _extra(part(properties, "additionalProperties"))
    facts = Facts()
    facts.say("id", name, "metadata.name")
    facts.say("nodes", 1, "spec")
    facts.say("price.billing", "gpu", "spec")
    for key in ("cpu", "memory"):
        if not _is_zero(characteristics.get(key)):
            facts.say(key, characteristics.get(key), f"{TYPE_DATA}.characteristics.{key}")
    _say_provider(facts, spec, gpu)
    _say_place(facts, gpu, reading)
    if "gpu.model" in extra or known(gpu.get("model")) or known(whole(gpu.get("count"))):
        say_gpu(facts, gpu, _GPU)
    _say_properties(facts, properties)
    for path, value in extra.items():
        facts.say(path, value, f"{ADDITIONAL}.{path}")
    say_price(facts, gpu, reading, f"{_GPU}.hourly_rate", price=part(spec, "price"))
    if reading.country_from_region and facts.get("country") is None:
        facts.say("country", country_of(str(facts.get("region"))), f"{_GPU}.zone")
    return facts


def say_gpu(facts: Facts, gpu: Object, at: str) -> None:
    """Take what a GPU object says, at a path in its object.

    Raises
    ------
    InventoryError
        If model or number are missing.
    """
    model, count = model_of(gpu), whole(gpu.get("count"))
    facts.say("gpu.model", model, f"{at}.model")
    facts.say("gpu.count", known(count), f"{at}.count")
    several = count if isinstance(count, int) and 0 < count <= 1024 else 1
    _say_amounts(facts, gpu, at, model, several)
    for key, path, words in _WORDS:
        facts.say_word(f"gpu.{path}", gpu.get(key), f"{at}.{key}", words)
    facts.say("gpu.architecture", known(gpu.get("architecture")), f"{at}.architecture")
    for key in ("fp32_tflops", "multi_gpu_efficiency"):
        facts.say(f"gpu.{key}", known(gpu.get(key)), f"{at}.{key}")
    facts.say("performance.network_bandwidth", _gbps(gpu, "network_bandwidth"), f"{at}.network_bandwidth")
    latency = known(gpu.get("network_latency_ms"))
    facts.say("performance.latency_ms", latency, f"{at}.network_latency_ms")
    _say_sharing(facts, gpu, at)


def model_of(gpu: Object) -> object:
    """Return the model with its vendor, where the object names that apart."""
    model, vendor = known(gpu.get("model")), plain_word(gpu.get("vendor"))
    if not isinstance(model, str) or gpus.normalize(model) or gpus.is_vendor_prefixed(model.lower()):
        return model
    return f"{vendor}-{plain_word(model)}" if vendor else model


def _say_amounts(facts: Facts, gpu: Object, at: str, model: object, several: int) -> None:
    memory, cores, clock = gpu.get("memory"), quantity(gpu.get("cores")), quantity(gpu.get("clock_speed"))
    total = mebibytes(memory)
    if total is not None:
        facts.say("gpu.memory", f"{_memory_of_one(model, total, several)}Mi", f"{at}.memory")
    elif not _is_zero(memory):
        facts.say("gpu.memory", memory, f"{at}.memory")
    if cores is not None:
        facts.say("gpu.cores", _cores_of_one(model, int(cores), several), f"{at}.cores")
    if clock is not None:
        facts.say("gpu.clock_speed", f"{float(clock / 10**6)!r}M", f"{at}.clock_speed")
    capability = known(gpu.get("compute_capability"))
    if isinstance(capability, str) and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", capability):
        facts.left_out.append(
            f"{at}.compute_capability: {found_expected(capability, 'a number, such as 9.0')}; left out"
        )
    else:
        facts.say("gpu.compute_capability", capability, f"{at}.compute_capability")
    link = _link_bandwidth(model, gpu)
    facts.say("gpu.interconnect_bandwidth", link, f"{at}.interconnect_bandwidth")


def _memory_of_one(model: object, total_mib: int, several: int) -> int:
    """Return the memory of one GPU from that of all: the controllers multiply.

    Some documents state it for one GPU. Where the model is known and only that reading gives a size that the
    model has, it is taken.
    """
    one = total_mib // several
    parts = gpus.parts_of(gpus.normalize(model) or "") if isinstance(model, str) else ()
    sizes = {each.memory_mib for each in parts}
    for reading in (one, total_mib):
        if parts and gpus.nominal_memory_mib(parts[0].model, reading) in sizes:
            return reading
    return one


def _cores_of_one(model: object, total: int, several: int) -> int:
    """Return the cores of one GPU, see `_memory_of_one`."""
    parts = gpus.parts_of(gpus.normalize(model) or "") if isinstance(model, str) else ()
    one = total // several
    has = {each.cores for each in parts}
    return total if several > 1 and one not in has and total in has else max(one, 1)


def _link_bandwidth(model: object, gpu: Object) -> str | None:
    """Return the bandwidth of the links between GPUs.

    A bare number is Gbit/s by its name and GB/s in most examples: what the model's links have decides.
    """
    number = quantity(gpu.get("interconnect_bandwidth"))
    if number is None:
        return None
    parts = gpus.parts_of(gpus.normalize(model) or "") if isinstance(model, str) else ()
    links = {each.link_gbps for each in parts if each.link_gbps}
    if float(number) not in links and float(number * 8) in links:
        number *= 8
    return f"{float(number)!r} Gbps"


def _gbps(gpu: Object, key: str) -> object:
    number = quantity(gpu.get(key))
    return None if number is None else f"{float(number)!r} Gbps"


def _is_zero(value: object) -> bool:
    return value is None or value == "" or str(value).strip().rstrip("KMGTPEikmnu").strip("0.") == ""


def _say_sharing(facts: Facts, gpu: Object, at: str) -> None:
    """Take how GPUs are shared; a flag that is absent is not known to be false."""
    for key in ("shared", "dedicated"):
        facts.say(f"gpu.{key}", truth(gpu.get(key)), f"{at}.{key}")
    strategy = plain_word(gpu.get("sharing_strategy"))
    if strategy == "none":
        if facts.get("gpu.shared") is None:
            facts.say("gpu.shared", False, f"{at}.sharing_strategy")
        return
    if not strategy and truth(gpu.get("multi_instance")) is True:
        strategy = "mig"
    facts.say_word("gpu.sharing_strategy", strategy, f"{at}.sharing_strategy", _STRATEGIES)


def _say_provider(facts: Facts, spec: Object, gpu: Object) -> None:
    owner = part(spec, "owner")
    named, node_id = known(gpu.get("provider")), owner.get("nodeID") or spec.get("providerID")
    domain = owner.get("domain")
    of_owner = f"{node_id}.{domain}" if node_id and domain else node_id
    facts.say("provider", named or of_owner, f"{_GPU}.provider" if named else "spec.owner")


def _say_place(facts: Facts, gpu: Object, reading: Reading) -> None:
    region, zone = _place(known(gpu.get("region")), known(gpu.get("zone")), reading)
    facts.say("region", region or UNSTATED, f"{_GPU}.zone")
    facts.say("zone", zone, f"{_GPU}.region")


def _place(region: object, zone: object, reading: Reading) -> tuple[object, object]:
    """Return region and zone; the controllers write each into the other's field.

    Of ``de-fra`` and ``de-fra-1`` the shorter one is the region; otherwise the one that looks like a cloud's.
    """
    as_stated = reading.places == "stated"
    if reading.places == "auto" and region is not None:
        inside = zone is not None and str(zone).startswith(str(region)) and zone != region
        around = zone is not None and str(region).startswith(str(zone))
        as_stated = inside or (not around and _is_region(region) and not _is_region(zone))
    return (region, zone) if as_stated else (zone, region)


def _is_region(place: object) -> bool:
    return isinstance(place, str) and _REGION.fullmatch(place) is not None


def _say_properties(facts: Facts, properties: Object) -> None:
    at = f"{TYPE_DATA}.properties"
    if facts.get("performance.latency_ms") is None:
        facts.say("performance.latency_ms", known(properties.get("latency")), f"{at}.latency")
    standards = properties.get("securityStandards")
    if isinstance(standards, list) and standards:
        facts.say("compliance.certifications", standards, f"{at}.securityStandards")
        named = {str(each).upper() for each in standards}
        for law in ("gdpr", "hipaa"):
            if law.upper() in named:
                facts.say(f"compliance.{law}_compliant", True, f"{at}.securityStandards")


def say_price(
    facts: Facts, gpu: Object, reading: Reading, at: str, currency: str = "EUR", price: Object | None = None
) -> None:
    """Take the price, unless there is one; of what is spot it is the spot price, and there is no other.

    Parameters
    ----------
    at, currency
        Where the hourly rate stands in the object, and what it is in.
    price
        The flavor's own price, where its GPUs have none.

    Raises
    ------
    InventoryError
        If it is none, or in a currency without a rate.
    """
    spot = truth(gpu.get("interruptible")) is True or truth(gpu.get("pre_emptible")) is True
    path = "price.spot_hourly" if spot else "price.hourly"
    if facts.get("price.hourly") is not None or (spot and facts.get(path) is not None):
        return
    hourly, count = known(gpu.get("hourly_rate")), facts.get("gpu.count")
    machines = count if reading.prices_per == "gpu" and isinstance(count, int) else 1
    if hourly is None:
        at = "spec.price"
    try:
        stated = (
            rate(hourly, currency, 1, machines, reading)
            if hourly is not None
            else _listed(price or {}, reading)
        )
    except CellError as error:
        raise InventoryError(at, str(error)) from None
    facts.say(path, stated, at)


def _listed(price: Object, reading: Reading) -> str | None:
    """Return the price that the flavor itself states, which is always that of the whole flavor."""
    amount = known(price.get("amount"))
    if amount is None:
        return None
    period = plain_word(price.get("period"))
    if period not in _HOURLY:
        raise CellError(f"period: {found_expected(price.get('period'), 'hourly or daily')}")
    return rate(amount, str(price.get("currency") or ""), _HOURLY[period], 1, reading)


def _extra(properties: Object) -> dict[str, object]:
    """Return what additional properties say of an offer, nested or by dotted path."""
    said: dict[str, object] = {}
    for key, value in properties.items():
        if key in BY_PATH:
            said[key] = value
        elif isinstance(value, Mapping):
            said |= {path: inner for name, inner in value.items() if (path := f"{key}.{name}") in BY_PATH}
    return {path: value for path, value in said.items() if value is not None}
