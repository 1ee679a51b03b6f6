"""Which GPUs the tasks on one node get, once it is settled which tasks lie there.

All tasks of a node are seated together, its grades chosen anew: the fewest misses, then the best objective,
then performance; shares open as few wholly free GPUs as they can, and touch as few GPUs; then what is left
free stays as well connected as possible; then the smallest GPU numbers, by intent name, then task.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import NamedTuple, Self

import numpy as np

from flare_core.candidates.inside import linked, partly_free
from flare_core.errors import InternalError
from flare_core.inventory.kinds import read_kind
from flare_core.inventory.types import Inventory
from flare_core.placement.nodes import Guest, card_at, free_set
from flare_core.placement.packing import Ask, Load
from flare_core.sharing.nodes import arrange, fresh_needed
from flare_core.sharing.states import fresh
from flare_core.sharing.types import Card, State, Want
from flare_core.topology.graph import LinkGraph
from flare_core.topology.rate import tree_rate

MOST_FAMILIES = 5_000
"""Ways to seat the tasks of a node that are compared."""

Gpus = tuple[int, ...]
Cost = tuple[int, int, int]


class Placed(NamedTuple):
    """One task on its GPUs, in a seat of the intent's candidate group ``group``."""

    gpus: Gpus
    group: int


class Guests(NamedTuple):
    """What one intent has on a node; ``span`` is that of a gang."""

    ask: Ask
    span: int
    loads: Sequence[Load]


class Option(NamedTuple):
    """A set of GPUs that a task may take: misses, objective and minus performance, its entry, its bits."""

    cost: Cost
    group: int
    mask: int


@dataclass(frozen=True, slots=True)
class Party:
    """The tasks of one intent on the node.

    ``options`` are the sets to choose from, none named where any GPUs will do at ``cost``; ``want`` is what
    they want of GPUs that are cut.
    """

    k: int
    tasks: int
    group: int
    options: tuple[Option, ...] = ()
    want: Want | None = None
    cost: Cost = (0, 0, 0)


Seated = tuple[tuple[Option, ...], ...]
"""For each party with whole GPUs the sets of its tasks."""


def seat(inventory: Inventory, group: int, guests: Sequence[Guests]) -> list[list[Placed]]:
    """Return where the tasks of each guest sit, ascending by their GPUs.

    Parameters
    ----------
    guests
        Intents by name, each with its loads on this node.

    Raises
    ------
    InternalError
        Where they do not fit, which `placement.nodes.gpus_hold` tells beforehand.
    """
    free = free_set(inventory, group)
    text = inventory.label["gpu_kind"][int(inventory.groups.offer[group])]
    graph = None if text is None else linked(read_kind(text))
    parties = [_party(one, free, graph) for one in guests]
    if graph is None or not any(party.k for party in parties):
        return [[Placed((), party.group)] * party.tasks for party in parties]
    whole = free.bit_count() - sum(p.k * p.tasks for p in parties if p.want is None)
    wants = tuple((at, p.want) for at, p in enumerate(parties) if p.want is not None)
    shares = _Shares.of(inventory, group, whole, wants)
    best: tuple[tuple[Cost, float], list[list[Placed]]] | None = None
    for reserved, seated in islice(_ways(graph, free, parties, shares.fresh), MOST_FAMILIES):
        left = free & ~reserved & ~sum(option.mask for own in seated for option in own)
        worth = (_total(seated), -_connected(graph, left))
        if best is None or worth <= best[0]:
            placed = shares.placed(parties, seated, reserved)
            if best is None or (worth, _numbers(placed)) < (best[0], _numbers(best[1])):
                best = worth, placed
    if best is None or best[0][0] > _counted(guests):
        return _as_counted(graph, free, parties, guests, shares)
    return best[1]


def _counted(guests: Sequence[Guests]) -> Cost:
    """Return what the plan counts for the tasks with whole GPUs."""
    return _sum(
        [
            tuple(load.tasks * part for part in _cost(one.ask, one.span, load.candidate))
            for one in guests
            for load in one.loads
        ]
    )


def _as_counted(
    graph: LinkGraph, free: int, parties: Sequence[Party], guests: Sequence[Guests], shares: "_Shares"
) -> list[list[Placed]]:
    """Seat the tasks in the grades that the plan counts, where there are too many ways to try them all."""
    split: list[Party] = []
    owner: list[int] = []
    for at, (party, one) in enumerate(zip(parties, guests, strict=True)):
        for load in one.loads if party.options else one.loads[:1]:
            options = tuple(option for option in party.options if option.group == load.group)
            tasks = load.tasks if party.options else party.tasks
            split.append(Party(party.k, tasks, load.group, options, party.want, party.cost))
            owner.append(at)
    way = next(_ways(graph, free, split, shares.fresh), None)
    if way is None:
        raise InternalError("the tasks on a node do not find the GPUs that they want")
    renumbered = {at: owner.index(at) for at in set(owner)}
    own = replace(shares, wants=tuple((renumbered[at], want) for at, want in shares.wants))
    result: list[list[Placed]] = [[] for _ in parties]
    for at, placed in zip(owner, own.placed(split, way[1], way[0]), strict=True):
        result[at] = sorted([*result[at], *placed])
    return result


def _sum(costs: Sequence[tuple[int, ...]]) -> Cost:
    misses, primary, minus = (sum(column) for column in zip(*costs, strict=True)) if costs else (0, 0, 0)
    return misses, primary, minus


def _cost(ask: Ask, span: int, j: int) -> Cost:
    found, score = ask.found, ask.score
    if found.cut[j] >= 0 or not ask.needs.gpus:
        return 0, 0, 0
    primary, speed = int(score.task[j]), int(found.performance_mtflops[j])
    if span:
        primary += int(score.fabric[j, span])
        speed -= int(found.fabric.loss[j, span])
    return int(found.misses[j]), primary, -speed


def _party(one: Guests, free: int, graph: LinkGraph | None) -> Party:
    ask, loads = one.ask, one.loads
    tasks, first = sum(load.tasks for load in loads), loads[0]
    guest = Guest(ask, first.group, tasks)
    if guest.want is not None or graph is None or not ask.needs.gpus:
        return Party(ask.needs.gpus, tasks, first.group, want=guest.want)
    k = ask.needs.gpus
    if graph.uniform:
        return Party(k, tasks, first.group, cost=_cost(ask, one.span, first.candidate))
    return Party(k, tasks, first.group, tuple(_options(ask, one.span, first, free)))


def _options(ask: Ask, span: int, load: Load, free: int) -> Iterator[Option]:
    """Yield the sets of all grades that the node has for the intent, the best first."""
    found = ask.found
    options: list[Option] = []
    for g in np.flatnonzero(found.group == found.group[load.group]).tolist():
        sets = Guest(ask, g, 1).sets or _all_sets(free, ask.needs.gpus)
        cost = _cost(ask, span, int(found.group_candidate[g]))
        options += [Option(cost, g, mask) for mask in sets]
    yield from sorted(options, key=lambda option: (option.cost, _gpus(option.mask)))


def _all_sets(free: int, k: int) -> Iterator[int]:
    return (sum(1 << gpu for gpu in some) for some in combinations(_gpus(free), k))


def _gpus(mask: int) -> Gpus:
    return tuple(i for i in range(mask.bit_length()) if mask >> i & 1)


def _total(seated: Seated) -> Cost:
    return _sum([option.cost for own in seated for option in own])


def _connected(graph: LinkGraph, left: int) -> float:
    return 0.0 if graph.uniform or left.bit_count() < 2 else tree_rate(graph, left)


def _numbers(placed: Sequence[Sequence[Placed]]) -> list[list[Gpus]]:
    return [[one.gpus for one in own] for own in placed]


def _ways(graph: LinkGraph, free: int, parties: Sequence[Party], opened: int) -> Iterator[tuple[int, Seated]]:
    """Yield (wholly free GPUs that shares open, sets of the whole tasks)."""
    whole = [party for party in parties if party.want is None and party.k]
    for reserved in _all_sets(free, opened):
        if graph.uniform:
            yield reserved, _lowest(free & ~reserved, whole)
        else:
            yield from ((reserved, seated) for seated in _families(free & ~reserved, whole))


def _lowest(free: int, parties: Sequence[Party]) -> Seated:
    numbers = iter(_gpus(free))
    return tuple(
        tuple(
            Option(party.cost, party.group, sum(1 << gpu for gpu in islice(numbers, party.k)))
            for _ in range(party.tasks)
        )
        for party in parties
    )


def _families(free: int, parties: Sequence[Party]) -> Iterator[Seated]:
    """Yield the ways to seat all parties on disjoint sets."""
    if not parties:
        yield ()
        return
    for own, left in _choices(free, parties[0].options, parties[0].tasks):
        for others in _families(left, parties[1:]):
            yield (own, *others)


def _choices(free: int, options: Sequence[Option], tasks: int) -> Iterator[tuple[tuple[Option, ...], int]]:
    if tasks == 0:
        yield (), free
        return
    for at, option in enumerate(options):
        if option.mask & free == option.mask:
            for rest, left in _choices(free & ~option.mask, options[at + 1 :], tasks - 1):
                yield (option, *rest), left


@dataclass(frozen=True, slots=True)
class _Shares:
    """The shares on a node: of which parties, on GPUs in which states, opening how many free ones."""

    card: Card | None
    states: Mapping[int, State]
    wants: tuple[tuple[int, Want], ...]
    fresh: int

    @classmethod
    def of(cls, inventory: Inventory, group: int, whole: int, wants: tuple[tuple[int, Want], ...]) -> Self:
        """Find out how many free GPUs the shares need, where whole tasks leave `whole` of them."""
        card = card_at(inventory, group) if wants else None
        if card is None:
            return cls(None, {}, (), 0)
        states = partly_free(inventory, group, card)
        needed = fresh_needed(card, tuple(states.values()), whole, tuple(want for _, want in wants))
        if needed is None:
            raise InternalError("the shares on a node do not fit")
        return cls(card, states, wants, needed)

    def placed(self, parties: Sequence[Party], seated: Seated, reserved: int) -> list[list[Placed]]:
        """Return the tasks of all parties, the shares on partly used GPUs and those in `reserved`."""
        whole = iter(seated)
        result = [
            [Placed((), p.group)] * p.tasks
            if not p.k
            else []
            if p.want is not None
            else sorted(Placed(_gpus(o.mask), o.group) for o in next(whole))
            for p in parties
        ]
        if self.card is None:
            return result
        states = dict(self.states) | {gpu: fresh(self.card) for gpu in _gpus(reserved)}
        found = arrange(self.card, dict(sorted(states.items())), tuple(want for _, want in self.wants))
        if found is None:
            raise InternalError("the shares on a node do not fit")
        for (at, _), tasks in zip(self.wants, found, strict=True):
            result[at] = sorted(
                Placed(tuple(sorted(gpu for gpu, _ in places)), parties[at].group) for places in tasks
            )
        return result
