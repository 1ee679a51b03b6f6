"""Checks seats against what there is, by code of its own: sums over columns, whatever made the seats."""

import numpy as np

from flare_core.inventory.types import IntArray, Mask
from flare_core.scale.fleet import REFUSED, Classes, Fleet, Seats, State

_SHOWN = 10


def check(fleet: Fleet, classes: Classes, seats: Seats, *, state: State | None = None) -> tuple[str, ...]:
    """Return what is wrong with seats; nothing where they hold.

    Parameters
    ----------
    fleet, classes
        What there is, and what tasks ask for.
    seats
        Where tasks sit; those with node `REFUSED` sit nowhere.
    state
        What was free before; all of the fleet where it is not given.

    Returns
    -------
    tuple of str
        A sentence for each kind of violation, with how many tasks or nodes and the first of them.
    """
    if not len(seats.task_class) == len(seats.node) == len(seats.gpus):
        return ("the columns of the seats are not equally long",)
    unknown = (seats.task_class < 0) | (seats.task_class >= len(classes))
    unknown |= (seats.node < REFUSED) | (seats.node >= len(fleet))
    if unknown.any():
        return _told("tasks of no class or on no node", unknown)
    nowhere = seats.node == REFUSED
    told = _told("refused tasks hold GPUs", nowhere & (seats.gpus != 0))
    rows = np.flatnonzero(~nowhere)
    task_class, node, gpus = seats.task_class[rows], seats.node[rows], seats.gpus[rows]
    width = max(fleet.width, 1)
    bits = (gpus[:, None] >> np.arange(width)) & 1
    there = (gpus >= 0) & (gpus < np.left_shift(np.int64(1), fleet.gpus[node]))
    told += _told("tasks hold GPUs that their node has not", ~there)
    told += _told("tasks do not hold as many GPUs as they ask for", bits.sum(1) != classes.gpus[task_class])
    with_gpu = (classes.gpus[task_class] > 0) & (fleet.model[node] >= 0)
    wrong = with_gpu & ~classes.allowed[task_class, np.maximum(fleet.model[node], 0)]
    told += _told("tasks sit on GPU models that they do not allow", wrong)
    return told + _overfull(fleet, classes, task_class, node, bits, state or State.of(fleet))


def _overfull(
    fleet: Fleet, classes: Classes, task_class: IntArray, node: IntArray, bits: IntArray, state: State
) -> tuple[str, ...]:
    """Compare what is taken of each node and GPU with what was free; sums of float64 are exact to 2**53."""
    nodes, width = len(fleet), bits.shape[1]
    cpu = np.bincount(node, classes.cpu_milli[task_class], nodes)
    memory = np.bincount(node, classes.memory_mib[task_class], nodes)
    row, gpu = np.nonzero(bits)
    milli = np.bincount(node[row] * width + gpu, classes.milli[task_class[row]], nodes * width)
    free = np.zeros((nodes, width))
    free[:, : state.milli.shape[1]] = state.milli
    return (
        *_told("nodes give more CPU than is free", cpu > state.cpu_milli),
        *_told("nodes give more memory than is free", memory > state.memory_mib),
        *_told("nodes give more of a GPU than is free", np.any(milli.reshape(nodes, width) > free, axis=1)),
    )


def _told(what: str, wrong: Mask) -> tuple[str, ...]:
    at = np.flatnonzero(wrong)
    if not len(at):
        return ()
    first = ", ".join(map(str, at[:_SHOWN].tolist()))
    return (f"{len(at)} {what}: {first}{', …' if len(at) > _SHOWN else ''}",)
