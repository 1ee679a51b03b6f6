"""Where tasks of one intent could sit: node groups, how many on a node of each, and how good the seat is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from flare_core.candidates.screens.capacity import tasks_per_node
from flare_core.candidates.view import View
from flare_core.inventory.types import IntArray, Mask
from flare_core.topology.charts import Chart

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
    tasks, room
        How many tasks a node holds in such seats, and in seats of any grade.
    missed
        Bits of what the seat misses, see `topology.charts`.
    ppm
        Multi-GPU efficiency, millionths.
    sets
        Index into ``masks``, the sets of GPUs that make such seats; -1 where any will do.
    best
        Whether the node has no better seats.
    """

    owner: IntArray
    group: IntArray
    tasks: IntArray
    room: IntArray
    missed: IntArray
    ppm: IntArray
    sets: IntArray
    best: Mask
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
        return Seats(owner, groups, tasks, tasks, zero, zero + SURE, zero - 1, zero == 0)
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
    own = np.ones(len(groups), np.bool_) if alone else view.by_node[view.inventory.groups.offer[groups]]
    table, first, count, masks = _grades(charts, view.needs.max_tasks)
    which = 2 * keys + own
    times = count[which]
    at = np.arange(times.sum()) + np.repeat(first[which] - np.cumsum(times) + times, times)
    missed, ppm, most, every, sets, rank = table[at].T
    owner, groups, tasks = (np.repeat(column, times) for column in (owner, groups, tasks))
    # Of seats of one grade alone the number follows from that of the GPUs.
    room = np.where(every > 0, np.minimum(tasks, every), tasks)
    tasks = np.where(most > 0, np.minimum(tasks, most), tasks)
    found = Seats(owner, groups, tasks, room, missed, ppm, sets, rank == 0, masks)
    if not masks and count.max(initial=0) < 2:
        return found
    order = np.lexsort((groups, -ppm, missed, owner))
    columns = (name for name in Seats.__dataclass_fields__ if name != "masks")
    return replace(found, **{name: getattr(found, name)[order] for name in columns})


def _grades(
    charts: Sequence[Chart], tasks: int
) -> tuple[IntArray, IntArray, IntArray, tuple[tuple[int, ...], ...]]:
    """Return (rows of grades, where each chart's begin, how many it has, sets), each chart twice.

    First all grades, then those that an intent of `tasks` tasks could need on a node of its own. A row is
    (missed, ppm, most, most of any grade, index into sets, rank); most 0 is as many as there are GPUs.
    """
    masks: list[tuple[int, ...]] = []
    rows: list[tuple[int, ...]] = []
    first: list[int] = []
    for chart in charts:
        told_apart = any(grade.sets for grade in chart.grades)
        for grades in (chart.grades, chart.alone(tasks)):
            first.append(len(rows))
            for rank, grade in enumerate(grades):
                most, sets = (grade.most, len(masks)) if grade.sets else (0, -1)
                rows.append((grade.missed, grade.ppm, most, chart.most if told_apart else 0, sets, rank))
                masks += [grade.sets] if grade.sets else []
    table = np.array(rows, np.int64).reshape(-1, 6)
    begins = np.array(first, np.int64)
    return table, begins, np.diff(begins, append=len(rows)), tuple(masks)
