"""Cliques, rings, meshes and switches, against networkx' own algorithms."""

from collections.abc import Iterable
from itertools import combinations
from random import Random
from typing import Any, TypeAlias

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networkx.algorithms.isomorphism import GraphMatcher

from flare_core.catalog.links import TEMPLATES, LinkTemplate
from flare_core.topology.graph import LinkClass, LinkGraph, graph_of, graph_of_template
from flare_core.topology.shapes import (
    has_mesh,
    has_path,
    has_ring,
    has_shape,
    is_clique,
    is_connected,
    set_class,
)

Graph: TypeAlias = "nx.Graph[Any]"

GRAPHS = 2_400
"""Random graphs of 2 to 8 nodes that are compared."""


def drawn(seed: int) -> Graph:
    random = Random(seed)
    graph: Graph = nx.gnp_random_graph(2 + seed % 7, random.choice((0.3, 0.5, 0.7, 0.85, 0.95)), seed=seed)
    return graph


def adjacency_of(graph: Graph) -> tuple[int, ...]:
    return tuple(sum(1 << b for b in graph[a]) for a in range(len(graph)))


def contains(graph: Graph, shape: Graph) -> bool:
    """Tell whether the links of a shape, on as many nodes, are among those of a graph."""
    return bool(GraphMatcher(graph, shape).subgraph_is_monomorphic())  # type: ignore[no-untyped-call]  # untyped there


def meshes(size: int) -> list[Graph]:
    """Return the grids of a size with two rows and columns or more; a path where there are none."""
    grids = [nx.grid_2d_graph(r, size // r) for r in range(2, size) if size % r == 0 and size // r > 1]
    return grids or [nx.path_graph(size)]


def ring(size: int) -> Graph:
    shape: Graph = nx.cycle_graph(size) if size > 2 else nx.path_graph(size)
    return shape


def linked(graph: Graph, kind: str = "nvlink") -> LinkGraph:
    """Return a node whose GPUs have these links."""
    text = ",".join(f'[{min(a, b)},{max(a, b)},"{kind}"]' for a, b in sorted(graph.edges))
    return node(links=f"[{text}]", gpus=len(graph))


def node(
    *, links: str | None = None, gpus: int, interconnect: str | None = None, topology: str | None = None
) -> LinkGraph:
    return graph_of(
        model=None,
        memory_mib=None,
        gpus=gpus,
        interconnect=interconnect,
        interconnect_gbps=None,
        topology=topology,
        links=links,
    )


@pytest.mark.parametrize("part", range(8))
def test_shapes_are_those_of_networkx(part: int) -> None:
    seen: dict[tuple[str, bool], int] = {}
    for seed in range(part, GRAPHS, 8):
        graph = drawn(seed)
        adjacency, size = adjacency_of(graph), len(graph)
        whole = (1 << size) - 1
        answers = {
            "connected": (is_connected(adjacency, whole), nx.is_connected(graph)),
            "clique": (is_clique(adjacency, whole), any(len(c) == size for c in nx.find_cliques(graph))),
            "ring": (has_ring(adjacency, whole), contains(graph, ring(size))),
            "path": (has_path(adjacency, whole), contains(graph, nx.path_graph(size))),
            "mesh": (has_mesh(adjacency, whole), any(contains(graph, mesh) for mesh in meshes(size))),
        }
        for name, (ours, theirs) in answers.items():
            assert ours == theirs, (name, seed)
            seen[name, ours] = seen.get((name, ours), 0) + 1
    assert all(
        seen.get((name, answer), 0) > 20 for name in ("clique", "ring", "mesh") for answer in (True, False)
    )


@given(st.integers(0, 10**6))
def test_a_set_has_the_shapes_of_its_own_links(seed: int) -> None:
    """Other GPUs of the node do not help."""
    graph = drawn(7 * seed + 6)  # eight nodes
    mask = Random(seed).randrange(1, 256)
    own = nx.convert_node_labels_to_integers(graph.subgraph([a for a in graph if mask >> a & 1]))
    alone = (1 << len(own)) - 1
    for topology in ("all-to-all", "ring", "mesh"):
        assert has_shape(linked(graph), mask, topology, 2) == has_shape(linked(own), alone, topology, 2)
    assert set_class(linked(graph), mask) == set_class(linked(own), alone)


@pytest.mark.parametrize("size", range(9, 17))
def test_a_shape_is_found_wherever_its_gpus_lie(size: int) -> None:
    for shape, ask in ((ring(size), has_ring), (nx.path_graph(size), has_path), (meshes(size)[0], has_mesh)):
        for seed in range(6):
            more = nx.gnp_random_graph(size, 0.2, seed=seed)
            assert ask(adjacency_of(nx.compose(shape_on(shape, Random(seed)), more)), (1 << size) - 1)


def test_a_grid_is_found_whichever_corner_comes_first() -> None:
    grid = nx.grid_2d_graph(3, 4)
    corners = [(0, 0), (2, 0), (0, 3), (2, 3)]
    order = corners + sorted(set(grid) - set(corners))
    named = nx.relabel_nodes(grid, {cell: number for number, cell in enumerate(order)})
    assert has_mesh(adjacency_of(named), (1 << 12) - 1)
    named.remove_edge(0, min(named[0]))
    assert not has_mesh(adjacency_of(named), (1 << 12) - 1)


@pytest.mark.parametrize(("size", "share"), [(9, 0.4), (10, 0.4), (12, 0.35)])
def test_larger_sets_agree_with_networkx_too(size: int, share: float) -> None:
    found = set()
    for seed in range(5, 10):
        graph = nx.gnp_random_graph(size, share, seed=seed)
        is_mesh = has_mesh(adjacency_of(graph), (1 << size) - 1)
        assert is_mesh == any(contains(graph, mesh) for mesh in meshes(size)), seed
        found.add(is_mesh)
    assert found == {True, False}


def shape_on(shape: Graph, random: Random) -> Graph:
    """Return a shape with its nodes numbered at random."""
    return nx.relabel_nodes(
        shape, dict(zip(shape, random.sample(range(len(shape)), len(shape)), strict=True))
    )


@pytest.mark.parametrize(("left", "right"), [(7, 9), (8, 8)])
def test_sixteen_gpus_in_two_unlike_halves_have_no_ring(left: int, right: int) -> None:
    """A ring of a bipartite graph has as many GPUs on either side."""
    graph = nx.complete_bipartite_graph(left, right)
    assert has_ring(adjacency_of(graph), 2**16 - 1) == (left == right)
    assert has_mesh(adjacency_of(graph), 2**16 - 1) == (left == right)


def large(size: int, pairs: Iterable[tuple[int, int]]) -> LinkGraph:
    """Return a graph of more GPUs than offers' links are looked at."""
    links = tuple((min(pair), max(pair), "nvlink", 40.0) for pair in pairs)
    return graph_of_template(LinkTemplate("large", size, links, "none"))


def ring_of(size: int) -> list[tuple[int, int]]:
    return [(gpu, (gpu + 1) % size) for gpu in range(size)]


def grid_of(size: int) -> list[tuple[int, int]]:
    width = min(w for w in range(1, size + 1) if size % w == 0 and w * w >= size)
    across = [(a, a + 1) for a in range(size) if (a + 1) % width]
    return across + [(a, a + width) for a in range(size - width)]


@pytest.mark.parametrize("size", [18, 24, 40])
def test_larger_sets_are_seen_in_the_order_of_their_numbers(size: int) -> None:
    whole = (1 << size) - 1
    shapes = {"ring": ring_of(size), "mesh": grid_of(size), "all-to-all": combinations(range(size), 2)}
    for topology, pairs in shapes.items():
        graph = large(size, pairs)
        assert has_shape(graph, whole, topology, 2)
        assert has_shape(graph, whole, "all-to-all", 2) == (topology == "all-to-all")
    mesh = large(size, grid_of(size))
    assert has_shape(mesh, 0b11 << 3, "ring", 2), "small sets of large nodes are exact"
    assert not has_shape(mesh, 0b101 << 3, "ring", 2)
    assert has_shape(large(19, ring_of(19)), 2**19 - 1, "mesh", 2)


@pytest.mark.parametrize(("size", "known"), [(16, True), (17, False), (64, False)])
def test_of_many_gpus_links_that_differ_are_not_looked_at(size: int, known: bool) -> None:
    ring = node(gpus=size, interconnect="nvlink", topology="ring")
    assert ring.known == known
    assert ring.uniform == (not known)
    assert node(gpus=size, interconnect="nvlink", topology="all-to-all").known


def test_links_count_from_the_asked_class_on() -> None:
    graph = node(gpus=3, links='[[0,1,"nvswitch"],[0,2,"pcie"],[1,2,"nvlink"]]')
    assert [set_class(graph, mask) for mask in (0b011, 0b101, 0b110, 0b111)] == [3, 1, 2, 2]
    assert [has_shape(graph, 0b111, "ring", least) for least in (1, 2, 3)] == [True, False, False]
    assert [has_shape(graph, mask, "nvswitch", 1) for mask in (0b011, 0b110, 0b111)] == [True, False, False]
    assert has_shape(graph, 0b111, "mesh", 2), "three GPUs make a mesh as a path"


def test_gpus_without_a_stated_link_have_none() -> None:
    graph = node(gpus=4, links='[[0,1,"nvlink"]]', interconnect="nvswitch", topology="nvswitch")
    assert set_class(graph, 0b0011) == LinkClass.NVLINK
    assert set_class(graph, 0b0101) == LinkClass.NONE


@pytest.mark.parametrize("topology", ["all-to-all", "ring", "mesh", "nvswitch"])
def test_one_gpu_has_every_shape_and_several_of_an_unknown_graph_none(topology: str) -> None:
    flat = node(gpus=4, interconnect="nvlink")
    assert not flat.known
    assert has_shape(flat, 0b0100, topology, 2)
    assert not has_shape(flat, 0b0110, topology, 1)
    assert set_class(flat, 0b0110) == LinkClass.NVLINK
    assert set_class(flat, 0b0100) == LinkClass.NVSWITCH


def test_the_hybrid_cube_mesh_is_no_clique_but_its_halves_are() -> None:
    graph = graph_of(
        model="nvidia-v100",
        memory_mib=16384,
        gpus=8,
        interconnect="nvlink",
        interconnect_gbps=2400.0,
        topology=None,
        links=None,
    )
    cliques = [
        set(four)
        for four in combinations(range(8), 4)
        if has_shape(graph, sum(1 << a for a in four), "all-to-all", 2)
    ]
    assert cliques == [{0, 1, 2, 3}, {4, 5, 6, 7}]
    assert has_shape(graph, 255, "ring", 2)
    assert has_shape(graph, 255, "mesh", 2)
    assert not has_shape(graph, 255, "all-to-all", 2)
    assert has_shape(graph, 255, "all-to-all", 1), "over PCIe every pair is linked"
    assert set_class(graph, 0b00100001) == LinkClass.PCIE
    assert TEMPLATES["dgx-1-v100"].gpus == graph.gpus
