"""A batch where prices or carbon change: when and where each of its tasks runs.

A *lot* is what one node begins at one moment. Lots are taken one after the other, those first of which a task
is worth most, on nodes that are free for them; a node billed whole is not left idle between two lots. Two
sets of moments are tried: the turns (see `solve.hours`) and what follows back to back from them on, and for
each offer the slots of `solve.waves`, of which a node has as many as it can have. Beside them there is the
best plan in which all tasks begin together. The best of these is taken. It is proven to be best where each
task has the least that any has at any moment; else how far it may be from that is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from flare_core.candidates.times import slots
from flare_core.inventory.types import ELASTIC, IntArray, Mask
from flare_core.placement.order import value
from flare_core.placement.packing import Ask, Load, Loads, Problem, totals
from flare_core.placement.types import Outcome
from flare_core.solve.hours import Hours
from flare_core.solve.result import Search
from flare_core.solve.starts import affordable, squeezed

MOST_LOTS = 200_000
"""Moments times candidates that are compared."""

_BY_LOT = "the batch is placed lot by lot: a better plan is not ruled out"


def search(problem: Problem, together: Search) -> Search:
    """Return a placement of the only intent, a batch.

    Parameters
    ----------
    together
        The best one in which all tasks begin at the same moment.
    """
    ask, hours = problem.asks[0], Hours(problem)
    own = _slots(hours)
    if len(own.starts) < 2 and len(hours.turns) < 2:
        return together
    tried = [together.packing[0], *(_taken(ask, hours, grid) for grid in (_chains(hours), own))]
    done = [loads for loads in tried if _enough(ask, loads)]
    if not done:
        proven = not (own.cut or squeezed(ask) or _uneven(ask) or hours.tariffs.gaps)
        outcome, warnings = (Outcome.INFEASIBLE, ()) if proven else (Outcome.UNKNOWN, (_BY_LOT,))
        return replace(together, packing=((),), outcome=outcome, bound=None, path="lots", warnings=warnings)
    loads = min(done, key=lambda loads: value(problem, (loads,)))
    sums, least = totals(ask, loads), hours.least_primary()
    whole = sums.tasks == ask.needs.tasks
    best = whole and not sums.misses and sums.primary <= least
    return replace(
        together,
        packing=(loads,),
        outcome=Outcome.OPTIMAL if best else Outcome.FEASIBLE,
        bound=min(least, sums.primary) if whole else None,
        placed_bound=ask.priority,
        path="lots",
        warnings=together.warnings if best else (*together.warnings, _BY_LOT),
    )


def _enough(ask: Ask, loads: Loads) -> bool:
    done = sum(load.tasks for load in loads)
    return done == ask.needs.tasks or (done > 0 and ask.needs.any_tasks)


def _uneven(ask: Ask) -> bool:
    """Whether nodes must not be left idle, or have seats of several grades."""
    return bool(ask.found.by_node.any()) or len(np.unique(ask.found.group)) < len(ask.found.group)


class _Grid(NamedTuple):
    """Moments, which candidates may begin at each, and whether some were left out."""

    starts: IntArray
    there: Mask
    cut: bool


def _chains(hours: Hours) -> _Grid:
    """Return the turns, and what follows each back to back, the best of them where there are many."""
    most = max(1, MOST_LOTS // max(1, len(hours.codes)))
    if not hours.ask.needs.patient:
        return _Grid(np.zeros(0, np.int64), np.zeros((0, len(hours.codes)), np.bool_), cut=True)
    turns = hours.turns[hours.bounds(hours.turns).order()[:most]]
    follow = np.arange(min(hours.ask.needs.tasks, max(1, most // max(1, len(turns)))))
    starts = np.unique(turns[:, None] + hours.length * follow[None])
    return _Grid(starts, hours.open(starts), cut=True)


def _slots(hours: Hours) -> _Grid:
    """Return the slots of each offer."""
    most = max(1, MOST_LOTS // max(1, len(hours.codes)))
    own = {c: slots(begins, hours.length, hours.ask.needs.tasks) for c, begins in hours.intervals.items()}
    every = np.unique(np.concatenate(list(own.values())))
    starts = every[:most]
    there = np.zeros((len(starts), len(hours.codes)), np.bool_)
    for code, begins in own.items():
        there |= np.isin(starts, begins)[:, None] & (hours.codes == code)[None]
    return _Grid(starts, there, cut=len(every) > most)


def _taken(ask: Ask, hours: Hours, grid: _Grid) -> Loads:
    """Return lots at some of the moments of a grid."""
    lanes = _Lanes(ask, hours.length, ask.needs.tasks)
    for _, start, j in sorted(_lots(ask, hours, grid)):
        lanes.take(start, j)
        if not lanes.left:
            break
    return tuple(sorted(one.load for one in lanes.lots))


def _lots(ask: Ask, hours: Hours, grid: _Grid) -> Iterator[tuple[tuple[float, ...], int, int]]:
    """Yield how good a task of each lot is, when it begins, and on which candidate."""
    seats = np.ones(len(ask.found), np.int64)
    np.maximum.at(seats, ask.found.group_candidate, ask.found.group_tasks)
    seats = np.where(ask.found.by_node, np.minimum(seats, ask.needs.tasks), 1)
    for start, open_ in zip(grid.starts.tolist(), grid.there, strict=True):
        then = ask.at(start)
        there = open_ & hours.tariffs.at(start).sold[ask.found.tariff] & affordable(then)
        primary = then.score.task + then.score.node / seats + then.score.peak
        price = then.found.task_total_ueur / seats if ask.needs.patient else np.zeros(len(seats))
        for j in np.flatnonzero(there).tolist():
            yield (float(then.found.misses[j]), float(primary[j]), float(price[j])), start, j


class _Lot(NamedTuple):
    """Tasks on one node, and what they cost and emit, the most at any moment and in total."""

    load: Load
    hourly_ueur: int
    carbon_ug: int
    total_ueur: int


@dataclass
class _Lanes:
    """What has been taken, and how many tasks are left."""

    ask: Ask
    length: int
    left: int
    lots: list[_Lot] = field(default_factory=list)
    begun: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def take(self, start: int, j: int) -> None:
        """Take as many lots as there are tasks, nodes and budgets for."""
        found = self.ask.found
        for g in np.flatnonzero(found.group_candidate == j).tolist():
            group, seats = int(found.group[g]), int(found.group_tasks[g])
            for node in self._free(group, int(found.group_nodes[g]), start, whole=bool(found.by_node[j])):
                if not self.left:
                    return
                load = Load(j, g, node, min(self.left, seats), start)
                sums = totals(self.ask, (load,))
                lot = _Lot(load, sums.hourly_ueur, sums.carbon_peak_ug, sums.total_ueur)
                if not self._affordable(lot):
                    return
                self.lots.append(lot)
                self.begun.setdefault((group, node), []).append(start)
                self.left -= load.tasks

    def _free(self, group: int, nodes: int, start: int, *, whole: bool) -> Iterator[int]:
        """Yield the nodes of a group that are free for a run from `start` on."""
        for node in range(self.ask.needs.tasks if nodes == ELASTIC else nodes):
            begun = self.begun.get((group, node), [])
            apart = [abs(start - other) for other in begun]
            if all(gap >= self.length for gap in apart) and (not whole or not begun or self.length in apart):
                yield node

    def _affordable(self, lot: _Lot) -> bool:
        """Whether the budgets hold with one lot more; those of any moment are held by all that overlap."""
        needs, start = self.ask.needs, lot.load.start
        if not squeezed(self.ask):
            return True
        beside = [one for one in self.lots if abs(one.load.start - start) < self.length]
        return all(
            limit is None or spent <= limit
            for limit, spent in (
                (needs.max_hourly_ueur, lot.hourly_ueur + sum(one.hourly_ueur for one in beside)),
                (needs.max_carbon_ug, lot.carbon_ug + sum(one.carbon_ug for one in beside)),
                (needs.max_total_ueur, lot.total_ueur + sum(one.total_ueur for one in self.lots)),
            )
        )
