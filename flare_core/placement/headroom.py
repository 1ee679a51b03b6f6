"""How many more replicas of a service would still fit, and what all of them would cost."""

from typing import NamedTuple

import numpy as np

from flare_core.inventory.types import IntArray, Mask
from flare_core.placement.ledger import Ledger
from flare_core.placement.packing import Ask, Packing, Problem, Totals, totals

_NEVER = 2**61

FRONT = 64
"""Sums of price and carbon that are carried on, for each number of replicas."""


def most_more(problem: Problem, packing: Packing, i: int) -> tuple[int, int]:
    """Return (replicas, hourly price of all replicas in micro-EUR).

    More replicas go anywhere they are eligible, beside everything that `packing` places, while the
    intent's own budgets hold; (0, …) without ``auto_scale``.
    """
    ask, loads = problem.asks[i], packing[i]
    wanted = ask.needs.max_tasks - ask.needs.tasks
    now = totals(ask, loads)
    if not ask.needs.auto_scale or not loads or wanted <= 0:
        return 0, now.hourly_ueur
    lots = _lots(problem, packing, i, wanted)
    if ask.needs.max_carbon_ug is not None:
        return _under_cap(ask, now, lots, wanted)
    hourly = _cheapest([(lot.slots, lot.hourly, lot.number) for lot in lots], wanted)
    total = _cheapest([(lot.slots, lot.total, lot.number) for lot in lots], wanted)
    more = int(np.flatnonzero(_affordable(ask, now, hourly, total))[-1])
    return more, now.hourly_ueur + int(hourly[more])


class _Lot(NamedTuple):
    """Purchases that are alike: tasks that one holds, hourly and total price, carbon of a task, how many."""

    slots: int
    hourly: int
    total: int
    carbon: int
    number: int


def _under_cap(ask: Ask, now: Totals, lots: list[_Lot], wanted: int) -> tuple[int, int]:
    """Return (replicas, hourly price of all) where carbon is capped, too.

    Purchase by purchase, for each number of tasks the sums that no other sum beats in every budget; of more
    than `FRONT` such sums the cheapest and greenest are kept, which may tell less than would fit.
    """
    needs = ask.needs
    limits = [
        (_NEVER if limit is None else limit) - spent
        for limit, spent in (
            (needs.max_hourly_ueur, now.hourly_ueur),
            (needs.max_total_ueur, now.total_ueur),
            (needs.max_carbon_ug, now.carbon_peak_ug),
        )
    ]
    fronts: dict[int, list[tuple[int, int, int]]] = {0: [(0, 0, 0)]}
    for lot in sorted(lots):
        for _ in range(min(lot.number, -(-wanted // lot.slots))):
            grown = _grown(fronts, lot, limits, wanted)
            if grown == fronts:
                break
            fronts = grown
    more = max(fronts)
    return more, now.hourly_ueur + min(hourly for hourly, _, _ in fronts[more])


def _grown(
    fronts: dict[int, list[tuple[int, int, int]]], lot: _Lot, limits: list[int], wanted: int
) -> dict[int, list[tuple[int, int, int]]]:
    """Return the fronts with one more purchase of `lot` to choose from."""
    found = {tasks: set(sums) for tasks, sums in fronts.items()}
    for tasks, sums in fronts.items():
        for used in range(1, min(lot.slots, wanted - tasks) + 1):
            added = (lot.hourly, lot.total, used * lot.carbon)
            for one in sums:
                new = (one[0] + added[0], one[1] + added[1], one[2] + added[2])
                if all(a <= b for a, b in zip(new, limits, strict=True)):
                    found.setdefault(tasks + used, set()).add(new)
    return {tasks: _front(sums) for tasks, sums in found.items()}


def _front(sums: set[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    kept: list[tuple[int, int, int]] = []
    for one in sorted(sums):
        if not any(all(a <= b for a, b in zip(other, one, strict=True)) for other in kept):
            kept.append(one)
    return kept if len(kept) <= FRONT else [*kept[: FRONT // 2], *kept[-FRONT // 2 :]]


def _affordable(ask: Ask, now: Totals, hourly: IntArray, total: IntArray) -> Mask:
    needs = ask.needs
    good: Mask = hourly < _NEVER
    if needs.max_hourly_ueur is not None:
        good &= now.hourly_ueur + hourly <= needs.max_hourly_ueur
    if needs.max_total_ueur is not None:
        good &= now.total_ueur + total <= needs.max_total_ueur
    return good


def _lots(problem: Problem, packing: Packing, i: int, wanted: int) -> list[_Lot]:
    """Return what could still be bought."""
    ask = problem.asks[i]
    found, ledger = ask.found, Ledger.of(problem, packing)
    lots: list[_Lot] = []
    for g in sorted(np.unique(found.group, return_index=True)[1].tolist()):  # once, whatever its grades
        j = int(found.group_candidate[g])
        hourly, total = int(found.task_ueur[j]), int(found.task_total_ueur[j])
        carbon = int(found.carbon_peak_ug[j])
        begun = sum(ledger.growth(i, ask, g, node) for node in ledger.used.get(int(found.group[g]), ()))
        slots = int(found.group_room[g])
        fresh = ledger.unused(ask, g, -(-wanted // slots))
        if found.by_node[j]:
            lots += [_Lot(1, 0, 0, carbon, begun), _Lot(slots, hourly, total, carbon, fresh)]
        else:
            lots.append(_Lot(1, hourly, total, carbon, begun + fresh * slots))
    return lots


def _cheapest(lots: list[tuple[int, int, int]], wanted: int) -> IntArray:
    """Return the least price of room for 0, 1, … `wanted` more tasks; ``_NEVER`` where there is no room.

    `lots` are (slots, price, number). Purchases of one slot are taken cheapest first; larger ones are a
    knapsack, of which only the ``wanted / size`` cheapest of each size matter.
    """
    by_size: dict[int, list[tuple[int, int]]] = {}
    for slots, price, number in lots:
        by_size.setdefault(min(slots, wanted), []).append((price, number))
    singly = _prefix(by_size.pop(1, []), wanted)
    if not by_size:
        return singly
    least = np.full(wanted + 1, _NEVER)
    least[0] = 0
    for size, offers in by_size.items():
        left = -(-wanted // size)
        for price, number in sorted(offers):
            for _ in range(min(left, number)):
                fewer = np.concatenate([np.full(size, least[0]), least[:-size]])
                least = np.minimum(least, fewer + price)
            left -= min(left, number)
    least = np.minimum.accumulate(least[::-1])[::-1]  # room for more is room for fewer
    return np.array([int((least[: e + 1] + singly[e::-1]).min()) for e in range(wanted + 1)], np.int64)


def _prefix(offers: list[tuple[int, int]], wanted: int) -> IntArray:
    """Return the least price of 0, 1, … single slots."""
    prices: list[int] = []
    for price, number in sorted(offers):
        prices += [price] * min(number, wanted - len(prices))
    result = np.full(wanted + 1, _NEVER)
    result[: len(prices) + 1] = np.cumsum([0, *prices])
    return result
