"""A plan as rows of text: what was chosen, what came next, and for each rule the cheapest offer it removed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from flare_core.adapters.cli.output import clean
from flare_core.candidates import pricing
from flare_core.candidates.emissions import carbon_ug
from flare_core.intent import Intent
from flare_core.inventory.types import IntArray, Inventory
from flare_core.placement.types import Outcome, Placement, Plan
from flare_core.quantities import format_eur, format_rate, parse_moment
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Requirements

UNKNOWN: Final = "?"
REJECTED_SHOWN: Final = 4

_PREFIXES: Final = ("workload.resources.", "workload.", "constraints.")
_BEST: Final = {
    "Cost_Minimization": "lowest cost",
    "Performance_Maximization": "highest throughput",
    "Latency_Minimization": "lowest latency",
    "Balanced_Optimization": "best balance",
    "Energy_Efficiency": "least carbon",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a placement, every figure as text; money in EUR."""

    mark: str
    offer: str
    provider: str
    place: str
    gpus: str
    tasks: str
    spot: str
    hourly: str
    total: str
    carbon: str
    latency: str
    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """One intent of a plan with what it asks, and what one task of it would cost on any offer."""

    plan: Plan
    number: int
    needs: Requirements

    @property
    def placement(self) -> Placement:
        """What became of the intent."""
        return self.plan.placements[self.number]

    def prices(self, offers: IntArray) -> IntArray:
        """Return the hourly price of one task as bought, micro-EUR; on a node billed whole the node's."""
        inventory = self.plan.inventory
        bought = pricing.bought_at(inventory, self.needs.spot)[offers]
        by_node = np.array([inventory.label["billing"][int(offer)] != "gpu" for offer in offers], np.bool_)
        return pricing.task_ueur(self.needs, inventory, offers, bought, by_node)


def looks(plan: Plan, intents: Sequence[Intent], now: str | datetime) -> list[Look]:
    """Return a look at each intent of a plan that was made at `now`."""
    moment = parse_moment(now).replace(microsecond=0)
    return [Look(plan, i, lower(intent, now=moment)) for i, intent in enumerate(intents)]


def rows_of(look: Look) -> list[Row]:
    """Return the rows of one placement, best first."""
    return [*_chosen(look), *_runner_up(look), *_rejected(look)]


def _chosen(look: Look) -> Iterator[Row]:
    """Yield a row for each offer and way in which its nodes are used."""
    a, placement = look.plan.assignments, look.placement
    nodes: dict[tuple[int, bool, int], list[int]] = {}
    for r in range(placement.rows.start, placement.rows.stop):
        nodes.setdefault((int(a.offer[r]), bool(a.spot[r]), int(a.node[r])), []).append(r)
    alike: dict[tuple[int, bool, int, tuple[int, ...]], list[tuple[int, list[int]]]] = {}
    for (offer, spot, node), rows in nodes.items():
        indices = tuple(sorted(i for r in rows for i in a.gpu_indices[a.gpu_offsets[r] : a.gpu_offsets[r + 1]]))
        alike.setdefault((offer, spot, len(rows), indices), []).append((node, rows))
    for (offer, spot, _, indices), used in alike.items():
        rows = [r for _, own in used for r in own]
        yield _row(
            look,
            offer,
            mark="CHOSEN",
            gpus=_gpus(look.plan.inventory, offer, len(indices) * len(used), indices),
            tasks=f"{len(rows)} on {_nodes([node for node, _ in used])}",
            spot=spot,
            task_count=len(rows),
            hourly=sum(int(a.hourly_ueur[r]) for r in rows),
            total=sum(_total(look.needs, int(a.hourly_ueur[r])) for r in rows),
            reason=_why(look),
        )


def _runner_up(look: Look) -> Iterator[Row]:
    found = look.plan.runners_up[look.number]
    if found is None:
        return
    more = format_rate(abs(found.more_ueur))
    costs = f"costs {more} {'more' if found.more_ueur > 0 else 'less'}" if found.more_ueur else "costs the same"
    yield _one_task(look, found.offer, "runner-up", f"next best; {costs} a task", spot=found.spot)


def _rejected(look: Look) -> Iterator[Row]:
    """Yield for each rule the cheapest of the offers whose first reason it was, the cheapest first."""
    funnel = look.plan.funnels[look.number]
    cheapest: list[tuple[int, int, str]] = []
    for k, step in enumerate(funnel.steps):
        removed = np.flatnonzero(funnel.first_reason == k)
        if len(removed):
            prices = look.prices(removed)
            best = int(prices.argmin())
            more = f" (with {len(removed) - 1} more)" if len(removed) > 1 else ""
            reason = f"{short(step.path or step.rule)}: asked {step.asked}{more}"
            cheapest.append((int(prices[best]), int(removed[best]), reason))
    for _, offer, reason in sorted(cheapest)[:REJECTED_SHOWN]:
        yield _one_task(look, offer, "rejected", reason)


def _one_task(look: Look, offer: int, mark: str, reason: str, *, spot: bool | None = None) -> Row:
    """Return the row of what one task on `offer` would be."""
    inventory, needs = look.plan.inventory, look.needs
    price = int(look.prices(np.array([offer]))[0])
    if spot is None:
        spot = int(pricing.bought_at(inventory, needs.spot)[offer]) != int(inventory.whole["hourly_ueur"][offer])
    gpus = _gpus(inventory, offer, int(inventory.whole["gpu_count"][offer]), ())
    total = _total(needs, price)
    return _row(look, offer, mark, gpus, "", spot, 1, price, total, reason)


def _row(
    look: Look,
    offer: int,
    mark: str,
    gpus: str,
    tasks: str,
    spot: bool,
    task_count: int,
    hourly: int,
    total: int,
    reason: str,
) -> Row:
    inventory = look.plan.inventory
    carbon = float(carbon_ug(look.needs, inventory, np.array([offer]))[0]) / 1e6
    place = "/".join(p for p in (inventory.label["region"][offer], inventory.label["zone"][offer]) if p)
    return Row(
        mark=mark,
        offer=clean(inventory.ids[offer]),
        provider=clean(inventory.label["provider"][offer] or UNKNOWN),
        place=clean(place or UNKNOWN),
        gpus=gpus,
        tasks=tasks,
        spot="spot" if spot else "",
        hourly=format_eur(hourly).removesuffix(" EUR"),
        total="" if look.needs.end is None else format_eur(total).removesuffix(" EUR"),
        carbon=_figure(task_count * carbon),
        latency=_figure(float(inventory.number["latency_ms"][offer])),
        reason=clean(reason),
    )


def _total(needs: Requirements, hourly: int) -> int:
    return int(pricing.total_ueur(np.array([hourly]), needs.length_s)[0])


def _why(look: Look) -> str:
    if look.plan.outcome is not Outcome.OPTIMAL:
        return "best found so far"
    best = _BEST[look.needs.objective.value]
    return f"{best}, all intents together" if len(look.plan.placements) > 1 else best


def _gpus(inventory: Inventory, offer: int, count: int, indices: Iterable[int]) -> str:
    if count <= 0:
        return "no GPU"
    which = ranges(indices)
    model = clean(inventory.label["gpu_model"][offer] or UNKNOWN)
    return f"{count} × {model}" + (f" [{which}]" if which else "")


def _nodes(nodes: list[int]) -> str:
    return f"{len(nodes)} nodes" if len(nodes) > 1 else f"node {nodes[0]}"


def _figure(value: float) -> str:
    return UNKNOWN if value != value else f"{value:,.1f}".removesuffix(".0")


def short(path: str) -> str:
    """Return an intent's path without the sections that everybody knows."""
    for prefix in _PREFIXES:
        path = path.removeprefix(prefix)
    return path


def ranges(numbers: Iterable[int]) -> str:
    """Return ascending numbers in short.

    >>> ranges([0, 1, 2, 5])
    '0-2,5'
    """
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
