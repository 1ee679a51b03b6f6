"""Problems as the inner rooms see them, and all their packings where there are few."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import flare_core as flare
from flare_core.candidates.screen import screen
from flare_core.intent import read_intent
from flare_core.inventory.types import ELASTIC
from flare_core.options import DEFAULT_WEIGHTS
from flare_core.placement.packing import Ask, Load, Loads, Packing, Problem
from flare_core.placement.score import score
from flare_core.quantities import parse_moment
from flare_core.requirements.lower import lower
from tests.worlds import NOW, Json, World, world


def problem(intents: Json | list[Json], *offers: Json, **settings: Any) -> Problem:
    """Return the problem of a world in one line."""
    return problem_of(world(intents, *offers, **settings))


def problem_of(one: World) -> Problem:
    """Return what the engine would search in."""
    inventory = flare.read_inventory({"version": 1, "offers": list(one.offers)})
    needs = sorted((lower(read_intent(i), now=parse_moment(NOW)) for i in one.intents), key=lambda n: n.name)
    balance = _balance(one.weights)
    asks = []
    for each in needs:
        found = screen(each, inventory, alone=len(needs) == 1)
        worth = score(each, found, balance, scaled=len(needs) > 1)
        asks.append(Ask(each, found, worth, round(one.priorities.get(each.name, 1) * 1e6)))
    return Problem(tuple(asks), inventory)


def _balance(weights: Mapping[str, float] | None) -> Mapping[str, float]:
    given = DEFAULT_WEIGHTS if weights is None else weights
    return {term: float(given.get(term, 0)) for term in DEFAULT_WEIGHTS}


def group_of(one: Problem, offer: str, i: int = 0, node: int = 0) -> int:
    """Return the number of the intent's candidate group that holds a node of an offer."""
    found, groups = one.asks[i].found, one.inventory.groups
    for g, group in enumerate(found.group.tolist()):
        if one.inventory.ids[groups.offer[group]] != offer:
            continue
        most = int(groups.count[group])
        if most == ELASTIC or node in {groups.node(group, k) for k in range(most)}:
            return g
    raise LookupError(f"no group of {offer} with node {node}")


def load(one: Problem, offer: str, tasks: int = 1, node: int = 0, i: int = 0) -> Load:
    """Return a load of intent `i` on a node, named by its number in the offer."""
    g = group_of(one, offer, i, node)
    group = int(one.asks[i].found.group[g])
    k = next(k for k in range(node + 1) if one.inventory.groups.node(group, k) == node)
    return Load(int(one.asks[i].found.group_candidate[g]), g, k, tasks)


def packings(one: Problem) -> Iterator[Packing]:
    """Yield every packing in which no node takes more than one intent alone could put there.

    Nodes of an elastic offer are counted as far as the tasks of all intents reach; other rules are not kept.
    """
    yield from product(*(list(_loads(one, i)) for i in range(len(one.asks))))


def _loads(one: Problem, i: int) -> Iterator[Loads]:
    ask = one.asks[i]
    everyone = sum(a.needs.tasks for a in one.asks)
    places: list[tuple[int, int, int, int]] = []
    for g, j in enumerate(ask.found.group_candidate.tolist()):
        count = int(ask.found.group_nodes[g])
        for node in range(everyone if count == ELASTIC else min(count, everyone)):
            places.append((j, g, node, int(ask.found.group_tasks[g])))
    yield ()
    for number in range(1 if ask.needs.any_tasks else ask.needs.tasks, ask.needs.tasks + 1):
        yield from _filled(places, number)


def _filled(places: list[tuple[int, int, int, int]], left: int) -> Iterator[Loads]:
    if left == 0:
        yield ()
    elif places:
        j, g, node, most = places[0]
        for tasks in range(min(most, left) + 1):
            for rest in _filled(places[1:], left - tasks):
                yield (Load(j, g, node, tasks), *rest) if tasks else rest


def count_places(one: Problem) -> int:
    """Return how many packings there are at most, by orders of magnitude."""
    total = 1
    for ask in one.asks:
        everyone = sum(a.needs.tasks for a in one.asks)
        nodes = [everyone if n == ELASTIC else min(n, everyone) for n in ask.found.group_nodes.tolist()]
        total *= max(1, sum(nodes)) ** ask.needs.tasks
    return total


def random_packing(one: Problem, random: Random) -> Packing:
    """Return tasks thrown at nodes without looking: most such packings break some rule."""
    packing: list[Loads] = []
    for i, ask in enumerate(one.asks):
        thrown: dict[tuple[int, int], int] = {}
        wanted = ask.needs.tasks if random.random() < 0.8 else random.randint(0, ask.needs.tasks + 1)
        for _ in range(wanted if len(ask.found) else 0):
            g = random.randrange(len(ask.found.group))
            count = int(ask.found.group_nodes[g])
            node = random.randrange(2 if count == ELASTIC else min(2, count))
            thrown[g, node] = thrown.get((g, node), 0) + 1
        packing.append(_compact(one, i, thrown))
    return tuple(packing)


def _compact(one: Problem, i: int, thrown: Mapping[tuple[int, int], int]) -> Loads:
    owner = one.asks[i].found.group_candidate.tolist()
    return tuple(Load(owner[g], g, node, tasks) for (g, node), tasks in sorted(thrown.items()))


def with_needs(one: Problem, i: int, **changes: Any) -> Problem:
    """Return `one` with figures of an intent's requirements changed."""
    asks = list(one.asks)
    asks[i] = replace(asks[i], needs=replace(asks[i].needs, **changes))
    return replace(one, asks=tuple(asks))
