"""What the user knows: it fills what is absent, and every answer can tell."""

from typing import Any

import pytest

import flare_core as flare
from tests.inventory.fleet import offer, read


def test_an_assumption_fills_what_is_absent_and_is_marked() -> None:
    inventory = read(
        offer(id="a"),
        offer(id="b", performance={"latency_ms": 5}),
        offer(id="c", provider="p2"),
        assume={"provider-1": {"performance": {"latency_ms": 20, "jitter_ms": 3}}},
    )
    assert [inventory.value("latency_ms", row) for row in range(3)] == [20, 5, None]
    assert [inventory.value("jitter_ms", row) for row in range(3)] == [3, 3, None]
    assumed = [inventory.value("assumed", row) for row in range(3)]
    assert assumed == ["performance.jitter_ms,performance.latency_ms", "performance.jitter_ms", None]


def test_the_more_specific_assumption_wins() -> None:
    assume = {
        "*": {"performance.latency_ms": 1, "performance.jitter_ms": 1, "performance.uptime_percent": 91},
        "provider-1": {"performance.latency_ms": 2, "performance.jitter_ms": 2},
        "Provider-1/EU-west-1": {"performance.latency_ms": 3},
    }
    for order in (list(assume), list(reversed(assume))):
        inventory = read(
            offer(region="EU-West-1"),
            offer(id="b", region="r"),
            offer(id="c", provider="p"),
            assume={k: assume[k] for k in order},
        )
        assert [inventory.value("latency_ms", row) for row in range(3)] == [3, 2, 1]
        assert [inventory.value("jitter_ms", row) for row in range(3)] == [2, 2, 1]
        assert [inventory.value("uptime_percent", row) for row in range(3)] == [91, 91, 91]


def test_it_goes_before_the_shipped_facts_and_after_what_the_model_determines() -> None:
    document = offer(provider="aws", region="us-east-1", gpu={"model": "nvidia-t4", "count": 1})
    known = read(document)
    assume = {"aws": {"energy.carbon_intensity": 1, "gpu.memory": "80Gi", "gpu.multi_gpu_efficiency": 0.5}}
    inventory = read(document, assume=assume)
    assert known.value("carbon_intensity", 0) not in (None, 1)
    assert inventory.value("carbon_intensity", 0) == 1
    assert inventory.value("gpu_memory_mib", 0) == known.value("gpu_memory_mib", 0) == 16384
    assert inventory.value("assumed", 0) == "energy.carbon_intensity,gpu.multi_gpu_efficiency"


def test_what_is_assumed_of_a_gpu_tells_its_parts_apart() -> None:
    document = offer(gpu={"model": "nvidia-h100", "count": 8})
    assert read(document).value("rating_tflops", 0) == 756.4
    inventory = read(document, assume={"*": {"gpu.power_w": 700}})
    assert inventory.value("rating_tflops", 0) == 989.4
    assert inventory.value("gpu_memory_mib", 0) == 81920
    assert inventory.value("assumed", 0) == "gpu.power_w"


def test_nothing_of_a_gpu_is_assumed_where_there_is_none() -> None:
    inventory = read(offer(gpu=None), assume={"*": {"gpu.memory": "80Gi"}})
    assert inventory.value("gpu_memory_mib", 0) is None
    assert inventory.value("assumed", 0) is None


def test_a_billing_that_is_not_stated_can_be_assumed() -> None:
    document = offer(price={"hourly": "1 EUR/hour"})
    assert read(document, assume={"*": {"price.billing": "gpu"}}).value("billing", 0) == "gpu"
    assert read(offer(), assume={"*": {"price.billing": "node"}}).value("billing", 0) == "gpu"


def test_an_assumption_about_nobody_is_reported() -> None:
    inventory = read(offer(), assume={"awss": {"cpu": "1"}, "provider-1/mars": {"cpu": "1"}})
    assert inventory.warnings == ("assume: no offer is of provider-1/mars", "assume: no offer is of awss")


@pytest.mark.parametrize(
    ("assume", "path", "says"),
    [
        ([], "assume", "an object of providers"),
        ({"aws": 3}, "assume.aws", "an object of values"),
        ({"": {}}, "assume", "provider/region"),
        ({"/x": {}}, "assume", "provider/region"),
        ({"aws/": {}}, "assume", "provider/region"),
        (
            {"aws": {"performance": {"latency": 3}}},
            "assume.aws.performance.latency",
            "nearest is performance.latency_ms",
        ),
        ({"aws": {"cpus": 3}}, "assume.aws.cpus", "nearest is cpu"),
        ({"aws": {"price.hourly": "1 EUR"}}, "assume.aws.price.hourly", "no field that can be assumed"),
        ({"aws": {"gpu": {"count": 8}}}, "assume.aws.gpu.count", "no field that can be assumed"),
        ({"aws": {"nodes": 3}}, "assume.aws.nodes", "no field that can be assumed"),
        ({"aws": {"used.gpus": 3}}, "assume.aws.used.gpus", "no field that can be assumed"),
        ({"aws": {"cpu": "x"}}, "assume.aws.cpu", "found 'x', expected CPU cores"),
        ({"aws": {"availability": {"timezone": "x"}}}, "assume.aws.availability.timezone", "IANA"),
        ({"aws": {"cpu": "1"}, "AWS": {"cpu": "2"}}, "assume.AWS", "twice"),
        (
            {"aws": {"performance.latency_ms": 1, "performance": {"latency_ms": 2}}},
            "assume.aws.performance.latency_ms",
            "twice",
        ),
    ],
)
def test_wrong_assumptions_are_named(assume: Any, path: str, says: str) -> None:
    with pytest.raises(flare.InventoryError, match=says) as caught:
        read(offer(), assume=assume)
    assert caught.value.path == path


def test_many_assumed_paths_are_told_apart() -> None:
    fields: dict[str, Any] = {
        "cpu": "1",
        "memory": "1Gi",
        "storage": "1Gi",
        "zone": "z",
        "country": "IE",
        "persistent_storage": True,
    }
    offers = []
    for i in range(2 ** len(fields)):
        absent = {path: None for bit, path in enumerate(fields) if i >> bit & 1}
        offers.append(offer(id=f"{i:02}", **{**fields, **absent}))
    inventory = read(*offers, assume={"*": fields})
    for i in range(len(inventory)):
        expected = ",".join(sorted(path for bit, path in enumerate(fields) if i >> bit & 1))
        assert inventory.value("assumed", i) == (expected or None)
