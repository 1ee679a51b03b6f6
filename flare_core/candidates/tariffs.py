"""What one task costs and emits over a run, where prices or carbon change over time.

Of a run from ``s`` to ``e`` the hourly price is the highest that holds at any moment of it, and the total its
exact integral, rounded up once: each step is priced as a plain price is (`pricing.task_ueur`). Emission has
its highest too, which a cap is held against, and its mean over the run, which an objective counts. An offer
is not sold for a run in which its price is unknown at some moment.

A service is looked at for `HORIZON_S`, or until it ends.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from flare_core.candidates import pricing
from flare_core.candidates.emissions import carbon_ug, counted
from flare_core.candidates.loss import expected
from flare_core.candidates.pricing import WHOLE, Parts
from flare_core.candidates.steps import Course, Steps, courses
from flare_core.candidates.times import judged, span
from flare_core.inventory.calendar import HORIZON_S
from flare_core.inventory.types import FloatArray, IntArray, Inventory, Mask
from flare_core.requirements.types import Requirements

_HOUR_S = 3600
_MOST = 2**62
"""Micro-euro seconds beyond which no run is priced; such prices are not believed."""
_KEPT = 64
_EXACT = 2**53
_MOST_LOOKS = 2_000

Emit = Callable[[FloatArray], FloatArray]


class Bought(NamedTuple):
    """What a run costs that is bought in one way: -1 where it is not sold."""

    node_ueur: IntArray
    task_ueur: IntArray
    total_ueur: IntArray


class Rates(NamedTuple):
    """What one task on each candidate costs and emits in a run; see `Candidates` for the columns."""

    sold: Mask
    spot: Mask
    node_ueur: IntArray
    task_ueur: IntArray
    task_total_ueur: IntArray
    carbon_ug: IntArray
    carbon_peak_ug: IntArray
    carbon_known: Mask


class Extremes(NamedTuple):
    """The least and the most of a term that a task on each candidate has, whenever it begins."""

    least_ueur: IntArray
    most_ueur: IntArray
    least_carbon_ug: IntArray
    most_carbon_ug: IntArray


@dataclass(frozen=True, slots=True)
class Way:
    """Prices of one way to buy: plain ones, of nodes and of tasks, and how those of some candidates go on."""

    node: IntArray
    task: IntArray
    nodes: tuple[Steps[np.int64], ...]
    tasks: tuple[Steps[np.int64], ...]

    def run(self, start: int, judged_s: int, length_s: int | None) -> Bought:
        """Return what a run from `start` on costs."""
        node, task = self.node.copy(), self.task.copy()
        total = pricing.total_ueur(np.maximum(task, 0), length_s)
        for of_node, of_task in zip(self.nodes, self.tasks, strict=True):
            held = of_node.within(start, start + judged_s)
            sold = held.min(axis=0) >= 0
            node[of_node.rows] = np.where(sold, held.max(axis=0), -1)
            highest = of_task.within(start, start + judged_s).max(axis=0)
            task[of_node.rows] = np.where(sold, highest, -1)
            sums = of_task.over(np.array([start]), length_s)[0] if length_s else None
            total[of_node.rows] = highest if sums is None else -(-sums // _HOUR_S)
        return Bought(node, task, np.where(task < 0, -1, total))

    def least_totals(self, starts: IntArray, length_s: int) -> IntArray:
        """Return what the run costs from each of `starts` on, micro-euro, shape (starts, candidates)."""
        plain = pricing.total_ueur(np.maximum(self.task, 0), length_s)
        totals = np.repeat(np.where(self.task < 0, _MOST, plain)[None], len(starts), axis=0)
        for steps in self.tasks:
            totals[:, steps.rows] = -(-steps.over(starts, length_s) // _HOUR_S)
        return totals


@dataclass(frozen=True, slots=True)
class Tariffs:
    """Prices and emissions of the candidates of one intent, by their number before any pruning.

    Attributes
    ----------
    start_s, length_s
        When the run begins that starts at once, UTC seconds, and how long it is; None without end.
    judged_s
        How much of it is looked at for what is highest.
    on_demand, spot
        The ways to buy; spot None where it is not allowed.
    loss
        What a run on spot is expected to cost, as a multiple of one that is not interrupted.
    emit
        Returns the emission of a task where carbon intensity is as given.
    intensity, intensities
        Carbon intensity, plain, and how it goes on.
    """

    needs: Requirements
    start_s: int
    length_s: int | None
    judged_s: int
    by_node: Mask
    on_demand: Way
    spot: Way | None
    loss: FloatArray
    emit: Emit
    intensity: FloatArray
    intensities: tuple[Steps[np.float64], ...]
    known: dict[int, Rates] = field(default_factory=dict, repr=False, compare=False)

    def at(self, start: int) -> Rates:
        """Return what a run costs and emits that begins `start` seconds after the plan."""
        rates = self.known.get(start)
        if rates is None:
            if len(self.known) >= _KEPT:
                self.known.clear()
            rates = self.known[start] = self._rates(self.start_s + start)
        return rates

    def _rates(self, start: int) -> Rates:
        bought = self.on_demand.run(start, self.judged_s, self.length_s)
        spot = np.zeros(len(bought.task_ueur), np.bool_)
        if self.spot is not None:
            other = self.spot.run(start, self.judged_s, self.length_s)
            spot = self._as_spot(bought, other)
            bought = Bought(*(np.where(spot, a, b) for a, b in zip(other, bought, strict=True)))
        intensity, highest = self._intensity(start)
        mean = counted(self.emit(intensity))
        peak = counted(self.emit(highest)) if self.intensities else mean
        return Rates(bought.task_ueur >= 0, spot, *bought, mean.amounts, peak.amounts, mean.known)

    def _as_spot(self, on_demand: Bought, spot: Bought) -> Mask:
        """Return where spot is bought: it alone keeps the budgets, or is expected to be cheaper."""
        total = self.needs.costs_in_total
        a, b = (o.total_ueur if total else o.task_ueur for o in (spot, on_demand))
        expected = a * self.loss
        # Parts of nodes may cost the same by rounding where the nodes do not.
        cheaper = (expected < b) | ((expected == b) & (spot.node_ueur < on_demand.node_ueur))
        keeps, other = (self._affordable(o) for o in (spot, on_demand))
        better = np.where(keeps == other, cheaper, keeps)
        chosen: Mask = (spot.task_ueur >= 0) & (better | (on_demand.task_ueur < 0))
        return chosen

    def _affordable(self, bought: Bought) -> Mask:
        """Return where all tasks (one, of any number or on a node billed whole) keep the budgets."""
        needs = self.needs
        tasks = np.where(self.by_node | needs.any_tasks, 1, needs.tasks)
        kept = np.ones(len(tasks), np.bool_)
        for limit, price in (
            (needs.max_hourly_ueur, bought.task_ueur),
            (needs.max_total_ueur, bought.total_ueur),
        ):
            if limit is not None:
                kept &= price <= limit // tasks
        return kept

    def _intensity(self, start: int) -> tuple[FloatArray, FloatArray]:
        """Return the mean and the highest carbon intensity of a run."""
        if not self.intensities:
            return self.intensity, self.intensity
        mean, highest = self.intensity.copy(), self.intensity.copy()
        for steps in self.intensities:
            mean[steps.rows] = steps.over(np.array([start]), self.judged_s)[0] / self.judged_s
            highest[steps.rows] = steps.within(start, start + self.judged_s).max(axis=0)
        return mean, highest

    @property
    def changing(self) -> bool:
        """Whether anything depends on when a run begins."""
        return bool(self.intensities or any(way.tasks for way in self._ways))

    @property
    def gaps(self) -> bool:
        """Whether something is not sold at some time."""
        return any(bool((each.amounts < 0).any()) for way in self._ways for each in way.nodes)

    @property
    def _ways(self) -> tuple[Way, ...]:
        return (self.on_demand,) if self.spot is None else (self.on_demand, self.spot)

    def turns(self) -> IntArray:
        """Return when anything changes, UTC seconds, ascending."""
        steps = [each.begins for way in self._ways for each in way.tasks]
        return np.unique(np.concatenate([*steps, *(each.begins for each in self.intensities)]))

    def least_totals(self, starts: IntArray) -> IntArray:
        """Return what a run costs at least from each of `starts` on (UTC seconds), micro-euro.

        Shape (starts, candidates); beyond everything where it is not sold at plain prices.
        """
        assert self.length_s is not None
        totals = self.on_demand.least_totals(starts, self.length_s)
        if self.spot is not None:
            totals = np.minimum(totals, self.spot.least_totals(starts, self.length_s))
        return totals

    def extremes(self) -> "Extremes":
        """Return the least and the most that a run costs and emits which the deadline allows."""
        last = self.start_s + HORIZON_S - 1
        if self.needs.deadline is not None:
            last = min(last, int(self.needs.deadline.timestamp()) - self.judged_s)
        turns = np.union1d(self.turns(), self.turns() - self.judged_s)
        starts = np.unique(np.clip(turns, self.start_s, max(self.start_s, last)))[:_MOST_LOOKS]
        totals, carbon = self.least_totals(starts), self.least_carbon(starts)
        return Extremes(
            np.maximum(totals.min(axis=0), 0),
            np.minimum(totals.max(axis=0), _EXACT),
            carbon.min(axis=0).astype(np.int64),
            carbon.max(axis=0).astype(np.int64),
        )

    def least_carbon(self, starts: IntArray) -> FloatArray:
        """Return what a run emits on average at least from each of `starts` on, micro-gram per hour."""
        mean = np.repeat(self.intensity[None], len(starts), axis=0)
        for steps in self.intensities:
            mean[:, steps.rows] = steps.over(starts, self.judged_s) / self.judged_s
        carbon = self.emit(mean)
        # An unknown emission counts as the worst known, which is at least 0.
        return np.nan_to_num(carbon, copy=False, nan=0.0)


class Task(NamedTuple):
    """One task on each of some offers; ``by_node`` and ``parts`` as in `pricing.task_ueur`."""

    needs: Requirements
    inventory: Inventory
    rows: IntArray
    by_node: Mask
    parts: Parts

    def priced(self, node_ueur: IntArray, own: IntArray | None = None) -> IntArray:
        """Return the hourly price at some prices of a node, of all or `own` offers; -1 where not sold."""
        rows, by_node, parts = self.rows, self.by_node, self.parts
        if own is not None:
            rows, by_node = rows[own], by_node[own]
            if parts is not WHOLE:
                parts = Parts(*(part[own] if isinstance(part, np.ndarray) else part for part in parts))
        known = np.maximum(node_ueur, 0)
        price = pricing.task_ueur(self.needs, self.inventory, rows, known, by_node, parts)
        return np.where(node_ueur < 0, -1, price)

    def way(self, column: str, series: str) -> Way:
        """Return how offers are bought at the prices of a column."""
        plain = self.inventory.whole[column][self.rows]
        most = _MOST // max(self.needs.length_s or 0, _HOUR_S)
        nodes, tasks = [], []
        for course in self.courses(series, plain.astype(np.float64)):
            node = np.where(course.amounts > most, -1, course.amounts).astype(np.int64)
            nodes.append(Steps.of(course, node))
            tasks.append(Steps.of(course, np.array([self.priced(prices, course.rows) for prices in node])))
        return Way(plain, self.priced(plain), tuple(nodes), tuple(tasks))

    def courses(self, series: str, plain: FloatArray) -> Iterator[Course]:
        """Yield how plain amounts go on."""
        start, until = span(self.needs)
        return courses(self.inventory.label[series], self.rows, plain, start, until)

    def emitted(self, intensity: FloatArray) -> FloatArray:
        """Return the emission at some carbon intensity."""
        return carbon_ug(self.needs, self.inventory, self.rows, self.parts, intensity)


def tariffs(task: Task) -> Tariffs:
    """Return what a task costs and emits over time."""
    needs, inventory = task.needs, task.inventory
    intensity = inventory.number["carbon_intensity"][task.rows]
    return Tariffs(
        needs=needs,
        start_s=int(needs.start.timestamp()),
        length_s=needs.length_s,
        judged_s=judged(needs),
        by_node=task.by_node,
        on_demand=task.way("hourly_ueur", "price_series"),
        spot=task.way("spot_ueur", "spot_series") if needs.spot else None,
        loss=expected(needs, inventory, task.rows),
        emit=task.emitted,
        intensity=intensity,
        intensities=tuple(Steps.of(c, c.amounts) for c in task.courses("carbon_series", intensity)),
    )
