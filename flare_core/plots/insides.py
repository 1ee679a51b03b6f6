"""The GPUs of the nodes that a placement uses: how they are linked, what is free, what is taken."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from flare_core.candidates.inside import linked, partly_free
from flare_core.inventory.kinds import read_kind
from flare_core.inventory.types import ELASTIC, Inventory
from flare_core.placement.nodes import card_at
from flare_core.placement.types import Placement, Plan
from flare_core.sharing.cards import MILLI
from flare_core.sharing.starts import starts_of
from flare_core.sharing.types import Card, State
from flare_core.topology.graph import LinkClass, LinkGraph

Json = dict[str, Any]

MOST_NODES = 12
"""Nodes that are drawn."""


def insides(plan: Plan, placement: Placement) -> list[Json]:
    """Return the first nodes of a placement that have GPUs, each with its GPUs and their links."""
    a = plan.assignments
    rows: dict[tuple[int, int], list[int]] = defaultdict(list)
    for r in range(placement.rows.start, placement.rows.stop):
        if a.gpu_offsets[r + 1] > a.gpu_offsets[r]:
            rows[int(a.offer[r]), int(a.node[r])].append(r)
    return [_node(plan, *node, rows[node]) for node in sorted(rows)[:MOST_NODES]]


def _node(plan: Plan, offer: int, node: int, rows: Sequence[int]) -> Json:
    inventory = plan.inventory
    kind = read_kind(inventory.label["gpu_kind"].values[int(inventory.label["gpu_kind"].codes[offer])])
    group = group_of(inventory, offer, node)
    chosen: dict[int, list[int]] = defaultdict(list)
    for r in rows:
        for gpu in sorted(set(_gpus(plan, r))):
            chosen[gpu].append(int(plan.assignments.task[r]))
    graph = linked(kind)
    return {
        "offer": inventory.ids[offer],
        "node": node,
        "model": kind.gpu_model,
        "memory_gib": None if kind.gpu_memory_mib is None else round(kind.gpu_memory_mib / 1024),
        "interconnect": kind.interconnect,
        "gpus": kind.gpu_count,
        "free": list(inventory.groups.free_indices(group, kind.gpu_count)),
        "chosen": [{"gpu": gpu, "tasks": tasks} for gpu, tasks in sorted(chosen.items())],
        "switch": graph.ports and graph.gpus > 1 and graph.classes[0][1] >= LinkClass.NVSWITCH,
        "links": list(_links(graph)) if graph.known else [],
        "parts": _parts(plan, group, rows),
    }


def group_of(inventory: Inventory, offer: int, node: int) -> int:
    """Return the group of equal nodes that a node of an offer belongs to."""
    groups = inventory.groups
    low, high = np.searchsorted(groups.offer, [offer, offer + 1]).tolist()
    for group in range(low, high):
        count = int(groups.count[group])
        if node in groups.nodes[group] if group in groups.nodes else count == ELASTIC or node < count:
            return group
    raise KeyError(f"{inventory.ids[offer]} has no node {node}")


def _gpus(plan: Plan, row: int) -> list[int]:
    a = plan.assignments
    found: list[int] = a.gpu_indices[a.gpu_offsets[row] : a.gpu_offsets[row + 1]].tolist()
    return found


def _links(graph: LinkGraph) -> Iterator[Json]:
    for a, b in combinations(range(graph.gpus), 2):
        best = graph.classes[a][b]
        if best > LinkClass.NONE:
            yield {"a": a, "b": b, "kind": LinkClass(best).name.lower(), "gbytes": graph.gbytes[a][b]}


# --- parts of GPUs ------------------------------------------------------------------------------------


def _parts(plan: Plan, group: int, rows: Sequence[int]) -> Json | None:
    """Return how the GPUs of a node are cut; None where the placement takes whole ones."""
    card = card_at(plan.inventory, group)
    a = plan.assignments
    if card is None or all(a.mig_profile[r] is None and a.gpu_milli[r] < 0 for r in rows):
        return None
    states = partly_free(plan.inventory, group, card)
    taking: dict[int, list[int]] = defaultdict(list)
    for r in rows:
        for gpu in _gpus(plan, r):
            taking[gpu].append(r)
    used = sorted({*states, *taking})
    gpus = [{"gpu": gpu, "taken": _taken(plan, card, states.get(gpu), taking[gpu])} for gpu in used]
    return {"slices": card.slices[1], "what": "slots" if card.slots else "mig", "gpus": gpus}


def _taken(plan: Plan, card: Card, state: State | None, rows: Sequence[int]) -> list[Json]:
    """Return what lies on one GPU: from which slice on, how long, what it is, whether this plan's."""
    if card.slots:
        return list(_slots(plan, card.slots, card.slots if state is None else state, rows))
    there = () if state is None or isinstance(state, int) else state
    counts = Counter(str(plan.assignments.mig_profile[r]) for r in rows)
    starts = starts_of(card, there, tuple(counts), tuple(counts.values())) if counts else ()
    new = [(name, start) for name, own in zip(counts, starts, strict=True) for start in own]
    return [_instance(card, *each, own=False) for each in there] + [
        _instance(card, *each, own=True) for each in new
    ]


def _instance(card: Card, name: str, start: int, *, own: bool) -> Json:
    return {"start": start, "size": card.cut(name).memory, "label": name, "own": own}


def _slots(plan: Plan, slots: int, free: object, rows: Sequence[int]) -> Iterator[Json]:
    assert isinstance(free, int)
    at = slots - free
    if at:
        yield {"start": 0, "size": at, "label": "in use", "own": False}
    for r in rows:
        size = max(1, round(int(plan.assignments.gpu_milli[r]) * slots / MILLI))
        yield {"start": at, "size": size, "label": f"task {int(plan.assignments.task[r])}", "own": True}
        at += size
