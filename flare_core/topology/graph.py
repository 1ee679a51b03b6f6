"""The link graph of an offer: which GPUs of a node are joined, by what, how fast.

It is, in this order, what the offer states (`links`), what is published for its node type
(:func:`flare_core.catalog.links.template_of`), or what its labels alone say (a ring of NVLink). Where
none of these speaks the graph is *flat*: every pair counts alike and no shape can be claimed.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import combinations
from types import MappingProxyType
from typing import Final

from flare_core.catalog.links import LinkTemplate, template_of
from flare_core.quantities import parse_bandwidth_gbps


class LinkClass(IntEnum):
    """How good a link is; a better one satisfies whoever asks for a lesser one."""

    NONE = 0
    PCIE = 1
    NVLINK = 2
    NVSWITCH = 3


CLASS_OF: Final[Mapping[str, LinkClass]] = MappingProxyType(
    {
        "pcie": LinkClass.PCIE,
        "infiniband": LinkClass.PCIE,  # it is between nodes; inside one the way is PCIe
        "nvlink": LinkClass.NVLINK,
        "infinity-fabric": LinkClass.NVLINK,
        "xgmi": LinkClass.NVLINK,
        "nvswitch": LinkClass.NVSWITCH,
    }
)
"""The class of each kind of link."""

NOMINAL_GBYTES: Final[Mapping[LinkClass, float]] = MappingProxyType(
    {LinkClass.NONE: 0.0, LinkClass.PCIE: 16.0, LinkClass.NVLINK: 20.0, LinkClass.NVSWITCH: 150.0}
)
"""GB/s in one direction where a link states none: the slowest of its class, so that nothing is promised.

PCIe 3.0 x16 (PCI-SIG, 15.75 GB/s, marketed as 16); one link of NVLink 1 (NVIDIA Tesla P100 whitepaper);
six links of NVLink 2 into the NVSwitches of a DGX-2 (NVIDIA NVSwitch technical overview).
"""

MOST_GPUS: Final = 16
"""GPUs of a node up to which links that are not all alike are looked at; of more the label alone counts."""

Link = tuple[int, int, LinkClass, float | None]
"""Two GPUs, the class of their link and its GB/s in one direction (None: not stated)."""


@dataclass(frozen=True, slots=True)
class LinkGraph:
    """The GPUs of one node and the links between them.

    Attributes
    ----------
    gpus
        How many.
    classes
        The best class of link of each pair, `gpus` x `gpus`, symmetric; the diagonal is NONE.
    gbytes
        GB/s in one direction, of the links of that class; 0 where there is none, or where the way
        over the host is all that is known. A pair of class NVSWITCH shows the bandwidth of a GPU's
        *port*, which all pairs of a set share.
    known
        False: flat. No shape can be claimed, every pair counts alike.
    ports
        All pairs are alike and share a port: one switch, PCIe throughout, or flat.
    """

    gpus: int
    classes: tuple[tuple[int, ...], ...]
    gbytes: tuple[tuple[float, ...], ...]
    known: bool
    ports: bool

    def __hash__(self) -> int:
        # Graphs are keys of many caches; one row tells them apart well enough, and is 30 times faster.
        return hash((self.gpus, self.classes[:1], self.gbytes[:1], self.known))

    @property
    def uniform(self) -> bool:
        """Whether every set of k GPUs is like every other, for every k."""
        return self.ports or _uniform(self)


@lru_cache(maxsize=4096)
def _uniform(graph: LinkGraph) -> bool:
    # Asked of the same few graphs for every task that is seated.
    return _alike(graph.gpus, graph.classes, graph.gbytes)


def _alike(gpus: int, *matrices: tuple[tuple[float, ...], ...]) -> bool:
    pairs = combinations(range(gpus), 2)
    return len({tuple(matrix[a][b] for matrix in matrices) for a, b in pairs}) <= 1


@lru_cache(maxsize=4096)
def graph_of(
    *,
    model: str | None,
    memory_mib: int | None,
    gpus: int,
    interconnect: str | None,
    interconnect_gbps: float | None,
    topology: str | None,
    links: str | None,
) -> LinkGraph:
    """Return the link graph of an offer's nodes.

    Parameters
    ----------
    model, memory_mib, gpus
        What a node has: normalised model, MiB of each GPU, number of GPUs (at least 1).
    interconnect, topology
        The offer's labels.
    interconnect_gbps
        What one GPU exchanges with the others, Gbit/s, both directions added; it fills in links
        that state no bandwidth, divided among the links of the GPU that has most.
    links
        The offer's links as an inventory holds them (JSON); GPUs without a stated link have none.
    """
    port = None if interconnect_gbps is None else interconnect_gbps / 16
    flat = _flat(gpus, CLASS_OF.get(interconnect or "", LinkClass.NONE), port)
    if links is not None:
        graph = _joined(gpus, _stated(links), port)
    elif (template := template_of(model, memory_mib, gpus, interconnect, topology)) is not None:
        joined = [(a, b, CLASS_OF[kind], rate / 2) for a, b, kind, rate in template.links]
        graph = _joined(gpus, joined, None)
    elif (pairs := _labelled(gpus, interconnect, topology)) is not None:
        least = LinkClass.NVSWITCH if topology == "nvswitch" else CLASS_OF[interconnect or ""]
        graph = _joined(gpus, [(a, b, least, None) for a, b in pairs], port)
    else:
        return flat
    return graph if gpus <= MOST_GPUS or graph.uniform else flat


@lru_cache(maxsize=256)
def graph_of_template(template: LinkTemplate) -> LinkGraph:
    """Return the link graph of a published node type."""
    links = [(a, b, CLASS_OF[kind], gbytes / 2) for a, b, kind, gbytes in template.links]
    return _joined(template.gpus, links, None)


def _stated(links: str) -> list[Link]:
    return [
        (a, b, CLASS_OF[kind], parse_bandwidth_gbps(text[0]) / 16 if text else None)
        for a, b, kind, *text in json.loads(links)
    ]


# --- labels -----------------------------------------------------------------------------------------

Pairs = list[tuple[int, int]]


def _ring(gpus: int) -> Pairs:
    return sorted({(min(a, b), max(a, b)) for a, b in ((a, (a + 1) % gpus) for a in range(gpus)) if a != b})


def _grid(gpus: int) -> Pairs:
    """Return the most square grid; a path where the number has no two factors."""
    rows = max(r for r in range(1, gpus + 1) if gpus % r == 0 and r * r <= gpus)
    columns = gpus // rows
    across = [(a, a + 1) for a in range(gpus) if (a + 1) % columns]
    return across + [(a, a + columns) for a in range(gpus - columns)]


def _clique(gpus: int) -> Pairs:
    return list(combinations(range(gpus), 2))


_SHAPES: Final[Mapping[str, Callable[[int], Pairs]]] = MappingProxyType(
    {"ring": _ring, "mesh": _grid, "all-to-all": _clique, "nvswitch": _clique}
)
_SWITCHABLE: Final = (None, "nvlink", "nvswitch")


def _labelled(gpus: int, interconnect: str | None, topology: str | None) -> Pairs | None:
    """Return the pairs that labels alone name; None where they leave it open or contradict each other."""
    if topology is None or topology not in _SHAPES:
        return None
    said = interconnect in _SWITCHABLE if topology == "nvswitch" else interconnect in CLASS_OF
    return _SHAPES[topology](gpus) if said else None


# --- matrices ---------------------------------------------------------------------------------------


def _joined(gpus: int, links: Iterable[Link], port: float | None) -> LinkGraph:
    """Build a graph from links; of several kinds of links between two GPUs the best counts."""
    best: dict[tuple[int, int], Link] = {}
    for link in links:
        pair = link[:2]
        if pair not in best or link[2] > best[pair][2]:
            best[pair] = link
    classes = [[int(LinkClass.NONE)] * gpus for _ in range(gpus)]
    gbytes = [[0.0] * gpus for _ in range(gpus)]
    for a, b, kind, rate in best.values():
        classes[a][b] = classes[b][a] = int(kind)
        gbytes[a][b] = gbytes[b][a] = _share(kind, best, port) if rate is None else rate
    return _frozen(classes, gbytes, known=True)


def _share(kind: LinkClass, links: Mapping[tuple[int, int], Link], port: float | None) -> float:
    """Return the bandwidth of a link that states none: its share of the port, else the nominal one."""
    if port is None:
        return NOMINAL_GBYTES[kind]
    if kind is not LinkClass.NVLINK:
        return port
    ends = [end for a, b, each, _ in links.values() if each is kind for end in (a, b)]
    return port / max(map(ends.count, ends))


def _flat(gpus: int, kind: LinkClass, port: float | None) -> LinkGraph:
    rate = NOMINAL_GBYTES[kind] if port is None else port
    classes = [[0 if a == b else int(kind) for b in range(gpus)] for a in range(gpus)]
    gbytes = [[0.0 if a == b else rate for b in range(gpus)] for a in range(gpus)]
    return _frozen(classes, gbytes, known=False)


def _frozen(classes: list[list[int]], gbytes: list[list[float]], *, known: bool) -> LinkGraph:
    kinds, rates = tuple(map(tuple, classes)), tuple(map(tuple, gbytes))
    gpus = len(kinds)
    direct = any(LinkClass.NVLINK in row or row.count(LinkClass.NONE) > 1 for row in kinds)
    shared = gpus > 1 and not direct and _alike(gpus, kinds, rates)
    return LinkGraph(gpus, kinds, rates, known, ports=shared or not known)
