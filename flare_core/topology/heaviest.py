"""The heaviest set of leaves of a tree, for every limit on the vertices that it touches at each depth.

A table over the limits ``(m_1, ..., m_D)`` says how much the best set weighs that touches at most ``m_d``
vertices of depth d. Under a parent of leaves that is a sum of the largest ones; further up it is a knapsack
over the children, exact, level by level. A limit of one needs no knapsack: one child is best.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
At = tuple[int, ...]
EFFORT = 40_000_000
"""Cells that the knapsacks of one table may fill; about as many nanoseconds."""
_CALL = 4_000  # cells that take as long as one call of numpy


class Heaviest(Protocol):
    """What the vertices of one depth hold.

    Attributes
    ----------
    best
        Shape (vertices, m + 1 for each deeper level): the greatest weight under a vertex by the limits below.
    """

    @property
    def best(self) -> IntArray: ...

    def pick(self, vertex: int, at: At) -> list[int]:
        """Return the leaves that weigh ``best[vertex][at]``."""
        ...

    def through(self, at: At) -> IntArray:
        """Return the most that a set weighs which touches each child of vertex 0, the only vertex."""
        ...


class _Costly(Exception):
    """A table that would take too long."""


def heaviest(
    parents: Sequence[IntArray], weight: IntArray, limits: Sequence[int], tie: IntArray, effort: int = EFFORT
) -> Heaviest | None:
    """Return the table of the root, vertex 0; None where filling it would take more than `effort`.

    Parameters
    ----------
    parents
        For each depth from the top, the parent of each vertex, an index into the depth above; the parent of
        all vertices of the first depth is 0. No vertex but those of the last depth is without children.
    weight
        What each leaf weighs, 0 or more; leaves are the vertices of the last depth.
    limits
        The greatest limit of each depth, at least 1.
    tie
        Among leaves of equal weight the greater `tie` is taken first, then the smaller index.
    effort
        Cells of tables that may be filled in all.
    """
    sizes = [1, *map(len, parents[:-1])]  # how many vertices each depth's parents are
    below = np.cumprod([limit + 1.0 for limit in limits[::-1]])
    left = effort - int((below * sizes[::-1]).sum())
    if left < 0:
        return None
    table: Heaviest = _Largest.of(parents[-1], weight, tie, limits[-1], sizes[-1])
    try:
        for parent, limit, size in zip(parents[-2::-1], limits[-2::-1], sizes[-2::-1], strict=True):
            if limit == 1:
                table = _One.of(parent, table, size)
            else:
                several = _Several.of(parent, table, limit, size, left)
                table, left = several, left - several.cells
    except _Costly:
        return None
    return table


@dataclass(frozen=True, slots=True)
class _Largest:
    """The largest leaves under each parent."""

    best: IntArray
    weight: IntArray
    order: IntArray
    first: IntArray

    @classmethod
    def of(cls, parent: IntArray, weight: IntArray, tie: IntArray, limit: int, size: int) -> "_Largest":
        order = np.lexsort((-tie, -weight, parent))
        under = parent[order]
        first = np.searchsorted(under, np.arange(size + 1))
        rank = np.arange(len(order)) - first[under]
        kept = rank < limit
        best = np.zeros((size, limit + 1), np.int64)
        best[under[kept], rank[kept] + 1] = weight[order[kept]]
        return cls(np.cumsum(best, axis=1), weight, order, first)

    def pick(self, vertex: int, at: At) -> list[int]:
        start, end = self.first[vertex : vertex + 2].tolist()
        leaves: list[int] = self.order[start : min(start + at[0], end)].tolist()
        return leaves

    def through(self, at: At) -> IntArray:
        most: IntArray = np.minimum(self.best[0, at[0]], self.best[0, at[0] - 1] + self.weight)
        return most


@dataclass(frozen=True, slots=True)
class _One:
    """The best child of each parent."""

    best: IntArray
    children: Heaviest
    order: IntArray
    first: IntArray

    @classmethod
    def of(cls, parent: IntArray, children: Heaviest, size: int) -> "_One":
        order = np.argsort(parent, kind="stable")
        first = np.searchsorted(parent[order], np.arange(size + 1))
        one = np.maximum.reduceat(children.best[order], first[:-1], axis=0)
        return cls(np.stack((np.zeros_like(one), one), axis=1), children, order, first)

    def pick(self, vertex: int, at: At) -> list[int]:
        if not at[0]:
            return []
        mine = self.order[self.first[vertex] : self.first[vertex + 1]]
        weights = self.children.best[(mine, *at[1:])]
        return self.children.pick(int(mine[np.argmax(weights)]), at[1:])

    def through(self, at: At) -> IntArray:
        best: IntArray = self.children.best[(slice(None), *at[1:])]  # type: ignore[arg-type] # mixed indices are fine
        return best


@dataclass(frozen=True, slots=True)
class _Several:
    """The best children of each parent: a knapsack for each, its table after every child kept to go back."""

    best: IntArray
    children: Heaviest
    sacks: tuple["_Knapsack", ...]
    cells: int

    @classmethod
    def of(cls, parent: IntArray, children: Heaviest, limit: int, size: int, effort: int) -> "_Several":
        sacks, cells = [], 0
        for vertex in range(size):
            mine = np.flatnonzero(parent == vertex)
            mine = mine[_useful(children.best[mine], limit)]
            steps = _steps(children.best[mine])
            cells += sum(len(at) + 1 for at in steps) * ((limit + 1) * children.best[0].size + _CALL)
            if cells > effort:
                raise _Costly
            sacks.append(_Knapsack.of(mine, children.best[mine], steps, limit))
        return cls(np.stack([sack.stages[-1] for sack in sacks]), children, tuple(sacks), cells)

    def pick(self, vertex: int, at: At) -> list[int]:
        return [
            leaf for child, below in self.sacks[vertex].back(at) for leaf in self.children.pick(child, below)
        ]

    def through(self, at: At) -> IntArray:
        rest = self.best[0, at[0] - 1][tuple(slice(limit, None, -1) for limit in at[1:])]
        mine = self.children.best[(slice(None), *(slice(limit + 1) for limit in at[1:]))]
        most: IntArray = np.minimum((mine + rest).reshape(len(mine), -1).max(axis=1), self.best[(0, *at)])
        return most


@dataclass(frozen=True, slots=True)
class _Knapsack:
    """The best of some children, and the tables over no child, the first, the first two, ..."""

    children: list[int]
    best: IntArray
    steps: list[list[At]]
    stages: list[IntArray]

    @classmethod
    def of(cls, children: IntArray, best: IntArray, steps: list[list[At]], limit: int) -> "_Knapsack":
        stages = [np.zeros((limit + 1, *best.shape[1:]), np.int64)]
        for child, limits in zip(best, steps, strict=True):
            before, after = stages[-1], stages[-1].copy()
            for m in limits:
                target = after[(slice(1, None), *(slice(k, None) for k in m))]
                source = before[(slice(limit), *(slice(n - k) for k, n in zip(m, child.shape, strict=True)))]
                np.maximum(target, source + child[m], out=target)
            stages.append(after)
        return cls(children.tolist(), best, steps, stages)

    def back(self, at: At) -> Iterator[tuple[int, At]]:
        """Yield the children chosen, and the limits below each."""
        for k in range(len(self.children) - 1, -1, -1):
            before, after = self.stages[k], self.stages[k + 1]
            if before[at] == after[at]:
                continue
            for m in self.steps[k]:
                rest = (at[0] - 1, *(limit - part for limit, part in zip(at[1:], m, strict=True)))
                if min(rest) >= 0 and before[rest] + self.best[k][m] == after[at]:
                    yield self.children[k], m
                    at = rest
                    break


def _useful(best: IntArray, limit: int) -> IntArray:
    """Return the children that are among the `limit` best at some limits below; others can be exchanged."""
    flat = best.reshape(len(best), -1)
    if len(flat) <= limit:
        return np.arange(len(flat))
    return np.unique(np.argsort(-flat, axis=0, kind="stable")[:limit])


def _steps(best: IntArray) -> list[list[At]]:
    """Return, for each child, the limits below at which it holds more than at any smaller ones."""
    more = best > 0
    for axis in range(1, best.ndim):
        more &= np.diff(best, axis=axis, prepend=-1) > 0
    return [list(map(tuple, np.argwhere(each).tolist())) for each in more]
