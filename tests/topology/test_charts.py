"""The grades of a node's free GPUs, against looking at every set and every way to seat tasks."""

from collections.abc import Iterator
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flare_core.topology.charts import (
    INTERCONNECT,
    TOPOLOGY,
    Chart,
    Claim,
    Wish,
    can_seat,
    chart,
    choices,
    most_disjoint,
)
from flare_core.topology.efficiency import efficiency_ppm
from flare_core.topology.graph import LinkClass, LinkGraph, graph_of
from flare_core.topology.shapes import has_shape, set_class
from tests.topology.linked import Link, clique, everything, linked, links_of

RATING = 312.0
Family = tuple[int, ...]


def flat(gpus: int, interconnect: str | None = "nvlink", topology: str | None = None) -> LinkGraph:
    """Return the graph of a node of which a label is all that is known."""
    return graph_of(
        model=None,
        memory_mib=None,
        gpus=gpus,
        interconnect=interconnect,
        interconnect_gbps=None,
        topology=topology,
        links=None,
    )


def sets_of(free: int, k: int) -> list[int]:
    members = [i for i in range(free.bit_length()) if free >> i & 1]
    return sorted(sum(1 << i for i in some) for some in combinations(members, k))


def families(free: int, sets: tuple[int, ...], tasks: int) -> Iterator[Family]:
    """Yield every way to take so many disjoint sets, by trying all combinations."""
    for some in combinations(sets, tasks):
        if sum(some).bit_count() == sum(mask.bit_count() for mask in some) and not sum(some) & ~free:
            yield some


def brute_most(sets: tuple[int, ...]) -> int:
    union = 0
    for mask in sets:
        union |= mask
    number = 0
    while next(families(union, sets, number + 1), None) is not None:
        number += 1
    return number


# --- disjoint sets ----------------------------------------------------------------------------------

SETS = st.lists(st.integers(1, 255), max_size=9, unique=True).map(lambda some: tuple(sorted(some)))


@given(SETS)
def test_the_most_disjoint_sets_are_those_of_all_combinations(sets: tuple[int, ...]) -> None:
    assert most_disjoint(sets) == brute_most(sets)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_most_disjoint_sets_of_one_size_too(k: int) -> None:
    random = Random(k)
    every = sets_of(255, k)
    for _ in range(60):
        sets = tuple(sorted(random.sample(every, random.randint(0, 8))))
        assert most_disjoint(sets) == brute_most(sets)


def test_all_sets_of_a_node_fill_it() -> None:
    assert [most_disjoint(tuple(sets_of(255, k))) for k in range(1, 9)] == [8, 4, 2, 2, 1, 1, 1, 1]


@given(st.integers(0, 255), SETS, st.integers(0, 3))
def test_choices_are_every_way_to_take_disjoint_sets_once(
    free: int, sets: tuple[int, ...], tasks: int
) -> None:
    found = list(choices(free, sets, tasks))
    assert sorted(own for own, _ in found) == sorted(families(free, sets, tasks))
    assert all(left == free & ~sum(own) for own, left in found)


# --- seats for several ------------------------------------------------------------------------------


@given(st.integers(0, 63), st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), SETS), max_size=3))
def test_tasks_find_seats_where_some_way_to_seat_them_exists(
    free: int, drawn: list[tuple[int, int, tuple[int, ...]]]
) -> None:
    claims = []
    for k, tasks, some in drawn:
        sets = tuple(mask & 63 for mask in some if (mask & 63).bit_count() == k)
        claims.append(Claim(k, tasks, tuple(sorted(set(sets)))))
    assert can_seat(free, tuple(claims)) is _seated(free, claims)


def _seated(free: int, claims: list[Claim]) -> bool:
    """Whether the tasks of all claims, of which one without sets takes any GPUs, find disjoint sets."""
    if not claims:
        return True
    first, *rest = claims
    sets = first.sets or tuple(sets_of(free, first.k))
    return any(_seated(free & ~sum(own), rest) for own in families(free, sets, first.tasks))


def test_two_pairs_that_need_the_same_gpu_are_not_seated() -> None:
    pairs = Claim(2, 1, (0b0011, 0b0110))
    assert can_seat(0b1111, (pairs, Claim(2, 1, (0b1100,))))
    assert not can_seat(0b1111, (pairs, Claim(2, 1, (0b1010,))))
    assert not can_seat(0b0111, (pairs, Claim(1, 2)))


# --- charts -----------------------------------------------------------------------------------------

WISHES = st.builds(
    Wish,
    k=st.integers(1, 4),
    least_class=st.integers(0, 3),
    topology=st.sampled_from(["", "", "ring", "mesh", "all-to-all", "nvswitch"]),
    efficiency_ppm=st.sampled_from([0, 0, 500_000, 900_000, 980_000]),
    hard=st.booleans(),
)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[LinkGraph, int]:
    """Return the links of a node of two to six GPUs, and some of these GPUs."""
    gpus = draw(st.integers(2, 6))
    links: list[Link] = draw(links_of(gpus))
    labels = st.sampled_from([None, "pcie", "nvlink", "nvswitch"])
    shapes = st.sampled_from([None, "ring", "mesh", "all-to-all", "nvswitch"])
    graph = linked(gpus, links) if links else flat(gpus, draw(labels), draw(shapes))
    return graph, draw(st.integers(0, everything(gpus)))


def _lacks(graph: LinkGraph, mask: int, wish: Wish) -> int:
    if wish.k < 2:
        return 0
    unlinked = INTERCONNECT if set_class(graph, mask) < wish.least_class else 0
    least = wish.least_class or LinkClass.NVLINK
    return unlinked | (TOPOLOGY if wish.topology and not has_shape(graph, mask, wish.topology, least) else 0)


@settings(max_examples=400)
@given(graphs(), WISHES, st.sampled_from([None, 10.5, 989.0]), st.sampled_from([None, None, 0.0, 0.8, 1.0]))
def test_a_chart_has_every_set_that_will_do_in_its_grade(
    node: tuple[LinkGraph, int], wish: Wish, rating: float | None, stated: float | None
) -> None:
    graph, free = node
    expected: dict[tuple[int, int], set[int]] = {}
    for mask in sets_of(free, wish.k):
        missed = _lacks(graph, mask, wish)
        ppm = int(efficiency_ppm(graph, np.array([mask]), rating, stated)[0])
        if ppm >= wish.efficiency_ppm and not (wish.hard and missed):
            expected.setdefault((missed, ppm), set()).add(mask)
    found = chart(graph, free, wish, rating, stated)
    every = set(sets_of(free, wish.k))
    told = {(grade.missed, grade.ppm): set(grade.sets) or every for grade in found.grades}
    assert told == expected
    assert found.most == brute_most(tuple(sorted(set().union(*expected.values()))))
    for grade in found.grades:
        assert grade.most == brute_most(tuple(sorted(told[grade.missed, grade.ppm])))
        assert list(grade.sets) == sorted(grade.sets)
    order = [(grade.missed.bit_count(), -grade.ppm) for grade in found.grades]
    assert order == sorted(order)


def test_where_gpus_are_alike_nobody_has_to_say_which() -> None:
    for graph in (flat(8), flat(8, "nvswitch", "nvswitch"), clique(8, "nvlink", 100)):
        for k in (1, 2, 3, 8):
            (grade,) = chart(graph, 255, Wish(k), RATING, None).grades
            assert (grade.sets, grade.most) == ((), 8 // k)


def test_a_large_node_of_like_gpus_is_no_matter_of_bits() -> None:
    (grade,) = chart(flat(100), everything(100), Wish(70), RATING, None).grades
    assert (grade.sets, grade.most) == ((), 1)


def test_too_few_free_gpus_have_no_grade() -> None:
    assert chart(flat(4), 0b0001, Wish(2), RATING, None) == Chart((), 0)
    assert chart(linked(4, [(0, 1, "nvlink", 50)]), 0, Wish(1), RATING, None) == Chart((), 0)


BRIDGED = linked(4, [(0, 1, "nvlink", 100), (2, 3, "nvlink", 100)])


def test_a_preference_grades_and_a_condition_removes() -> None:
    soft = chart(BRIDGED, 0b1111, Wish(2, LinkClass.NVLINK), RATING, None)
    assert [(grade.missed, grade.sets) for grade in soft.grades] == [
        (0, (0b0011, 0b1100)),
        (INTERCONNECT, (0b0101, 0b0110, 0b1001, 0b1010)),
    ]
    hard = chart(BRIDGED, 0b1111, Wish(2, LinkClass.NVLINK, hard=True), RATING, None)
    assert [grade.sets for grade in hard.grades] == [(0b0011, 0b1100)]
    assert chart(BRIDGED, 0b0101, Wish(2, LinkClass.NVLINK, hard=True), RATING, None).most == 0


@pytest.mark.parametrize("less", [0, 1])
def test_a_least_efficiency_is_kept_to_the_millionth(less: int) -> None:
    best = chart(BRIDGED, 0b1111, Wish(2), RATING, None).grades[0].ppm
    asked = chart(BRIDGED, 0b1111, Wish(2, efficiency_ppm=best + less), RATING, None)
    assert [grade.sets for grade in asked.grades] == ([] if less else [(0b0011, 0b1100)])


def test_alone_on_a_node_only_the_best_grade_counts_where_it_holds_everyone() -> None:
    found = chart(BRIDGED, 0b1111, Wish(2), RATING, None)
    assert len(found.grades) == 2
    assert found.alone(2) == found.grades[:1]
    torn = chart(BRIDGED, 0b1101, Wish(2), RATING, None)
    assert torn.alone(1) == torn.grades[:1]
    path = chart(linked(4, [(0, 1, "nvlink", 50), (1, 2, "nvlink", 100)]), 0b1111, Wish(2), RATING, None)
    assert path.grades[0].sets == (0b0110,)
    assert path.alone(1) == path.grades[:1]
    assert path.alone(2) == path.grades


def test_where_speed_is_unknown_no_grade_is_better_for_it() -> None:
    found = chart(BRIDGED, 0b1111, Wish(2), None, None)
    assert len(found.grades) == 2
    assert found.alone(1) == found.grades
