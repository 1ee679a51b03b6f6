"""What is paid for an offer, exactly: whole micro-euro, rounded up where a price is divided.

A node billed whole costs its hourly price however little of it is used. On a node billed by the GPU one
GPU costs ``ceil(hourly / GPUs)``, and a CPU-only task ``ceil(hourly * share)`` of its larger share of the
node's cores or memory. A task of length ``L`` seconds costs ``ceil(price * L / 3600)`` in total.

Prices stay below `MAX_COST_UEUR` per task and run (dearer offers count as having no believable price), so
the results are exact in int64; products in between go through Python integers where int64 might overflow.
"""

from typing import NamedTuple

import numpy as np

from flare_core.candidates.steps import courses, held
from flare_core.candidates.times import judged, moves, span
from flare_core.inventory.types import IntArray, Inventory, Mask
from flare_core.requirements.types import Requirements

MAX_COST_UEUR = 2**53
"""Nine thousand million euro: what JSON can count in ones. No task may cost more, per hour or in total."""

_HOUR_S = 3600
_INT64 = 2**63


class Parts(NamedTuple):
    """What a task takes of each of its GPUs, ``part`` of ``whole``: a number, or one for each offer."""

    part: IntArray | int
    whole: IntArray | int


WHOLE = Parts(1, 1)


def bought_at(inventory: Inventory, needs: Requirements) -> IntArray:
    """Return each node's hourly price as bought, micro-EUR, -1 where it cannot be bought.

    On-demand, or spot where that is allowed and cheaper. At the same price it is on-demand. Where prices
    change it is the lowest at which a run could begin that may begin later, and the highest while a service
    is looked at.
    """
    hourly = _offered(inventory, "hourly_ueur", "price_series", needs)
    if not needs.spot:
        return hourly
    spot = _offered(inventory, "spot_ueur", "spot_series", needs)
    # Read as unsigned, unknown (-1) is dearer than everything.
    return np.minimum(hourly.view(np.uint64), spot.view(np.uint64)).view(np.int64)


def _offered(inventory: Inventory, column: str, series: str, needs: Requirements) -> IntArray:
    plain, labels = inventory.whole[column], inventory.label[series]
    if not labels.values:
        return plain
    prices, (start, end) = plain.copy(), span(needs)
    for course in courses(labels, np.arange(len(plain)), plain.astype(np.float64), start, end):
        until = end if moves(needs) else start + judged(needs)
        sold = course.amounts[held(course.begins, start, until)].astype(np.int64)
        lowest = sold.view(np.uint64).min(axis=0).view(np.int64)
        highest = np.where(sold.min(axis=0) < 0, -1, sold.max(axis=0))
        prices[course.rows] = lowest if moves(needs) else highest
    return prices


def dearest_ueur(needs: Requirements) -> int:
    """Return the highest hourly price whose cost over the run is still counted, micro-EUR."""
    return MAX_COST_UEUR * _HOUR_S // max(needs.length_s or 0, _HOUR_S)


def task_ueur(
    needs: Requirements,
    inventory: Inventory,
    rows: IntArray,
    node_ueur: IntArray,
    by_node: Mask,
    parts: Parts = WHOLE,
) -> IntArray:
    """Return the hourly price of one task on offers `rows`, micro-EUR.

    A CPU-only task that asks for neither cores nor memory pays nothing on an offer billed by the GPU.

    Parameters
    ----------
    node_ueur, by_node
        Price of a whole node of `rows` as bought, and whether it is paid whole.
    parts
        What part of its GPUs the task takes.
    """
    if by_node.all():
        return node_ueur
    if needs.gpus:
        # The price of one GPU is rounded, once; its multiples are exact. Instances may lie on one GPU.
        least = needs.gpus if parts is WHOLE else 1
        whole = np.maximum(inventory.whole["gpu_count"][rows], least)
        gpu_ueur = -(-node_ueur // whole)
        # A part of a GPU is divided off the rounded price of the GPU, and rounded up again.
        part = needs.gpus * (gpu_ueur if parts is WHOLE else _ceil(gpu_ueur * parts.part, parts.whole))
    else:
        part = np.zeros_like(node_ueur)
        for column, asked in _shares(needs):
            # A node with less than the task asks cannot take it; the share stays within 1.
            whole = np.maximum(inventory.whole[column][rows], asked)
            part = np.maximum(part, _ceil(_times(node_ueur, asked), whole))
    return np.where(by_node, node_ueur, part)


def total_ueur(task: IntArray, length_s: int | None) -> IntArray:
    """Return the cost of one task over the run, micro-EUR; the hourly price where there is no end."""
    return task if length_s is None else _ceil(_times(task, length_s), _HOUR_S)


def hourly_bound(total_ueur: int, length_s: int) -> int:
    """Return the highest hourly price of a task whose cost over `length_s` is at most `total_ueur`."""
    return total_ueur * _HOUR_S // length_s if length_s else MAX_COST_UEUR


def dearer_than(
    bound: int, needs: Requirements, inventory: Inventory, node_ueur: IntArray, by_node: Mask
) -> Mask:
    """Return the offers on which one task alone costs more than `bound` per hour.

    The same comparison as with `task_ueur`, turned into one of the node's price so that nothing is divided.
    """
    whole_node = node_ueur > bound
    if by_node.all():
        return whole_node
    if needs.gpus:
        # ceil(h / n) * g > b  <=>  h > n * floor(b / g)
        gpu_ueur = min(bound // needs.gpus, MAX_COST_UEUR)
        part = node_ueur > _times(np.maximum(inventory.whole["gpu_count"], needs.gpus), gpu_ueur)
    else:
        part = np.zeros(len(inventory), np.bool_)
        for column, asked in _shares(needs):
            # ceil(h * a / w) > b  <=>  h * a > b * w
            whole = np.maximum(inventory.whole[column], asked)
            part |= _times(node_ueur, asked) > _times(whole, min(bound, MAX_COST_UEUR))
    return np.where(by_node, whole_node, part)


def shared_columns(needs: Requirements) -> tuple[str, ...]:
    """Return the columns whose share of a node a task pays on an offer billed by the GPU."""
    return () if needs.gpus else tuple(column for column, _ in _shares(needs))


def _shares(needs: Requirements) -> tuple[tuple[str, int], ...]:
    asked = (("cpu_milli", needs.cpu_milli), ("memory_mib", needs.memory_mib))
    return tuple((column, amount) for column, amount in asked if amount)


def _times(amounts: IntArray, factor: int) -> IntArray:
    """Return the exact product, in Python integers where int64 could overflow."""
    if int(amounts.max(initial=0)) * factor < _INT64:
        return amounts * factor
    return amounts.astype(object) * factor


def _ceil(amounts: IntArray, by: IntArray | int) -> IntArray:
    return (-(-amounts // by)).astype(np.int64, copy=False)
