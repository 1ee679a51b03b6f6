"""A batch in waves where the budgets of any moment decide: how many tasks begin on which nodes in which slot.

::

    tasks[g, s]   tasks that begin in slot s on nodes of group g
    nodes[g, s]   nodes that they take; the tasks themselves where a node holds one

    sum of tasks == n * placed                    (with "Any": at most n, at least one)
    tasks[g, s] <= each[g] * nodes[g, s],  nodes[g, s] <= nodes of the group
    for each moment t at which a slot begins, over all slots that are on then:
        sum of price * (nodes billed whole, else tasks) <= max_hourly_cost, likewise for carbon

Slots of one offer never overlap, so no node is asked for twice. The levels of the order are minimised one
after the other down to the finish.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from ortools.sat.python import cp_model

from flare_core.inventory.types import ELASTIC, IntArray
from flare_core.model.draft import Draft, Var
from flare_core.placement.packing import Load, Loads
from flare_core.placement.score import per_node, task_cost
from flare_core.solve.cpsat import Answer, Run
from flare_core.solve.lanes import openings

MOST_COUNTS = 20_000
"""Counts up to which a model is built."""

Pairs = Iterator[tuple[Var, int]]


@dataclass(eq=False)
class Slots(Draft):
    """The model of the only intent of a problem.

    Attributes
    ----------
    begins
        When the slots of each candidate begin, seconds after the plan.
    length
        Of a slot, in seconds.
    """

    begins: Sequence[IntArray] = ()
    length: int = 0
    slot_tasks: dict[tuple[int, int], Var] = field(default_factory=dict)
    slot_nodes: dict[tuple[int, int], Var] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ask = self.problem.asks[0]
        self.needs, self.found = self.ask.needs, self.ask.found
        self.is_placed = self.flag("placed")
        for g, j in enumerate(self.found.group_candidate.tolist()):
            for start in self.begins[j].tolist():
                self._open_slot(g, j, start)
        self._demand()
        self._budgets()

    def _open_slot(self, g: int, j: int, start: int) -> None:
        n, each, count = self.needs.tasks, int(self.found.group_tasks[g]), int(self.found.group_nodes[g])
        most = n if count == ELASTIC else min(n, count)
        tasks = self.count(min(n, most * each), f"tasks[{g},{start}]")
        nodes = tasks if each == 1 else self.count(most, f"nodes[{g},{start}]")
        if each > 1:
            self.model.add(tasks <= each * nodes)
            self.model.add(nodes <= tasks)
        self.slot_tasks[g, start], self.slot_nodes[g, start] = tasks, nodes

    def _demand(self) -> None:
        placed = cp_model.LinearExpr.sum(list(self.slot_tasks.values()))
        if self.needs.any_tasks:
            self.model.add(placed <= self.needs.tasks * self.is_placed)
            self.model.add(placed >= self.is_placed)
        else:
            self.model.add(placed == self.needs.tasks * self.is_placed)

    def _budgets(self) -> None:
        needs, found = self.needs, self.found
        moments = sorted({start for _, start in self.slot_tasks})
        for limit, amounts, by_node in (
            (needs.max_hourly_ueur, found.task_ueur, True),
            (needs.max_carbon_ug, found.carbon_peak_ug, False),
        ):
            if limit is None:
                continue
            for moment in moments:
                on = (key for key in self.slot_tasks if key[1] <= moment < key[1] + self.length)
                self.at_most("budget", self.total(self._paid(on, amounts, by_node=by_node)), limit)
        if needs.max_total_ueur is not None:
            total = self.total(self._paid(self.slot_tasks, found.task_total_ueur))
            self.at_most("budget", total, needs.max_total_ueur)

    def _paid(self, keys: Iterable[tuple[int, int]], amounts: IntArray, *, by_node: bool = True) -> Pairs:
        for key in keys:
            j = int(self.found.group_candidate[key[0]])
            counts = self.slot_nodes if by_node and self.found.by_node[j] else self.slot_tasks
            yield counts[key], int(amounts[j])

    def levels(self) -> Iterator[Pairs]:
        """Yield what is minimised, one after the other."""
        found, score = self.found, self.ask.score
        yield iter([(self.is_placed, -1)])
        if self.needs.any_tasks:
            yield ((var, -1) for var in self.slot_tasks.values())
        yield self._each(found.misses)
        whole = np.flatnonzero(per_node(self.needs, found))
        yield iter([*self._each(score.task), *self._peak(score.peak), *self._whole(score.node, whole)])
        yield self._paid(self.slot_tasks, task_cost(self.needs, found))
        yield self._each(-found.performance_mtflops)
        yield self._peak(found.latency_us)
        yield self._each(found.carbon_ug)
        yield self._finish()

    def _each(self, amounts: IntArray) -> Pairs:
        for (g, _), var in self.slot_tasks.items():
            yield var, int(amounts[self.found.group_candidate[g]])

    def _whole(self, amounts: IntArray, candidates: IntArray) -> Pairs:
        for (g, _), var in self.slot_nodes.items():
            j = int(self.found.group_candidate[g])
            if j in candidates:
                yield var, int(amounts[j])

    def _peak(self, amounts: IntArray) -> Pairs:
        """Yield the largest amount of the candidates that are used, as steps."""
        heights = {key: int(amounts[self.found.group_candidate[key[0]]]) for key in self.slot_tasks}
        return self._steps(heights)

    def _finish(self) -> Pairs:
        return self._steps({key: key[1] for key in self.slot_tasks})

    def _steps(self, heights: dict[tuple[int, int], int]) -> Pairs:
        below = min(heights.values(), default=0)
        yield self.is_placed, below
        lower: Var | None = None
        for height in sorted(set(heights.values()))[1:]:
            climbed = self.flag(f"step {height}")
            for key, own in heights.items():
                if own == height:
                    var = self.slot_tasks[key]
                    self.model.add(var <= self.bounds[var.index][1] * climbed)
            if lower is not None:
                self.model.add_implication(climbed, lower)
            yield climbed, height - below
            below, lower = height, climbed


def size(begins: Sequence[IntArray], groups: IntArray) -> int:
    """Return how many counts a model has."""
    return 2 * sum(len(begins[j]) for j in groups.tolist())


def solve(draft: Slots, run: Run) -> tuple[Loads | None, bool]:
    """Return the best loads, and whether they are proven best; None with True is proven impossible."""
    values: tuple[int, ...] | None = None
    for k, pairs in enumerate(draft.levels()):
        terms = draft.total(pairs)
        if run.over:
            return _loads(draft, values), False
        if terms.is_constant:
            continue
        answer: Answer = run.minimise(draft, terms, values)
        values = answer.values if answer.values is not None else values
        if not answer.proven or answer.bound is None:
            return _loads(draft, values), False
        if k == 0 and answer.bound == 0:
            return None, True
        draft.model.add(terms.expr() <= answer.bound)
    return _loads(draft, values), True


def _loads(draft: Slots, values: tuple[int, ...] | None) -> Loads | None:
    """Return the counts on nodes; None where nothing is placed, or a node billed whole would pause."""
    if values is None or not values[draft.is_placed.index]:
        return None
    found, loads = draft.found, list[Load]()
    lanes: dict[tuple[int, int], dict[int, int]] = {}  # of a group and opening: each node's last slot
    for (g, start), var in sorted(draft.slot_tasks.items(), key=lambda item: item[0][::-1]):
        tasks, each, j = values[var.index], int(found.group_tasks[g]), int(found.group_candidate[g])
        opening = int(openings(draft.begins[j], draft.length)[np.searchsorted(draft.begins[j], start)])
        lane = lanes.setdefault((g, opening), {})
        going = [node for node, last in lane.items() if last + draft.length == start]
        for k in range(-(-tasks // each)):
            node = k
            if found.by_node[j]:
                node = going[k] if k < len(going) else len(lane)
                lane[node] = start
                if 0 <= found.group_nodes[g] <= node:
                    return None
            loads.append(Load(j, g, node, min(each, tasks - k * each), start))
    return tuple(sorted(loads))
