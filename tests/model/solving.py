"""What the rules of a model allow, asked of the solver without an objective."""

from collections.abc import Iterable

from ortools.sat.python import cp_model

from flare_core.model.draft import Draft
from flare_core.model.families import rules_of
from flare_core.model.rule import Rule
from flare_core.placement.packing import Packing, Problem


def allows(
    problem: Problem, rules: Iterable[Rule] | None = None, packing: Packing | None = None
) -> cp_model.CpSolver | None:
    """Return a solver with a solution in which every intent is placed, None where there is none.

    Parameters
    ----------
    rules
        Those that are posted; all that the problem asks for where none are given.
    packing
        Fixes how many tasks lie on which nodes; intents that it leaves out are not placed.
    """
    draft = Draft(problem)
    for rule in rules_of(problem) if rules is None else rules:
        rule.post(draft)
    if packing is None:
        for placed in draft.placed:
            draft.model.add(placed == 1)
    else:
        fix(draft, packing)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    status = solver.solve(draft.model)
    assert status in (cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.INFEASIBLE), status
    return None if status == cp_model.INFEASIBLE else solver


def fix(draft: Draft, packing: Packing) -> None:
    """Fix who is placed, the tasks on each group and, where nodes stand one by one, on each node."""
    for i, loads in enumerate(packing):
        draft.model.add(draft.placed[i] == int(bool(loads)))
        for g in range(len(draft.problem.asks[i].found.group)):
            own = [load for load in loads if load.group == g]
            draft.model.add(draft.tasks[i, g] == sum(load.tasks for load in own))
            for v in range(draft.shared.get(int(draft.problem.asks[i].found.group[g]), 0)):
                here = sum(load.tasks for load in own if load.node == v)
                draft.model.add(draft.at[i, g, v] == here)
