"""Whose word counts about the links of a node: its own, its type's, its labels'; else it is flat."""

from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.catalog.links import TEMPLATES
from flare_core.inventory.fields import BY_NAME, parse_value
from flare_core.topology.graph import (
    CLASS_OF,
    NOMINAL_GBYTES,
    LinkClass,
    LinkGraph,
    graph_of,
    graph_of_template,
)


def node(
    gpus: int = 8,
    *,
    model: str | None = None,
    interconnect: str | None = None,
    gbps: float | None = None,
    topology: str | None = None,
    links: object = None,
) -> LinkGraph:
    return graph_of(
        model=model,
        memory_mib=None,
        gpus=gpus,
        interconnect=interconnect,
        interconnect_gbps=gbps,
        topology=topology,
        links=None if links is None else str(parse_value(BY_NAME["links"], links)),
    )


def edges(graph: LinkGraph, least: int = 1) -> set[tuple[int, int]]:
    return {(a, b) for a, b in combinations(range(graph.gpus), 2) if graph.classes[a][b] >= least}


def rates(graph: LinkGraph) -> set[float]:
    return {graph.gbytes[a][b] for a, b in combinations(range(graph.gpus), 2)}


# --- whose word counts ------------------------------------------------------------------------------


def test_stated_links_come_before_all_else() -> None:
    graph = node(model="nvidia-b200", interconnect="nvswitch", links=[[2, 0, "nvlink", "100 GB/s"]])
    assert edges(graph) == {(0, 2)}
    assert (graph.known, graph.ports, graph.uniform) == (True, False, False)
    assert graph.gbytes[2][0] == 50.0, "both directions are stated, one counts"


def test_a_known_type_comes_before_labels() -> None:
    graph = node(model="nvidia-b200", interconnect="nvswitch", gbps=8.0)
    assert graph == graph_of_template(TEMPLATES["hgx-8-b200"])
    assert rates(graph) == {900.0}


@pytest.mark.parametrize(
    ("topology", "gpus", "shape"),
    [
        ("ring", 2, nx.path_graph(2)),
        ("ring", 3, nx.cycle_graph(3)),
        ("ring", 8, nx.cycle_graph(8)),
        ("mesh", 4, nx.grid_2d_graph(2, 2)),
        ("mesh", 6, nx.grid_2d_graph(2, 3)),
        ("mesh", 7, nx.path_graph(7)),
        ("mesh", 12, nx.grid_2d_graph(3, 4)),
        ("mesh", 16, nx.grid_2d_graph(4, 4)),
        ("all-to-all", 5, nx.complete_graph(5)),
        ("nvswitch", 5, nx.complete_graph(5)),
    ],
)
def test_labels_tell_the_links(topology: str, gpus: int, shape: "nx.Graph[int]") -> None:
    graph = node(gpus, interconnect="nvlink", topology=topology)
    assert graph.known
    assert nx.is_isomorphic(nx.Graph(sorted(edges(graph, LinkClass.NVLINK))), shape)
    assert len(edges(graph, LinkClass.NVSWITCH)) == (shape.number_of_edges() if topology == "nvswitch" else 0)


@pytest.mark.parametrize(
    ("interconnect", "topology"),
    [
        *((None, None), ("nvlink", None), ("nvswitch", None)),
        *((None, "ring"), (None, "mesh"), (None, "all-to-all")),
        *(("pcie", "nvswitch"), ("infinity-fabric", "nvswitch")),
    ],
)
def test_where_nothing_tells_the_links_a_node_is_flat(interconnect: str | None, topology: str | None) -> None:
    graph = node(interconnect=interconnect, topology=topology)
    assert (graph.known, graph.ports, graph.uniform) == (False, True, True)
    kind = CLASS_OF.get(interconnect or "", LinkClass.NONE)
    assert {graph.classes[a][b] for a, b in combinations(range(8), 2)} == {kind}
    assert rates(graph) == {NOMINAL_GBYTES[kind]}


def test_a_switch_needs_no_second_label() -> None:
    assert node(4, topology="nvswitch") == node(4, interconnect="nvswitch", topology="nvswitch")
    assert node(4, topology="nvswitch").known


# --- bandwidth --------------------------------------------------------------------------------------


def test_links_that_state_no_bandwidth_share_the_port_of_the_gpu_with_most() -> None:
    """600 GB/s of a GPU, both directions, over its links."""
    star = [[0, 1, "nvlink"], [0, 2, "nvlink"], [0, 3, "nvlink"]]
    assert rates(node(4, gbps=4800.0, links=star)) == {100.0, 0.0}
    assert rates(node(4, interconnect="nvlink", topology="ring", gbps=4800.0)) == {150.0, 0.0}
    assert rates(node(4, interconnect="pcie", topology="all-to-all", gbps=512.0)) == {32.0}
    assert rates(node(4, interconnect="nvlink", topology="nvswitch", gbps=4800.0)) == {300.0}
    assert rates(node(4, interconnect="nvlink", gbps=4800.0)) == {300.0}, "flat: the port"


def test_without_any_bandwidth_a_link_is_the_slowest_of_its_class() -> None:
    graph = node(3, links=[[0, 1, "pcie"], [0, 2, "nvlink"], [1, 2, "nvswitch"]])
    assert [graph.gbytes[0][1], graph.gbytes[0][2], graph.gbytes[1][2]] == [16.0, 20.0, 150.0]


def test_the_best_kind_of_link_between_two_gpus_counts() -> None:
    both = [[0, 1, "nvlink", "50 GB/s"], [0, 1, "pcie", "64 GB/s"]]
    graph = node(2, links=both)
    assert (graph.classes[0][1], graph.gbytes[0][1]) == (LinkClass.NVLINK, 25.0)


# --- what it is -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "uniform", "ports"),
    [
        ("hgx-8-h100", True, True),
        ("dgx-2", True, True),
        ("pcie-8", True, True),
        ("hgx-4-a100", True, False),
        ("mi300x-8", True, False),
        ("dgx-1-v100", False, False),
        ("nvlink-pairs", False, False),
        ("pcie-tree-8", False, False),
    ],
)
def test_whether_all_sets_are_alike(name: str, uniform: bool, ports: bool) -> None:
    graph = graph_of_template(TEMPLATES[name])
    assert (graph.uniform, graph.ports, graph.known) == (uniform, ports, True)


@pytest.mark.parametrize("gpus", [0, 1])
def test_a_node_without_pairs_is_a_graph(gpus: int) -> None:
    graph = node(gpus, interconnect="nvswitch", links=[])
    assert (graph.gpus, len(graph.classes), graph.uniform) == (gpus, gpus, True)


def test_two_gpus_without_a_link_share_no_port() -> None:
    graph = node(2, links=[])
    assert (graph.known, graph.ports, graph.uniform, graph.classes[0][1]) == (True, False, True, 0)


@given(
    st.integers(1, 9),
    st.sampled_from([None, "pcie", "nvlink", "infinity-fabric", "nvswitch", "infiniband"]),
    st.sampled_from([None, "ring", "mesh", "all-to-all", "nvswitch"]),
    st.sampled_from([None, 64.0, 4800.0]),
)
def test_a_graph_is_symmetric_and_hashes_as_it_compares(
    gpus: int, interconnect: str | None, topology: str | None, gbps: float | None
) -> None:
    graph = node(gpus, interconnect=interconnect, topology=topology, gbps=gbps)
    for matrix in (graph.classes, graph.gbytes):
        assert tuple(zip(*matrix, strict=True)) == matrix
        assert all(matrix[a][a] == 0 for a in range(gpus))
    again = LinkGraph(graph.gpus, graph.classes, graph.gbytes, graph.known, graph.ports)
    assert (again, hash(again)) == (graph, hash(graph))
