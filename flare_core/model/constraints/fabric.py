"""Fabric: how far the tasks of a gang are from each other, and whether InfiniBand joins them.

Intent fields ``workload.type: job``, ``job.parallel_tasks``, ``resources.gpu.interconnect: infiniband``. A
gang has one span ``s`` (see `candidates.types.Fabric`)::

    sum over s of spans[i, s] == placed[i]
    spans[i, 0]  =>  one node         spans[i, s]  =>  one prefix of length 1 + depth - s
    slow[i, s, c] >= tasks on candidates of class c - n * (1 - spans[i, s])

where a class is the candidates that lose the same at every distance; ``slow`` is what the objective charges
for. ``off[i]`` is set where a gang on several nodes is not in one InfiniBand fabric: then all its tasks miss
that preference, or with the fallback "fail" it must not be.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from flare_core.model.draft import Draft
from flare_core.placement.packing import Packing, Problem, is_off_fabric


@dataclass(frozen=True, slots=True)
class Fabric:
    """A gang that insists on InfiniBand has it, or lies on one node."""

    intent: int
    path = "workload.resources.gpu.interconnect"
    unit = ""

    @classmethod
    def read(cls, problem: Problem) -> Iterator[Self]:
        """Yield one for every gang that insists."""
        for i, ask in enumerate(problem.asks):
            if ask.needs.infiniband and ask.needs.hard_wishes:
                yield cls(i)

    def post(self, draft: Draft) -> None:
        """State it to the solver."""
        gang = draft.gangs.get(self.intent)
        if gang is not None and gang.off is not None:
            draft.require(self, gang.off == 0)

    def audit(self, problem: Problem, packing: Packing) -> Iterator[str]:
        """Yield the gang that is not in one fabric."""
        ask, loads = problem.asks[self.intent], packing[self.intent]
        if is_off_fabric(ask, loads):
            yield f"{ask.name}: its nodes are not in one InfiniBand fabric"
