"""Flavors as offers and offers as flavors: nothing is misread, and nothing that both know is lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core import InventoryError, read_inventory
from flare_core.adapters.fluidos.inventory import flavors_of
from flare_core.adapters.fluidos.settings import Identity
from flare_core.inventory.demo import demo_inventory
from flare_core.inventory.write import to_document
from tests.fluidos.objects import GPU_AT, flavor, offer, put, read, with_gpu
from tests.fluidos.schemas import faults

ADDITIONAL = "spec.flavorType.typeData.properties.additionalProperties"


def test_a_flavor_is_one_node_billed_by_gpu_with_each_thing_where_it_belongs() -> None:
    assert offer(flavor()) == {
        "id": "fluidos.eu-k8slice-1a2b",
        "provider": "provider-1",
        "region": "eu-west-1",
        "zone": "zone-a",
        "nodes": 1,
        "price.hourly": "18.40 EUR/hour",
        "price.billing": "gpu",
        "cpu": "63250m",
        "memory": "251Gi",
        "gpu.model": "nvidia-h100",
        "gpu.count": 4,
        "gpu.memory": "80Gi",
        "gpu.cores": 16896,
        "gpu.clock_speed": "1980MHz",
        "gpu.compute_capability": 9,
        "gpu.architecture": "hopper",
        "gpu.tier": "premium",
        "gpu.fp32_tflops": 66.9,
        "gpu.interconnect": "nvlink",
        "gpu.interconnect_bandwidth": "7200Gbps",
        "gpu.topology": "nvswitch",
        "gpu.multi_gpu_efficiency": 0.95,
        "gpu.power_w": 700,
        "gpu.dedicated": True,
        "performance.latency_ms": 4,
        "performance.network_bandwidth": "100Gbps",
    }


@pytest.mark.parametrize(
    ("fields", "path", "expected"),
    [
        ({"memory": "80Gi"}, "gpu.memory", "80Gi"),  # of one GPU, as some documents have it
        ({"memory": "335544320Ki"}, "gpu.memory", "80Gi"),
        ({"model": "acme-x1", "memory": "100Gi"}, "gpu.memory", "25Gi"),
        ({"cores": "16896"}, "gpu.cores", 16896),
        ({"cores": "67584k", "model": "acme-x1"}, "gpu.cores", 16896000),
        ({"count": "4"}, "gpu.count", 4),
        ({"count": 4.0}, "gpu.count", 4),
        ({"clock_speed": "1.98G"}, "gpu.clock_speed", "1980MHz"),
        ({"clock_speed": "1980000000"}, "gpu.clock_speed", "1980MHz"),
        ({"fp32_tflops": "66.9"}, "gpu.fp32_tflops", 66.9),
        ({"compute_capability": 9}, "gpu.compute_capability", 9),
        ({"network_latency_ms": "4"}, "performance.latency_ms", 4),
        ({"network_latency_ms": 0}, "performance.latency_ms", None),
        ({"network_bandwidth": "0"}, "performance.network_bandwidth", None),
        ({"multi_gpu_efficiency": ""}, "gpu.multi_gpu_efficiency", None),
        ({"interconnect_bandwidth": "7200"}, "gpu.interconnect_bandwidth", "7200Gbps"),
        ({"model": "acme-x1", "interconnect_bandwidth": "600"}, "gpu.interconnect_bandwidth", "600Gbps"),
        ({"topology": "all_to_all"}, "gpu.topology", "all-to-all"),
        ({"tier": "Premium"}, "gpu.tier", "premium"),
        ({"model": "H100"}, "gpu.model", "nvidia-h100"),
        ({"model": "NVIDIA-H100-80GB-HBM3"}, "gpu.model", "nvidia-h100"),
        ({"model": "X1", "vendor": "acme", "cores": "0", "memory": "0"}, "gpu.model", "acme-x1"),
        (
            {"model": "amd-rx7900xtx", "vendor": "amd", "cores": "0", "memory": "0"},
            "gpu.model",
            "amd-rx-7900xtx",
        ),
        ({"dedicated": None}, "gpu.dedicated", None),  # unstated is not false
        ({"dedicated": "true"}, "gpu.dedicated", True),
        ({"sharing_strategy": "none"}, "gpu.shared", False),
        ({"shared": True, "multi_instance": True}, "gpu.sharing_strategy", "mig"),
        ({"shared": True, "sharing_strategy": "time_slicing"}, "gpu.sharing_strategy", "time-slicing"),
        ({"interruptible": True}, "price.hourly", None),
        ({"interruptible": True}, "price.spot_hourly", "18.40 EUR/hour"),
        ({"pre_emptible": True}, "price.spot_hourly", "18.40 EUR/hour"),
        ({"hourly_rate": "18.40"}, "price.hourly", "18.40 EUR/hour"),
        ({"hourly_rate": 18}, "price.hourly", "18.00 EUR/hour"),
        ({"provider": None}, "provider", "prov000001.fluidos.eu"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_a_field_is_read_as_its_writer_meant_it(fields: dict[str, Any], path: str, expected: object) -> None:
    assert offer(with_gpu(**fields)).get(path) == expected


@pytest.mark.parametrize(
    ("region", "zone", "expected"),
    [
        ("zone-a", "eu-west-1", ("eu-west-1", "zone-a")),  # as the controllers write it
        ("eu-west-1", "zone-a", ("eu-west-1", "zone-a")),  # as the names say
        ("eu-west-1a", "eu-west-1", ("eu-west-1", "eu-west-1a")),
        ("eu-west-1", "eu-west-1a", ("eu-west-1", "eu-west-1a")),
        ("de-fra-1", "de-fra", ("de-fra", "de-fra-1")),
        ("de-fra", "de-fra-1", ("de-fra", "de-fra-1")),
        ("north", "germany", ("germany", "north")),
        (None, "germany", ("germany", None)),
        ("eu-west-1", None, ("eu-west-1", None)),
        ("rack-b", None, ("unstated", "rack-b")),
        (None, None, ("unstated", None)),
    ],
)
def test_region_and_zone_are_told_apart(
    region: str | None, zone: str | None, expected: tuple[str, str | None]
) -> None:
    found = offer(with_gpu(region=region, zone=zone))
    assert (found["region"], found.get("zone")) == expected


def test_a_setting_overrides_the_guess_about_places() -> None:
    placed = with_gpu(region="eu-west-1", zone="zone-a")
    assert offer(placed, places="swapped")["region"] == "zone-a"
    assert offer(with_gpu(), places="stated")["region"] == "zone-a"


def test_a_price_per_gpu_is_multiplied() -> None:
    assert offer(with_gpu(hourly_rate=4.6), prices_per="gpu")["price.hourly"] == "18.40 EUR/hour"


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ({"amount": "2.5", "currency": "EUR", "period": "hourly"}, "2.50 EUR/hour"),
        ({"amount": "24", "currency": "EUR", "period": "Daily"}, "1.00 EUR/hour"),
        ({"amount": "2", "currency": "USD", "period": "hour"}, "1.84 EUR/hour"),
    ],
)
def test_the_price_of_the_flavor_stands_in_where_the_gpu_has_none(price: Any, expected: str) -> None:
    assert offer(flavor(gpu=None, price=price), usd_eur="0.92")["price.hourly"] == expected


@pytest.mark.parametrize(
    ("object_", "path"),
    [
        (with_gpu(hourly_rate=None), "price: is missing, which is not the same as free"),
        (with_gpu(hourly_rate=0), "price: is missing"),
        (with_gpu(hourly_rate=-1), f"{GPU_AT}.hourly_rate: found '-1'"),
        (with_gpu(hourly_rate="cheap"), f"{GPU_AT}.hourly_rate: found 'cheap'"),
        (with_gpu(hourly_rate=True), f"{GPU_AT}.hourly_rate: found True"),
        (with_gpu(memory="much"), f"{GPU_AT}.memory: found 'much'"),
        (with_gpu(model=None), "gpu.model: is missing"),
        (with_gpu(count=None), "gpu.count: is missing"),
        (with_gpu(count=2000), f"{GPU_AT}.count: found 2000"),
        (with_gpu(model="whatever", vendor=None), f"{GPU_AT}.model: found 'whatever'"),
        (with_gpu(multi_gpu_efficiency="95"), f"{GPU_AT}.multi_gpu_efficiency: found '95'"),
        (
            flavor(price={"amount": "1", "currency": "GBP", "period": "hourly"}, gpu=None),
            "spec.price: found 'GBP'",
        ),
        (flavor(price={"amount": "1", "currency": "USD", "period": "hourly"}, gpu=None), "an exchange rate"),
        (flavor(price={"amount": "1", "currency": "EUR", "period": "monthly"}, gpu=None), "found 'monthly'"),
        (
            put(flavor(), "spec.flavorType.typeData.characteristics.cpu", "many"),
            "characteristics.cpu: found 'many'",
        ),
        (put(flavor(), f"{ADDITIONAL}.country", "Atlantis"), f"{ADDITIONAL}.country: found 'Atlantis'"),
    ],
)
def test_what_no_offer_can_have_is_reported_with_object_and_path(object_: Any, path: str) -> None:
    with pytest.raises(InventoryError) as refused:
        read(object_)
    assert "Flavor fluidos.eu-k8slice-1a2b: " in refused.value.message
    assert path in refused.value.message


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"interconnect": "xe-link"}, "xe-link"),
        ({"sharing_strategy": "sriov"}, "sriov"),
        ({"tier": "gold"}, "gold"),
        ({"compute_capability": "gfx942"}, "gfx942"),
    ],
)
def test_a_word_that_no_offer_has_is_left_out_and_told(fields: dict[str, Any], word: str) -> None:
    inventory = read(with_gpu(**fields))
    assert len(inventory) == 1
    assert [told for told in inventory.warnings if word in told and "fluidos.eu-k8slice-1a2b" in told]


def test_a_gpu_object_of_zeros_is_no_gpu() -> None:
    zeros = {
        "vendor": "",
        "model": "",
        "cores": "0",
        "memory": "0",
        "clock_speed": "0",
        "network_bandwidth": "0",
    }
    priced = flavor(gpu=zeros, price={"amount": "1", "currency": "EUR", "period": "hourly"})
    found = offer(priced)
    assert not [path for path in found if path.startswith("gpu.")]
    assert found["price.hourly"] == "1.00 EUR/hour"


def test_standards_are_certificates_and_name_the_laws() -> None:
    said = put(flavor(), "spec.flavorType.typeData.properties.securityStandards", ["GDPR", "iso 27001"])
    found = offer(said)
    assert found["compliance.certifications"] == ["GDPR", "ISO27001"]
    assert found["compliance.gdpr_compliant"] is True
    assert "compliance.hipaa_compliant" not in found


def test_the_latency_of_the_flavor_counts_where_the_gpu_has_none() -> None:
    bare = put(with_gpu(network_latency_ms=None), "spec.flavorType.typeData.properties.latency", 12)
    assert offer(bare)["performance.latency_ms"] == 12


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "dotted"])
def test_additional_properties_go_before_everything_else(nested: bool) -> None:
    said: dict[str, Any] = {"region": "de-fra", "country": "DE", "unrelated": {"a": 1}}
    said |= {"energy": {"carbon_intensity": 278}} if nested else {"energy.carbon_intensity": 278}
    found = offer(put(flavor(), ADDITIONAL, said))
    assert (found["region"], found["country"], found["energy.carbon_intensity"]) == ("de-fra", "DE", 278)


def test_the_placeholder_location_is_no_location() -> None:
    placeholder = {
        "latitude": "10",
        "longitude": "58",
        "country": "Italy",
        "city": "Turin",
        "additionalNotes": "None",
    }
    assert "country" not in offer(flavor(location=placeholder))


@pytest.mark.parametrize(
    ("region", "country"),
    [
        ("eu-west-1", "IE"),
        ("us-somewhere", "US"),
        ("germany", "DE"),
        ("germany-north", "DE"),
        ("eu-north", None),
        ("sa-east", None),
        ("me-1", None),
        ("mars", None),
        ("xy", None),
    ],
)
def test_the_name_of_a_region_tells_the_country_only_where_that_is_wanted(
    region: str, country: str | None
) -> None:
    placed = with_gpu(region="zone-a", zone=region)
    assert "country" not in offer(placed, places="swapped")
    assert offer(placed, places="swapped", country_from_region=True).get("country") == country


# --- and back ------------------------------------------------------------------------------------

DOCUMENT: Any = to_document(demo_inventory())
SINGLE = [
    {**{k: v for k, v in each.items() if k != "node_states"}, "nodes": 1} for each in DOCUMENT["offers"]
]


def back(inventory: Any) -> Any:
    """What reading the flavors of an inventory gives, through JSON as an API server keeps it."""
    written = json.loads(json.dumps(list(flavors_of(inventory))))
    return read_inventory(written)


def test_every_offer_of_the_demonstration_comes_back_the_same() -> None:
    inventory = read_inventory({"offers": SINGLE})
    assert to_document(back(inventory)) == to_document(inventory)


CHANGES = {
    "region": st.sampled_from(["eu-west-1", "nowhere", "a", "zone-1", "unstated"]),
    "zone": st.sampled_from([None, "eu-west-1", "eu-west-1a", "b"]),
    "cpu": st.sampled_from([None, "1", "500m", "192"]),
    "memory": st.sampled_from([None, "1Mi", "2Ti"]),
    "price": st.builds(
        lambda hourly, spot, billing: {"hourly": hourly, "spot_hourly": spot, "billing": billing},
        st.integers(1, 10**9).map(lambda ueur: f"{ueur / 10**6:.6f} EUR/hour"),
        st.none() | st.just("0.000001 EUR/hour"),
        st.sampled_from(["node", "gpu"]),
    ),
}
GPU_CHANGES = {
    "model": st.sampled_from(["nvidia-h100", "nvidia-a100", "amd-mi300x", "acme-x1"]),
    "count": st.integers(1, 16),
    "memory": st.sampled_from([None, "1Mi", "40Gi", "80Gi", "81559Mi"]),
    "cores": st.none() | st.integers(1, 20000),
    "clock_speed": st.sampled_from([None, "1.5G", "1980.5MHz", "1M"]),
    "compute_capability": st.sampled_from([None, 9, 8.6]),
    "fp32_tflops": st.none() | st.floats(0.001, 1000),
    "interconnect": st.sampled_from([None, "pcie", "nvlink", "nvswitch", "infinity-fabric"]),
    "interconnect_bandwidth": st.sampled_from(
        [None, "600 Gb/s", "600 GB/s", "0.25 Gbps", "7200Gbps", "900Gbps"]
    ),
    "multi_gpu_efficiency": st.sampled_from([None, 0, 0.95, 1]),
    "shared": st.sampled_from([None, True, False]),
    "sharing_strategy": st.sampled_from([None, "mig", "mps", "time-slicing"]),
    "sharing_slots": st.none() | st.integers(1, 1000),
    "dedicated": st.sampled_from([None, True, False]),
}
PERFORMANCE = {
    "latency_ms": st.sampled_from([None, 0, 4, 4.5, 1000]),
    "network_bandwidth": st.sampled_from([None, "100Gbps", "0.0005Gbps"]),
}


@given(st.fixed_dictionaries(CHANGES), st.fixed_dictionaries(GPU_CHANGES), st.fixed_dictionaries(PERFORMANCE))
def test_any_offer_comes_back_the_same(said: Any, gpu: Any, performance: Any) -> None:
    document = {"id": "a", "provider": "p", "nodes": 1, **said, "gpu": gpu, "performance": performance}
    inventory = read_inventory({"offers": [document]})
    assert to_document(back(inventory)) == to_document(inventory)


def test_nodes_become_flavors_of_their_own_less_what_is_used() -> None:
    used = {**SINGLE[0], "id": "a", "nodes": 2, "cpu": "32", "memory": "256Gi"}
    used["price"] = {"hourly": "4.00 EUR/hour", "billing": "gpu"}
    used["gpu"] = {"model": "nvidia-h100", "count": 4}
    used["node_states"] = [{"node": 0, "free_gpus": [1, 2, 3], "cpu": "20", "memory": "100Gi"}]
    inventory = back(read_inventory({"offers": [used]}))
    told = {each["id"]: each for each in to_document(inventory)["offers"]}  # type: ignore[attr-defined]
    assert told.keys() == {"a-0", "a-1"}
    assert (told["a-0"]["gpu"]["count"], told["a-0"]["cpu"], told["a-0"]["price"]["hourly"]) == (
        3,
        "20",
        "3.00 EUR/hour",
    )
    assert (told["a-1"]["gpu"]["count"], told["a-1"]["cpu"]) == (4, "32")


def test_a_full_node_is_no_flavor_and_an_elastic_offer_is_as_many_as_are_asked_for() -> None:
    full = {"id": "a", "provider": "p", "region": "r", "nodes": 1, "price": {"hourly": "1 EUR/hour"}}
    full |= {"gpu": {"model": "nvidia-h100", "count": 2}, "used": {"gpus": 2}}
    free = {"id": "b", "provider": "p", "region": "r", "nodes": None, "price": {"hourly": "1 EUR/hour"}}
    names = [
        each["metadata"]["name"] for each in flavors_of(read_inventory({"offers": [full, free]}), elastic=3)
    ]
    assert names == ["b-0", "b-1", "b-2"]


def test_flavors_name_their_owner() -> None:
    owner = Identity(domain="example.org", node_id="prov7", ip="10.0.0.7:30001")
    inventory = read_inventory({"offers": SINGLE[:1]})
    (written,) = flavors_of(inventory, owners={SINGLE[0]["provider"]: owner})
    assert written["spec"]["owner"] == {"domain": "example.org", "nodeID": "prov7", "ip": "10.0.0.7:30001"}
    assert written["spec"]["providerID"] == "prov7"


def test_flavors_satisfy_the_schema_and_lose_nothing_to_it() -> None:
    assert [faults(written) for written in flavors_of(demo_inventory())] == [[]] * 147
