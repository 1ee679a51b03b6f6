"""A single intent without a search, with its certificate.

Where every task is paid by itself, the tasks of one intent are alike and each is worth the same wherever
the others lie, so the best placement takes the best seats first (greedy over a partition matroid is
optimal). The order of plans is followed level by level: what all optimal placements have in common is
*forced*, what is still open is a *tie* of candidates that are equal so far, out of which some more tasks
have to be chosen. Latency is that of the worst task: candidates beyond the least sufficient latency are
closed, and a weighted sum with latency in it is tried for each sensible threshold.

The rules that couple tasks are left out first. An answer that keeps them all the same is the optimum with
them, too; one that does not, and a tie that this reasoning does not settle, is left to the search.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flare_core.inventory.types import ELASTIC, IntArray, Mask
from flare_core.model.families import broken
from flare_core.model.rule import Rule
from flare_core.placement.ledger import Ledger
from flare_core.placement.nodes import free_milli_of, taken_milli
from flare_core.placement.order import value
from flare_core.placement.packing import (
    Ask,
    Load,
    Loads,
    Packing,
    Problem,
    canonical,
    is_off_fabric,
    nodes_of,
)
from flare_core.placement.score import per_node, task_cost
from flare_core.solve.bounds import seats
from flare_core.solve.greedy import closest_loads

THRESHOLDS = 200
"""Latency thresholds that a weighted sum is tried with before the search takes over."""

_TOO_MANY = 2**62

ALTERNATIVES = 32
"""Equal plans that are compared one by one."""


def closed_form(problem: Problem, rules: tuple[Rule, ...]) -> Packing | None:
    """Return the optimal packing of a single intent, or None where this reasoning does not prove one."""
    ask = problem.asks[0]
    if not len(ask.found) or per_node(ask.needs, ask.found).any() or _several_grades(ask):
        return None
    room = seats(ask)
    tasks = min(ask.needs.tasks, int(room.sum()))
    choice = _first_choice(ask, room, tasks)
    if choice is None:
        return None
    for key in (task_cost(ask.needs, ask.found), -ask.found.performance_mtflops):
        choice = choice.by(key)
    choice = choice.within(ask.found.latency_us).by(ask.found.carbon_ug)
    packing = _settle(problem, choice)
    if packing is None or broken(problem, packing, rules):
        return None
    # Distance was left out; a gang on one node has none.
    return None if ask.needs.gang and nodes_of(ask, packing[0]) > 1 else packing


def close_gang(problem: Problem, rules: tuple[Rule, ...]) -> Packing | None:
    """Return a packing of a single gang that is best down to how close its tasks are; None where unproven.

    For gangs that fit on candidates that are alike in everything before distance, in objective, cost and
    performance. What comes after closeness in the order of plans is left as it falls.
    """
    ask = problem.asks[0]
    found, tasks = ask.found, ask.needs.tasks
    if not ask.needs.gang or per_node(ask.needs, found).any() or _several_grades(ask):
        return None
    choice = _first_choice(ask, seats(ask), tasks)
    if choice is None or ask.needs.any_tasks:
        return None
    for key in (task_cost(ask.needs, found), -found.performance_mtflops):
        choice = choice.by(key)
    fabric, tie = found.fabric, choice.tie
    alike = (fabric.loss[tie] == fabric.loss[tie[0]]).all() if len(tie) else False
    if choice.left < tasks or not alike or (ask.score.fabric.any() and len(tie) < len(found)):
        return None
    loads = closest_loads(ask, Ledger(problem.inventory), tie, proven=True)
    if not loads or is_off_fabric(ask, loads):
        return None
    packing = canonical(problem, (loads,))
    return None if broken(problem, packing, rules) else packing


def _several_grades(ask: Ask) -> bool:
    """Whether some node has seats of several grades, which take GPUs from each other."""
    return ask.needs.tasks > 1 and len(np.unique(ask.found.group)) < len(ask.found.group)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is settled so far.

    ``forced`` tasks on each candidate, ``tie`` the equal candidates among which ``left`` more tasks are to be
    chosen, ``room`` the seats.
    """

    forced: IntArray
    tie: IntArray
    left: int
    room: IntArray

    def by(self, key: IntArray) -> "_Choice":
        """Settle a sum: the smallest keys first."""
        if self.left == 0 or len(self.tie) == 1:
            return self
        keys = key[self.tie]
        if (keys == keys[0]).all():
            return self
        margin = self._margin(keys)
        sure, tie = self.tie[keys < margin], self.tie[keys == margin]
        forced = self.forced.copy()
        forced[sure] = self.room[sure]
        return _Choice(forced, tie, self.left - int(self.room[sure].sum()), self.room)

    def within(self, peak: IntArray) -> "_Choice":
        """Settle a maximum: close the candidates beyond the least that suffices."""
        if self.left == 0:
            return self
        enough = self._margin(peak[self.tie])
        used = peak[self.forced > 0]
        limit = max(enough, int(used.max())) if len(used) else enough
        return _Choice(self.forced, self.tie[peak[self.tie] <= limit], self.left, self.room)

    def _margin(self, keys: IntArray) -> int:
        """Return the least value within which the candidates of the tie have seats for what is left."""
        room = self.room[self.tie]
        if int(room.min()) >= self.left:  # any one of the best holds all
            return int(keys.min())
        order = np.argsort(keys, kind="stable")
        return int(keys[order[np.searchsorted(np.cumsum(room[order]), self.left)]])

    @property
    def open(self) -> bool:
        """Whether more than one placement is left."""
        return self.left > 0 and int(self.room[self.tie].sum()) > self.left


def _first_choice(ask: Ask, room: IntArray, tasks: int) -> _Choice | None:
    """Settle misses and the primary value."""
    found, score = ask.found, ask.score
    start = _Choice(np.zeros(len(found), np.int64), np.arange(len(found)), tasks, room)
    if tasks == 1:  # a sum and a maximum over one task are the same thing
        return start.by(found.misses).by(score.task + score.node + score.peak)
    additive = score.task + score.node
    if (score.peak == score.peak[0]).all():
        return start.by(found.misses).by(additive)
    limit = _threshold(start, found.misses, additive, score.peak)
    if limit is None:
        return None
    near = np.flatnonzero(score.peak <= limit)
    return _Choice(start.forced, near, tasks, room).by(found.misses).by(additive)


def _threshold(start: _Choice, misses: IntArray, additive: IntArray, peak: IntArray) -> int | None:
    """Return the limit on `peak` under which sum + limit is least; None where that is not decided."""
    fewest, floor = _sums(start, misses, additive)
    best: tuple[int, int] | None = None
    tied = False
    for tried, limit in enumerate(np.unique(peak).tolist()):
        near = np.flatnonzero(peak <= limit)
        if best is not None and floor + limit > best[0]:
            break
        if tried > THRESHOLDS:
            return None
        if int(start.room[near].sum()) < start.left:
            continue
        missed, total = _sums(_Choice(start.forced, near, start.left, start.room), misses, additive)
        if missed != fewest:
            continue
        worth = total + limit
        tied = (best is not None and worth == best[0]) or (tied and best is not None and worth > best[0])
        if best is None or worth < best[0]:
            best = worth, limit
    return None if best is None or tied else best[1]


def _sums(choice: _Choice, misses: IntArray, additive: IntArray) -> tuple[int, int]:
    """Return the least misses, and the least sum among placements with so few."""
    settled = choice.by(misses).by(additive)
    return _total(settled, misses), _total(settled, additive)


def _total(choice: _Choice, key: IntArray) -> int:
    """Return the sum of `key` over all tasks, where the tie is equal in it."""
    rest = choice.left * int(key[choice.tie[0]]) if choice.left else 0
    return int((choice.forced * key).sum()) + rest


def _settle(problem: Problem, choice: _Choice) -> Packing | None:
    """Settle headroom, providers, nodes and ids, or give up."""
    ask = problem.asks[0]
    if not choice.open:
        counts = choice.forced.copy()
        counts[choice.tie] += choice.room[choice.tie] if choice.left else 0
        return laid_out(ask, problem, counts)
    growing = ask.needs.auto_scale and ask.needs.max_tasks > ask.needs.tasks
    if choice.left == 1 and not choice.forced.any():
        return _settle_one(problem, choice, growing)
    if growing or (len(choice.tie) > 1 and not _nothing_left(problem, choice)):
        return None
    counts = _by_ids(choice, np.ones(len(choice.tie), np.bool_))
    if _providers(ask, counts) > _fewest_providers(ask, choice):
        return None
    packing = laid_out(ask, problem, counts)
    # One offer alone is on the fewest of its nodes; of several another split might take fewer.
    settled = len(choice.tie) == 1 or len(packing[0]) == _fewest_nodes(ask, choice)
    return packing if settled else None


def _settle_one(problem: Problem, choice: _Choice, growing: bool) -> Packing | None:
    """Settle a single task: most headroom, then the least that is left beside it, then the smallest id."""
    ask = problem.asks[0]
    if not growing:
        left = _least_left(problem, ask)[choice.tie]
        return _one(ask, problem, int(choice.tie[np.argmin(left)]))
    if len(choice.tie) > ALTERNATIVES:
        return None
    plans = [_one(ask, problem, j) for j in choice.tie.tolist()]
    return min(plans, key=lambda plan: value(problem, plan))


def _least_left(problem: Problem, ask: Ask) -> IntArray:
    """Return for each candidate what its fullest node has left beside one task, thousandths of a GPU."""
    found, left = ask.found, np.full(len(ask.found), _TOO_MANY)
    free = free_milli_of(problem.inventory, found.group)
    beside = np.where(found.group_nodes == ELASTIC, 0, free - taken_milli(ask)[found.group_candidate])
    np.minimum.at(left, found.group_candidate, beside)
    return left


def _nothing_left(problem: Problem, choice: _Choice) -> bool:
    """Whether nothing is left behind wherever the tasks of the tie go: their offers never run out."""
    found = problem.asks[0].found
    in_tie = np.isin(found.group_candidate, choice.tie)
    return not free_milli_of(problem.inventory, found.group[in_tie]).any()


def _one(ask: Ask, problem: Problem, j: int) -> Packing:
    counts = np.zeros(len(ask.found), np.int64)
    counts[j] = 1
    return laid_out(ask, problem, counts)


def _by_ids(choice: _Choice, allowed: Mask) -> IntArray:
    counts, left = choice.forced.copy(), choice.left
    for j in choice.tie[allowed].tolist():
        counts[j] = min(left, int(choice.room[j]))
        left -= int(counts[j])
        if left == 0:
            break
    return counts


def _providers(ask: Ask, counts: IntArray) -> int:
    return len(np.unique(ask.found.provider[counts > 0]))


def _fewest_providers(ask: Ask, choice: _Choice) -> int:
    """Return a lower bound: the forced ones, then those that hold most of the tie."""
    forced = set(ask.found.provider[choice.forced > 0].tolist())
    held: dict[int, int] = {}
    for j in choice.tie.tolist():
        provider = int(ask.found.provider[j])
        held[provider] = held.get(provider, 0) + int(choice.room[j])
    left = choice.left - sum(seats for provider, seats in held.items() if provider in forced)
    more = 0
    for room in sorted((s for p, s in held.items() if p not in forced), reverse=True):
        if left <= 0:
            break
        left, more = left - room, more + 1
    return len(forced) + more


def _fewest_nodes(ask: Ask, choice: _Choice) -> int:
    """Return a lower bound: the forced ones, then as full as the fullest node of the tie can be."""
    each = np.zeros(len(ask.found), np.int64)
    np.maximum.at(each, ask.found.group_candidate, ask.found.group_tasks)
    forced = -(-choice.forced // np.maximum(each, 1))
    return int(forced.sum()) + -(-choice.left // int(each[choice.tie].max()))


def laid_out(ask: Ask, problem: Problem, counts: IntArray) -> Packing:
    """Put `counts` tasks on each candidate: on nodes that leave the least, the fewest, the lowest."""
    loads: list[Load] = []
    for j in np.flatnonzero(counts).tolist():
        own = np.flatnonzero(ask.found.group_candidate == j).tolist()
        if len(own) == 1:
            loads += _filled(j, own[0], int(counts[j]), int(ask.found.group_tasks[own[0]]))
        else:
            loads += _unlike(ask, problem, j, own, int(counts[j]))
    return (tuple(sorted(loads)),)


def _filled(j: int, g: int, tasks: int, each: int) -> Loads:
    full, rest = divmod(tasks, each)
    sizes = [each] * full + [rest] * bool(rest)
    return tuple(Load(j, g, node, size) for node, size in enumerate(sizes))


def _unlike(ask: Ask, problem: Problem, j: int, own: list[int], tasks: int) -> Iterator[Load]:
    """Fill the nodes of an offer whose nodes differ: those that leave the least, then the fewest.

    Node after node in the order of their numbers, as full as the best choice of nodes allows. ``best[t]`` is
    (what is left, nodes) of the nodes after this one that hold `t` tasks.
    """
    found, numbers = ask.found, problem.inventory.groups
    free = free_milli_of(problem.inventory, found.group[own])
    seats = sorted(
        (numbers.node(int(found.group[g]), v), g, v, int(found.group_tasks[g]), int(left))
        for g, left in zip(own, free, strict=True)
        for v in range(int(found.group_nodes[g]))
    )
    best = [np.full(tasks + 1, _TOO_MANY)]
    best[0][0] = 0
    for *_, each, left in reversed(seats):
        best.append(_with_node(best[-1], each, left * _NODES + 1))
    for (_, g, v, each, left), rest in zip(seats, reversed(best[:-1]), strict=True):
        cost = left * _NODES + 1
        worth = int(_with_node(rest, each, cost)[tasks])
        for load in range(min(each, tasks), 0, -1):
            if int(rest[tasks - load]) + cost == worth:
                yield Load(j, g, v, load)
                tasks -= load
                break


_NODES = 2**20
"""More nodes than an offer's tasks can lie on."""


def _with_node(rest: IntArray, each: int, cost: int) -> IntArray:
    """Return the least cost of 0, 1, … tasks on `rest` and one more node, which holds `each`."""
    best = rest.copy()
    for load in range(1, min(each, len(rest) - 1) + 1):
        np.minimum(best[load:], rest[:-load] + cost, out=best[load:])
    return best
