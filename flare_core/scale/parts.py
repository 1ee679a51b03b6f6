"""A large batch in parts: one linear programme for all, seats and local search of each part by itself.

A part is a set of nodes: a site, or where none are named some thousand nodes, dealt kind by kind so that the
parts are alike. The programme counts tasks by kind over all parts, and its size depends on neither parts nor
nodes. Each part gets its share of the counts by its share of the nodes of a kind, as whole numbers that add
up: with ``N[k]`` of N nodes in the parts before part k, ``floor(c N[k+1] / N + f) - floor(c N[k] / N + f)``
of c, with a phase f of its own for each number, lest all that is rare falls to the last part. What is left
over of all parts is filled in at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from flare_core.inventory.types import FloatArray, IntArray
from flare_core.scale.decode import decode
from flare_core.scale.executors import Stop
from flare_core.scale.fleet import Fleet, Seats, State
from flare_core.scale.kinds import Kinds
from flare_core.scale.neighbourhood import Search
from flare_core.scale.packed import Packed
from flare_core.scale.relax import Problem, Relaxation

PART_NODES: Final = 1000
"""Nodes of a part where no sites are named: with fewer, rounding costs more than it brings."""
_GOLDEN: Final = 0.6180339887498949


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What all parts need to know.

    Attributes
    ----------
    problem
        Of all nodes.
    relaxations
        Its linear programme with ever less CPU, the first with all of it.
    fleet, state
        The nodes, and what is free.
    part_of
        Part of each node.
    effort
        Of the local search in each part, CP-SAT's deterministic time.
    seed
        Of the local search.
    """

    problem: Problem
    relaxations: Sequence[Relaxation]
    fleet: Fleet
    state: State
    part_of: IntArray
    effort: float
    seed: int


def dealt(kinds: Kinds) -> IntArray:
    """Return the part of each node where no sites are named."""
    number = max(1, len(kinds.of_node) // PART_NODES)
    order = np.argsort(kinds.of_node, kind="stable")
    part_of = np.empty(len(order), np.int64)
    part_of[order] = np.arange(len(order)) % number
    return part_of


def work(model: Model, part: int, stop: Stop) -> Seats:
    """Return the rows of the tasks that are seated on the nodes of one part."""
    nodes = np.flatnonzero(model.part_of == part)
    whole = model.problem
    problem, shares = _part_of(model, part, nodes)
    fleet, state = _fleet(model.fleet, nodes), _state(model.state, nodes)
    best, value = Seats(*np.zeros((3, 0), np.int64)), -1
    for relaxation in shares:
        if value >= 0 and stop():
            break
        packed = Packed(fleet, whole.classes, state.copy())
        decode(packed, problem, relaxation)
        taken = packed.seats()
        left = problem.demand - np.bincount(taken.task_class, minlength=len(problem.demand))
        packed.fill(np.maximum(0, left))
        seats = packed.seats()
        worth = int(problem.values[seats.task_class].sum())
        if worth > value:
            best, value = seats, worth
    best = _improved(_keeping(problem, best), shares[0], state, best, model, stop)
    return Seats(best.task_class, nodes[best.node], best.gpus)


def _keeping(problem: Problem, seats: Seats) -> Problem:
    """Return the problem in which nobody gives way of a class of which some have to be placed."""
    seated = np.bincount(seats.task_class, minlength=len(problem.demand))
    return replace(problem, least=np.where(problem.least > 0, seated, 0))


def _improved(
    problem: Problem, relaxation: Relaxation, state: State, seats: Seats, model: Model, stop: Stop
) -> Seats:
    search = Search(problem, relaxation, state, seats, model.seed)
    while search.effort < model.effort and search.left.any() and not stop():
        search.step()
    return search.seats()


def _part_of(model: Model, part: int, nodes: IntArray) -> tuple[Problem, list[Relaxation]]:
    """Return what is to be placed on the nodes of a part, and its share of each relaxation."""
    whole, kinds = model.problem, model.problem.kinds
    before = np.bincount(kinds.of_node[model.part_of < part], minlength=len(kinds))
    here = np.bincount(kinds.of_node[nodes], minlength=len(kinds))
    shares = [_share(whole, each, before, here) for each in model.relaxations]
    first = np.floor(model.relaxations[0].counts + 1e-6).astype(np.int64).sum(1)
    behind = int((model.part_of < part).sum())
    rest = _cut(np.maximum(0, whole.demand - first), behind, len(nodes), len(model.part_of))
    own = replace(kinds, of_node=kinds.of_node[nodes], nodes=here)
    demand = shares[0].counts.sum(1).astype(np.int64) + rest
    problem = Problem(whole.classes, own, demand, whole.values, whole.least)
    return problem, [_within(each, demand) for each in shares]


def _within(relaxation: Relaxation, demand: IntArray) -> Relaxation:
    """Return the relaxation without tasks that the part has not: other relaxations share them otherwise."""
    before = np.cumsum(relaxation.counts, axis=1) - relaxation.counts
    left = np.maximum(0, demand[:, None] - before)
    return replace(relaxation, counts=np.minimum(relaxation.counts, left))


def _share(problem: Problem, whole: Relaxation, before: IntArray, here: IntArray) -> Relaxation:
    """Return a part's share of a relaxation."""
    nodes, kind = problem.kinds.nodes, problem.levels.kind[whole.level]
    counts = _cut(_floor(whole.counts), before, here, nodes)
    used = _cut(_floor(whole.used), before[kind], here[kind], nodes[kind])
    return replace(whole, counts=counts.astype(float), used=used.astype(float))


def _cut(numbers: IntArray, before: IntArray | int, here: IntArray | int, nodes: IntArray | int) -> IntArray:
    """Return the part of whole numbers that falls to some nodes behind others, of all."""
    phase = (np.arange(numbers.size) * _GOLDEN % 1).reshape(numbers.shape)
    of = np.maximum(1, nodes)
    cut: IntArray = _floor(numbers * ((before + here) / of) + phase) - _floor(numbers * (before / of) + phase)
    return cut


def _floor(numbers: FloatArray) -> IntArray:
    return np.floor(numbers + 1e-6).astype(np.int64)


def _fleet(fleet: Fleet, nodes: IntArray) -> Fleet:
    columns = (fleet.cpu_milli[nodes], fleet.memory_mib[nodes], fleet.gpus[nodes], fleet.model[nodes])
    return Fleet(tuple(fleet.names[n] for n in nodes.tolist()), *columns, fleet.models)


def _state(state: State, nodes: IntArray) -> State:
    return State(state.cpu_milli[nodes], state.memory_mib[nodes], state.milli[nodes])
