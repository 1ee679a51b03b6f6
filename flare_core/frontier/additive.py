"""Fronts of intents whose tasks add up: all sums that no other sum beats, candidate by candidate.

Cost, performance and carbon of a placement are sums over its tasks (a node's price is paid once for the
tasks on it), latency is that of the worst task. Partial sums that another partial sum of as many tasks beats
lead nowhere, so for each number of tasks the undominated ones are carried on. With latency among the terms
the candidates are taken in its order: a sum that appears first with a candidate has that candidate's latency.

The rules that couple tasks are left out. Where every sum that is found can be had by a placement that keeps
them too, the front is that of the whole problem; where not, this reasoning proves nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from flare_core.frontier.terms import Vector, per_task
from flare_core.frontier.undominated import begins_of, undominated
from flare_core.inventory.types import ELASTIC, IntArray, Mask
from flare_core.placement.packing import Ask
from flare_core.placement.score import per_node
from flare_core.solve.bounds import seats

ROUNDS = 256
"""Candidates that are tried as better ones; fewer only leave more to add up."""

MOST_SUMS = 10_000_000
"""Sums looked at, all in all, beyond which adding up is given up: some seconds."""


class Sum(NamedTuple):
    """An undominated sum.

    ``counts`` are tasks on each candidate, one way to have it; ``tied`` whether there may be others.
    """

    vector: Vector
    counts: IntArray
    tied: bool


def sums(ask: Ask, terms: Sequence[str], stop: Callable[[], bool]) -> list[Sum] | None:
    """Return the undominated sums of `terms`, ascending; None where tasks do not simply add up.

    Parameters
    ----------
    ask
        Without the candidates that are `beaten`.
    stop
        Whether to give up.
    """
    found, needs = ask.found, ask.needs
    couples = needs.gang and ("performance" in terms or needs.infiniband)
    if couples or needs.any_tasks or np.ptp(found.misses) or len(np.unique(found.group)) < len(found.group):
        return None
    if needs.tasks == 1:
        return list(_singles(ask, terms))
    kept = np.argsort(found.latency_us, kind="stable") if "latency" in terms else np.arange(len(found))
    listed = _Adding(ask, terms, stop).run(kept, steps="latency" in terms)
    if listed is None:
        return None
    if "latency" in terms:
        listed = [one._replace(vector=_with_latency(one, ask, terms)) for one in listed]
    mask = undominated(np.array([one.vector for one in listed], np.int64).reshape(-1, len(terms)))
    return sorted((one for one, good in zip(listed, mask, strict=True) if good), key=lambda one: one.vector)


def _singles(ask: Ask, terms: Sequence[str]) -> Iterator[Sum]:
    """Yield the sums of a single task: what the candidates have."""
    table = np.stack([per_task(ask, term) for term in terms], axis=1)
    order = np.lexsort(table.T[::-1])
    begins = begins_of(table[order])
    for at, number in zip(order[begins].tolist(), np.bincount(np.cumsum(begins) - 1), strict=True):
        counts = np.zeros(len(ask.found), np.int64)
        counts[at] = 1
        yield Sum(tuple(table[at].tolist()), counts, bool(number > 1))


def _with_latency(one: Sum, ask: Ask, terms: Sequence[str]) -> Vector:
    """Return the vector of a sum of the other terms with the latency of its worst task in its place."""
    at = terms.index("latency")
    return (*one.vector[:at], int(ask.found.latency_us[one.counts > 0].max()), *one.vector[at:])


class _Column(NamedTuple):
    """What is added up: what a task has of it, whether a node has it once, and the most that is allowed."""

    amounts: IntArray
    paid: bool
    most: int | None


def _added(ask: Ask, terms: Sequence[str]) -> list[_Column]:
    """Return the terms that are sums, with the budget that each has."""
    needs = ask.needs
    cost = needs.max_total_ueur if needs.costs_in_total else needs.max_hourly_ueur
    limits = {"cost": cost, "carbon": needs.max_carbon_ug if _steady(ask) else None}
    return [
        _Column(per_task(ask, term), term == "cost", limits.get(term)) for term in terms if term != "latency"
    ]


def _steady(ask: Ask) -> bool:
    """Whether no run emits more at one moment than at another."""
    return bool((ask.found.carbon_ug == ask.found.carbon_peak_ug).all())


def _beside(ask: Ask, terms: Sequence[str]) -> list[_Column]:
    """Return the sums that are no terms but have a budget that may bind."""
    needs, found = ask.needs, ask.found
    as_cost = "cost" in terms
    budgets = (
        (found.task_ueur, True, None if as_cost and not needs.costs_in_total else needs.max_hourly_ueur),
        (found.task_total_ueur, True, None if as_cost and needs.costs_in_total else needs.max_total_ueur),
        (found.carbon_peak_ug, False, None if "carbon" in terms and _steady(ask) else needs.max_carbon_ug),
    )
    columns = [_Column(*budget) for budget in budgets]
    return [c for c in columns if c.most is not None and needs.tasks * int(c.amounts.max(initial=0)) > c.most]


def beaten(ask: Ask, terms: Sequence[str]) -> Mask:
    """Return the candidates that no undominated placement uses: enough seats are better in some sum.

    Wherever the other tasks lie, one of those seats is free. Where nodes are paid whole, it is nodes that are
    compared and moved.
    """
    found, tasks = ask.found, ask.needs.tasks
    beside = _beside(ask, terms) if tasks > 1 else []
    rows = [*(per_task(ask, term) for term in terms), *(column.amounts for column in beside)]
    room, paid = seats(ask), "cost" in terms or any(column.paid for column in beside)
    if paid and per_node(ask.needs, found).any():
        most = np.zeros(len(found), np.int64)
        np.maximum.at(most, found.group_candidate, found.group_tasks)
        whole = found.by_node.astype(np.int64)
        rows, room = [*rows, -most, whole, -whole], _nodes(ask)
    table = np.stack(rows, axis=1)
    if tasks == 1:
        return ~undominated(table)
    better = np.zeros(len(found), np.int64)
    order = np.lexsort(table.T[::-1])
    sums = [k for k, term in enumerate(terms) if term != "latency"]  # a better latency may not be the worst
    for j in _spread(order, table):
        worse = (table >= table[j]).all(axis=1) & (table[:, sums] > table[j, sums]).any(axis=1)
        better[worse] += room[j]
    return better >= tasks


def _spread(order: IntArray, table: IntArray) -> list[int]:
    """Return candidates that may beat others: the undominated ones, then the first in order."""
    front = order[undominated(table)[order]]
    rest = order[~np.isin(order, front)]
    return [*front.tolist(), *rest.tolist()][:ROUNDS]


def _nodes(ask: Ask) -> IntArray:
    """Return how many nodes of each candidate hold as much as its best ones, at most as many as tasks."""
    found, tasks = ask.found, ask.needs.tasks
    most = np.zeros(len(found), np.int64)
    np.maximum.at(most, found.group_candidate, found.group_tasks)
    full = found.group_tasks >= most[found.group_candidate]
    nodes = np.zeros(len(found), np.int64)
    held = np.where(found.group_nodes == ELASTIC, tasks, np.minimum(found.group_nodes, tasks))
    np.add.at(nodes, found.group_candidate[full], held[full])
    return nodes


@dataclass(frozen=True, slots=True)
class _States:
    """Partial sums: how many tasks, what they add up to, from which one before by how many more tasks."""

    tasks: IntArray
    values: IntArray
    tied: Mask
    parent: IntArray
    more: IntArray


class _Adding:
    """Adds candidate after candidate."""

    def __init__(self, ask: Ask, terms: Sequence[str], stop: Callable[[], bool]) -> None:
        self.ask, self.tasks, self.stop, self.looked_at = ask, ask.needs.tasks, stop, 0
        shown, beside = _added(ask, terms), _beside(ask, terms)
        self.columns, self.shown, self.partly = [*shown, *beside], len(shown), bool(beside)
        self.whole = per_node(ask.needs, ask.found)
        self.room = seats(ask)
        none = np.zeros(1, np.int64)
        nothing = np.zeros((1, len(self.columns)), np.int64)
        self.steps = [_States(none, nothing, np.zeros(1, np.bool_), none, none)]
        self.taken: list[int] = []

    def run(self, kept: IntArray, *, steps: bool) -> list[Sum] | None:
        """Return the sums of all tasks; with `steps` also those of each latency, as they appear."""
        latency = self.ask.found.latency_us
        listed: list[Sum] = []
        for number, j in enumerate(kept.tolist()):
            if not self._add(j):
                return None
            last = number + 1 == len(kept)
            if last or (steps and latency[j] != latency[kept[number + 1]]):
                listed += self._complete({s.vector for s in listed})
        return listed

    def _add(self, j: int) -> bool:
        """Let `j` take any number of tasks beside each sum; False where that takes too long."""
        before, most = self.steps[-1], min(int(self.room[j]), self.tasks)
        self.looked_at += len(before.tasks) * (most + 1)
        if self.looked_at > MOST_SUMS or self.stop():
            return False
        parts = [np.flatnonzero(before.tasks + more <= self.tasks) for more in range(most + 1)]
        parent = np.concatenate(parts)
        more = np.repeat(np.arange(most + 1), [len(part) for part in parts])
        values = before.values[parent] + self._worth(j, most)[more]
        kept = np.ones(len(parent), np.bool_)
        for number, column in enumerate(self.columns):
            if column.most is not None:
                kept &= values[:, number] <= column.most
        parent, more, values = parent[kept], more[kept], values[kept]
        self.steps.append(_best(before.tasks[parent] + more, values, before.tied[parent], parent, more))
        self.taken.append(j)
        return True

    def _worth(self, j: int, most: int) -> IntArray:
        """Return what 0, 1, … tasks on `j` add, shape (numbers, columns)."""
        number = np.arange(most + 1)
        paid = self._nodes(j, most) if self.whole[j] else number
        columns = [int(column.amounts[j]) * (paid if column.paid else number) for column in self.columns]
        return np.stack(columns, axis=1)

    def _nodes(self, j: int, most: int) -> IntArray:
        """Return on how few nodes of `j` 0, 1, … tasks fit: the roomiest first."""
        found, sizes = self.ask.found, []
        for g in np.flatnonzero(found.group_candidate == j).tolist():
            count, each = int(found.group_nodes[g]), int(found.group_tasks[g])
            sizes += [each] * (most if count == ELASTIC else min(count, most))
        return np.searchsorted(np.cumsum(sorted(sizes, reverse=True)), np.arange(most + 1)) + (
            np.arange(most + 1) > 0
        )

    def _complete(self, known: set[Vector]) -> Iterator[Sum]:
        """Yield the undominated sums of all tasks that are not known yet: of the terms alone."""
        last = self.steps[-1]
        done = np.flatnonzero(last.tasks == self.tasks)
        shown = last.values[done][:, : self.shown]
        for at, vector in zip(
            done[undominated(shown)].tolist(), shown[undominated(shown)].tolist(), strict=True
        ):
            if tuple(vector) not in known:
                known.add(tuple(vector))
                # What has the same terms but more beside them was dropped.
                yield Sum(tuple(vector), self._counts(at), bool(last.tied[at]) or self.partly)

    def _counts(self, at: int) -> IntArray:
        counts = np.zeros(len(self.ask.found), np.int64)
        for states, j in zip(reversed(self.steps), reversed(self.taken), strict=False):
            counts[j], at = states.more[at], int(states.parent[at])
        return counts


def _best(tasks: IntArray, values: IntArray, tied: Mask, parent: IntArray, more: IntArray) -> _States:
    """Return for each number of tasks the undominated sums, equal ones once and marked."""
    keys = np.column_stack([tasks, values])
    order = np.lexsort(keys.T[::-1])
    begins = begins_of(keys[order])
    runs = np.cumsum(begins) - 1
    several = np.bincount(runs) > 1
    several |= np.bincount(runs, weights=tied[order]) > 0
    first = order[begins]
    edges = np.append(np.flatnonzero(np.diff(tasks[first], prepend=-1)), len(first))
    kept = np.concatenate(
        [a + np.flatnonzero(undominated(values[first[a:b]])) for a, b in pairwise(edges.tolist())]
    )
    one = first[kept]
    return _States(tasks[one], values[one], several[kept], parent[one], more[one])
