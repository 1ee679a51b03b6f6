"""Which candidates an optimal plan can need.

A candidate is left out when enough nodes elsewhere are at least as good in everything and strictly better in
something that counts before the tie rules on providers and nodes: whatever the other tasks of the
plan occupy, one of those nodes stays empty, and moving there improves the plan. "Everything" is each
term of the objectives and of the budgets, the room on a node and, where an availability is asked that
not every candidate meets alone, the failure domain.
"""

from dataclasses import dataclass, replace

import numpy as np

from flare_core.candidates.types import Candidates
from flare_core.inventory.types import ELASTIC, FloatArray, IntArray, Mask
from flare_core.placement.packing import Ask, Load, Packing, Problem, totals
from flare_core.placement.score import Score, task_cost

ROUNDS = 96
"""Dominators that are tried; fewer only prune less."""


def prune(problem: Problem) -> Problem:
    """Return `problem` without candidates that no optimal plan uses."""
    rivals = sum(ask.needs.tasks for ask in problem.asks)
    return replace(problem, asks=tuple(restrict(a, ~_needless(a, rivals)) for a in problem.asks))


def restrict(ask: Ask, keep: Mask) -> Ask:
    """Return `ask` with only the candidates where `keep` holds."""
    if keep.all():
        return ask
    found, kept = ask.found, np.flatnonzero(keep)
    renumber = np.cumsum(keep) - 1
    groups = np.flatnonzero(keep[found.group_candidate])
    per_candidate = {name: getattr(found, name)[kept] for name in _PER_CANDIDATE}
    smaller = replace(
        found,
        **per_candidate,
        group_candidate=renumber[found.group_candidate[groups]],
        group=found.group[groups],
        group_nodes=found.group_nodes[groups],
        group_tasks=found.group_tasks[groups],
    )
    old = ask.score
    return replace(
        ask, found=smaller, score=Score(old.task[kept], old.node[kept], old.peak[kept], old.offset, old.unit)
    )


_PER_CANDIDATE = tuple(
    name
    for name in Candidates.__dataclass_fields__
    if not name.startswith("group") and name not in ("funnel", "warnings")
)


@dataclass(frozen=True, slots=True)
class _Merits:
    """What is compared: rows of numbers, smaller is better; those in ``strict`` may be the better one."""

    values: IntArray
    strict: IntArray
    nodes: IntArray


def _needless(ask: Ask, rivals: int) -> Mask:
    found = ask.found
    needless = np.zeros(len(found), np.bool_)
    if len(found) < 2:
        return needless
    merits = _merits(ask)
    better_nodes = np.zeros(len(found), np.int64)
    order = np.lexsort((np.arange(len(found)), *merits.strict[::-1]))
    tried = 0
    for j in order.tolist():
        if tried == ROUNDS:
            break
        if needless[j]:
            continue
        tried += 1
        beaten = (merits.values >= merits.values[:, j : j + 1]).all(axis=0)
        beaten &= (merits.strict > merits.strict[:, j : j + 1]).any(axis=0)
        count = int(merits.nodes[j])
        better_nodes[beaten] += rivals if count == ELASTIC else count
        needless = better_nodes >= rivals
    return needless


def _merits(ask: Ask) -> _Merits:
    found, score, needs = ask.found, ask.score, ask.needs
    least = np.full(len(found), np.iinfo(np.int64).max)
    np.minimum.at(least, found.group_candidate, found.group_tasks)
    most = np.zeros(len(found), np.int64)
    np.maximum.at(most, found.group_candidate, found.group_tasks)
    fitting = found.group_tasks >= most[found.group_candidate]
    nodes = np.zeros(len(found), np.int64)
    np.add.at(nodes, found.group_candidate[fitting], np.abs(found.group_nodes[fitting]))
    elastic = np.zeros(len(found), np.bool_)
    elastic[found.group_candidate[fitting & (found.group_nodes == ELASTIC)]] = True
    nodes[elastic] = ELASTIC
    strict = [
        found.misses,
        score.task,
        score.node,
        task_cost(needs, found),
        -found.performance_mtflops,
        found.carbon_ug,
    ]
    peaks = [score.peak, found.latency_us]
    weak = [-most, found.task_ueur, found.task_total_ueur]
    (strict if needs.tasks == 1 else weak).extend(peaks)
    billing = found.by_node.astype(np.int64)
    if needs.tasks > 1:  # a node's price and a task's price are different things
        weak += [billing, -billing]
    if needs.availability is not None and found.uptime.min() < max(needs.availability, 0.5):
        uptime = np.rint(-found.uptime * 2**40).astype(np.int64)
        weak += [found.domain, -found.domain, uptime]
    better = np.stack(strict)
    return _Merits(np.vstack([better, np.stack(weak)]), better, nodes)


def tighten(problem: Problem, packing: Packing) -> tuple[Problem, Packing]:
    """Return `problem` without candidates that no plan as good as `packing` uses, and `packing` renumbered.

    A plan that puts a task on candidate ``j`` is worth at least the best it could make of ``j``'s first node,
    the best rate there is for all other tasks, and the least for every other intent. Applies where `packing`
    places everyone with no choice of misses; else nothing is left out.
    """
    if not all(packing) or any(a.needs.any_tasks or np.ptp(a.found.misses) for a in problem.asks):
        return problem, packing
    worth = sum(totals(ask, loads).primary for ask, loads in zip(problem.asks, packing, strict=True))
    floors = [_floors(ask) for ask in problem.asks]
    least = sum(floor.min() for floor in floors)
    slack = 1 + 1e-9 * abs(worth)
    keep = [least - f.min() + f <= worth + slack for f in floors]
    asks = tuple(restrict(a, mask) for a, mask in zip(problem.asks, keep, strict=True))
    moved = tuple(
        tuple(renumbered(load, whole, part) for load in loads)
        for loads, whole, part in zip(packing, problem.asks, asks, strict=True)
    )
    return replace(problem, asks=asks), moved


def _floors(ask: Ask) -> FloatArray:
    """Return for each candidate the least primary value of a placement that uses it, capacity aside."""
    tasks, score = ask.needs.tasks, ask.score
    most = np.ones(len(ask.found), np.int64)
    np.maximum.at(most, ask.found.group_candidate, ask.found.group_tasks)
    full = np.minimum(most, tasks)
    rate = float((score.task + score.node / full).min())
    one = score.task + score.node + (tasks - 1) * rate
    node = full * score.task + score.node + (tasks - full) * rate
    floors: FloatArray = np.minimum(one, node) + score.peak
    return floors


def renumbered(load: Load, whole: Ask, part: Ask) -> Load:
    """Return `load` of `whole` in the numbers of `part`, which has (some of) the same candidates."""
    candidate = int(np.searchsorted(part.found.rows, whole.found.rows[load.candidate]))
    group = int(np.searchsorted(part.found.group, whole.found.group[load.group]))
    return load._replace(candidate=candidate, group=group)
