"""Link graphs for the tests of rates and efficiencies."""

import json
from collections.abc import Iterable
from itertools import combinations

from hypothesis import strategies as st

from flare_core.topology.graph import LinkGraph, graph_of

Link = tuple[int, int, str, float]
"""Two GPUs, the kind of their link, GB/s in both directions added."""

KINDS = ("pcie", "nvlink", "nvswitch")


def linked(gpus: int, links: Iterable[Link]) -> LinkGraph:
    return graph_of(
        model=None,
        memory_mib=None,
        gpus=gpus,
        interconnect=None,
        interconnect_gbps=None,
        topology=None,
        links=json.dumps([[a, b, kind, f"{rate} GB/s"] for a, b, kind, rate in links]),
    )


def clique(gpus: int, kind: str, gbytes: float) -> LinkGraph:
    return linked(gpus, [(a, b, kind, gbytes) for a, b in combinations(range(gpus), 2)])


@st.composite
def links_of(draw: st.DrawFn, gpus: int) -> list[Link]:
    """Return links between some of the GPUs, few of them as often as many."""
    pairs = list(combinations(range(gpus), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=len(pairs)))
    rate = st.sampled_from([10, 50, 100, 113, 600])
    return [(a, b, draw(st.sampled_from(KINDS)), draw(rate)) for a, b in sorted(chosen)]


def everything(gpus: int) -> int:
    return (1 << gpus) - 1
