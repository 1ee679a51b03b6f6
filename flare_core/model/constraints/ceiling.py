"""Ceilings: a term of one intent's placement is at most so much; for a front, see `frontier`.

``sum(amount[j] * tasks) + sum(amount[j] * nodes billed whole) <= limit * placed``. Amounts are to be
minimised: micro-EUR of the cost term, minus thousandths of a TFLOPS, micro-gram CO2 per hour, missed
preferences. Of latency, the worst task's, candidates above the limit are closed instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from flare_core.model.draft import Draft, Var
from flare_core.placement.packing import Packing, Problem, Totals, totals
from flare_core.placement.score import per_node, task_cost


def amount(sums: Totals, term: str) -> int:
    """Return what a placement has of a term, smaller is better."""
    if term == "performance":
        return -sums.performance_mtflops
    return {
        "misses": sums.misses,
        "cost": sums.cost_ueur,
        "latency": sums.latency_us,
        "carbon": sums.carbon_ug,
    }[term]


@dataclass(frozen=True, slots=True)
class Ceiling:
    """One term of one intent stays within a limit."""

    intent: int
    term: str
    limit: int
    path = ""
    unit = ""

    @classmethod
    def read(cls, problem: Problem) -> Iterator[Self]:
        """Yield the ceilings that are set."""
        for i, ask in enumerate(problem.asks):
            yield from (cls(i, term, limit) for term, limit in ask.ceilings)

    def post(self, draft: Draft) -> None:
        """State it to the solver."""
        if self.term == "latency":
            self._close(draft)
            return
        placed = (draft.placed[self.intent], -self.limit)  # what is not placed has nothing to keep
        draft.at_most(self, draft.total([*self._pairs(draft), placed]), 0)

    def _close(self, draft: Draft) -> None:
        found = draft.problem.asks[self.intent].found
        for g in np.flatnonzero(found.latency_us[found.group_candidate] > self.limit).tolist():
            draft.require(self, draft.tasks[self.intent, g] == 0)

    def _pairs(self, draft: Draft) -> Iterator[tuple[Var, int]]:
        ask = draft.problem.asks[self.intent]
        found, gang = ask.found, draft.gangs.get(self.intent) if ask.needs.gang else None
        if self.term == "cost":
            whole, cost = per_node(ask.needs, found), task_cost(ask.needs, found)
            task, node = np.where(whole, 0, cost), np.where(whole, cost, 0)
            yield from draft.pairs(self.intent, task.tolist(), node.tolist())
        elif self.term == "carbon":
            yield from draft.pairs(self.intent, found.carbon_ug.tolist())
        elif self.term == "performance":
            yield from draft.pairs(self.intent, (-found.performance_mtflops).tolist())
            if gang is not None:
                yield from ((var, int(found.fabric.loss[j, span])) for var, j, span in gang.slow)
        else:
            yield from draft.pairs(self.intent, found.misses.tolist())
            if gang is not None and gang.missing is not None:
                yield gang.missing, 1

    def audit(self, problem: Problem, packing: Packing) -> Iterator[str]:
        """Yield by how much the limit is passed."""
        ask, loads = problem.asks[self.intent], packing[self.intent]
        if loads and (has := amount(totals(ask, loads), self.term)) > self.limit:
            yield f"{ask.name}: {self.term} is to be at most {self.limit}, found {has}"
