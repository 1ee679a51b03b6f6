"""Which GPUs of a node are linked: the published link graphs of node types.

A *template* holds facts with their source; :func:`template_of` gives a node the template that its
parts and labels name, and none where they leave it open.

GPUs are numbered as the vendor's tool shows them; bridges join neighbouring slots. Pairs that have
no faster link reach each other over the host's PCIe: such a link has 0 GB/s, as none is published.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from flare_core.catalog import gpus as gpu_table
from flare_core.catalog._tables import Row, rows

Link = tuple[int, int, str, float]


@dataclass(frozen=True, slots=True)
class LinkTemplate:
    """The links between the GPUs of one node type.

    Attributes
    ----------
    links
        ``(a, b, kind, gbytes)`` with a < b, each pair at most once, ascending: `kind` one of
        :data:`flare_core.catalog.gpus.LINK_CLASSES`, `gbytes` GB/s, both directions added. For a
        switch (``nvswitch``) the bandwidth of a GPU's port, which its pairs share.
    source
        Where it was published.
    """

    name: str
    gpus: int
    links: tuple[Link, ...]
    source: str


@dataclass(frozen=True, slots=True)
class _Board:
    """A template and the nodes that are one.

    Smaller nodes with a multiple of `smaller` GPUs are its first GPUs (0: there are none).
    """

    template: LinkTemplate
    smaller: int
    parts: frozenset[str]
    interconnects: frozenset[str]
    topologies: frozenset[str]


# --- reading the table ------------------------------------------------------------------------------

_PAIR: Final = re.compile(r"(\d+)-(\d+)(?:x(\d+))?")


def _pairs(cell: str, gpus: int, taken: Iterable[Link]) -> dict[tuple[int, int], int]:
    """Return the pairs that a cell names, each with its number of links."""
    if cell in ("all", "rest"):
        linked = {link[:2] for link in taken}
        return {pair: 1 for pair in combinations(range(gpus), 2) if pair not in linked}
    return {(int(a), int(b)): int(n or 1) for a, b, n in _PAIR.findall(cell)}


def _template(name: str, lines: Sequence[Row]) -> LinkTemplate:
    links: list[Link] = []
    for line in lines:
        pairs = _pairs(line["pairs"], int(line["gpus"]), links)
        links += [(a, b, line["kind"], n * float(line["gbytes_per_s"])) for (a, b), n in pairs.items()]
    source = "; ".join(dict.fromkeys(line["source"] for line in lines))
    return LinkTemplate(name, int(lines[0]["gpus"]), tuple(sorted(links)), source)


def _board(name: str, lines: Sequence[Row]) -> _Board:
    first = lines[0]
    words = (frozenset(first[column].split()) for column in ("parts", "interconnects", "topologies"))
    return _Board(_template(name, lines), int(first["smaller"] or 0), *words)


@cache
def _boards() -> tuple[_Board, ...]:
    by_name = groupby(rows("links.csv"), lambda row: row["name"])
    return tuple(_board(name, list(lines)) for name, lines in by_name)


@cache
def _templates() -> Mapping[str, LinkTemplate]:
    return MappingProxyType({board.template.name: board.template for board in _boards()})


TEMPLATES: Mapping[str, LinkTemplate]
"""Every template by its name. No model alone names those of PCIe, nor that of dies instead of modules."""


if not TYPE_CHECKING:  # where a checker sees it, any misspelt name is a template

    def __getattr__(name: str) -> Mapping[str, LinkTemplate]:
        """Return `TEMPLATES`, read when it is first asked for."""
        if name != "TEMPLATES":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return _templates()


# --- choosing ---------------------------------------------------------------------------------------


@cache
def template_of(
    model: str | None,
    memory_mib: int | None,
    gpus: int,
    interconnect: str | None,
    topology: str | None,
) -> LinkTemplate | None:
    """Return the template of a node; None where parts or labels leave it open or contradict it.

    Parameters
    ----------
    model, memory_mib, gpus
        Normalised model, MiB of each GPU, GPUs of the node.
    interconnect
        The node's label, stated or filled in from the part; without it nothing is known.
    topology
        The node's label; a template that cannot be called so is none of it.

    Notes
    -----
    Every part that fits model, memory and interconnect must have a template for so many GPUs, and
    those that the topology allows must join the same pairs alike; of different bandwidths among them
    the smallest holds. An NVSwitch board labelled ``nvlink`` counts only as a whole.
    """
    if model is None or interconnect is None or gpus < 2:
        return None
    parts = gpu_table.parts_fitting(model, memory_mib=memory_mib, interconnect=interconnect)
    boards = [_board_of(part.sku, gpus, interconnect) for part in parts]
    known = [board for board in boards if board is not None]
    if len(known) < len(boards):
        return None
    found = {_cut(board.template, gpus) for board in known if _may_be_called(board, gpus, topology)}
    shapes = {tuple(link[:3] for link in template.links) for template in found}
    return min(found, key=_bandwidth) if len(shapes) == 1 else None


def _board_of(sku: str, gpus: int, interconnect: str) -> _Board | None:
    """Return the smallest board that nodes of so many GPUs of a part are, or are cut from."""
    fitting = (
        board
        for board in _boards()
        if sku in board.parts and interconnect in board.interconnects and _holds(board, gpus, interconnect)
    )
    return min(fitting, key=lambda board: board.template.gpus, default=None)


def _holds(board: _Board, gpus: int, interconnect: str) -> bool:
    if gpus == board.template.gpus:
        return True
    if interconnect == "nvlink" and "nvswitch" in board.interconnects:
        return False
    return board.smaller > 0 and gpus < board.template.gpus and gpus % board.smaller == 0


def _may_be_called(board: _Board, gpus: int, topology: str | None) -> bool:
    """Tell whether a topology label goes with a board; two linked GPUs are every shape but a switch."""
    if topology is None or topology in board.topologies:
        return True
    return gpus == 2 and topology != "nvswitch"


def _cut(template: LinkTemplate, gpus: int) -> LinkTemplate:
    if gpus == template.gpus:
        return template
    links = tuple(link for link in template.links if link[1] < gpus)
    return LinkTemplate(f"{template.name}:{gpus}", gpus, links, template.source)


def _bandwidth(template: LinkTemplate) -> tuple[float, str]:
    return sum(link[3] for link in template.links), template.name
