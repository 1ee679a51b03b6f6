"""What many intents that share nodes can reach at best, and what a place on each node is worth to them.

Equal intents are a class c of ``m[c]`` intents with ``n[c]`` tasks each. With ``x[c, g]`` of their tasks on
node group g and ``u[c]`` of its intents left out::

    min  sum cost[c, g] x[c, g] + sum penalty[c] u[c]
    s.t. sum_g x[c, g] + n[c] u[c]           == m[c] n[c]
         sum_c asks[c, r] x[c, g]            <= free[g, r] nodes[g]     (GPUs, milli-cores, memory, storage)
         sum_c x[c, g] / room[c, g]          <= nodes[g]                (nodes billed whole)

``cost`` is the least that a task there adds to the primary value: its own term, its part of a full node's,
and of the worst-task term its n-th part, since a mean is no more than a maximum. All other rules are left
out, so nothing is better than this programme. What it proves is summed up from its prices and not the
solver's word: for any prices p >= 0 of the rows no plan is below ``sum m n min(cost + p asks, penalty / n) -
sum p free``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import ortools.linear_solver.python.model_builder as model_builder

from flare_core.inventory.types import ELASTIC, FloatArray
from flare_core.placement.ledger import capacity, demand
from flare_core.placement.nodes import free_milli_of, taken_milli
from flare_core.placement.packing import Ask, Problem
from flare_core.placement.score import per_node

MOST_COLUMNS: Final = 100_000
"""Pairs of classes and groups up to which the programme is built: some seconds."""
_DEAR: Final = 10**5
"""What a millionth of priority counts in the primary value of a candidate, where placing comes first."""
_RESOURCES: Final = 5
"""GPU thousandths, milli-cores, MiB of memory, MiB of storage, nodes."""


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    """Intents that ask for the same and have the same candidates.

    Attributes
    ----------
    members
        Their numbers in the problem.
    cost
        Least that a task adds to the primary value, by candidate group.
    asks
        ``[group, resource]``: what a task takes there.
    """

    members: tuple[int, ...]
    cost: FloatArray
    asks: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What is known of all plans.

    Attributes
    ----------
    bound
        No plan that places everybody has a smaller primary value; None where that is not known.
    placed_bound
        No plan places intents of more weight, millionths of priority.
    prices
        For each intent what a task on each of its candidate groups takes from others: in the primary value
        or, where not everybody can be placed, in millionths of priority.
    order
        Where not everybody can be placed, the intents by what placing them is worth beyond that.
    """

    bound: int | None
    placed_bound: int
    prices: tuple[FloatArray, ...]
    order: tuple[int, ...] | None


def shared(problem: Problem) -> Shared | None:
    """Return what all plans of a problem are bounded by; None where the programme would be too large."""
    programme = _Programme(problem)
    if programme.columns > MOST_COLUMNS:
        return None
    wanted = sum(ask.priority for ask in problem.asks if len(ask.found))
    left, rows = programme.solve(placing=True)
    step = int(np.gcd.reduce([ask.priority for ask in problem.asks]))
    placed = min(wanted, wanted - step * _whole(left / step))
    everyone = all(not ask.needs.any_tasks for ask in problem.asks)
    if placed < wanted:
        prices = programme.prices(rows)
        return Shared(None, placed, prices, _order(problem, prices))
    least, rows = programme.solve(placing=False)
    offset = sum(ask.score.offset for ask in problem.asks if len(ask.found))
    return Shared(_whole(least) + offset if everyone else None, placed, programme.prices(rows), None)


def priced(problem: Problem, found: Shared) -> Problem:
    """Return the problem in which each candidate costs what it takes from others, too."""
    asks = (
        _priced(ask, price, _DEAR if found.order else 1)
        for ask, price in zip(problem.asks, found.prices, strict=True)
    )
    return replace(problem, asks=tuple(asks))


def _priced(ask: Ask, price: FloatArray, times: int) -> Ask:
    least = np.full(len(ask.found), np.inf)
    np.minimum.at(least, ask.found.group_candidate, price)
    more = times * np.rint(np.where(np.isfinite(least), least, 0)).astype(np.int64)
    return replace(ask, score=replace(ask.score, task=ask.score.task + more))


def _order(problem: Problem, prices: Sequence[FloatArray]) -> tuple[int, ...]:
    def beyond(i: int) -> float:
        ask = problem.asks[i]
        tasks = 1 if ask.needs.any_tasks else ask.needs.tasks
        return round(ask.priority - tasks * float(prices[i].min(initial=np.inf)), 3)

    return tuple(sorted(range(len(problem.asks)), key=lambda i: (-beyond(i), i)))


def _whole(bound: float) -> int:
    """Return the least whole number that is not below a bound, but for what floats may lose."""
    return int(np.ceil(bound - 1e-6 - 1e-9 * abs(bound)))


def _class_of(ask: Ask, members: Sequence[int], problem: Problem) -> Class:
    needs, found, score = ask.needs, ask.found, ask.score
    j = found.group_candidate
    node = np.where(per_node(needs, found), score.node, 0)[j]
    room = np.maximum(1, np.minimum(found.group_room, needs.tasks))
    cost = score.task[j] + np.where(node > 0, node / room, node) + score.peak[j] / needs.tasks
    if score.fabric.size:
        cost = cost + np.minimum(0, score.fabric.min(axis=1))[j]
    asks = np.zeros((len(j), _RESOURCES))
    asks[:, 0] = taken_milli(ask)[j]
    asks[:, 1:4] = demand(needs)
    asks[:, 4] = np.where(found.by_node[j], 1 / np.maximum(1, found.group_room), 0)
    return Class(tuple(members), cost.astype(float), asks)


def _key(ask: Ask) -> tuple[object, ...]:
    """Return what intents of a class have in common."""
    needs, found, score = ask.needs, ask.found, ask.score
    columns = (found.group, found.group_candidate, found.group_room, found.by_node, found.cut)
    weights = (score.task, score.node, score.peak, score.fabric, taken_milli(ask))
    tasks = 1 if needs.any_tasks else needs.tasks
    return (
        tasks,
        needs.any_tasks,
        ask.priority,
        demand(needs),
        *(column.tobytes() for column in (*columns, *weights)),
    )


class _Programme:
    """Classes, groups, and the rows that tie them."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        members: dict[tuple[object, ...], list[int]] = {}
        for i, ask in enumerate(problem.asks):
            if len(ask.found):
                members.setdefault(_key(ask), []).append(i)
        self.classes = [_class_of(problem.asks[own[0]], own, problem) for own in members.values()]
        asks = [problem.asks[each.members[0]] for each in self.classes]
        self.groups = np.unique(np.concatenate([ask.found.group for ask in asks] or [np.zeros(0, np.int64)]))
        self.at = [np.searchsorted(self.groups, ask.found.group) for ask in asks]
        self.tasks = [1 if ask.needs.any_tasks else ask.needs.tasks for ask in asks]
        self.priority = [ask.priority for ask in asks]
        self.columns = sum(map(len, self.at))
        self.free = self._free()

    def _free(self) -> FloatArray:
        """Return ``[group, resource]`` what all nodes of a group have free; infinite where elastic."""
        inventory = self.problem.inventory
        count = inventory.groups.count[self.groups]
        free = np.ones((len(self.groups), _RESOURCES))
        free[:, 0] = free_milli_of(inventory, self.groups)
        free[:, 1:4] = [capacity(inventory, group) for group in self.groups.tolist()] or np.zeros((0, 3))
        everything: FloatArray = free * count[:, None]
        everything[count == ELASTIC] = np.inf
        return everything

    def solve(self, *, placing: bool) -> tuple[float, FloatArray]:
        """Return a proven bound and the prices of the rows that prove it.

        Parameters
        ----------
        placing
            Whether to leave out as little priority as can be; otherwise to place all at the least cost.
        """
        model = model_builder.Model()  # type: ignore[no-untyped-call]  # ortools leaves it without types
        terms: list[tuple[model_builder.Variable, float]] = []
        rows: dict[tuple[int, int], list[tuple[model_builder.Variable, float]]] = {}
        for each, at, tasks, priority in zip(self.classes, self.at, self.tasks, self.priority, strict=True):
            every = float(len(each.members) * tasks)
            x = [model.new_num_var(0.0, every, None) for _ in at]
            left = model.new_num_var(0.0, every if placing else 0.0, None)
            model.add_linear_constraint(model_builder.LinearExpr.sum([*x, left]), every, every)
            terms += [(left, priority / tasks)] if placing else list(zip(x, each.cost.tolist(), strict=True))
            for k, r in np.argwhere((each.asks > 0) & np.isfinite(self.free[at])).tolist():
                rows.setdefault((int(at[k]), r), []).append((x[k], float(each.asks[k, r])))
        prices = self._solved(model, terms, rows)
        return self._proven(prices, placing=placing), prices

    def _solved(
        self,
        model: model_builder.Model,
        terms: Sequence[tuple[model_builder.Variable, float]],
        rows: Mapping[tuple[int, int], Sequence[tuple[model_builder.Variable, float]]],
    ) -> FloatArray:
        """Return the prices of the rows; none where the solver has no solution, which proves the least."""
        # In numbers near 1: the solver gives up on some programmes otherwise.
        unit = max((abs(cost) for _, cost in terms), default=0.0) or 1.0
        scale = {place: max(weight for _, weight in row) for place, row in rows.items()}
        posted = {
            place: model.add_linear_constraint(
                _sum([(each, weight / scale[place]) for each, weight in row]),
                -np.inf,
                float(self.free[place]) / scale[place],
            )
            for place, row in rows.items()
        }
        model.minimize(_sum([(each, cost / unit) for each, cost in terms]))
        solver = model_builder.Solver("GLOP")
        prices = np.zeros(self.free.shape)
        if solver.solve(model) == model_builder.SolveStatus.OPTIMAL:
            for place, constraint in posted.items():
                prices[place] = abs(float(solver.dual_value(constraint))) * unit / scale[place]
        return prices

    def _proven(self, prices: FloatArray, *, placing: bool) -> float:
        total = -float((prices * np.where(np.isfinite(self.free), self.free, 0)).sum())
        for each, at, tasks, priority in zip(self.classes, self.at, self.tasks, self.priority, strict=True):
            dear = (each.asks * prices[at]).sum(axis=1) + (0 if placing else each.cost)
            least = min(float(dear.min()), priority / tasks) if placing else float(dear.min())
            total += len(each.members) * tasks * least
        return total

    def prices(self, rows: FloatArray) -> tuple[FloatArray, ...]:
        """Return for each intent of the problem what a task takes from others on each of its groups."""
        prices = [np.zeros(len(ask.found.group)) for ask in self.problem.asks]
        for each, at in zip(self.classes, self.at, strict=True):
            for i in each.members:
                prices[i] = (each.asks * rows[at]).sum(axis=1)
        return tuple(prices)


def _sum(terms: Sequence[tuple[model_builder.Variable, float]]) -> model_builder.LinearExpr:
    return model_builder.LinearExpr.weighted_sum([each for each, _ in terms], [weight for _, weight in terms])
