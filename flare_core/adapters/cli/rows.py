"""A plan as rows of text: what was chosen, the next best, and for each rule the cheapest offer it removed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from flare_core.adapters.cli.look import Look
from flare_core.adapters.cli.output import clean
from flare_core.placement.types import Outcome
from flare_core.quantities import format_rate

REJECTED_SHOWN: Final = 4
"""Removed offers that are shown, each for a rule of its own."""

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


def rows_of(look: Look) -> list[Row]:
    """Return the rows of one placement, best first."""
    return [*_chosen(look), *_runner_up(look), *_rejected(look)]


def _chosen(look: Look) -> Iterator[Row]:
    """Yield a row for each offer and way in which its nodes are used."""
    alike: dict[tuple[int, bool, int, tuple[int, ...]], list[tuple[int, list[int]]]] = {}
    for (offer, spot, node), rows in _by_node(look).items():
        gpus = tuple(sorted({gpu for r in rows for gpu in _gpus(look, r)}))
        alike.setdefault((offer, spot, len(rows), gpus), []).append((node, rows))
    for (offer, spot, _, gpus), used in alike.items():
        nodes, tasks = [node for node, _ in used], [r for _, rows in used for r in rows]
        turns = _turns(look, tasks)
        waves = f" in {len(turns)} waves" if len(turns) > 1 else ""
        every = [price for prices in turns for price in prices]
        shown = look.figures(offer, max(turns, key=sum)) | {"total": look.total(every)}
        yield Row(
            mark="CHOSEN",
            gpus=f"{len(gpus) * len(used)} × {look.model(offer)} [{ranges(gpus)}]" if gpus else "no GPU",
            tasks=f"{len(tasks)} on "
            + (f"{len(nodes)} nodes" if len(nodes) > 1 else f"node {nodes[0]}")
            + waves,
            spot="spot" if spot else "",
            reason=_why(look),
            **shown,
        )


def _turns(look: Look, rows: list[int]) -> list[list[int]]:
    """Return the hourly prices of tasks, those that begin together in one list."""
    a, turns = look.plan.assignments, dict[int, list[int]]()
    for r in rows:
        turns.setdefault(int(a.start_s[r]), []).append(int(a.hourly_ueur[r]))
    return list(turns.values())


def _by_node(look: Look) -> dict[tuple[int, bool, int], list[int]]:
    """Return the placement's assignments by offer, spot and node."""
    a, nodes = look.plan.assignments, dict[tuple[int, bool, int], list[int]]()
    for r in range(look.made.rows.start, look.made.rows.stop):
        nodes.setdefault((int(a.offer[r]), bool(a.spot[r]), int(a.node[r])), []).append(r)
    return nodes


def _gpus(look: Look, row: int) -> list[int]:
    a = look.plan.assignments
    indices: list[int] = a.gpu_indices[a.gpu_offsets[row] : a.gpu_offsets[row + 1]].tolist()
    return indices


def _runner_up(look: Look) -> Iterator[Row]:
    found = look.plan.runners_up[look.number]
    if found is not None:
        more = f"{format_rate(abs(found.more_ueur))} {'more' if found.more_ueur > 0 else 'less'}"
        yield _one_task(
            look, found.offer, "runner-up", f"next best: {more if found.more_ueur else 'the same'} in all"
        )


def _rejected(look: Look) -> Iterator[Row]:
    """Yield for each rule the cheapest of the offers whose first reason it was, the cheapest first."""
    funnel = look.plan.funnels[look.number]
    cheapest: list[tuple[int, int, str]] = []
    for k, step in enumerate(funnel.steps):
        removed = np.flatnonzero(funnel.first_reason == k)
        if len(removed):
            prices = look.prices(removed)
            best = int(prices.argmin())
            others = f" ({len(removed) - 1} others too)" if len(removed) > 1 else ""
            reason = f"{short(step.path or step.rule)}: {step.asked}{others}"
            cheapest.append((int(prices[best]), int(removed[best]), reason))
    for _, offer, reason in sorted(cheapest)[:REJECTED_SHOWN]:
        yield _one_task(look, offer, "rejected", reason)


def _one_task(look: Look, offer: int, mark: str, reason: str) -> Row:
    """Return the row of what one task on `offer` would be."""
    return Row(
        mark=mark,
        gpus=look.gpus(offer),
        tasks="",
        spot="spot" if look.spot(offer) else "",
        reason=clean(reason),
        **look.figures(offer, look.prices(np.array([offer])).tolist()),
    )


def _why(look: Look) -> str:
    if look.plan.outcome is not Outcome.OPTIMAL:
        return "best found so far"
    return _BEST[look.needs.objective.value] if len(look.plan.placements) == 1 else "best together"


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
