"""Predicted efficiency: against all partitions, figures by hand, and the side that chooses."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from math import inf
from random import Random

import numpy as np
import pytest

from flare_core.intent import read_intent
from flare_core.topology.efficiency import DEFAULT, efficiency_ppm, fabric_ppm
from flare_core.topology.graph import CLASS_OF, NOMINAL_GBYTES, LinkClass, graph_of
from flare_core.topology.rate import tree_rate
from flare_core.topology.shapes import has_shape as has_shape_there
from flare_core.topology.shapes import set_class
from flare_core.verify import efficiency, links, verify
from flare_core.verify.efficiency import efficiency as efficiency_of
from flare_core.verify.efficiency import fabric_efficiency, rates
from flare_core.verify.links import NVLINK, Links, class_of, links_of
from flare_core.verify.offers import Offer
from flare_core.verify.shapes import has_shape
from flare_core.verify.told import read_told

from .inside import RING, RING_EFFICIENCY, RING_RATE, SLOTS, linked, ring, stated
from .worlds import Json, intent, inventory, offer, patched, placement, plan, row

R = "placements.0.assignments.0"


def test_the_constants_are_those_that_the_choice_is_made_by() -> None:
    assert pytest.approx(1000 * DEFAULT.kappa, rel=1e-15) == efficiency.GB_PER_TFLOP
    assert DEFAULT.eta == efficiency.PROTOCOL
    assert DEFAULT.host_gbytes == efficiency.HOST_GBYTES
    assert DEFAULT.eta_fabric == efficiency.FABRIC_PROTOCOL
    assert DEFAULT.taper == efficiency.TAPER
    assert DEFAULT.reference_tflops == efficiency.RATING_TFLOPS
    assert DEFAULT.network_gbps == efficiency.NETWORK_GBPS
    assert tuple(NOMINAL_GBYTES[kind] for kind in LinkClass) == links.NOMINAL_GBYTES
    assert {kind: int(value) for kind, value in CLASS_OF.items()} == links.CLASSES


# --- rates -----------------------------------------------------------------------------------------------


def partitions(items: tuple[int, ...]) -> Iterator[list[tuple[int, ...]]]:
    if not items:
        yield []
        return
    first, *rest = items
    for parts in partitions(tuple(rest)):
        yield [(first,), *parts]
        for i, part in enumerate(parts):
            yield [*parts[:i], (first, *part), *parts[i + 1 :]]


def rate_by_hand(links: Links, chosen: tuple[int, ...]) -> float:
    """Return min over partitions of the bandwidth between parts / (parts - 1), from the definition."""
    others, least = len(chosen) - 1, inf
    for parts in partitions(chosen):
        if len(parts) < 2:
            continue
        between = 0.0
        for one, other in combinations(parts, 2):
            for a, b in ((a, b) for a in one for b in other):
                pair = (min(a, b), max(a, b))
                own = links.known and links.classes.get(pair) == NVLINK
                said = links.gbytes.get(pair, 0.0) / (1 if own else others)
                between += max(said, efficiency.HOST_GBYTES / others)
        least = min(least, between / (len(parts) - 1))
    return least


def some_links(rng: Random, gpus: int) -> Links:
    density, speeds = rng.choice((0.3, 0.6, 1.0)), rng.choice(((25.0,), (12.5, 50.0, 150.0)))
    pairs = [pair for pair in combinations(range(gpus), 2) if rng.random() < density]
    kinds = rng.choice(((2,), (1, 2), (1, 2, 3)))
    classes = {pair: rng.choice(kinds) for pair in pairs}
    return Links(gpus, classes, {pair: rng.choice(speeds) for pair in pairs}, rng.random() < 0.8)


def test_a_rate_is_the_least_over_all_ways_to_split_a_set() -> None:
    rng = Random(4)
    for _ in range(150):
        joined = some_links(rng, 7)
        chosen = tuple(sorted(rng.sample(range(7), rng.randint(2, 7))))
        least, most = rates(joined, chosen)
        assert least == most == pytest.approx(rate_by_hand(joined, chosen), rel=1e-9)


def test_a_large_unlike_set_lies_between_two_bounds() -> None:
    rng = Random(5)
    for _ in range(5):
        pairs = [pair for pair in combinations(range(13), 2) if rng.random() < 0.7]
        links = Links(13, dict.fromkeys(pairs, 2), {pair: rng.choice((25.0, 50.0)) for pair in pairs}, True)
        least, most = rates(links, range(13))
        tried = [rates(links, [i for i in range(13) if i != out])[0] for out in range(2)]
        assert 0 < least < min(tried)
        assert max(tried) < 2 * most


def test_a_dozen_unlike_gpus_have_one_rate_and_it_is_that_of_the_other_side() -> None:
    ends = [pair for pair in combinations(range(12), 2) if sum(pair) % 3]
    said = [[*pair, "nvlink", f"{25 * (1 + sum(pair) % 2)} GB/s"] for pair in ends]
    one = Offer(inventory(linked(*said, gpu__count=12)), 0)
    graph = graph_of(
        model=None,
        memory_mib=None,
        gpus=12,
        interconnect=None,
        interconnect_gbps=None,
        topology=None,
        links=one.text("links"),
    )
    least, most = rates(links_of(one), range(12))
    assert least == most == pytest.approx(tree_rate(graph, (1 << 12) - 1), rel=1e-9)


def test_a_large_set_of_like_gpus_has_one_rate() -> None:
    pairs = list(combinations(range(16), 2))
    switched = Links(16, dict.fromkeys(pairs, 3), dict.fromkeys(pairs, 150.0), known=True)
    least, most = rates(switched, range(16))
    assert least == pytest.approx(most) == pytest.approx(16 * 150 / (2 * 15))


# --- against the side that chooses -----------------------------------------------------------------------


LABELS = ("nvlink", "nvswitch", "pcie", "infinity-fabric", None)
MODELS = (("nvidia-v100", "16Gi"), ("nvidia-h100", "80Gi"), ("nvidia-a100", "40Gi"), ("nvidia-t4", "16Gi"))


def random_offer(rng: Random) -> Json:
    model, memory = rng.choice(MODELS)
    said: Json = {"model": model, "memory": memory, "count": rng.choice((2, 4, 5, 8, 8)), "power_w": 1}
    said["interconnect"] = rng.choice(LABELS)
    said["topology"] = rng.choice(("ring", "mesh", "all-to-all", "nvswitch", None, None))
    said["interconnect_bandwidth"] = rng.choice(("300 GB/s", None))
    said["multi_gpu_efficiency"] = rng.choice((0.7, 1.0, None, None, None))
    if rng.random() < 0.3:
        pairs = [pair for pair in combinations(range(said["count"]), 2) if rng.random() < 0.5]
        kinds, speeds = (("nvlink", "pcie"), ("nvlink", "nvswitch")), ((), ("25 GB/s",), ("61 GB/s",))
        some = rng.choice(kinds)
        said["links"] = [[*pair, rng.choice(some), *rng.choice(speeds)] for pair in pairs]
        said["links"] += [[*pair, "infinity-fabric", "10 GB/s"] for pair in pairs if rng.random() < 0.2]
    return offer("a", gpu=said)


def test_two_ways_to_look_at_a_set_of_gpus_agree() -> None:
    rng = Random(6)
    for _ in range(150):
        one = Offer(inventory(random_offer(rng)), 0)
        links, chosen = links_of(one), tuple(sorted(rng.sample(range(links_of(one).gpus), 2)))
        if rng.random() < 0.6:
            chosen = tuple(sorted(rng.sample(range(links.gpus), rng.randint(2, links.gpus))))
        graph = graph_of(
            model=one.text("gpu_model"),
            memory_mib=one.whole("gpu_memory_mib"),
            gpus=links.gpus,
            interconnect=one.text("interconnect"),
            interconnect_gbps=one.number("interconnect_gbps"),
            topology=one.text("topology"),
            links=one.text("links"),
        )
        mask, asked = sum(1 << gpu for gpu in chosen), rng.choice(("pcie", "nvlink", "nvswitch"))
        least = {"pcie": 1, "nvlink": 2, "nvswitch": 3}[asked]
        assert graph.known == links.known
        assert set_class(graph, mask) == class_of(links, chosen)
        for topology in ("ring", "mesh", "all-to-all", "nvswitch"):
            there = has_shape_there(graph, mask, topology, least)
            assert there == has_shape(links, chosen, topology, asked)
        rating, said = one.number("rating_tflops"), one.number("multi_gpu_efficiency")
        ppm = int(efficiency_ppm(graph, np.array([mask], np.int64), rating, said)[0])
        least_due, most_due = efficiency._efficiency(links, chosen, rating, said)
        assert (least_due, most_due) == pytest.approx((ppm / 1e6, ppm / 1e6), abs=1.1e-6)


@pytest.mark.parametrize("apart", [0, 1, 2, 3])
@pytest.mark.parametrize("bandwidth", ["400 Gb/s", None])
@pytest.mark.parametrize("network", ["100Gbps", None])
def test_two_ways_to_look_at_the_fabric_agree(apart: int, bandwidth: str | None, network: str | None) -> None:
    one = Offer(inventory(offer("a", fabric__bandwidth=bandwidth, performance__network_bandwidth=network)), 0)
    numbers = [
        np.array([np.nan if (value := one.number(name)) is None else value])
        for name in ("rating_tflops", "fabric_gbps", "network_gbps")
    ]
    ppm = int(fabric_ppm(numbers[0], numbers[1], numbers[2], apart)[0])
    assert fabric_efficiency(one, apart) == pytest.approx(ppm / 1e6, abs=1.1e-6)


# --- in plans ----------------------------------------------------------------------------------------------


def rules(document: Mapping[str, object], *offers: Json) -> set[str]:
    given = ring()
    stock = inventory(*offers) if offers else given.inventory
    return {violation.rule for violation in verify(document, given.intents, stock)}


@pytest.mark.parametrize(("off", "broken"), [(1e-6, False), (-1e-6, False), (4e-6, True), (-4e-6, True)])
def test_an_efficiency_is_told_to_the_millionth(off: float, broken: bool) -> None:
    document = patched(ring().document, {f"{R}.efficiency": RING_EFFICIENCY + off})
    assert ("figure" in rules(document)) == broken


def test_slower_links_are_less_efficient() -> None:
    slow = [[a, b, kind, "48 GB/s"] for a, b, kind, _ in RING]
    assert rules(ring().document, linked(*slow)) == {"figure"}
    assert rules(ring().document, linked(*RING)) == set()


def test_a_least_efficiency_is_a_condition() -> None:
    given = stated()
    for asked, broken in ((0.9, set()), (0.900001, {"constraint"}), (0.899999, set())):
        wanted = given.intents[0].model_copy(deep=True)
        gpu = wanted.workload.resources.gpu
        assert gpu is not None
        object.__setattr__(gpu, "multi_gpu_efficiency", asked)
        found = {violation.rule for violation in verify(given.document, [wanted], given.inventory)}
        assert found == broken, asked


def test_a_part_of_the_gpus_of_a_stated_efficiency_follows_from_the_links() -> None:
    """Two neighbours of a ring of four that keeps 0.8."""
    told = read_told(plan(placement("web", [row(0, "a", gpus=[0, 1])]))).placements[0].rows[0]
    half = Offer(inventory(linked(*RING, gpu__multi_gpu_efficiency=0.8)), 0)
    due = 1 / (1 + 0.25 * RING_RATE / 25.0)
    assert efficiency_of(stated().intents[0], told, half) == pytest.approx((due, due), rel=1e-12)


@pytest.mark.parametrize(("count", "node"), [(2, 8), (3, 2), (3, 8)])
@pytest.mark.parametrize("said", [None, 0.8])
def test_parts_of_gpus_share_ports_as_if_on_different_gpus(count: int, node: int, said: float | None) -> None:
    """Each has a port of 150 GB/s, shared by its ways to the others; what is stated is of all there are."""
    asked = read_intent(intent(workload__resources__gpu={"count": count, "shared": True}))
    ports = {"gpu__interconnect": "nvlink", "gpu__interconnect_bandwidth": "300 GB/s", "gpu__count": node}
    one = Offer(inventory(offer("a", **SLOTS, **ports, gpu__multi_gpu_efficiency=said)), 0)
    told = read_told(plan(placement("web", [row(0, "a", gpus=list(range(count)))]))).placements[0].rows[0]

    def rate(gpus: int) -> float:
        return gpus * 150 / (2 * (gpus - 1))

    due = 0.8 * rate(count) / (0.8 * rate(count) + efficiency.GB_PER_TFLOP * 989.4)
    if said is not None:
        due = 1 / (1 + 0.25 * rate(max(count, node)) / rate(count))
    assert efficiency_of(asked, told, one) == pytest.approx((due, due), rel=1e-12)
