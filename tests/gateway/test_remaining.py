"""What is left of an inventory without some of its capacity; with bookings it is held against the ledger."""

from typing import Any

import pytest

from flare_core import read_intent
from flare_core.adapters.gateway.remaining import remaining
from flare_core.engine import place
from flare_core.inventory.types import Inventory
from flare_core.placement.types import Status
from tests.gateway.work.living import wish
from tests.gateway.worlds import NOW, federation, offer

WORLD = federation(
    offer("a", gpus=4, nodes=2),
    offer("b", gpus=4, nodes=None),
    offer("c", gpus=4, nodes=2, billing="node"),
    offer("d", gpus=0, nodes=2, gpu=None),
    offer("e", gpus=4, node_states=[{"node": 0, "free_gpus": [1, 2]}]),
)


def free_by_offer(inventory: Inventory) -> dict[str, list[tuple[int, int]]]:
    """By offer the number of nodes and their free GPUs."""
    groups = inventory.groups
    found: dict[str, list[tuple[int, int]]] = {}
    for row, count, free in zip(groups.offer, groups.count, groups.free_gpus, strict=True):
        found.setdefault(inventory.ids[row], []).append((int(count), int(free)))
    return found


ALL = free_by_offer(WORLD)


@pytest.mark.parametrize(
    ("excluded", "changed"),
    [
        ([], {}),
        ([("gone", None), ("gone", 1)], {}),
        ([("a", None)], {"a": None}),
        ([("b", 7)], {"b": None}),
        ([("a", 1)], {"a": [(1, 4), (1, 0)]}),
        ([("a", 0), ("a", 1)], {"a": [(2, 0)]}),
        ([("c", 0)], {"c": [(1, 4), (1, 0)]}),
        ([("e", 0)], {"e": [(1, 4), (1, 0)]}),
        ([(name, None) for name in "abcde"], dict.fromkeys("abcde")),
    ],
)
def test_what_is_excluded_is_not_there(excluded: Any, changed: Any) -> None:
    left = free_by_offer(remaining(WORLD, (), excluded))
    expected = {name: free for name, free in (ALL | changed).items() if free is not None}
    assert {name: sorted(free) for name, free in left.items()} == {
        name: sorted(free) for name, free in expected.items()
    }


@pytest.mark.parametrize("excluded", [[("a", None)], [("a", 0), ("b", 0)], [(n, None) for n in "abcde"]])
def test_intents_are_placed_on_what_is_left(excluded: Any) -> None:
    left = remaining(WORLD, (), excluded)
    intent = read_intent(wish(gpus=4).encode())
    [placed] = place(intent, left, now=NOW).to_dict()["placements"]
    assert placed["status"] == (Status.REJECTED if not len(left) else Status.PLACED)
    taken = {(a["offer"], a["node"]) for a in placed["assignments"]}
    assert not taken & {*excluded}
    assert not {offer for offer, _ in taken} & {offer for offer, node in excluded if node is None}


def test_tasks_without_gpus_find_no_room_either() -> None:
    left = remaining(WORLD, (), [("d", 0), ("d", 1)])
    intent = read_intent(wish(gpus=0, workload={"resources": {"cpu": "60"}}).encode())
    [placed] = place(intent, left, now=NOW).to_dict()["placements"]
    assert {a["offer"] for a in placed["assignments"]} & {"d"} == set()
