"""Which leaves of a tree need the fewest nodes to hold a gang, under limits on the vertices at each depth.

Nodes are filled fullest first, so p nodes of a set S of leaves hold n tasks iff for every number t of tasks

    E_t(S) >= n - p t,    E_t(S) = sum over the nodes of S of max(0, room - t);

t = 0 says that S has room at all. (Any p nodes hold at most ``p t + E_t(S)``, and the p fullest hold just
that where t is the room of the last of them.) Each E_t is a sum over leaves, so the heaviest choice by E_t
bounds the nodes from below. The choices that are heaviest for some t are candidates; exchanging one leaf
after the other improves the best of them; and where that does not meet the bound, a search through the sets
of leaves, cut off by the same inequalities, finds a better set or shows that there is none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from flare_core.topology.heaviest import IntArray, heaviest
from flare_core.topology.prefixes import Mask, Rows

MOST_STEPS: Final = 16
"""Values of t that are looked at. Where there are more, some are left out: bounds hold, but may be weaker."""
MOST_SWAPS: Final = 200_000
"""Figures of exchanges that are weighed at a time."""
MOST_SETS: Final = 20_000
"""Partial sets of leaves that the search holds at a time; beyond that it gives up."""
MOST_ROWS: Final = 12
"""Sums of excesses by which the search is cut off."""
MOST_CELLS: Final = 2_000_000
"""Cells of the search's tables; it is not begun where there would be more."""


class Bound(NamedTuple):
    """What follows from one sum of excesses.

    With weights w of the steps t, all sets S within the limits, and p nodes of one of them that hold n tasks,
    ``sum w_t (n - p t) <= max over S of sum(w_t E_t(S))``.
    """

    mix: IntArray  # the weights
    leaves: IntArray  # the set that is heaviest by them
    nodes: int  # the least that fulfils the inequality
    through: IntArray  # for each vertex of the first depth, the most that a set which touches it weighs


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaves to choose from.

    Attributes
    ----------
    rows, tasks
        The nodes and how many tasks they are to hold.
    limits
        The most vertices of each depth that may be touched.
    first
        Leaves that hold the tasks within the limits.
    above
        The vertex of each depth that each leaf lies under, shape (depths, leaves); the last are the leaves.
    steps
        The values of t, ascending from 0.
    excess
        ``E_t`` of each leaf, shape (steps, leaves).
    """

    rows: Rows
    tasks: int
    limits: tuple[int, ...]
    first: IntArray
    above: IntArray
    steps: IntArray
    excess: IntArray

    @classmethod
    def of(cls, rows: Rows, tasks: int, limits: tuple[int, ...], first: IntArray) -> Self:
        """Return the leaves of `rows`, the vertices of its last depth."""
        above = [np.arange(len(rows.parents[-1]))]
        for parents in rows.parents[:0:-1]:
            above.append(parents[above[-1]])
        used, _ = rows.filled(first, tasks)
        steps = np.r_[0, _thinned(np.unique(rows.room), int(rows.room[used].min()))]
        excess = [rows.total(-1, np.maximum(rows.room - t, 0)) for t in steps.tolist()]
        return cls(rows, tasks, limits, first, np.array(above[::-1]), steps, np.array(excess))

    def fewest_nodes(self) -> tuple[IntArray, int]:
        """Return the best leaves found, and the least nodes of any."""
        best, nodes = self.first, self.nodes(self.first)
        bounds: list[Bound] = []
        for bound in self._bounds():
            bounds.append(bound)
            if self._serve(bound.leaves) and self.nodes(bound.leaves) < nodes:
                best, nodes = bound.leaves, self.nodes(bound.leaves)
            if nodes <= bound.nodes:
                return best, nodes
        least = max(1, *(bound.nodes for bound in bounds))
        best = self._exchanged(best)
        return self._searched(best, least, bounds)

    def _searched(self, best: IntArray, least: int, bounds: list["Bound"]) -> tuple[IntArray, int]:
        """Return leaves that need fewer nodes than the best so far, if there are any, and the least nodes."""
        nodes = self.nodes(best)
        while nodes > least:
            found = self._search(nodes - 1, bounds)
            if found is None:
                break
            if len(found) == 0:
                return best, nodes
            if self.nodes(found) >= nodes:  # some t that would tell were left out
                break
            best, nodes = found, self.nodes(found)
        return best, least

    def nodes(self, leaves: IntArray) -> int:
        """Return how many nodes of `leaves` hold the gang."""
        return int(self.rows.filled(leaves, self.tasks)[1].sum())

    def _serve(self, leaves: IntArray) -> bool:
        return int(self.excess[0, leaves].sum()) >= self.tasks

    def _search(self, nodes: int, bounds: list["Bound"]) -> IntArray | None:
        """Return leaves of which so many nodes hold the gang; none where none do, None if not found out."""
        needed = [self._needed(bound.mix, nodes) for bound in bounds]
        hopeful = [bound.through >= need for bound, need in zip(bounds, needed, strict=True)]
        kept = np.flatnonzero(np.all(hopeful, axis=0)[self.above[0]])
        if len(kept) == 0:
            return kept
        telling = sorted(range(len(bounds)), key=lambda k: -bounds[k].nodes)[:MOST_ROWS]
        mixes = np.array([np.eye(len(self.steps), dtype=np.int64)[0], *(bounds[k].mix for k in telling)])
        excess = mixes @ self.excess[:, kept]
        if excess.size * len(self.limits) * (self.limits[-1] + 1) > MOST_CELLS:
            return None
        search = Search.of(self.above[:, kept], excess, self._needed(mixes, nodes), self.limits)
        found = search.run()
        return None if found is None else kept[found]

    # --- heaviest sets ------------------------------------------------------------------------------

    def _needed(self, mix: IntArray, nodes: int) -> IntArray:
        """Return what the excesses of any leaves of which so many nodes hold the gang add up to at least."""
        needed: IntArray = mix @ (self.tasks - nodes * self.steps)
        return needed

    def _telling(self, sums: IntArray) -> int:
        """Return the step, not 0, by which sums of excess need the most nodes."""
        return int(np.argmax((self.tasks - sums[1:]) / self.steps[1:])) + 1

    def _bounds(self) -> Iterator["Bound"]:
        """Yield bounds, the most telling ones first."""
        units = np.eye(len(self.steps), dtype=np.int64)
        about = self._telling(self.excess[:, self.first].sum(axis=1))
        nearest = np.argsort(np.abs(np.arange(len(self.steps)) - about), kind="stable")
        nearest = nearest[nearest > 0]
        single = []
        for step in nearest.tolist():
            single.append(self._bound(units[step]))
            yield single[-1]
        for step, bound in zip(nearest.tolist(), single, strict=True):
            if len(bound.leaves) and not self._serve(bound.leaves):
                yield from self._between(self.first, bound.leaves, step, 0)
        for step, bound in zip(nearest[1:3].tolist(), single[1:3], strict=True):
            if len(bound.leaves):
                yield from self._between(single[0].leaves, bound.leaves, step, int(nearest[0]))

    def _bound(self, mix: IntArray) -> "Bound":
        parents, limits = self.rows.parents, self.limits
        weight = mix @ self.excess
        table = heaviest(parents, weight, limits, self.excess[0])
        if table is None:  # the heaviest leaves wherever they lie still give a bound
            most = int(np.sort(weight)[-limits[-1] :].sum())
            picked, through = np.zeros(0, np.int64), np.full(len(parents[0]), most)
        else:
            most = int(table.best[(0, *limits)])
            picked, through = np.array(table.pick(0, limits), np.int64), table.through(limits)
        least = -((most - self.tasks * int(mix.sum())) // int(mix @ self.steps))
        return Bound(mix, picked, least, through)

    def _between(self, first: IntArray, second: IntArray, step: int, other: int) -> Iterator["Bound"]:
        """Yield bounds by mixes of two steps; the first set is the one that is worse by `step`.

        Each mix holds two sets for equal; if a third one is heavier it replaces one of them.
        """
        units = np.eye(len(self.steps), dtype=np.int64)
        while True:
            gain = self.excess[:, second].sum(axis=1) - self.excess[:, first].sum(axis=1)
            up, down = int(gain[step]), -int(gain[other])
            if up <= 0 or down <= 0:
                return
            bound = self._bound((down * units[step] + up * units[other]) // gcd(up, down))
            yield bound
            sums = self.excess[:, bound.leaves].sum(axis=1)
            if bound.mix @ (sums - self.excess[:, first].sum(axis=1)) <= 0:
                return
            lack, other_lack = (self.tasks - sums[[step, other]]) * self.steps[[other, step]]
            first, second = (bound.leaves, second) if lack >= other_lack else (first, bound.leaves)

    # --- exchanges ----------------------------------------------------------------------------------

    def _exchanged(self, leaves: IntArray) -> IntArray:
        """Exchange one leaf after the other as long as that brings the gang (nearer to) fewer nodes."""
        while (better := self._exchange(leaves)) is not None:
            leaves = better
        return leaves

    def _exchange(self, leaves: IntArray) -> IntArray | None:
        """Return the leaves after the best exchange of one; None where none is better."""
        now = self.excess[:, leaves].sum(axis=1)
        others = self._worth_a_look(leaves, now)
        if len(others) == 0:
            return None
        after = now[:, None, None] - self.excess[:, leaves, None] + self.excess[:, None, others]
        values = self._value(after)
        values[~self._within_limits(leaves, others)] = np.inf
        out, into = np.unravel_index(int(np.argmin(values)), values.shape)
        if values[out, into] >= self._value(now) - 1e-9:
            return None
        changed = leaves.copy()
        changed[out] = others[into]
        return changed

    def _value(self, sums: IntArray) -> NDArray[np.float64]:
        """Return the nodes that sums of excess stand for, not rounded; infinite where there is no room."""
        steps = self.steps[1:].reshape(-1, *[1] * (sums.ndim - 1))
        return np.where(sums[0] >= self.tasks, ((self.tasks - sums[1:]) / steps).max(axis=0), np.inf)

    def _worth_a_look(self, leaves: IntArray, now: IntArray) -> IntArray:
        """Return other leaves, where there are too many those of the greatest excess at the t that tells."""
        others = np.setdiff1d(self.above[-1], leaves, assume_unique=True)
        most = MOST_SWAPS // (len(leaves) * len(self.steps)) + 1
        return others[np.argsort(-self.excess[self._telling(now), others], kind="stable")[:most]]

    def _within_limits(self, leaves: IntArray, others: IntArray) -> Mask:
        """Return whether another leaf (columns) may take the place of one (rows)."""
        fits: Mask = np.ones((len(leaves), len(others)), np.bool_)
        for limit, above in zip(self.limits[:-1], self.above[:-1], strict=True):
            touched = np.bincount(above[leaves], minlength=int(above.max()) + 1)
            old, new = above[leaves][:, None], above[others][None, :]
            left = int((touched > 0).sum()) - (touched[old] == 1)
            fits &= left + (touched[new] - (old == new) == 0) <= limit
        return fits


# --- search -----------------------------------------------------------------------------------------


class _Sets(NamedTuple):
    """Partial sets of leaves, all of one size."""

    last: IntArray  # where the last leaf stands; -1 of no leaf
    touched: IntArray  # (depths, sets): vertices touched
    sums: IntArray  # (rows, sets): excess

    def take(self, sets: IntArray) -> "_Sets":
        return _Sets(self.last[sets], self.touched[:, sets], self.sums[:, sets])


@dataclass(frozen=True, slots=True)
class Search:
    """A search for leaves whose excesses reach what is needed, through all sets in the order of the tree.

    A partial set that touches as many vertices of a depth as it may goes on only in the subtree it stands in.

    Attributes
    ----------
    order
        The leaves, subtree by subtree.
    above, excess
        As of `Leaves`, in that order; excesses may be sums of those there.
    needed
        The excess that is needed, by row.
    limits
        The most vertices of each depth.
    ends
        Where the subtree of each leaf ends, shape (depths, leaves): that of the root, of the first depth, ...
    largest
        What the largest 0, 1, ... leaves of that subtree add, shape (rows, depths, leaves, sizes).
    later
        What the largest leaf further on in that subtree adds, shape (rows, depths, leaves).
    """

    order: IntArray
    above: IntArray
    excess: IntArray
    needed: IntArray
    limits: tuple[int, ...]
    ends: IntArray
    largest: IntArray
    later: IntArray

    @classmethod
    def of(cls, above: IntArray, excess: IntArray, needed: IntArray, limits: tuple[int, ...]) -> Self:
        """Prepare the search."""
        order = np.lexsort((-excess[0], *above[-2::-1]))
        above, excess = above[:, order], excess[:, order]
        subtrees = [np.cumsum(np.diff(up, prepend=up[:1]) != 0) for up in (np.zeros_like(order), *above[:-1])]
        return cls(
            order=order,
            above=above,
            excess=excess,
            needed=needed,
            limits=limits,
            ends=np.array([np.searchsorted(tree, tree, side="right") for tree in subtrees]),
            largest=np.array([[_largest(tree, e, limits[-1]) for tree in subtrees] for e in excess]),
            later=np.array([[_later(tree, e) for tree in subtrees] for e in excess]),
        )

    def run(self) -> IntArray | None:
        """Return such leaves, none where there are none, None where there are too many sets to tell."""
        none = np.zeros((1, 1), np.int64)
        sets = _Sets(none[0] - 1, none.repeat(len(self.limits), 0), none.repeat(len(self.needed), 0))
        trail: list[tuple[IntArray, IntArray]] = []
        for left in reversed(range(self.limits[-1])):
            longer = self._longer(sets)
            if longer is None:
                return None
            sets, before = longer
            full = self._enough(sets.sums)
            if full.any():
                return self.order[_back(trail, int(sets.last[full][0]), int(before[full][0]))]
            kept = np.flatnonzero(self._enough(sets.sums + self._most(sets, left)))
            sets = sets.take(kept)
            trail.append((sets.last, before[kept]))
        return np.zeros(0, np.int64)

    def _enough(self, sums: IntArray) -> Mask:
        enough: Mask = np.all(sums >= self.needed[:, None], axis=0)
        return enough

    def _subtree(self, sets: _Sets) -> IntArray:
        """Return the depth of the subtree that each set is bound to; 0 is the root."""
        bound: Mask = sets.touched[:-1] == np.array(self.limits[:-1], np.int64)[:, None]
        deepest: IntArray = (bound * np.arange(1, len(self.limits))[:, None]).max(axis=0, initial=0)
        return deepest

    def _longer(self, sets: _Sets) -> tuple[_Sets, IntArray] | None:
        """Return the sets with one leaf more, and which set each grew from; None where they are too many."""
        more = self.ends[self._subtree(sets), sets.last] - sets.last - 1
        if int(more.sum()) > MOST_SETS:
            return None
        before = np.repeat(np.arange(len(more)), more)
        leaf = np.arange(len(before)) + np.repeat(sets.last + 1 - (np.cumsum(more) - more), more)
        grown = sets.take(before)
        new = (self.above[:, leaf] != self.above[:, grown.last]) | (grown.last < 0)
        return _Sets(leaf, grown.touched + new, grown.sums + self.excess[:, leaf]), before

    def _most(self, sets: _Sets, left: int) -> IntArray:
        """Return, for every t by itself, the most that so many leaves can add to each set."""
        here = (slice(None), self._subtree(sets), sets.last)
        most: IntArray = np.minimum(self.largest[(*here, left)], left * self.later[here])
        return most


def _largest(tree: IntArray, excess: IntArray, most: int) -> IntArray:
    """Return the sums of the largest 0, 1, ..., `most` leaves of the subtree that each leaf stands in."""
    order = np.lexsort((-excess, tree))
    rank = np.arange(len(tree)) - np.searchsorted(tree, tree)
    sums = np.zeros((int(tree[-1]) + 1, most + 1), np.int64)
    kept = rank < most
    sums[tree[kept], rank[kept] + 1] = excess[order][kept]
    summed: IntArray = np.cumsum(sums, axis=1)[tree]
    return summed


def _later(tree: IntArray, excess: IntArray) -> IntArray:
    """Return the largest excess of the leaves behind each one in its subtree; 0 of the last."""
    lift = (tree[-1] - tree) * (
        int(excess.max()) + 1
    )  # from behind, each subtree stands above the ones passed
    greatest = np.maximum.accumulate((excess + lift)[::-1])[::-1] - lift
    last = np.append(tree[1:] != tree[:-1], True)
    return np.where(last, 0, np.append(greatest[1:], 0))


def _back(trail: list[tuple[IntArray, IntArray]], leaf: int, before: int) -> list[int]:
    """Return the leaves of a set, from its last one back to its first."""
    leaves = [leaf]
    for last, grown_from in reversed(trail):
        leaves.append(int(last[before]))
        before = int(grown_from[before])
    return leaves


def _thinned(values: IntArray, about: int) -> IntArray:
    """Return at most `MOST_STEPS` of some values, those that stand nearest to one of them."""
    nearest = np.argsort(np.abs(np.arange(len(values)) - np.searchsorted(values, about)), kind="stable")
    return np.sort(values[nearest[:MOST_STEPS]])
