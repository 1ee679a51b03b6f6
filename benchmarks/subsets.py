"""Choosing GPUs on many nodes of eight: what is measured, and the calls that are timed."""

from collections.abc import Callable

import numpy as np

from flare_core.catalog.links import TEMPLATES
from flare_core.topology import shapes, subsets
from flare_core.topology.graph import LinkGraph, graph_of_template
from flare_core.topology.subsets import Ints

NODES = 10_000
TYPES = ("dgx-1-v100", "mi250x-8-dies", "nvlink-pairs", "pcie-tree-8", "hgx-8-h100")
"""Node types of eight GPUs: two irregular ones, pairs, a tree, a switch."""


def graph(name: str) -> LinkGraph:
    return graph_of_template(TEMPLATES[name])


def free_sets(nodes: int = NODES, seed: int = 0) -> Ints:
    """Return the free GPUs of so many nodes, every set of eight as likely as every other."""
    return np.random.default_rng(seed).integers(0, 1 << 8, nodes)


def choice(name: str, k: int) -> Callable[[], object]:
    """Choose k GPUs on every node of one type."""
    node, free = graph(name), free_sets()
    return lambda: subsets.choose(node, k, free)


def mixture() -> Callable[[], object]:
    """Choose 1 to 8 GPUs on every node of a mixture of all types: one call for each type and number."""
    nodes, free = [graph(name) for name in TYPES], free_sets()
    random = np.random.default_rng(1)
    kind, k = random.integers(0, len(TYPES), NODES), random.integers(1, 9, NODES)
    groups = [
        (nodes[at], size, np.flatnonzero((kind == at) & (k == size)))
        for at in range(len(TYPES))
        for size in range(1, 9)
    ]

    def choose() -> Ints:
        chosen = np.zeros(NODES, np.int64)
        for node, size, here in groups:
            chosen[here] = subsets.choose(node, size, free[here])
        return chosen

    return choose


def tables(name: str) -> Callable[[], object]:
    """Build the tables of a node type from its links."""
    node = graph(name)
    caches = (subsets.choice_table, subsets.all_subsets, subsets.subsets, subsets._left)  # noqa: SLF001
    more = (shapes.ring_sets, shapes._ends, shapes.neighbours)  # noqa: SLF001

    def build() -> object:
        for cached in (*caches, *more):
            cached.cache_clear()
        return subsets.choice_table(node)

    return build


def kibibytes(name: str) -> float:
    """Return what the tables of a node type take, the keys of its sets included."""
    node = graph(name)
    every = subsets.all_subsets(node)
    keys = (every.masks, every.set_class, *every.keys_of())
    return (subsets.choice_table(node).nbytes + sum(key.nbytes for key in keys)) / 1024
