"""A placement before it has a document: how many tasks of each intent on which nodes.

`Problem` is the one problem type of every path (closed form, greedy, CP-SAT) and `Packing` the one kind of
answer; `order.value` is the one order among answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple

import numpy as np

from flare_core.candidates.types import Candidates
from flare_core.inventory.types import Inventory
from flare_core.placement.score import Score, per_node, repriced, task_cost
from flare_core.requirements.types import Requirements


@dataclass(frozen=True, slots=True)
class Ask:
    """One intent of a problem: what it needs, where it could go, what it wants, how much it weighs.

    ``ceilings`` are the most that terms of its placement may be, see `model.constraints.ceiling`.
    """

    needs: Requirements
    found: Candidates
    score: Score
    priority: int  # millionths
    ceilings: tuple[tuple[str, int], ...] = ()

    @property
    def name(self) -> str:
        """The intent's name."""
        return self.needs.name

    def at(self, start: int) -> "Ask":
        """Return the intent with what its candidates are worth to a run that begins then."""
        if self.found.tariffs is None:
            return self
        found = self.found.at(start)
        return replace(self, found=found, score=repriced(self.score, self.needs, self.found, found))


@dataclass(frozen=True, slots=True)
class Problem:
    """Intents to be placed together, in the order of their names, and the inventory they share."""

    asks: tuple[Ask, ...]
    inventory: Inventory

    @property
    def several(self) -> bool:
        """Whether more than one intent is placed together."""
        return len(self.asks) > 1


class Load(NamedTuple):
    """Tasks of one intent on one node.

    ``group`` indexes the intent's candidate groups, ``node`` counts the nodes of that group from 0, ``start``
    is how many seconds later than the plan they begin.
    """

    candidate: int
    group: int
    node: int
    tasks: int
    start: int = 0


Loads = tuple[Load, ...]
Packing = tuple[Loads, ...]
"""The loads of each intent; none where it is not placed."""


class Totals(NamedTuple):
    """The terms of one intent's placement.

    ``hourly_ueur`` and ``carbon_peak_ug`` are the highest at any moment, ``carbon_ug`` is the sum over all
    tasks; ``last_start`` is when its last task begins, seconds after the plan. ``span`` is a gang's (see
    `candidates.types.Fabric`), 0 for others; ``prefixes`` how many different path prefixes of each length it
    uses.
    """

    tasks: int
    misses: int
    primary: int
    hourly_ueur: int
    cost_ueur: int
    total_ueur: int
    performance_mtflops: int
    prefixes: tuple[int, ...]
    latency_us: int
    carbon_ug: int
    carbon_peak_ug: int
    last_start: int
    span: int
    off_fabric: bool


def totals(ask: Ask, loads: Loads) -> Totals:
    """Return the terms of `loads`, recomputed from whole numbers."""
    needs, found, score = ask.needs, ask.found, ask.score
    whole = per_node(needs, found)
    span, off_fabric = span_of(ask, loads), is_off_fabric(ask, loads)
    tasks = misses = primary = in_term = total = speed = carbon = 0
    begun: set[tuple[int, int, int]] = set()
    by_start: dict[int, list[int]] = {}
    then = {start: ask.at(start) for start in {load.start for load in loads}}
    for load in loads:
        j, t, found, score = load.candidate, load.tasks, then[load.start].found, then[load.start].score
        node = (int(found.group[load.group]), load.node, load.start)
        new = int(node not in begun)
        begun.add(node)
        paid = new if found.by_node[j] else t
        tasks += t
        misses += t * (int(found.misses[j]) + off_fabric)
        primary += t * int(score.task[j]) + (new * int(score.node[j]) if whole[j] else 0)
        at = by_start.setdefault(load.start, [0, 0])
        at[0] += paid * int(found.task_ueur[j])
        at[1] += t * int(found.carbon_peak_ug[j])
        carbon += t * int(found.carbon_ug[j])
        in_term += paid * int(task_cost(needs, found)[j])
        total += paid * int(found.task_total_ueur[j])
        speed += t * int(found.performance_mtflops[j])
        if span:
            primary += t * int(score.fabric[j, span])
            speed -= t * int(found.fabric.loss[j, span])
    used = [load.candidate for load in loads]
    primary += score.offset if loads else 0
    primary += max((int(score.peak[j]) for j in used), default=0)
    latency = max((int(found.latency_us[j]) for j in used), default=0)
    prefixes = prefixes_of(ask, loads)
    hourly, peak = _peaks(by_start, needs.length_s)
    return Totals(
        tasks,
        misses,
        primary,
        hourly,
        in_term,
        total,
        speed,
        prefixes,
        latency,
        carbon,
        peak,
        max(by_start, default=0),
        span,
        bool(off_fabric),
    )


def _peaks(by_start: dict[int, list[int]], length_s: int | None) -> tuple[int, int]:
    """Return the highest hourly price and emission at any moment; both rise only where tasks begin."""
    if len(by_start) < 2 or length_s is None:
        hourly, carbon = next(iter(by_start.values()), (0, 0))
        return hourly, carbon
    begun = sorted(by_start)
    highest, running, first = [0, 0], [0, 0], 0
    for now in begun:
        running = [a + b for a, b in zip(running, by_start[now], strict=True)]
        while begun[first] + length_s <= now:
            running = [a - b for a, b in zip(running, by_start[begun[first]], strict=True)]
            first += 1
        highest = [max(a, b) for a, b in zip(highest, running, strict=True)]
    return highest[0], highest[1]


def nodes_of(ask: Ask, loads: Loads) -> int:
    """Return on how many nodes `loads` lie."""
    return len({(int(ask.found.group[load.group]), load.node) for load in loads})


def span_of(ask: Ask, loads: Loads) -> int:
    """Return how far the tasks of a gang are from each other: 0 on one node, 0 for others than gangs."""
    fabric = ask.found.fabric
    if not fabric.depth or nodes_of(ask, loads) < 2:
        return 0
    used = fabric.prefix[[load.candidate for load in loads]]
    shared = ((used == used[0]) & (used >= 0)).all(axis=0)
    return 1 + fabric.depth - int(np.argmin(np.append(shared, False)))


def is_off_fabric(ask: Ask, loads: Loads) -> bool:
    """Whether a gang that asks for InfiniBand lies on several nodes that are not in one such fabric."""
    if not ask.needs.infiniband or nodes_of(ask, loads) < 2:
        return False
    fabric, used = ask.found.fabric, [load.candidate for load in loads]
    return not fabric.infiniband[used].all() or len(set(fabric.prefix[used, 0].tolist())) > 1


def prefixes_of(ask: Ask, loads: Loads) -> tuple[int, ...]:
    """Return how many path prefixes of each length a gang uses; an unknown one is each node's own."""
    fabric, found = ask.found.fabric, ask.found
    if not fabric.depth:
        return ()
    nodes = {(int(found.group[load.group]), load.node): load.candidate for load in loads}
    columns = fabric.prefix[list(nodes.values())].T.tolist()
    return tuple(len({c for c in column if c >= 0}) + column.count(-1) for column in columns)


def up_probability(ask: Ask, loads: Loads) -> float:
    """Return the probability that at least half of the tasks (rounded up) are up.

    All nodes of a failure domain fall together, at 1 - the lowest uptime used in it; domains are
    independent.
    """
    found = ask.found
    domains: dict[int, tuple[int, float]] = {}
    for load in loads:
        d = int(found.domain[load.candidate])
        tasks, uptime = domains.get(d, (0, 1.0))
        domains[d] = tasks + load.tasks, min(uptime, float(found.uptime[load.candidate]))
    return k_of_n(domains.values())


def k_of_n(domains: Iterable[tuple[int, float]]) -> float:
    """Return the probability that at least half of all tasks are up; `domains` are (tasks, uptime)."""
    listed = sorted(domains)
    n = sum(tasks for tasks, _ in listed)
    up = np.zeros(n + 1)
    up[0] = 1.0
    for tasks, uptime in listed:
        moved = np.zeros(n + 1)
        moved[tasks:] = up[: n + 1 - tasks]
        up = up * (1 - uptime) + moved * uptime
    return float(up[ceil(n / 2) :].sum())


def canonical(problem: Problem, packing: Packing) -> Packing:
    """Return `packing` with the nodes of each group numbered as they are met: by intent, then fullest first.

    Nodes of a group are alike, so this changes nothing but their numbers, and makes those the smallest.
    """
    loads_on: dict[tuple[int, int], dict[int, int]] = {}
    for i, (ask, loads) in enumerate(zip(problem.asks, packing, strict=True)):
        for load in loads:
            on = loads_on.setdefault((int(ask.found.group[load.group]), load.node), {})
            on[i] = on.get(i, 0) + load.tasks
    order = sorted(loads_on, key=lambda node: [-loads_on[node].get(i, 0) for i in range(len(packing))])
    number: dict[tuple[int, int], int] = {}
    count: dict[int, int] = {}
    for group, node in order:
        number[group, node] = count.get(group, 0)
        count[group] = number[group, node] + 1
    return tuple(
        tuple(
            sorted(load._replace(node=number[int(ask.found.group[load.group]), load.node]) for load in loads)
        )
        for ask, loads in zip(problem.asks, packing, strict=True)
    )
