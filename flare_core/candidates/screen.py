"""From an inventory to the offers that could serve one intent."""

from dataclasses import replace

import numpy as np

from flare_core.candidates import pricing
from flare_core.candidates.emissions import carbon_ug
from flare_core.candidates.funnel import tally
from flare_core.candidates.screens import BY_RULE
from flare_core.candidates.screens.capacity import tasks_per_node
from flare_core.candidates.types import Candidates, Funnel
from flare_core.candidates.view import View
from flare_core.candidates.warnings import warnings
from flare_core.inventory.types import FloatArray, IntArray, Inventory, Mask
from flare_core.requirements.types import Limit, Requirements

_MOST = 2.0**53  # beyond it a float does not count in ones


def screen(needs: Requirements, inventory: Inventory) -> Candidates:
    """Judge every offer alone, and say what one task on each survivor is worth.

    Parameters
    ----------
    needs
        What is asked; its ``limits`` are applied in their order.
    inventory
        The offers. Where the consumer's place is known, see `with_latency`.
    """
    view = View.of(inventory, needs)
    funnel, alive = tally(needs.limits, [_fails(view, limit) for limit in needs.limits], len(inventory))
    return _candidates(view, funnel, np.flatnonzero(alive))


def _fails(view: View, limit: Limit) -> Mask | None:
    return BY_RULE[limit.rule].fails(view, limit)


def _candidates(view: View, funnel: Funnel, rows: IntArray) -> Candidates:
    needs, inventory = view.needs, view.inventory
    owner, groups, tasks = _groups(view, rows)
    housed = np.bincount(owner, minlength=len(rows)) > 0
    if not housed.all():  # possible only where a limit on room was lifted
        return _candidates(view, funnel, rows[housed])
    node_ueur, by_node = view.price_ueur[rows], view.by_node[rows]
    task_ueur = pricing.task_ueur(needs, inventory, rows, node_ueur, by_node)
    missed = _missed(view, rows)
    performance, performance_known = _performance(needs, inventory, rows)
    network_ms = inventory.number["latency_ms"][rows]
    carbon = carbon_ug(needs, inventory, rows)
    carbon_known = ~np.isnan(carbon)
    found = Candidates(
        rows=rows,
        spot=node_ueur != inventory.whole["hourly_ueur"][rows],
        by_node=by_node,
        node_ueur=node_ueur,
        task_ueur=task_ueur,
        task_total_ueur=pricing.total_ueur(task_ueur, needs.length_s),
        misses=np.bitwise_count(missed).astype(np.int64),
        missed=missed,
        performance_mtflops=performance,
        latency_us=_latency_us(needs, network_ms, inventory.number["cold_start_s"][rows]),
        carbon_ug=_worst_where_unknown(carbon, carbon_known),
        carbon_known=carbon_known,
        latency_known=~np.isnan(network_ms),
        performance_known=performance_known,
        network_ms=network_ms,
        uptime=_uptime(needs, inventory, rows),
        provider=inventory.label["provider"].codes[rows].astype(np.int64),
        domain=_domains(inventory, rows),
        group_candidate=owner,
        group=groups,
        group_nodes=inventory.groups.count[groups],
        group_tasks=tasks,
        funnel=funnel,
    )
    return replace(found, warnings=tuple(warnings(view, found)))


def _missed(view: View, rows: IntArray) -> IntArray:
    """Return for each offer the preferences that it misses, as bits."""
    missed = np.zeros(len(rows), np.int64)
    for bit, preference in enumerate(view.needs.preferences):
        fails = _fails(view, preference)
        if fails is not None:
            missed |= fails[rows].astype(np.int64) << bit
    return missed


def _performance(needs: Requirements, inventory: Inventory, rows: IntArray) -> tuple[IntArray, Mask]:
    if not needs.gpus:
        return np.zeros(len(rows), np.int64), np.ones(len(rows), np.bool_)
    rating = inventory.number["rating_tflops"][rows]
    return needs.gpus * _whole(rating * 1000), ~np.isnan(rating)


def _latency_us(needs: Requirements, network_ms: FloatArray, cold_start_s: FloatArray) -> IntArray:
    """Return the latency term: an unknown latency is the limit, an unknown cold start 0."""
    known_ms = np.where(np.isnan(network_ms), needs.latency_limit_ms, network_ms)
    return _whole(known_ms * 1000) + _whole(cold_start_s * 1000)  # a millisecond for each second


def _uptime(needs: Requirements, inventory: Inventory, rows: IntArray) -> FloatArray:
    uptime = inventory.number["uptime_percent"][rows] / 100
    return np.where(np.isnan(uptime), 0.0 if needs.availability_explicit else 1.0, uptime)


def _worst_where_unknown(carbon: FloatArray, known: Mask) -> IntArray:
    worst = np.fmax.reduce(carbon, initial=0.0)
    return _whole(np.where(known, carbon, worst))


def _domains(inventory: Inventory, rows: IntArray) -> IntArray:
    """Return codes of (provider, region, zone); an unknown zone is one zone of its region."""
    code = np.zeros(len(rows), np.int64)
    for name in ("provider", "region", "zone"):
        label = inventory.label[name]
        code *= len(label.values) + 1
        code += label.codes[rows] + 1
    return code


def _groups(view: View, rows: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the node groups that hold a task: index of their candidate, their number, tasks per node."""
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


def _whole(amounts: FloatArray) -> IntArray:
    """Round to whole numbers; unknown is 0, and what no float counts in ones is cut."""
    known = np.fmax(amounts, 0.0)  # 0 where there is no number; no amount is negative
    return np.rint(np.minimum(known, _MOST, out=known), out=known).astype(np.int64)
