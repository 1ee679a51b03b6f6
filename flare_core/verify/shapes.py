"""Whether a set of GPUs is linked in the asked shape, by trying all ways."""

from collections.abc import Iterable, Sequence
from typing import Final

from flare_core.verify.links import NVLINK, NVSWITCH, Links

MOST_TRIED: Final = 16
"""Larger sets have too many ways: of them a ring or a mesh is seen in the order of their numbers alone."""


def has_shape(links: Links, gpus: Iterable[int], topology: str, interconnect: str) -> bool:
    """Whether a set of GPUs contains a topology, of links of the asked interconnect or better.

    Parameters
    ----------
    gpus
        Different GPUs of one node. One alone has every topology.
    topology
        ``all-to-all``, ``ring``, ``mesh`` or ``nvswitch``.
    interconnect
        As asked; where that is no class of links in a node, NVLink.
    """
    least = {"pcie": 1, "nvswitch": NVSWITCH}.get(interconnect, NVLINK)
    nodes = sorted(gpus)
    if len(nodes) < 2 or not links.known:
        return len(nodes) < 2
    if topology == "nvswitch":
        least = NVSWITCH
    # Bit j of near[i]: the i-th and the j-th of the set are linked.
    near = [sum((b != a and links.least(a, b) >= least) << j for j, b in enumerate(nodes)) for a in nodes]
    match topology:
        case "all-to-all" | "nvswitch":
            return all(each.bit_count() == len(nodes) - 1 for each in near)
        case "ring":
            return _has_ring(near)
        case _:
            return _has_grid(near)


def _has_ring(near: Sequence[int]) -> bool:
    if len(near) > MOST_TRIED:
        return all(linked >> (node + 1) % len(near) & 1 for node, linked in enumerate(near))
    return bool(_ends(near, (0,)) & near[0])


def _ends(near: Sequence[int], starts: Iterable[int]) -> int:
    """Return where paths through all nodes can end that begin at one of `starts`, as a set of bits."""
    everyone = (1 << len(near)) - 1
    ends = [0] * (everyone + 1)  # by the nodes passed
    for start in starts:
        ends[1 << start] = 1 << start
    for passed, last in enumerate(ends):
        for node, linked in enumerate(near):
            if last & linked and not passed >> node & 1:
                ends[passed | 1 << node] |= 1 << node
    return ends[everyone]


def _has_grid(near: Sequence[int]) -> bool:
    """Whether rows and columns of two or more fit on all nodes; a path where their number allows no such."""
    count = len(near)
    widths = [width for width in range(2, count) if count % width == 0 and width * width >= count]
    if count > MOST_TRIED:
        return any(_is_grid(near, width) for width in widths or [count])
    if not widths:
        return bool(_ends(near, range(count)))
    return any(_laid(near, width, []) for width in widths)


def _is_grid(near: Sequence[int], width: int) -> bool:
    """Whether the nodes are a grid, row by row in their order."""
    across = all(linked >> node + 1 & 1 for node, linked in enumerate(near) if (node + 1) % width)
    return across and all(near[node] >> node + width & 1 for node in range(len(near) - width))


def _laid(near: Sequence[int], width: int, cells: list[int]) -> bool:
    """Whether a grid of which the first `cells` are laid, row by row, can be finished."""
    at = len(cells)
    if at == len(near):
        return True
    free = ~sum(1 << node for node in cells)
    if at % width:
        free &= near[cells[-1]]
    if at >= width:
        free &= near[cells[at - width]]
    return any(free >> node & 1 and _laid(near, width, [*cells, node]) for node in range(len(near)))
