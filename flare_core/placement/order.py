"""The one order among packings: which of two plans is better, down to the last tie."""

from collections.abc import Iterable
from itertools import zip_longest
from typing import NamedTuple

from flare_core.placement.headroom import most_more
from flare_core.placement.nodes import left_milli
from flare_core.placement.packing import Ask, Loads, Packing, Problem, totals

_NOWHERE = 2**62


class Value(NamedTuple):
    """The place of a packing in the order: smaller is better, field by field.

    ``prefixes`` are those that gangs use of the fabric's paths, the shortest first: few are close together.
    ``last_start`` adds up when the last tasks of the intents begin, which is how early they end: their length
    is given. ``left_milli`` is the fragmentation, see `placement.nodes.left_milli`.

    ``offers`` are the rows of the offers in task order (rows ascend with offer ids), ``node_numbers`` the
    numbers of the nodes likewise.
    """

    placed: int
    tasks: int
    misses: int
    primary: int
    cost_ueur: int
    performance: int
    prefixes: tuple[int, ...]
    latency_us: int
    carbon_ug: int
    last_start: int
    headroom: int
    left_milli: int
    providers: int
    nodes: int
    offers: tuple[tuple[int, ...], ...]
    node_numbers: tuple[tuple[int, ...], ...]


def value(problem: Problem, packing: Packing) -> Value:
    """Return the place of `packing` in the order of plans."""
    pairs = list(zip(problem.asks, packing, strict=True))
    sums = [totals(ask, loads) for ask, loads in pairs]
    nodes = {
        (int(ask.found.group[load.group]), load.node, load.start): int(ask.found.provider[load.candidate])
        for ask, loads in pairs
        for load in loads
    }
    seats = [sorted(_seats(problem, ask, loads)) for ask, loads in pairs]
    return Value(
        placed=-sum(ask.priority for ask, loads in pairs if loads),
        tasks=-sum(s.tasks for (ask, _), s in zip(pairs, sums, strict=True) if ask.needs.any_tasks),
        misses=sum(s.misses for s in sums),
        primary=sum(s.primary for s in sums),
        cost_ueur=sum(s.cost_ueur for s in sums),
        performance=-sum(s.performance_mtflops for s in sums),
        prefixes=_added(s.prefixes for s in sums),
        latency_us=sum(s.latency_us for s in sums),
        carbon_ug=sum(s.carbon_ug for s in sums),
        last_start=sum(s.last_start for s in sums),
        headroom=-sum(most_more(problem, packing, i)[0] for i in range(len(pairs))),
        left_milli=sum(left_milli(problem, packing)),
        providers=len(set(nodes.values())),
        nodes=len(nodes),
        offers=tuple(tuple(offer for offer, _ in seat) for seat in seats),
        node_numbers=tuple(tuple(node for _, node in seat) for seat in seats),
    )


def _added(counts: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """Add up, length by length, how many path prefixes gangs use."""
    return tuple(sum(column) for column in zip_longest(*counts, fillvalue=0))


def _seats(problem: Problem, ask: Ask, loads: Loads) -> list[tuple[int, int]]:
    """Return (offer row, node number) of every task; a task that is not placed comes after all others."""
    number = problem.inventory.groups.node
    missing = ask.needs.tasks - sum(load.tasks for load in loads)
    return [(_NOWHERE, _NOWHERE)] * missing + [
        (int(ask.found.rows[load.candidate]), number(int(ask.found.group[load.group]), load.node))
        for load in loads
        for _ in range(load.tasks)
    ]
