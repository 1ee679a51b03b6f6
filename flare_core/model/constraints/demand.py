"""Demand: ``sum(tasks[i, g]) == n * placed[i]``; with ``completion_policy: "Any"`` between 1 and n.

Intent fields ``workload.scaling.min_replicas``, ``workload.job.parallel_tasks``,
``workload.job.completion_policy``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from ortools.sat.python import cp_model

from flare_core.model.draft import Draft
from flare_core.placement.packing import Packing, Problem, totals


@dataclass(frozen=True, slots=True)
class Demand:
    """An intent that is placed gets its tasks."""

    intent: int
    path = "workload"
    unit = "task"

    @classmethod
    def read(cls, problem: Problem) -> Iterator[Self]:
        """Yield one for every intent."""
        yield from (cls(i) for i in range(len(problem.asks)))

    def post(self, draft: Draft) -> None:
        """State it to the solver."""
        needs = draft.problem.asks[self.intent].needs
        own = [var for (i, _), var in draft.tasks.items() if i == self.intent]
        total, placed = cp_model.LinearExpr.sum(own), draft.placed[self.intent]
        if needs.any_tasks:
            draft.require(self, total <= needs.tasks * placed)
            draft.require(self, total >= placed)
        else:
            draft.require(self, total == needs.tasks * placed)

    def audit(self, problem: Problem, packing: Packing) -> Iterator[str]:
        """Yield what is missing."""
        ask, loads = problem.asks[self.intent], packing[self.intent]
        tasks = totals(ask, loads).tasks
        if loads and (tasks > ask.needs.tasks or (tasks < ask.needs.tasks and not ask.needs.any_tasks)):
            yield f"{ask.name}: {tasks} of {ask.needs.tasks} tasks are placed"
