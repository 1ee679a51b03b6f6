"""Nodes as rows, and above them the tree of their fabric paths' prefixes."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flare_core.topology.heaviest import IntArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rows:
    """Nodes by group, those without a whole path one by one.

    Attributes
    ----------
    group
        The node group of each row.
    room, count
        Tasks that one node of the row holds, at least 1, and its nodes.
    at
        For each depth from the top, the vertex of each row, numbered from 0 without gaps.
    parents
        For each depth, the parent of each vertex, a number of the depth above; 0 at the first.
    depth_of
        For each prefix length, which of these depths counts its prefixes: a depth whose vertices all have
        one child stands for that of the children, too.
    """

    group: IntArray
    room: IntArray
    count: IntArray
    at: tuple[IntArray, ...]
    parents: tuple[IntArray, ...]
    depth_of: tuple[int, ...]

    @classmethod
    def of(cls, room: IntArray, count: IntArray, paths: IntArray, tasks: int) -> Self:
        """Return the rows of node groups; `paths` as in `gangs.closest`."""
        group = np.flatnonzero((room > 0) & (count > 0))
        known = np.logical_and.accumulate(paths[:, group] >= 0, axis=0)
        codes = np.where(known, paths[:, group], -1)
        room, count = room[group], count[group]
        if not known.all():
            rows, each = _one_by_one(room, count, codes, tasks)
            group, room, codes, count = group[rows], room[rows], codes[:, rows], each
        at: list[IntArray] = []
        depth_of: list[int] = []
        for numbers in map(_numbered, codes):
            if not at or numbers.max() > at[-1].max():
                at.append(numbers)
            depth_of.append(len(at) - 1)
        above = (np.zeros_like(group), *at[:-1])
        return cls(group, room, count, tuple(at), tuple(map(_parents, at, above)), tuple(depth_of))

    def under(self, kept: Mask) -> tuple[Self, list[IntArray]]:
        """Return the rows under some vertices of the first depth, and the new numbers of all vertices."""
        if kept.all():
            return self, [np.arange(len(parents)) for parents in self.parents]
        here = kept[self.at[0]]
        numbers: list[IntArray] = []
        parents: list[IntArray] = []
        above = np.zeros(1, np.int64)
        for parent in self.parents:
            if numbers:
                kept = kept[parent]
            parents.append(above[parent[kept]])
            above = np.cumsum(kept) - 1
            numbers.append(above)
        at = [number[vertices[here]] for number, vertices in zip(numbers, self.at, strict=True)]
        rows = replace(
            self,
            group=self.group[here],
            room=self.room[here],
            count=self.count[here],
            at=tuple(at),
            parents=tuple(parents),
        )
        return rows, numbers

    def below(self) -> Self:
        """Return the rows without the first depth, which has but one vertex."""
        return replace(self, at=self.at[1:], parents=self.parents[1:])

    def total(self, depth: int, held: IntArray) -> IntArray:
        """Return what the nodes under each vertex of a depth hold, where each holds what is given by row."""
        sums = np.bincount(self.at[depth], held * self.count, len(self.parents[depth]))
        return sums.astype(np.int64)  # exact: far below 2**53

    def filled(self, leaves: IntArray, tasks: int) -> tuple[IntArray, IntArray]:
        """Return the rows under some vertices of the last depth, and nodes of each, the fewest that do."""
        chosen = np.zeros(len(self.parents[-1]), np.bool_)
        chosen[leaves] = True
        here = np.flatnonzero(chosen[self.at[-1]])
        taken = fullest_first(self.room[here], self.count[here], tasks)
        used = taken > 0
        return here[used], taken[used]


def fullest_first(room: IntArray, count: IntArray, tasks: int) -> IntArray:
    """Return how many nodes of each kind to take so that the fewest hold `tasks`; all have room for them."""
    order = np.argsort(-room, kind="stable")
    room, count = room[order], count[order]
    before = np.cumsum(room * count) - room * count
    taken = np.empty_like(count)
    taken[order] = np.clip(-(-(tasks - before) // room), 0, count)
    return taken


def _one_by_one(room: IntArray, count: IntArray, codes: IntArray, tasks: int) -> tuple[IntArray, IntArray]:
    """Return rows and their nodes: those below an unknown prefix stand alone, and the fullest suffice."""
    whole, alone = np.flatnonzero(codes[-1] >= 0), np.flatnonzero(codes[-1] < 0)
    order = alone[np.lexsort((-room[alone], *codes[::-1, alone]))]
    kin = codes[:, order]
    first = np.r_[True, (kin[:, 1:] != kin[:, :-1]).any(axis=0)]
    before = np.cumsum(count[order]) - count[order]
    before -= before[first][np.cumsum(first) - 1]
    kept = np.clip(tasks - before, 0, count[order])
    rows = np.r_[whole, np.repeat(order, kept)]
    each = np.r_[count[whole], np.ones(int(kept.sum()), np.int64)]
    by_group = np.argsort(rows, kind="stable")
    return rows[by_group], each[by_group]


def _numbered(codes: IntArray) -> IntArray:
    """Number the vertices of one depth without gaps; each row that is unknown there is one by itself."""
    known = codes >= 0
    there = np.bincount(codes[known]) > 0
    numbers = np.append(np.cumsum(there) - 1, 0)[codes]
    numbers[~known] = int(there.sum()) + np.arange(int((~known).sum()))
    return numbers


def _parents(at: IntArray, above: IntArray) -> IntArray:
    parents = np.zeros(int(at.max()) + 1, np.int64)
    parents[at] = above
    return parents
