"""Capacity: tasks fit on the nodes that are opened for them, and nodes exist.

For a group of nodes that only one intent may use, or whose nodes are billed whole::

    tasks[i, g] <= each[i, g] * nodes[i, g]        nodes[i, g] <= tasks[i, g]
    sum over i of nodes[i, g] <= nodes of the group

where ``each`` is how many of the intent's tasks one node holds beside what is used. Nodes billed by the
GPU that several intents may share, and nodes with seats of several grades, stand one by one, for every
resource ``r`` of whole GPUs, milli-cores, memory and storage::

    tasks[i, g] == sum over v of at[i, g, v]       at[i, g, v] <= each[i, g] * open[g, v]
    sum over i of demand[i, r] * at[i, g, v] <= free[g, r]
    open[g, v] >= open[g, v + 1]

and where such a node is billed whole, ``at[i, g, v] <= each[i, g] * owns[i, g, v]``, one owner at most, and
``nodes[i, g] == sum over v of owns[i, g, v]`` is what is paid.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from ortools.sat.python import cp_model

from flare_core.inventory.types import ELASTIC
from flare_core.model.draft import Draft
from flare_core.placement.ledger import Ledger, capacity, demand
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
            if int(found.group[g]) in draft.shared:
                continue
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
        users = draft.users[group]
        for i, g in users:
            apart = cp_model.LinearExpr.sum([draft.at[i, g, v] for v in range(nodes)])
            draft.require(self, draft.tasks[i, g] == apart)
        for v in range(nodes):
            self._post_node(draft, group, v)
            if v:
                draft.require(self, draft.open[group, v - 1] >= draft.open[group, v])
        self._post_owned(draft, group, nodes)

    def _post_node(self, draft: Draft, group: int, v: int) -> None:
        opened, users = draft.open[group, v], draft.users[group]
        tasks = [draft.at[i, g, v] for i, g in users]
        draft.require(self, cp_model.LinearExpr.sum(tasks) >= opened)
        for i, g in users:
            most = draft.bounds[draft.at[i, g, v].index][1]
            owner = draft.owns.get((i, group, v), opened)
            draft.require(self, draft.at[i, g, v] <= most * owner)
        for have, amounts in resources(draft, group):
            draft.at_most(self, draft.total(zip(tasks, amounts, strict=True)), have)

    def _post_owned(self, draft: Draft, group: int, nodes: int) -> None:
        """A node billed whole has one owner, who has tasks there and pays for it."""
        owners = sorted({i for i, _ in draft.users[group] if (i, group, 0) in draft.owns})
        for i in owners:
            entries = [g for k, g in draft.users[group] if k == i]
            owned = [draft.owns[i, group, v] for v in range(nodes)]
            draft.require(self, cp_model.LinearExpr.sum(owned) == draft.nodes[i, entries[0]])
            for v, owns in enumerate(owned):
                own = cp_model.LinearExpr.sum([draft.at[i, g, v] for g in entries])
                draft.require(self, own >= owns)
        for v in range(nodes if owners else 0):
            everyone = cp_model.LinearExpr.sum([draft.owns[i, group, v] for i in owners])
            draft.require(self, everyone <= draft.open[group, v])

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


def resources(draft: Draft, group: int) -> Iterator[tuple[int, list[int]]]:
    """Yield what a node of a group that stands apart has, and what a task of each of its users takes of it.

    Of GPUs the wholly free ones; what else there is to GPUs is the matter of `constraints.gpus`.
    """
    problem = draft.problem
    asks = [problem.asks[i] for i, _ in draft.users[group]]
    free = capacity(problem.inventory, group)
    yield from zip(free, map(list, zip(*(demand(ask.needs) for ask in asks), strict=True)), strict=True)
    whole = [
        ask.needs.gpus if ask.found.cut[ask.found.group_candidate[g]] < 0 else 0
        for ask, (_, g) in zip(asks, draft.users[group], strict=True)
    ]
    yield max(0, int(problem.inventory.groups.free_gpus[group])), whole
