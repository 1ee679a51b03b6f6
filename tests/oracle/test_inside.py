"""What exhaustion says of GPUs from the inside, against cases worked out by hand."""

from fractions import Fraction
from typing import Any

import pytest

from tests.oracle import inside
from tests.oracle.cards import Share, profile_table, smallest, takes
from tests.oracle.oracle import Best, Oracle
from tests.worlds import Json, intent, offer, world

RING = [[a, b, "nvlink", "100 GB/s"] for a, b in ((0, 1), (1, 2), (2, 3), (0, 3))]
HOST = Fraction(inside.HOST_MBYTES, 1000)
A100 = {"model": "nvidia-a100", "memory": "40Gi", "cores": 6912, "fp32_tflops": "19.5", "power_w": 400}


def linked(gpus: int, links: object = None, **gpu: object) -> Json:
    one = offer("o", gpus=gpus)
    one["gpu"] |= {"links": links, "interconnect": None, **gpu}
    return one


def best(*offers: Json, kind: str = "service", tasks: int = 1, gpus: int = 1, **asked: object) -> Best:
    return Oracle(world(intent("a", kind, tasks, gpus, **asked), *offers)).best()


def gpus_of(found: Best) -> list[tuple[int, ...]]:
    return [row.gpus for row in found.rows[0]]


# --- rates and efficiencies -------------------------------------------------------------------------


SWITCH = [[a, b, "nvswitch", "600 GB/s"] for a, b in ((0, 1), (0, 2), (1, 2))]


@pytest.mark.parametrize(
    ("links", "chosen", "rate"),
    [
        # A GPU's way through the host is for all others of the set.
        (RING, {0, 1, 2, 3}, (4 * 50 + 2 * HOST / 3) / 3),
        (RING, {0, 1}, 50),
        (RING, {0, 1, 2}, (50 + 50 + HOST / 2) / 2),
        (RING, {0, 2}, HOST),
        (SWITCH, {0, 1, 2}, Fraction(3 * 150, 2)),
        (SWITCH, {0, 1}, 300),
    ],
    ids=["ring", "link", "path", "no-link", "switch", "two-of-a-switch"],
)
def test_the_rate_of_a_set_is_that_of_its_best_packing_of_trees(
    links: list[list[Any]], chosen: set[int], rate: Fraction
) -> None:
    assert inside.tree_rate(inside.graph(linked(4, links)), frozenset(chosen)) == rate


def test_efficiency_follows_its_formula() -> None:
    flat = linked(2, interconnect="pcie", interconnect_bandwidth="32 GB/s", fp32_tflops="312")
    reduced = 1000 * 0.4 / 49152 * 312  # GB per second of computing
    assert inside.efficiency(flat, frozenset({0, 1}), 2) == int(1e6 / (1 + reduced / (0.55 * 16)))


def test_a_stated_efficiency_is_that_of_all_gpus_and_scales_with_the_rate() -> None:
    ring = linked(4, RING, multi_gpu_efficiency=0.8)
    assert inside.efficiency(ring, frozenset({0, 1, 2, 3}), 4) == 800_000
    whole = (4 * 50 + 2 * HOST / 3) / 3
    assert inside.efficiency(ring, frozenset({2, 3}), 2) == int(10**6 / (1 + whole / 50 / 4))
    assert inside.efficiency(ring, frozenset({2}), 1) == 1_000_000


def test_a_fabric_halves_with_every_level() -> None:
    one = offer("o", fabric={"bandwidth": "100 Gb/s"}, gpu__fp32_tflops="312")
    load = 2 * 1000 * 0.4 / 49152 * 312
    for span, gbytes in ((1, 12.5), (2, 6.25), (3, 3.125)):
        assert inside.fabric(one, span) == int(1e6 / (1 + load / (0.85 * gbytes)))
    assert inside.fabric(one, 0) == 1_000_000


# --- shapes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topology", "chosen", "has"),
    [
        ("ring", {0, 1, 2, 3}, True),
        ("ring", {0, 1, 2}, False),
        ("ring", {0, 3}, True),
        ("mesh", {0, 1, 2, 3}, True),
        ("mesh", {0, 1, 2}, True),
        ("mesh", {0, 2}, False),
        ("all-to-all", {1, 2}, True),
        ("all-to-all", {0, 1, 2}, False),
        ("nvswitch", {0, 1}, False),
        ("nvswitch", {0}, True),
    ],
)
def test_a_ring_of_four_has_the_shapes_it_has(topology: str, chosen: set[int], has: bool) -> None:
    assert inside.has_shape(inside.graph(linked(4, RING)), frozenset(chosen), topology, 2) is has


def test_of_gpus_of_which_nothing_is_known_no_shape_is_claimed() -> None:
    flat = inside.graph(linked(4, interconnect="nvlink"))
    assert not inside.has_shape(flat, frozenset({0, 1}), "ring", 2)
    assert inside.class_of(flat, frozenset({0, 1})) == 2


# --- shares -----------------------------------------------------------------------------------------


def test_the_smallest_profile_covers_memory_and_cores_exactly() -> None:
    mig = linked(1, shared=True, sharing_strategy="mig", **A100)
    for asked, profile, taken in (
        ({}, "1g.5gb", 1),
        ({"memory": "6Gi"}, "1g.10gb", 1),
        ({"cores": 896}, "1g.5gb", 1),
        ({"cores": 897}, "2g.10gb", 2),
        ({"memory": "11Gi"}, "3g.20gb", 3),
        ({"memory": "40Gi"}, "7g.40gb", 7),
    ):
        assert smallest(mig, asked) == Share(profile, taken, 7)
    assert smallest(mig, {"memory": "41Gi"}) is None


def test_the_smallest_number_of_slots_covers_memory_and_cores() -> None:
    slots = linked(1, shared=True, sharing_strategy="mps", sharing_slots=3, memory="24Gi", cores=3000)
    for asked, taken in (({}, 1), ({"memory": "8Gi"}, 1), ({"memory": "9Gi"}, 2), ({"cores": 2001}, 3)):
        assert smallest(slots, asked) == Share(None, taken, 3)


def test_free_slices_alone_do_not_say_what_fits() -> None:
    table = profile_table("nvidia-a100", 40960)
    assert not takes(table, (("3g.20gb", 0),), ("4g.20gb",))
    assert takes(table, (("3g.20gb", 4),), ("4g.20gb",))
    assert takes(table, (), ("3g.20gb", "4g.20gb"))
    assert not takes(table, (), ("3g.20gb", "3g.20gb", "1g.5gb"))
    assert takes(table, (), ("1g.5gb",) * 7)
    assert not takes(table, (), ("1g.10gb",) * 4 + ("1g.5gb",))
    assert not takes(table, (("1g.5gb+me", 3),), ("1g.5gb+me",))


# --- which GPUs -------------------------------------------------------------------------------------


def test_two_tasks_share_out_a_ring() -> None:
    assert gpus_of(best(linked(4, RING), tasks=2, gpus=2)) == [(0, 1), (2, 3)]


def test_performance_takes_the_fastest_pair() -> None:
    links = [[0, 1, "nvlink", "50 GB/s"], [2, 3, "nvlink", "100 GB/s"]]
    assert gpus_of(best(linked(4, links), gpus=2)) == [(2, 3)]


def test_what_is_left_stays_best_connected() -> None:
    assert gpus_of(best(linked(3, [[0, 1, "nvlink"], [0, 2, "nvlink"]]))) == [(1,)]


def test_shares_open_no_gpu_while_a_started_one_has_room() -> None:
    slots = linked(3, shared=True, sharing_strategy="mps", sharing_slots=4)
    slots["node_states"] = [{"node": 0, "free_gpus": [0, 1], "gpu_milli": {"2": 749}}]
    for tasks, seats in ((1, [(2,)]), (2, [(2,), (2,)]), (3, [(0,), (0,), (0,)])):
        assert gpus_of(best(slots, tasks=tasks, workload__resources__gpu__shared=True)) == seats


def test_a_preference_is_worth_more_than_a_price() -> None:
    cheap = linked(2, interconnect="pcie")
    dear = {**linked(2, [[0, 1, "nvlink"]]), "id": "p", "price": {"hourly": "9 EUR/hour", "billing": "gpu"}}
    found = best(cheap, dear, gpus=2, workload__resources__gpu__interconnect="nvlink")
    assert [row.offer for row in found.rows[0]] == ["p"]


def test_a_gang_goes_to_one_leaf() -> None:
    offers = [
        offer(name, nodes=nodes, fabric={"path": path})
        for name, nodes, path in (("a", 1, ["s1", "l1"]), ("b", 1, ["s1", "l2"]), ("c", 2, ["s2", "l1"]))
    ]
    found = best(*offers, kind="job", tasks=2)
    assert [row.offer for row in found.rows[0]] == ["c", "c"]


def test_least_is_left_where_a_node_is_nearly_full() -> None:
    full, empty = offer("b", gpus=2, price=2), offer("a", gpus=2, price=2)
    full["node_states"] = [{"node": 0, "free_gpus": [1]}]
    assert [row.offer for row in best(empty, full).rows[0]] == ["b"]
