"""What providers offer, frozen at one moment, as columns.

An inventory is a table: one row an offer, rows sorted by offer id, so that "smallest id" is
"smallest row" and the order in which offers were listed can never matter. Four kinds of column hold
everything; each kind has one way to say *unknown*:

==========  ==================  =======================================
kind        stored as           unknown
==========  ==================  =======================================
whole       int64               ``UNKNOWN`` (-1)
number      float64             NaN (no comparison with NaN holds)
flag        int8: 0, 1          -1
label       `Labels`            code -1
==========  ==================  =======================================

`COLUMNS` is the single list of what an offer can say, with its path in the offer document.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from flare_core.inventory.held import Held

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
FlagArray = NDArray[np.int8]
Mask = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)

UNKNOWN = -1
ELASTIC = -1
"""``nodes`` of an offer that has as many machines as one pays for."""
ELASTIC_STORAGE = 2**62
"""``storage_mib`` of an offer that attaches volumes at will."""


class Kind(StrEnum):
    """How a column is written in a document; the storage follows from it."""

    COUNT = "count"
    CPU = "cpu"  # milli-cores
    MEMORY = "memory"  # MiB
    STORAGE = "storage"  # MiB or "elastic"
    RATE = "rate"  # micro-EUR per hour
    NUMBER = "number"
    CLOCK = "clock"  # MHz
    BANDWIDTH = "bandwidth"  # Gbit/s
    LATENCY = "latency"  # ms
    DURATION = "duration"  # seconds
    PERCENT = "percent"
    FLAG = "flag"
    TEXT = "text"
    MODEL = "model"  # normalised GPU model
    CERTIFICATES = "certificates"  # sorted canonical names joined by "|"
    JSON = "json"  # canonical JSON text of a nested value
    SERIES = "series"  # canonical JSON text of steps, see `inventory.series`

    @property
    def storage(self) -> str:
        """Return ``whole``, ``number``, ``flag`` or ``label``."""
        return _STORAGE[self]

    @property
    def nested(self) -> bool:
        """Whether a document has a list or an object there, which a table has as JSON text."""
        return self in (Kind.JSON, Kind.SERIES, Kind.CERTIFICATES)


_STORAGE = {
    Kind.COUNT: "whole",
    Kind.CPU: "whole",
    Kind.MEMORY: "whole",
    Kind.STORAGE: "whole",
    Kind.RATE: "whole",
    Kind.NUMBER: "number",
    Kind.CLOCK: "number",
    Kind.BANDWIDTH: "number",
    Kind.LATENCY: "number",
    Kind.DURATION: "number",
    Kind.PERCENT: "number",
    Kind.FLAG: "flag",
    Kind.TEXT: "label",
    Kind.MODEL: "label",
    Kind.CERTIFICATES: "label",
    Kind.JSON: "label",
    Kind.SERIES: "label",
}


class Column(NamedTuple):
    """One thing an offer can say: attribute name, path in the offer document, kind."""

    name: str
    path: str
    kind: Kind


COLUMNS: tuple[Column, ...] = (
    Column("provider", "provider", Kind.TEXT),
    Column("region", "region", Kind.TEXT),
    Column("zone", "zone", Kind.TEXT),
    Column("country", "country", Kind.TEXT),
    Column("nodes", "nodes", Kind.COUNT),
    Column("hourly_ueur", "price.hourly", Kind.RATE),
    Column("spot_ueur", "price.spot_hourly", Kind.RATE),
    Column("price_series", "price.series", Kind.SERIES),
    Column("spot_series", "price.spot_series", Kind.SERIES),
    Column("billing", "price.billing", Kind.TEXT),
    Column("cpu_milli", "cpu", Kind.CPU),
    Column("memory_mib", "memory", Kind.MEMORY),
    Column("storage_mib", "storage", Kind.STORAGE),
    Column("persistent_storage", "persistent_storage", Kind.FLAG),
    Column("gpu_model", "gpu.model", Kind.MODEL),
    Column("gpu_count", "gpu.count", Kind.COUNT),
    Column("gpu_memory_mib", "gpu.memory", Kind.MEMORY),
    Column("gpu_cores", "gpu.cores", Kind.COUNT),
    Column("gpu_clock_mhz", "gpu.clock_speed", Kind.CLOCK),
    Column("compute_capability", "gpu.compute_capability", Kind.NUMBER),
    Column("architecture", "gpu.architecture", Kind.TEXT),
    Column("tier", "gpu.tier", Kind.TEXT),
    Column("fp32_tflops", "gpu.fp32_tflops", Kind.NUMBER),
    Column("interconnect", "gpu.interconnect", Kind.TEXT),
    Column("interconnect_gbps", "gpu.interconnect_bandwidth", Kind.BANDWIDTH),
    Column("topology", "gpu.topology", Kind.TEXT),
    Column("links", "gpu.links", Kind.JSON),
    Column("multi_gpu_efficiency", "gpu.multi_gpu_efficiency", Kind.NUMBER),
    Column("power_w", "gpu.power_w", Kind.NUMBER),
    Column("shared", "gpu.shared", Kind.FLAG),
    Column("sharing_strategy", "gpu.sharing_strategy", Kind.TEXT),
    Column("sharing_slots", "gpu.sharing_slots", Kind.COUNT),
    Column("dedicated", "gpu.dedicated", Kind.FLAG),
    Column("fabric_path", "fabric.path", Kind.JSON),
    Column("fabric_interconnect", "fabric.interconnect", Kind.TEXT),
    Column("fabric_gbps", "fabric.bandwidth", Kind.BANDWIDTH),
    Column("latency_ms", "performance.latency_ms", Kind.LATENCY),
    Column("network_gbps", "performance.network_bandwidth", Kind.BANDWIDTH),
    Column("jitter_ms", "performance.jitter_ms", Kind.LATENCY),
    Column("uptime_percent", "performance.uptime_percent", Kind.PERCENT),
    Column("cold_start_s", "performance.cold_start_time", Kind.DURATION),
    Column("interruption_percent", "performance.interruption_rate_percent", Kind.PERCENT),
    Column("carbon_intensity", "energy.carbon_intensity", Kind.NUMBER),
    Column("carbon_series", "energy.series", Kind.SERIES),
    Column("renewable_energy", "energy.renewable_energy", Kind.FLAG),
    Column("efficiency_rating", "energy.energy_efficiency_rating", Kind.TEXT),
    Column("pue", "energy.power_usage_effectiveness", Kind.NUMBER),
    Column("green_certified", "energy.green_certified", Kind.FLAG),
    Column("certifications", "compliance.certifications", Kind.CERTIFICATES),
    Column("encryption_at_rest", "compliance.encryption_at_rest", Kind.FLAG),
    Column("encryption_in_transit", "compliance.encryption_in_transit", Kind.FLAG),
    Column("audit_logging", "compliance.audit_logging", Kind.FLAG),
    Column("gdpr_compliant", "compliance.gdpr_compliant", Kind.FLAG),
    Column("hipaa_compliant", "compliance.hipaa_compliant", Kind.FLAG),
    Column("network_isolation", "security.network_isolation", Kind.TEXT),
    Column("vpn_access", "security.vpn_access", Kind.FLAG),
    Column("bastion_host", "security.bastion_host", Kind.FLAG),
    Column("intrusion_detection", "security.intrusion_detection", Kind.FLAG),
    Column("vulnerability_scanning", "security.vulnerability_scanning", Kind.FLAG),
    Column("calendar", "availability", Kind.JSON),
)

DERIVED: tuple[Column, ...] = (
    # What the performance term counts: dense FP16 tensor TFLOPS of one GPU, FP32 where there is none.
    Column("rating_tflops", "", Kind.NUMBER),
    # "fp16" or "fp32" (no tensor rating known), "-lowest" where the model has several parts that fit.
    Column("rating_basis", "", Kind.TEXT),
    # Everything said of the GPUs as one text, see `inventory.kinds`.
    Column("gpu_kind", "", Kind.JSON),
    Column("latency_estimated", "", Kind.FLAG),
    # Paths filled in from `assume`, sorted and joined by ",".
    Column("assumed", "", Kind.TEXT),
    # Why the price is not believed ("zero", "far below the market", ...): such an offer is never chosen.
    Column("price_flag", "", Kind.TEXT),
)
"""What reading adds to an offer and no document states."""


@dataclass(frozen=True, slots=True)
class Labels:
    """A column of names: ``values[codes[row]]``, code -1 where unknown.

    ``values`` are distinct and sorted, so codes compare as the names do, and a question about names is
    asked once for each distinct name, not once for each row.
    """

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterable[str | None]) -> "Labels":
        """Encode `names`; None is unknown."""
        listed = list(names)
        values = sorted({name for name in listed if name is not None})
        code: dict[str | None, int] = {name: i for i, name in enumerate(values)}
        code[None] = UNKNOWN
        codes = np.fromiter((code[name] for name in listed), np.int32, len(listed))
        return cls(_frozen(codes), tuple(values))

    def __getitem__(self, row: int) -> str | None:
        code = int(self.codes[row])
        return None if code < 0 else self.values[code]

    def __len__(self) -> int:
        return len(self.codes)

    def where(self, wanted: Callable[[str], bool]) -> Mask:
        """Return the rows whose name is known and `wanted`."""
        answers = np.fromiter((wanted(v) for v in self.values), np.bool_, len(self.values))
        return np.append(answers, False)[self.codes]

    def take(self, rows: IntArray) -> "Labels":
        """Return the column of `rows`, in their order."""
        return Labels(_frozen(self.codes[rows]), self.values)


@dataclass(frozen=True, slots=True)
class NodeGroups:
    """Equal nodes of an offer, taken together; groups are sorted by offer, then by first node.

    Attributes
    ----------
    offer
        Row of the offer, shape (groups,).
    count
        Nodes in the group; ``ELASTIC`` for as many as one pays for.
    free_gpus, free_cpu_milli, free_memory_mib
        What is free on each node; -1 where unknown.
    fresh
        Nothing on these nodes is used yet.
    nodes
        Node numbers of the groups that are not simply 0 … count-1.
    gpus
        Free GPU indices of the groups where not all GPUs of a node are free.
    milli
        ``{gpu index: free thousandths}`` of partly used GPUs, for the groups that have any.
    mig
        ``((gpu, profile, start), …)`` of MIG instances already there, for the groups that have any.
    until
        When all that is used on a node comes free, seconds since the epoch, for the groups that say so.
    """

    offer: IntArray
    count: IntArray
    free_gpus: IntArray
    free_cpu_milli: IntArray
    free_memory_mib: IntArray
    fresh: Mask
    nodes: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    gpus: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    milli: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    mig: Mapping[int, tuple[tuple[int, str, int], ...]] = field(default_factory=dict)
    until: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offer)

    def node(self, group: int, k: int) -> int:
        """Return the number of the `k`-th node of `group`."""
        numbers = self.nodes.get(group)
        return k if numbers is None else numbers[k]

    def free_indices(self, group: int, gpu_count: int) -> tuple[int, ...]:
        """Return the free GPU indices of a node of `group` whose offer has `gpu_count` GPUs a node."""
        indices = self.gpus.get(group)
        return tuple(range(gpu_count)) if indices is None else indices

    @property
    def one_per_offer(self) -> bool:
        """Whether group ``g`` is offer ``g`` (no offer is partly used)."""
        return len(self.offer) == 0 or (
            int(self.offer[-1]) == len(self.offer) - 1 and bool((np.diff(self.offer) == 1).all())
        )


@dataclass(frozen=True, slots=True)
class Inventory:
    """Offers at one moment, as columns sorted by offer id.

    Attributes
    ----------
    ids
        Offer ids, ascending.
    whole, number, flag, label
        Columns by name (see `COLUMNS` and `DERIVED`); arrays are read-only.
    groups
        The nodes; what is ``busy`` is not counted as used here.
    warnings
        What was skipped, flagged or guessed while reading, one sentence each, in a stable order.
    source
        Where the offers came from, for people.
    busy
        What holds parts of nodes for a time, seen from a moment; see `inventory.held`.
    """

    ids: tuple[str, ...]
    whole: Mapping[str, IntArray]
    number: Mapping[str, FloatArray]
    flag: Mapping[str, FlagArray]
    label: Mapping[str, Labels]
    groups: NodeGroups
    warnings: tuple[str, ...] = ()
    source: str = ""
    busy: "tuple[Held, ...]" = ()

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        providers = len(self.label["provider"].values)
        return f"<Inventory of {len(self)} offers from {providers} providers, {len(self.warnings)} warnings>"

    def _repr_html_(self) -> str:
        from flare_core.shown import lines, paragraph, table

        titles = ("provider", "offers", "regions", "GPU models")
        codes, label = self.label["provider"].codes, self.label
        rows = []
        for own in _groups(codes):
            name = label["provider"][int(own[0])]
            regions, models = ({label[kind][row] for row in own.tolist()} for kind in ("region", "gpu_model"))
            rows.append((name, len(own), len(regions), ", ".join(sorted(m for m in models if m))))
        return (
            paragraph(repr(self))
            + table(titles, sorted(rows, key=str))
            + lines("Warnings", self.warnings[:10])
        )

    def row(self, offer_id: str) -> int:
        """Return the row of an offer.

        Raises
        ------
        KeyError
            If there is no such offer.
        """
        at = bisect_left(self.ids, offer_id)
        if at == len(self.ids) or self.ids[at] != offer_id:
            raise KeyError(offer_id)
        return at

    def value(self, name: str, row: int) -> int | float | bool | str | None:
        """Return what one offer says, in base units; None where it is unknown.

        ``nodes`` None is elastic.
        """
        if name in self.whole:
            whole = int(self.whole[name][row])
            return None if whole < 0 else whole
        if name in self.number:
            number = float(self.number[name][row])
            return None if number != number else number
        if name in self.flag:
            flag = int(self.flag[name][row])
            return None if flag < 0 else bool(flag)
        return self.label[name][row]


def _groups(codes: NDArray[np.int32]) -> list[NDArray[np.intp]]:
    """Return the rows of each code."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def freeze(columns: Mapping[str, NDArray[Scalar]]) -> Mapping[str, NDArray[Scalar]]:
    """Return `columns` read-only, arrays included."""
    return MappingProxyType({name: _frozen(array) for name, array in columns.items()})


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.setflags(write=False)
    return array
