"""One problem in two worlds: once all that is busy has ended, and as it is at a moment.

Candidates are the same in both, and worth the same; node groups differ, because nodes that are alike once
everything has ended need not be alike before.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

import numpy as np

from flare_core.candidates.screen import screen
from flare_core.candidates.tariffs import Tariffs
from flare_core.candidates.types import PER_CANDIDATE, PER_GROUP, Candidates, Fabric
from flare_core.inventory.held import Held
from flare_core.inventory.types import ELASTIC, IntArray, Inventory
from flare_core.placement.occupied import group_of, occupied
from flare_core.placement.packing import Ask, Load, Loads, Packing, Problem
from flare_core.placement.score import Score
from flare_core.requirements.types import Requirements

_Key = tuple[int, int, int, bool]


@dataclass(frozen=True)
class World:
    """A problem, seen from a moment beside what is in use then.

    Attributes
    ----------
    whole
        The problem.
    moment
        Seconds after the plan.
    beside
        What is in use.
    """

    whole: Problem
    moment: int
    beside: tuple[Held, ...]

    @cached_property
    def problem(self) -> Problem:
        """The problem of what begins at the moment, on what is left then."""
        inventory = occupied(self.whole.inventory, self.beside)
        return Problem(tuple(self._seen(ask, inventory) for ask in self.whole.asks), inventory)

    def _seen(self, ask: Ask, inventory: Inventory) -> Ask:
        found, then = screen(ask.needs, inventory, alone=False), ask.at(self.moment)
        known = {
            key: j for j, key in reversed(list(enumerate(map(_key_of(ask.found), range(len(ask.found))))))
        }
        own = [known.get(key, -1) for key in map(_key_of(found), range(len(found)))]
        like = np.array(own, np.int64)
        kept = np.flatnonzero(like >= 0)
        return replace(
            ask,
            needs=begun(ask.needs, self.moment),
            found=replace(_columns(then.found, found, like, kept), tariffs=_later(ask.found, self.moment)),
            score=_score(then.score, like[kept]),
        )

    def back(self, packing: Packing) -> Packing | None:
        """Return a packing of `problem` as one of the whole; None where it has no like there."""
        listed = zip(self.whole.asks, self.problem.asks, packing, strict=True)
        moved = [self._back(whole, part, loads) for whole, part, loads in listed]
        return None if None in moved else tuple(loads for loads in moved if loads is not None)

    def _back(self, whole: Ask, part: Ask, loads: Loads) -> Loads | None:
        found = [self._load_back(whole, part, load) for load in loads]
        return None if None in found else tuple(sorted(load for load in found if load is not None))

    def _load_back(self, whole: Ask, part: Ask, load: Load) -> Load | None:
        inventory, offer = self.problem.inventory, int(part.found.rows[load.candidate])
        number = inventory.groups.node(int(part.found.group[load.group]), load.node)
        if inventory.whole["nodes"][offer] == ELASTIC:  # others have the first nodes
            number += 1 + max((one.node for one in self.beside if one.offer == offer), default=-1)
        return _like(whole, part, load, group_of(self.whole.inventory, offer, number), self.moment)

    def into(self, packing: Packing) -> Packing | None:
        """Return a packing of the whole as one of `problem`; None where it has no like there."""
        moved: list[Loads] = []
        for whole, part, loads in zip(self.whole.asks, self.problem.asks, packing, strict=True):
            found = [self._load_into(whole, part, load) for load in loads]
            if None in found:
                return None
            moved.append(tuple(sorted(load for load in found if load is not None)))
        return tuple(moved)

    def _load_into(self, whole: Ask, part: Ask, load: Load) -> Load | None:
        offer = int(whole.found.rows[load.candidate])
        number = self.whole.inventory.groups.node(int(whole.found.group[load.group]), load.node)
        try:
            return _like(part, whole, load, group_of(self.problem.inventory, offer, number), -self.moment)
        except KeyError:
            return None


def _like(ask: Ask, other: Ask, load: Load, node: tuple[int, int], later: int) -> Load | None:
    """Return `load` of `other` as one of `ask` on a node (group, number) that both know."""
    key = _key_of(other.found)(load.candidate)
    for g in np.flatnonzero(ask.found.group == node[0]).tolist():
        j = int(ask.found.group_candidate[g])
        if _key_of(ask.found)(j) == key:
            return Load(j, g, node[1], load.tasks, load.start + later)
    return None


def _key_of(found: Candidates) -> Callable[[int], _Key]:
    """Return what tells which candidate of another world is the same as one of `found`."""

    def key(j: int) -> _Key:
        return (
            int(found.rows[j]),
            int(found.efficiency_ppm[j]),
            int(found.missed[j]),
            bool(found.cut[j] >= 0),
        )

    return key


def _columns(whole: Candidates, found: Candidates, like: IntArray, kept: IntArray) -> Candidates:
    """Return the node groups of `found` with what its candidates `kept` are in `whole`."""
    own, keep, fabric = like[kept], like >= 0, whole.fabric
    groups = np.flatnonzero(keep[found.group_candidate])
    columns = {name: getattr(whole, name)[own] for name in PER_CANDIDATE}
    columns |= {name: getattr(found, name)[groups] for name in PER_GROUP}
    columns |= {
        "best": found.best[kept],
        "origin": np.arange(len(own)),
        "group_origin": np.arange(len(groups)),
    }
    return replace(
        found,
        **columns,
        fabric=Fabric(fabric.prefix[own], fabric.loss[own], fabric.infiniband[own]),
        group_candidate=(np.cumsum(keep) - 1)[found.group_candidate[groups]],
    )


def _score(old: Score, like: IntArray) -> Score:
    columns = {name: getattr(old, name)[like] for name in ("task", "node", "peak", "fabric")}
    return replace(old, **columns)


def _later(found: Candidates, moment: int) -> Tariffs | None:
    """Return what depends on when a run begins, seen from a moment."""
    tariffs = found.tariffs
    return None if tariffs is None else replace(tariffs, start_s=tariffs.start_s + moment, known={})


def begun(needs: Requirements, moment: int) -> Requirements:
    """Return the needs of an intent that begins at a moment, seconds after the plan."""
    by = timedelta(seconds=moment)
    return replace(needs, start=needs.start + by, end=None if needs.end is None else needs.end + by)
