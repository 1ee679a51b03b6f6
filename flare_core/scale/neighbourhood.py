"""Local search: empty a few nodes, and seat their tasks and those left over as well as CP-SAT can.

With n[j, v] tasks of class j on node v, and z[l, q] GPUs of level l (GPUs of a node of which the same is
free) filled in the way q:

    max  sum value[j] n[j, v]
    s.t. at hand[j] - slack[j] <= sum_v n[j, v] <= at hand[j]     (slack: what may be lost of the class)
         CPU and memory of each node
         whole GPUs + fillings <= GPUs, of each level
         sum_{j of share m} n[j, v] <= sum_{l, q} filling[q, m] z[l, q], of each node and share

Which GPU of a level takes which filling makes no difference, so it is not in the model. Where to look is
guided by the prices of the linear programme: the distance to the bound is what nodes waste, at these prices,
and what is left over of classes that have a price. What is not worse replaces what was there.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from ortools.sat.python import cp_model

from flare_core.inventory.types import IntArray, Mask
from flare_core.scale.fleet import WHOLE, Seats, State
from flare_core.scale.relax import Problem, Relaxation
from flare_core.solve.cpsat import LIGHT, SOUND

NODES: Final = 4
"""Nodes that are emptied together, at most."""
GPUS: Final = 16
"""GPUs of them, at most, unless one node has more."""
STEP_EFFORT: Final = 0.01
"""Effort of one call, CP-SAT's deterministic time: many short calls gain more than few long ones."""
_FREE_WORTH: Final = 0.2
"""What a free thousandth of a GPU counts as waste where the linear programme has no price for it."""

_Filling = tuple[int, ...]
_Held = tuple[int, int]
"""Class and GPUs (a bit mask) of one seated task."""
_Kind = tuple[int, _Filling]
"""A level, by what is free of its GPUs, and how they are filled."""


class Search:
    """Local search from given seats.

    Parameters
    ----------
    problem, relaxation
        What is placed where, and its linear programme.
    state
        What is free before any task of the problem is seated. It is not changed.
    seats
        Where its tasks sit; each sits somewhere.
    seed
        Of the choice of nodes.

    Attributes
    ----------
    effort
        Spent so far, CP-SAT's deterministic time.
    gained
        What the seats are worth more than at the start.
    """

    def __init__(
        self, problem: Problem, relaxation: Relaxation, state: State, seats: Seats, seed: int
    ) -> None:
        self.problem, self.prices, self.state = problem, relaxation.prices, state
        self.effort, self.gained, self._steps = 0.0, 0, 0
        self.held: list[list[_Held]] = [[] for _ in problem.kinds.of_node]
        columns = (seats.task_class.tolist(), seats.node.tolist(), seats.gpus.tolist())
        for j, node, gpus in zip(*columns, strict=True):
            self.held[node].append((j, gpus))
        self.left = problem.demand - np.bincount(seats.task_class, minlength=len(problem.demand))
        self._waste = np.array([self._wasted(node) for node in range(len(self.held))])
        self._gpus = (state.milli > 0).sum(1)
        self._random = np.random.default_rng(seed)
        self._fillings = sorted(set(map(tuple, relaxation.fillings.tolist())))
        self._fitting: dict[tuple[int, tuple[int, ...]], list[_Filling]] = {}

    def seats(self) -> Seats:
        """Return the rows of the tasks as they sit now."""
        rows = [(j, node, gpus) for node, held in enumerate(self.held) for j, gpus in held]
        columns = np.array(rows, np.int64).reshape(-1, 3).T
        return Seats(*(column.copy() for column in columns))

    def step(self) -> None:
        """Try one neighbourhood."""
        nodes = self._choose()
        at_hand = self.left.copy()
        for node in nodes:
            for j, _ in self.held[node]:
                at_hand[j] += 1
        model = _Model(self, nodes, at_hand)
        solver = self._solver()
        status = solver.solve(model.model)
        self.effort += max(1e-4, solver.response_proto.deterministic_time)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            self._take(nodes, model.read(solver))

    def _take(self, nodes: Sequence[int], held: Sequence[list[_Held]]) -> None:
        """Let nodes hold other tasks, if these are worth no less."""
        values = self.problem.values
        gain = sum(int(values[j]) for each in held for j, _ in each)
        gain -= sum(int(values[j]) for node in nodes for j, _ in self.held[node])
        if gain < 0:
            return
        self.gained += gain
        for node, new in zip(nodes, held, strict=True):
            for j, _ in self.held[node]:
                self.left[j] += 1
            for j, _ in new:
                self.left[j] -= 1
            self.held[node] = new
            self._waste[node] = self._wasted(node)

    def _wasted(self, node: int) -> float:
        """Return what a node is worth at the prices, less what it gives; and something for what is free."""
        problem = self.problem
        classes = [j for j, _ in self.held[node]]
        gives = (problem.values[classes] - self.prices.demand[classes]).sum()
        free = self.state.milli[node].sum() - problem.classes.demand_milli[classes].sum()
        wasted = float(self.prices.node[problem.kinds.of_node[node]] - gives)
        return max(0.0, wasted) + _FREE_WORTH * float(free)

    def _choose(self) -> list[int]:
        """Draw nodes for a class that has tasks left over: every other one by its waste."""
        there = np.flatnonzero(self._may_take(self._target()))
        by_waste = (self._waste[there] + 1) / self._random.exponential(size=len(there))
        order = np.column_stack(
            (there[np.argsort(-by_waste, kind="stable")], self._random.permutation(there))
        )
        chosen: list[int] = []
        gpus = 0
        for node in order.reshape(-1).tolist():
            if node not in chosen and (not chosen or gpus + self._gpus[node] <= GPUS):
                chosen.append(node)
                gpus += int(self._gpus[node])
            if len(chosen) == NODES or gpus >= GPUS:
                break
        return chosen

    def _target(self) -> int:
        """Draw a class by what its tasks left over are worth at the prices."""
        worth = self.left * (np.maximum(0, self.prices.demand) + 1e-3 * self.problem.values)
        if worth.sum() <= 0:
            return int(self._random.integers(len(worth)))
        return int(self._random.choice(len(worth), p=worth / worth.sum()))

    def _may_take(self, target: int) -> Mask:
        kinds = self.problem.kinds
        may: Mask = kinds.fits[target, kinds.of_node]
        return may if may.any() else np.ones_like(may)

    def _solver(self) -> cp_model.CpSolver:
        solver = cp_model.CpSolver()
        self._steps += 1
        settings = {
            "num_workers": 1,
            "random_seed": self._steps % 2**31,
            "max_deterministic_time": STEP_EFFORT,
            "catch_sigint_signal": False,  # signals belong to the program, not to a library
            **SOUND,
            **LIGHT,
        }
        for name, setting in settings.items():
            setattr(solver.parameters, name, setting)
        return solver

    def fitting(self, milli: int, shares: tuple[int, ...]) -> list[_Filling]:
        """Return the known fillings of a GPU of which so much is free, with some of the shares alone."""
        known = self._fitting.get((milli, shares))
        if known is None:
            present = np.zeros(len(self.problem.shares), np.int64)
            present[list(shares)] = 1
            cut = {tuple((present * filling).tolist()) for filling in self._fillings}
            fits = (each for each in cut if 0 < int(np.dot(each, self.problem.shares)) <= milli)
            known = self._fitting[milli, shares] = sorted(fits)
        return known


class _Model:
    """The tasks at hand on some empty nodes."""

    def __init__(self, search: Search, nodes: Sequence[int], at_hand: IntArray) -> None:
        self.search, self.problem, self.nodes = search, search.problem, nodes
        self.model = cp_model.CpModel()
        self.at_hand = at_hand
        self.classes = np.flatnonzero(at_hand > 0)
        self.n = [self._counts(node) for node in nodes]
        self.z = [self._filled(node, n) for node, n in zip(nodes, self.n, strict=True)]
        seated = at_hand - search.left
        may_lose = self.problem.demand - search.left - self.problem.least
        for j in self.classes.tolist():
            on = [n[j] for n in self.n if j in n]
            least = max(0, int(seated[j] - may_lose[j]))
            if on and (least or len(on) > 1):
                self.model.add_linear_constraint(cp_model.LinearExpr.sum(on), least, int(at_hand[j]))
        terms = [(variable, int(self.problem.values[j])) for n in self.n for j, variable in n.items()]
        self.model.maximize(_sum(terms))

    def _counts(self, node: int) -> dict[int, cp_model.IntVar]:
        """Return how many tasks of each class the node takes, bounded by what fits it alone."""
        problem, state, classes = self.problem, self.search.state, self.problem.classes
        js = self.classes[problem.kinds.fits[self.classes, problem.kinds.of_node[node]]]
        most = self.at_hand[js]
        for free, asked in (
            (state.cpu_milli[node], classes.cpu_milli[js]),
            (state.memory_mib[node], classes.memory_mib[js]),
            (state.milli[node].sum(), classes.demand_milli[js]),
        ):
            most = np.where(asked > 0, np.minimum(most, free // np.maximum(1, asked)), most)
        n = {
            j: self.model.new_int_var(0, count, "")
            for j, count in zip(js.tolist(), most.tolist(), strict=True)
        }
        held = Counter(j for j, _ in self.search.held[node])
        for j, variable in n.items():
            self.model.add_hint(variable, held[j])
        for asks, free in ((classes.cpu_milli, state.cpu_milli), (classes.memory_mib, state.memory_mib)):
            self.model.add(_sum([(n[j], int(asks[j])) for j in n]) <= int(free[node]))
        return n

    def _filled(self, node: int, n: Mapping[int, cp_model.IntVar]) -> dict[_Kind, cp_model.IntVar]:
        """Return how many GPUs of the node are filled in which way, and tie them to the counts."""
        classes, share = self.problem.classes, self.problem.share
        shares = tuple(sorted({int(share[j]) for j in n if share[j] >= 0}))
        now = self._now(node)
        z: dict[_Kind, cp_model.IntVar] = {}
        free = Counter(each for each in self.search.state.milli[node].tolist() if each)
        for milli, gpus in free.items():
            known = {(milli, filling) for filling in self.search.fitting(milli, shares)}
            mine = sorted(known | {kind for kind in now if kind[0] == milli})
            z |= {kind: self.model.new_int_var(0, gpus, "") for kind in mine}
            whole = [(n[j], int(classes.gpus[j])) for j in n if classes.gpus[j] and share[j] < 0]
            taken = [(z[kind], 1) for kind in mine]
            self.model.add(_sum(taken + (whole if milli == WHOLE else [])) <= gpus)
        for kind, variable in z.items():
            self.model.add_hint(variable, now[kind])
        for m in shares:
            tasks = [(n[j], 1) for j in n if share[j] == m]
            places = [(variable, -filling[m]) for (_, filling), variable in z.items() if filling[m]]
            self.model.add(_sum(tasks + places) <= 0)
        return z

    def _now(self, node: int) -> Counter[_Kind]:
        """Count how the GPUs of the node are filled as it stands."""
        filled: dict[int, IntArray] = {}
        for j, gpus in self.search.held[node]:
            if (m := int(self.problem.share[j])) >= 0:
                filled.setdefault(gpus, np.zeros(len(self.problem.shares), np.int64))[m] += 1
        milli = self.search.state.milli[node]
        return Counter(
            (int(milli[gpus.bit_length() - 1]), tuple(filling.tolist())) for gpus, filling in filled.items()
        )

    def read(self, solver: cp_model.CpSolver) -> list[list[_Held]]:
        """Return what each node holds in the solver's solution."""
        return [self._held(node, solver, n, z) for node, n, z in zip(self.nodes, self.n, self.z, strict=True)]

    def _held(
        self,
        node: int,
        solver: cp_model.CpSolver,
        n: Mapping[int, cp_model.IntVar],
        z: Mapping[_Kind, cp_model.IntVar],
    ) -> list[_Held]:
        free: dict[int, list[int]] = {}
        for gpu, milli in enumerate(self.search.state.milli[node].tolist()):
            free.setdefault(milli, []).append(gpu)
        places: dict[int, list[int]] = {}
        for (milli, filling), variable in z.items():
            for _ in range(solver.value(variable)):
                gpu = free[milli].pop()
                for m, count in enumerate(filling):
                    places.setdefault(m, []).extend([gpu] * count)
        held = []
        for j, variable in n.items():
            for _ in range(solver.value(variable)):
                m, gpus = int(self.problem.share[j]), int(self.problem.classes.gpus[j])
                taken = [places[m].pop()] if m >= 0 else [free[WHOLE].pop() for _ in range(gpus)]
                held.append((j, sum(1 << gpu for gpu in taken)))
        return held


def _sum(terms: Sequence[tuple[cp_model.IntVar, int]]) -> cp_model.LinearExprT:
    return cp_model.LinearExpr.weighted_sum([each for each, _ in terms], [weight for _, weight in terms])
