"""What is possible without some of an intent's constraints.

The constraints that compare one column of an offer with one value are judged once, for all questions: each
offer has a bit for each of them that it fails. The others (prices, room, what is linked or shared) depend on
each other and are judged anew for each set of them that is given up. For a single task that is the whole
answer. Several tasks are impossible where the offers that are left have too few seats, a certificate; else
they are placed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from flare_core.candidates.screens import BY_RULE
from flare_core.candidates.seats import seats
from flare_core.candidates.times import moves, turns
from flare_core.candidates.view import View
from flare_core.explanation.relax import (
    Handle,
    Placer,
    Solved,
    Unproven,
    handles,
    loosened,
    without,
)
from flare_core.inventory.series import PLAIN
from flare_core.inventory.types import ELASTIC, IntArray, Inventory
from flare_core.requirements.types import Requirements

MOST_LOOKS = 400
"""Times that the offers are judged anew for one rejection."""

FREE_LOOKS = 40
"""Of these so many that the wall clock does not stop, so that a plain refusal has its reason at once."""

MOST_SOLVES = 120
"""Placements that are searched for to find out what is possible."""

_OF_COLUMNS = frozenset(
    {"at-least", "at-most", "is", "one-of", "has", "known", "place", "certified", "rating"}
)

Paths = frozenset[str]
Offered = tuple[tuple[int, int], ...]
"""(bits of what an offer fails, seats on such offers), every pair of bits once, ascending."""


@dataclass(eq=False)
class Space:
    """One intent over one inventory, asked what is possible without which of its constraints.

    Attributes
    ----------
    place
        Places an intent, alone.
    stop
        Whether the time for explanations is over.
    beside
        Whether `place` places it beside other intents: then only placing tells what is possible.
    """

    needs: Requirements
    inventory: Inventory
    place: Placer
    stop: Callable[[], bool] = lambda: False
    beside: bool = False
    solves: int = field(default=0, init=False)
    _known: dict[Paths, bool | None] = field(default_factory=dict, init=False)
    _offered: dict[Paths, tuple[Offered, ...]] = field(default_factory=dict, init=False)
    _solved: dict[Requirements, Solved | None] = field(default_factory=dict, init=False)

    @cached_property
    def tasks(self) -> int:
        """How many tasks have to be placed; one of several is enough where any will do."""
        return 1 if self.needs.any_tasks else self.needs.tasks

    @property
    def _plain(self) -> bool:
        """Whether room for its task is all that is needed."""
        return self.tasks == 1 and not self.beside and not self._changing

    @cached_property
    def _changing(self) -> bool:
        """Whether it matters when the work begins: what is free, what an offer costs or emits."""
        series = any(self.inventory.label[name].values for name in PLAIN)
        return bool(self.inventory.busy) or (series and moves(self.needs))

    @cached_property
    def handles(self) -> tuple[Handle, ...]:
        """The constraints that can matter: of those on one column alone, the ones that some offer fails."""
        failed = int(np.bitwise_or.reduce(self._bits, initial=0))
        return tuple(h for h in handles(self.needs) if h.path not in self._bit or failed & self._bit[h.path])

    @cached_property
    def paths(self) -> Paths:
        """The paths of `handles`."""
        return frozenset(handle.path for handle in self.handles)

    @cached_property
    def _bit(self) -> dict[str, int]:
        """The bit of each constraint that is about columns alone."""
        plain = sorted(handle.path for handle in handles(self.needs) if _is_plain(self.needs, handle.path))
        return {path: 1 << k for k, path in enumerate(plain)}

    @cached_property
    def _bits(self) -> IntArray:
        """What each offer fails of the constraints on columns alone, as bits."""
        view, bits = View.of(self.inventory, self.needs), np.zeros(len(self.inventory), np.int64)
        for limit in self.needs.limits:
            bit = self._bit.get(limit.path, 0)
            fails = BY_RULE[limit.rule].fails(view, limit) if bit else None
            if fails is not None:
                bits |= np.where(fails, bit, 0)
        return bits

    # --- what is possible ----------------------------------------------------------------------------

    def possible(self, gone: Iterable[str]) -> bool | None:
        """Return whether the intent can be placed without `gone`; None where that is not known."""
        paths = frozenset(gone) & self.paths
        if paths not in self._known:
            try:
                self._known[paths] = self._answer(paths)
            except Unproven:
                self._known[paths] = None
        return self._known[paths]

    def having(self, paths: Iterable[str]) -> int | None:
        """Return how many offers meet all of `paths`; None where they are not about columns alone."""
        asked = [self._bit.get(path) for path in paths]
        if None in asked:
            return None
        return int(np.count_nonzero((self._bits & sum(filter(None, asked))) == 0))

    def solve(self, needs: Requirements) -> Solved | None:
        """Return the cheapest placement of some relaxed `needs`; None where there is none.

        Raises
        ------
        Unproven
            Where that was not settled, or too much was asked already.
        """
        if needs not in self._solved:
            if self.solves >= MOST_SOLVES or self.stop():
                raise Unproven
            self.solves += 1
            self._solved[needs] = self.place(needs)
        return self._solved[needs]

    def cheapest(self, gone: Iterable[str]) -> Solved | None:
        """Return the cheapest placement without `gone`.

        Raises
        ------
        Unproven
            As `solve`.
        """
        solved = [self.solve(reading) for reading in loosened(self.needs, frozenset(gone))]
        return min((s for s in solved if s), key=lambda s: s.totals.cost_ueur, default=None)

    def _answer(self, gone: Paths) -> bool:
        kept = sum(bit for path, bit in self._bit.items() if path not in gone)
        rooms = [sum(seats for bits, seats in offered if not bits & kept) for offered in self._left(gone)]
        if max(rooms) < self.tasks:
            return False
        return self._plain or any(
            self.solve(reading) is not None
            for room, reading in zip(rooms, loosened(self.needs, gone), strict=True)
            if room >= self.tasks
        )

    def _left(self, gone: Paths) -> tuple[Offered, ...]:
        """Return, for each reading, the offers that keep what is left of all that is not about columns."""
        mixed = gone.difference(self._bit)
        if mixed not in self._offered:
            looks = len(self._offered)
            if looks >= MOST_LOOKS or (looks >= FREE_LOOKS and self.stop()):
                raise Unproven
            readings = loosened(self.needs, mixed.union(self._bit))
            self._offered[mixed] = tuple(map(self._look, readings))
        return self._offered[mixed]

    def _look(self, needs: Requirements) -> Offered:
        rows, room = self.room(needs)
        bits, which = np.unique(self._bits[rows], return_inverse=True)
        total = np.bincount(which, weights=room, minlength=len(bits)).astype(np.int64)
        return tuple(zip(bits.tolist(), np.minimum(total, self.tasks).tolist(), strict=True))

    # --- other questions -----------------------------------------------------------------------------

    def room(self, needs: Requirements) -> tuple[IntArray, IntArray]:
        """Return the offers that could serve a task of `needs`, and at most how many tasks each holds."""
        view = View.of(self.inventory, needs)
        alive = np.ones(len(self.inventory), np.bool_)
        for limit in needs.limits:
            fails = BY_RULE[limit.rule].fails(view, limit)
            if fails is not None:
                np.greater(alive, fails, out=alive)
        rows = np.flatnonzero(alive)
        found, groups = seats(view, rows, alone=True), self.inventory.groups
        nodes = groups.count[found.group]
        nodes = np.where(nodes == ELASTIC, self.tasks, np.minimum(nodes, self.tasks))
        room = np.zeros(len(rows), np.int64)
        np.add.at(room, found.owner, nodes * np.minimum(found.tasks, self.tasks))
        room *= turns(needs, self.inventory, rows)
        held = room > 0
        return rows[held], np.minimum(room[held], self.tasks)

    def fits(self, needs: Requirements) -> bool | None:
        """Return whether changed `needs` of the intent can be placed; None where that is not known."""
        if self.stop():
            return None
        tasks = 1 if needs.any_tasks else needs.tasks
        if int(self.room(needs)[1].sum()) < tasks:
            return False
        try:
            alone = tasks == 1 and not self.beside and not self._changing
            return alone or self.solve(needs) is not None
        except Unproven:
            return None


def _is_plain(needs: Requirements, path: str) -> bool:
    """Whether a constraint is nothing but limits that compare a column with a value."""
    if not all(limit.rule in _OF_COLUMNS for limit in needs.limits if limit.path == path):
        return False
    return replace(without(needs, {path}), limits=()) == replace(needs, limits=())
