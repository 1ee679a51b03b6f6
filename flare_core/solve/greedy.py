"""A first plan in a few milliseconds: the incumbent that every search starts from and falls back to."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from flare_core.inventory.types import IntArray
from flare_core.model.families import broken, rules_of
from flare_core.placement.ledger import Ledger
from flare_core.placement.order import value
from flare_core.placement.packing import Ask, Load, Loads, Packing, Problem, canonical
from flare_core.solve.bounds import seats
from flare_core.topology.gangs import closest

NEAR = 16
"""Parts of the fabric, of each size, in which a gang is tried as a whole."""


def greedy(problem: Problem, order: Sequence[int] | None = None) -> Packing:
    """Return a packing that keeps all rules, intents in the order of priority, then most demanding first.

    Or in another `order`.
    Each intent takes the best of a few ways to fill its nodes: by its objective, by price, by carbon, spread
    over failure domains. Intents for which none keeps the rules are left out.
    """
    packing: list[Loads] = [() for _ in problem.asks]
    ledger = Ledger(problem.inventory)
    if order is None:
        order = sorted(range(len(problem.asks)), key=lambda i: _precedence(problem.asks[i], i))
    for i in order:
        packing[i] = _best(problem, i, ledger)
        for load in packing[i]:
            ledger.take(i, problem.asks[i], load)
    return canonical(problem, tuple(packing))


def _best(problem: Problem, i: int, ledger: Ledger) -> Loads:
    """Return the best way to place intent `i` beside what is taken, () where there is none."""
    alone = replace(problem, asks=(problem.asks[i],))
    rules = rules_of(alone)
    ways = (loads for loads in _ways(problem.asks[i], i, ledger) if loads)
    good = [loads for loads in dict.fromkeys(ways) if not broken(alone, (loads,), rules)]
    return min(good, key=lambda loads: value(alone, (loads,)), default=())


def _precedence(ask: Ask, i: int) -> tuple[int, int, int, int]:
    return -ask.priority, len(ask.found), -ask.needs.tasks * max(1, ask.needs.gpus), i


def _ways(ask: Ask, i: int, ledger: Ledger) -> Iterator[Loads]:
    found, score, tasks = ask.found, ask.score, ask.needs.tasks
    if not len(found):
        return
    slots = np.ones(len(found), np.int64)
    np.maximum.at(slots, found.group_candidate, np.minimum(found.group_tasks, tasks))
    split = np.where(found.by_node, slots, 1)
    price = found.task_ueur / split
    primary = score.task + score.node / split + score.peak
    index = np.arange(len(found))
    for keys in ((primary, price), (price, primary), (found.carbon_ug, price)):
        order = np.lexsort((index, *keys[::-1], found.misses))
        yield fill(ask, i, ledger, order)
        if ask.needs.any_tasks:
            yield from (fill(ask, i, ledger, order, most) for most in _halves(tasks))
    if ask.needs.gang:
        yield from _close(ask, i, ledger, np.lexsort((index, price, primary, found.misses)))
    if ask.needs.availability is not None and tasks > 1:
        order = np.lexsort((index, price, primary, -found.uptime))
        for most in (1, -(-tasks // 3), tasks // 2):
            yield fill(ask, i, ledger, order, spread=max(1, most))


def _close(ask: Ask, i: int, ledger: Ledger, order: IntArray) -> Iterator[Loads]:
    """Yield ways to keep a gang together: the closest there is, of the best candidates and of all.

    Then on one node, and within ever shorter prefixes of its paths.
    """
    found, prefix = ask.found, ask.found.fabric.prefix
    room = seats(ask)[order]
    for number in (int(np.searchsorted(np.cumsum(room), ask.needs.tasks)) + 1, len(order)):
        worth = np.stack([found.misses, found.task_ueur, -found.performance_mtflops])
        last = worth[:, order[min(number, len(order)) - 1]]
        yield closest_loads(ask, ledger, np.flatnonzero((worth <= last[:, None]).all(axis=0)))
    roomy = found.group_candidate[found.group_tasks >= ask.needs.tasks]
    yield fill(ask, i, ledger, order[np.isin(order, roomy)][:NEAR])
    for d in reversed(range(prefix.shape[1])):
        column = prefix[order, d]
        _, first = np.unique(column, return_index=True)
        for at in sorted(first.tolist())[:NEAR]:
            if column[at] >= 0:
                yield fill(ask, i, ledger, order[column == column[at]])


def closest_loads(ask: Ask, ledger: Ledger, candidates: IntArray, *, proven: bool = False) -> Loads:
    """Put a gang on unused nodes of some candidates, as close together as can be.

    () where they do not do, and with `proven` where it is not proven that nothing is closer.
    """
    found = ask.found
    mine = np.flatnonzero(np.isin(found.group_candidate, candidates))
    if ask.needs.any_tasks or not len(mine):
        return ()
    tasks = ask.needs.tasks
    unused = np.array([ledger.unused(ask, g, tasks) for g in mine.tolist()], np.int64)
    paths = np.stack([_numbered(column) for column in found.fabric.prefix[found.group_candidate[mine]].T])
    gang = closest(found.group_tasks[mine], unused, paths, tasks)
    if gang is None or (proven and not all(gang.proven[:-1])):
        return ()
    return tuple(
        load
        for at in np.flatnonzero(gang.tasks).tolist()
        for load in _fresh(ask, ledger, int(mine[at]), int(gang.tasks[at]))
    )


def _numbered(codes: IntArray) -> IntArray:
    """Return `codes` without gaps, -1 as it is."""
    values, numbers = np.unique(codes, return_inverse=True)
    return numbers.reshape(-1) - int(values[0] < 0)


def _halves(tasks: int) -> Iterator[int]:
    while tasks > 1:
        tasks //= 2
        yield tasks


def fill(
    ask: Ask, i: int, ledger: Ledger, order: IntArray, most: int | None = None, spread: int | None = None
) -> Loads:
    """Fill candidates in `order`, at most `spread` tasks a failure domain; () where not enough fit."""
    found = ask.found
    left = ask.needs.tasks if most is None else most
    starts = np.searchsorted(found.group_candidate, np.arange(len(found) + 1))
    if found.sets:  # seats of several grades are on the same node: what is taken counts at once
        ledger = ledger.copy()
    in_domain: dict[int, int] = {}
    loads: list[Load] = []
    for j in order.tolist():
        domain = int(found.domain[j])
        allowed = left if spread is None else min(left, spread - in_domain.get(domain, 0))
        for g in range(starts[j], starts[j + 1]):
            for load in list(_fill_group(ask, i, ledger, j, g, allowed)):
                loads.append(load)
                if found.sets:
                    ledger.take(i, ask, load)
                allowed, left = allowed - load.tasks, left - load.tasks
                in_domain[domain] = in_domain.get(domain, 0) + load.tasks
        if left == 0:
            break
    return () if left and not (ask.needs.any_tasks and most is None) else tuple(loads)


def _fill_group(ask: Ask, i: int, ledger: Ledger, j: int, g: int, wanted: int) -> Iterator[Load]:
    begun = sorted(ledger.used.get(int(ask.found.group[g]), ()))
    for node in begun:
        room = min(wanted, ledger.room(i, ask, g, node))
        if room > 0:
            wanted -= room
            yield Load(j, g, node, room)
    yield from _fresh(ask, ledger, g, wanted)


def _fresh(ask: Ask, ledger: Ledger, g: int, wanted: int) -> Iterator[Load]:
    """Yield loads on nodes that nobody uses, each as full as can be."""
    j, each = int(ask.found.group_candidate[g]), int(ask.found.group_tasks[g])
    fresh = ledger.unused(ask, g, -(-wanted // each)) if wanted > 0 else 0
    taken, node = ledger.used.get(int(ask.found.group[g]), set()), 0
    for _ in range(fresh):
        while node in taken:
            node += 1
        tasks = min(wanted, each)
        wanted -= tasks
        yield Load(j, g, node, tasks)
        node += 1
