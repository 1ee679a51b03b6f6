"""Which sets of GPUs a task could take on a node, and how good each is: the grades of a node.

A *grade* is all sets that miss the same wishes and have the same efficiency. Where the GPUs of a node are
alike there is one grade and nobody has to say which GPUs are meant; else the grade keeps its sets, so that
tasks on the same node take disjoint ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from flare_core.topology.efficiency import efficiency_ppm
from flare_core.topology.graph import LinkClass, LinkGraph
from flare_core.topology.shapes import has_shape, set_class

INTERCONNECT, TOPOLOGY = 1, 2
"""Bits of what a set misses."""


class Wish(NamedTuple):
    """What is asked of the GPUs of one task: see `requirements.types.Linking`; ``k`` GPUs."""

    k: int
    least_class: int = 0
    topology: str = ""
    efficiency_ppm: int = 0
    hard: bool = False


class Grade(NamedTuple):
    """Sets that are as good as each other.

    Attributes
    ----------
    missed
        `INTERCONNECT` and `TOPOLOGY` bits.
    ppm
        Efficiency, millionths.
    sets
        Bit sets of GPU numbers, ascending; empty where any GPUs will do.
    most
        How many tasks can take such sets at once, on the node alone.
    """

    missed: int
    ppm: int
    sets: tuple[int, ...]
    most: int


@dataclass(frozen=True, slots=True)
class Chart:
    """The grades of one free set of GPUs, best first; none where no set will do."""

    grades: tuple[Grade, ...]
    most: int  # tasks that find a set of any grade at once
    blind: bool = False  # how fast a GPU is is unknown, so that efficiency counts for nothing

    def alone(self, tasks: int) -> tuple[Grade, ...]:
        """Return the grades that `tasks` tasks at most could need on a node that they have for themselves.

        The best one where it has room for as many tasks as the node has.
        """
        enough = min(self.most, tasks)
        if self.blind or not self.grades or self.grades[0].most < enough:
            return self.grades
        return self.grades[:1]


@lru_cache(maxsize=65_536)
def chart(
    graph: LinkGraph, free: int, wish: Wish, rating_tflops: float | None, stated: float | None
) -> Chart:
    """Return what tasks with `wish` can take of the GPUs in the bit set `free`.

    Parameters
    ----------
    rating_tflops, stated
        Of one GPU, and the efficiency that the offer states for all its GPUs; None where unknown.
    """
    room = free.bit_count() // wish.k
    if not room:
        return Chart((), 0)
    if graph.uniform:
        return _alike(graph, wish, rating_tflops, stated, room)
    members = [i for i in range(graph.gpus) if free >> i & 1]
    sets = sorted(sum(1 << i for i in some) for some in combinations(members, wish.k))
    ppm = efficiency_ppm(graph, np.array(sets, np.int64), rating_tflops, stated).tolist()
    by_grade: dict[tuple[int, int, int], list[int]] = {}
    for mask, efficiency in zip(sets, ppm, strict=True):
        missed = _missed(graph, mask, wish)
        if efficiency >= wish.efficiency_ppm and not (wish.hard and missed):
            by_grade.setdefault((missed.bit_count(), -efficiency, missed), []).append(mask)
    grades = [
        Grade(missed, -minus, tuple(own), most_disjoint(tuple(own)))
        for (_, minus, missed), own in sorted(by_grade.items())
    ]
    good = tuple(sorted(mask for grade in grades for mask in grade.sets))
    if len(grades) == 1 and len(good) == len(sets):
        grades = [grades[0]._replace(sets=())]
    return Chart(tuple(grades), most_disjoint(good), blind=rating_tflops is None)


def _alike(
    graph: LinkGraph, wish: Wish, rating_tflops: float | None, stated: float | None, room: int
) -> Chart:
    mask = (1 << wish.k) - 1
    ppm = int(efficiency_ppm(graph, np.array([mask], np.object_), rating_tflops, stated)[0])
    missed = _missed(graph, mask, wish)
    if ppm < wish.efficiency_ppm or (wish.hard and missed):
        return Chart((), 0)
    return Chart((Grade(missed, ppm, (), room),), room)


def _missed(graph: LinkGraph, mask: int, wish: Wish) -> int:
    if wish.k < 2:
        return 0
    missed = 0
    if set_class(graph, mask) < wish.least_class:
        missed |= INTERCONNECT
    if wish.topology and not has_shape(graph, mask, wish.topology, wish.least_class or LinkClass.NVLINK):
        missed |= TOPOLOGY
    return missed


@lru_cache(maxsize=65_536)
def most_disjoint(sets: tuple[int, ...]) -> int:
    """Return how many of `sets` can be taken without a GPU in common. Exact."""
    if not sets:
        return 0
    limit = _union(sets).bit_count() // min(mask.bit_count() for mask in sets)
    return _packed(sets, limit)


def _packed(sets: tuple[int, ...], limit: int) -> int:
    """Take a set with the lowest GPU that any has, or leave that GPU out."""
    if not sets or limit <= 0:
        return 0
    lowest = min(mask & -mask for mask in sets)
    best = 0
    for taken in [mask for mask in sets if mask & lowest]:
        rest = tuple(mask for mask in sets if not mask & taken)
        best = max(best, 1 + _packed(rest, limit - 1))
        if best >= limit:
            return best
    without = tuple(mask for mask in sets if not mask & lowest)
    return max(best, most_disjoint(without)) if without else best


def _union(sets: tuple[int, ...]) -> int:
    union = 0
    for mask in sets:
        union |= mask
    return union


class Claim(NamedTuple):
    """`tasks` tasks that each take one of `sets`; where none is named, any `k` GPUs."""

    k: int
    tasks: int
    sets: tuple[int, ...] = ()


@lru_cache(maxsize=65_536)
def can_seat(free: int, claims: tuple[Claim, ...]) -> bool:
    """Whether the tasks of all claims find disjoint sets in `free`."""
    if sum(claim.k * claim.tasks for claim in claims) > free.bit_count():
        return False
    named = tuple(claim for claim in claims if claim.sets and claim.tasks)
    return next(_families(free, named), None) is not None


def _families(free: int, claims: tuple[Claim, ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield the ways to seat claims with named sets: for each claim ascending disjoint sets."""
    if not claims:
        yield ()
        return
    for own, left in choices(free, claims[0].sets, claims[0].tasks):
        for others in _families(left, claims[1:]):
            yield (own, *others)


def choices(free: int, sets: Sequence[int], tasks: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield the ways to take `tasks` disjoint ones of `sets` out of `free`, and what is left."""
    if tasks == 0:
        yield (), free
        return
    for at, mask in enumerate(sets):
        if mask & free == mask:
            for rest, left in choices(free & ~mask, sets[at + 1 :], tasks - 1):
                yield (mask, *rest), left
