"""The order of plans, as linear expressions to be minimised one after another.

The same order as `placement.order.Value`, level by level::

    placed        - sum of priority * placed[i]
    tasks         - sum of tasks of intents with completion_policy "Any"
    misses          tasks that miss a preference
    primary         the objective (see `placement.score`), for several intents the sum of the scaled ones
    cost, performance
    prefixes        of the fabric's paths that gangs use, the shortest first
    latency, carbon
    headroom      - replicas that would still fit, of services that scale
    left            what is left of the nodes that are touched
    providers, nodes
    offers          smallest offer ids in task order
    nodes           smallest node numbers (`node_levels`)

A level that is constant is left out; adjacent small levels are merged into one by weights taken from
their bounds, which keeps the number of solver calls low and the order exact.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

import numpy as np
from ortools.sat.python import cp_model

from flare_core.inventory.types import ELASTIC, IntArray
from flare_core.model.draft import Draft, Terms, Var
from flare_core.model.objective.headroom import replicas
from flare_core.placement.nodes import free_milli_of, taken_milli
from flare_core.placement.packing import Packing
from flare_core.placement.score import per_node, task_cost

MERGED = 2**44
"""Merged levels stay below this, well inside what the solver's doubles hold exactly."""


class Stage(StrEnum):
    """Which part of the order a level belongs to; levels of different stages are never merged."""

    PLACED = "placed"
    PRIMARY = "primary"
    TERMS = "terms"
    FEWEST = "fewest"
    OFFERS = "offers"
    NODES = "nodes"


@dataclass(frozen=True, slots=True)
class Level:
    """One step of the order: what is minimised."""

    name: str
    stage: Stage
    terms: Terms


Pairs = Iterator[tuple[Var, int]]


def levels(draft: Draft, stage: Stage) -> Iterator[Level]:
    """Yield the levels of one stage."""
    yield from _merged(draft, stage, _STEPS[stage](draft))


def _merged(draft: Draft, stage: Stage, steps: Iterator[tuple[str, Pairs]]) -> Iterator[Level]:
    """Yield the levels that are not constant, adjacent ones merged where their bounds allow it."""
    waiting: list[Level] = []
    span = 1
    for name, pairs in steps:
        terms = draft.total(pairs)
        if terms.is_constant:
            continue
        width = terms.most - terms.least + 1
        if waiting and span * width > MERGED:
            yield _merge(draft, waiting)
            waiting, span = [], 1
        waiting.append(Level(name, stage, terms))
        span *= width
    if waiting:
        yield _merge(draft, waiting)


def _merge(draft: Draft, parts: list[Level]) -> Level:
    if len(parts) == 1:
        return parts[0]
    weight = 1
    pairs: list[tuple[Var, int]] = []
    for part in reversed(parts):
        pairs += [(v, weight * c) for v, c in zip(part.terms.vars, part.terms.coefficients, strict=True)]
        weight *= part.terms.most - part.terms.least + 1
    return Level("+".join(part.name for part in parts), parts[0].stage, draft.total(pairs))


def _placing(draft: Draft) -> Iterator[tuple[str, Pairs]]:
    asks = draft.problem.asks
    yield "placed", ((v, -a.priority) for v, a in zip(draft.placed, asks, strict=True))
    yield "tasks", _any_tasks(draft)
    yield "misses", chain(_each(draft, lambda i: (asks[i].found.misses, None)), _off_fabric(draft))


def _primary_step(draft: Draft) -> Iterator[tuple[str, Pairs]]:
    yield "primary", _primary(draft)


def _terms(draft: Draft) -> Iterator[tuple[str, Pairs]]:
    asks = draft.problem.asks
    yield "cost", _each(draft, lambda i: _cost(draft, i))
    yield (
        "performance",
        chain(
            _each(draft, lambda i: (-asks[i].found.performance_mtflops, None)),
            _slowed(draft, [a.found.fabric.loss for a in asks]),
        ),
    )
    yield from _prefixes(draft)
    yield "latency", _peaks(draft, [a.found.latency_us for a in asks], "latency")
    yield "carbon", _each(draft, lambda i: (asks[i].found.carbon_ug, None))


def _fewest(draft: Draft) -> Iterator[tuple[str, Pairs]]:
    yield "headroom", ((more, -1) for more in replicas(draft))
    yield "left", _left(draft)
    yield "providers", _providers(draft)
    yield "nodes", _nodes(draft)


def _off_fabric(draft: Draft) -> Pairs:
    if any(ask.needs.infiniband for ask in draft.problem.asks):
        yield from ((gang.missing, 1) for gang in draft.gangs.values() if gang.missing is not None)


def _slowed(draft: Draft, losses: list[IntArray]) -> Pairs:
    """Yield what gangs lose by their distances."""
    if any(ask.needs.gang for ask in draft.problem.asks):
        for i, gang in draft.gangs.items():
            yield from ((var, int(losses[i][j, span])) for var, j, span in gang.slow)


def _prefixes(draft: Draft) -> Iterator[tuple[str, Pairs]]:
    """Yield the path prefixes that gangs use, the shortest first: few are close together."""
    if not any(ask.needs.gang for ask in draft.problem.asks):
        return
    for d in range(max((len(gang.prefixes) for gang in draft.gangs.values()), default=0)):
        own = [gang.prefixes[d] for gang in draft.gangs.values() if d < len(gang.prefixes)]
        yield f"prefixes {d + 1}", ((var, 1) for flags in own for var in flags)


def _left(draft: Draft) -> Pairs:
    """Yield what is left of the nodes that are touched, thousandths of a GPU: see `placement.nodes`."""
    inventory = draft.problem.inventory
    for i, ask in enumerate(draft.problem.asks):
        found, free = ask.found, free_milli_of(inventory, ask.found.group).tolist()
        taken = taken_milli(ask)[found.group_candidate].tolist()
        for g, group in enumerate(found.group.tolist()):
            if inventory.groups.count[group] == ELASTIC:
                continue
            yield draft.tasks[i, g], -taken[g]
            if group not in draft.shared:
                yield draft.nodes[i, g], free[g]
    for (group, _), opened in draft.open.items():
        yield opened, int(free_milli_of(inventory, np.array([group]))[0])


def _each(draft: Draft, amounts: Callable[[int], tuple[IntArray, IntArray | None]]) -> Pairs:
    for i in range(len(draft.problem.asks)):
        task, node = amounts(i)
        yield from draft.pairs(i, task.tolist(), None if node is None else node.tolist())


def _cost(draft: Draft, i: int) -> tuple[IntArray, IntArray]:
    ask = draft.problem.asks[i]
    whole, cost = per_node(ask.needs, ask.found), task_cost(ask.needs, ask.found)
    return np.where(whole, 0, cost), np.where(whole, cost, 0)


def _any_tasks(draft: Draft) -> Pairs:
    for (i, _), tasks in draft.tasks.items():
        if draft.problem.asks[i].needs.any_tasks:
            yield tasks, -1


def _primary(draft: Draft) -> Pairs:
    asks = draft.problem.asks
    yield from _each(draft, lambda i: (asks[i].score.task, asks[i].score.node))
    yield from _slowed(draft, [a.score.fabric for a in asks])
    yield from _peaks(draft, [a.score.peak for a in asks], "peak")
    yield from ((placed, ask.score.offset) for placed, ask in zip(draft.placed, asks, strict=True))


def _peaks(draft: Draft, values: list[IntArray], name: str) -> Pairs:
    """Yield the largest of an intent's values over the candidates that it uses, for every intent."""
    for i, ask in enumerate(draft.problem.asks):
        own = values[i].tolist()
        if ask.needs.tasks == 1:
            yield from draft.pairs(i, own)
        else:
            yield from _staircase(draft, i, own, name)


def _staircase(draft: Draft, i: int, own: list[int], name: str) -> Pairs:
    """Yield the maximum as a sum of steps: a step is climbed when a candidate at or above it is used.

    With one step for each value the relaxation is tight, unlike ``peak >= value * uses``.
    """
    below, lower = 0, None
    for height in sorted({amount for amount in own if amount > 0}):
        climbed = draft.flag(f"{name}[{draft.problem.asks[i].name}]>={height}")
        for j, amount in enumerate(own):
            if amount == height:
                draft.model.add_implication(draft.uses[i, j], climbed)
        if lower is not None:
            draft.model.add_implication(climbed, lower)
        yield climbed, height - below
        below, lower = height, climbed


def _providers(draft: Draft) -> Pairs:
    users: dict[int, list[Var]] = {}
    for i, ask in enumerate(draft.problem.asks):
        for j, provider in enumerate(ask.found.provider.tolist()):
            users.setdefault(provider, []).append(draft.uses[i, j])
    for provider, used in users.items():
        one = draft.flag(f"provider[{provider}]")
        for var in used:
            draft.model.add_implication(var, one)
        yield one, 1


def _nodes(draft: Draft) -> Pairs:
    for (i, g), nodes in draft.nodes.items():
        if int(draft.problem.asks[i].found.group[g]) not in draft.shared:
            yield nodes, 1
    yield from ((var, 1) for var in draft.open.values())


def _offers(draft: Draft) -> Iterator[tuple[str, Pairs]]:
    """Yield, intent by intent, what makes the list of its offers in task order the smallest.

    One task: the rank of its offer, nowhere being the last. Several: as many tasks as possible on the first
    offer, then on the next.
    """
    for i, ask in enumerate(draft.problem.asks):
        # Candidates of one offer have one rank.
        ranks = np.unique(ask.found.rows, return_inverse=True)[1].tolist()
        last = max(ranks, default=-1) + 1
        if ask.needs.tasks == 1:
            yield f"offers[{ask.name}]", draft.pairs(i, [rank - last for rank in ranks])
            continue
        for offer in range(last):
            on_it = [int(rank == offer) for rank in ranks]
            yield f"offers[{ask.name},{offer}]", ((v, -c) for v, c in draft.pairs(i, on_it))


_STEPS = {
    Stage.PLACED: _placing,
    Stage.PRIMARY: _primary_step,
    Stage.TERMS: _terms,
    Stage.FEWEST: _fewest,
    Stage.OFFERS: _offers,
}


def node_levels(draft: Draft, packing: Packing) -> Iterator[Level]:
    """Yield the levels of node numbers, once `packing` has settled the offers.

    As many tasks as possible on the lowest node of each offer used, then on the next. Equal nodes of an offer
    that belong to one intent are filled from the lowest on and need no level.
    """
    steps: list[tuple[str, Pairs]] = []
    for i, ask in enumerate(draft.problem.asks):
        for row in sorted({int(ask.found.rows[load.candidate]) for load in packing[i]}):
            on: dict[int, list[Var]] = {}
            for number, tasks in _seats(draft, i, row):
                on.setdefault(number, []).append(tasks)
            for number, some in sorted(on.items()):
                steps.append((f"node[{ask.name},{row},{number}]", iter([(tasks, -1) for tasks in some])))
    yield from _merged(draft, Stage.NODES, iter(steps))


def _seats(draft: Draft, i: int, row: int) -> Iterator[tuple[int, Var]]:
    """Yield (number, tasks of intent `i`) of the nodes of an offer that can be told apart."""
    ask, numbers = draft.problem.asks[i], draft.problem.inventory.groups
    owner = ask.found.rows[ask.found.group_candidate]
    own = np.flatnonzero(owner == row).tolist()
    for g in own:
        group, each = int(ask.found.group[g]), int(ask.found.group_tasks[g])
        if group in draft.shared:
            yield from ((numbers.node(group, v), draft.at[i, g, v]) for v in range(draft.shared[group]))
        elif len(own) > 1:
            count = min(int(ask.found.group_nodes[g]), -(-ask.needs.tasks // each))
            loads = [draft.count(min(each, ask.needs.tasks), f"on[{i},{g},{v}]") for v in range(count)]
            draft.model.add(cp_model.LinearExpr.sum(loads) == draft.tasks[i, g])
            yield from ((numbers.node(group, v), load) for v, load in enumerate(loads))
