"""Laying a batch into the slots of its nodes: which node, and when.

A *unit* is what one virtual node holds: the tasks that begin on one node together. Without budgets that hold
at any moment each offer is laid by itself, on as few nodes as its slots allow. With them, unit after unit
goes, the dearest first, to the earliest slot in which a node is free and the budgets hold. A node billed
whole is given back when its offer closes or nothing is needed; until then it is paid from its first to its
last use, and never pauses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from flare_core.inventory.types import ELASTIC, IntArray
from flare_core.placement.packing import Ask, Load, Loads


class Unit(NamedTuple):
    """The loads of one virtual node, and what they cost and emit per hour."""

    hourly_ueur: int
    carbon_ug: int
    loads: tuple[Load, ...]


def laid(ask: Ask, loads: Loads, slots: Mapping[int, IntArray], length: int) -> Loads | None:
    """Return `loads` on virtual nodes as loads on nodes, each with its start; None where they find no place.

    Parameters
    ----------
    slots
        When the slots of each candidate that is used begin, seconds after the plan.
    length
        Of a slot, in seconds.
    """
    by_group: dict[int, list[Unit]] = {}
    for unit in _units(ask, loads):
        by_group.setdefault(int(ask.found.group[unit.loads[0].group]), []).append(unit)
    lanes = _Lanes(ask, length)
    budgets = ask.needs.max_hourly_ueur is not None or ask.needs.max_carbon_ug is not None
    groups = sorted(by_group.values(), key=lambda units: [-amount for amount in units[0][:2]])
    for units in groups:
        own = slots[units[0].loads[0].candidate]
        if not (lanes.squeezed(units, own) if budgets else lanes.filled(units, own)):
            return None
    return tuple(sorted(lanes.placed))


def _units(ask: Ask, loads: Loads) -> list[Unit]:
    """Return the units, the dearest first, then the fullest."""
    found, on = ask.found, dict[tuple[int, int], list[Load]]()
    for load in loads:
        on.setdefault((int(found.group[load.group]), load.node), []).append(load)
    units = [Unit(*_figures(ask, own), tuple(own)) for own in on.values()]
    return sorted(
        units, key=lambda u: (-u.hourly_ueur, -u.carbon_ug, -sum(load.tasks for load in u.loads), u.loads)
    )


def _figures(ask: Ask, loads: Sequence[Load]) -> tuple[int, int]:
    found = ask.found
    paid = 1 if found.by_node[loads[0].candidate] else sum(load.tasks for load in loads)
    carbon = sum(load.tasks * int(found.carbon_peak_ug[load.candidate]) for load in loads)
    return paid * int(found.task_ueur[loads[0].candidate]), carbon


@dataclass
class _Lanes:
    """What is laid so far."""

    ask: Ask
    length: int
    placed: list[Load] = field(default_factory=list)
    begun: dict[int, list[int]] = field(default_factory=dict)  # start: hourly price, emission

    def _put(self, unit: Unit, node: int, start: int) -> None:
        self.placed += [load._replace(node=node, start=start) for load in unit.loads]
        at = self.begun.setdefault(start, [0, 0])
        at[0] += unit.hourly_ueur
        at[1] += unit.carbon_ug

    def filled(self, units: list[Unit], slots: IntArray) -> bool:
        """Lay the units of one node group where nothing else counts than its nodes."""
        g = units[0].loads[0].group
        nodes = int(self.ask.found.group_nodes[g])
        each = len(units) if nodes == ELASTIC else -(-len(units) // len(slots))
        if 0 <= nodes < each:
            return False
        for k, unit in enumerate(units):
            self._put(unit, k % each, int(slots[k // each]))
        return True

    def squeezed(self, units: list[Unit], slots: IntArray) -> bool:
        """Lay the units of one node group into the earliest slots in which the budgets hold."""
        found, g = self.ask.found, units[0].loads[0].group
        nodes = len(units) if found.group_nodes[g] == ELASTIC else int(found.group_nodes[g])
        used: dict[int, int] = {}
        k, before = 0, (0, 0)
        for unit in units:
            k = k if unit[:2] == before else 0  # what found no place in a slot, another like it does not
            before = unit[:2]
            while k < len(slots) and not (used.get(k, 0) < nodes and self._affordable(unit, int(slots[k]))):
                k += 1
            if k == len(slots):
                return False
            self._put(unit, used.get(k, 0), int(slots[k]))
            used[k] = used.get(k, 0) + 1
        return not found.by_node[units[0].loads[0].candidate] or self._without_pause(used, slots)

    def _affordable(self, unit: Unit, start: int) -> bool:
        needs = self.ask.needs
        wanted = (unit.hourly_ueur, unit.carbon_ug)
        limits = (needs.max_hourly_ueur, needs.max_carbon_ug)
        beside = [start, *(other for other in self.begun if start < other < start + self.length)]
        for moment in beside:
            running = [at for begun, at in self.begun.items() if begun <= moment < begun + self.length]
            for what, limit in enumerate(limits):
                if limit is not None and wanted[what] + sum(at[what] for at in running) > limit:
                    return False
        return True

    def _without_pause(self, used: dict[int, int], slots: IntArray) -> bool:
        """Whether no node pauses while its offer is open; node ``v`` is used where more than ``v`` are."""
        opening = openings(slots, self.length)
        for v in range(max(used.values(), default=0)):
            own = np.array([k for k in sorted(used) if used[k] > v], np.int64)
            if ((np.diff(own) > 1) & (np.diff(opening[own]) == 0)).any():
                return False
        return True


def openings(slots: IntArray, length: int) -> IntArray:
    """Return the number of the opening in which each slot lies: between two of them the offer is closed."""
    return np.concatenate([np.zeros(min(1, len(slots)), np.int64), np.cumsum(np.diff(slots) != length)])
