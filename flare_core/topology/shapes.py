"""What shape the links of a set of GPUs have: a clique, a ring, a mesh, one switch.

Sets are bit sets of GPU numbers. Up to `EXACT_GPUS` GPUs every answer is exact. Of larger sets a ring,
a mesh or a path is seen only where the links follow the order of the GPUs' numbers, or join all of them.

Rings and paths of all sets of a graph come from one table, after M. Held and R. Karp, "A dynamic
programming approach to sequencing problems", J. SIAM 10 (1962), with a bit set of ends for each set.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flare_core.topology.graph import LinkClass, LinkGraph

EXACT_GPUS: Final = 16
"""Largest set that is searched."""

Adjacency = tuple[int, ...]
"""For each GPU the bit set of those it is linked to."""

Masks = NDArray[np.int64]


@lru_cache(maxsize=16_384)
def neighbours(graph: LinkGraph, least_class: int) -> Adjacency:
    """Return, for each GPU, those it has a link of at least this class to."""
    return tuple(
        sum(1 << b for b, kind in enumerate(row) if b != a and kind >= least_class)
        for a, row in enumerate(graph.classes)
    )


def set_class(graph: LinkGraph, mask: int) -> int:
    """Return the highest class whose links (and better ones) connect the set.

    0 where none does; the highest for fewer than two GPUs, which need no link.
    """
    better_first = (LinkClass.NVSWITCH, LinkClass.NVLINK, LinkClass.PCIE)
    classes = (int(kind) for kind in better_first if is_connected(neighbours(graph, kind), mask))
    return next(classes, int(LinkClass.NONE))


def has_shape(graph: LinkGraph, mask: int, topology: str, least_class: int) -> bool:
    """Tell whether the links of a set, of at least a class, contain a shape on all its GPUs.

    Parameters
    ----------
    mask
        The set.
    topology
        ``all-to-all``: a clique. ``ring``: a Hamiltonian cycle, of two GPUs a link. ``mesh``: a grid
        of r x c GPUs, r and c at least 2, or a path where no such r and c make up the set's size.
        ``nvswitch``: every pair of class NVSWITCH.
    least_class
        Of :class:`LinkClass`.

    Notes
    -----
    One GPU has every shape. Of a flat graph no shape is known, so larger sets have none.
    """
    if mask.bit_count() < 2:
        return True
    if not graph.known:
        return False
    least = LinkClass.NVSWITCH if topology == "nvswitch" else least_class
    return _SHAPES[topology](neighbours(graph, least), mask)


# --- sets -------------------------------------------------------------------------------------------


def members(mask: int) -> Iterator[int]:
    """Yield the GPUs of a set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def is_connected(adjacency: Adjacency, mask: int) -> bool:
    """Tell whether links within the set join all of it."""
    reached = wave = mask & -mask
    while wave:
        wave = _union(adjacency, wave) & mask & ~reached
        reached |= wave
    return reached == mask


def is_clique(adjacency: Adjacency, mask: int) -> bool:
    """Tell whether every pair of the set is linked."""
    return all(mask & ~(adjacency[a] | 1 << a) == 0 for a in members(mask))


def has_ring(adjacency: Adjacency, mask: int) -> bool:
    """Tell whether a Hamiltonian cycle runs through the set; of two GPUs, whether they are linked."""
    if mask.bit_count() > EXACT_GPUS:
        order = tuple(members(mask))
        return _in_order(adjacency, (*pairwise(order), (order[-1], order[0])))
    adjacency, mask = _narrowed(adjacency, mask)
    return bool(ring_sets(adjacency)[mask])


def has_path(adjacency: Adjacency, mask: int) -> bool:
    """Tell whether a Hamiltonian path runs through the set."""
    if mask.bit_count() > EXACT_GPUS:
        return _in_order(adjacency, pairwise(members(mask)))
    adjacency, mask = _narrowed(adjacency, mask)
    return bool(_ends(adjacency, from_lowest=False)[mask])


def has_mesh(adjacency: Adjacency, mask: int) -> bool:
    """Tell whether the set contains a spanning grid, or a path where its size makes none."""
    size = mask.bit_count()
    heights = [rows for rows in range(2, size) if size % rows == 0 and rows * rows <= size]
    if not heights:
        return has_path(adjacency, mask)
    if size % 2 == 0 and size <= EXACT_GPUS and not has_ring(adjacency, mask):
        return False  # every grid of an even number has a ring
    return any(_has_grid(adjacency, mask, rows) for rows in heights)


_SHAPES: Final[Mapping[str, Callable[[Adjacency, int], bool]]] = MappingProxyType(
    {"all-to-all": is_clique, "nvswitch": is_clique, "ring": has_ring, "mesh": has_mesh}
)


def _union(adjacency: Adjacency, mask: int) -> int:
    union = 0
    for a in members(mask):
        union |= adjacency[a]
    return union


def _in_order(adjacency: Adjacency, pairs: Iterable[tuple[int, int]]) -> bool:
    return all(adjacency[a] >> b & 1 for a, b in pairs)


def _narrowed(adjacency: Adjacency, mask: int) -> tuple[Adjacency, int]:
    """Return a graph small enough for a table: the whole one, or that of the set alone."""
    if len(adjacency) <= EXACT_GPUS:
        return adjacency, mask
    own = tuple(members(mask))
    alone = tuple(sum((adjacency[a] >> b & 1) << i for i, b in enumerate(own)) for a in own)
    return alone, (1 << len(own)) - 1


# --- rings and paths --------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def ring_sets(adjacency: Adjacency) -> NDArray[np.bool_]:
    """Return for every set of a graph, by its bits, whether a ring runs through it; see :func:`has_ring`."""
    ends = _ends(adjacency, from_lowest=True)
    sets = np.arange(len(ends), dtype=np.int64)
    back = np.zeros(len(ends), np.int64)  # the neighbours of the lowest GPU, where all paths start
    for a, linked in enumerate(adjacency):
        back[sets & -sets == 1 << a] = linked
    rings: NDArray[np.bool_] = ends & back != 0
    rings.setflags(write=False)
    return rings


@lru_cache(maxsize=256)
def _ends(adjacency: Adjacency, *, from_lowest: bool) -> Masks:
    """Return for every set the GPUs in which a path through all of it can end.

    `from_lowest`: only paths that start in the set's lowest GPU.
    """
    ends = np.zeros(1 << len(adjacency), np.int64)
    _, single, *larger = subsets_by_size(len(adjacency))
    ends[single] = single
    for layer in larger:
        for a, linked in enumerate(adjacency):
            bit = 1 << a
            here = layer[layer & bit != 0]
            if from_lowest:
                here = here[here & -here != bit]
            before = here ^ bit
            ends[here] |= np.where(ends[before] & linked, bit, 0)
    ends.setflags(write=False)
    return ends


@lru_cache(maxsize=EXACT_GPUS)
def subsets_by_size(gpus: int) -> tuple[Masks, ...]:
    """Return all sets of so many GPUs as bit sets, ascending, by their size."""
    sets = np.arange(1 << gpus, dtype=np.int64)
    sizes = np.bitwise_count(sets)
    return tuple(sets[sizes == size] for size in range(gpus + 1))


# --- grids ------------------------------------------------------------------------------------------


def _has_grid(adjacency: Adjacency, mask: int, rows: int) -> bool:
    if mask.bit_count() <= EXACT_GPUS:
        adjacency, mask = _narrowed(adjacency, mask)
        return bool(_ladders(adjacency)[mask]) if rows == 2 else _fills(adjacency, mask, rows, ())
    order = tuple(members(mask))
    columns = len(order) // rows
    across = [pair for at, pair in enumerate(pairwise(order), 1) if at % columns]
    return _in_order(adjacency, (*across, *zip(order, order[columns:], strict=False)))


@lru_cache(maxsize=256)
def _ladders(adjacency: Adjacency) -> NDArray[np.bool_]:
    """Return for every set whether it contains a spanning grid of two rows.

    As for paths, with the columns (a, b) in which a ladder through all of a set can end.
    """
    links = [(a, b) for a, linked in enumerate(adjacency) for b in members(linked) if a < b]
    ends = np.zeros((1 << len(adjacency), max(1, len(adjacency))), np.int64)
    for layer in subsets_by_size(len(adjacency))[2::2]:
        for a, b in links:
            column = 1 << a | 1 << b
            here = layer[layer & column == column]
            before = ends[here ^ column][:, list(members(adjacency[a]))]
            joins = (here == column) | (before & adjacency[b] != 0).any(axis=1)
            ends[here, a] |= np.where(joins, 1 << b, 0)
            ends[here, b] |= np.where(joins, 1 << a, 0)
    ladders: NDArray[np.bool_] = np.asarray(ends.any(axis=1))
    ladders.setflags(write=False)
    return ladders


@lru_cache(maxsize=65_536)
def _fills(adjacency: Adjacency, free: int, rows: int, last: tuple[int, ...]) -> bool:
    """Tell whether the free GPUs can fill the rest of a grid, column by column.

    What was filled before the `last` cells, as many as there are rows, does not matter: sets share answers.
    """
    if not free:
        return True
    fitting = free
    if free.bit_count() % rows:
        fitting &= adjacency[last[-1]]
    if len(last) == rows:
        fitting &= adjacency[last[0]]
        last = last[1:]
    elif len(last) == rows - 1:
        fitting &= -2 << last[0]  # upside down it is the same grid
    return any(_fills(adjacency, free ^ 1 << a, rows, (*last, a)) for a in members(fitting))
