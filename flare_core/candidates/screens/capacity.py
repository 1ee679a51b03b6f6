"""Capacity of one node for one task.

``workload.resources.gpu.count``, ``cpu``, ``memory``: some node must have as much free (of GPUs
that are cut, room for the task's shares). On offers billed by the node only nodes on which nothing runs are
offered, so their GPUs are not free otherwise.
``workload.storage.volumes``: sizes of a task add up and must fit the node; elastic storage takes any.

Each resource is judged alone; ``node`` removes the offers where each is to be had, but not all on one node.
"""

from collections.abc import Iterator

import numpy as np

from flare_core.candidates.screens.screen import Screen, amount
from flare_core.candidates.view import View
from flare_core.inventory.types import IntArray, Mask
from flare_core.quantities import format_cpu, format_memory
from flare_core.requirements.types import Limit


def _gpus(view: View, limit: Limit) -> Mask:
    free = view.inside.tasks > 0
    return ~view.any_group(free if view.usable is None else free & view.usable)


def _cpu(view: View, limit: Limit) -> Mask:
    return ~view.any_group(view.inventory.groups.free_cpu_milli >= amount(limit))


def _memory(view: View, limit: Limit) -> Mask:
    return ~view.any_group(view.inventory.groups.free_memory_mib >= amount(limit))


def _storage(view: View, limit: Limit) -> Mask:
    return view.inventory.whole["storage_mib"] < amount(limit)


def _node(view: View, limit: Limit) -> Mask | None:
    groups = view.inventory.groups
    # Where nodes are alike, the resources judged alone say it all, but for nodes that no task may use.
    alike_is_told = view.usable is None or view.needs.gpus > 0
    if alike_is_told and view.plain:
        return None
    at = view.mixed() if alike_is_told else np.arange(len(groups))
    usable = np.ones(len(at), np.bool_) if view.usable is None else view.usable[at]
    owner = groups.offer[at]
    each, everything = view.offers(owner), usable
    if view.needs.gpus:
        held = view.inside.tasks[at] > 0
        everything = everything & held
        each &= view.offers(owner[held & usable])  # GPUs that may not be used are not free, as in `_gpus`
    for free, asked in _resources(view):
        fits = free[at] >= asked
        everything = everything & fits
        each &= view.offers(owner[fits])
    each[owner[everything]] = False
    return each


def _resources(view: View) -> Iterator[tuple[IntArray, int]]:
    """Yield what is free on each node group beside GPUs and what a task asks of it, for all that is asked."""
    groups, needs = view.inventory.groups, view.needs
    if needs.cpu_milli:
        yield groups.free_cpu_milli, needs.cpu_milli
    if needs.memory_mib:
        yield groups.free_memory_mib, needs.memory_mib


def tasks_per_node(view: View, groups: IntArray) -> IntArray:
    """Return how many tasks a node of each of `groups` holds beside what is used, at most ``max_tasks``."""
    tasks = np.full(len(groups), view.needs.max_tasks, np.int64)
    if view.needs.gpus:
        np.minimum(tasks, view.inside.tasks[groups], out=tasks)
    for free, asked in _resources(view):
        np.minimum(tasks, free[groups] // asked, out=tasks)
    if view.needs.storage_mib:
        offers = view.inventory.groups.offer[groups]
        np.minimum(tasks, view.inventory.whole["storage_mib"][offers] // view.needs.storage_mib, out=tasks)
    if view.usable is not None:
        tasks[~view.usable[groups]] = 0
    return tasks


CAPACITY: tuple[Screen, ...] = (
    Screen("gpus", _gpus, lambda limit: f"{amount(limit)} free on one node"),
    Screen("cpu", _cpu, lambda limit: f"{format_cpu(int(amount(limit)))} cores free on one node"),
    Screen("memory", _memory, lambda limit: f"{format_memory(int(amount(limit)))} free on one node"),
    Screen("storage", _storage, lambda limit: f"{format_memory(int(amount(limit)))} for one task"),
    Screen("node", _node, lambda limit: "everything on the same node"),
)
