"""An intent in FLUIDOS's own language: the exact Solver object, and what that language has no words for.

For those who want FLUIDOS to filter. The engine does not need it: it reads every flavor, chooses by itself
and reserves what it chose. A Solver takes *some* flavor that passes its filters, of all that FLUIDOS lists
in no order; and a flavor that does not state a thing passes no filter on it.

Only filters that do what they say are used. Flags (``dedicated``, ``interruptible``) are not: FLUIDOS passes
the flavors that do *not* have the value; nor is ``storageFilter``, on which a Discovery fails. GPU filters
exist in https://github.com/clastix/fluidos-node only; elsewhere they are ignored.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flare_core.adapters.fluidos.kinds import SOLVER
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.catalog import regions
from flare_core.inventory.flavors import K8SLICE
from flare_core.quantities import format_cpu, format_memory

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.intent.workload import Gpu

Json = dict[str, Any]

_NEUTRAL: Final = ("any", "public", "none")
"""Words that ask for nothing."""
_CLASSES: Final = {
    "nvswitch": ("nvswitch",),
    "nvlink": ("nvlink", "nvswitch", "infinity-fabric"),
    "pcie": ("pcie", "nvlink", "nvswitch", "infinity-fabric"),
}
"""Which interconnects satisfy the one that is asked for."""

_FLAG: Final = "FLUIDOS's filter on a flag passes the flavors that do not have it"
_NODE_TOTAL: Final = "compared with the total of the node, which has to be enough and may not be"
_NO_FIELD: Final = "no filter of FLUIDOS is about this"
_ONE_FLAVOR: Final = "a Solver finds one flavor, which is one node; more take a Solver each"
_PREFERRED: Final = "preferred, and FLUIDOS knows hard filters only"


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Something an intent asks for that a Solver does not say, or not exactly; `path` as in the intent."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Expressed:
    """An intent as a Solver.

    Attributes
    ----------
    solver
        The object.
    unsaid
        What it does not say, by path.
    """

    solver: Json
    unsaid: tuple[Unsaid, ...]


@dataclass(slots=True)
class _Filters:
    """Filters so far, and what became of each path of the intent."""

    filters: Json = field(default_factory=dict)
    gpu: dict[str, Json] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    reasons: dict[str, str] = field(default_factory=dict)

    def on_gpu(self, key: str, kind: str, data: object, path: str, reason: str = "") -> None:
        """Add a filter on a field of the GPU object: one at most, a second one would replace the first."""
        assert key not in self.gpu
        self.gpu[key] = {"field": key, "filter": kind, "data": data}
        self.said.add(path)
        if reason:
            self.reasons[path] = reason


def express(
    intent: "Intent",
    *,
    name: str,
    intent_id: str,
    labels: Mapping[str, str] | None = None,
    settings: FluidosSettings | None = None,
    buy: bool = False,
) -> Expressed:
    """Return the Solver for an intent.

    Parameters
    ----------
    name, intent_id, labels
        Of the object.
    buy
        Whether it also reserves, buys and connects what it finds; else it only looks for a candidate.
    """
    settings = settings or FluidosSettings()
    found = _Filters()
    _say_resources(intent, found)
    if intent.workload.resources.gpus and intent.workload.resources.gpu is not None:
        _say_gpu(intent.workload.resources.gpu, intent, found)
        _say_limits(intent, found, settings)
    selector: Json = {"flavorType": K8SLICE}
    if found.gpu:
        found.filters["gpuFilters"] = list(found.gpu.values())
    if found.filters:
        selector["filters"] = found.filters
    metadata: Json = {"name": name, "namespace": settings.namespace}
    if labels:
        metadata["labels"] = dict(labels)
    spec = {
        "intentID": intent_id,
        "findCandidate": True,
        "reserveAndBuy": buy,
        "establishPeering": buy,
        "selector": selector,
    }
    solver = {
        "apiVersion": SOLVER.api_version,
        "kind": SOLVER.kind,
        "metadata": metadata,
        "spec": spec,
    }
    return Expressed(solver, tuple(_unsaid(intent, found)))


def _say_resources(intent: "Intent", found: _Filters) -> None:
    """A task has to fit: what one node needs at least, whatever the number of tasks."""
    wanted = intent.workload.resources
    if wanted.cpu:
        found.filters["cpuFilter"] = {"name": "Range", "data": {"min": format_cpu(wanted.cpu)}}
        found.said.add("workload.resources.cpu")
    if wanted.memory:
        found.filters["memoryFilter"] = {"name": "Range", "data": {"min": format_memory(wanted.memory)}}
        found.said.add("workload.resources.memory")


def _say_gpu(gpu: "Gpu", intent: "Intent", found: _Filters) -> None:
    at = "workload.resources.gpu"
    found.on_gpu("count", "NumberRangeFilter", {"min": gpu.count}, f"{at}.count")
    for key in ("model", "architecture", "tier"):
        if getattr(gpu, key) != "any":
            found.on_gpu(key, "StringFilter", {"value": getattr(gpu, key)}, f"{at}.{key}")
    total = _NODE_TOTAL
    if gpu.memory:
        least = {"min": format_memory(gpu.memory * gpu.count)}
        found.on_gpu("memory", "ResourceRangeSelector", least, f"{at}.memory", total)
    if gpu.cores:
        least = {"min": str(gpu.cores * gpu.count)}
        found.on_gpu("cores", "ResourceRangeSelector", least, f"{at}.cores", total)
    if gpu.clock_speed:
        least = {"min": f"{_number(gpu.clock_speed)}M"}
        found.on_gpu("clock_speed", "ResourceRangeSelector", least, f"{at}.clock_speed")
    for key, number in (
        ("compute_capability", gpu.compute_capability),
        ("multi_gpu_efficiency", gpu.multi_gpu_efficiency),
    ):
        if number:
            found.on_gpu(key, "ResourceRangeSelector", {"min": str(number)}, f"{at}.{key}")
    if gpu.fp32_tflops:
        found.on_gpu("fp32_tflops", "NumberRangeFilter", {"min": gpu.fp32_tflops}, f"{at}.fp32_tflops")
    _say_preferences(gpu, intent, found)


def _say_preferences(gpu: "Gpu", intent: "Intent", found: _Filters) -> None:
    """Interconnect and topology are preferred, unless the intent would rather fail than do without."""
    at = "workload.resources.gpu"
    negotiation = intent.constraints.negotiation
    hard = negotiation is not None and negotiation.fallback_strategy == "fail"
    for key in ("interconnect", "topology"):
        if getattr(gpu, key) != "any" and not hard:
            found.reasons[f"{at}.{key}"] = _PREFERRED
    if hard and gpu.count > 1 and gpu.interconnect in _CLASSES:
        pattern = {"regex": _one_of(_CLASSES[gpu.interconnect])}
        found.on_gpu("interconnect", "StringRangeSelector", pattern, f"{at}.interconnect")
    for key in ("shared", "multi_instance", "dedicated", "interruptible"):
        found.reasons[f"{at}.{key}"] = _FLAG


def _say_limits(intent: "Intent", found: _Filters, settings: FluidosSettings) -> None:
    limits = intent.constraints
    found.reasons["constraints.preemptible"] = _FLAG
    if limits.max_hourly_cost is not None:
        # A Solver buys the flavor's node; where its rate is that of a GPU, the budget has to do for all.
        paid = 1 if settings.prices_per == "node" else intent.workload.resources.gpus * intent.workload.tasks
        cap = {"max": _number(limits.max_hourly_cost // paid / 10**6)}
        found.on_gpu("hourly_rate", "NumberRangeFilter", cap, "constraints.max_hourly_cost")
    if limits.model_fields_set & {"max_latency_ms"}:
        most = {"max": _number(limits.max_latency_ms)}
        found.on_gpu("network_latency_ms", "NumberRangeFilter", most, _latency_path(intent))
    if limits.providers:
        pattern = {"regex": f"(?i){_one_of(limits.providers)}"}
        found.on_gpu("provider", "StringRangeSelector", pattern, "constraints.providers")
    if limits.performance.min_network_bandwidth is not None:
        least = {"min": str(_number(limits.performance.min_network_bandwidth))}
        path = "constraints.performance.min_network_bandwidth"
        found.on_gpu("network_bandwidth", "ResourceRangeSelector", least, path)
    _say_place(intent, found, settings)


def _say_place(intent: "Intent", found: _Filters, settings: FluidosSettings) -> None:
    """The controllers write the region into ``zone`` and the zone into ``region``."""
    limits = intent.constraints
    region, zone = ("region", "zone") if settings.places == "stated" else ("zone", "region")
    if limits.location != "any" and regions.location_countries(limits.location) is None:
        pattern = {"regex": f"^{re.escape(limits.location)}(-.*)?$"}
        found.on_gpu(region, "StringRangeSelector", pattern, "constraints.location")
    elif limits.location != "any":
        found.reasons["constraints.location"] = "a flavor states a region and no country"
    if limits.availability_zone is not None:
        data = {"value": limits.availability_zone}
        found.on_gpu(zone, "StringFilter", data, "constraints.availability_zone")


def _latency_path(intent: "Intent") -> str:
    spelled = "max_network_latency" if intent.written("constraints.max_network_latency") else "max_latency_ms"
    return f"constraints.{spelled}"


def _unsaid(intent: "Intent", found: _Filters) -> Iterator[Unsaid]:
    """Yield what the intent's document asks for and no filter says."""
    document = intent.to_dict()["intent"]
    assert isinstance(document, dict)
    yield Unsaid("objective", "FLUIDOS takes any flavor that passes")
    if intent.workload.tasks > 1:
        section = "scaling.min_replicas" if intent.workload.type == "service" else "job.parallel_tasks"
        yield Unsaid(f"workload.{section}", _ONE_FLAVOR)
    wanted = {"workload.resources": intent.written("workload.resources")}
    wanted |= {"workload.storage.volumes": intent.written("workload.storage.volumes")}
    wanted |= {section: document.get(section) for section in ("constraints", "sla")}
    for section, value in wanted.items():
        for path in _leaves(section, value):
            if path in found.reasons:
                yield Unsaid(path, found.reasons[path])
            elif path not in found.said:
                yield Unsaid(path, _NO_FIELD)


def _leaves(path: str, value: object) -> Iterator[str]:
    """Yield the paths of what asks for anything."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    elif value not in (None, [], {}) and value is not False and value not in _NEUTRAL:
        yield path


def _one_of(words: "tuple[str, ...]") -> str:
    return f"^({'|'.join(map(re.escape, words))})$"


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else value
