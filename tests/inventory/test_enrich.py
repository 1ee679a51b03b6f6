"""What the catalog adds: only where nothing is stated, only where it is certain."""

from typing import Any

import pytest

from flare_core.catalog import gpus, providers
from flare_core.inventory.types import COLUMNS, ELASTIC_STORAGE, Inventory
from tests.inventory.fleet import FULL, offer, read, read_one


def gpu(model: str, count: int = 8, **stated: Any) -> Inventory:
    """Return an offer that says this of its GPUs and no more."""
    return read_one(gpu={"model": model, "count": count, **stated})


def test_what_a_model_determines_is_filled_in() -> None:
    inventory = gpu("nvidia-t4", 2)
    part = gpus.parts_of("nvidia-t4")[0]
    names = ("gpu_memory_mib", "gpu_cores", "gpu_clock_mhz", "compute_capability", "architecture", "tier")
    assert [inventory.value(name, 0) for name in names] == [
        16384,
        2560,
        part.clock_mhz,
        7.5,
        "turing",
        "inference",
    ]
    assert inventory.value("power_w", 0) == 70
    assert inventory.value("fp32_tflops", 0) == part.fp32_tflops
    assert inventory.value("interconnect", 0) == "pcie"


def test_where_the_parts_of_a_model_differ_nothing_is_filled_in() -> None:
    inventory = gpu("nvidia-a100")
    for name in ("gpu_memory_mib", "power_w", "interconnect", "interconnect_gbps"):
        assert inventory.value(name, 0) is None
    assert inventory.value("architecture", 0) == "ampere"
    assert inventory.value("compute_capability", 0) == 8.0


@pytest.mark.parametrize(
    ("stated", "name", "value"),
    [
        ({"power_w": 700}, "rating_tflops", 989.4),
        ({"power_w": 350}, "rating_tflops", 756.4),
        ({"memory": "94Gi"}, "rating_tflops", 835.5),
        ({"interconnect": "nvswitch"}, "power_w", 700),
        ({"interconnect": "pcie", "memory": "80Gi"}, "power_w", 350),
        ({"fp32_tflops": 66.9}, "interconnect", "nvswitch"),
        ({"power_w": 700}, "interconnect_gbps", 7200.0),
    ],
)
def test_what_is_stated_tells_the_parts_apart(stated: dict[str, Any], name: str, value: object) -> None:
    assert gpu("nvidia-h100", **stated).value(name, 0) == value


def test_a_stated_value_that_no_part_has_tells_nothing() -> None:
    inventory = gpu("nvidia-a100", memory="40Gi", power_w=123, interconnect="pcie")
    assert inventory.value("power_w", 0) == 123
    assert inventory.value("gpu_cores", 0) == 6912
    assert inventory.value("rating_tflops", 0) == 312


def test_one_gpu_is_joined_to_none() -> None:
    assert gpu("nvidia-h100", 1, power_w=700).value("interconnect", 0) is None
    assert gpu("nvidia-h100", 1, power_w=700).value("interconnect_gbps", 0) is None
    assert gpu("nvidia-h100", 1, interconnect="nvlink", power_w=700).value("interconnect_gbps", 0) is None
    # "pcie" then says how the one GPU is plugged in, not that it is the PCIe part.
    assert gpu("nvidia-h100", 1, interconnect="pcie", memory="80Gi").value("power_w", 0) is None


@pytest.mark.parametrize(
    ("model", "stated", "mib"),
    [
        ("nvidia-h100", "81559Mi", 81920),
        ("nvidia-t4", "15360Mi", 16384),
        ("nvidia-l40s", "46068Mi", 49152),
        ("nvidia-a10g", "23028Mi", 24576),
        ("nvidia-h100", "80G", 81920),
        ("nvidia-a100", "10Gi", 10240),
        ("nvidia-b200", "192Gi", 196608),
        ("acme-x1", "81559Mi", 81559),
    ],
)
def test_gpu_memory_is_nominal_and_never_less_than_stated(model: str, stated: str, mib: int) -> None:
    assert gpu(model, memory=stated).value("gpu_memory_mib", 0) == mib


@pytest.mark.parametrize(
    ("model", "stated", "rating", "basis"),
    [
        ("nvidia-h100", {}, 756.4, "fp16-lowest"),
        ("nvidia-h100", {"power_w": 700}, 989.4, "fp16"),
        ("nvidia-a100", {}, 312.0, "fp16"),
        ("nvidia-p40", {}, 11.8, "fp32"),
        ("nvidia-rtx-pro-6000", {}, 110.0, "fp32-lowest"),
        ("acme-x1", {"fp32_tflops": "12.5"}, 12.5, "fp32"),
        ("acme-x1", {}, None, None),
    ],
)
def test_the_rating_is_dense_fp16_else_fp32_else_unknown(
    model: str, stated: dict[str, Any], rating: float | None, basis: str | None
) -> None:
    inventory = gpu(model, **stated)
    assert inventory.value("rating_tflops", 0) == rating
    assert inventory.value("rating_basis", 0) == basis


def test_nothing_stated_is_changed() -> None:
    strange: dict[str, Any] = {
        "cores": 1, "clock_speed": "1M", "compute_capability": "1.0", "architecture": "none",
        "tier": "budget", "fp32_tflops": 1, "interconnect": "pcie", "interconnect_bandwidth": "1 GB/s",
        "power_w": 1, "memory": "1Gi",
    }  # fmt: skip
    document = offer(
        provider="aws", region="us-east-1", country="FR", storage="1Gi", persistent_storage=False,
        gpu={"model": "nvidia-h100", "count": 8, **strange},
        energy={"carbon_intensity": 1, "power_usage_effectiveness": 3, "energy_efficiency_rating": "A"},
        compliance={"certifications": ["X"], "hipaa_compliant": False},
    )  # fmt: skip
    inventory = read(document)
    stated = {
        "gpu_cores": 1, "gpu_clock_mhz": 1, "compute_capability": 1, "architecture": "none",
        "tier": "budget", "fp32_tflops": 1, "interconnect": "pcie", "interconnect_gbps": 8,
        "power_w": 1, "gpu_memory_mib": 1024, "country": "FR", "storage_mib": 1024,
        "persistent_storage": False, "carbon_intensity": 1, "pue": 3, "efficiency_rating": "A",
        "certifications": "X", "hipaa_compliant": False,
    }  # fmt: skip
    assert {name: inventory.value(name, 0) for name in stated} == stated


def test_the_full_offer_of_the_specification_gains_nothing_but_a_rating() -> None:
    bare = read(FULL)
    twin = read({**FULL, "provider": "aws", "region": "us-east-1"})
    for column in COLUMNS:
        if column.name not in ("provider", "region"):
            assert bare.value(column.name, 0) == twin.value(column.name, 0)


def test_provider_facts_need_the_exact_provider_and_region() -> None:
    known = {fact.field: fact.value for fact in providers.facts("aws", "us-east-1")}
    places = [("aws", "us-east-1"), ("AWS", "us-east-1"), ("aws", "us-east-9"), ("p", "us-east-1")]
    here, loud, elsewhere, other = (read_one(provider=provider, region=region) for provider, region in places)
    assert here.value("carbon_intensity", 0) == known["energy.carbon_intensity"]
    assert loud.value("carbon_intensity", 0) == known["energy.carbon_intensity"]
    assert here.value("country", 0) == "US"
    assert here.whole["storage_mib"][0] == ELASTIC_STORAGE
    assert elsewhere.value("carbon_intensity", 0) is None
    assert elsewhere.value("certifications", 0) == "|".join(sorted(known["compliance.certifications"]))  # type: ignore[arg-type]  # names
    for name in ("carbon_intensity", "country", "certifications", "storage_mib", "pue"):
        assert other.value(name, 0) is None


@pytest.mark.parametrize(
    ("pue", "rating"),
    [
        (1.0, "A"),
        (1.2, "A"),
        (1.201, "B"),
        (1.4, "B"),
        (1.6, "C"),
        (1.8, "D"),
        (2.0, "E"),
        (2.001, "F"),
        (None, None),
    ],
)
def test_the_efficiency_rating_follows_from_the_pue(pue: float | None, rating: str | None) -> None:
    assert read_one(energy={"power_usage_effectiveness": pue}).value("efficiency_rating", 0) == rating


def test_an_offer_means_the_same_alone_and_among_others() -> None:
    """Facts are looked up once for each distinct combination; no two may be taken for each other."""
    models = ("nvidia-h100", "nvidia-a100", "nvidia-v100", "nvidia-t4", "acme-x1")
    stated: tuple[dict[str, Any], ...] = (
        {},
        {"memory": "40Gi"},
        {"memory": "80Gi"},
        {"power_w": 700},
        {"power_w": 250},
    )
    places = (("aws", "us-east-1"), ("aws", "eu-west-1"), ("gcp", "us-east1"), ("p", "us-east-1"))
    offers = [
        offer(
            id=f"{i:02}{j}{k}",
            provider=place[0],
            region=place[1],
            gpu={"model": model, "count": count, **said},
        )
        for i, (model, count) in enumerate((m, c) for m in models for c in (1, 2, 8))
        for j, said in enumerate(stated)
        for k, place in enumerate(places)
    ]
    together = read(*offers)
    for row, document in enumerate(offers):
        alone = read(document)
        for name in (*alone.whole, *alone.number, *alone.flag, *alone.label):
            assert together.value(name, row) == alone.value(name, 0), (document, name)
