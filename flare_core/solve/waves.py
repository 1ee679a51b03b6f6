"""A batch in waves: its tasks run one after another where they do not all fit at once.

All tasks of a batch are alike and last as long, so on one node they follow each other back to back from the
moment on at which its offer opens. A *slot* is one such turn. Slots of an offer do not overlap, so one slot
of one node is as good as a node of its own: until some finish a batch in waves is a placement of one moment
on *virtual nodes*, as many as there are nodes times slots. No task has a variable of its own, however many
there are.

The finish is settled in its place in the order, after carbon: with the latest finish the levels before it get
their best values, then the earliest finish that keeps them is bisected, for more time never takes anything
away.

Budgets that hold at any moment are relaxed to what they allow in all slots together and in each slot for each
offer alone. The placement found so is then *laid* into slots with the budgets as they are; where that works
it is the best there is. Where it does not, a plan is made slot by slot, and said to be no more than feasible.
So is one for nodes billed whole that would have to be paid while their offer is closed.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from flare_core.candidates.times import ALWAYS, slots, starts_by_code
from flare_core.inventory.types import ELASTIC, IntArray, Inventory
from flare_core.placement.packing import Ask, Load, Problem, Totals, totals
from flare_core.placement.types import Outcome
from flare_core.requirements.types import Requirements
from flare_core.solve.cpsat import Run
from flare_core.solve.lanes import laid
from flare_core.solve.prune import renumbered, restrict
from flare_core.solve.result import Search
from flare_core.solve.slots import MOST_COUNTS, Slots, size, solve

Plain = Callable[[Problem], Search]
"""Searches for a placement in which everything begins at once."""

LATER = 16
"""Finishes after the earliest one that are tried where what is best cannot be laid into its slots."""

MOST_SLOTS = 2_000
"""Slots that are filled one by one."""

_UNSETTLED = "the ties after the objective are not settled: the batch might end earlier"
_BY_COUNTS = "the objective and the finish are settled, the ties among equal plans are not"
_BY_SLOT = "the batch is placed slot by slot: a better plan is not ruled out"


def search(problem: Problem, plain: Plain, run: Run) -> Search | None:
    """Return the best placement of a batch in waves; None where all its tasks can but begin at once."""
    turns = Turns(problem)
    if len(turns.all) < 2 or problem.asks[0].needs.tasks < 2:
        return None
    return _Waves(problem, turns, plain, run).result()


class Turns:
    """The slots of a batch.

    Attributes
    ----------
    by_code
        When the slots on an offer begin, seconds after the plan, by the code of its calendar.
    codes
        The code of each candidate's calendar.
    all
        When any slot begins, ascending.
    aligned
        Whether slots of different offers either begin together or do not overlap.
    end
        When the last run that is allowed ends, seconds after the plan.
    """

    def __init__(self, problem: Problem) -> None:
        ask, label = problem.asks[0], problem.inventory.label["calendar"]
        now, self.length = int(ask.needs.start.timestamp()), ask.needs.length_s or 0
        known = starts_by_code(ask.needs, problem.inventory)
        self.codes = label.codes[ask.found.rows]
        present = [ALWAYS] if len(known) == 1 else np.unique(self.codes).tolist()
        self.by_code = {code: slots(known[code], self.length, ask.needs.tasks) - now for code in present}
        every = list(self.by_code.values())
        self.all: IntArray = every[0] if len(every) == 1 else np.unique(np.concatenate(every))
        self.aligned = bool((np.diff(self.all) >= self.length).all())
        lasts = [known[code][-1][1] - 1 for code in present if known[code]]
        self.end = max(lasts, default=now) - now + self.length

    def until(self, last: int) -> IntArray:
        """Return how many slots each candidate has of those that begin by a moment."""
        number = np.zeros(max(self.by_code) + 2, np.int64)
        for code, begins in self.by_code.items():
            number[code] = np.searchsorted(begins, last, side="right")
        counts: IntArray = number[self.codes]
        return counts

    def of(self, candidate: int, last: int) -> IntArray:
        """Return when the slots of a candidate begin, by a moment."""
        begins = self.by_code[int(self.codes[candidate])]
        return begins[: int(np.searchsorted(begins, last, side="right"))]


@dataclass(frozen=True)
class _Waves:
    problem: Problem
    turns: Turns
    plain: Plain
    run: Run

    @cached_property
    def ask(self) -> Ask:
        return self.problem.asks[0]

    def result(self) -> Search:
        """Search with all slots, then with as few as keep what is best."""
        whole = self._placed(len(self.turns.all) - 1)
        if not any(whole.packing):
            return whole
        if whole.outcome is not Outcome.OPTIMAL:
            return self._realised(whole, len(self.turns.all) - 1) or self._exact(whole)
        goal = self._goal(whole)
        first = self._earliest(goal)
        for k in [*range(first, min(first + LATER, len(self.turns.all))), len(self.turns.all) - 1]:
            found = self._placed(k)
            laid_out = self._realised(found, k) if self._goal(found) == goal else None
            if laid_out is not None:
                late = () if k == first and (self.turns.aligned or not self._squeezed) else (_UNSETTLED,)
                return replace(laid_out, warnings=(*laid_out.warnings, *late))
        return self._exact(whole)

    def _goal(self, found: Search) -> tuple[object, ...] | None:
        """Return what comes before the finish in the order of plans."""
        if found.outcome is not Outcome.OPTIMAL:
            return None
        sums = totals(self.ask, found.packing[0])
        terms = (sums.primary, sums.cost_ueur, -sums.performance_mtflops, sums.latency_us, sums.carbon_ug)
        return -sums.tasks, sums.misses, *terms

    def _earliest(self, goal: tuple[object, ...] | None) -> int:
        """Return the number of the earliest last slot with which what is best can be had."""
        return bisect_left(
            range(len(self.turns.all)), True, key=lambda k: self._goal(self._placed(k)) == goal
        )

    def _placed(self, k: int) -> Search:
        """Return the best placement on the virtual nodes of the slots up to the `k`-th moment."""
        known = self._known.get(k)
        if known is None:
            known = self._known[k] = self._search(int(self.turns.all[k]))
        return known

    @cached_property
    def _known(self) -> dict[int, Search]:
        return {}

    def _search(self, last: int) -> Search:
        part = self._virtual(last)
        found = self.plain(part)
        own = tuple(renumbered(load, part.asks[0], self.ask) for load in found.packing[0])
        return replace(found, packing=(own,))

    # --- virtual nodes -------------------------------------------------------------------------------

    def _virtual(self, last: int) -> Problem:
        """Return the problem with a node for each node and slot that begins by `last`."""
        count = self.turns.until(last)
        ask = restrict(self.ask, count > 0)
        slots_of = count[count > 0][ask.found.group_candidate]
        once = self._at_once(ask)
        nodes = np.where(once == ELASTIC, ELASTIC, once * slots_of)
        found = replace(ask.found, group_nodes=nodes)
        world = _with_nodes(self.problem.inventory, found.group, nodes, slots_of)
        return Problem((replace(ask, found=found, needs=self._relaxed(last)),), world)

    def _at_once(self, ask: Ask) -> IntArray:
        """Return how many nodes of each group the budgets let a slot have."""
        found, needs = ask.found, ask.needs
        nodes, by_node = found.group_nodes, found.by_node[found.group_candidate]
        for limit, amounts, whole in (
            (needs.max_hourly_ueur, found.task_ueur, by_node),
            (needs.max_carbon_ug, found.carbon_peak_ug, np.zeros_like(by_node)),
        ):
            if limit is not None:
                most = np.minimum(limit // np.maximum(amounts[found.group_candidate], 1), needs.tasks)
                most = np.where(whole, most, -(-most // found.group_tasks))
                nodes = np.where(nodes == ELASTIC, most, np.minimum(nodes, most))
        return nodes

    def _relaxed(self, last: int) -> Requirements:
        """Return the needs with what the budgets of any moment allow in all slots that begin by `last`."""
        needs, begins = self.ask.needs, self.turns.all[self.turns.all <= last]
        length = self.turns.length
        covered_s = int(np.minimum(np.diff(begins), length).sum()) + length
        if not self.turns.aligned:  # slots could be shifted to where none is
            covered_s = (self.turns.end if last == self.turns.all[-1] else last + length) - int(begins[0])

        def in_all(limit: int | None) -> int | None:
            return None if limit is None else limit * covered_s // length

        return replace(
            needs, max_hourly_ueur=in_all(needs.max_hourly_ueur), max_carbon_ug=in_all(needs.max_carbon_ug)
        )

    # --- slots ---------------------------------------------------------------------------------------

    def _realised(self, found: Search, k: int) -> Search | None:
        """Return what was found on virtual nodes, laid into the slots up to the `k`-th moment."""
        last = int(self.turns.all[k])
        own = {load.candidate: self.turns.of(load.candidate, last) for load in found.packing[0]}
        loads = laid(self.ask, found.packing[0], own, self.turns.length)
        return None if loads is None else replace(found, packing=(loads,))

    def _exact(self, whole: Search) -> Search:
        """Return the best counts for each slot, where these are not too many."""
        begins = [self.turns.of(j, int(self.turns.all[-1])) for j in range(len(self.ask.found))]
        if size(begins, self.ask.found.group_candidate) > MOST_COUNTS or self._graded:
            return self._slot_by_slot(whole)
        loads, proven = solve(Slots(self.problem, begins=begins, length=self.turns.length), self.run)
        # Slots that overlap could be shifted against each other, which is not tried.
        proven = proven and self.turns.aligned
        if loads is None:
            outcome = Outcome.INFEASIBLE if proven else Outcome.UNKNOWN
            warnings = whole.warnings if proven else (*whole.warnings, _BY_SLOT)
            return replace(whole, packing=((),), outcome=outcome, bound=None, warnings=warnings)
        sums = totals(self.ask, loads)
        as_good = (
            whole.outcome is Outcome.OPTIMAL and sums.primary == whole.bound and self._as_many(whole, sums)
        )
        settled = _BY_COUNTS if proven else _UNSETTLED
        found = replace(whole, packing=(loads,), warnings=(*whole.warnings, settled))
        if proven or as_good:
            return replace(found, outcome=Outcome.OPTIMAL, bound=sums.primary)
        bound = whole.bound if self._as_many(whole, sums) else None
        return replace(found, outcome=Outcome.FEASIBLE, bound=bound)

    def _as_many(self, whole: Search, sums: Totals) -> bool:
        """Whether no more tasks are placed, nor fewer preferences missed, without the budgets of a moment."""
        most = totals(self.ask, whole.packing[0])
        return (most.tasks, most.misses) == (sums.tasks, sums.misses)

    @property
    def _squeezed(self) -> bool:
        """Whether there are budgets that hold at any moment."""
        return self.ask.needs.max_hourly_ueur is not None or self.ask.needs.max_carbon_ug is not None

    @property
    def _graded(self) -> bool:
        """Whether some node has seats of several grades, which take GPUs from each other."""
        group = self.ask.found.group
        return len(np.unique(group)) < len(group)

    def _slot_by_slot(self, whole: Search) -> Search:
        """Return a plan that places as much as it can in one slot after the other."""
        loads: list[Load] = []
        for start in self.turns.all[:MOST_SLOTS].tolist():
            part = self._slot(start, loads)
            if part is None:
                break
            found = self.plain(part)
            loads += (
                renumbered(load, part.asks[0], self.ask)._replace(start=start) for load in found.packing[0]
            )
        done = sum(load.tasks for load in loads)
        good = done == self.ask.needs.tasks or (done > 0 and self.ask.needs.any_tasks)
        if not good or pauses(self.ask, loads, self.turns.length):
            return replace(
                whole,
                packing=((),),
                outcome=Outcome.UNKNOWN,
                bound=None,
                warnings=(*whole.warnings, _BY_SLOT),
            )
        as_many = done == sum(load.tasks for load in whole.packing[0])
        return replace(
            whole,
            packing=(tuple(sorted(loads)),),
            outcome=Outcome.FEASIBLE,
            bound=whole.bound if as_many else None,  # of plans that place as many
            warnings=(*whole.warnings, _BY_SLOT),
        )

    def _slot(self, start: int, loads: Sequence[Load]) -> Problem | None:
        """Return what is left to be placed in a slot; None where that is nothing."""
        needs, length = self.ask.needs, self.turns.length
        sums = totals(self.ask, tuple(loads))
        beside = totals(self.ask, tuple(load for load in loads if load.start + length > start))
        left = needs.tasks - sums.tasks
        if not left:
            return None
        spent = ((needs.max_hourly_ueur, beside.hourly_ueur), (needs.max_carbon_ug, beside.carbon_peak_ug))
        hourly, carbon = (None if limit is None else limit - amount for limit, amount in spent)
        total = None if needs.max_total_ueur is None else needs.max_total_ueur - sums.total_ueur
        asked = replace(
            needs,
            tasks=left,
            any_tasks=True,
            max_hourly_ueur=hourly,
            max_carbon_ug=carbon,
            max_total_ueur=total,
        )
        here = np.array([start in self.turns.of(j, start) for j in range(len(self.ask.found))], np.bool_)
        return Problem((restrict(replace(self.ask, needs=asked), here),), self.problem.inventory)


def pauses(ask: Ask, loads: Sequence[Load], length: int) -> bool:
    """Whether a node that is billed whole stands idle between two tasks."""
    used: dict[tuple[int, int], set[int]] = {}
    for load in loads:
        if ask.found.by_node[load.candidate]:
            used.setdefault((int(ask.found.group[load.group]), load.node), set()).add(load.start)
    return any((np.diff(sorted(starts)) != length).any() for starts in used.values())


def _with_nodes(inventory: Inventory, group: IntArray, nodes: IntArray, slots_of: IntArray) -> Inventory:
    """Return the inventory with so many nodes of each group; turns of a node have numbers of their own."""
    groups, count = inventory.groups, inventory.groups.count.copy()
    count[group] = nodes
    numbers = dict(groups.nodes)
    for g, turns in zip(group.tolist(), slots_of.tolist(), strict=True):
        own = groups.nodes.get(g)
        if own is not None:
            numbers[g] = tuple(number + turn * (max(own) + 1) for turn in range(turns) for number in own)
    return replace(inventory, groups=replace(groups, count=count, nodes=numbers))
