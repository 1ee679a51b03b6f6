"""The variables of the model and the questions that rules ask of them.

For every intent ``i`` and every candidate node group ``g`` (equal nodes of one offer):

==================  =====================================================================
``placed[i]``       the intent is placed, 0/1
``tasks[i, g]``     tasks of the intent on nodes of the group
``nodes[i, g]``     nodes of the group that the intent uses; where nodes are shared among intents or have
                    seats of several grades, they stand one by one: ``at[i, g, v]`` tasks, ``open[g, v]`` 0/1
``owns[i, g, v]``   of nodes that stand one by one and are billed whole: the intent has it, 0/1
``uses[i, j]``      the intent uses candidate ``j``, 0/1
==================  =====================================================================

Tasks of an intent are alike and nodes of a group are alike, so they are counted, not enumerated.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from ortools.sat.python import cp_model

from flare_core.errors import NotSupportedError
from flare_core.inventory.types import ELASTIC
from flare_core.model.gang import Gang
from flare_core.placement.apart import contested, nodes_apart
from flare_core.placement.packing import Problem

Var = cp_model.IntVar
Expr = cp_model.LinearExprT
LIMIT = 2**53
"""No sum of |coefficient| × bound in the model exceeds this (CP-SAT and its doubles stay exact)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A linear expression with whole coefficients whose magnitude is known."""

    vars: tuple[Var, ...]
    coefficients: tuple[int, ...]
    least: int
    most: int

    def expr(self) -> Expr:
        """Return it for the solver."""
        return cp_model.LinearExpr.weighted_sum(list(self.vars), list(self.coefficients))

    @property
    def is_constant(self) -> bool:
        """Whether no variable counts."""
        return self.least == self.most


@dataclass(eq=False)
class Draft:
    """A model under construction over `problem`, whose candidates are few (pruned)."""

    problem: Problem
    model: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    lines: dict[Hashable, list[cp_model.Constraint]] = field(default_factory=dict)
    bounds: dict[int, tuple[int, int]] = field(default_factory=dict)
    flags: dict[tuple[int, int], Var] = field(default_factory=dict)
    loose: bool = False  # some rule holds in part only: see `rule.Lazy`
    domains: dict[int, dict[int, tuple[Var, list[int]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.placed = [self.flag(f"placed[{a.name}]") for a in self.problem.asks]
        self.tasks: dict[tuple[int, int], Var] = {}
        self.nodes: dict[tuple[int, int], Var] = {}
        self.at: dict[tuple[int, int, int], Var] = {}
        self.open: dict[tuple[int, int], Var] = {}
        self.owns: dict[tuple[int, int, int], Var] = {}
        for i, ask in enumerate(self.problem.asks):
            for g in range(len(ask.found.group)):
                self._open_group(i, g)

    def _open_group(self, i: int, g: int) -> None:
        ask = self.problem.asks[i]
        n, each = ask.needs.tasks, int(ask.found.group_tasks[g])
        count = int(ask.found.group_nodes[g])
        most_nodes = n if count == ELASTIC else min(n, count)
        self.tasks[i, g] = self.count(min(n, most_nodes * each), f"tasks[{ask.name},{g}]")
        group = int(ask.found.group[g])
        if group in self.shared:
            for v in range(self.shared[group]):
                self.at[i, g, v] = self.count(min(n, each), f"at[{ask.name},{g},{v}]")
                if (group, v) not in self.open:
                    self.open[group, v] = self.flag(f"open[{group},{v}]")
            if ask.found.by_node[ask.found.group_candidate[g]]:
                self._own_group(i, g)
        elif each == 1:
            self.nodes[i, g] = self.tasks[i, g]
        else:
            self.nodes[i, g] = self.count(min(most_nodes, n), f"nodes[{ask.name},{g}]")

    def _own_group(self, i: int, g: int) -> None:
        """Count the nodes that an intent owns, once for all grades of their seats."""
        ask, group = self.problem.asks[i], int(self.problem.asks[i].found.group[g])
        first = (i, group, 0) not in self.owns
        if first:
            for v in range(self.shared[group]):
                self.owns[i, group, v] = self.flag(f"owns[{ask.name},{group},{v}]")
        self.nodes[i, g] = self.count(self.shared[group] if first else 0, f"nodes[{ask.name},{g}]")

    @cached_property
    def contested(self) -> frozenset[int]:
        """Groups that stand apart and whose GPUs are cut or told apart."""
        return contested(self.problem, self.shared)

    @cached_property
    def users(self) -> Mapping[int, list[tuple[int, int]]]:
        """For each group that stands apart the intents that may use it: (intent, candidate group)."""
        users: dict[int, list[tuple[int, int]]] = {}
        for i, ask in enumerate(self.problem.asks):
            for g, group in enumerate(ask.found.group.tolist()):
                if group in self.shared:
                    users.setdefault(group, []).append((i, g))
        return users

    @cached_property
    def shared(self) -> Mapping[int, int]:
        """Nodes that stand one by one, see `nodes_apart`."""
        return nodes_apart(self.problem)

    @cached_property
    def gangs(self) -> Mapping[int, Gang]:
        """The gangs whose distances matter; posted on first question."""
        return {
            i: Gang(self, i) for i, ask in enumerate(self.problem.asks) if ask.needs.gang and len(ask.found)
        }

    @cached_property
    def uses(self) -> Mapping[tuple[int, int], Var]:
        """Whether an intent uses a candidate; posted on first question."""
        result: dict[tuple[int, int], Var] = {}
        for i, ask in enumerate(self.problem.asks):
            groups: dict[int, list[int]] = {}
            for g, j in enumerate(ask.found.group_candidate.tolist()):
                groups.setdefault(j, []).append(g)
            for j, own in groups.items():
                if ask.needs.tasks == 1 and len(own) == 1:
                    result[i, j] = self.tasks[i, own[0]]
                    continue
                used = result[i, j] = self.flag(f"uses[{ask.name},{j}]")
                total = cp_model.LinearExpr.sum([self.tasks[i, g] for g in own])
                self.model.add(total >= used)
                self.model.add(total <= ask.needs.tasks * used)
        return result

    def flag(self, name: str) -> Var:
        """Return a new 0/1 variable."""
        var = self.model.new_bool_var(name)
        self.bounds[var.index] = (0, 1)
        return var

    def count(self, most: int, name: str) -> Var:
        """Return a new variable 0 … `most`."""
        var = self.model.new_int_var(0, most, name)
        self.bounds[var.index] = (0, most)
        return var

    def fewer(self, var: Var, tasks: int) -> Var:
        """Return a flag that can hold only where ``var < tasks``."""
        known = self.flags.get((var.index, tasks))
        if known is None:
            known = self.flags[var.index, tasks] = self.flag(f"{var.name}<{tasks}")
            self.model.add(var <= tasks - 1).only_enforce_if(known)
        return known

    def total(self, pairs: Iterable[tuple[Var, int]]) -> Terms:
        """Return ``sum(coefficient * variable)``, its bounds computed and held under `LIMIT`."""
        listed = [(var, int(c)) for var, c in pairs if c and self.bounds[var.index] != (0, 0)]
        least = most = size = 0
        for var, c in listed:
            low, high = self.bounds[var.index]
            ends = (c * low, c * high)
            least, most = least + min(ends), most + max(ends)
            size += max(abs(end) for end in ends)
        if size >= LIMIT:
            raise NotSupportedError(
                "workload", f"a sum over its tasks that may reach {size}, more than 2**53"
            )
        return Terms(tuple(v for v, _ in listed), tuple(c for _, c in listed), least, most)

    def require(self, rule: Hashable, line: cp_model.BoundedLinearExpression | bool | np.bool_) -> None:
        """Post one line of `rule`, and remember that it belongs to it."""
        self.lines.setdefault(rule, []).append(self.model.add(line))

    def at_most(self, rule: Hashable, terms: Terms, limit: int) -> None:
        """Post ``terms <= limit`` unless it always holds."""
        if terms.most > limit:
            self.require(rule, terms.expr() <= limit)

    def over_tasks(self, i: int, per_task: list[int], per_node: list[int] | None = None) -> Terms:
        """Return ``sum(per_task[j] * tasks) + sum(per_node[j] * nodes)`` of an intent, `j` its candidates."""
        return self.total(self.pairs(i, per_task, per_node))

    def pairs(
        self, i: int, per_task: list[int], per_node: list[int] | None = None
    ) -> Iterator[tuple[Var, int]]:
        """Yield the (variable, coefficient) of `over_tasks`."""
        for g, j in enumerate(self.problem.asks[i].found.group_candidate.tolist()):
            yield self.tasks[i, g], per_task[j]
            if per_node is not None and per_node[j]:
                yield self.nodes[i, g], per_node[j]


def size(problem: Problem) -> int:
    """Return how many variables a draft of `problem` has to begin with."""
    apart = nodes_apart(problem)
    groups = [group for ask in problem.asks for group in ask.found.group.tolist()]
    return sum(2 + apart.get(group, 0) for group in groups) + sum(apart.values()) + len(problem.asks)
