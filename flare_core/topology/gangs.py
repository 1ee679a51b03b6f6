"""Gangs: tasks that work together go to nodes that lie close together.

Nodes stand in a tree: the fabric path of a node names its vertices from the top (spine, then leaf, ...). A
gang of n tasks takes nodes that hold them, so that first the number of different vertices of the first depth
is least, then of the second, ..., at last the number of nodes.

A set of vertices serves when together they have room for n tasks. So the least number at a depth, given those
above, is where the heaviest choice under these limits first reaches n: largest first for the first depth, and
where that is not enough by `heaviest`, which is exact. Nodes are filled fullest first; which leaves then need
the fewest is the matter of `fullest`. `Gang.proven` says how far the proof goes.

A node whose path is unknown from some depth on shares no vertex from there on, not even with nodes of its own
group.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from flare_core.topology.fullest import Leaves
from flare_core.topology.heaviest import IntArray, heaviest
from flare_core.topology.prefixes import Rows


@dataclass(frozen=True, slots=True)
class Gang:
    """Where a gang goes.

    Attributes
    ----------
    tasks, nodes
        Tasks on each node group, and the nodes of it that they lie on. All nodes but one are as full as they
        can be; that one is of the last group among those with the least room.
    used
        Different path prefixes of length 1, 2, ..., D, then nodes.
    bounds
        For each of them what it is at least, given those before it.
    """

    tasks: IntArray
    nodes: IntArray
    used: tuple[int, ...]
    bounds: tuple[int, ...]

    @property
    def proven(self) -> tuple[bool, ...]:
        """For each level, whether no gang is better there or at a level before."""
        same = [used == bound for used, bound in zip(self.used, self.bounds, strict=True)]
        return tuple(all(same[: level + 1]) for level in range(len(same)))


def closest(room: IntArray, nodes: IntArray, paths: IntArray, tasks: int) -> Gang | None:
    """Return the closest way to place a gang; None where there is no room for it.

    Parameters
    ----------
    room
        Tasks that one node of each group holds beside what is used, 0 or more.
    nodes
        Nodes of each group; negative is as many as one pays for.
    paths
        Shape (depths, groups), at least one depth: a number from 0 for each prefix of the path, equal for
        equal prefixes only; -1 where it is unknown. Gaps between them cost memory.
    tasks
        Tasks of the gang, at least 1.

    Notes
    -----
    Among equally close ways the one of the smaller group numbers is preferred, without promise; the same
    columns always give the same answer.
    """
    room = np.minimum(room, tasks)
    enough = -(-tasks // np.maximum(room, 1))
    count = np.where(nodes < 0, enough, np.minimum(nodes, enough))
    if int((room * count).sum()) < tasks:
        return None
    rows = Rows.of(room, count, paths, tasks)
    found = _vertices(rows, tasks)
    chosen, least = Leaves.of(found.rows, tasks, found.limits, found.chosen).fewest_nodes()
    return _filled(found, chosen, len(room), tasks, least)


class _Vertices(NamedTuple):
    """Vertices of the last depth that hold a gang.

    Attributes
    ----------
    rows
        The rows that may be of use, under the depths of which more than one vertex may.
    chosen, limits
        Vertices of the last of these depths, and how many of each depth are touched.
    bounds
        For every depth, how many are touched at least.
    """

    rows: Rows
    chosen: IntArray
    limits: tuple[int, ...]
    bounds: tuple[int, ...]


def _vertices(rows: Rows, tasks: int) -> _Vertices:
    """Return what is best depth by depth."""
    chosen = np.zeros(1, np.int64)
    limits: list[int] = []
    bounds: list[int] = []
    for _ in rows.parents:
        parents = rows.parents[: len(limits) + 1]
        weight = rows.total(len(limits), rows.room)
        below = np.flatnonzero(np.isin(parents[-1], chosen))
        chosen = below[_largest_first(weight[below], tasks)]
        table = heaviest(parents, weight, (*limits, len(chosen)), weight)
        if table is None:
            limits.append(len(chosen))
            bounds.append(max(len(_largest_first(weight, tasks)), *limits[-2:-1], 1))
            continue
        limits.append(int(np.argmax(table.best[(0, *limits)] >= tasks)))
        bounds.append(limits[-1])
        chosen = np.array(table.pick(0, tuple(limits)))
        rows, numbers = rows.under(table.through(tuple(limits)) >= tasks)
        chosen = numbers[len(limits) - 1][chosen]
        if len(rows.parents[0]) == 1 and len(rows.parents) > 1:
            rows, limits = rows.below(), limits[1:]
    return _Vertices(rows, chosen, tuple(limits), tuple(bounds))


def _largest_first(weight: IntArray, needed: int) -> IntArray:
    """Return the fewest items that weigh as much as is needed."""
    order = np.argsort(-weight, kind="stable")
    return order[: int(np.searchsorted(np.cumsum(weight[order]), needed)) + 1]


def _filled(found: _Vertices, chosen: IntArray, groups: int, tasks: int, least: int) -> Gang:
    """Return the gang on the fullest nodes of the chosen leaves."""
    rows = found.rows
    used, taken = rows.filled(chosen, tasks)
    held = rows.room[used] * taken
    last = np.flatnonzero(rows.room[used] == rows.room[used].min())[-1]
    held[last] -= int(held.sum()) - tasks
    touched = [len(np.unique(at[used])) for at in rows.at]
    touched = [1] * (len(found.bounds) - len(touched)) + touched  # depths that were left out
    group = rows.group[used]
    return Gang(
        tasks=np.bincount(group, held, groups).astype(np.int64),
        nodes=np.bincount(group, taken, groups).astype(np.int64),
        used=(*(touched[depth] for depth in rows.depth_of), int(taken.sum())),
        bounds=(*(found.bounds[depth] for depth in rows.depth_of), least),
    )
