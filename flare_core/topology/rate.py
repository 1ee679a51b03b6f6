"""How fast the GPUs of a set can add up what each of them holds: the rate of their best all-reduce.

A pipelined all-reduce sends its pieces along spanning trees of the set: up, adding, and down again, so a
tree that carries f GB/s takes f from each of its links in both directions. The best rate is therefore the
largest fractional packing of spanning trees, and by Nash-Williams and Tutte

    rate(S) = min over partitions P of S into two or more parts of  cap(P) / (|P| - 1),

cap(P) being the bandwidth, in one direction, between different parts. Sources: C. Nash-Williams,
"Edge-disjoint spanning trees of finite graphs", J. London Math. Soc. 36 (1961); W. Cunningham, "Optimal
attack and reinforcement of a network", J. ACM 32 (1985); packed trees as all-reduce: G. Wang et al.,
"Blink: fast and generic collectives for distributed ML", MLSys 2020.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flare_core.topology.graph import LinkClass, LinkGraph

HOST_GBYTES: Final = 10.0
"""GB/s in one direction that a GPU exchanges with those it has no link to, through the host.

What NCCL reckons with between two processors (`SKL_QPI_BW` in its ``src/graph/topo.h``,
https://github.com/NVIDIA/nccl), and Apache MXNet between unlinked GPUs of a DGX-1 ("Single machine
all reduce topology-aware communication", https://cwiki.apache.org/confluence/display/MXNET).
"""

EXACT_GPUS: Final = 16
"""Sets of up to so many GPUs are searched exactly; it takes memory for all their subsets."""

TABLE_GPUS: Final = 8
"""Nodes of up to so many GPUs are rated once, with all their sets."""

Floats = NDArray[np.float64]
Masks = NDArray[np.int64] | NDArray[np.object_]
"""Bit sets of GPU indices: whole numbers, of Python's own where a node has more than 62 GPUs."""
Parts = NDArray[np.int64]

_MBYTES: Final = 1000  # whole MB/s inside: sums are exact, so sets that are alike tie exactly
_CELLS: Final = 1 << 22


def tree_rate(graph: LinkGraph, mask: int, host_gbytes: float = HOST_GBYTES) -> float:
    """Return the best all-reduce rate of one set of GPUs, GB/s; see :func:`tree_rates`."""
    if graph.gpus <= TABLE_GPUS:
        return float(_table(graph, host_gbytes)[mask])
    return float(_rated(graph, (mask,), host_gbytes)[0])


def tree_rates(graph: LinkGraph, masks: Masks, host_gbytes: float = HOST_GBYTES) -> Floats:
    """Return the best all-reduce rate of each set of GPUs, GB/s of reduced data.

    Parameters
    ----------
    graph
        The links of the node.
    masks
        The sets, of any sizes.
    host_gbytes
        What a GPU exchanges with those it has no link to, GB/s in one direction.

    Notes
    -----
    A set of fewer than two GPUs exchanges nothing: infinite. Direct links (NVLink, Infinity Fabric) are
    each pair's own; a port (NVSwitch, PCIe, the host) of B GB/s is shared by the k - 1 pairs of a GPU,
    which makes k B / (2 (k - 1)) of a set that hangs off one switch. nccl-tests call ``rate 2 (k - 1) / k``
    bus bandwidth; it is B there.

    Where all pairs are alike the partition into single GPUs is the least: of n parts cap(P) is least for
    one of k - n + 1 GPUs and n - 1 single ones, and its ratio falls with n.

    The rate never falls when a link is added or gets faster. Up to `EXACT_GPUS` GPUs, and for any number
    where all pairs are alike, it is exact; beyond that every pair counts as the set's slowest one, which is
    a lower bound.
    """
    if graph.gpus <= TABLE_GPUS:
        return _table(graph, host_gbytes)[masks.astype(np.int64)]
    return _rated(graph, tuple(masks.tolist()), host_gbytes)


def sizes_of(masks: Masks) -> NDArray[np.int64]:
    """Return how many GPUs each set has."""
    return np.array([mask.bit_count() for mask in masks.tolist()], np.int64)


@lru_cache(maxsize=4096)
def _table(graph: LinkGraph, host_gbytes: float) -> Floats:
    return _rated(graph, tuple(range(1 << graph.gpus)), host_gbytes)


@lru_cache(maxsize=4096)
def _rated(graph: LinkGraph, masks: tuple[int, ...], host_gbytes: float) -> Floats:
    sizes = sizes_of(np.array(masks))
    rates = np.full(len(masks), np.inf)
    for size in np.unique(sizes[sizes > 1]).tolist():
        weights = _weights(graph, size, host_gbytes)
        here = np.flatnonzero(sizes == size)
        if graph.uniform:
            rates[here] = weights[0, 1] * size / 2 / (_MBYTES * (size - 1))
            continue
        step = max(1, _CELLS >> size)
        for some in (here[at : at + step] for at in range(0, len(here), step)):
            gpus = np.array([_gpus(masks[at], graph.gpus) for at in some])
            strength = _strength(weights[gpus[:, :, None], gpus[:, None, :]])
            rates[some] = strength / (_MBYTES * (size - 1))
    rates.setflags(write=False)
    return rates


def _gpus(mask: int, gpus: int) -> list[int]:
    return [gpu for gpu in range(gpus) if mask >> gpu & 1]


def _weights(graph: LinkGraph, size: int, host_gbytes: float) -> Floats:
    """Return what each pair has for itself in a set of so many GPUs: whole MB/s, times size - 1."""
    direct = (np.array(graph.classes) == LinkClass.NVLINK) & (not graph.ports)
    mbytes = np.rint(np.array(graph.gbytes) * _MBYTES)
    weights: Floats = np.maximum(np.where(direct, size - 1, 1) * mbytes, np.rint(host_gbytes * _MBYTES))
    np.fill_diagonal(weights, 0)
    return weights


def _strength(weights: Floats) -> Floats:
    """Return min cap(P) / (|P| - 1) for each of the symmetric matrices `weights[m]`."""
    size = weights.shape[1]
    if size > EXACT_GPUS:
        slowest: Floats = np.where(np.eye(size, dtype=bool), np.inf, weights).min(axis=(1, 2))
        return np.asarray(slowest * size / 2)
    inner = _inner(weights)
    best: Floats = inner[:, -1] / (size - 1)
    while True:  # Dinkelbach: each round finds a partition that beats the best ratio, if there is one
        ratio = _ratio(inner, _partition(inner, best))
        if not (ratio < best).any():
            return best
        best = np.minimum(best, ratio)


def _inner(weights: Floats) -> Floats:
    """Return the weight inside each subset: for each m, indexed by the subset's bits."""
    count, size, _ = weights.shape
    inner = np.zeros((count, 1 << size))
    for last in range(size):
        joined = np.zeros((count, 1 << last))
        for other in range(last):
            joined[:, 1 << other : 2 << other] = joined[:, : 1 << other] + weights[:, other, last, None]
        inner[:, 1 << last : 2 << last] = inner[:, : 1 << last] + joined
    return inner


def _partition(inner: Floats, price: Floats) -> Parts:
    """Return, for each m and GPU, its part in the partition of least  cap(P) - price (|P| - 1).

    This is the sum of ``-price - inner(part)`` over the parts, up to a constant. That function of a part is
    submodular where parts meet, so the least sum over partitions is the largest x(S) with
    x(U) <= -price - inner(U) for every U (Edmonds; A. Schrijver, "Combinatorial Optimization", 48.2), found
    greedily: GPU by GPU x is raised until some U is tight. Tight sets that meet can be united, hence
    the tight sets at the end are the parts.
    """
    count, size = len(inner), inner.shape[1].bit_length() - 1
    total = np.zeros((count, 1 << size))  # x(U), by the bits of U
    part = np.zeros((count, size), np.int64)
    for last in range(size):
        slack = -price[:, None] - inner[:, 1 << last : 2 << last] - total[:, : 1 << last]
        tight = slack.argmin(axis=1)
        total[:, 1 << last : 2 << last] = total[:, : 1 << last] + slack[np.arange(count), tight, None]
        tight |= 1 << last
        tight |= np.bitwise_or.reduce(np.where(part & tight[:, None], part, 0), axis=1)
        joins = tight[:, None] >> np.arange(size) & 1 == 1
        part = np.where(joins, tight[:, None], part)
    return part


def _ratio(inner: Floats, part: Parts) -> Floats:
    """Return cap(P) / (|P| - 1) of each partition; infinite where it has one part only."""
    leads = (part & -part) == 1 << np.arange(part.shape[1])
    inside = np.where(leads, np.take_along_axis(inner, part, axis=1), 0).sum(axis=1)
    cuts = leads.sum(axis=1) - 1
    return np.where(cuts > 0, (inner[:, -1] - inside) / np.maximum(cuts, 1), np.inf)
