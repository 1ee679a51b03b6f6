"""How many more replicas of a service would still fit, and what all of them would cost."""

from flare_core.placement.ledger import Ledger
from flare_core.placement.packing import Ask, Packing, Problem, Totals, totals

_NEVER = 2**62


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
    cheapest = _cheapest([(slots, hourly) for slots, hourly, _ in lots], wanted)
    in_total = _cheapest([(slots, total) for slots, _, total in lots], wanted)
    more = max(e for e in range(wanted + 1) if _affordable(ask, now, cheapest[e], in_total[e]))
    return more, now.hourly_ueur + cheapest[more]


def _affordable(ask: Ask, now: Totals, hourly: int, total: int) -> bool:
    needs = ask.needs
    if hourly >= _NEVER:
        return False
    if needs.max_hourly_ueur is not None and now.hourly_ueur + hourly > needs.max_hourly_ueur:
        return False
    return needs.max_total_ueur is None or now.total_ueur + total <= needs.max_total_ueur


def _lots(problem: Problem, packing: Packing, i: int, wanted: int) -> list[tuple[int, int, int]]:
    """Return what could still be bought: (tasks it holds, hourly price, total price) of each purchase."""
    ask = problem.asks[i]
    found, ledger = ask.found, Ledger.of(problem, packing)
    lots: list[tuple[int, int, int]] = []
    for g, j in enumerate(found.group_candidate.tolist()):
        hourly, total = int(found.task_ueur[j]), int(found.task_total_ueur[j])
        begun = sum(ledger.room(i, ask, g, node) for node in ledger.used.get(int(found.group[g]), ()))
        slots = int(found.group_tasks[g])
        fresh = ledger.unused(ask, g, -(-wanted // slots))
        if found.by_node[j]:
            lots += [(1, 0, 0)] * min(begun, wanted) + [(slots, hourly, total)] * fresh
        else:
            lots += [(1, hourly, total)] * min(wanted, begun + fresh * slots)
    return lots


def _cheapest(lots: list[tuple[int, int]], wanted: int) -> list[int]:
    """Return the least price of room for 0, 1, … `wanted` more tasks; ``_NEVER`` where there is no room.

    Purchases of one size are taken cheapest first, so only the first ``wanted / size`` of each size matter.
    """
    price = [0] + [_NEVER] * wanted
    by_size: dict[int, list[int]] = {}
    for slots, cost in lots:
        by_size.setdefault(min(slots, wanted), []).append(cost)
    for size, costs in by_size.items():
        for cost in sorted(costs)[: -(-wanted // size)]:
            for e in range(wanted, 0, -1):
                price[e] = min(price[e], price[max(0, e - size)] + cost)
    return price
