"""A problem whose best value is known by hand: whether the solver at hand can be believed."""

from importlib.metadata import version
from typing import Final

from ortools.sat.python import cp_model

from flare_core.solve.cpsat import SOUND

WEIGHTS: Final = (4, 5, 6)
VALUES: Final = (5, 7, 7)
ROOMS: Final = (10, 6)
KNOWN_BEST: Final = 19
"""All three: 4 and 6 fill the room of 10, 5 goes into the room of 6."""


def solver_finds_what_is_known() -> str:
    """Return the solver's version, once it has proven a known optimum.

    Raises
    ------
    ValueError
        If it finds anything else.
    """
    model = cp_model.CpModel()
    taken = [[model.new_bool_var(f"{i} in {k}") for k in range(len(ROOMS))] for i in range(len(WEIGHTS))]
    for each in taken:
        model.add_at_most_one(each)
    for k, room in enumerate(ROOMS):
        model.add(sum(weight * each[k] for weight, each in zip(WEIGHTS, taken, strict=True)) <= room)
    model.maximize(sum(value * sum(each) for value, each in zip(VALUES, taken, strict=True)))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    for name, setting in SOUND.items():
        setattr(solver.parameters, name, setting)
    status = solver.status_name(solver.solve(model))
    if (status, solver.objective_value) != ("OPTIMAL", KNOWN_BEST):
        raise ValueError(f"found {status} {solver.objective_value}, expected OPTIMAL {KNOWN_BEST}")
    return version("ortools")
