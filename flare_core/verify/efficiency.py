"""How well the GPUs of a task work together, predicted from their links, and how well the nodes of a gang do.

The GPUs add up what each of them holds along spanning trees of their links. How fast they can, is the
least, over all ways to split them into parts, of the bandwidth between the parts for each part beyond the
first; the ways are tried one by one. Computing and adding up take turns, so the efficiency is the part of the
time that is left for computing.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import inf
from typing import TYPE_CHECKING, Final

from flare_core.verify.links import NVLINK, Links, class_of, flat_links_of, links_of
from flare_core.verify.shares import takes_part
from flare_core.verify.told import Row, Violation, Violations

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.verify.offers import Offer

# The constants of docs/efficiency.md, where their sources stand.
GB_PER_TFLOP: Final = 1000 * 2 * 0.4 * (1 - 0.5) / (6 * 8192)
"""GB that are added up for each 10**12 operations that a GPU is rated for."""
PROTOCOL: Final = (0.55, 0.55, 0.8, 0.8)
"""What protocols leave of the bandwidth, by class of link."""
HOST_GBYTES: Final = 10.0
"""GB/s in one direction between GPUs without a link."""
FABRIC_PROTOCOL: Final = 0.85
TAPER: Final = 0.5
"""What each further level of the fabric leaves of a node's bandwidth."""
RATING_TFLOPS: Final = 312.0
"""For a GPU of unknown rating."""
NETWORK_GBPS: Final = 10.0
"""For a node of unknown network."""

MOST_TRIED: Final = 12
"""Sets of more GPUs, not all alike, have too many ways to be split: their efficiency is bounded only."""

MILLIONTH: Final = 1e-6

Weights = dict[tuple[int, int], float]
Used = Sequence[tuple[Row, "Offer"]]


def check_efficiency(intent: "Intent", used: Used) -> Violations:
    """Check each row's efficiency, and that it is as high as is asked."""
    gpu = intent.workload.resources.gpu
    asked = 0.0 if gpu is None or gpu.count < 2 else gpu.multi_gpu_efficiency or 0.0
    for row, offer in used:
        least, most = efficiency(intent, row, offer)
        path = f"{row.path}.efficiency"
        if not least - 2 * MILLIONTH <= row.efficiency <= most + 2 * MILLIONTH:
            expected = f"{least:.6f}" if least == most else f"{least:.6f} to {most:.6f}"
            yield Violation("figure", path, f"found {row.efficiency}, expected {expected}")
        if row.efficiency < asked - MILLIONTH / 2:
            found = f"workload.resources.gpu.multi_gpu_efficiency asks for {asked:g}, found {row.efficiency}"
            yield Violation("constraint", path, found)


def efficiency(intent: "Intent", row: Row, offer: "Offer") -> tuple[float, float]:
    """Return the least and the most that the efficiency of a task's GPUs can be; mostly they are equal."""
    links, gpus = links_of(offer), row.gpus
    if takes_part(intent, offer):
        # Nobody says how parts of GPUs are linked: all are alike, and count as if on different GPUs.
        gpus = tuple(range(len(gpus)))
        links = flat_links_of(offer, max(links.gpus, len(gpus)))
    return _efficiency(links, gpus, offer.number("rating_tflops"), offer.number("multi_gpu_efficiency"))


@lru_cache(maxsize=4096)
def _efficiency(
    links: Links, gpus: tuple[int, ...], rating: float | None, stated: float | None
) -> tuple[float, float]:
    if len(gpus) < 2:
        return 1.0, 1.0
    slow, fast = rates(links, gpus)
    if stated is None:
        added = GB_PER_TFLOP * (RATING_TFLOPS if rating is None else rating)
        protocol = PROTOCOL[class_of(links, gpus)]
        return _kept(added, protocol * slow), _kept(added, protocol * fast)
    # What is stated is of all GPUs: it says how much there is to add up, whatever is rated.
    all_slow, all_fast = rates(links, range(links.gpus))
    return _kept((1 - stated) * all_fast, stated * slow), _kept((1 - stated) * all_slow, stated * fast)


def _kept(added: float, speed: float) -> float:
    """Return the part of the time that is left for computing; at no speed that is none."""
    return speed / (speed + added) if speed else 0.0


# --- how fast a set adds up ---------------------------------------------------------------------------


def rates(links: Links, gpus: Sequence[int]) -> tuple[float, float]:
    """Return the least and the most, GB/s, at which GPUs can add up; equal for all but large unlike sets."""
    count = len(gpus)
    if not links.classes:
        rate = _weight(links, 0, 1, count - 1) * count / 2
        return rate, rate
    weights = {(i, j): _weight(links, a, b, count - 1) for (i, a), (j, b) in combinations(enumerate(gpus), 2)}
    singles = sum(weights.values()) / (count - 1)
    alike = min(weights.values()) * count / 2  # where no pair were better than the slowest
    if singles <= alike * (1 + 1e-12) or count > MOST_TRIED:
        return alike, singles
    rate = _least_split(weights, count, singles)
    return rate, rate


def _weight(links: Links, a: int, b: int, others: int) -> float:
    """Return what two GPUs have for themselves, GB/s in one direction, whole MB/s as stated.

    A direct link is the pair's own; a port to a switch, to PCIe or to the host is shared by the `others` of
    the set.
    """
    kind, gbytes = links.link(a, b)
    own = links.known and kind == NVLINK
    return max(round(gbytes, 3) / (1 if own else others), HOST_GBYTES / others)


def _least_split(weights: Weights, count: int, rate: float) -> float:
    """Return the least bandwidth between parts for each part beyond the first, over all ways to split."""
    inner = [0.0] * (1 << count)
    for subset in range(1 << count):
        members = [i for i in range(count) if subset >> i & 1]
        inner[subset] = sum(weights[pair] for pair in combinations(members, 2))
    while True:  # at the price of a part that is too high, some split pays: its own price is lower
        inside, parts = _best_split(inner, rate)
        lower = (inner[-1] - inside) / (parts - 1) if parts > 1 else inf
        if lower >= rate * (1 - 1e-12):
            return rate
        rate = lower


def _best_split(inner: Sequence[float], price: float) -> tuple[float, int]:
    """Return the bandwidth inside parts, and their number, that together are worth most at a price a part."""
    everyone = len(inner) - 1
    best = {0: (0.0, 0.0, 0)}
    for subset in (*range(1, everyone // 2 + 1), everyone):
        top = 1 << subset.bit_length() - 1  # is in one of the parts, with some of the rest
        rest = with_top = subset ^ top
        ways = []
        while True:
            worth, inside, parts = best[rest ^ with_top]
            gain = inner[top | with_top]
            ways.append((worth + gain + price, inside + gain, parts + 1))
            if not with_top:
                break
            with_top = (with_top - 1) & rest
        best[subset] = max(ways)
    return best[everyone][1:]


# --- between nodes --------------------------------------------------------------------------------------


def fabric_efficiency(offer: "Offer", apart: int) -> float:
    """Return how well a node of this offer works with others so many levels apart; 1 on one node."""
    if not apart:
        return 1.0
    network = offer.number("network_gbps")
    gbps = offer.number("fabric_gbps")
    if gbps is None:
        gbps = NETWORK_GBPS if network is None else network
    rating = offer.number("rating_tflops")
    added = 2 * GB_PER_TFLOP * (RATING_TFLOPS if rating is None else rating)
    return _kept(added, FABRIC_PROTOCOL * gbps / 8 * TAPER ** (apart - 1))
