"""Budgets: ``sum(price[j] * tasks) + sum(price[j] * nodes billed whole) <= limit``, likewise for carbon.

Intent fields ``constraints.max_hourly_cost``, ``constraints.max_total_cost``,
``constraints.energy.max_carbon_footprint``. Prices are whole micro-euro, carbon whole micro-gram per hour,
so the sums are exact. Everything starts together, so "at any moment" is the sum.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from flare_core.inventory.types import IntArray
from flare_core.model.draft import Draft
from flare_core.placement.packing import Ask, Packing, Problem, totals
from flare_core.placement.score import per_node
from flare_core.requirements.types import Topic


@dataclass(frozen=True, slots=True)
class Budget:
    """One sum over the whole placement of an intent stays within its limit."""

    intent: int
    path: str
    unit: str
    topic: Topic
    limit: int

    @classmethod
    def read(cls, problem: Problem) -> Iterator[Self]:
        """Yield the budgets that intents state."""
        for i, ask in enumerate(problem.asks):
            needs = ask.needs
            stated = (
                ("constraints.max_hourly_cost", "EUR/hour", Topic.COST, needs.max_hourly_ueur),
                ("constraints.max_total_cost", "EUR", Topic.COST, needs.max_total_ueur),
                ("constraints.energy.max_carbon_footprint", "g CO2/h", Topic.OTHER, needs.max_carbon_ug),
            )
            for path, unit, topic, limit in stated:
                if limit is not None:
                    yield cls(i, path, unit, topic, limit)

    def amounts(self, ask: Ask) -> tuple[IntArray, IntArray]:
        """Return what one task and what one node on each candidate adds to the sum."""
        found = ask.found
        if self.unit == "g CO2/h":
            return found.carbon_peak_ug, np.zeros_like(found.carbon_peak_ug)
        price = found.task_ueur if self.unit == "EUR/hour" else found.task_total_ueur
        whole = per_node(ask.needs, found)
        return np.where(whole, 0, price), np.where(whole, price, 0)

    def post(self, draft: Draft) -> None:
        """State it to the solver."""
        task, node = self.amounts(draft.problem.asks[self.intent])
        draft.at_most(self, draft.over_tasks(self.intent, task.tolist(), node.tolist()), self.limit)

    def audit(self, problem: Problem, packing: Packing) -> Iterator[str]:
        """Yield by how much the limit is passed."""
        ask = problem.asks[self.intent]
        sums = totals(ask, packing[self.intent])
        spent = {"EUR/hour": sums.hourly_ueur, "EUR": sums.total_ueur}.get(self.unit, sums.carbon_peak_ug)
        if spent > self.limit:
            yield f"{ask.name}: {self.path} is {self.limit}, {spent} is spent"
