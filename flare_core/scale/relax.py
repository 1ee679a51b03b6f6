"""What no placement can pass: the linear programme of classes, kinds of nodes and fillings of a GPU.

Equal tasks are a class, equal nodes a kind. With ``n[j, t]`` tasks of class j on the nodes of kind t, and
``z[l, q]`` GPUs of level l (GPUs of a kind of which the same is free) shared in the way q (a *filling*: how
many tasks of each share lie on one GPU):

    max  sum v[j] n[j, t]
    s.t. sum_t n[j, t]                                      <= demand[j], >= least[j]  (demand)
         sum_j a[j] n[j, t]                                 <= A[t] nodes[t]           (room; CPU, memory)
         sum_{j whole} gpus[j] n[j, t] + sum_q z[l, q]      <= gpus[l] nodes[t]        (level; l of kind t,
                                                               the first term only where l is wholly free)
         sum_{j of share m} n[j, t]                         <= sum_{l, q} filling[q, m] z[l, q]      (cover)

and n[j, t] = 0 where a task of class j fits no node of kind t. Its size depends on neither tasks nor nodes.
Rooms are rounded, too: with a *dual feasible function* f, which no items of one bin exceed,
``sum_j f(a[j] / A[t]) n[j, t] <= nodes[t]``; what is more than half of a node, for one, goes there once. They
move the bound little, and the solution much nearer to what can be seated.

Fillings are not listed but generated: the dual values of the covers price the shares, the most valuable
filling of a level is a knapsack, and when none is worth more than the GPU itself, the programme is solved.
The bound is not the solver's word: any prices >= 0 give one, `Prices.bound`, in a few sums.

Sources: Gilmore and Gomory, "A linear programming approach to the cutting-stock problem", 1961 (generation);
Fekete and Schepers, "New classes of fast lower bounds for bin packing problems", 2001 (the functions).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from ortools.linear_solver.python import model_builder

from flare_core.errors import InternalError
from flare_core.inventory.types import FloatArray, IntArray
from flare_core.scale.fleet import WHOLE, Classes
from flare_core.scale.kinds import Kinds, Levels, shares_of

_TOLERANCE: Final = 1e-6
_SHORT: Final = 1000.0
"""What a task that has to be placed and is not costs, in the greatest value of any."""
_STEPS: Final = (1, 2, 3, 4)
"""Parameters of the dual feasible functions: step k rounds what is more than 1/(k+1) of a node."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is to be placed where.

    Attributes
    ----------
    classes, kinds, levels
        Tasks and nodes.
    demand
        How many tasks of each class there are.
    values
        What placing a task of each class is worth, 0 or more.
    least
        How many tasks of each class have to be placed.
    shares
        The different shares of one GPU, thousandths, ascending.
    share
        Index of each class's share in `shares`; -1 where it takes whole GPUs or none.
    """

    classes: Classes
    kinds: Kinds
    demand: IntArray
    values: IntArray
    least: IntArray
    levels: Levels = field(init=False)
    shares: IntArray = field(init=False)
    share: IntArray = field(init=False)

    def __post_init__(self) -> None:
        shares = shares_of(self.classes)
        part = (self.classes.gpus == 1) & (self.classes.milli < WHOLE)
        share = np.where(part, np.searchsorted(shares, self.classes.milli), -1)
        object.__setattr__(self, "levels", Levels.of(self.kinds))
        object.__setattr__(self, "shares", shares)
        object.__setattr__(self, "share", share)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """``sum coefficients[k] n[pair[k]] <= most``, less what the fillings cover."""

    pairs: IntArray
    coefficients: FloatArray
    most: float


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Dual values: what a unit of each row is worth.

    Attributes
    ----------
    demand
        ``[class]``: what a task is worth beyond what it takes; below 0 where it is placed at a loss.
    node
        ``[kind]``: what all of one node is worth.
    bound
        The most that any placement is worth.
    """

    demand: FloatArray
    node: FloatArray
    bound: float


@dataclass(frozen=True, slots=True, eq=False)
class Relaxation:
    """The solution of the linear programme.

    Attributes
    ----------
    counts
        ``[class, kind]``: tasks of each class on the nodes of each kind.
    fillings
        ``[filling, share]``: tasks of each share on one GPU.
    level, used
        Level of each filling, and how many of its GPUs are filled so.
    value
        Of the solution.
    prices
        Its dual values, and the bound that they prove.
    """

    counts: FloatArray
    fillings: IntArray
    level: IntArray
    used: FloatArray
    value: float
    prices: Prices


class Programme:
    """The linear programme, and the fillings generated so far: solve it again with other rooms.

    Parameters
    ----------
    problem
        What is to be placed where.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.pairs = np.argwhere(problem.kinds.fits & (problem.demand > 0)[:, None])
        self.rooms = [list(self._rooms(t)) for t in range(len(problem.kinds))]
        self.fillings: list[tuple[int, tuple[int, ...]]] = []
        self._known: set[tuple[int, tuple[int, ...]]] = set()
        for level, milli in enumerate(problem.levels.milli.tolist()):
            for m, share in enumerate(problem.shares.tolist()):
                filling = np.zeros(len(problem.shares), np.int64)
                filling[m] = milli // share
                self._offer(level, filling)

    def solve(self, slack: float = 1.0) -> Relaxation | None:
        """Solve with so much of each node's CPU; None where that is too little for what has to be placed.

        Parameters
        ----------
        slack
            Part of the CPU that may be used, over 0 up to 1.

        Raises
        ------
        InternalError
            If the solver fails.
        """
        posted = _Posted(self, slack)
        while True:
            posted.solve()
            if not self._generate(posted):
                return None if posted.is_short else posted.relaxation()

    def _offer(self, level: int, filling: IntArray) -> bool:
        key = (level, tuple(filling.tolist()))
        if key in self._known or not filling.any():
            return False
        self._known.add(key)
        self.fillings.append(key)
        return True

    def _generate(self, posted: "_Posted") -> bool:
        """Add the fillings that are worth more than the GPU they take; say whether there are any."""
        worth, fillings = best_fillings(self.problem, posted.covers())
        before = len(self.fillings)
        price = posted.level_prices()
        for level in np.flatnonzero(worth > price + _TOLERANCE * np.maximum(1, price)).tolist():
            self._offer(level, fillings[level])
        posted.add(self.fillings[before:])
        return len(self.fillings) > before

    def _rooms(self, kind: int) -> Iterable[Row]:
        """Return the rows of CPU, memory and their roundings of a kind; CPU itself comes first."""
        problem = self.problem
        pairs = np.flatnonzero(self.pairs[:, 1] == kind)
        j = self.pairs[pairs, 0]
        nodes = float(problem.kinds.nodes[kind])
        for asked, there in (
            (problem.classes.cpu_milli[j], problem.kinds.cpu_milli[kind]),
            (problem.classes.memory_mib[j], problem.kinds.memory_mib[kind]),
        ):
            yield Row(pairs, asked / max(1, there), nodes)
            for k in _STEPS:
                less = rounded(asked, int(there), k)
                if (less > asked / max(1, there)).any():
                    yield Row(pairs[less > 0], less[less > 0], nodes)


def rounded(asked: IntArray, there: int, k: int) -> FloatArray:
    """Return the dual feasible function of step k of what is asked of `there`: u(x) = floor((k+1)x) / k."""
    times = (k + 1) * asked
    exact = times % max(1, there) == 0
    return np.where(exact, asked / max(1, there), times // max(1, there) / k)


def best_fillings(problem: Problem, worth: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the greatest worth of a filling of each level, and the filling: a knapsack for each.

    Parameters
    ----------
    problem
        Has the levels and the shares.
    worth
        ``[kind, share]``: what a task of the share is worth on a GPU of the kind, 0 or more.
    """
    step = int(np.gcd.reduce(problem.shares, initial=0)) or WHOLE
    sizes = problem.shares // step
    of_level = worth[problem.levels.kind]
    best = np.zeros((len(of_level), WHOLE // step + 1))
    choice = np.full(best.shape, -1, np.int64)
    rows = np.arange(len(of_level))
    for size in range(1, best.shape[1]):
        count = int(np.searchsorted(sizes, size, side="right"))
        best[:, size] = best[:, size - 1]
        if count:
            with_one = best[:, size - sizes[:count]] + of_level[:, :count]
            which = with_one.argmax(1)
            better = with_one[rows, which] > best[:, size] + 1e-12
            best[better, size] = with_one[rows, which][better]
            choice[better, size] = which[better]
    room = problem.levels.milli // step
    return best[rows, room], _read(choice, room, sizes)


def _read(choice: IntArray, room: IntArray, sizes: IntArray) -> IntArray:
    """Read the chosen fillings out of the tables of the knapsacks."""
    fillings = np.zeros((len(room), len(sizes)), np.int64)
    for level, left in enumerate(room.tolist()):
        while left > 0:
            m = int(choice[level, left])
            if m < 0:
                left -= 1
            else:
                fillings[level, m] += 1
                left -= int(sizes[m])
    return fillings


class _Posted:
    """The programme in the solver's hands."""

    def __init__(self, programme: Programme, slack: float) -> None:
        self.programme, self.problem = programme, programme.problem
        self.model = model_builder.Model()  # type: ignore[no-untyped-call]  # ortools leaves it without types
        self.solver = model_builder.Solver("GLOP")
        problem, pairs = self.problem, programme.pairs
        self.n = [self.model.new_num_var(0.0, d, None) for d in problem.demand[pairs[:, 0]].tolist()]
        self.z: list[model_builder.Variable] = []
        self.short = [self._demand(j) for j in np.unique(pairs[:, 0]).tolist()]
        self.rooms = [
            [
                self._row(row.pairs, row.coefficients, row.most * (slack if k == 0 else 1.0))
                for k, row in enumerate(rows)
            ]
            for rows in programme.rooms
        ]
        self.levels = [self._level(level) for level in range(len(problem.levels))]
        self.cover = {
            (t, m): self._row(chosen, None, 0.0)
            for t in range(len(problem.kinds))
            for m in range(len(problem.shares))
            if len(chosen := np.flatnonzero((problem.share[pairs[:, 0]] == m) & (pairs[:, 1] == t)))
        }
        worth = problem.values[pairs[:, 0]].astype(float).tolist()
        dear = -_SHORT * float(max(1, problem.values.max(initial=0)))
        self.model.maximize(
            model_builder.LinearExpr.weighted_sum(self.n + self.short, worth + [dear] * len(self.short))
        )
        self.add(programme.fillings)

    def _demand(self, j: int) -> model_builder.Variable:
        """Post the demand of a class; return what is short: fillings may be missing yet."""
        least, most = float(self.problem.least[j]), float(self.problem.demand[j])
        short = self.model.new_num_var(0.0, least, None)
        tasks = [self.n[k] for k in np.flatnonzero(self.programme.pairs[:, 0] == j).tolist()]
        self.model.add_linear_constraint(model_builder.LinearExpr.sum([*tasks, short]), least, most)
        return short

    def _row(
        self, pairs: IntArray, coefficients: FloatArray | None, most: float
    ) -> model_builder.LinearConstraint:
        weights = [1.0] * len(pairs) if coefficients is None else coefficients.tolist()
        expression = model_builder.LinearExpr.weighted_sum([self.n[k] for k in pairs.tolist()], weights)
        return self.model.add_linear_constraint(expression, -np.inf, most)

    def _level(self, level: int) -> model_builder.LinearConstraint:
        problem, levels, pairs = self.problem, self.problem.levels, self.programme.pairs
        kind = int(levels.kind[level])
        gpus = problem.classes.gpus[pairs[:, 0]] * (problem.share[pairs[:, 0]] < 0)
        whole = np.flatnonzero((pairs[:, 1] == kind) & (gpus > 0) & bool(levels.milli[level] == WHOLE))
        most = float(levels.gpus[level] * problem.kinds.nodes[kind])
        return self._row(whole, gpus[whole].astype(float), most)

    def add(self, fillings: Iterable[tuple[int, tuple[int, ...]]]) -> None:
        """Add columns."""
        for level, filling in fillings:
            z = self.model.new_num_var(0.0, np.inf, None)
            self.z.append(z)
            self.levels[level].add_term(z, 1.0)
            kind = int(self.problem.levels.kind[level])
            for m, count in enumerate(filling):
                if count and (kind, m) in self.cover:
                    self.cover[kind, m].add_term(z, -float(count))

    def solve(self) -> None:
        """Solve it as it stands."""
        status = self.solver.solve(self.model)
        if status != model_builder.SolveStatus.OPTIMAL:
            raise InternalError(f"the linear programme ended as {status}")

    @property
    def is_short(self) -> bool:
        """Whether not all is placed that has to be."""
        return any(self.solver.value(short) > _TOLERANCE for short in self.short)

    def _price(self, row: model_builder.LinearConstraint) -> float:
        return abs(float(self.solver.dual_value(row)))

    def covers(self) -> FloatArray:
        """Return ``[kind, share]``: what a task of the share may use is worth."""
        worth = np.zeros((len(self.problem.kinds), len(self.problem.shares)))
        for at, row in self.cover.items():
            worth[at] = self._price(row)
        return worth

    def level_prices(self) -> FloatArray:
        """Return what a GPU of each level is worth."""
        return np.array([self._price(row) for row in self.levels])

    def relaxation(self) -> Relaxation:
        """Return what was found, when no filling is missing."""
        problem, pairs = self.problem, self.programme.pairs
        counts = np.zeros(problem.kinds.fits.shape)
        counts[pairs[:, 0], pairs[:, 1]] = [self.solver.value(n) for n in self.n]
        fillings = [filling for _, filling in self.programme.fillings]
        return Relaxation(
            counts=np.maximum(0, counts),
            fillings=np.array(fillings, np.int64).reshape(len(fillings), len(problem.shares)),
            level=np.array([level for level, _ in self.programme.fillings], np.int64),
            used=np.maximum(0, np.array([self.solver.value(z) for z in self.z])),
            value=float(self.solver.objective_value),
            prices=self._prices(),
        )

    def _prices(self) -> Prices:
        """Return prices that prove a bound: each GPU costs what its best filling is worth, or more."""
        problem, pairs = self.problem, self.programme.pairs
        levels, covers = problem.levels, self.covers()
        gpu = np.maximum(self.level_prices(), best_fillings(problem, covers)[0])
        task = np.full(problem.kinds.fits.shape, np.inf)
        task[pairs[:, 0], pairs[:, 1]] = 0.0
        node: FloatArray = np.bincount(levels.kind, gpu * levels.gpus, len(problem.kinds)).astype(float)
        for kind, (rows, posted) in enumerate(zip(self.programme.rooms, self.rooms, strict=True)):
            for row, constraint in zip(rows, posted, strict=True):
                price = self._price(constraint)
                node[kind] += price
                task[pairs[row.pairs, 0], kind] += price * row.coefficients
        full = levels.milli == WHOLE
        whole = np.bincount(levels.kind[full], gpu[full], len(problem.kinds))
        part = problem.share >= 0
        task[part] += covers.T[problem.share[part]]
        task[~part] += problem.classes.gpus[~part][:, None] * whole
        beyond = (problem.values[:, None] - task).max(1, initial=-np.inf)
        demand = np.where(np.isfinite(beyond), beyond, 0.0)
        worth = demand @ np.where(demand > 0, problem.demand, problem.least)
        return Prices(demand, node, float(worth + node @ problem.kinds.nodes))
