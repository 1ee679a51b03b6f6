"""GPUs from the inside, by exhaustion: links, shapes, rates and efficiencies of a set of one node's GPUs.

Everything is read from offers as documents and worked out the slow way: every partition for the rate of the
best packing of trees, every order of the GPUs for a ring or a grid. Bandwidths are fractions of GB/s in one
direction. The catalog's templates and the constants of the efficiency model are taken as they are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from itertools import combinations
from math import floor
from typing import Any

from flare_core import quantities as q
from flare_core.catalog.gpus import parts_of
from flare_core.catalog.links import template_of
from flare_core.topology.efficiency import DEFAULT

Json = Mapping[str, Any]
GpuSet = frozenset[int]
Matrix = tuple[tuple[Fraction, ...], ...]

CLASSES = {"pcie": 1, "infiniband": 1, "nvlink": 2, "infinity-fabric": 2, "xgmi": 2, "nvswitch": 3}
NOMINAL = {0: Fraction(0), 1: Fraction(16), 2: Fraction(20), 3: Fraction(150)}
"""GB/s in one direction of a link that does not say; documented beside the link graphs."""
MILLION = 10**6
HOST_MBYTES = round(DEFAULT.host_gbytes * 1000)


def constant(value: float) -> Fraction:
    return Fraction(str(value))


# --- link graphs ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Graph:
    """What joins each pair: class and GB/s (of a GPU's port where ``shared`` says so)."""

    classes: tuple[tuple[int, ...], ...]
    rates: Matrix
    known: bool
    ports: bool

    @cached_property
    def gpus(self) -> GpuSet:
        return frozenset(range(len(self.classes)))

    def linked(self, a: int, b: int, least: int) -> bool:
        return self.classes[a][b] >= least


def graph(offer: Json) -> Graph:
    """Return the link graph of an offer's nodes."""
    gpu = offer["gpu"]
    bandwidth = gpu.get("interconnect_bandwidth")
    port = None if bandwidth is None else _gbytes(q.parse_bandwidth_gbps(bandwidth))
    links = gpu.get("links")
    return _graph(
        gpu["model"],
        _memory(gpu),
        gpu["count"],
        gpu.get("interconnect"),
        gpu.get("topology"),
        port,
        None if links is None else tuple(map(tuple, links)),
    )


def _gbytes(gbps: float) -> Fraction:
    """Return GB/s in one direction of Gbit/s in both."""
    return constant(gbps) / 16


@cache
def _graph(
    model: str,
    memory_mib: int | None,
    gpus: int,
    kind: str | None,
    topology: str | None,
    port: Fraction | None,
    links: tuple[tuple[Any, ...], ...] | None,
) -> Graph:
    if links is not None:
        said = [
            (a, b, CLASSES[k], _gbytes(q.parse_bandwidth_gbps(rate[0])) if rate else None)
            for a, b, k, *rate in links
        ]
        return _joined(gpus, said, port)
    template = template_of(model, memory_mib, gpus, kind, topology)
    if template is not None:
        return _joined(gpus, [(a, b, CLASSES[k], constant(r) / 2) for a, b, k, r in template.links], None)
    switched = topology == "nvswitch"
    named = kind in (None, "nvlink", "nvswitch") if switched else kind is not None
    if topology is not None and named:
        least = 3 if switched else CLASSES[kind or ""]
        return _joined(gpus, [(a, b, least, None) for a, b in _pairs(gpus, topology)], port)
    flat = CLASSES.get(kind or "", 0)
    rate = NOMINAL[flat] if port is None else port
    whole = range(gpus)
    return Graph(
        tuple(tuple(0 if a == b else flat for b in whole) for a in whole),
        tuple(tuple(Fraction(0) if a == b else rate for b in whole) for a in whole),
        known=False,
        ports=True,
    )


def _pairs(gpus: int, topology: str) -> Iterator[tuple[int, int]]:
    columns = next(c for c in range(1, gpus + 1) if gpus % c == 0 and c * c >= gpus)
    for a, b in combinations(range(gpus), 2):
        ring = b == a + 1 or (a == 0 and b == gpus - 1)
        grid = b == a + columns or (b == a + 1 and b % columns != 0)
        if {"ring": ring, "mesh": grid}.get(topology, True):
            yield a, b


def _joined(gpus: int, links: list[tuple[int, int, int, Fraction | None]], port: Fraction | None) -> Graph:
    """Build a graph; of several links between two GPUs the best counts."""
    best: dict[tuple[int, int], tuple[int, Fraction | None]] = {}
    for a, b, kind, rate in links:
        pair = min(a, b), max(a, b)
        if kind > best.get(pair, (0, None))[0]:
            best[pair] = kind, rate
    most = max((sum(k == 2 and g in p for p, (k, _) in best.items()) for g in range(gpus)), default=0)
    classes = [[0] * gpus for _ in range(gpus)]
    rates = [[Fraction(0)] * gpus for _ in range(gpus)]
    for (a, b), (kind, rate) in best.items():
        share = NOMINAL[kind] if port is None else port / (most if kind == 2 else 1)
        classes[a][b] = classes[b][a] = kind
        rates[a][b] = rates[b][a] = share if rate is None else rate
    pairs = [(classes[a][b], rates[a][b]) for a, b in combinations(range(gpus), 2)]
    alike = bool(pairs) and len(set(pairs)) == 1 and pairs[0][0] in (1, 3)
    return Graph(tuple(map(tuple, classes)), tuple(map(tuple, rates)), known=True, ports=alike)


# --- what a set of GPUs is --------------------------------------------------------------------------


def class_of(g: Graph, chosen: GpuSet) -> int:
    """Return the highest class of which links connect the set."""
    return next((c for c in (3, 2, 1) if _connected(g, chosen, c)), 0)


def _connected(g: Graph, chosen: GpuSet, least: int) -> bool:
    reached = {min(chosen)}
    while more := {b for a in reached for b in chosen - reached if g.linked(a, b, least)}:
        reached |= more
    return reached == chosen


def has_shape(g: Graph, chosen: GpuSet, topology: str, least: int) -> bool:
    """Whether links of at least a class give the set a shape."""
    if len(chosen) == 1:
        return True
    if not g.known:
        return False
    if topology in ("all-to-all", "nvswitch"):
        wanted = 3 if topology == "nvswitch" else least
        return all(g.linked(a, b, wanted) for a, b in combinations(chosen, 2))
    return any(_fits_round(g, chosen, least, before) for before in _patterns(len(chosen), topology))


def _patterns(k: int, topology: str) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield shapes: for each place in turn the earlier places that it must be linked to."""
    path = tuple((place - 1,) if place else () for place in range(k))
    if topology == "ring":
        yield path if k == 2 else (*path[:-1], (k - 2, 0))
        return
    grids = [(r, k // r) for r in range(2, k) if k % r == 0 and k // r >= 2]
    if not grids:
        yield path
    for _, columns in grids:
        yield tuple(
            (*((p - 1,) if p % columns else ()), *((p - columns,) if p >= columns else ())) for p in range(k)
        )


def _fits_round(g: Graph, chosen: GpuSet, least: int, before: tuple[tuple[int, ...], ...]) -> bool:
    def place(seated: tuple[int, ...]) -> bool:
        if len(seated) == len(before):
            return True
        neighbours = before[len(seated)]
        return any(
            all(g.linked(seated[p], one, least) for p in neighbours) and place((*seated, one))
            for one in sorted(chosen - set(seated))
        )

    return place(())


# --- how fast they are together ---------------------------------------------------------------------


def partitions(items: tuple[int, ...]) -> Iterator[list[list[int]]]:
    """Yield every way to divide items into parts."""
    if not items:
        yield []
        return
    first, *rest = items
    for parts in partitions(tuple(rest)):
        yield [[first], *parts]
        for k, part in enumerate(parts):
            yield [*parts[:k], [first, *part], *parts[k + 1 :]]


@cache
def tree_rate(g: Graph, chosen: GpuSet) -> Fraction:
    """Return the rate of the best fractional packing of spanning trees, GB/s, by Nash-Williams and Tutte."""
    own = {pair: _own(g, *pair, len(chosen)) for pair in combinations(sorted(chosen), 2)}
    least = min(
        Fraction(_between(parts, own), len(parts) - 1)
        for parts in partitions(tuple(sorted(chosen)))
        if len(parts) > 1
    )
    return least / (1000 * (len(chosen) - 1))


def _between(parts: list[list[int]], own: Mapping[tuple[int, int], int]) -> int:
    home = {item: k for k, part in enumerate(parts) for item in part}
    return sum(rate for (a, b), rate in own.items() if home[a] != home[b])


def _own(g: Graph, a: int, b: int, k: int) -> int:
    """Return what a pair has to itself while `k` GPUs talk: MB/s, times k - 1.

    NVLink is the pair's; ports of switches and slots, and the way through the host, are for k - 1 pairs.
    """
    rate = round(g.rates[a][b] * 1000)
    direct = g.classes[a][b] == 2 and not g.ports
    return max((k - 1) * rate if direct else rate, HOST_MBYTES)


# --- what an offer's GPUs yield ---------------------------------------------------------------------


def rating(offer: Json) -> Fraction | None:
    """Return the TFLOPS of a GPU that count: dense FP16, the least of the parts that fit; else FP32."""
    gpu = offer["gpu"]
    said = gpu.get("fp32_tflops")
    return _rating(gpu["model"], _memory(gpu), gpu.get("power_w"), None if said is None else Fraction(said))


@cache
def _rating(model: str, memory: int | None, power: float | None, fp32: Fraction | None) -> Fraction | None:
    """Return the rating; offers of known models state their figures exactly."""
    fits = [p for p in parts_of(model) if p.memory_mib == memory and p.tdp_w == power]
    tensor = [constant(p.fp16_dense_tflops) for p in fits if p.fp16_dense_tflops is not None]
    return min(tensor) if tensor else fp32


def _memory(gpu: Json) -> int | None:
    memory = gpu.get("memory")
    return None if memory is None else q.parse_memory_mib(memory, q.Rounding.DOWN)


def class_had(offer: Json, seat: tuple[int, ...] | None) -> int:
    """Return the class of the links of some GPUs; of shares (None) what the offer's label says."""
    if seat is None:
        return CLASSES.get(offer["gpu"].get("interconnect") or "", 0)
    return class_of(graph(offer), frozenset(seat))


def efficiency(offer: Json, seat: GpuSet | None, gpus: int) -> int:
    """Return the predicted efficiency of a set, in millionths.

    Of `gpus` shares (None) it is that of as many whole ones of which nothing but the label is known.
    """
    if gpus < 2:
        return MILLION
    stated = offer["gpu"].get("multi_gpu_efficiency")
    g = graph(offer) if seat is not None else _flat(offer, gpus)
    chosen = frozenset(range(gpus)) if seat is None else seat
    if stated is None:
        tflops = rating(offer)
        load = _load(constant(DEFAULT.reference_tflops) if tflops is None else tflops)
        return _ppm(load / (constant(DEFAULT.eta[class_of(g, chosen)]) * tree_rate(g, chosen)))
    said = Fraction(str(stated))
    return _ppm((1 / said - 1) * tree_rate(g, g.gpus) / tree_rate(g, chosen)) if said else 0


def _flat(offer: Json, gpus: int) -> Graph:
    gpu = offer["gpu"]
    bare = {key: gpu.get(key) for key in ("interconnect", "interconnect_bandwidth")}
    return graph({"gpu": {"model": "", "count": max(gpus, gpu["count"]), **bare}})


def speed(gpus: int, tflops: Fraction, part: Fraction, eff_ppm: int, phi_ppm: int) -> int:
    """Return the throughput of one task, in thousandths of a TFLOPS: rounded, then once more on a fabric.

    In floats, as halves of a thousandth fall the way that floats do.
    """
    one = float(tflops) * 1000 * part.numerator / part.denominator
    return round(round(gpus * one * (eff_ppm / MILLION)) * (phi_ppm / MILLION))


def fabric(offer: Json, span: int) -> int:
    """Return the efficiency of the fabric for a task of a gang of that span, in millionths."""
    if span == 0 or offer["gpu"] is None:
        return MILLION
    told = ((offer.get("fabric") or {}).get("bandwidth"), offer["performance"].get("network_bandwidth"))
    gbps = next((q.parse_bandwidth_gbps(text) for text in told if text is not None), DEFAULT.network_gbps)
    tflops = rating(offer)
    load = 2 * _load(constant(DEFAULT.reference_tflops) if tflops is None else tflops)
    taper = constant(DEFAULT.taper) ** (span - 1)
    return _ppm(load / (constant(DEFAULT.eta_fabric) * constant(gbps) / 8 * taper))


def _load(tflops: Fraction) -> Fraction:
    """Return the GB that a GPU reduces per second of computing."""
    return 1000 * Fraction(DEFAULT.kappa) * tflops


def _ppm(lost: Fraction) -> int:
    """Return 1 / (1 + lost) in millionths, rounded down; a thousandth of one short is not short."""
    return floor(MILLION / (1 + lost) + Fraction(1, 1000))
