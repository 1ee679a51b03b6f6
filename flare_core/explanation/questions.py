"""Questions of the kind "what if": every answer is a placement that was searched for, or a proof.

The objective is the intent's own. `Unproven` is raised where a question could not be settled; no claim is
then made that rests on it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from flare_core.errors import NotSupportedError
from flare_core.explanation.relax import Solved, Unproven
from flare_core.inventory.types import Inventory, freeze
from flare_core.placement.packing import Ask, Problem, totals
from flare_core.placement.types import Outcome
from flare_core.requirements.types import Objective, Requirements
from flare_core.solve.prune import restrict
from flare_core.solve.result import Search

Where = tuple[int, bool, int]
"""An offer's row, whether it is bought as spot, and the efficiency of the GPUs there, millionths."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Places one intent alone in worlds that differ in something from the one given.

    Attributes
    ----------
    inventory
        The world as it is.
    ask
        Returns what requirements ask of an inventory.
    run
        Searches a problem.
    """

    inventory: Inventory
    ask: Callable[[Requirements, Inventory], Ask]
    run: Callable[[Problem], Search]
    _known: dict[object, Solved | None] = field(default_factory=dict)

    def asked(self, needs: Requirements) -> Ask:
        """Return what `needs` asks of the inventory as it is."""
        try:
            return self.ask(needs, self.inventory)
        except NotSupportedError as error:
            raise Unproven(str(error)) from error

    def best(self, needs: Requirements) -> Solved | None:
        """Return the best placement of `needs`; None where there is none."""
        ask = self.asked(needs)
        # Limits that remove the same offers make the same problem.
        key = (replace(needs, limits=()), ask.found.rows.tobytes())
        if key not in self._known:
            self._known[key] = self._answer(ask, self.inventory)
        return self._known[key]

    def best_without(self, solved: Solved, row: int) -> Solved | None:
        """Return the best placement that does not use an offer, its value on the scale of `solved`."""
        return self._answer(restrict(solved.ask, solved.ask.found.rows != row), self.inventory)

    def best_at(self, needs: Requirements, row: int, column: str, price_ueur: int) -> Solved | None:
        """Return the best placement where one offer has another price in a column of prices."""
        prices = self.inventory.whole[column].copy()
        prices[row] = price_ueur
        world = replace(self.inventory, whole=freeze({**self.inventory.whole, column: prices}))
        return self._answer(self.ask(needs, world), world)

    def _answer(self, ask: Ask, world: Inventory) -> Solved | None:
        found = self.run(Problem((ask,), world))
        if found.outcome is Outcome.INFEASIBLE:
            return None
        if found.outcome is not Outcome.OPTIMAL:
            raise Unproven
        return Solved(ask, found.packing[0], totals(ask, found.packing[0]))


def places(solved: Solved) -> dict[Where, int]:
    """Return how many tasks are where, by ascending row."""
    found, tasks = solved.ask.found, dict[Where, int]()
    for load in sorted(solved.loads):
        j = load.candidate
        where = (int(found.rows[j]), bool(found.spot[j]), int(found.efficiency_ppm[j]))
        tasks[where] = tasks.get(where, 0) + load.tasks
    return tasks


def used(solved: Solved) -> list[int]:
    """Return the candidates that are used."""
    return sorted({load.candidate for load in solved.loads})


def differs(one: Solved | None, other: Solved | None) -> bool:
    """Whether one of two placements is better: those that only the order of ties tells apart are alike."""
    if one is None or other is None:
        return one is not other
    mine, theirs = _worth(one, other), _worth(other, one)
    # At the same places what it is worth and costs matters: other figures come with what is asked.
    return mine[:4] != theirs[:4] if places(one) == places(other) else mine != theirs


def comparable(one: Solved, other: Solved) -> bool:
    """Whether the objective measures both placements alike, though they are from different worlds."""
    objective = one.ask.needs.objective
    return objective is not Objective.BALANCED and (objective is not Objective.ENERGY or _known(one, other))


def _known(*solved: Solved) -> bool:
    return all(each.ask.found.carbon_known[used(each)].all() for each in solved)


def _worth(solved: Solved, beside: Solved) -> tuple[float, ...]:
    """Return what makes a placement better than another, leaving out what cannot be compared."""
    sums = solved.totals
    return (
        -sums.tasks,
        sums.misses,
        sums.primary if comparable(solved, beside) else 0,
        sums.cost_ueur,
        -sums.performance_mtflops,
        sums.latency_us,
        sums.carbon_ug if _known(solved, beside) else 0,
    )


def steady(ask: Ask) -> bool:
    """Whether a placement is worth the same whatever other offers there are.

    The terms of a balance are scaled by the range of all candidates, and an unknown emission counts as the
    worst known one. Where neither matters, fewer offers never make another of the rest the best.
    """
    if ask.needs.objective is Objective.BALANCED:
        return False
    return ask.needs.objective is not Objective.ENERGY or bool(np.all(ask.found.carbon_known))
