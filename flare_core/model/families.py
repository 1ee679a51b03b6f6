"""The rules and objective terms of the model, in posting order; an embedder passes longer tuples."""

from flare_core.model.constraints.availability import Availability
from flare_core.model.constraints.budget import Budget
from flare_core.model.constraints.capacity import Capacity
from flare_core.model.constraints.ceiling import Ceiling
from flare_core.model.constraints.demand import Demand
from flare_core.model.constraints.fabric import Fabric
from flare_core.model.constraints.gpus import Gpus
from flare_core.model.rule import Rule
from flare_core.placement.packing import Packing, Problem

FAMILIES: tuple[type[Rule], ...] = (Demand, Capacity, Gpus, Fabric, Budget, Ceiling, Availability)


def rules_of(problem: Problem, families: tuple[type[Rule], ...] = FAMILIES) -> tuple[Rule, ...]:
    """Return the rules that `problem` asks for."""
    return tuple(rule for family in families for rule in family.read(problem))


def broken(problem: Problem, packing: Packing, rules: tuple[Rule, ...]) -> tuple[str, ...]:
    """Return what in `packing` breaks `rules`, in words."""
    return tuple(text for rule in rules for text in rule.audit(problem, packing))
