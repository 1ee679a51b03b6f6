"""Where tasks of one intent could sit: node groups, how many on a node of each, and how good the seat is."""

from dataclasses import dataclass

import numpy as np

from flare_core.candidates.screens.capacity import tasks_per_node
from flare_core.candidates.view import View
from flare_core.inventory.types import IntArray

SURE = 1_000_000
"""Efficiency of one GPU, millionths."""


@dataclass(frozen=True, slots=True)
class Seats:
    """Aligned columns, ascending by owner, then grade, then group.

    Attributes
    ----------
    owner
        Index into the offers that were asked about.
    group
        Index into ``inventory.groups``; several times where its GPUs make seats of several grades.
    tasks
        How many tasks a node holds in such seats.
    missed
        Bits of what the seat misses, see `topology.charts`.
    ppm
        Multi-GPU efficiency, millionths.
    sets
        Index into ``masks``, the sets of GPUs that make such seats; -1 where any will do.
    """

    owner: IntArray
    group: IntArray
    tasks: IntArray
    missed: IntArray
    ppm: IntArray
    sets: IntArray
    masks: tuple[tuple[int, ...], ...] = ()


def seats(view: View, rows: IntArray, *, alone: bool) -> Seats:
    """Return the seats on offers `rows`.

    Parameters
    ----------
    alone
        Whether the intent has every node for itself, as where it is the only one.
    """
    owner, groups, tasks = _groups(view, rows)
    if view.needs.gpus < 2:
        zero = np.zeros(len(owner), np.int64)
        return Seats(owner, groups, tasks, zero, zero + SURE, zero - 1)
    return _graded(view, owner, groups, tasks, alone=alone)


def _groups(view: View, rows: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the node groups that hold a task: index of their offer, their number, tasks per node."""
    owner, groups = np.arange(len(rows)), view.first[rows]
    if not view.plain:
        sizes = view.next[rows] - groups
        owner = np.repeat(owner, sizes)
        groups = np.repeat(groups - np.cumsum(sizes) + sizes, sizes) + np.arange(len(owner))
    tasks = tasks_per_node(view, groups)
    held = tasks > 0
    if held.all():
        return owner, groups, tasks
    return owner[held], groups[held], tasks[held]


def _graded(view: View, owner: IntArray, groups: IntArray, tasks: IntArray, *, alone: bool) -> Seats:
    """Return one seat for each grade that a node's GPUs make."""
    keys, charts = view.inside.charted(groups)
    whole = np.ones(len(groups), np.bool_) if alone else view.by_node[view.inventory.groups.offer[groups]]
    masks: list[tuple[int, ...]] = []
    rows: list[
        tuple[int, int, int, int, int]
    ] = []  # missed, ppm, most (0: as many as there are GPUs), sets, rank
    first: list[int] = []
    sizes: list[int] = []
    for chart in charts:
        for grades in (chart.grades, chart.alone(view.needs.max_tasks)):
            first.append(len(rows))
            sizes.append(len(grades))
            for rank, grade in enumerate(grades):
                rows.append(
                    (
                        grade.missed,
                        grade.ppm,
                        grade.most if grade.sets else 0,
                        len(masks) if grade.sets else -1,
                        rank,
                    )
                )
                masks += [grade.sets] if grade.sets else []
    table = np.array(rows, np.int64).reshape(-1, 5)
    which = 2 * keys + whole
    count = np.array(sizes, np.int64)[which]
    at = np.repeat(np.array(first, np.int64)[which] - np.cumsum(count) + count, count) + np.arange(
        count.sum()
    )
    missed, ppm, most, sets, rank = table[at].T
    owner, groups, tasks = (np.repeat(column, count) for column in (owner, groups, tasks))
    tasks = np.where(most > 0, np.minimum(tasks, most), tasks)
    order = np.lexsort((groups, rank, -ppm, missed, owner)) if len(rows) > len(set(first)) else slice(None)
    return Seats(
        owner[order], groups[order], tasks[order], missed[order], ppm[order], sets[order], tuple(masks)
    )
