"""Where on a GPU its new instances begin."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, pairwise

from flare_core.catalog.mig import Cut
from flare_core.sharing.states import room_of
from flare_core.sharing.types import Card, Kind, State, Vector


@lru_cache(maxsize=2**12)
def starts_of(card: Card, state: State, kinds: tuple[Kind, ...], counts: Vector) -> tuple[Vector, ...]:
    """Return the start slices, ascending, of so many new instances of each kind; 0 for every slot share.

    Those that leave the most room: for the largest profile, then the next, and so on, as many as possible
    must still fit alone. Among equals the smallest starts, of the kind with most memory slices first.

    Raises
    ------
    ValueError
        If the instances do not fit.
    """
    if isinstance(state, int):
        return tuple((0,) * count for count in counts)
    order = sorted(range(len(kinds)), key=lambda i: -card.cut(str(kinds[i])).memory)
    cuts = [card.cut(str(kinds[i])) for i in order]
    mask, compute = room_of(card, state)
    left = compute - sum(cut.compute * counts[i] for cut, i in zip(cuts, order, strict=True))
    ways = list(_ways(cuts, [counts[i] for i in order], mask))
    if not ways or left < 0:
        raise ValueError(f"{counts} of {kinds} do not fit beside {state}")
    # `min` keeps the first of equals, and the smallest starts come first.
    _, chosen = min(ways, key=lambda way: tuple(-n for n in _room(card, way[0], left)))
    return tuple(chosen[order.index(i)] for i in range(len(kinds)))


def _ways(cuts: list[Cut], counts: list[int], mask: int) -> Iterator[tuple[int, tuple[Vector, ...]]]:
    """Yield the slices that are taken then, and the starts of each kind; smallest starts first."""
    if not cuts:
        yield mask, ()
        return
    cut, free = cuts[0], [start for start in cuts[0].starts if not mask & cuts[0].mask(start)]
    for starts in combinations(free, counts[0]):
        if all(b - a >= cut.memory for a, b in pairwise(starts)):
            for taken, rest in _ways(cuts[1:], counts[1:], mask | sum(map(cut.mask, starts))):
                yield taken, (starts, *rest)


def _room(card: Card, mask: int, compute: int) -> Vector:
    """Return how many of each plain profile would fit alone, the largest profile first."""
    return tuple(_alone(cut, mask, compute) for cut in reversed(card.cuts) if cut.plain)


def _alone(cut: Cut, mask: int, compute: int) -> int:
    count = 0
    for start in cut.starts:  # each where it is free: the starts of a profile overlap or lie side by side
        if not mask & cut.mask(start):
            mask, count = mask | cut.mask(start), count + 1
    return min(count, compute // cut.compute)
