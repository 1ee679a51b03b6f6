"""How far one constraint may move, the others staying as they are.

Amounts that offers state are tried as they are offered, since nothing changes in between. Budgets go from one
placement to the next: one micro-euro below what the last one costs. Both are exact.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import numpy as np

from flare_core.candidates.screens.screen import amount
from flare_core.explanation.questions import Questions, differs, places, steady, used
from flare_core.explanation.relax import COUNT, GPU, Solved, Unproven, without
from flare_core.placement.packing import Totals
from flare_core.requirements.types import Limit, Objective, Requirements

Amount = TypeVar("Amount", int, float)

Recount = Callable[[int], Requirements]
"""Returns the requirements of the same intent with another number of GPUs for each task."""

MOST_STEPS = 40
"""Amounts that are tried one after the other where no order among the answers is known."""


class _Budget(NamedTuple):
    """A limit on a sum over the placement: its field, the sum, and the objective that makes it small."""

    field: str
    figure: Callable[[Totals], int]
    objective: Objective


_BUDGETS: Mapping[str, _Budget] = MappingProxyType(
    {
        "constraints.max_hourly_cost": _Budget(
            "max_hourly_ueur", lambda sums: sums.hourly_ueur, Objective.COST
        ),
        "constraints.max_total_cost": _Budget("max_total_ueur", lambda sums: sums.total_ueur, Objective.COST),
        "constraints.energy.max_carbon_footprint": _Budget(
            "max_carbon_ug", lambda sums: sums.carbon_peak_ug, Objective.ENERGY
        ),
    }
)
MOST_INSTANCES = 7
"""MIG instances of one GPU."""

MOST_INSTANCES = 7
"""MIG instances of one GPU."""

_FREE = MappingProxyType({"cpu": "cpu_milli", "memory": "memory_mib"})
_OF_A_SHARE = frozenset({f"{GPU}.memory", f"{GPU}.cores", f"{GPU}.fp32_tflops"})


@dataclass(frozen=True, slots=True)
class Move:
    """How far a constraint may move, in the unit of its limit; None as in `account.Movement`."""

    stays_to: float | None = None
    possible_to: float | None = None
    better_from: float | None = None
    better: Solved | None = None


def movement(chosen: Solved, limit: Limit, questions: Questions, recount: Recount) -> Move | None:
    """Return how far the constraint of `limit` may move; None where it has no amount that moves.

    Raises
    ------
    Unproven
        Where that was not settled.
    """
    needs = chosen.ask.needs
    if limit.path in _BUDGETS:
        return _budget(chosen, limit, questions)
    if limit.path == COUNT:
        return _count(chosen, questions, recount)
    if limit.rule in _FREE:
        return _beside(needs, limit, questions)
    in_share = needs.share is not None and limit.path in _OF_A_SHARE
    if limit.rule in ("at-least", "at-most") and not in_share:
        return _offered(chosen, limit, questions)
    return None


def got(chosen: Solved, limit: Limit, questions: Questions) -> float | None:
    """Return what a placement has of what `limit` asks, the worst of its offers; None where unknown."""
    if limit.path in _BUDGETS:
        return _BUDGETS[limit.path].figure(chosen.totals)
    if limit.rule not in ("at-least", "at-most"):
        return None
    rows = chosen.ask.found.rows[used(chosen)]
    worst = min if limit.rule == "at-least" else max
    values = _known(questions, limit, rows)
    return worst(values) if len(values) == len(rows) else None


def moved(needs: Requirements, limit: Limit, to: float) -> Requirements:
    """Return `needs` as if the intent said `to` where `limit` stands."""

    def at(one: Limit) -> Limit:
        return replace(one, asked=to, unknown_passes=False) if one == limit else one

    figures: dict[str, float] = {}
    if limit.path in _BUDGETS:
        figures = {_BUDGETS[limit.path].field: to}
    elif limit.rule in _FREE:
        figures = {_FREE[limit.rule]: to}
    elif limit.path == "constraints.max_latency_ms":
        figures = {"latency_limit_ms": to}
    return replace(needs, limits=tuple(map(at, needs.limits)), **figures)  # type: ignore[arg-type]  # one each


def possible(needs: Requirements, questions: Questions) -> bool:
    """Whether `needs` can be placed at all; asked of the cheapest placement, which is found soonest."""
    return questions.best(_any_at_all(needs, Objective.COST)) is not None


def _any_at_all(needs: Requirements, objective: Objective) -> Requirements:
    """Return `needs` without what is only wished for."""
    fewest = 1 if needs.any_tasks else needs.tasks
    return replace(
        needs,
        objective=objective,
        tasks=fewest,
        max_tasks=fewest,
        auto_scale=False,
        preferences=(),
        infiniband=needs.infiniband and needs.hard_wishes,
    )


# --- amounts that offers state ----------------------------------------------------------------------


def _offered(chosen: Solved, limit: Limit, questions: Questions) -> Move:
    needs = chosen.ask.needs
    free = questions.asked(without(needs, [limit.path]))
    rising = limit.rule == "at-least"
    values = sorted(set(_known(questions, limit, free.found.rows)), reverse=not rising)
    at = amount(limit)
    stricter = [value for value in values if value >= at] if rising else [v for v in values if v <= at]
    laxer = [value for value in reversed(values) if value not in set(stricter)]

    def placed(value: float) -> Solved | None:
        return questions.best(moved(needs, limit, value))

    ordered = steady(free)
    most = _first(stricter, lambda value: not possible(moved(needs, limit, value), questions), ordered=True)
    other = _first(laxer, lambda value: differs(placed(value), chosen), ordered=ordered)
    return Move(
        stays_to=got(chosen, limit, questions) if ordered else None,
        possible_to=stricter[most - 1] if most else at,
        better_from=laxer[other] if other < len(laxer) else None,
        better=placed(laxer[other]) if other < len(laxer) else None,
    )


def _known(questions: Questions, limit: Limit, rows: Sequence[int] | np.ndarray) -> list[float]:
    inventory = questions.inventory
    values = (inventory.value(limit.column, int(row)) for row in rows)
    return [float(value) for value in values if isinstance(value, int | float)]


def _first(values: Sequence[Amount], holds: Callable[[Amount], bool], *, ordered: bool) -> int:
    """Return the index of the first value for which `holds`, their number where none.

    Parameters
    ----------
    ordered
        Whether it holds for all values after the first one.
    """
    if ordered:
        return bisect_left(range(len(values)), True, key=lambda k: holds(values[k]))
    for k, value in enumerate(values[:MOST_STEPS]):
        if holds(value):
            return k
    if len(values) > MOST_STEPS:
        raise Unproven
    return len(values)


# --- budgets ----------------------------------------------------------------------------------------


def _budget(chosen: Solved, limit: Limit, questions: Questions) -> Move:
    figure = _BUDGETS[limit.path].figure
    least = _least(chosen, limit, questions)
    ordered = steady(questions.asked(without(chosen.ask.needs, [limit.path])))
    better = _better(chosen, limit, questions) if ordered else None
    return Move(
        stays_to=figure(chosen.totals) if ordered else None,
        possible_to=least,
        better_from=None if better is None else figure(better.totals),
        better=better,
    )


def _least(chosen: Solved, limit: Limit, questions: Questions) -> int:
    """Return the smallest budget with which there is a placement."""
    budget = _BUDGETS[limit.path]
    any_at_all = _any_at_all(chosen.ask.needs, budget.objective)
    least = budget.figure(chosen.totals)
    for _ in range(MOST_STEPS):
        lower = questions.best(moved(any_at_all, limit, least - 1)) if least else None
        if lower is None:
            return least
        least = budget.figure(lower.totals)
    raise Unproven


def _better(chosen: Solved, limit: Limit, questions: Questions) -> Solved | None:
    """Return what is chosen under the smallest larger budget with which it is not the same."""
    needs, better = chosen.ask.needs, None
    other = questions.best(without(needs, [limit.path]))
    for _ in range(MOST_STEPS):
        if other is None or not differs(other, chosen):
            return better
        better = other
        budget = _BUDGETS[limit.path].figure(other.totals) - 1
        if budget <= int(amount(limit)):
            return better
        other = questions.best(moved(needs, limit, budget))
    raise Unproven


# --- amounts of one task ----------------------------------------------------------------------------


def _count(chosen: Solved, questions: Questions, recount: Recount) -> Move:
    gpus, share = chosen.ask.needs.gpus, chosen.ask.needs.share
    each = MOST_INSTANCES if share and share.instances else 1
    counts = range(gpus + 1, each * int(questions.inventory.whole["gpu_count"].max()) + 1)
    linked = recount(max(2, gpus))
    # Fewer GPUs may be linked worse: where that is a condition, there is no order among the answers.
    ordered = not (linked.hard_wishes or linked.linking.efficiency_ppm)
    most = _possible(counts, lambda k: possible(recount(k), questions), ordered=ordered)
    more = range(gpus + 1, most + 1)
    same = _first(more, lambda k: _offers(questions.best(recount(k))) != _offers(chosen), ordered=False)
    return Move(stays_to=gpus + same, possible_to=most)


def _possible(counts: range, placed: Callable[[int], bool], *, ordered: bool) -> int:
    """Return the largest of `counts` that can be placed, one less than the first where none can."""
    if ordered:
        return counts.start - 1 + bisect_left(counts, True, key=lambda k: not placed(k))
    if len(counts) > MOST_STEPS:
        raise Unproven
    return next((k for k in reversed(counts) if placed(k)), counts.start - 1)


def _offers(solved: Solved | None) -> set[tuple[int, bool]]:
    return {(row, spot) for row, spot, _ in places(solved)} if solved else set()


def _beside(needs: Requirements, limit: Limit, questions: Questions) -> Move:
    """Return how much of a node's cores or memory a task may ask for; that changes its price and carbon."""
    least, free = int(amount(limit)), np.unique(getattr(questions.inventory.groups, limit.column))
    priced = needs.gpus == 0 and (needs.max_hourly_ueur or needs.max_total_ueur) is not None
    if needs.tasks <= MOST_STEPS and needs.max_carbon_ug is None and not priced:
        # What is free on a node, for one task there, or two, or more: nothing else comes to an end.
        amounts: Sequence[int] = np.unique(free[:, None] // np.arange(1, needs.tasks + 1)).tolist()
    else:
        amounts = range(int(free.max()) + 1)
    more = amounts[bisect_right(amounts, least) :]
    over = bisect_left(more, True, key=lambda to: not possible(moved(needs, limit, to), questions))
    return Move(possible_to=more[over - 1] if over else least)
