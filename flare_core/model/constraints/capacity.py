"""Capacity: tasks fit on the nodes that are opened for them, and nodes exist.

For a group of nodes that only one intent may use, or whose nodes are billed whole::

    tasks[i, g] <= each[i, g] * nodes[i, g]        nodes[i, g] <= tasks[i, g]
    sum over i of nodes[i, g] <= nodes of the group

where ``each`` is how many of the intent's tasks one node holds beside what is used. Nodes billed by the
GPU that several intents may share stand one by one, for every resource ``r`` of GPUs, milli-cores, memory
and storage::

    tasks[i, g] == sum over v of at[i, g, v]       at[i, g, v] <= each[i, g] * open[g, v]
    sum over i of demand[i, r] * at[i, g, v] <= free[g, r]
    open[g, v] >= open[g, v + 1]
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from ortools.sat.python import cp_model

from flare_core.inventory.types import ELASTIC
from flare_core.model.draft import Draft
from flare_core.placement.ledger import Demand, Ledger, capacity, demand
from flare_core.placement.packing import Packing, Problem


@dataclass(frozen=True, slots=True)
class Capacity:
    """Nobody uses more of a node than it has, and nobody shares a node that is billed whole."""

    path = ""
    unit = "node"

    @classmethod
    def read(cls, problem: Problem) -> Iterator[Self]:
        """Yield the one rule."""
        yield cls()

    def post(self, draft: Draft) -> None:
        """State it to the solver."""
        rivals: dict[int, list[cp_model.IntVar]] = {}
        for (i, g), nodes in draft.nodes.items():
            found = draft.problem.asks[i].found
            each = int(found.group_tasks[g])
            if each > 1:
                draft.require(self, draft.tasks[i, g] <= each * nodes)
                draft.require(self, nodes <= draft.tasks[i, g])
            if found.group_nodes[g] != ELASTIC:
                rivals.setdefault(int(found.group[g]), []).append(nodes)
        groups = draft.problem.inventory.groups
        for group, own in rivals.items():
            count = int(groups.count[group])
            if sum(draft.bounds[var.index][1] for var in own) > count:
                draft.require(self, cp_model.LinearExpr.sum(own) <= count)
        for group, nodes_apart in draft.shared.items():
            self._post_shared(draft, group, nodes_apart)

    def _post_shared(self, draft: Draft, group: int, nodes: int) -> None:
        users = [
            (i, g)
            for i, ask in enumerate(draft.problem.asks)
            for g in range(len(ask.found.group))
            if ask.found.group[g] == group
        ]
        free = capacity(draft.problem.inventory, group)
        for i, g in users:
            apart = cp_model.LinearExpr.sum([draft.at[i, g, v] for v in range(nodes)])
            draft.require(self, draft.tasks[i, g] == apart)
        for v in range(nodes):
            self._post_node(draft, users, free, group, v)
            if v:
                draft.require(self, draft.open[group, v - 1] >= draft.open[group, v])

    def _post_node(
        self, draft: Draft, users: list[tuple[int, int]], free: Demand, group: int, v: int
    ) -> None:
        opened = draft.open[group, v]
        tasks = [draft.at[i, g, v] for i, g in users]
        draft.require(self, cp_model.LinearExpr.sum(tasks) >= opened)
        for i, g in users:
            most = draft.bounds[draft.at[i, g, v].index][1]
            draft.require(self, draft.at[i, g, v] <= most * opened)
        wants = [demand(draft.problem.asks[i].needs) for i, _ in users]
        for have, amounts in zip(free, zip(*wants, strict=True), strict=True):
            terms = draft.total(zip(tasks, amounts, strict=True))
            draft.at_most(self, terms, have)

    def audit(self, problem: Problem, packing: Packing) -> Iterator[str]:
        """Yield nodes that are overfull, shared against their billing, or do not exist."""
        groups = problem.inventory.groups
        owners: dict[tuple[int, int], set[int]] = {}
        for i, (ask, loads) in enumerate(zip(problem.asks, packing, strict=True)):
            for load in loads:
                group = int(ask.found.group[load.group])
                if groups.count[group] != ELASTIC and load.node >= groups.count[group]:
                    yield f"{ask.name}: node {load.node} of group {group} does not exist"
                if ask.found.by_node[load.candidate]:
                    owners.setdefault((group, load.node), set()).add(i)
        for node, users in owners.items():
            if len(users) > 1:
                yield f"node {node} is billed whole and has {len(users)} owners"
        for (group, k), taken in Ledger.of(problem, packing).taken.items():
            free = capacity(problem.inventory, group)
            if any(t > f for t, f in zip(taken, free, strict=True)):
                yield f"node {k} of group {group} has {free}, {taken} is placed there"
