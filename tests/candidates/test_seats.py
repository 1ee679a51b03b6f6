"""Seats: an offer is one candidate for each grade of its GPUs, and a node holds what can be seated on it."""

from typing import Any

import numpy as np
import pytest

from flare_core.candidates.screen import screen
from flare_core.candidates.types import Candidates
from flare_core.inventory.types import IntArray
from flare_core.placement.nodes import Guest
from flare_core.placement.packing import Ask, Problem
from tests import insides
from tests.candidates.worlds import inventory, needs, offer, screened
from tests.placement.nodes import node_of, seatings
from tests.placement.test_nodes import mixed, read

GPU = "workload.resources.gpu"
FAST, SLOW = "100 GB/s", "50 GB/s"
LINKS = [[0, 1, "nvlink", FAST], [1, 2, "nvlink", FAST], [2, 3, "nvlink", SLOW]]
UNLIKE: dict[str, object] = {"gpu.links": LINKS, "gpu.fp32_tflops": 100}
PAIRS: dict[str, object] = {f"{GPU}.count": 2, "workload.scaling": {"min_replicas": 9, "max_replicas": 9}}


def sets(found: Candidates) -> list[tuple[int, ...]]:
    """Return the sets of each entry, () where any GPUs will do."""
    return [() if code < 0 else found.sets[code] for code in found.group_sets.tolist()]


def of_grade(found: Candidates, column: IntArray) -> list[int]:
    """Return a candidate's figure for each entry."""
    return [int(figure) for figure in column[found.group_candidate]]


def test_an_offer_is_a_candidate_for_each_grade_the_best_first() -> None:
    found = screen(needs(PAIRS), inventory(offer(UNLIKE), offer(id="b")), alone=False)
    assert found.rows.tolist() == [0, 0, 0, 1]
    assert sets(found) == [(0b0011, 0b0110), (0b1100,), (0b0101, 0b1001, 0b1010), ()]
    assert (np.diff(found.efficiency_ppm[:3]) < 0).all()
    assert (np.diff(found.performance_mtflops[:3]) < 0).all()
    assert found.group_tasks.tolist() == [1, 1, 2, 2]
    assert found.group_room.tolist() == [2, 2, 2, 2]
    assert found.best.tolist() == [True, False, False, True]
    assert len(set(found.task_ueur[:3].tolist())) == 1


def test_preferences_grade_before_efficiency() -> None:
    pcie = [[0, 1, "pcie", "900 GB/s"], [2, 3, "nvlink", SLOW]]
    asked = {**PAIRS, f"{GPU}.interconnect": "nvlink"}
    found = screen(needs(asked), inventory(offer({"gpu.links": pcie})), alone=False)
    assert sets(found)[0] == (0b1100,)
    assert found.misses.tolist() == [0, *[1] * (len(found) - 1)]
    assert found.missed.tolist() == found.misses.tolist()
    assert found.efficiency_ppm[0] < found.efficiency_ppm[1]


def test_topology_and_interconnect_are_bits_of_their_own() -> None:
    links = [[0, 1, "nvlink", FAST], [1, 2, "nvlink", FAST], [0, 2, "pcie", FAST]]
    asked = {f"{GPU}.count": 3, f"{GPU}.interconnect": "nvlink", f"{GPU}.topology": "ring"}
    found = screen(needs(asked), inventory(offer({"gpu.links": links})), alone=False)
    by_sets = dict(zip(sets(found), found.missed.tolist(), strict=True))
    assert by_sets[(0b0111,)] == 0b10  # joined by NVLink, but no ring of it
    assert {missed for own, missed in by_sets.items() if own != (0b0111,)} == {0b11}


@pytest.mark.parametrize(("replicas", "grades"), [(1, 1), (2, 3)])
def test_alone_on_its_nodes_an_intent_needs_no_lesser_seats_than_it_can_have(
    replicas: int, grades: int
) -> None:
    asked = {**PAIRS, "workload.scaling": {"min_replicas": replicas, "max_replicas": replicas}}
    stock = inventory(offer(UNLIKE))
    assert len(screen(needs(asked), stock, alone=True)) == grades
    assert len(screen(needs(asked), stock, alone=False)) == 3
    whole = inventory(offer({**UNLIKE, "price.billing": "node"}))
    assert len(screen(needs(asked), whole, alone=False)) == grades


@pytest.mark.parametrize(("links", "tasks"), [([[0, 1], [0, 2], [0, 3]], 1), ([[0, 1], [0, 2], [1, 3]], 2)])
def test_where_links_are_a_condition_a_node_holds_what_finds_linked_sets(
    links: list[list[int]], tasks: int
) -> None:
    hard = {
        **PAIRS,
        f"{GPU}.interconnect": "nvlink",
        "constraints.negotiation": {"fallback_strategy": "fail"},
    }
    found = screened(hard, [offer({"gpu.links": [[a, b, "nvlink", FAST] for a, b in links]})])
    assert (found.group_tasks.tolist(), found.group_room.tolist()) == ([tasks], [tasks])


def test_nodes_with_other_gpus_free_have_other_seats() -> None:
    states = [{"node": 0, "free_gpus": [0, 2, 3]}, {"node": 1, "free_gpus": [0, 2]}]
    found = screened(PAIRS, [offer({**UNLIKE, "nodes": 3, "node_states": states})])
    by_node: dict[int, list[tuple[int, ...]]] = {}
    for group, own in zip(found.group.tolist(), sets(found), strict=True):
        by_node.setdefault(group, []).append(own)
    assert sorted(by_node.values()) == [
        [()],
        [(0b0011, 0b0110), (0b1100,), (0b0101, 0b1001, 0b1010)],
        [(0b1100,)],  # of three GPUs one pair at a time
    ]


def test_the_sets_of_grades_are_disjoint_and_entries_ascend() -> None:
    for seed in range(120):
        one = read(insides.linked(seed))
        for ask in one.asks if one is not None else ():
            found = ask.found
            key = list(zip(found.group_candidate.tolist(), found.group.tolist(), strict=True))
            assert key == sorted(set(key))
            for group in set(found.group.tolist()):
                own = [s for s, g in zip(sets(found), found.group.tolist(), strict=True) if g == group]
                every = [mask for some in own for mask in some]
                assert len(every) == len(set(every))
                assert len(own) == 1 or all(own)


@pytest.mark.parametrize("make", [insides.linked, insides.cut, insides.inside, mixed])
def test_a_node_holds_as_many_tasks_as_can_be_seated_on_it(make: Any) -> None:
    counted = 0
    for seed in range(60):
        one = read(make(seed))
        for ask in one.asks if one is not None else ():
            if one is not None and ask.needs.gpus:
                counted += _agrees(one, ask)
    assert counted >= 60


def _agrees(one: Problem, ask: Ask) -> int:
    found = ask.found
    for g in range(len(found.group)):
        host = _beside_gpus(one, ask, g)
        assert found.group_tasks[g] == min(host, _most(one, Guest(ask, g, 1), any_grade=False))
        assert found.group_room[g] == min(host, _most(one, Guest(ask, g, 1), any_grade=True))
    return len(found.group)


def _most(one: Problem, guest: Guest, *, any_grade: bool) -> int:
    """Return how many tasks the GPUs of a node hold, at most as many as are wanted, by trying all ways."""
    node = node_of(one.inventory, int(guest.ask.found.group[guest.g]))
    tasks = 0
    while tasks < guest.ask.needs.max_tasks:
        ways = seatings(node, [guest._replace(tasks=tasks + 1)], any_grade=any_grade)
        if next(ways, None) is None:
            break
        tasks += 1
    return tasks


def _beside_gpus(one: Problem, ask: Ask, g: int) -> int:
    groups, group, needed = one.inventory.groups, int(ask.found.group[g]), ask.needs
    have = (
        (int(groups.free_cpu_milli[group]), needed.cpu_milli),
        (int(groups.free_memory_mib[group]), needed.memory_mib),
        (int(one.inventory.whole["storage_mib"][groups.offer[group]]), needed.storage_mib),
    )
    return min((free // asked for free, asked in have if asked), default=needed.max_tasks)
