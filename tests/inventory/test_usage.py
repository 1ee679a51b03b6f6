"""What is used already, and the groups of equal nodes that follow from it."""

from typing import Any

import pytest

from flare_core.inventory.read import read_inventory
from flare_core.inventory.types import Inventory
from flare_core.inventory.write import to_document
from tests.inventory.fleet import offer, read, read_one, skipped


def groups(inventory: Inventory) -> list[tuple[int, int, int, int, bool]]:
    """Return (nodes, free GPUs, free milli-cores, free MiB, fresh) of every group."""
    g = inventory.groups
    columns = (g.count, g.free_gpus, g.free_cpu_milli, g.free_memory_mib, g.fresh)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def used(nodes: int = 2, **usage: Any) -> list[tuple[int, int, int, int, bool]]:
    """Return the groups of nodes with 4 GPUs, 64 cores and 256 MiB each."""
    return groups(read_one(nodes=nodes, cpu="64", memory="256Mi", gpu__count=4, **usage))


def test_unused_nodes_are_one_fresh_group() -> None:
    assert used() == [(2, 4, 64_000, 256, True)]
    assert used(used={"gpus": 0, "cpu": "0", "memory": None}) == [(2, 4, 64_000, 256, True)]
    assert read_one().groups.one_per_offer


def test_used_gpus_fill_the_first_nodes_and_take_cores_and_memory_along() -> None:
    assert used(used={"gpus": 3}) == [(1, 1, 16_000, 64, False), (1, 4, 64_000, 256, True)]
    assert used(used={"gpus": 5}) == [(1, 0, 0, 0, False), (1, 3, 48_000, 192, False)]
    assert used(nodes=5, used={"gpus": 8}) == [(2, 0, 0, 0, False), (3, 4, 64_000, 256, True)]
    assert used(used={"gpus": 8}) == [(2, 0, 0, 0, False)]


def test_the_free_gpus_of_a_node_are_its_last_ones() -> None:
    inventory = read_one(nodes=2, gpu__count=4, used={"gpus": 5})
    assert inventory.groups.free_indices(0, 4) == ()
    assert inventory.groups.free_indices(1, 4) == (1, 2, 3)
    assert [inventory.groups.node(g, 0) for g in (0, 1)] == [0, 1]


def test_what_used_says_beyond_the_gpus_part_is_taken_from_the_first_nodes() -> None:
    # Three of four GPUs take 48 cores; 56 are stated: 8 more from the first node, which has 16 left.
    assert used(used={"gpus": 3, "cpu": "56"}) == [(1, 1, 8_000, 64, False), (1, 4, 64_000, 256, True)]
    assert used(used={"gpus": 3, "cpu": "48"}) == [(1, 1, 16_000, 64, False), (1, 4, 64_000, 256, True)]
    assert used(used={"gpus": 3, "cpu": "1"}) == [(1, 1, 16_000, 64, False), (1, 4, 64_000, 256, True)]
    assert used(used={"gpus": 1, "cpu": "80"}) == [(1, 3, 0, 192, False), (1, 4, 48_000, 256, False)]
    assert used(used={"memory": "300Mi"}) == [(1, 4, 64_000, 0, False), (1, 4, 64_000, 212, False)]


def test_the_part_that_goes_with_gpus_is_rounded_against_the_free_side() -> None:
    inventory = read_one(nodes=1, cpu="0.010", memory="10Mi", gpu__count=3, used={"gpus": 1})
    assert groups(inventory) == [(1, 2, 6, 6, False)]


def test_what_is_used_is_rounded_up() -> None:
    assert used(nodes=1, used={"cpu": "0.0001", "memory": "1"}) == [(1, 4, 63_999, 255, False)]


def test_unknown_capacity_stays_unknown_under_use() -> None:
    assert groups(read_one(nodes=1, cpu=None, memory=None, used={"gpus": 3, "cpu": "7"})) == [
        (1, 5, -1, -1, False)
    ]


def test_cpu_only_nodes_can_be_used() -> None:
    inventory = read_one(gpu=None, nodes=2, cpu="8", memory="16Mi", used={"cpu": "10"})
    assert groups(inventory) == [(1, 0, 0, 16, False), (1, 0, 6_000, 16, False)]


@pytest.mark.parametrize(
    ("usage", "place"),
    [
        ({"gpus": 9}, "used.gpus"),
        ({"cpu": "128.001"}, "used.cpu"),
        ({"memory": "513Mi"}, "used.memory"),
        ({"gpus": -1}, "used.gpus"),
        ({"gpus": True}, "used.gpus"),
        ({"gpus": 1.0}, "used.gpus"),
        ({"cpu": "all"}, "used.cpu"),
        ({"memory": -1}, "used.memory"),
    ],
)
def test_more_than_there_is_cannot_be_used(usage: dict[str, Any], place: str) -> None:
    [warning] = skipped(nodes=2, cpu="64", memory="256Mi", gpu__count=4, used=usage)
    assert warning.startswith(f"offers.1.{place}: found ")


def test_all_there_is_can_be_used() -> None:
    everything = {"gpus": 8, "cpu": "128", "memory": "512Mi"}
    assert used(used=everything) == [(2, 0, 0, 0, False)]


@pytest.mark.parametrize("use", [{"used": {"gpus": 1}}, {"node_states": [{"node": 0}]}])
def test_an_elastic_offer_has_no_nodes_to_use(use: dict[str, Any]) -> None:
    [warning] = skipped(nodes=None, **use)
    assert "elastic" in warning
    assert read_one(nodes=None, used={"gpus": 0}).warnings == ()


STATE = {
    "node": 1,
    "free_gpus": [3, 2],
    "gpu_milli": {"1": 400},
    "mig": [{"gpu": 0, "profile": "1g.10gb", "start": 0}],
    "cpu": "20",
    "memory": "100Mi",
}


def states(*nodes: dict[str, Any], **more: Any) -> Inventory:
    return read_one(nodes=3, cpu="64", memory="256Mi", gpu__count=4, node_states=list(nodes), **more)


def test_node_states_say_what_is_free_node_by_node() -> None:
    inventory = states(STATE)
    assert groups(inventory) == [(2, 4, 64_000, 256, True), (1, 2, 20_000, 100, False)]
    g = inventory.groups
    assert g.nodes == {0: (0, 2), 1: (1,)}
    assert g.free_indices(1, 4) == (2, 3)
    assert g.milli == {1: {1: 400}}
    assert g.mig == {1: ((0, "1g.10gb", 0),)}


def test_equal_nodes_are_one_group() -> None:
    inventory = states({"node": 2, "free_gpus": [0]}, {"node": 0, "free_gpus": [0]})
    assert groups(inventory) == [(2, 1, 16_000, 64, False), (1, 4, 64_000, 256, True)]
    assert inventory.groups.nodes == {0: (0, 2), 1: (1,)}


def test_without_free_gpus_those_that_are_not_named_are_free() -> None:
    inventory = states({"node": 0, "gpu_milli": {"2": 250}})
    # Three GPUs and a quarter of one are free: 3250 of 4000 thousandths of the cores and the memory.
    assert groups(inventory)[0] == (1, 3, 52_000, 208, False)
    assert inventory.groups.free_indices(0, 4) == (0, 1, 3)


def test_a_node_without_free_gpus_may_have_all_its_cores_free() -> None:
    inventory = states({"node": 0, "free_gpus": [], "cpu": "64", "memory": "256Mi"})
    assert groups(inventory)[0] == (1, 0, 64_000, 256, False)


def test_a_node_state_that_leaves_everything_free_is_a_fresh_node() -> None:
    assert groups(states({"node": 0, "gpu_milli": {"0": 1000}})) == [(3, 4, 64_000, 256, True)]
    inventory = states({"node": 0, "gpu_milli": {"0": 0}})
    assert groups(inventory)[0] == (1, 3, 48_000, 192, False)
    assert inventory.groups.milli == {}


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({"node": 3}, "node_states.0.node"),
        ({"node": -1}, "node_states.0.node"),
        ({}, "node_states.0.node"),
        ({"node": 0, "free_gpus": [4]}, "node_states.0"),
        ({"node": 0, "free_gpus": [1, 1]}, "node_states.0"),
        ({"node": 0, "free_gpus": 2}, "node_states.0.free_gpus"),
        ({"node": 0, "free_gpus": [1], "gpu_milli": {"1": 400}}, "node_states.0"),
        ({"node": 0, "gpu_milli": {"1": 1001}}, "node_states.0.gpu_milli.1"),
        ({"node": 0, "gpu_milli": {"one": 1}}, "node_states.0.gpu_milli.one"),
        ({"node": 0, "gpu_milli": [1]}, "node_states.0.gpu_milli"),
        ({"node": 0, "mig": [{"gpu": 0, "profile": "big", "start": 0}]}, "node_states.0.mig.0.profile"),
        ({"node": 0, "mig": [{"gpu": 0, "profile": "1g.5gb"}]}, "node_states.0.mig.0"),
        ({"node": 0, "mig": [{"gpu": 4, "profile": "1g.5gb", "start": 0}]}, "node_states.0"),
        ({"node": 0, "cpu": "65"}, "node_states.0.cpu"),
        ({"node": 0, "memory": "257Mi"}, "node_states.0.memory"),
        ({"node": 0, "until": "noon"}, "node_states.0.until"),
        ({"node": 0, "until": 12}, "node_states.0.until"),
        ({"node": 0, "gpus": 3}, "node_states.0.gpus"),
        ("all", "node_states.0"),
    ],
)
def test_what_a_node_state_cannot_say(state: Any, place: str) -> None:
    [warning] = skipped(nodes=3, cpu="64", memory="256Mi", gpu__count=4, node_states=[state])
    assert warning.startswith(f"offers.1.{place}: ")


def test_what_is_used_until_when_is_read_and_written() -> None:
    states = [
        {"node": 0, "free_gpus": [1], "until": "2026-01-15T01:00:00+01:00"},
        {"node": 1, "free_gpus": [1], "until": "2026-01-15T00:00:00.5Z"},
        {"node": 2, "free_gpus": [1]},
        {"node": 3, "until": "2026-01-15T00:00:00Z"},
    ]
    inventory = read(offer(nodes=4, gpu__count=2, node_states=states))
    assert inventory.groups.until == {0: 1768435200, 1: 1768435201}  # nothing is used of the last
    written: Any = to_document(inventory)["offers"]
    assert [state.get("until") for state in written[0]["node_states"]] == [
        "2026-01-15T00:00:00Z",
        "2026-01-15T00:00:01Z",
        None,
    ]
    assert to_document(read_inventory({"version": 1, "offers": written}))["offers"] == written


def test_a_node_is_described_once() -> None:
    [warning] = skipped(node_states=[{"node": 0}, {"node": 0}])
    assert warning.startswith("offers.1.node_states.1.node: found 0")


@pytest.mark.parametrize(("gpus", "agrees"), [(0, True), (1, False), (2, True), (3, True), (4, False)])
def test_used_gpus_must_agree_with_node_states(gpus: int, agrees: bool) -> None:
    # GPUs 0 and 1 are in use and 3 in part, which may be counted or not.
    node_states = [{"node": 0, "free_gpus": [2], "gpu_milli": {"3": 500}}]
    inventory = read(
        offer(id="good"), offer(nodes=1, gpu__count=4, node_states=node_states, used={"gpus": gpus})
    )
    assert (inventory.ids == ("a", "good")) is agrees


def test_use_is_checked_against_what_is_assumed() -> None:
    documents = [offer(id="good"), offer(provider="p2", cpu=None, used={"cpu": "9"}, nodes=1)]
    assert read(*documents).ids == ("a", "good")
    inventory = read(*documents, assume={"p2": {"cpu": "8"}})
    assert inventory.ids == ("good",)
    assert inventory.warnings[0].startswith("offers.1.used.cpu: found more in use")
    assert groups(read(*documents, assume={"p2": {"cpu": "9"}}))[0] == (1, 8, 0, 2**21, False)
