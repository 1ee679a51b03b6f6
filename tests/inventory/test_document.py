"""The inventory document: what an offer says becomes columns, what it cannot say is reported and skipped."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flare_core as flare
from flare_core.inventory.types import COLUMNS, ELASTIC, ELASTIC_STORAGE
from flare_core.inventory.write import to_document
from tests.inventory.fleet import FULL, PLAIN, assert_same, offer, read, read_one, skipped

EXPECTED: dict[str, Any] = {
    "provider": "provider-1", "region": "eu-west-1", "zone": "eu-west-1a", "country": "IE", "nodes": 4,
    "hourly_ueur": 32_000_000, "spot_ueur": 12_800_000, "billing": "gpu",
    "price_series": None, "spot_series": None, "carbon_series": None, "cpu_milli": 192_000,
    "memory_mib": 2**21,
    "storage_mib": 20 * 2**20, "persistent_storage": True, "gpu_model": "nvidia-h100", "gpu_count": 8,
    "gpu_memory_mib": 81920, "gpu_cores": 16896, "gpu_clock_mhz": 1980.0, "compute_capability": 9.0,
    "architecture": "hopper", "tier": "premium", "fp32_tflops": 67.0, "interconnect": "nvswitch",
    "interconnect_gbps": 7200.0, "topology": "nvswitch", "links": None, "multi_gpu_efficiency": None,
    "power_w": 700.0,
    "shared": True, "sharing_strategy": "mig", "sharing_slots": None, "dedicated": True,
    "fabric_path": '["dc1","spine1","leaf3"]', "fabric_interconnect": "infiniband", "fabric_gbps": 400.0,
    "latency_ms": 18.0, "network_gbps": 100.0, "jitter_ms": 2.0, "uptime_percent": 99.95,
    "cold_start_s": 45.0,
    "interruption_percent": 5.0, "carbon_intensity": 278.0, "renewable_energy": False,
    "efficiency_rating": "B",
    "pue": 1.2, "green_certified": False, "certifications": "ISO27001|SOC2", "encryption_at_rest": True,
    "encryption_in_transit": True, "audit_logging": True, "gdpr_compliant": True, "hipaa_compliant": False,
    "network_isolation": "private", "vpn_access": True, "bastion_host": True, "intrusion_detection": True,
    "vulnerability_scanning": True,
    "calendar": '{"maintenance_windows":[{"end":"2026-01-04T04:00:00Z","frequency":"weekly",'
    '"start":"2026-01-04T02:00:00Z"}],"timezone":"Europe/Dublin"}',
}  # fmt: skip


def test_every_field_of_the_specifications_offer_is_read() -> None:
    inventory = read(FULL)
    assert {column.name: inventory.value(column.name, 0) for column in COLUMNS} == EXPECTED
    assert inventory.warnings == ()


def test_dotted_names_say_the_same_as_nested_ones() -> None:
    flat = {"id": FULL["id"]}
    for key, value in FULL.items():
        nested = isinstance(value, dict) and key != "availability"
        flat |= {f"{key}.{k}": v for k, v in value.items()} if nested else {key: value}
    assert_same(read(FULL), read(flat))


def test_only_seven_fields_are_required() -> None:
    bare = {
        "id": "a",
        "provider": "p",
        "region": "r",
        "price": {"hourly": "1 EUR"},
        "gpu": {"model": "H100", "count": 1},
    }
    inventory = read(bare)
    assert inventory.value("gpu_model", 0) == "nvidia-h100"
    assert inventory.value("billing", 0) == "node"
    assert inventory.whole["nodes"][0] == ELASTIC
    assert inventory.value("latency_ms", 0) is None


@pytest.mark.parametrize("path", ["id", "provider", "region", "price__hourly", "gpu__model", "gpu__count"])
def test_a_required_field_that_is_missing_is_named(path: str) -> None:
    assert skipped(**{path: None}) == [f"offers.1.{path.replace('__', '.')}: is missing, expected a value"]


@pytest.mark.parametrize("gpu", [None, "absent"])
def test_without_gpu_it_is_a_cpu_only_offer(gpu: str | None) -> None:
    document = offer(gpu=None)
    if gpu == "absent":
        del document["gpu"]
    inventory = read(document)
    assert inventory.value("gpu_count", 0) == 0
    assert inventory.value("gpu_model", 0) is None
    assert inventory.value("rating_tflops", 0) is None


def test_an_offer_for_spot_alone_needs_no_other_price() -> None:
    inventory = read_one(price={"spot_hourly": "1.00 EUR/hour"})
    assert inventory.value("hourly_ueur", 0) is None
    assert inventory.value("spot_ueur", 0) == 1_000_000


@pytest.mark.parametrize("nodes", [None, "absent"])
def test_without_a_number_of_nodes_an_offer_is_elastic(nodes: str | None) -> None:
    document = offer(nodes=None)
    if nodes == "absent":
        del document["nodes"]
    groups = read(document).groups
    assert groups.count.tolist() == [ELASTIC]


def test_elastic_storage() -> None:
    assert read_one(storage="elastic").whole["storage_mib"][0] == ELASTIC_STORAGE


@pytest.mark.parametrize(
    ("price", "ueur"),
    [("0.0000011 EUR/hour", 2), ("24 EUR/day", 1_000_000), ("1 EUR/day", 41_667), ("0 EUR/h", 0)],
)
def test_prices_are_rounded_up_to_the_micro_euro(price: str, ueur: int) -> None:
    assert read_one(price__hourly=price).value("hourly_ueur", 0) == ueur


def test_capacities_are_rounded_down() -> None:
    inventory = read_one(cpu="0.0015", memory="1048575", storage="1.999Mi")
    assert [inventory.value(name, 0) for name in ("cpu_milli", "memory_mib", "storage_mib")] == [1, 0, 1]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("price__hourly", "10 USD/hour", "EUR and no other currency"),
        ("price__hourly", 10, "EUR"),
        ("price__hourly", "1000000.01 EUR/hour", "0.00 EUR/hour to 1000000.00 EUR/hour"),
        ("price__hourly", "-1 EUR", "0 or more"),
        ("price__billing", "hour", "node, gpu"),
        ("nodes", -1, "0 to 100000"),
        ("nodes", 100_001, "0 to 100000"),
        ("nodes", 1.0, "whole number"),
        ("nodes", True, "whole number"),
        ("gpu__count", 0, "1 to 1024"),
        ("gpu__count", 1025, "1 to 1024"),
        ("gpu__count", True, "whole number"),
        ("gpu__count", 8.0, "whole number"),
        ("gpu__model", "H1000", "nvidia-h100"),
        ("gpu__model", "rtx-4095", "near it"),
        ("gpu__model", 100, "text"),
        ("gpu__memory", "0", "1Mi"),
        ("gpu__tier", "best", "premium, standard"),
        ("gpu__interconnect", "infiniband", "nvswitch"),
        ("gpu__topology", "star", "ring"),
        ("gpu__sharing_strategy", "none", "mig, mps, time-slicing"),
        ("gpu__sharing_slots", 0, "1 to 1000"),
        ("gpu__shared", "true", "true or false"),
        ("gpu__shared", 1, "true or false"),
        ("gpu__multi_gpu_efficiency", 1.01, "0 to 1"),
        ("gpu__power_w", 0, "1 to"),
        ("cpu", "eight", "CPU cores"),
        ("memory", "2TB", "Ti"),
        ("storage", "much", "or 'elastic'"),
        ("country", "EIRE", "ISO 3166-1"),
        ("country", "EU", "ISO 3166-1"),
        ("provider", "", "printable"),
        ("provider", " p", "printable"),
        ("region", "a\nb", "printable"),
        ("zone", "x" * 201, "printable"),
        ("id", 7, "a text"),
        ("performance__uptime_percent", 100.1, "at most 100"),
        ("performance__latency_ms", -1, "0 or more"),
        ("performance__cold_start_time", 45, "duration"),
        ("energy__power_usage_effectiveness", 0.99, "1 to 100"),
        ("energy__energy_efficiency_rating", "G", "A, B, C"),
        ("energy__carbon_intensity", float("inf"), "a number"),
        ("compliance__certifications", {"SOC2": True}, "a list of names"),
        ("compliance__certifications", [27001], "a text"),
        ("security__network_isolation", "secret", "public, private"),
        ("fabric__path", "dc1", "a list"),
        ("fabric__path", [], "a list"),
        ("gpu", [], "an object or null"),
        ("gpu", "nvidia-h100", "an object or null"),
        ("availability", {"timezone": "Mars"}, "IANA"),
    ],
)
def test_what_a_field_cannot_say_is_reported_where_it_stands(path: str, value: object, expected: str) -> None:
    [warning] = skipped(**{path: value})
    where, _, message = warning.partition(": ")
    assert where.startswith(f"offers.1.{path.replace('__', '.')}")
    assert message.startswith("found ")
    assert expected in message.partition(" expected ")[2]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("nodes", 0), ("nodes", 100_000), ("gpu__count", 1), ("gpu__count", 1024), ("gpu__memory", "1Mi"),
        ("gpu__multi_gpu_efficiency", 1), ("energy__power_usage_effectiveness", 1), ("zone", "x" * 200),
        ("performance__uptime_percent", 100), ("price__hourly", "1000000 EUR/hour"), ("gpu__count", "8"),
    ],
)  # fmt: skip
def test_the_edges_of_the_ranges_are_inside(path: str, value: object) -> None:
    assert read_one(**{path: value}).warnings == ()


@pytest.mark.parametrize(
    ("change", "nearest"),
    [
        ({"gpu__modle": "x"}, "offers.1.gpu.modle: unknown field, nearest is gpu.model"),
        ({"gpu__modle": None}, "offers.1.gpu.modle: unknown field, nearest is gpu.model"),
        ({"regoin": "x"}, "offers.1.regoin: unknown field, nearest is region"),
        ({"price__spot": "1 EUR"}, "offers.1.price.spot: unknown field, nearest is price.spot_hourly"),
        ({"price__serie": []}, "offers.1.price.serie: unknown field, nearest is price.series"),
        ({"used__gpu": 1}, "offers.1.used.gpu: unknown field, nearest is used.gpus"),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest_known_one(change: dict[str, Any], nearest: str) -> None:
    assert nearest in skipped(**change)


def test_a_field_said_twice_is_no_field() -> None:
    document = offer(id="b") | {"price.hourly": "1 EUR/hour"}
    inventory = read(offer(), document)
    assert inventory.ids == ("a",)
    assert "offers.1.price.hourly: found twice" in inventory.warnings[0]


def test_every_bad_offer_is_reported_and_every_good_one_is_kept() -> None:
    offers = [
        offer(id="a"),
        offer(id="b", cpu="x", memory="y"),
        7,
        offer(id="d", gpu__count=0),
        offer(id="e"),
    ]
    inventory = read(*offers)  # type: ignore[arg-type]  # a number is no offer
    assert inventory.ids == ("a", "e")
    places = [warning.partition(": ")[0] for warning in inventory.warnings]
    assert places == ["offers.1.cpu", "offers.1.memory", "offers.2", "offers.3.gpu.count"]


def test_a_document_without_a_good_offer_is_an_error_that_says_why() -> None:
    with pytest.raises(flare.InventoryError, match=r"offers\.0\.cpu: found 'x', expected CPU cores"):
        read(offer(cpu="x"))
    with pytest.raises(flare.InventoryError, match="found no usable offer"):
        read()


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"version": 2, "offers": [PLAIN]}, "version"),
        ({"version": True, "offers": [PLAIN]}, "version"),
        ({"version": 1}, "offers"),
        ({"version": 1, "offers": {}}, "offers"),
        ({"version": 1, "offers": [PLAIN], "offer": 1}, "offer"),
    ],
)
def test_what_is_no_document(document: dict[str, Any], path: str) -> None:
    with pytest.raises(flare.InventoryError) as caught:
        flare.read_inventory(document)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("name", "model", "memory"),
    [
        ("NVIDIA H100 80GB HBM3", "nvidia-h100", 81920),
        ("A100-80GB", "nvidia-a100", 81920),
        ("A100-SXM4-40GB", "nvidia-a100", 40960),
        ("RTX4090", "nvidia-rtx-4090", 24576),
        ("Acme-X1", "acme-x1", None),
        ("nvidia-z900", "nvidia-z900", None),
    ],
)
def test_spellings_of_models(name: str, model: str, memory: int | None) -> None:
    inventory = read_one(gpu={"model": name, "count": 2})
    assert inventory.value("gpu_model", 0) == model
    assert inventory.value("gpu_memory_mib", 0) == memory


def test_a_spelling_that_names_the_part_tells_its_power() -> None:
    assert read_one(gpu={"model": "A100-SXM4-40GB", "count": 2}).value("power_w", 0) == 400
    assert read_one(gpu={"model": "A100-PCIE-40GB", "count": 2}).value("power_w", 0) == 250
    assert read_one(gpu={"model": "A100-PCIE-40GB", "count": 2, "power_w": 240}).value("power_w", 0) == 240


def test_other_accelerators_are_counted_and_no_error() -> None:
    inventory = read(offer(), offer(id="t", gpu__model="tpu-v4"), offer(id="f", gpu__model="Inferentia2"))
    assert inventory.warnings == ("2 offers of accelerators that are no GPU are left out",)


def test_certificates_are_compared_without_case_space_and_dash() -> None:
    inventory = read_one(compliance={"certifications": ["soc-2", "ISO 27001", "iso-27001"]})
    assert inventory.value("certifications", 0) == "ISO27001|SOC2"
    names = [f"X{i}" for i in range(10, 30)]
    assert read_one(compliance={"certifications": names[::-1]}).value("certifications", 0) == "|".join(names)
    assert read_one(compliance={"certifications": []}).value("certifications", 0) == ""
    assert read_one(compliance={"certifications": None}).value("certifications", 0) is None


def test_links_are_brought_into_one_order() -> None:
    links = [[2, 1, "nvlink", "600 GB/s"], [0, 1, "pcie", "64 GB/s"], [1, 0, "nvlink", "4800 Gb/s"]]
    text = read_one(gpu__links=links).value("links", 0)
    assert json.loads(str(text)) == [
        [0, 1, "nvlink", "4800Gbps"],
        [0, 1, "pcie", "512Gbps"],
        [1, 2, "nvlink", "4800Gbps"],
    ]


@pytest.mark.parametrize(
    ("links", "place"),
    [
        ([[0, 8, "nvlink", "600 GB/s"]], "gpu.links"),
        ([[0, 0, "nvlink", "600 GB/s"]], "gpu.links.0"),
        ([[0, 1, "rope", "600 GB/s"]], "gpu.links.0.2"),
        ([[0, 1, "nvlink", "600"]], "gpu.links.0.3"),
        ([[0, 1]], "gpu.links.0"),
        ([[0, True, "nvlink", "600 GB/s"]], "gpu.links.0"),
        ([[0, 1, "nvlink", "1 GB/s"], [1, 0, "nvlink", "2 GB/s"]], "gpu.links"),
        ({"0": 1}, "gpu.links"),
    ],
)
def test_links_that_cannot_be(links: object, place: str) -> None:
    [warning] = skipped(gpu__links=links)
    assert warning.startswith(f"offers.1.{place}: found ")


def test_the_last_gpu_may_be_linked() -> None:
    assert read_one(gpu__links=[[0, 7, "nvlink", "600 GB/s"]]).warnings == ()


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["1 EUR", "80Gi", "elastic", "nvidia-h100", "gpu", "100Gbps", "UTC"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
paths = st.sampled_from(
    ["id", "used", "node_states", "used__gpus", "used__cpu", "availability", "gpu", "price", "fabric", *(
        column.path.replace(".", "__") for column in COLUMNS
    )]
)  # fmt: skip


@settings(max_examples=400)
@given(st.dictionaries(paths, values, max_size=4))
def test_no_value_gets_past_the_door_but_as_a_warning(changes: dict[str, Any]) -> None:
    sections: dict[str, Any] = {"base": FULL}
    for path in sorted(changes, key=len):  # whole sections first, then what is inside of them
        section = path.partition("__")[0]
        if path == section or isinstance(changes.get(section, {}), dict):
            sections[path] = changes[path]
    inventory = read(offer(id="~good"), offer(**sections))
    assert "~good" in inventory.ids
    assert len(inventory) == 2 or inventory.warnings
    assert_same(inventory, flare.read_inventory(to_document(inventory)))


@settings(max_examples=200)
@given(values)
def test_no_document_gets_past_the_door_but_as_an_error(document: Any) -> None:
    with pytest.raises(flare.FlareError) as caught:
        flare.read_inventory(document)
    assert caught.value.message
