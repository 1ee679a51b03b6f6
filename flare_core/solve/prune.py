"""Which candidates an optimal plan can need.

A candidate is left out when there are enough better nodes elsewhere: whatever the other tasks of the plan
occupy, one of those nodes stays empty, and moving there improves the plan. Better is what improves the
first level of the order in which both differ, before the tie rules on providers and nodes, and is not
worse in anything that a rule adds up over tasks: price and carbon where there are budgets, the room on
a node, every term where there are ceilings, and the failure domain where an availability is asked that not
every candidate meets alone.
"""

from dataclasses import replace

import numpy as np

from flare_core.candidates.types import PER_CANDIDATE, PER_GROUP, Candidates, Fabric
from flare_core.inventory.types import ELASTIC, IntArray, Mask
from flare_core.placement.packing import Ask, Load, Packing, Problem, totals
from flare_core.placement.score import per_node, task_cost
from flare_core.solve.bounds import cannot_fit, floors

ROUNDS = 256
"""Dominators that are tried; fewer only prune less."""


def prune(problem: Problem) -> Problem:
    """Return `problem` without candidates that no optimal plan uses."""
    rivals = sum(ask.needs.tasks for ask in problem.asks)
    kept = (~_needless(ask, rivals) | growth(ask, rivals) | _mixed(ask) for ask in problem.asks)
    return replace(problem, asks=tuple(restrict(a, keep) for a, keep in zip(problem.asks, kept, strict=True)))


def restrict(ask: Ask, keep: Mask) -> Ask:
    """Return `ask` with only the candidates where `keep` holds."""
    if keep.all():
        return ask
    found, kept = ask.found, np.flatnonzero(keep)
    renumber = np.cumsum(keep) - 1
    groups = np.flatnonzero(keep[found.group_candidate])
    fabric = found.fabric
    smaller = replace(
        found,
        **{name: getattr(found, name)[kept] for name in PER_CANDIDATE},
        fabric=Fabric(fabric.prefix[kept], fabric.loss[kept], fabric.infiniband[kept]),
        **{name: getattr(found, name)[groups] for name in PER_GROUP},
        group_candidate=renumber[found.group_candidate[groups]],
    )
    old = ask.score
    score = replace(
        old, task=old.task[kept], node=old.node[kept], peak=old.peak[kept], fabric=old.fabric[kept]
    )
    return replace(ask, found=smaller, score=score)


def _mixed(ask: Ask) -> Mask:
    """Return the candidates whose tasks cannot be moved one by one without moving others.

    They share nodes with tasks in seats of another grade, and leaving the node costs another one's price, or
    takes a gang apart.
    """
    found = ask.found
    mixed = np.zeros(len(found), np.bool_)
    if found.sets:
        _, which, times = np.unique(found.group, return_inverse=True, return_counts=True)
        mixed[found.group_candidate[times[which] > 1]] = True
        mixed &= found.by_node | ask.needs.gang
    return mixed


def _needless(ask: Ask, rivals: int) -> Mask:
    """Return the candidates for which enough better nodes exist; all where they hold too few tasks."""
    found = ask.found
    if cannot_fit(ask):
        return np.ones(len(found), np.bool_)
    if len(found) < 2:
        return np.zeros(len(found), np.bool_)
    rank, nodes = _ranks(ask), _nodes(found)
    nodes = np.where(nodes == ELASTIC, rivals, np.minimum(nodes, rivals))
    if ask.needs.tasks == 1 and not ask.ceilings:  # it meets every budget wherever it may go at all
        better = np.zeros(int(rank.max()) + 2, np.int64)
        np.add.at(better, rank + 1, nodes)
        return np.cumsum(better)[rank] >= rivals
    weak = _weak(ask)
    better_nodes = np.zeros(len(found), np.int64)
    tried = 0
    for j in np.argsort(rank, kind="stable").tolist():
        if tried == ROUNDS:
            break
        if better_nodes[j] < rivals:
            tried += 1
            beaten = (rank > rank[j]) & (weak >= weak[:, j : j + 1]).all(axis=0)
            better_nodes[beaten] += nodes[j]
    return better_nodes >= rivals


def growth(ask: Ask, rivals: int) -> Mask:
    """Return the candidates that further replicas would take: the cheapest, by task and by node."""
    found, needs = ask.found, ask.needs
    kept = np.zeros(len(found), np.bool_)
    wanted = needs.max_tasks - needs.tasks
    if not needs.auto_scale or wanted <= 0 or cannot_fit(ask):
        return kept
    nodes = np.where(_nodes(found) == ELASTIC, wanted + rivals, _nodes(found))
    held = _most(found)
    for price in (found.task_ueur, found.task_ueur / np.where(found.by_node, held, 1)):
        order = np.argsort(price, kind="stable")
        before = np.cumsum(nodes[order]) - nodes[order]
        kept[order[before < wanted + rivals]] = True
    return kept


def _ranks(ask: Ask) -> IntArray:
    """Return dense ranks of what one task (or node) adds to the levels of the order, up to the tie rules.

    Levels that take the worst task count for single tasks only.
    """
    found, score, needs = ask.found, ask.score, ask.needs
    levels = [found.misses, score.task + score.node, task_cost(needs, found), -found.performance_mtflops]
    if needs.tasks == 1:
        levels[1] = levels[1] + score.peak
        levels += [found.latency_us, found.carbon_ug]
    rank: IntArray = np.unique(np.stack(levels), axis=1, return_inverse=True)[1].reshape(-1)
    return rank.astype(np.int64)


def _nodes(found: Candidates) -> IntArray:
    """Return how many nodes of each candidate hold as much as its best ones; -1 where elastic.

    Nodes that have seats of several grades count for the first of them alone.
    """
    fitting = found.group_tasks >= _most(found)[found.group_candidate]
    if found.sets:
        first = np.zeros(len(found.group), np.bool_)
        first[np.unique(found.group, return_index=True)[1]] = True
        fitting &= first
    nodes = np.zeros(len(found), np.int64)
    np.add.at(nodes, found.group_candidate[fitting], np.abs(found.group_nodes[fitting]))
    nodes[found.group_candidate[fitting & (found.group_nodes == ELASTIC)]] = ELASTIC
    return nodes


def _most(found: Candidates) -> IntArray:
    most = np.zeros(len(found), np.int64)
    np.maximum.at(most, found.group_candidate, found.group_tasks)
    return most


def _weak(ask: Ask) -> IntArray:
    """Return what a better candidate must not be worse in, because a rule or a maximum is about the sum."""
    found, needs, score = ask.found, ask.needs, ask.score
    rows = [-_most(found), score.peak]
    if per_node(needs, found).any():
        # How many tasks share a node's price is open: a node is compared with nodes, in tasks and price.
        rows += [found.by_node.astype(np.int64), -found.by_node.astype(np.int64), score.task, score.node]
    if needs.max_hourly_ueur is not None:
        rows.append(found.task_ueur)
    if needs.max_total_ueur is not None:
        rows.append(found.task_total_ueur)
    if needs.max_carbon_ug is not None:
        rows.append(found.carbon_peak_ug)
    if ask.ceilings:
        rows += [task_cost(needs, found), -found.performance_mtflops, found.latency_us, found.carbon_ug]
    if needs.availability is not None and found.uptime.min() < max(needs.availability, 0.5):
        rows += [found.domain, -found.domain, np.rint(-found.uptime * 2**40).astype(np.int64)]
    if needs.gang:  # how far the tasks are from each other depends on all of them
        rows += [-found.fabric.infiniband.astype(np.int64)]
        for column in (*found.fabric.prefix.T, *found.fabric.loss.T):
            rows += [column, -column]
    return np.stack(rows)


def tighten(problem: Problem, packing: Packing) -> tuple[Problem, Packing]:
    """Return `problem` without candidates that no plan as good as `packing` uses, and `packing` renumbered.

    Applies where `packing` places everyone who has candidates, with no choice of misses; else nothing is
    left out.
    """
    pairs = [(ask, loads) for ask, loads in zip(problem.asks, packing, strict=True) if len(ask.found)]
    if not all(loads for _, loads in pairs) or any(
        a.needs.any_tasks or a.needs.infiniband or np.ptp(a.found.misses) for a, _ in pairs
    ):
        return problem, packing
    worth = sum(totals(ask, loads).primary for ask, loads in pairs)
    rivals = sum(ask.needs.tasks for ask, _ in pairs)
    own = {ask.name: floors(ask) for ask, _ in pairs}
    room = worth + 1 + 1e-9 * abs(worth) - sum(floor.min() for floor in own.values())
    keep = [
        (own[ask.name] <= own[ask.name].min() + room) | growth(ask, rivals)
        if ask.name in own
        else np.zeros(0, np.bool_)
        for ask in problem.asks
    ]
    asks = tuple(restrict(a, mask) for a, mask in zip(problem.asks, keep, strict=True))
    moved = tuple(
        tuple(renumbered(load, whole, part) for load in loads)
        for loads, whole, part in zip(packing, problem.asks, asks, strict=True)
    )
    return replace(problem, asks=asks), moved


def renumbered(load: Load, whole: Ask, part: Ask) -> Load:
    """Return `load` of `whole` in the numbers of `part`, which has (some of) the same candidates."""
    candidate = int(np.searchsorted(part.found.origin, whole.found.origin[load.candidate]))
    group = int(np.searchsorted(part.found.group_origin, whole.found.group_origin[load.group]))
    return load._replace(candidate=candidate, group=group)
