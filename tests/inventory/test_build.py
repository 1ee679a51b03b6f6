"""The door into an inventory: order, repeats, defaults, limits."""

import random
from typing import Any

import numpy as np
import pytest

import flare_core as flare
from flare_core.inventory import build
from flare_core.inventory.build import RawOffers, build_inventory, combine
from flare_core.inventory.types import ELASTIC, Labels
from flare_core.inventory.usage import Usage
from tests.inventory.fleet import FULL, assert_same, offer, read

COLUMNS: dict[str, Any] = {
    "provider": ["p2", "p1", "p3"],
    "region": ["r", "r", None],
    "hourly_ueur": np.array([3, 2, -1]),
    "spot_ueur": [None, 1, 5],
    "gpu_model": ["nvidia-t4", None, "nvidia-h100"],
    "gpu_count": [1, None, 8],
    "latency_ms": [float("nan"), 3.5, None],
    "shared": [True, None, False],
}


def test_columns_are_sorted_by_id_and_missing_ones_are_unknown() -> None:
    inventory = build_inventory(COLUMNS, ["c", "a", "b"])
    assert inventory.ids == ("a", "b", "c")
    assert [inventory.value("hourly_ueur", row) for row in range(3)] == [2, None, 3]
    assert [inventory.value("latency_ms", row) for row in range(3)] == [3.5, None, None]
    assert [inventory.value("shared", row) for row in range(3)] == [None, False, True]
    assert [inventory.value("gpu_count", row) for row in range(3)] == [0, 8, 1]
    assert [inventory.value("billing", row) for row in range(3)] == ["node"] * 3
    assert inventory.whole["nodes"].tolist() == [ELASTIC] * 3
    assert inventory.value("uptime_percent", 0) is None


def test_labels_are_sorted_and_none_is_left_over() -> None:
    inventory = build_inventory(COLUMNS, ["c", "a", "b"])
    for labels in inventory.label.values():
        assert list(labels.values) == sorted(set(labels.values))
        assert set(labels.codes.tolist()) - {-1} == set(range(len(labels.values)))


def test_everything_is_read_only() -> None:
    inventory = read(FULL, offer(id="b", used={"gpus": 1}))
    groups = inventory.groups
    arrays: list[np.ndarray[Any, Any]] = [
        *inventory.whole.values(),
        *inventory.number.values(),
        *inventory.flag.values(),
    ]
    arrays += [labels.codes for labels in inventory.label.values()]
    arrays += [
        groups.offer,
        groups.count,
        groups.free_gpus,
        groups.free_cpu_milli,
        groups.free_memory_mib,
        groups.fresh,
    ]
    assert not any(array.flags.writeable for array in arrays)


def test_the_callers_arrays_are_not_touched() -> None:
    prices = np.array([3, 2, 1])
    build_inventory({**COLUMNS, "hourly_ueur": prices}, ["c", "a", "b"])
    prices[0] = 7
    assert prices.tolist() == [7, 2, 1]


def test_labels_may_be_given_encoded() -> None:
    encoded = {**COLUMNS, "provider": Labels.of(["p2", "p1", "p3"])}
    assert_same(build_inventory(encoded, ["c", "a", "b"]), build_inventory(COLUMNS, ["c", "a", "b"]))


@pytest.mark.parametrize("columns", [{"colour": ["red"]}, {"provider": ["a", "b"]}])
def test_columns_that_do_not_fit_are_a_programming_mistake(columns: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="column"):
        build_inventory(columns, ["x"])


def test_the_order_of_offers_does_not_matter() -> None:
    offers = [
        offer(id=f"o{i}", price__hourly=f"{i} EUR/hour", used={"gpus": i % 5}, region=f"r{i % 3}")
        for i in range(20)
    ]
    first = read(*offers)
    for seed in range(20):
        random.Random(seed).shuffle(offers)
        again = read(*offers)
        assert_same(first, again)
        assert again.warnings == first.warnings


def test_an_offer_that_repeats_another_is_merged() -> None:
    inventory = read(offer(), offer(id="b"), offer(), offer())
    assert inventory.ids == ("a", "b")
    assert inventory.warnings == ("merged 2 offers that repeat another in every word: a",)


@pytest.mark.parametrize(
    "change",
    [
        {"price__hourly": "31 EUR/hour"},
        {"used": {"gpus": 1}},
        {"zone": "z"},
        {"performance": {"latency_ms": 3}},
    ],
)
def test_offers_of_one_id_that_differ_are_skipped_all(change: dict[str, Any]) -> None:
    inventory = read(offer(), offer(id="b"), offer(**change), offer())
    assert inventory.ids == ("b",)
    assert inventory.warnings == ("offer 'a': found 3 offers of this id that differ, skipped all",)


def test_repeats_are_found_across_sources() -> None:
    inventory = flare.read_inventory(
        {"offers": [offer(), offer(id="b")]}, [{"offers": [offer()]}, {"offers": [offer(id="c")]}]
    )
    assert inventory.ids == ("a", "b", "c")
    assert inventory.warnings == ("merged 1 offers that repeat another in every word: a",)


def test_use_follows_its_offer_through_sorting_and_merging() -> None:
    used = offer(id="z", used={"gpus": 3})
    inventory = flare.read_inventory({"offers": [offer(id="m"), used]}, {"offers": [used, offer(id="b")]})
    assert inventory.ids == ("b", "m", "z")
    assert inventory.groups.offer.tolist() == [0, 1, 2, 2]
    assert inventory.groups.free_gpus.tolist() == [8, 8, 5, 8]


def test_sources_are_joined_with_their_columns_warnings_and_use() -> None:
    left = RawOffers(["b"], {"provider": ["p"], "latency_ms": [1.0]}, ("left",), "one")
    right = RawOffers(
        ["a"], {"provider": ["q"], "nodes": [2], "gpu_count": [4]}, ("right",), "two", {0: Usage(gpus=1)}
    )
    inventory = combine([left, right])
    assert inventory.warnings == ("left", "right")
    assert inventory.source == "one, two"
    assert inventory.groups.count.tolist() == [1, 1, ELASTIC]
    assert [inventory.value("latency_ms", row) for row in (0, 1)] == [None, 1.0]


def test_an_inventory_without_offers_is_an_error() -> None:
    with pytest.raises(flare.InventoryError, match="no usable offer"):
        build_inventory({}, [])
    with pytest.raises(flare.InventoryError, match="found 2 offers of this id that differ"):
        read(offer(), offer(cpu="1"))


def test_there_is_a_limit_to_the_number_of_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MAX_OFFERS", 2)
    assert len(build_inventory({}, ["a", "b"])) == 2
    with pytest.raises(flare.InventoryError, match="found 3 offers, expected at most 2"):
        build_inventory({}, ["a", "b", "c"])


def test_many_warnings_are_counted_instead_of_shown() -> None:
    inventory = read(offer(id="good"), *(offer(id=f"o{i}", cpu="x") for i in range(250)))
    assert len(inventory.warnings) == build.MAX_WARNINGS + 1
    assert inventory.warnings[-1] == "50 more warnings of this kind are not shown"
