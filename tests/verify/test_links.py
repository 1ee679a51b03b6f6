"""Links, classes and shapes, against networkx and all ways to lay out the GPUs."""

from collections.abc import Iterable, Mapping
from itertools import combinations, permutations
from random import Random
from typing import Any

import networkx as nx
import pytest

from flare_core.catalog.links import TEMPLATES
from flare_core.verify.links import NAMES, NOMINAL_GBYTES, Links, class_of, links_of
from flare_core.verify.offers import Offer
from flare_core.verify.shapes import has_shape

from .worlds import inventory, offer

NVLINK = 2


def links_said(**said: object) -> Links:
    """Return the links of an offer of GPUs that no table knows."""
    gpu = {"model": "acme-x1", "memory": "80Gi", "power_w": 1, **said}
    return links_of(Offer(inventory(offer("a", gpu=gpu)), 0))


def pairs(links: Links) -> dict[str, set[tuple[int, int]]]:
    """Return the linked pairs by class."""
    named: dict[str, set[tuple[int, int]]] = {}
    for pair in combinations(range(links.gpus), 2):
        named.setdefault(NAMES[links.least(*pair)], set()).add(pair)
    return {name: some for name, some in named.items() if name != "none"}


@pytest.mark.parametrize(
    ("count", "topology", "linked"),
    [
        (2, "ring", {(0, 1)}),
        (4, "ring", {(0, 1), (1, 2), (2, 3), (0, 3)}),
        (4, "mesh", {(0, 1), (2, 3), (0, 2), (1, 3)}),
        (6, "mesh", {(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)}),
        (5, "mesh", {(0, 1), (1, 2), (2, 3), (3, 4)}),
        (3, "all-to-all", {(0, 1), (0, 2), (1, 2)}),
    ],
)
def test_a_label_links_gpus_in_the_order_of_their_numbers(
    count: int, topology: str, linked: set[tuple[int, int]]
) -> None:
    found = links_said(count=count, topology=topology, interconnect="infinity-fabric")
    assert found.known
    assert pairs(found) == {"nvlink": linked}


@pytest.mark.parametrize(
    ("labels", "known", "kind"),
    [
        ({"topology": "nvswitch"}, True, "nvswitch"),
        ({"topology": "nvswitch", "interconnect": "nvlink"}, True, "nvswitch"),
        ({"topology": "nvswitch", "interconnect": "nvswitch"}, True, "nvswitch"),
        ({"topology": "nvswitch", "interconnect": "pcie"}, False, "pcie"),
        ({"topology": "nvswitch", "interconnect": "infinity-fabric"}, False, "nvlink"),
        ({"topology": "ring"}, False, "none"),
        ({"topology": "all-to-all", "interconnect": "pcie"}, True, "pcie"),
        ({"interconnect": "nvlink"}, False, "nvlink"),
        ({"interconnect": "nvswitch"}, False, "nvswitch"),
        ({}, False, "none"),
    ],
)
def test_labels_that_leave_it_open_or_contradict_each_other_link_all_alike(
    labels: dict[str, str], known: bool, kind: str
) -> None:
    found = links_said(count=3, **labels)
    assert found.known == known
    assert pairs(found) == ({kind: {(0, 1), (0, 2), (1, 2)}} if kind != "none" else {})
    assert NAMES[class_of(found, (0, 2))] == kind


def test_what_is_stated_goes_before_labels_and_the_best_of_a_pair_counts() -> None:
    said = [[1, 0, "pcie", "64 GB/s"], [0, 1, "nvlink", "50 GB/s"], [1, 2, "pcie"], [2, 3, "nvswitch"]]
    found = links_said(count=5, topology="all-to-all", interconnect="nvlink", links=said)
    assert pairs(found) == {"nvlink": {(0, 1)}, "pcie": {(1, 2)}, "nvswitch": {(2, 3)}}
    # Both directions are stated; what is not is the slowest of its class.
    assert found.gbytes == {(0, 1): 25.0, (1, 2): NOMINAL_GBYTES[1], (2, 3): NOMINAL_GBYTES[3]}
    assert [NAMES[class_of(found, set_)] for set_ in ((0, 1), (0, 2), (1, 2, 3), (3, 4))] == [
        "nvlink",
        "none",
        "pcie",
        "none",
    ]
    assert pairs(links_said(count=4, links=[], interconnect="nvlink")) == {}


def test_links_that_state_no_bandwidth_share_what_the_gpu_with_most_of_them_has() -> None:
    star = [[0, 1, "nvlink"], [0, 2, "nvlink"], [0, 3, "nvlink"], [1, 2, "pcie"], [1, 3, "nvlink", "20 GB/s"]]
    found = links_said(count=4, links=star, interconnect_bandwidth="600 GB/s")
    assert found.gbytes == {(0, 1): 100.0, (0, 2): 100.0, (0, 3): 100.0, (1, 2): 300.0, (1, 3): 10.0}
    flat = links_said(count=2, interconnect="pcie", interconnect_bandwidth="64 GB/s")
    assert flat.link(1, 0) == (1, 32.0)


@pytest.mark.parametrize(
    ("gpu", "name"),
    [
        ({"model": "nvidia-h100", "count": 8, "memory": "80Gi", "interconnect": "nvswitch"}, "hgx-8-h100"),
        ({"model": "nvidia-v100", "count": 8, "memory": "16Gi", "interconnect": "nvlink"}, "dgx-1-v100"),
        ({"model": "amd-mi300x", "count": 8}, "mi300x-8"),
    ],
)
def test_a_known_type_of_node_has_its_published_links(gpu: dict[str, Any], name: str) -> None:
    template, found = TEMPLATES[name], links_of(Offer(inventory(offer("a", gpu=gpu)), 0))
    assert found.known
    assert found.gbytes == {(a, b): both / 2 for a, b, _, both in template.links}
    other = links_of(Offer(inventory(offer("a", gpu={**gpu, "links": []})), 0))
    assert other.gbytes == {}, "what is stated goes before what is published"


# --- shapes --------------------------------------------------------------------------------------------


def of_pairs(gpus: int, classes: Mapping[tuple[int, int], int]) -> Links:
    return Links(gpus, classes, dict.fromkeys(classes, 1.0), known=True)


def random_links(rng: Random, gpus: int, density: float) -> Links:
    linked = [pair for pair in combinations(range(gpus), 2) if rng.random() < density]
    return of_pairs(gpus, {pair: rng.choice((1, 2, 2, 3)) for pair in linked})


def as_graph(links: Links, gpus: Iterable[int], least: int) -> "nx.Graph[int]":
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(gpus)
    graph.add_edges_from((a, b) for a, b in combinations(graph, 2) if links.least(a, b) >= least)
    return graph


def contains(graph: "nx.Graph[int]", shape: "nx.Graph[int]") -> bool:
    """Whether some way to lay the shape onto the graph has all its links."""
    nodes = list(shape)
    return any(
        all(graph.has_edge(way[nodes.index(a)], way[nodes.index(b)]) for a, b in shape.edges)
        for way in permutations(graph)
    )


def shapes_of(count: int, topology: str) -> list["nx.Graph[int]"]:
    if topology == "all-to-all":
        return [nx.complete_graph(count)]
    if topology == "ring":
        return [nx.cycle_graph(count) if count > 2 else nx.path_graph(count)]
    grids = [(r, count // r) for r in range(2, count) if count % r == 0 and r <= count // r]
    grids = [(r, c) for r, c in grids if c >= 2]
    plain = [nx.convert_node_labels_to_integers(nx.grid_2d_graph(r, c)) for r, c in grids]
    return plain or [nx.path_graph(count)]


@pytest.mark.parametrize("topology", ["all-to-all", "ring", "mesh"])
def test_shapes_are_found_where_some_way_to_lay_them_out_is(topology: str) -> None:
    rng, seen = Random(1), set()
    for _ in range(150):
        links = random_links(rng, 7, rng.choice((0.4, 0.6, 0.8, 0.95)))
        chosen = rng.sample(range(7), rng.randint(2, 6))
        asked = rng.choice(("any", "pcie", "nvlink", "nvswitch", "infiniband"))
        least = {"pcie": 1, "nvswitch": 3}.get(asked, NVLINK)
        graph = as_graph(links, chosen, least)
        due = any(contains(graph, shape) for shape in shapes_of(len(chosen), topology))
        assert has_shape(links, chosen, topology, asked) == due, (links.classes, chosen, asked)
        seen.add((due, len(chosen)))
    assert len(seen) >= 8


def test_a_class_joins_a_set_where_its_links_and_better_ones_do() -> None:
    rng = Random(2)
    for _ in range(300):
        links, chosen = random_links(rng, 8, 0.5), rng.sample(range(8), rng.randint(2, 6))
        joined = [least for least in (1, 2, 3) if nx.is_connected(as_graph(links, chosen, least))]
        assert class_of(links, chosen) == max(joined, default=0)


def test_a_switch_joins_every_pair_whatever_interconnect_is_asked() -> None:
    switched = of_pairs(3, dict.fromkeys(combinations(range(3), 2), 3))
    mixed = of_pairs(3, {(0, 1): 3, (0, 2): 3, (1, 2): 2})
    for asked in ("any", "pcie", "nvlink"):
        assert has_shape(switched, (0, 1, 2), "nvswitch", asked)
        assert not has_shape(mixed, (0, 1, 2), "nvswitch", asked)
        assert has_shape(mixed, (0, 1), "nvswitch", asked)


def test_one_gpu_has_every_shape_and_of_unknown_links_no_other_set_has_any() -> None:
    unknown = Links(3, {}, {}, known=False, others=(3, 150.0))
    for topology in ("all-to-all", "ring", "mesh", "nvswitch"):
        assert has_shape(unknown, (1,), topology, "any")
        assert not has_shape(unknown, (0, 1), topology, "any")


@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (4, 4), (3, 4), (2, 8)])
def test_large_grids_are_found_and_lack_a_ring_where_their_number_is_odd(rows: int, columns: int) -> None:
    count = rows * columns
    order = Random(3).sample(range(count), count)
    grid = nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, columns))
    ends = [(order[a], order[b]) for a, b in grid.edges]
    links = of_pairs(count, {(min(pair), max(pair)): NVLINK for pair in ends})
    assert has_shape(links, range(count), "mesh", "nvlink")
    assert has_shape(links, range(count), "ring", "nvlink") == (count % 2 == 0)
    lacking = of_pairs(count, dict(list(links.classes.items())[1:]))
    assert not has_shape(lacking, range(count), "mesh", "nvlink")


@pytest.mark.parametrize(("rows", "columns"), [(4, 5), (1, 17), (2, 9)])
def test_a_set_of_more_than_sixteen_is_seen_in_the_order_of_its_numbers(rows: int, columns: int) -> None:
    count = rows * columns
    grid = nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, columns))
    pairs = {(min(pair), max(pair)): NVLINK for pair in grid.edges}
    chosen = range(1, count + 1)

    def laid(linked: dict[tuple[int, int], int]) -> Links:
        return of_pairs(count + 1, {(a + 1, b + 1): kind for (a, b), kind in linked.items()})

    assert has_shape(laid(pairs), chosen, "mesh", "any")
    for pair in pairs:
        assert not has_shape(
            laid({other: kind for other, kind in pairs.items() if other != pair}), chosen, "mesh", "any"
        )
    ring = {(node, node + 1): NVLINK for node in range(count - 1)} | {(0, count - 1): NVLINK}
    assert has_shape(laid(ring), chosen, "ring", "any")
    for pair in ring:
        assert not has_shape(
            laid({other: kind for other, kind in ring.items() if other != pair}), chosen, "ring", "any"
        )
