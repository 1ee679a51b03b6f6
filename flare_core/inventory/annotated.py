"""Kubernetes nodes as offers: FLUIDOS's annotations first, then the labels that GPU vendors' tools set.

One node is one offer of one machine. Annotations are read in both spellings that are about
(``memory-per-gpu`` and ``memory``, dashes and underscores). Under ``offer.flare.io/`` a node can say anything
that the offer document knows by its dotted path: ``offer.flare.io/energy.carbon_intensity: "278"``.

Sources: the annotation reference of https://github.com/clastix/flare; NVIDIA GPU feature discovery,
https://github.com/NVIDIA/k8s-device-plugin; AMD's node labeller, https://github.com/ROCm/k8s-device-plugin.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from flare_core.errors import IntentError, InventoryError, found_expected
from flare_core.intent.json import parse_json
from flare_core.inventory.fields import BY_PATH
from flare_core.inventory.flavors import Object, part, say_gpu, say_price
from flare_core.inventory.reading import (
    UNSTATED,
    Facts,
    Reading,
    country_of,
    known,
    mebibytes,
    quantity,
    truth,
    whole,
)
from flare_core.inventory.types import Kind

OWN: Final = "offer.flare.io/"
NVIDIA, AMD = "nvidia.com/gpu", "amd.com/gpu"
_AT: Final = "metadata.annotations"
_PROVIDERS: Final = {"aws": "aws", "gce": "gcp", "azure": "azure"}
_CORES_PER_CU: Final = 64
"""Stream processors of one compute unit; AMD, "CDNA 3 Architecture" and "RDNA 3 Instruction Set"."""

# Field of the GPU object -> annotations, the first one that is there counts; "_" is read as "-".
_ANNOTATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "vendor": ("gpu.fluidos.eu/vendor",),
    "model": ("gpu.fluidos.eu/model",),
    "count": ("gpu.fluidos.eu/count",),
    "memory": ("gpu.fluidos.eu/memory-per-gpu", "gpu.fluidos.eu/memory"),
    "cores": ("gpu.fluidos.eu/cores",),
    "tier": ("gpu.fluidos.eu/tier",),
    "architecture": ("gpu.fluidos.eu/architecture",),
    "compute_capability": ("gpu.fluidos.eu/compute-capability", "nvidia.fluidos.eu/compute-capability"),
    "clock_speed": ("gpu.fluidos.eu/clock-speed",),
    "fp32_tflops": ("gpu.fluidos.eu/fp32-tflops",),
    "interconnect": ("gpu.fluidos.eu/interconnect",),
    "interconnect_bandwidth": (
        "gpu.fluidos.eu/interconnect-bandwidth-gbps",
        "gpu.fluidos.eu/interconnect-bandwidth",
    ),
    "topology": ("gpu.fluidos.eu/topology",),
    "multi_gpu_efficiency": ("gpu.fluidos.eu/multi-gpu-efficiency",),
    "multi_instance": ("nvidia.fluidos.eu/mig-capable", "gpu.fluidos.eu/multi-instance"),
    "shared": ("gpu.fluidos.eu/sharing-capable", "gpu.fluidos.eu/shared"),
    "sharing_strategy": ("gpu.fluidos.eu/sharing-strategy",),
    "dedicated": ("gpu.fluidos.eu/dedicated",),
    "interruptible": ("gpu.fluidos.eu/interruptible",),
    "pre_emptible": ("provider.fluidos.eu/preemptible",),
    "network_bandwidth": ("network.fluidos.eu/bandwidth-gbps", "network.fluidos.eu/bandwidth"),
    "network_latency_ms": ("network.fluidos.eu/latency-ms",),
    "region": ("location.fluidos.eu/region",),
    "zone": ("location.fluidos.eu/zone",),
    "hourly_rate": ("cost.fluidos.eu/hourly-rate",),
    "currency": ("cost.fluidos.eu/currency",),
    "provider": ("provider.fluidos.eu/name",),
}


def not_offered(node: Object) -> str | None:
    """Return why a node cannot be offered at all, None where it can."""
    labels = part(node, "metadata", "labels")
    if labels.get("liqo.io/type") == "virtual-node":
        return "a virtual node, which is somebody else's capacity"
    if part(node, "spec").get("unschedulable") is True:
        return "unschedulable"
    conditions = part(node, "status").get("conditions")
    for condition in conditions if isinstance(conditions, list) else ():
        if part(condition).get("type") == "Ready" and part(condition).get("status") != "True":
            return "not ready"
    if _cut_whole(labels):
        return "its GPUs are cut into MIG instances of one kind, which cannot be placed as GPUs"
    return None


def node_facts(node: Object, reading: Reading, pods: Sequence[Object] = ()) -> Facts:
    """Return what a node says.

    Parameters
    ----------
    pods
        Those that run on it: what they ask for is used already.

    Raises
    ------
    InventoryError
        With a path in the node, at the first thing that no offer can have.
    """
    labels, allocatable = part(node, "metadata", "labels"), part(node, "status", "allocatable")
    annotations = part(node, "metadata", "annotations")
    gpu = _gpu(annotations, labels, allocatable)
    facts = Facts()
    facts.say("id", part(node, "metadata").get("name"), "metadata.name")
    facts.say("nodes", 1, "metadata.name")
    facts.say("price.billing", "gpu", "metadata.name")
    for key in ("cpu", "memory"):
        facts.say(key, allocatable.get(key), f"status.allocatable.{key}")
    facts.say("storage", allocatable.get("ephemeral-storage"), "status.allocatable.ephemeral-storage")
    _say_place(facts, gpu, node)
    if known(gpu.get("model")) or known(gpu.get("count")):
        say_gpu(facts, gpu, _AT)
        facts.say("gpu.sharing_slots", gpu.get("sharing_slots"), "metadata.labels.nvidia.com/gpu.replicas")
    for path, value in _own(annotations).items():
        facts.say(path, value, f"{_AT}.{OWN}{path}")
    currency = str(gpu.get("currency") or "EUR")
    say_price(facts, gpu, reading, f"{_AT}.cost.fluidos.eu/hourly-rate", currency)
    if reading.country_from_region and facts.get("country") is None:
        facts.say("country", country_of(str(facts.get("region"))), _AT)
    if pods:
        facts.say("node_states", [_free(facts, pods)], "pods")
    return facts


def _gpu(annotations: Object, labels: Object, allocatable: Object) -> dict[str, object]:
    """Return a GPU object as FLUIDOS's controllers would write it, of annotations and, below them, labels."""
    plain = {str(key).replace("_", "-"): value for key, value in annotations.items()}
    said: dict[str, object] = {}
    for field, keys in _ANNOTATIONS.items():
        found = next((plain[key] for key in keys if known(plain.get(key)) is not None), None)
        if found is not None:
            said[field] = found
    said = {**_amd(labels), **_nvidia(labels), **said}
    said["count"] = _count(said, allocatable)
    count = said["count"]
    for field in ("memory", "cores"):
        said[field] = _of_all(field, said.get(field), count if isinstance(count, int) else 1)
    return {field: value for field, value in said.items() if value is not None}


def _of_all(field: str, one: object, count: int) -> object:
    """Return the total that a GPU object states, for what an annotation states for one GPU."""
    amount = mebibytes(one) if field == "memory" else quantity(one)
    if amount is None or count < 1:
        return one
    return f"{int(amount) * count}{'Mi' if field == 'memory' else ''}"


def _count(said: Object, allocatable: Object) -> object:
    """Return how many whole GPUs pods can have: what is annotated, and no more than is allocatable."""
    stated = whole(said.get("count"))
    units = [whole(allocatable[name]) for name in (NVIDIA, AMD) if name in allocatable]
    if not units or not isinstance(units[0], int):
        return stated
    slots = said.get("sharing_slots")
    there = units[0] // slots if isinstance(slots, int) else units[0]
    return min(stated, there) if isinstance(stated, int) and stated > 0 else there


def _nvidia(labels: Object) -> dict[str, object]:
    """Return what the labels of GPU feature discovery say; memory is of one GPU, MiB."""
    product = labels.get("nvidia.com/gpu.product")
    if not isinstance(product, str):
        return {}
    memory = whole(labels.get("nvidia.com/gpu.memory"))
    major, minor = (labels.get(f"nvidia.com/gpu.compute.{part}") for part in ("major", "minor"))
    return {
        "vendor": "nvidia",
        "model": product.removesuffix("-SHARED"),
        "count": labels.get("nvidia.com/gpu.count"),
        "memory": f"{memory}Mi" if isinstance(memory, int) else None,
        "architecture": labels.get("nvidia.com/gpu.family"),
        "compute_capability": f"{major}.{minor}" if major is not None and minor is not None else None,
        **_nvidia_sharing(labels),
    }


def _nvidia_sharing(labels: Object) -> dict[str, object]:
    """Return how the GPUs are shared: MIG first, then MPS, then time-slicing.

    A GPU that is shared in time is not given to one task alone, so it is not dedicated.
    """
    replicas = whole(labels.get("nvidia.com/gpu.replicas"))
    strategy = labels.get("nvidia.com/gpu.sharing-strategy")
    if labels.get("nvidia.com/mig.strategy") == "mixed":
        return {"shared": True, "sharing_strategy": "mig", "multi_instance": True}
    if isinstance(replicas, int) and replicas > 1:
        how = "mps" if strategy == "mps" else "time-slicing"
        return {"shared": True, "sharing_strategy": how, "sharing_slots": replicas, "dedicated": False}
    return {"multi_instance": None, "shared": False, "sharing_strategy": "none"}


def _cut_whole(labels: Object) -> bool:
    return "-MIG-" in str(labels.get("nvidia.com/gpu.product"))


def _amd(labels: Object) -> dict[str, object]:
    """Return what the labels of AMD's node labeller say, in each of the forms that it has written."""
    said: dict[str, object] = {}
    for prefix in ("beta.amd.com/gpu.", "amd.com/gpu."):
        for key, value in labels.items():
            if not str(key).startswith(prefix):
                continue
            name, _, inside = str(key).removeprefix(prefix).partition(".")
            said[name] = inside if inside else value  # the older form has the value in the key
    if not said:
        return {}
    model = said.get("product-name") or said.get("product")
    units = whole(said.get("cu-count"))
    memory = str(said.get("vram") or said.get("memory") or "")
    return {
        "vendor": "amd",
        "model": model,
        "count": said.get("count"),
        "memory": f"{memory}i" if re.fullmatch(r"[0-9]+[GM]", memory) else memory or None,
        "cores": units * _CORES_PER_CU if isinstance(units, int) else None,
    }


def _say_place(facts: Facts, gpu: Object, node: Object) -> None:
    labels = part(node, "metadata", "labels")
    region = gpu.get("region") or labels.get("topology.kubernetes.io/region")
    facts.say("region", region or UNSTATED, f"{_AT}.location.fluidos.eu/region")
    zone = gpu.get("zone") or labels.get("topology.kubernetes.io/zone")
    facts.say("zone", zone or None, f"{_AT}.location.fluidos.eu/zone")
    cloud = str(part(node, "spec").get("providerID") or "").partition(":")[0]
    provider = gpu.get("provider") or _PROVIDERS.get(cloud, "local")
    facts.say("provider", provider, f"{_AT}.provider.fluidos.eu/name")


def _own(annotations: Object) -> dict[str, object]:
    """Return what is annotated under `OWN` by the path of the offer document."""
    said: dict[str, object] = {}
    for key, value in annotations.items():
        path = str(key).removeprefix(OWN)
        if path != key and path in BY_PATH and isinstance(value, str):
            said[path] = _value(path, value)
    return said


def _value(path: str, text: str) -> object:
    kind = BY_PATH[path].kind
    if kind is Kind.FLAG:
        return truth(text)
    if not kind.nested or text.strip()[:1] not in ("[", "{"):
        return text
    try:
        return parse_json(text)
    except IntentError as error:
        found = found_expected(text, "JSON")
        raise InventoryError(f"{_AT}.{OWN}{path}", f"{found} ({error.message})") from None


def _free(facts: Facts, pods: Sequence[Object]) -> dict[str, object]:
    """Return what the pods of a node leave, as an entry of ``node_states``."""
    asked = [_asked(pod) for pod in pods]
    count, slots = facts.get("gpu.count"), facts.get("gpu.sharing_slots")
    units = sum(int(of.get(name, 0)) for of in asked for name in (NVIDIA, AMD))
    taken = -(-units // slots) if isinstance(slots, int) else units
    state: dict[str, object] = {"node": 0}
    if isinstance(count, int):
        state["free_gpus"] = list(range(min(taken, count), count))
    for key, unit in (("cpu", "m"), ("memory", "")):
        there = quantity(facts.get(key))
        if there is not None:
            left = max(0, int((there - sum(of.get(key, 0) for of in asked)) * (1000 if unit else 1)))
            state[key] = f"{left}{unit}"
    return state


def _asked(pod: Object) -> dict[str, float]:
    """Return what a pod asks for: its containers together, or its largest container of initialisation."""
    together: dict[str, float] = {}
    largest: dict[str, float] = {}
    for key, combine in (("containers", "sum"), ("initContainers", "max")):
        containers = part(pod, "spec").get(key)
        for container in containers if isinstance(containers, list) else ():
            for name, value in part(container, "resources", "requests").items():
                amount = float(quantity(value) or 0)
                if combine == "sum":
                    together[name] = together.get(name, 0) + amount
                else:
                    largest[name] = max(largest.get(name, 0), amount)
    names = together.keys() | largest.keys()
    return {name: max(together.get(name, 0), largest.get(name, 0)) for name in names}
