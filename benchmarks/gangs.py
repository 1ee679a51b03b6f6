"""Gangs over the fabric: seeded fleets, and what CP-SAT makes of them.

``python -m benchmarks.gangs [seconds]`` compares the two on every fleet of 10,000 nodes.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np
from ortools.sat.python import cp_model

from flare_core.inventory.types import IntArray
from flare_core.topology.gangs import Gang, closest

GPUS = 512
NODES = 10_000
FABRICS = ((40, 25), (32, 8), (20, 4), (16, 16), (8, 4))
"""Nodes of a leaf, leaves of a spine: one spine suffices for the gang in some, not in others."""
SEEDS = 3


@dataclass(frozen=True, slots=True)
class Fleet:
    """Nodes of eight GPUs, some of them free, a group each; `paths` and `room` as `closest` takes them."""

    name: str
    room: IntArray
    paths: IntArray
    tasks: int

    def closest(self) -> Gang:
        """Place the gang."""
        gang = closest(self.room, np.ones_like(self.room), self.paths, self.tasks)
        assert gang is not None
        return gang


def fleet(nodes: int, leaf: int, spine: int, seed: int, *, gpus: int = GPUS, each: int = 1) -> Fleet:
    """Return nodes with 0 to 8 GPUs free, so many to a leaf, and leaves to a spine; a task takes `each`."""
    free = np.random.default_rng(seed).integers(0, 9, nodes)
    leaves = np.arange(nodes) // leaf
    name = f"{spine} × {leaf}, {each} a task, seed {seed}"
    return Fleet(name, free // each, np.array([leaves // spine, leaves]), gpus // each)


def fleets(nodes: int = NODES, seeds: int = SEEDS) -> Iterator[Fleet]:
    """Yield fleets of all fabrics, with tasks of one GPU and of two."""
    for leaf, spine in FABRICS:
        for seed in range(seeds):
            yield from (fleet(nodes, leaf, spine, seed, each=each) for each in (1, 2))


# --- CP-SAT -----------------------------------------------------------------------------------------


class Solved(NamedTuple):
    """What CP-SAT found: the levels, and how many of them, from the first on, it proved."""

    used: tuple[int, ...]
    proven: int


def by_cpsat(fleet: Fleet, seconds: float) -> Solved | None:
    """Minimise level by level, for so many seconds in all; None where nothing is found.

    Nodes of one leaf and equal room are counted together, which is the best that is known of this model.
    """
    model = cp_model.CpModel()
    levels, held = _levels(model, fleet)
    model.add(held >= fleet.tasks)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    end, proven = perf_counter() + seconds, 0
    found: list[int] = []
    for level in levels:
        model.minimize(level)
        solver.parameters.max_time_in_seconds = max(0.05, end - perf_counter())
        status = solver.solve(model)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            break  # out of time; `found` holds what the last solution uses
        found = [int(solver.value(each)) for each in levels]
        proven += status == cp_model.OPTIMAL
        model.add(level <= int(solver.value(level)))
        if status != cp_model.OPTIMAL:
            break
        _hint(model, solver)
    return Solved(tuple(found), proven) if found else None


def _levels(model: cp_model.CpModel, fleet: Fleet) -> tuple[list[cp_model.LinearExpr], cp_model.LinearExpr]:
    """Return the number of vertices of each depth and of nodes, and the tasks that the nodes hold."""
    used = [
        {code: model.new_bool_var(f"d{d}[{code}]") for code in np.unique(codes).tolist()}
        for d, codes in enumerate(fleet.paths)
    ]
    for below in range(1, len(used)):
        for pair in np.unique(fleet.paths[below - 1 : below + 1], axis=1).T.tolist():
            model.add_implication(used[below][pair[1]], used[below - 1][pair[0]])
    kinds, many = np.unique(np.array([fleet.paths[-1], fleet.room]), axis=1, return_counts=True)
    nodes, held = [], []
    for leaf, room, count in zip(*kinds.tolist(), many.tolist(), strict=True):
        taken = model.new_int_var(0, count if room else 0, f"n[{leaf},{room}]")
        model.add(taken <= count * used[-1][leaf])
        nodes.append(taken)
        held.append(room * taken)
    levels = [cp_model.LinearExpr.sum(list(vertices.values())) for vertices in used]
    return [*levels, cp_model.LinearExpr.sum(nodes)], cp_model.LinearExpr.sum(held)


def _hint(model: cp_model.CpModel, solver: cp_model.CpSolver) -> None:
    """Start the next level from the solution at hand."""
    model.clear_hints()  # type: ignore[no-untyped-call] # OR-Tools says nothing of its type
    for index in range(len(model.proto.variables)):
        variable = model.get_int_var_from_proto_index(index)
        model.add_hint(variable, solver.value(variable))


def main() -> None:
    """Print a line for each fleet."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    for each in fleets():
        each.closest()
        start = process_time()
        gang = each.closest()
        took, solved = process_time() - start, by_cpsat(each, seconds)
        assert solved is not None
        worse = gang.used > solved.used
        assert not worse, f"{each.name}: {gang.used}, CP-SAT {solved.used}"
        proven = len(gang.used) if all(gang.proven) else gang.proven.index(False)
        print(f"{each.name}: {gang.used} in {took * 1e3:.1f} ms, {proven} levels proven; CP-SAT {solved}")


if __name__ == "__main__":
    main()
