"""Tasks that arrive together, seated together: at most one on a node at a time, at least cost.

For the classes of a few dozen tasks, the nodes on which each fragments least compete in an assignment::

    min  sum cost[j, n] x[j, n] + sum left[j] u[j]
    s.t. sum_n x[j, n] + u[j] = tasks[j]        every task of class j goes somewhere or waits
         sum_j x[j, n] <= 1                     a node takes one, since its next gain is another

It is repeated with those that wait, until nobody finds a place. The costs are the scores of fragmentation
gradient descent, equal ones in the order of the nodes' names; who waits is settled by the size of the tasks.
As a flow, the solution is whole.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from ortools.graph.python import min_cost_flow

from flare_core.errors import InternalError
from flare_core.inventory.types import IntArray
from flare_core.scale.fleet import Classes, Fleet, State
from flare_core.scale.fragmentation import Fragmentation
from flare_core.scale.policies import NOWHERE, GradientDescent, Scored, Seat

SPARE_NODES: Final = 4
"""Nodes that compete for a class beyond as many as it has tasks."""
_MOST: Final = 101
"""More than any score."""


@dataclass(slots=True, eq=False)
class Assigning(Scored):
    """Seats tasks that arrive together by assignment, and a single one where it gains most."""

    def seat_many(self, task_classes: Sequence[int]) -> list[Seat | None]:
        seats: list[Seat | None] = [None] * len(task_classes)
        waiting: defaultdict[int, list[int]] = defaultdict(list)
        for k in reversed(range(len(task_classes))):
            waiting[task_classes[k]].append(k)
        while found := self._round(Counter({j: len(tasks) for j, tasks in sorted(waiting.items()) if tasks})):
            for j, node in found:
                gpus = int(self._row(j).gpus[node])
                seats[waiting[j].pop()] = node, gpus
                self.state.take(self.classes, j, node, gpus)
            for _, node in found:
                self.changed(node)
        return seats

    def _round(self, waiting: Counter[int]) -> list[tuple[int, int]]:
        """Return who goes where: a class and a node each, every node once."""
        arcs = [self._nearest(j, tasks) for j, tasks in waiting.items()]
        if not sum(len(nodes) for nodes, _ in arcs):
            return []
        several = np.repeat(np.arange(len(arcs)), [len(nodes) for nodes, _ in arcs])
        nodes, at = np.unique(np.concatenate([nodes for nodes, _ in arcs]), return_inverse=True)
        cost = np.concatenate([cost for _, cost in arcs])
        flows = _flows(several, at.reshape(-1), cost, self._waits(waiting), list(waiting.values()))
        classes = list(waiting)
        return [(classes[several[k]], int(nodes[at[k]])) for k in np.flatnonzero(flows).tolist()]

    def _nearest(self, task_class: int, tasks: int) -> tuple[IntArray, IntArray]:
        """Return the nodes that compete for a class, and their costs."""
        score = self._row(task_class).score
        there = np.flatnonzero(score != NOWHERE)
        best = there[np.argsort(-score[there], kind="stable")[: tasks + SPARE_NODES]]
        return best, (_MOST - score[best]) * len(self.fleet) + best

    def _waits(self, waiting: Counter[int]) -> IntArray:
        """Return what it costs that a task of each class waits: more than any seat, most for the largest."""
        demand = self.classes.demand_milli[list(waiting)]
        waits: IntArray = (2 * _MOST + demand) * len(self.fleet)
        return waits


def _flows(several: IntArray, at: IntArray, cost: IntArray, waits: IntArray, tasks: list[int]) -> IntArray:
    """Return the flow on each arc from a class (`several`) to a node (`at`)."""
    classes, nodes = len(tasks), int(at.max()) + 1
    sink = classes + nodes
    flow = min_cost_flow.SimpleMinCostFlow()
    one = np.ones(len(at), np.int64)
    arcs = flow.add_arcs_with_capacity_and_unit_cost(several, classes + at, one, cost)
    flow.add_arcs_with_capacity_and_unit_cost(
        np.arange(classes), np.full(classes, sink), np.array(tasks), waits
    )
    ends = classes + np.arange(nodes)
    flow.add_arcs_with_capacity_and_unit_cost(
        ends, np.full(nodes, sink), np.ones(nodes, np.int64), np.zeros(nodes, np.int64)
    )
    flow.set_nodes_supplies(np.arange(classes), np.array(tasks))
    flow.set_node_supply(sink, -sum(tasks))
    if (status := flow.solve()) != flow.OPTIMAL:
        raise InternalError(f"an assignment that always has a solution is {status}")
    found: IntArray = flow.flows(arcs)
    return found


def assigning(fleet: Fleet, classes: Classes, forecast: IntArray, state: State) -> Assigning:
    """Return the policy that seats by assignment what arrives together."""
    return Assigning(fleet, classes, state, GradientDescent(Fragmentation.of(fleet, classes, forecast)))
