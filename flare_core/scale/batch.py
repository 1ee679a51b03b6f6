"""Many tasks at once: the best of all that is known, and how far from the best it can be at most.

The linear programme is solved a few times with a little less CPU each time, because what it says with some
CPU to spare is easier to seat; each solution is decoded to seats, and what is left over is filled in by best
fit. The greedy policy places the tasks in their order. The best of all these is improved by local search for
as long as the effort lasts or until it meets the bound. The answer always has the bound of the linear
programme.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from flare_core.inventory.types import IntArray
from flare_core.options import Cancellation
from flare_core.scale.decode import decode
from flare_core.scale.executors import Executor
from flare_core.scale.fleet import REFUSED, Classes, Fleet, Seats, State
from flare_core.scale.kinds import Kinds
from flare_core.scale.neighbourhood import Search
from flare_core.scale.packed import Packed
from flare_core.scale.parts import Model, dealt, work
from flare_core.scale.policies import gradient_descent
from flare_core.scale.relax import Problem, Programme, Relaxation
from flare_core.scale.stream import place_in_order

SLACKS: Final = (1.0, 0.98, 0.96, 0.94, 0.92, 0.9, 0.88, 0.86, 0.84)
"""Parts of each node's CPU with which the linear programme is solved."""
EFFORT: Final = 1.0
"""Default effort of the local search, CP-SAT's deterministic time."""
GREEDY_WORK: Final = 50_000_000
"""Tasks × nodes up to which the greedy policy places the tasks one by one: half a minute."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Where the tasks of a batch sit, and how good that is.

    Attributes
    ----------
    seats
        A row a task, in the order in which the tasks were given.
    value, bound
        What the seated tasks are worth together, and the most that any seats could be worth.
    greedy
        What the tasks are worth that the greedy policy seats.
    method
        What found the seats.
    """

    seats: Seats
    value: int
    bound: int
    greedy: int
    method: str

    @property
    def gap(self) -> float:
        """How much more than `value` there could be at most, as a part of `bound`."""
        return 1 - self.value / self.bound if self.bound else 0.0

    @property
    def optimal(self) -> bool:
        """Whether nothing better can exist."""
        return self.value >= self.bound


def batch(
    fleet: Fleet,
    classes: Classes,
    task_class: IntArray,
    *,
    state: State | None = None,
    values: IntArray | None = None,
    first_come: bool = False,
    effort: float = EFFORT,
    seed: int = 0,
    executor: Executor | None = None,
    sites: IntArray | None = None,
    cancellation: Cancellation | None = None,
) -> Batch:
    """Seat as much of a batch of tasks as is found to fit.

    The same input gives the same seats. Never worse than the greedy policy: fragmentation gradient descent in
    the order of the tasks or, where tasks × nodes are more than `GREEDY_WORK`, the largest first by best fit.

    Parameters
    ----------
    fleet, classes
        What there is, and what tasks ask for.
    task_class
        Class of each task.
    state
        What is free; all of the fleet where it is not given. It is not changed.
    values
        What a task of each class is worth, 0 or more; the thousandths of GPUs that it takes where it is not
        given, and 1 without a GPU.
    first_come
        Seat at least as many tasks of each class as the greedy policy does.
    effort, seed
        Of the local search: CP-SAT's deterministic time, 0 leaves it out; and where it begins.
    executor, sites
        Who seats parts of the fleet and searches in them, and the part of each node, numbered from 0, of some
        thousand nodes if it is not given; see `flare_core.scale.parts`. The seats are the same whoever does.
    cancellation
        Ends the local search and what `executor` does; the answer is the best until then.

    Raises
    ------
    ValueError
        If a value is less than 0.
    """
    state = state or State.of(fleet)
    demand = np.bincount(task_class, minlength=len(classes))
    greedy = _greedy(fleet, classes, task_class, demand, state)
    seated = np.bincount(greedy.task_class, minlength=len(classes))
    problem = _problem(fleet, classes, demand, state, values, seated if first_come else np.zeros_like(demand))
    found = _Best(problem, "greedy", greedy)
    if executor is not None:
        bound = _in_parts(problem, fleet, state, found, effort, seed, executor, sites, cancellation)
    else:
        bound = _alone(problem, fleet, state, found, effort, seed, cancellation)
    best, seats = max(bound, found.value), _in_order(found.seats, task_class)
    return Batch(seats, found.value, best, int(problem.values @ seated), found.method)


def plan_counts(
    fleet: Fleet,
    classes: Classes,
    forecast: IntArray,
    *,
    state: State | None = None,
    values: IntArray | None = None,
    effort: float = 0.0,
    seed: int = 0,
) -> Seats:
    """Return seats for as much of so many tasks of each class as is found to fit: the rows of those that sit.

    As `batch`, without the greedy policy, since a forecast has no order.
    """
    state = state or State.of(fleet)
    problem = _problem(fleet, classes, forecast, state, values, np.zeros_like(forecast))
    empty = np.zeros(0, np.int64)
    found = _Best(problem, "none", Seats(empty, empty, empty))
    _alone(problem, fleet, state, found, effort, seed)
    return found.seats


class _Best:
    """The best seats so far."""

    def __init__(self, problem: Problem, method: str, seats: Seats) -> None:
        self.problem, self.method, self.seats = problem, method, seats
        self.value = self._value(seats)

    def _value(self, seats: Seats) -> int:
        return int(self.problem.values[seats.task_class].sum())

    def offer(self, method: str, seats: Seats) -> None:
        """Take seats that are worth more, if they hold all that has to be placed."""
        counts = np.bincount(seats.task_class, minlength=len(self.problem.demand))
        value = self._value(seats)
        if value > self.value and (counts >= self.problem.least).all():
            self.method, self.seats, self.value = method, seats, value


def _problem(
    fleet: Fleet,
    classes: Classes,
    demand: IntArray,
    state: State,
    values: IntArray | None,
    least: IntArray,
) -> Problem:
    if values is None:
        values = np.maximum(1, classes.demand_milli)
    if (values < 0).any():
        raise ValueError("a task is worth 0 or more")
    return Problem(classes, Kinds.of(fleet, classes, state), demand, values, least)


def _greedy(fleet: Fleet, classes: Classes, task_class: IntArray, demand: IntArray, state: State) -> Seats:
    """Return the rows of the tasks that the greedy policy seats."""
    if len(task_class) * len(fleet) > GREEDY_WORK:
        packed = Packed(fleet, classes, state.copy())
        packed.fill(demand)
        return packed.seats()
    seats = place_in_order(gradient_descent(fleet, classes, demand, state.copy()), task_class)
    seated = seats.node != REFUSED
    return Seats(seats.task_class[seated], seats.node[seated], seats.gpus[seated])


def _relaxed(problem: Problem, fleet: Fleet, state: State, found: _Best) -> Relaxation:
    """Offer what the linear programme comes to with each slack; return its solution with all of the CPU."""
    programme = Programme(problem)
    first: Relaxation | None = None
    for slack in SLACKS:
        if (relaxation := programme.solve(slack)) is None:
            continue
        packed = Packed(fleet, problem.classes, state.copy())
        decode(packed, problem, relaxation)
        seated = np.bincount(packed.seats().task_class, minlength=len(problem.demand))
        missing = np.maximum(0, problem.least - seated)
        seated += missing - packed.fill(missing)
        packed.fill(problem.demand - seated)
        found.offer(f"linear programme at {slack:g}", packed.seats())
        first = first or relaxation
    assert first is not None, "what the greedy policy placed can be placed"
    return first


def _alone(
    problem: Problem,
    fleet: Fleet,
    state: State,
    found: _Best,
    effort: float,
    seed: int,
    cancellation: Cancellation | None = None,
) -> int:
    """Offer what this process finds; return the bound."""
    relaxation = _relaxed(problem, fleet, state, found)
    bound = _whole(relaxation.prices.bound, problem.values)
    if effort > 0 and found.value < bound:
        _search(problem, relaxation, state, found, bound, effort, seed, cancellation)
    return bound


def _search(
    problem: Problem,
    relaxation: Relaxation,
    state: State,
    found: _Best,
    bound: int,
    effort: float,
    seed: int,
    cancellation: Cancellation | None = None,
) -> None:
    search = Search(problem, relaxation, state, found.seats, seed)
    while search.effort < effort and found.value + search.gained < bound:
        if cancellation is not None and cancellation.cancelled:
            break
        search.step()
    found.offer(f"{found.method}, local search", search.seats())


def _in_parts(
    problem: Problem,
    fleet: Fleet,
    state: State,
    found: _Best,
    effort: float,
    seed: int,
    executor: Executor,
    sites: IntArray | None,
    cancellation: Cancellation | None,
) -> int:
    """Offer what is found part by part; return the bound of all together."""
    programme = Programme(problem)
    relaxations = [each for each in map(programme.solve, SLACKS) if each is not None]
    part_of = dealt(problem.kinds) if sites is None else sites
    parts = np.unique(part_of).tolist()
    model = Model(problem, relaxations, fleet, state, part_of, effort / len(parts), seed)
    rows = [each for each in executor.run(work, model, parts, cancellation) if each is not None]
    packed = Packed(fleet, problem.classes, state.copy())
    for seats in rows:
        packed.take(seats)
    seated = np.bincount(packed.seats().task_class, minlength=len(problem.demand))
    missing = np.maximum(0, problem.least - seated)
    seated += missing - packed.fill(missing)
    packed.fill(np.maximum(0, problem.demand - seated))
    found.offer(f"linear programme, {len(parts)} parts", packed.seats())
    return _whole(relaxations[0].prices.bound, problem.values)


def _whole(bound: float, values: IntArray) -> int:
    """Return the greatest sum of values that is not above a bound, but for what floats may lose."""
    step = int(np.gcd.reduce(values, initial=0)) or 1
    return int(np.floor(bound * (1 + 1e-12) / step + 1e-6)) * step


def _in_order(seats: Seats, task_class: IntArray) -> Seats:
    """Give the seats of each class to its first tasks."""
    order = np.argsort(task_class, kind="stable")
    rows = np.argsort(seats.task_class, kind="stable")
    first = np.searchsorted(task_class[order], seats.task_class[rows])
    rank = np.arange(len(rows)) - np.searchsorted(seats.task_class[rows], seats.task_class[rows])
    task = order[first + rank]
    node, gpus = np.full(len(task_class), REFUSED, np.int64), np.zeros(len(task_class), np.int64)
    node[task], gpus[task] = seats.node[rows], seats.gpus[rows]
    return Seats(task_class, node, gpus)
