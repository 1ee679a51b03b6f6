"""How the GPUs of an offer's nodes are linked: as it states, as its node type is known, or as its labels say.

A link is one of four classes, each better than the one before: none, PCIe, NVLink (AMD's Infinity Fabric
counts as that), NVSwitch. Where nothing tells which GPUs are linked, every pair counts as what the offer's
``interconnect`` says, and no shape can be claimed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Final

from flare_core.catalog.links import template_of
from flare_core.quantities import parse_bandwidth_gbps

if TYPE_CHECKING:
    from flare_core.verify.offers import Offer

NONE: Final = 0
PCIE: Final = 1
NVLINK: Final = 2
NVSWITCH: Final = 3
NAMES: Final = ("none", "pcie", "nvlink", "nvswitch")
"""The classes by number."""

CLASSES: Final[Mapping[str | None, int]] = {
    "pcie": PCIE,
    "infiniband": PCIE,  # it is between nodes; the GPUs of one have PCIe
    "nvlink": NVLINK,
    "infinity-fabric": NVLINK,
    "xgmi": NVLINK,
    "nvswitch": NVSWITCH,
}

MOST_GPUS: Final = 16
"""GPUs of a node up to which links that differ are looked at."""

NOMINAL_GBYTES: Final = (0.0, 16.0, 20.0, 150.0)
"""GB/s in one direction of a link that does not say, by class: the slowest ever sold."""

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """The links of one node.

    Attributes
    ----------
    gpus
        How many GPUs it has.
    classes, gbytes
        The best link of pairs, lower number first, and what it carries, GB/s in one direction: through a
        switch, and where nothing is known, what a GPU's port carries.
    known
        Whether shapes can be claimed.
    others
        Class and GB/s of every other pair.
    """

    gpus: int
    classes: Mapping[Pair, int]
    gbytes: Mapping[Pair, float]
    known: bool
    others: tuple[int, float] = (NONE, 0.0)

    def link(self, a: int, b: int) -> tuple[int, float]:
        """Return the class of the link of two GPUs, and its GB/s."""
        pair = (min(a, b), max(a, b))
        return (self.classes[pair], self.gbytes[pair]) if pair in self.classes else self.others

    def least(self, a: int, b: int) -> int:
        """Return the class of the link of two GPUs."""
        return self.link(a, b)[0]


def links_of(offer: "Offer") -> Links:
    """Return the links of an offer's nodes."""
    return _links(
        offer.text("gpu_model"),
        offer.whole("gpu_memory_mib"),
        offer.whole("gpu_count") or 0,
        offer.text("interconnect"),
        offer.number("interconnect_gbps"),
        offer.text("topology"),
        offer.text("links"),
    )


def flat_links_of(offer: "Offer", gpus: int) -> Links:
    """Return the links that parts of so many GPUs have, of which nobody says how they are linked."""
    return _flat(gpus, offer.text("interconnect"), offer.number("interconnect_gbps"))


@lru_cache(maxsize=4096)
def _links(
    model: str | None,
    memory_mib: int | None,
    gpus: int,
    interconnect: str | None,
    gbps: float | None,
    topology: str | None,
    stated: str | None,
) -> Links:
    flat = _flat(gpus, interconnect, gbps)
    template = template_of(model, memory_mib, gpus, interconnect, topology)
    if stated is not None:
        links = _built(gpus, _stated(stated), gbps)
    elif template is not None:
        said = (((a, b), CLASSES[kind], both / 2) for a, b, kind, both in template.links)
        links = _built(gpus, said, gbps)
    else:
        pairs, kind = _labelled(gpus, topology), CLASSES.get(interconnect, NONE)
        if topology == "nvswitch" and interconnect in (None, "nvlink", "nvswitch"):
            kind = NVSWITCH
        elif topology == "nvswitch" or kind == NONE:
            return flat
        if pairs is None:
            return flat
        links = _built(gpus, ((pair, kind, None) for pair in pairs), gbps)
    # Of more GPUs the label counts, unless all pairs are alike.
    return links if gpus <= MOST_GPUS or _alike(links) else flat


def _alike(links: Links) -> bool:
    every = {links.link(a, b) for a, b in combinations(range(links.gpus), 2)}
    return len(every) <= 1


def _stated(text: str) -> Iterator[tuple[Pair, int, float | None]]:
    for a, b, kind, *speed in json.loads(text):
        # Vendors add both directions, and write bytes as well as bits.
        yield (min(a, b), max(a, b)), CLASSES[kind], parse_bandwidth_gbps(speed[0]) / 16 if speed else None


def _labelled(gpus: int, topology: str | None) -> list[Pair] | None:
    """Return the pairs that a topology names, with the GPUs in the order of their numbers."""
    match topology:
        case "all-to-all" | "nvswitch":
            return list(combinations(range(gpus), 2))
        case "ring":
            return [(a, b) for a, b in combinations(range(gpus), 2) if b - a in (1, gpus - 1)]
        case "mesh":
            width = min(w for w in range(1, gpus + 1) if gpus % w == 0 and w * w >= gpus)
            near = ((a, b) for a, b in combinations(range(gpus), 2) if b - a in (1, width))
            return [(a, b) for a, b in near if b - a == width or a // width == b // width]
        case _:
            return None


def _built(gpus: int, links: Iterable[tuple[Pair, int, float | None]], gbps: float | None) -> Links:
    """Keep the best link of each pair; the ones that do not say share what the GPU with most of them has."""
    best: dict[Pair, tuple[int, float | None]] = {}
    for pair, kind, speed in links:
        if kind > best.get(pair, (NONE, None))[0]:
            best[pair] = kind, speed
    classes = {pair: kind for pair, (kind, _) in best.items()}
    direct = [end for pair, kind in classes.items() if kind == NVLINK for end in pair]
    most = max(map(direct.count, direct), default=1)

    def carried(kind: int, speed: float | None) -> float:
        if speed is not None:
            return speed
        if gbps is None:
            return NOMINAL_GBYTES[kind]
        return gbps / 16 / (most if kind == NVLINK else 1)

    return Links(gpus, classes, {pair: carried(*link) for pair, link in best.items()}, known=True)


@lru_cache(maxsize=4096)
def _flat(gpus: int, interconnect: str | None, gbps: float | None) -> Links:
    kind = CLASSES.get(interconnect, NONE)
    speed = NOMINAL_GBYTES[kind] if gbps is None else gbps / 16
    return Links(gpus, {}, {}, known=False, others=(kind, speed))


def class_of(links: Links, gpus: Iterable[int]) -> int:
    """Return the best class whose links, and better ones, join all of these GPUs."""
    return next(kind for kind in (NVSWITCH, NVLINK, PCIE, NONE) if _joined(links, list(gpus), kind))


def _joined(links: Links, gpus: list[int], kind: int) -> bool:
    reached, rest = gpus[:1], set(gpus[1:])
    for a in reached:  # grows while it is walked
        near = [b for b in rest if links.least(a, b) >= kind]
        reached += near
        rest.difference_update(near)
    return not rest
