"""The points of the front of one intent, each the best of its kind in the one order of plans."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from flare_core.frontier.additive import Sum, beaten, sums
from flare_core.frontier.explore import Corner, Explored, Unknown, explore, is_below
from flare_core.frontier.terms import Vector, per_task, summed, vector
from flare_core.inventory.types import IntArray
from flare_core.model.families import broken, rules_of
from flare_core.placement.packing import Ask, Loads, Packing, Problem, totals
from flare_core.placement.score import Score
from flare_core.placement.types import Outcome
from flare_core.solve.bounds import floors
from flare_core.solve.closed import closed_form, laid_out
from flare_core.solve.cpsat import Run
from flare_core.solve.prune import growth, renumbered, restrict
from flare_core.solve.result import Search
from flare_core.solve.search import search_within


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a front.

    Attributes
    ----------
    outcome
        OPTIMAL: complete. FEASIBLE: points may be missing. INFEASIBLE, UNKNOWN: there are none.
    first
        The search that the front began with, where it began with one.
    points
        Packings by what they have of each term, ascending.
    open
        Corners of what was not searched, see `explore`.
    """

    outcome: Outcome
    first: Search | None
    points: dict[Vector, Loads]
    open: tuple[Corner, ...] = ()
    warnings: tuple[str, ...] = ()


def front_of(problem: Problem, terms: Sequence[str], run: Run, most: int) -> Found:
    """Return the front of a problem of one intent, at most `most` points of it.

    Of all placements those count that place most tasks and miss fewest preferences.
    """
    [ask] = problem.asks
    ask = replace(ask, score=summed(ask, terms))
    if not ask.needs.any_tasks and len(ask.found):
        front = _Front(
            problem, _of_all(ask, ask.needs.tasks, ask.needs.tasks * int(ask.found.misses.min())), terms, run
        )
        found = front.added(most)
        if found is not None:
            return front.told(None, found)
    first = search_within(_asking(problem, ask), run)
    if first.outcome is not Outcome.OPTIMAL:
        empty = Outcome.INFEASIBLE if first.outcome is Outcome.INFEASIBLE else Outcome.UNKNOWN
        return Found(empty, first, {}, (), first.warnings)
    had = totals(ask, first.packing[0])
    front = _Front(problem, _of_all(ask, had.tasks, had.misses), terms, run)
    return front.told(first, front.added(most) or front.explored(first.packing[0], most))


def _of_all(ask: Ask, tasks: int, misses: int) -> Ask:
    """Return `ask` for placements of so many tasks and no more misses: the most and the fewest there are."""
    needs = replace(ask.needs, tasks=tasks, any_tasks=False) if ask.needs.any_tasks else ask.needs
    return replace(ask, needs=needs, ceilings=(("misses", misses),))


def _asking(problem: Problem, ask: Ask) -> Problem:
    return replace(problem, asks=(ask,))


class _Coupled(Exception):
    """Tasks do not simply add up: some sum is that of no placement."""


class _Front:
    """The front of one intent; of `ask` the score is the sum of the terms."""

    def __init__(self, problem: Problem, ask: Ask, terms: Sequence[str], run: Run) -> None:
        self.problem, self.ask, self.terms, self.run = problem, ask, terms, run
        self.warnings: dict[str, None] = {}

    def told(self, first: Search | None, found: Explored[Loads]) -> Found:
        """Return what is known in the end."""
        outcome = Outcome.FEASIBLE if found.open else Outcome.OPTIMAL
        warnings = (*(first.warnings if first else ()), *self.warnings)
        return Found(outcome, first, found.points, tuple(found.open), warnings)

    # --- tasks that add up ---

    def added(self, most: int) -> Explored[Loads] | None:
        """Return the front by adding up; None where that proves nothing."""
        misses = self.ask.found.misses
        if self.ask.ceilings != (("misses", int(misses.min()) * self.ask.needs.tasks),):
            return None
        part = restrict(self.ask, misses == misses.min())
        part = restrict(part, ~beaten(part, self.terms))
        listed = sums(part, self.terms, lambda: self.run.over)
        if not listed:
            return None
        try:
            return self._all(part, listed) if len(listed) <= most else self._some(part, listed, most)
        except _Coupled:
            return None

    def _all(self, part: Ask, listed: list[Sum]) -> Explored[Loads]:
        return Explored({one.vector: self._settled(part, one) for one in listed}, [])

    def _some(self, part: Ask, listed: list[Sum], most: int) -> Explored[Loads]:
        """Return points that are spread over the whole front.

        Raises
        ------
        _Coupled
            Where some sum may be that of no placement that keeps all rules: others might then take its place.
        """
        if any(self._as_told(part, one) is None for one in listed):
            raise _Coupled
        known = {one.vector: one for one in listed}
        table = np.array(list(known), np.int64)
        ideal, nadir = tuple(table.min(axis=0).tolist()), tuple(table.max(axis=0).tolist())

        def ask(corner: Corner) -> tuple[Vector, Loads] | None:
            below = [one for vector, one in known.items() if is_below(vector, corner)]
            if not below:
                return None
            best = _middle(np.array([one.vector for one in below], np.int64))
            return below[best].vector, self._settled(part, below[best])

        ends = [min(listed, key=lambda one: (one.vector[k], one.vector)) for k in range(len(ideal))]
        firsts = {one.vector: self._settled(part, one) for one in ends[:most]}
        return explore(ask, ideal, nadir, firsts, most)

    def _settled(self, part: Ask, one: Sum) -> Loads:
        """Return the best placement that has a sum.

        Raises
        ------
        _Coupled
            Where none keeps all rules, or that could not be found out.
        """
        if not one.tied and not part.needs.gang:
            loads = self._as_told(part, one)
        else:
            loads = self._kept(part, self._single(part, one.vector), one)
        return self._best(one, part) if loads is None else loads

    def _as_told(self, part: Ask, one: Sum) -> Loads | None:
        """Return the way to have a sum that is known with it, if it keeps all rules."""
        return self._kept(part, laid_out(part, _asking(self.problem, part), one.counts), one)

    def _kept(self, part: Ask, packing: Packing | None, one: Sum) -> Loads | None:
        """Return what a packing has if it is what a sum says and keeps all rules."""
        inner = _asking(self.problem, part)
        if packing is None or broken(inner, packing, rules_of(inner)):
            return None
        return (
            _moved(part, self.ask, packing[0]) if vector(part, packing[0], self.terms) == one.vector else None
        )

    def _single(self, part: Ask, point: Vector) -> Packing | None:
        """Return the best place of a single task among equals, where no room for more is to be counted."""
        if part.needs.tasks > 1 or part.needs.auto_scale:
            return None
        equal = np.ones(len(part.found), np.bool_)
        for term, value in zip(self.terms, point, strict=True):
            equal &= per_task(part, term) == value
        zero = np.zeros(int(equal.sum()), np.int64)
        few = restrict(part, equal)
        flat = Score(zero, zero, zero, np.zeros_like(few.found.fabric.loss), 0, 1.0)
        one = _asking(self.problem, replace(few, score=flat))
        packing = closed_form(one, rules_of(one))
        return None if packing is None else (_moved(few, part, packing[0]),)

    # --- everything else ---

    def explored(self, first: Loads, most: int) -> Explored[Loads]:
        """Return the front by searching below one corner after another, from one point on."""
        ends = [self._ends(term) for term in self.terms]
        ideal, nadir = tuple(low for low, _ in ends), tuple(high for _, high in ends)
        firsts = {vector(self.ask, first, self.terms): first}
        return explore(self._below, ideal, nadir, firsts, most)

    def _ends(self, term: str) -> tuple[int, int]:
        """Return a lower bound on what a placement has of a term, and about the most."""
        alone = replace(self.ask, score=summed(self.ask, (term,)))
        tasks = 1 if term == "latency" else self.ask.needs.tasks
        return int(np.floor(floors(alone).min())), tasks * int(per_task(self.ask, term).max())

    def _below(self, corner: Corner) -> tuple[Vector, Loads] | None:
        limits = [
            (term, limit - 1) for term, limit in zip(self.terms, corner, strict=True) if limit is not None
        ]
        loads = self._search(self.ask, limits)
        return None if loads is None else (vector(self.ask, loads, self.terms), loads)

    def _best(self, one: Sum, part: Ask) -> Loads:
        """Return the best placement that has a sum, of the candidates in `part`.

        Raises
        ------
        _Coupled
            Where none keeps all rules, or that could not be found out.
        """
        kept = growth(self.ask, self.ask.needs.tasks)
        kept[np.searchsorted(self.ask.found.origin, part.found.origin)] = True
        few = restrict(self.ask, kept)
        try:
            loads = self._search(few, list(zip(self.terms, one.vector, strict=True)))
        except Unknown:
            any_of_them = self._as_told(part, one)
            if any_of_them is None:
                raise _Coupled from None
            self.warnings["the ties among plans that have the terms of a point are not all settled"] = None
            return any_of_them
        if loads is None:
            raise _Coupled
        return _moved(few, self.ask, loads)

    def _search(self, ask: Ask, limits: list[tuple[str, int]]) -> Loads | None:
        """Return the best placement within limits, None where there is none.

        Raises
        ------
        Unknown
            Where the search ended before either was known.
        """
        if self.run.over:
            raise Unknown
        found = search_within(
            _asking(self.problem, replace(ask, ceilings=(*ask.ceilings, *limits))), self.run
        )
        self.warnings.update(dict.fromkeys(found.warnings))
        if found.outcome is Outcome.INFEASIBLE:
            return None
        if found.outcome is not Outcome.OPTIMAL:
            raise Unknown
        return found.packing[0]


def _middle(table: IntArray) -> int:
    """Return the row that is nowhere far from the least, each column by its own range."""
    far = (table - table.min(axis=0)) / np.maximum(np.ptp(table, axis=0), 1)
    return int(np.argmin(far.max(axis=1)))


def _moved(part: Ask, whole: Ask, loads: Loads) -> Loads:
    """Return `loads` of `part` in the numbers of `whole`, which has all its candidates."""
    return tuple(renumbered(load, part, whole) for load in loads)
