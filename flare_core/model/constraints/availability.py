"""Availability: the probability that at least half of a service's tasks are up reaches what is asked.

Intent field ``sla.availability`` of a service with several tasks. With ``t[d]`` tasks in failure domain
``d`` (provider, region, zone) whose nodes fall together at ``1 - u[d]``, ``u[d]`` the lowest uptime used
there, and ``K = ceil(n / 2)``::

    P(sum over up domains of t[d] >= K) >= asked

The probability is no linear expression, but two facts keep it out of the model most of the time.
*Where every candidate alone meets the limit, every placement does* (limit at least 1/2): a majority is up
with at least the probability of the weakest domain, for of a set of domains and the others one always
holds a majority (Moore and Shannon 1956, "Reliable circuits using less reliable relays", on self-dual
monotone functions). *How good a split over domains can be depends on its sizes only*, when every domain
has the best uptime there is: splits that cannot reach the limit even so are excluded by a table. What is
left, unequal uptimes, is checked on each answer and excluded by one clause where it fails.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from ortools.sat.python import cp_model

from flare_core.model.draft import Draft, Var
from flare_core.placement.packing import Ask, Packing, Problem, k_of_n, up_probability

TOLERANCE = 1e-12
"""Sums of products of probabilities are this exact."""

TABLE_TASKS = 24
"""Up to this many tasks (1575 splits) all splits are tabulated; beyond it answers are checked one by one."""


@dataclass(frozen=True, slots=True)
class Availability:
    """A service of several tasks is up often enough."""

    intent: int
    asked: float
    path = "sla.availability"
    unit = "percent"

    @classmethod
    def read(cls, problem: Problem) -> Iterator[Self]:
        """Yield one where some candidate alone would not do."""
        for i, ask in enumerate(problem.asks):
            asked = ask.needs.availability
            if asked is not None and len(ask.found) and ask.found.uptime.min() < max(asked, 0.5):
                yield cls(i, asked)

    def holds(self, ask: Ask, packing: Packing) -> bool:
        """Whether the intent's loads are up often enough."""
        return up_probability(ask, packing[self.intent]) >= self.asked - TOLERANCE

    def audit(self, problem: Problem, packing: Packing) -> Iterator[str]:
        """Yield how far it falls short."""
        ask = problem.asks[self.intent]
        if packing[self.intent] and not self.holds(ask, packing):
            up = up_probability(ask, packing[self.intent])
            yield f"{ask.name}: up with probability {up:.9f}, {self.asked:.9f} is asked"

    def post(self, draft: Draft) -> None:
        """State the table of splits to the solver."""
        draft.loose = True
        ask = draft.problem.asks[self.intent]
        n = ask.needs.tasks
        if n > TABLE_TASKS or ask.needs.any_tasks:
            return
        domains = _domains(draft, self.intent)
        best = sorted((max(ask.found.uptime[j] for j in js) for _, js in domains.values()), reverse=True)
        splits = list(_splits(n, n, len(domains)))
        good = [split for split in splits if self._reachable(split, best)]
        most = max((split[0] for split in good), default=0)
        if len(good) == sum(split[0] <= most for split in splits):
            # Nearly always it is the largest part alone that matters: a line says that, without a table.
            for tasks, _ in domains.values():
                draft.require(self, tasks <= most)
            return
        at_least = [self._at_least(draft, domains, size) for size in range(1, n + 1)]
        rows = [[sum(part >= size for part in s) for size in range(1, n + 1)] for s in good]
        draft.lines.setdefault(self, []).append(
            draft.model.add_allowed_assignments(at_least, [*rows, [0] * n])
        )

    def _reachable(self, split: tuple[int, ...], best: list[float]) -> bool:
        """Whether `split` could reach the limit if every part lay at the best uptime there is."""
        return k_of_n([(part, best[0]) for part in split]) >= self.asked - TOLERANCE

    def _at_least(self, draft: Draft, domains: dict[int, tuple[Var, list[int]]], size: int) -> Var:
        """Return how many domains hold at least `size` tasks."""
        flags = []
        for d, (tasks, _) in domains.items():
            flag = draft.flag(f"tasks[{self.intent},domain {d}]>={size}")
            draft.model.add(tasks >= size).only_enforce_if(flag)
            draft.model.add(tasks <= size - 1).only_enforce_if(~flag)
            flags.append(flag)
        number = draft.count(len(flags), f"domains[{self.intent}]>={size}")
        draft.require(self, cp_model.LinearExpr.sum(flags) == number)
        return number

    def cut(self, draft: Draft, packing: Packing) -> bool:
        """Exclude the split of `packing` if it is not up often enough; return whether it was."""
        ask = draft.problem.asks[self.intent]
        if not packing[self.intent] or self.holds(ask, packing):
            return False
        domains = _domains(draft, self.intent)
        here: dict[int, tuple[int, float]] = {}
        for load in packing[self.intent]:
            d, uptime = int(ask.found.domain[load.candidate]), float(ask.found.uptime[load.candidate])
            tasks, lowest = here.get(d, (0, 1.0))
            here[d] = tasks + load.tasks, min(lowest, uptime)
        ways_out = [lit for d, (t, u) in here.items() for lit in self._escapes(draft, domains[d], ask, t, u)]
        draft.lines.setdefault(self, []).append(draft.model.add_bool_or(ways_out))
        return True

    def _escapes(
        self, draft: Draft, domain: tuple[Var, list[int]], ask: Ask, tasks: int, uptime: float
    ) -> Iterator[Var]:
        """Yield literals of which one holds in every placement that differs in this domain for the better."""
        number, candidates = domain
        fewer, more, better = (draft.flag(word) for word in ("fewer", "more", "better"))
        draft.model.add(number <= tasks - 1).only_enforce_if(fewer)
        draft.model.add(number >= tasks + 1).only_enforce_if(more)
        for j in candidates:
            if ask.found.uptime[j] <= uptime:
                draft.model.add(draft.uses[self.intent, j] == 0).only_enforce_if(better)
        yield from (fewer, more, better)


def _domains(draft: Draft, i: int) -> dict[int, tuple[Var, list[int]]]:
    """Return for each failure domain its number of tasks of intent `i` and its candidates."""
    made = draft.domains.get(i)
    if made is None:
        found = draft.problem.asks[i].found
        members: dict[int, list[int]] = {}
        for j, d in enumerate(found.domain.tolist()):
            members.setdefault(d, []).append(j)
        made = draft.domains[i] = {d: (_tasks_in(draft, i, d, js), js) for d, js in members.items()}
    return made


def _tasks_in(draft: Draft, i: int, d: int, candidates: Iterable[int]) -> Var:
    own = set(candidates)
    ask = draft.problem.asks[i]
    number = draft.count(ask.needs.tasks, f"tasks[{ask.name},domain {d}]")
    groups = [g for g, j in enumerate(ask.found.group_candidate.tolist()) if j in own]
    draft.model.add(cp_model.LinearExpr.sum([draft.tasks[i, g] for g in groups]) == number)
    return number


def _splits(n: int, largest: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield the partitions of `n` into at most `parts` parts, each at most `largest`, in falling order."""
    if n == 0:
        yield ()
    elif parts:
        for first in range(min(n, largest), 0, -1):
            for rest in _splits(n - first, first, parts - 1):
                yield (first, *rest)
