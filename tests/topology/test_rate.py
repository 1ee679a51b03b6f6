"""The rate of the best all-reduce, against linear programs over all spanning trees and all partitions."""

import itertools
from collections.abc import Iterator
from itertools import combinations
from random import Random

import networkx as nx
import numpy as np
import ortools.linear_solver.pywraplp as pywraplp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flare_core.catalog.links import LinkTemplate
from flare_core.topology.graph import LinkClass, LinkGraph, graph_of_template
from flare_core.topology.rate import HOST_GBYTES, tree_rate, tree_rates
from tests.topology.linked import KINDS, Link, clique, everything, linked, links_of

Bandwidth = dict[tuple[int, int], float]


def own_bandwidth(graph: LinkGraph, gpus: tuple[int, ...]) -> Bandwidth:
    """Return what each pair has for itself: its direct link, or its part of a port or of the host."""

    def of(a: int, b: int) -> float:
        direct = graph.classes[a][b] == LinkClass.NVLINK and not graph.ports
        sharers = len(gpus) - 1
        return max(graph.gbytes[a][b] / (1 if direct else sharers), HOST_GBYTES / sharers)

    return {pair: of(*pair) for pair in combinations(gpus, 2)}


def packed(gpus: tuple[int, ...], bandwidth: Bandwidth) -> float:
    """Return the largest fractional packing of spanning trees: a linear program, a column for each tree."""
    solver = pywraplp.Solver.CreateSolver("GLOP")
    rows = {pair: solver.Constraint(0, limit) for pair, limit in bandwidth.items()}
    solver.Objective().SetMaximization()
    for edges in combinations(bandwidth, len(gpus) - 1):
        if not nx.is_connected(nx.Graph(edges)) or len({end for edge in edges for end in edge}) < len(gpus):
            continue
        tree = solver.NumVar(0, solver.infinity(), "")
        solver.Objective().SetCoefficient(tree, 1)
        for edge in edges:
            rows[edge].SetCoefficient(tree, 1)
    assert solver.Solve() == solver.OPTIMAL
    return float(solver.Objective().Value())


def partitions(gpus: tuple[int, ...]) -> Iterator[list[list[int]]]:
    if not gpus:
        yield []
        return
    for rest in partitions(gpus[1:]):
        yield [[gpus[0]], *rest]
        for at in range(len(rest)):
            yield [*rest[:at], [gpus[0], *rest[at]], *rest[at + 1 :]]


def weakest(gpus: tuple[int, ...], bandwidth: Bandwidth) -> float:
    """Return min cap(P) / (|P| - 1), by looking at every partition."""
    least = np.inf
    for parts in partitions(gpus):
        if len(parts) > 1:
            part = {gpu: at for at, members in enumerate(parts) for gpu in members}
            cap = sum(limit for (a, b), limit in bandwidth.items() if part[a] != part[b])
            least = min(least, cap / (len(parts) - 1))
    return least


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5).flatmap(lambda gpus: st.tuples(st.just(gpus), links_of(gpus))))
def test_it_is_the_largest_packing_of_spanning_trees(world: tuple[int, list[Link]]) -> None:
    gpus, links = world
    graph, members = linked(gpus, links), tuple(range(gpus))
    assert tree_rate(graph, everything(gpus)) == pytest.approx(packed(members, own_bandwidth(graph, members)))


@settings(max_examples=60, deadline=None)
@given(links_of(7), st.sets(st.integers(0, 6), min_size=2))
def test_it_is_the_least_of_all_partitions_of_a_subset(links: list[Link], chosen: set[int]) -> None:
    graph, members = linked(7, links), tuple(sorted(chosen))
    mask = sum(1 << gpu for gpu in members)
    assert tree_rate(graph, mask) == pytest.approx(weakest(members, own_bandwidth(graph, members)))


@pytest.mark.parametrize("seed", range(8))
def test_so_it_is_where_many_partitions_tie(seed: int) -> None:
    """Links of one or two units and nothing else: parts that meet have to be united."""
    rng = Random(seed)
    members = tuple(range(6))
    for _ in range(40):
        rates = {pair: rng.choice([0, 0, 1, 1, 2]) for pair in combinations(members, 2)}
        graph = linked(6, [(a, b, "nvlink", 2 * rate) for (a, b), rate in rates.items() if rate])
        exact = weakest(members, {pair: float(rate) for pair, rate in rates.items()})
        assert tree_rates(graph, np.array([everything(6)]), 0)[0] == pytest.approx(exact)


@settings(max_examples=3, deadline=None)
@given(links_of(9))
def test_so_it_is_of_more_than_eight(links: list[Link]) -> None:
    graph, members = linked(9, links), tuple(range(9))
    assert tree_rate(graph, everything(9)) == pytest.approx(weakest(members, own_bandwidth(graph, members)))


@pytest.mark.parametrize("gpus", [2, 3, 8, 16, 72])
def test_a_switch_gives_each_set_its_closed_form(gpus: int) -> None:
    graph = clique(gpus, "nvswitch", 900)
    sizes = [size for size in (2, 5, gpus) if size <= gpus]
    for size in sizes:
        expected = size * 450 / (2 * (size - 1))
        assert tree_rate(graph, everything(size)) == pytest.approx(expected)
    assert graph.uniform


def test_a_pair_more_or_less_alike_is_searched_to_the_same_figure() -> None:
    """One link a millionth faster makes the graph unlike; the search meets the closed form."""
    links: list[Link] = [(a, b, "nvlink", 100) for a, b in combinations(range(8), 2)]
    unlike = linked(8, [*links[:-1], (*links[-1][:3], 100.000002)])
    assert not unlike.uniform
    assert tree_rate(unlike, everything(8)) == tree_rate(linked(8, links), everything(8)) == 8 * 50 / 2


@pytest.mark.parametrize("gpus", [3, 8, 13, 16])
def test_a_ring_reduces_along_both_directions(gpus: int) -> None:
    """Without the way by the host, k w / (k - 1): bus bandwidth 2 w."""
    ring = linked(gpus, [(gpu, (gpu + 1) % gpus, "nvlink", 100) for gpu in range(gpus)])
    assert tree_rates(ring, np.array([everything(gpus)]), 0)[0] == pytest.approx(gpus * 50 / (gpus - 1))


def test_two_islands_are_as_fast_as_what_joins_them() -> None:
    islands = [(a, b, "nvlink", 100.0) for low in (0, 6) for a, b in combinations(range(low, low + 6), 2)]
    graph = linked(12, [*islands, (5, 6, "nvlink", 40)])
    assert tree_rate(graph, everything(12)) == pytest.approx(20 + 35 * HOST_GBYTES / 11)


@given(st.data())
@settings(deadline=None)
def test_no_link_that_is_added_or_gets_faster_lowers_it(data: st.DataObject) -> None:
    links = data.draw(links_of(6))
    pair = data.draw(st.sampled_from(list(combinations(range(6), 2))))
    old = next((link for link in links if link[:2] == pair), None)
    kind = old[2] if old else data.draw(st.sampled_from(KINDS))
    better: Link = (*pair, kind, (old[3] if old else 0) + data.draw(st.sampled_from([1, 20, 500])))
    masks = np.arange(1, 64)
    before = tree_rates(linked(6, links), masks)
    after = tree_rates(linked(6, [better, *(link for link in links if link is not old)]), masks)
    assert (after >= before).all()


@given(links_of(6), st.permutations(range(6)))
@settings(deadline=None)
def test_sets_that_are_alike_tie_exactly(links: list[Link], names: list[int]) -> None:
    renamed = [(names[a], names[b], kind, rate) for a, b, kind, rate in links]
    graph = linked(6, [(min(a, b), max(a, b), kind, rate) for a, b, kind, rate in renamed])
    for mask in (0b000111, 0b110101, 0b111111):
        other = sum(1 << names[gpu] for gpu in range(6) if mask >> gpu & 1)
        assert tree_rate(linked(6, links), mask) == tree_rate(graph, other)


def test_sets_of_several_sizes_may_be_asked_at_once() -> None:
    graph = linked(4, [(0, 1, "nvlink", 100), (1, 2, "nvlink", 50)])
    masks = np.arange(16)
    together = tree_rates(graph, masks)
    assert together.tolist() == [tree_rate(graph, mask) for mask in masks.tolist()]
    assert np.isinf(together[[0, 1, 2, 4, 8]]).all()


def test_without_links_the_host_is_what_is_left() -> None:
    flat = linked(4, [])
    assert tree_rate(flat, 0b11) == HOST_GBYTES
    assert tree_rate(flat, 0b1111) == 4 * HOST_GBYTES / 6


def test_beyond_what_is_searched_it_is_a_lower_bound() -> None:
    ring: list[Link] = [(gpu, (gpu + 1) % 20, "nvlink", 100) for gpu in range(20)]
    chords: list[Link] = [(a, b, "nvlink", 60) for a, b in combinations(range(20), 2) if 1 < b - a < 19]
    links = tuple((min(a, b), max(a, b), kind, float(speed)) for a, b, kind, speed in [*ring, *chords])
    rate = tree_rate(graph_of_template(LinkTemplate("large", 20, links, "none")), everything(20))
    assert rate == pytest.approx(20 * 30 / 2)
    assert rate < (20 * 50 + 170 * 30) / 19  # the partition into single GPUs


def test_every_set_of_eight_of_sixteen_is_rated_at_once() -> None:
    links: list[Link] = [
        (a, b, "nvlink", 50 + 50 * ((a * b) % 3)) for a, b in combinations(range(16), 2) if (a + b) % 3
    ]
    graph = linked(16, links)
    masks = np.array([sum(1 << gpu for gpu in gpus) for gpus in combinations(range(16), 8)])
    rates = tree_rates(graph, masks)
    for at in range(0, len(masks), 3217):
        assert rates[at] == tree_rate(graph, int(masks[at]))
    assert len(set(itertools.islice(rates, 100))) > 1
