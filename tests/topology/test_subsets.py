"""The chosen GPUs are the best ones: every free set of every built-in node type, against exhaustion."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations, permutations
from random import Random

import numpy as np
import pytest

from benchmarks import subsets as benchmark
from flare_core.catalog import gpus
from flare_core.catalog.links import TEMPLATES, LinkTemplate, template_of
from flare_core.topology.graph import LinkGraph, graph_of, graph_of_template
from flare_core.topology.shapes import set_class
from flare_core.topology.subsets import POLICY, best_of, best_table, choice_table, choose, subsets

Gpus = tuple[int, ...]
POLICIES = (POLICY, ("minimum", "total"), ("total",), ("total", "ring"), ())


# --- exhaustion, by other means ---------------------------------------------------------------------


class World:
    """The links of a node as plain pairs, and what can be said of sets of its GPUs by trying everything."""

    def __init__(self, graph: LinkGraph) -> None:
        self.gpus = graph.gpus
        self.rate = {
            frozenset((a, b)): round(graph.gbytes[a][b] * 1000) for a, b in combinations(range(graph.gpus), 2)
        }
        self.ring = cache(self._ring)
        self.best = cache(self._best)

    def pairs(self, some: Gpus) -> list[int]:
        return [self.rate[frozenset(pair)] for pair in combinations(some, 2)]

    def _ring(self, some: Gpus) -> int:
        """Return the slowest link of the best order in a circle; a ring has links of some speed only."""
        if len(some) < 2:
            return 0
        orders = ((some[0], *rest) for rest in permutations(some[1:]))
        circles = (zip(order, (*order[1:], order[0]), strict=True) for order in orders)
        return max(min(self.rate[frozenset(pair)] for pair in circle) for circle in circles)

    def keys(self, some: Gpus, policy: Sequence[str]) -> tuple[int, ...]:
        pairs = self.pairs(some) or [0]
        own = {"ring": self.ring(some), "minimum": min(pairs), "total": sum(pairs)}
        return tuple(own[name] for name in policy)

    def _best(self, free: Gpus, k: int, policy: Sequence[str]) -> tuple[int, ...]:
        """Return the keys of the best k GPUs; less than any where there are not so many."""
        return max((self.keys(some, policy) for some in combinations(free, k)), default=(-1,))

    def chosen(self, free: Gpus, k: int, policy: Sequence[str]) -> int:
        """Return the best set; of equal ones that with the smallest bit set."""

        def worth(some: Gpus) -> tuple[object, ...]:
            left = tuple(gpu for gpu in free if gpu not in some)
            more = len(left) >= k
            after = (more, self.best(left, k, policy) if more else (), sum(self.pairs(left)))
            return (self.keys(some, policy), after, -bits(some))

        return bits(max(combinations(free, k), key=worth, default=()))


def bits(some: Gpus) -> int:
    return sum(1 << gpu for gpu in some)


def of(mask: int) -> Gpus:
    return tuple(gpu for gpu in range(mask.bit_length()) if mask >> gpu & 1)


def wrong_choices(graph: LinkGraph, policy: tuple[str, ...]) -> list[tuple[int, int]]:
    world, table = World(graph), choice_table(graph, policy)
    return [
        (k, free)
        for k in range(1, graph.gpus + 1)
        for free in range(1 << graph.gpus)
        if world.chosen(of(free), k, policy) != table[k, free]
    ]


def built_in() -> Iterator[LinkTemplate]:
    """Yield every template, and every part of one that nodes with fewer GPUs have."""
    yield from TEMPLATES.values()
    found = {
        template_of(part.model, part.memory_mib, count, kind, topology)
        for part in gpus.parts()
        for count in range(2, 17)
        for kind in gpus.LINK_CLASSES
        for topology in (None, "all-to-all")
    } - {None, *TEMPLATES.values()}
    yield from sorted((template for template in found if template), key=lambda template: template.name)


SMALL = [template for template in built_in() if template.gpus <= 8]


def test_every_built_in_type_is_among_them() -> None:
    assert {"dgx-1-v100", "dgx-1-v100-half", "hgx-8-b200", "nvlink-pairs:4", "mi300x-8:3"} <= {
        template.name for template in SMALL
    }


@pytest.mark.parametrize("template", SMALL, ids=lambda template: template.name)
def test_every_choice_on_every_type_is_the_best(template: LinkTemplate) -> None:
    assert wrong_choices(graph_of_template(template), POLICY) == []


@pytest.mark.parametrize("policy", POLICIES[1:], ids="-".join)
def test_a_policy_is_followed(policy: tuple[str, ...]) -> None:
    assert wrong_choices(graph_of_template(TEMPLATES["mi250x-4"]), policy) == []
    assert wrong_choices(graph_of_template(TEMPLATES["dgx-1-v100-half"]), policy) == []


@pytest.mark.t1
@pytest.mark.parametrize("policy", POLICIES[1:], ids="-".join)
@pytest.mark.parametrize("template", SMALL, ids=lambda template: template.name)
def test_every_policy_is_followed_on_every_type(template: LinkTemplate, policy: tuple[str, ...]) -> None:
    assert wrong_choices(graph_of_template(template), policy) == []


def drawn(size: int, seed: int) -> LinkGraph:
    """Return a node with links of three speeds and three kinds drawn at random."""
    random = Random(seed)
    links = [
        [a, b, random.choice(("pcie", "nvlink", "nvswitch")), f"{random.choice((25, 50, 100))} GB/s"]
        for a, b in combinations(range(size), 2)
        if random.random() < 0.7
    ]
    return graph_of(
        model=None,
        memory_mib=None,
        gpus=size,
        interconnect=None,
        interconnect_gbps=None,
        topology=None,
        links=json.dumps(links),
    )


@pytest.mark.parametrize("seed", range(12))
def test_choices_on_any_links_are_the_best(seed: int) -> None:
    graph = drawn(3 + seed % 4, seed)
    assert wrong_choices(graph, POLICIES[seed % len(POLICIES)]) == []


@pytest.mark.parametrize(("size", "seed"), [(6, 10), (6, 30), (7, 11)])
def test_the_next_set_counts_before_the_bandwidth_that_is_left(size: int, seed: int) -> None:
    """Links on which the two orders differ."""
    assert wrong_choices(drawn(size, seed), POLICY) == []


@pytest.mark.parametrize("size", [9, 11])
def test_larger_nodes_are_searched_for_each_free_set(size: int) -> None:
    graph, random = drawn(size, size), Random(size)
    world = World(graph)
    free = np.array([random.randrange(1 << size) for _ in range(6)] + [(1 << size) - 1, 0, 1])
    for k in (1, 2, 3, 5):
        chosen = choose(graph, k, free)
        assert chosen.tolist() == [world.chosen(of(int(each)), k, POLICY) for each in free]
        assert choose(graph, k, free[::-1])[::-1].tolist() == chosen.tolist()


# --- keys -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dgx-1-v100", "mi250x-8-dies", "pcie-tree-8"])
def test_keys_are_those_of_trying_everything(name: str) -> None:
    graph = graph_of_template(TEMPLATES[name])
    world = World(graph)
    for k in range(1, 9):
        sets = subsets(graph, k)
        assert sets.masks.tolist() == sorted(bits(some) for some in combinations(range(8), k))
        keys = [tuple(each) for each in np.stack(sets.keys_of(), axis=1).tolist()]
        assert keys == [world.keys(of(mask), POLICY) for mask in sets.masks.tolist()]


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_classes_are_those_of_each_set(size: int) -> None:
    graph = drawn(size, 77 + size)
    for k in range(size + 1):
        sets = subsets(graph, k)
        assert sets.set_class.tolist() == [set_class(graph, mask) for mask in sets.masks.tolist()]


def test_the_order_of_the_keys_matters() -> None:
    """On a hybrid cube mesh the best five by their ring are not those by their bandwidth."""
    graph = graph_of_template(TEMPLATES["dgx-1-v100"])
    every = np.array([255])
    by_ring, by_total = (int(choose(graph, 5, every, policy)[0]) for policy in (POLICY, ("total",)))
    assert by_ring != by_total
    assert World(graph).ring(of(by_ring)) > World(graph).ring(of(by_total))


def test_a_choice_leaves_the_best_pair_to_the_next() -> None:
    """Of two equal pairs it takes the one that does not tear another apart."""
    graph = graph_of_template(TEMPLATES["nvlink-pairs"])
    assert choose(graph, 1, np.array([0b0111, 0b1110])).tolist() == [0b0100, 0b0010]
    assert choose(graph, 2, np.array([0b0111, 0b1011, 0b1110])).tolist() == [0b0011, 0b0011, 0b1100]


# --- tables -----------------------------------------------------------------------------------------


def test_a_table_holds_the_first_of_equal_sets_for_every_free_set() -> None:
    sets = subsets(graph_of_template(TEMPLATES["hgx-4-a100"]), 2)
    table = best_table(sets, [sets.ring], 4)
    assert sets.masks[table[0b1111]] == 0b0011
    assert sets.masks[table[0b1110]] == 0b0110
    assert table[0b1000] == -1
    better = np.array([0, 0, 0, 1, 0, 0])
    assert sets.masks[best_table(sets, [sets.ring, better], 4)[0b1111]] == sets.masks[3]
    assert best_of(sets, [sets.ring], np.array([0b1110, 0])).tolist() == [int(table[0b1110]), -1]


def test_gpus_that_are_alike_are_taken_from_the_lowest() -> None:
    flat = graph_of(
        model=None,
        memory_mib=None,
        gpus=40,
        interconnect="pcie",
        interconnect_gbps=None,
        topology=None,
        links=None,
    )
    free = np.array([0b1011 << 30, (1 << 40) - 1, 1])
    assert choose(flat, 2, free).tolist() == [0b11 << 30, 0b11, 0]
    assert choose(flat, 41, free).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="found a node of 40 GPUs, expected up to 16"):
        subsets(flat, 2)


@pytest.mark.parametrize("name", ["dgx-2", "hgx-16-a100"])
def test_on_one_switch_any_gpus_are_the_best(name: str) -> None:
    graph = graph_of_template(TEMPLATES[name])
    for k in range(1, 17):
        assert all(len(set(key.tolist())) == 1 for key in subsets(graph, k).keys_of())
        free = np.array([(1 << k) - 1 << 16 - k, 0xFFFF])
        assert choose(graph, k, free).tolist() == [free[0], (1 << k) - 1]
    assert choose(graph, 3, np.array([0b1101_0100_0000_0000])).tolist() == [0b0101_0100_0000_0000]


def test_no_set_is_taken_where_there_is_no_room() -> None:
    graph = graph_of_template(TEMPLATES["dgx-1-v100"])
    assert choose(graph, 0, np.array([255])).tolist() == [0]
    assert choose(graph, 5, np.array([0b1111])).tolist() == [0]
    assert choose(graph, 9, np.array([255])).tolist() == [0]


def test_an_unknown_key_is_refused() -> None:
    graph = graph_of_template(TEMPLATES["hgx-8-h100"])
    with pytest.raises(ValueError, match="found key 'maximum', expected some of ring, minimum, total"):
        choose(graph, 2, np.array([255]), ("maximum",))


def test_the_benchmark_chooses_for_every_node() -> None:
    chosen = np.asarray(benchmark.mixture()())
    free = benchmark.free_sets()
    assert len(chosen) == benchmark.NODES
    assert (chosen & ~free == 0).all()
    assert 0.3 < (chosen > 0).mean() < 0.7
    assert max(map(benchmark.kibibytes, benchmark.TYPES)) <= 64
