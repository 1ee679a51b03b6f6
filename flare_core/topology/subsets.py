"""Which of the free GPUs of a node to take: the best set by a stated order of keys, from exact tables.

Keys of a set are whole MB/s in one direction: `ring`, the slowest link of the best ring through it;
`minimum`, its slowest pair; `total`, all its pairs together. A *policy* is the order in which they count:
on a hybrid cube mesh (ring, minimum, total) and (total,) take different GPUs. Among sets that are equal in
all of them the choice is the one after which the free GPUs still hold the best set of the same size, then
the most bandwidth; then the one with the smallest bit set.

Up to `TABLE_GPUS` GPUs all choices of a node type are one table of a byte for each size and free set, so
ten thousand nodes are one look-up; larger nodes are searched once for each free set that occurs. Where all
GPUs are alike the lowest free ones are taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flare_core.topology.graph import LinkClass, LinkGraph
from flare_core.topology.shapes import EXACT_GPUS, neighbours, ring_sets, subsets_by_size

Ints = NDArray[np.int64]

POLICY: Final = ("ring", "minimum", "total")
"""The keys in the order in which they count unless another is asked for."""

TABLE_GPUS: Final = 8
"""Nodes of up to so many GPUs have a table of all choices."""

_CELLS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Subsets:
    """Sets of GPUs of a node, ascending by their bits, and their keys.

    Attributes
    ----------
    masks
        The sets.
    ring, minimum, total
        MB/s in one direction, see above; 0 for fewer than two GPUs. Through a switch, that of the ports.
    set_class
        As :func:`flare_core.topology.shapes.set_class` tells.
    """

    masks: Ints
    ring: Ints
    minimum: Ints
    total: Ints
    set_class: Ints

    def keys_of(self, policy: Sequence[str] = POLICY) -> list[Ints]:
        """Return the keys of a policy, some of `POLICY` in any order."""
        return [getattr(self, name) for name in policy]


@lru_cache(maxsize=1024)
def subsets(graph: LinkGraph, k: int) -> Subsets:
    """Return all sets of k GPUs of a node with up to `EXACT_GPUS` GPUs; ValueError for a larger one."""
    return _picked(all_subsets(graph), subsets_by_size(graph.gpus)[k])


def _picked(sets: Subsets, at: Ints) -> Subsets:
    columns = (sets.masks, sets.ring, sets.minimum, sets.total, sets.set_class)
    return Subsets(*(_frozen(column[at]) for column in columns))


def _frozen(values: Ints) -> Ints:
    values.setflags(write=False)
    return values


# --- keys -------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def all_subsets(graph: LinkGraph) -> Subsets:
    """Return every set of GPUs of a node, of any size: each stands at the index that its bits make."""
    if graph.gpus > EXACT_GPUS:
        raise ValueError(f"found a node of {graph.gpus} GPUs, expected up to {EXACT_GPUS}")
    mbytes = np.rint(np.array(graph.gbytes).reshape(graph.gpus, graph.gpus) * 1000).astype(np.int64)
    masks = np.arange(1 << graph.gpus, dtype=np.int64)
    small = np.bitwise_count(masks) < 2
    minimum = _folded(mbytes, np.minimum, np.iinfo(np.int64).max)
    minimum[small] = 0
    columns = (masks, _rings(mbytes), minimum, _folded(mbytes, np.add, 0), _classes(graph))
    return Subsets(*map(_frozen, columns))


def _folded(mbytes: Ints, fold: np.ufunc, start: int) -> Ints:
    """Return the fold of the pairs of every set, doubling the sets with each further GPU."""
    gpus = len(mbytes)
    pairs = np.full(1 << gpus, start, np.int64)
    for last in range(gpus):
        own = np.full(1 << last, start, np.int64)  # the pairs of `last` with each set of lower GPUs
        for other in range(last):
            own[1 << other : 2 << other] = fold(own[: 1 << other], mbytes[last, other])
        pairs[1 << last : 2 << last] = fold(pairs[: 1 << last], own)
    return pairs


def _rings(mbytes: Ints) -> Ints:
    """Return the slowest link of the best ring through every set: the last rate whose links make one."""
    rings = np.zeros(1 << len(mbytes), np.int64)
    for rate in np.unique(mbytes[mbytes > 0]).tolist():
        linked = tuple(sum(1 << int(b) for b in np.flatnonzero(row >= rate)) for row in mbytes)
        rings[ring_sets(linked)] = rate
    return rings


def _classes(graph: LinkGraph) -> Ints:
    classes = np.zeros(1 << graph.gpus, np.int64)
    _, *sizes = subsets_by_size(graph.gpus)
    for kind in (LinkClass.PCIE, LinkClass.NVLINK, LinkClass.NVSWITCH):
        joined = np.zeros(len(classes), np.bool_)
        joined[sizes[0]] = joined[0] = True
        for layer in sizes[1:]:
            for a, linked in enumerate(neighbours(graph, kind)):
                # Every connected set has a GPU without which it still is.
                here = layer[layer & (1 << a) != 0]
                joined[here] |= joined[here ^ (1 << a)] & (here & linked != 0)
        classes[joined] = kind
    return classes


# --- choosing ---------------------------------------------------------------------------------------


def best_of(sets: Subsets, keys: Sequence[Ints], free: Ints, left: Sequence[Ints] = ()) -> Ints:
    """Return for every free set of GPUs which of `sets` is the best that fits in it.

    Parameters
    ----------
    keys
        For each of the sets, larger is better; they count in this order.
    free
        Bit sets.
    left
        Further keys, of what a choice leaves free: for every set of GPUs, by its bits.

    Returns
    -------
    Indices into ``sets.masks``; -1 where none fits. Of equal sets the first.
    """
    found = np.full(len(free), -1, np.int64)
    step = max(1, _CELLS // max(1, len(sets.masks)))
    for at in range(0, len(free), step):
        some = free[at : at + step, None]
        fits = sets.masks & ~some == 0
        for key in keys:
            fits &= _greatest(np.where(fits, key, -1))
        for key in left:
            fits &= _greatest(np.where(fits, key[some & ~sets.masks], -1))
        found[at : at + step] = np.where(fits.any(axis=1), fits.argmax(axis=1), -1)
    return found


def _greatest(values: Ints) -> NDArray[np.bool_]:
    return np.asarray(values == values.max(axis=1, keepdims=True, initial=-1))


def best_table(sets: Subsets, keys: Sequence[Ints], gpus: int, left: Sequence[Ints] = ()) -> Ints:
    """Return :func:`best_of` for all free sets of a node with `gpus` GPUs, by their bits."""
    return best_of(sets, keys, np.arange(1 << gpus, dtype=np.int64), left)


@lru_cache(maxsize=256)
def _left(graph: LinkGraph, k: int, policy: tuple[str, ...]) -> tuple[Ints, Ints]:
    """Return what a free set is worth: the rank of the best k GPUs in it, and its bandwidth."""
    sets = subsets(graph, k)
    _, rank = np.unique(np.stack([sets.masks * 0, *sets.keys_of(policy)]), axis=1, return_inverse=True)
    worth = np.zeros(1 << graph.gpus, np.int64)
    worth[sets.masks] = rank.ravel() + 1
    for a in range(graph.gpus):
        halves = worth.reshape(-1, 2, 1 << a)
        np.maximum(halves[:, 1], halves[:, 0], out=halves[:, 1])
    return worth, all_subsets(graph).total


@lru_cache(maxsize=1024)
def choice_table(graph: LinkGraph, policy: tuple[str, ...] = POLICY) -> NDArray[np.uint8]:
    """Return the set to take for every k and every free set: ``table[k, free]``; 0 where none fits.

    For nodes with up to `TABLE_GPUS` GPUs; at most 2304 bytes.
    """
    free = np.arange(1 << graph.gpus, dtype=np.int64)
    table = np.stack([_searched(graph, k, free, policy) for k in range(graph.gpus + 1)]).astype(np.uint8)
    table.setflags(write=False)
    return table


def choose(graph: LinkGraph, k: int, free: Ints, policy: tuple[str, ...] = POLICY) -> Ints:
    """Return the best k GPUs of each free set of one node type, as bit sets; 0 where k do not fit.

    Parameters
    ----------
    free
        Bit sets of the free GPUs of each node. Nodes have up to 62 GPUs; of more than `EXACT_GPUS`
        unlike ones the lowest are taken.
    policy
        The keys in the order in which they count, see `POLICY`; ValueError for a name that is none.
    """
    if unknown := [name for name in policy if name not in POLICY]:
        raise ValueError(f"found key {unknown[0]!r}, expected some of {', '.join(POLICY)}")
    if graph.gpus <= TABLE_GPUS and k <= graph.gpus:
        return np.asarray(choice_table(graph, policy)[k][free], np.int64)
    distinct, which = np.unique(free, return_inverse=True)
    return np.asarray(_searched(graph, k, distinct, policy)[which])


def _searched(graph: LinkGraph, k: int, free: Ints, policy: tuple[str, ...]) -> Ints:
    if not 0 < k <= graph.gpus or graph.uniform or graph.gpus > EXACT_GPUS:
        return _lowest(free, k)
    sets = subsets(graph, k)
    found = best_of(sets, sets.keys_of(policy), free, _left(graph, k, policy))
    return np.where(found >= 0, sets.masks[found], 0)


def _lowest(free: Ints, k: int) -> Ints:
    taken, rest = np.zeros_like(free), free.copy()
    for _ in range(k):
        taken |= rest & -rest
        rest &= rest - 1
    return np.where(np.bitwise_count(free) >= k, taken, 0)
