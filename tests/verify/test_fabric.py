"""How far apart the nodes of a gang lie, and what they keep of their throughput."""

from typing import Any

import pytest

from flare_core.intent import read_intent
from flare_core.verify import verify
from flare_core.verify.efficiency import fabric_efficiency
from flare_core.verify.fabric import depth_of, is_gang, span
from flare_core.verify.offers import Offer
from flare_core.verify.told import Row, read_told

from .inside import scattered
from .worlds import Json, gang, intent, inventory, offer, patched, placement, plan, row

Path = list[str] | None
Used = list[tuple[Row, Offer]]

JOB, BATCH = (read_intent(intent("train", kind)) for kind in ("job", "batch"))


def used(*nodes: tuple[str, int], **paths: Path) -> Used:
    """Return a task on each of some nodes, of offers by their fabric paths."""
    stock = inventory(*(offer(name, fabric={"path": path}) for name, path in paths.items()))
    told = plan(placement("train", [row(i, name, node=node) for i, (name, node) in enumerate(nodes)]))
    rows = read_told(told).placements[0].rows
    return [(each, Offer(stock, stock.row(each.offer))) for each in rows]


@pytest.mark.parametrize(
    ("paths", "levels"),
    [
        ({"a": ["r", "s", "l"], "b": ["r", "s", "l"]}, 1),
        ({"a": ["r", "s", "l"], "b": ["r", "s", "k"]}, 2),
        ({"a": ["r", "s", "l"], "b": ["r", "t", "l"]}, 3),
        ({"a": ["r", "s", "l"], "b": ["q", "s", "l"]}, 4),
        ({"a": ["r"], "b": ["r"], "c": ["r", "s", "l"]}, 1),
        ({"a": ["r"], "b": ["r", "s"]}, 2),
        ({"a": ["r"], "b": ["r", "r"]}, 2),
        ({"a": ["r", "s"], "b": ["r", "s", "l"]}, 2),
        ({"a": None, "b": None}, 1),  # one zone
        ({"a": None, "b": None, "c": ["r", "s", "l"]}, 3),
        ({"a": None, "b": ["r", "s"]}, 3),
    ],
)
def test_the_span_is_the_levels_that_are_not_shared(paths: dict[str, Path], levels: int) -> None:
    assert span(JOB, used(("a", 0), ("b", 0), **paths)) == levels


def test_nodes_of_one_offer_share_its_path_and_lie_apart_where_it_is_unknown() -> None:
    two_nodes = ("a", 0), ("a", 1)
    assert span(JOB, used(*two_nodes, a=["r", "s", "l"])) == 1
    assert span(JOB, used(*two_nodes, a=None, b=["r", "s", "l"])) == 3
    three = ("a", 0), ("b", 0), ("c", 0)
    assert span(JOB, used(*three, a=["r", "s"], b=["r", "s"], c=["r", "t"])) == 2
    assert span(BATCH, used(*three, a=["r", "s"], b=["r", "s"], c=["r", "t"])) == 0


def test_a_zone_that_nobody_can_place_is_its_own() -> None:
    stock = inventory(offer("a"), offer("b", zone="eu-west-1b"))
    told = read_told(plan(placement("train", [row(0, "a"), row(1, "b")]))).placements[0].rows
    apart = [(each, Offer(stock, stock.row(each.offer))) for each in told]
    assert span(JOB, apart) == 2


def test_only_a_job_on_several_nodes_is_a_gang() -> None:
    together, apart = used(("a", 0), ("a", 0), a=None), used(("a", 0), ("a", 1), a=None)
    assert is_gang(JOB, apart)
    assert not is_gang(JOB, together)
    assert not is_gang(BATCH, apart)


def test_the_fabric_is_as_deep_as_the_longest_path_of_any_offer() -> None:
    stock = used(("a", 0), a=["r"], b=["r", "s"], c=["r", "s", "l", "m"], d=None)[0][1].inventory
    assert depth_of(stock) == 4
    assert depth_of(inventory(offer("a"))) == 1


@pytest.mark.parametrize(
    ("said", "gbytes"),
    [
        ({"fabric__bandwidth": "400 Gb/s"}, 50.0),
        ({"fabric__bandwidth": None}, 12.5),  # the network's 100 Gbit/s
        ({"fabric__bandwidth": None, "performance__network_bandwidth": None}, 1.25),
        ({"fabric__bandwidth": "0 Gb/s"}, 0.0),
    ],
)
def test_each_level_of_the_fabric_leaves_half_of_the_bandwidth(said: dict[str, Any], gbytes: float) -> None:
    one = Offer(inventory(offer("a", **said)), 0)
    assert fabric_efficiency(one, 0) == 1.0
    for levels, left in ((1, 1.0), (2, 0.5), (3, 0.25)):
        slow = 0.85 * gbytes * left
        due = slow / (slow + 2 * 0.008138020833333334 * 989.4)
        assert fabric_efficiency(one, levels) == pytest.approx(due, rel=1e-12)


# --- in plans --------------------------------------------------------------------------------------------


def broken(document: Json, *offers: Json, **changes: object) -> set[str]:
    given = scattered()
    asked = intent("train", "job", workload__job={"parallel_tasks": 2, "timeout": "1h"}, **changes)
    found = verify(document, [read_intent(asked)], inventory(*offers) if offers else given.inventory)
    return {violation.rule for violation in found}


def test_a_gang_on_one_node_keeps_everything() -> None:
    given = scattered().document
    together = {"placements.0.assignments.1.node": 0, "placements.0.assignments.1.gpus": [2, 3]}
    assert broken(given) == set()
    assert broken(patched(given, together)) == {"figure"}
    assert broken(patched(given, {**together, "placements.0.performance_tflops": 3957.6})) == set()


def test_the_performance_of_a_gang_is_its_objective_too() -> None:
    given = scattered().document
    best = {"objective": 3957.6 * 0.397515, "bound": 3957.6 * 0.397515}
    assert broken(patched(given, best), objective="Performance_Maximization") == set()
    assert broken(patched(given, {"objective": 3957.6}), objective="Performance_Maximization") == {
        "objective"
    }


def test_a_deeper_fabric_elsewhere_puts_more_levels_between_nodes_that_nobody_can_place() -> None:
    far = 0.85 * 12.5 / 2
    deeper = 3957.6 * far / (far + 2 * 0.008138020833333334 * 989.4)
    document = patched(scattered().document, {"placements.0.performance_tflops": deeper})
    two_levels = offer("b", fabric={"path": ["r", "s"]})
    assert broken(document) == {"figure"}
    assert broken(document, offer("a"), two_levels) == set()
    assert broken(scattered().document, offer("a"), two_levels) == {"figure"}


@pytest.mark.parametrize(
    ("fabrics", "had"),
    [
        (
            ({"path": ["r"], "interconnect": "infiniband"}, {"path": ["r"], "interconnect": "infiniband"}),
            None,
        ),
        (
            ({"path": ["r"], "interconnect": "infiniband"}, {"path": ["q"], "interconnect": "infiniband"}),
            "infiniband",
        ),
        (({"path": ["r"], "interconnect": "infiniband"}, {"path": ["r"]}), "infiniband, unknown"),
        (({"interconnect": "infiniband"}, {"interconnect": "infiniband"}), "infiniband"),
        (
            ({"path": ["r"], "interconnect": "ethernet"}, {"path": ["r"], "interconnect": "ethernet"}),
            "ethernet",
        ),
    ],
)
def test_infiniband_is_one_fabric_of_infiniband(fabrics: tuple[Json, Json], had: str | None) -> None:
    given = gang()
    stock = inventory(*(offer(name, fabric=fabric) for name, fabric in zip("ab", fabrics, strict=True)))
    missed = {"path": "workload.resources.gpu.interconnect", "asked": "infiniband", "got": had}
    document = patched(given.document, {"placements.0.relaxed": [missed] if had else []})
    found = [violation.rule for violation in verify(document, given.intents, stock)]
    assert "preference" not in found
    document = patched(given.document, {"placements.0.relaxed": [] if had else [missed]})
    assert "preference" in [violation.rule for violation in verify(document, given.intents, stock)]
