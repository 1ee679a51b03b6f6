"""What one GPU can still take.

A MIG instance takes consecutive memory slices from one of its profile's start slices on, and compute slices
wherever they are. What fits is found by trying the starts: free slices alone do not say it (with a ``3g`` at
slice 0 no ``4g`` fits, which begins only at 0; two ``3g`` leave a compute slice and no memory slice).
"""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, pairwise
from operator import mul

from flare_core.catalog.mig import Cut, layout_fault
from flare_core.sharing.cards import MILLI
from flare_core.sharing.types import Card, Kind, State, Vector

CLOSED: State = (("", 0),)
"""A MIG GPU of which something is taken that no layout tells: nothing more fits."""


def fresh(card: Card) -> State:
    """Return the state of a GPU of which nothing is taken."""
    return card.slots or ()


def state_of(card: Card, milli: int | None, instances: tuple[tuple[str, int], ...] = ()) -> State:
    """Return the state of a GPU.

    Parameters
    ----------
    milli
        Free thousandths of a partly used GPU; None where nothing is said.
    instances
        MIG instances in use, ``((profile, start), …)``.

    Notes
    -----
    What does not say which places are free (thousandths of a MIG GPU, instances that the vendor's table does
    not allow, instances on a GPU of slots) leaves nothing free.
    """
    if card.slots:
        return 0 if instances else (MILLI if milli is None else milli) * card.slots // MILLI
    known = milli in (None, MILLI) and layout_fault(card.cuts, instances) is None
    return tuple(sorted(instances, key=lambda each: (each[1], each[0]))) if known else CLOSED


def free_milli(card: Card, state: State) -> int:
    """Return what is free, in thousandths of the GPU, rounded down: free slots, or free compute slices."""
    if isinstance(state, int):
        return MILLI * state // card.slots
    if state == CLOSED:
        return 0
    return MILLI * (card.compute - sum(card.cut(name).compute for name, _ in state)) // card.compute


@lru_cache(maxsize=2**12)
def free_slices(card: Card, state: State) -> tuple[int, int]:
    """Return a GPU's free compute and memory slices; slots count as both."""
    if isinstance(state, int):
        return state, state
    if state == CLOSED:
        return 0, 0
    mask, compute = room_of(card, state)
    return compute, card.slices[1] - mask.bit_count()


@lru_cache(maxsize=2**14)
def patterns(
    card: Card, state: State, kinds: tuple[Kind, ...], bounds: Vector | None = None
) -> tuple[Vector, ...]:
    """Return how many of each of `kinds`, all different, fit together beside `state`.

    Parameters
    ----------
    bounds
        The most of each kind that is wanted at all; None is as many as there may be.

    Returns
    -------
    tuple of tuple of int
        All maximal vectors, beside which nothing more fits, in descending order; ``(0, …)`` where nothing
        fits. A vector fits if and only if one of them is at least as much of each kind.
    """
    if isinstance(state, int):
        sizes = tuple(map(_slots, kinds))
        most = tuple(state // size for size in sizes)
        return tuple(slot_patterns(state, sizes, tuple(map(min, bounds, most)) if bounds else most))
    if state == CLOSED:
        return ((0,) * len(kinds),)
    # Those that take most first: when the last ones come, few places are left to be tried.
    order = sorted(range(len(kinds)), key=lambda i: -_cut(card, kinds[i]).memory)
    cuts = tuple(_cut(card, kinds[i]) for i in order)
    used = Counter(name for name, _ in state)
    limits = [cut.most - used[cut.name] for cut in cuts]
    if bounds:
        limits = [min(limit, bounds[i]) for limit, i in zip(limits, order, strict=True)]
    found = _mig_patterns(cuts, tuple(limits), *room_of(card, state))
    ordered = (tuple(each[order.index(i)] for i in range(len(kinds))) for each in found)
    return tuple(sorted(ordered, reverse=True))


def fits(card: Card, state: State, kinds: tuple[Kind, ...], counts: Vector) -> bool:
    """Whether so many of each of `kinds` fit together beside `state`."""
    if isinstance(state, int):
        return sum(_slots(kind) * count for kind, count in zip(kinds, counts, strict=True)) <= state
    return any(
        all(count <= most for count, most in zip(counts, each, strict=True))
        for each in patterns(card, state, kinds)
    )


def taken(card: Card, state: State, kind: Kind, start: int) -> State:
    """Return the state after one more share, which must fit, at that start."""
    if isinstance(state, int):
        return state - _slots(kind)
    return state_of(card, None, (*state, (str(kind), start)))


def room_of(card: Card, state: tuple[tuple[str, int], ...]) -> tuple[int, int]:
    """Return the occupied memory slices, as bits, and the free compute slices."""
    mask, compute = 0, card.compute
    for name, start in state:
        cut = card.cut(name)
        mask, compute = mask | cut.mask(start), compute - cut.compute
    return mask, compute


def _slots(kind: Kind) -> int:
    if not isinstance(kind, int) or kind < 1:
        raise ValueError(f"no share of slots: {kind!r}")
    return kind


def _cut(card: Card, kind: Kind) -> Cut:
    return card.cut(str(kind))


def slot_patterns(free: int, sizes: Vector, bounds: Vector) -> Iterator[Vector]:
    """Yield the maximal vectors up to `bounds` whose slots add up to at most `free`, in descending order."""
    most = [sum(map(mul, sizes[i:], bounds[i:])) for i in range(len(sizes) + 1)]

    def extend(taken: Vector, left: int, enough: int) -> Iterator[Vector]:
        """Extend by what comes next; in the end fewer than `enough` slots may be left."""
        i = len(taken)
        if left - most[i] >= enough:
            return
        if i == len(sizes):
            yield taken
            return
        for count in range(min(bounds[i], left // sizes[i]), -1, -1):
            less = enough if count == bounds[i] else min(enough, sizes[i])
            yield from extend((*taken, count), left - count * sizes[i], less)

    return extend((), free, free + 1)


@lru_cache(maxsize=2**16)
def _mig_patterns(cuts: tuple[Cut, ...], limits: Vector, mask: int, compute: int) -> frozenset[Vector]:
    """Return the maximal vectors of `cuts` beside the occupied slices, at most `limits` of each."""
    if not cuts:
        return frozenset({()})
    cut, found = cuts[0], set[Vector]()
    for count, taken in _ways(cut, limits[0], mask, compute):
        rest = _mig_patterns(cuts[1:], limits[1:], mask | taken, compute - count * cut.compute)
        found |= {(count, *each) for each in rest}
    return maximal(found)


@lru_cache(maxsize=2**16)
def _ways(cut: Cut, limit: int, mask: int, compute: int) -> frozenset[tuple[int, int]]:
    """Return how many of a profile may be placed, and which slices they then take."""
    starts = [start for start in cut.starts if not mask & cut.mask(start)]
    most = min(limit, compute // cut.compute, len(starts))
    return frozenset(
        (count, sum(map(cut.mask, chosen)))
        for count in range(most + 1)
        for chosen in combinations(starts, count)
        if all(b - a >= cut.memory for a, b in pairwise(chosen))
    )


def maximal(vectors: set[Vector]) -> frozenset[Vector]:
    """Return the vectors that no other of them exceeds."""
    return frozenset(
        v
        for v in vectors
        if not any(v != o and all(a <= b for a, b in zip(v, o, strict=True)) for o in vectors)
    )
