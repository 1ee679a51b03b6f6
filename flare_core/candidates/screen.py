"""From an inventory to the offers that could serve one intent."""

from dataclasses import replace

import numpy as np

from flare_core.candidates.domain import domains
from flare_core.candidates.fabric import fabric
from flare_core.candidates.funnel import tally
from flare_core.candidates.pricing import Parts
from flare_core.candidates.screens import BY_RULE
from flare_core.candidates.seats import SURE, Seats, seats
from flare_core.candidates.tariffs import Task, tariffs
from flare_core.candidates.times import moves
from flare_core.candidates.types import Candidates, Funnel
from flare_core.candidates.view import View
from flare_core.candidates.warnings import warnings
from flare_core.inventory.types import FloatArray, IntArray, Inventory, Mask
from flare_core.requirements.types import Limit, Requirements
from flare_core.topology.charts import INTERCONNECT, TOPOLOGY

_MOST = 2.0**53  # beyond it a float does not count in ones


def screen(needs: Requirements, inventory: Inventory, *, alone: bool = True) -> Candidates:
    """Judge every offer alone, and say what one task on each survivor is worth.

    Parameters
    ----------
    needs
        What is asked; its ``limits`` are applied in their order.
    inventory
        The offers. Where the consumer's place is known, see `with_latency`.
    alone
        Whether the intent is the only one of its plan: then no other takes GPUs between its tasks.
    """
    view = View.of(inventory, needs)
    funnel, alive = tally(needs.limits, [_fails(view, limit) for limit in needs.limits], len(inventory))
    return _candidates(view, funnel, np.flatnonzero(alive), alone=alone)


def _fails(view: View, limit: Limit) -> Mask | None:
    return BY_RULE[limit.rule].fails(view, limit)


def _candidates(view: View, funnel: Funnel, offers: IntArray, *, alone: bool) -> Candidates:
    needs, inventory = view.needs, view.inventory
    found = seats(view, offers, alone=alone)
    owner, first = _runs(found)
    rows = offers[found.owner[first]]
    by_node, parts = view.by_node[rows], view.inside.parts(rows)
    prices = tariffs(Task(needs, inventory, rows, by_node, parts))
    rates = prices.at(0)._asdict()
    del rates["sold"]
    missed = _missed(view, found.missed[first])
    performance, performance_known = _performance(needs, inventory, rows, found.ppm[first], parts)
    network_ms = inventory.number["latency_ms"][rows]
    candidates = Candidates(
        rows=rows,
        **rates,
        by_node=by_node,
        misses=np.bitwise_count(missed).astype(np.int64),
        missed=missed,
        performance_mtflops=performance,
        latency_us=_latency_us(needs, network_ms, inventory.number["cold_start_s"][rows]),
        latency_known=~np.isnan(network_ms),
        performance_known=performance_known,
        network_ms=network_ms,
        uptime=_uptime(needs, inventory, rows),
        provider=inventory.label["provider"].codes[rows].astype(np.int64),
        domain=domains(inventory, rows),
        efficiency_ppm=found.ppm[first],
        cut=view.inside.cut(rows),
        fabric=fabric(needs, inventory, rows, performance),
        best=np.bincount(owner, weights=found.best, minlength=len(rows)) > 0,
        origin=np.arange(len(rows)),
        tariff=np.arange(len(rows)),
        group_candidate=owner,
        group=found.group,
        group_nodes=inventory.groups.count[found.group],
        group_tasks=found.tasks,
        group_room=found.room,
        group_sets=found.sets,
        group_origin=np.arange(len(owner)),
        cuts=view.inside.cuts if needs.share is not None else (),
        sets=found.masks,
        funnel=funnel,
        tariffs=prices if moves(needs) and prices.changing else None,
    )
    return replace(candidates, warnings=tuple(warnings(view, candidates)))


def _runs(found: Seats) -> tuple[IntArray, IntArray]:
    """Return the candidate of each seat (seats of one offer that are as good), and the first seat of each."""
    begins = np.ones(len(found.owner), np.bool_)
    begins[1:] = False
    for column in (found.owner, found.missed, found.ppm):
        begins[1:] |= column[1:] != column[:-1]
    return np.cumsum(begins) - 1, np.flatnonzero(begins)


def _missed(view: View, missed: IntArray) -> IntArray:
    """Return the preferences that candidates miss, as bits in the order of the preferences."""
    result = np.zeros(len(missed), np.int64)
    for bit, preference in enumerate(view.needs.preferences):
        local = _MISSED.get(preference.rule, 0)
        result |= ((missed & local) > 0).astype(np.int64) << bit
    return result


_MISSED = {"interconnect": INTERCONNECT, "topology": TOPOLOGY}


def _performance(
    needs: Requirements, inventory: Inventory, rows: IntArray, ppm: IntArray, parts: Parts
) -> tuple[IntArray, Mask]:
    if not needs.gpus:
        return np.zeros(len(rows), np.int64), np.ones(len(rows), np.bool_)
    rating = inventory.number["rating_tflops"][rows]
    one = rating * 1000 * parts.part / parts.whole
    return _whole(needs.gpus * one * (ppm / SURE)), ~np.isnan(rating)


def _latency_us(needs: Requirements, network_ms: FloatArray, cold_start_s: FloatArray) -> IntArray:
    """Return the latency term: an unknown latency is the limit, an unknown cold start 0."""
    known_ms = np.where(np.isnan(network_ms), needs.latency_limit_ms, network_ms)
    return _whole(known_ms * 1000) + _whole(cold_start_s * 1000)  # a millisecond for each second


def _uptime(needs: Requirements, inventory: Inventory, rows: IntArray) -> FloatArray:
    uptime = inventory.number["uptime_percent"][rows] / 100
    return np.where(np.isnan(uptime), 0.0 if needs.availability_explicit else 1.0, uptime)


def _whole(amounts: FloatArray) -> IntArray:
    """Round to whole numbers; unknown is 0, and what no float counts in ones is cut."""
    known = np.fmax(amounts, 0.0)  # 0 where there is no number; no amount is negative
    return np.rint(np.minimum(known, _MOST, out=known), out=known).astype(np.int64)
