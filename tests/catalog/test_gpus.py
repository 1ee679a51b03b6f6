"""The GPU table is sound, and every spelling finds its model or none."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.catalog import gpus

with Path(__file__).with_name("spellings.csv").open(encoding="utf-8", newline="") as lines:
    PAIRS = [(row["name"], row["model"]) for row in csv.DictReader(lines)]


@pytest.mark.parametrize(("name", "model"), PAIRS, ids=[name for name, _ in PAIRS])
def test_a_spelling_finds_its_model(name: str, model: str) -> None:
    assert gpus.normalize(name) == model
    assert not gpus.is_other_accelerator(name)


def test_the_spellings_are_many_and_each_model_finds_itself() -> None:
    assert len(PAIRS) >= 120
    assert all(gpus.normalize(model) == model for model in gpus.models())
    assert all(part in gpus.parts_named(part.name) for part in gpus.parts())


@pytest.mark.parametrize(
    "name",
    [
        "",
        "GPU",
        "nvidia",
        "H1000",
        "A1000",
        "RTX 4090 Laptop GPU",
        "RTX 3080 Mobile",
        "A100X",
        "L40G",
        "AMD H100",
        "NVIDIA MI300X",
        "GTX 6000",
        "T4-4Q",
        "vGPU8",
        "Tesla",
        "80GB",
        "RTX",
        "MI308X",
        "🦊",
        "nvidia-",
    ],
)
def test_a_neighbour_or_a_riddle_is_never_taken_for_a_known_model(name: str) -> None:
    assert gpus.normalize(name) is None
    assert gpus.parts_named(name) == ()
    assert gpus.default_part(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "tpu-v4-8",
        "TPU v5e",
        "v5litepod-4",
        "Gaudi HL-205",
        "GAUDI2",
        "Inferentia",
        "Trainium2",
        "Qualcomm AI100",
        "Virtex UltraScale (VU9P)",
        "Intel FPGA",
        "ct5lp",
        "Ascend 910B",
    ],
)
def test_other_accelerators_are_known_as_such(name: str) -> None:
    assert gpus.is_other_accelerator(name)
    assert gpus.normalize(name) is None


def test_spelling_keys_are_not_shared_by_models() -> None:
    keys = Counter(gpus._spelled(model).key for model in gpus.models())
    assert [key for key, count in keys.items() if count > 1] == []


@given(st.sampled_from(PAIRS), st.sampled_from(["_", "-", " ", " / ", "  "]), st.booleans())
def test_case_and_punctuation_do_not_matter(pair: tuple[str, str], gap: str, loud: bool) -> None:
    name, model = pair
    changed = re.sub(r"[-_ ]+", gap, name.upper() if loud else name.lower())
    assert gpus.normalize(changed) == model


@given(st.text(max_size=40))
def test_any_text_is_a_known_model_or_none(text: str) -> None:
    assert gpus.normalize(text) in {None, *gpus.models()}
    assert set(gpus.near(text)) <= gpus.models()
    assert gpus.is_other_accelerator(text) in (True, False)


# --- the table -----------------------------------------------------------------------------------


def test_every_part_has_a_key_of_its_own_and_a_source() -> None:
    parts = gpus.parts()
    assert len({part.sku for part in parts}) == len(parts)
    assert all(part.source and part.name and part.model for part in parts)
    assert all(part.sku.startswith(f"{part.vendor.lower()}-") for part in parts)
    assert all(part.model.startswith(f"{part.vendor.lower()}-") for part in parts)


def test_words_of_the_table_are_the_declared_ones() -> None:
    parts = [part for part in gpus.parts() if part.vendor != "Alibaba"]
    assert {part.architecture for part in parts} == set(gpus.ARCHITECTURES)
    assert {part.tier for part in parts} == set(gpus.TIERS)


# An A10G's datasheet rates it above 2 x cores x clock; CDNA3, CDNA4 and RDNA3 count two operations a lane.
DOUBLE = {"cdna3", "cdna4", "rdna3"}


def test_fp32_is_two_operations_a_core_and_clock() -> None:
    rated = [
        p for p in gpus.parts() if p.cores and p.clock_mhz and p.fp32_tflops and p.model != "nvidia-a10g"
    ]
    assert len(rated) > 90
    for part in rated:
        assert part.cores is not None
        assert part.clock_mhz is not None
        assert part.fp32_tflops is not None
        lanes = 2 if part.architecture in DOUBLE else 1
        assert 2 * lanes * part.cores * part.clock_mhz / 1e6 == pytest.approx(part.fp32_tflops, rel=0.05), (
            part.sku
        )


def test_only_nvidia_has_a_compute_capability_and_ada_has_8_9() -> None:
    for part in gpus.parts():
        assert (part.compute_capability is not None) == (part.vendor == "NVIDIA")
        if part.architecture == "ada-lovelace":
            assert part.compute_capability == 8.9


def test_only_mig_architectures_have_instances() -> None:
    for part in gpus.parts():
        assert not part.mig_max_instances or (part.compute_capability or 0) in (8.0, 9.0, 10.0, 10.3, 12.0)


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("nvidia-h100", "premium"),
        ("nvidia-a100", "premium"),
        ("nvidia-rtx-4080", "standard"),
        ("nvidia-rtx-3080", "standard"),
        ("nvidia-rtx-4090", "gaming"),
        ("nvidia-rtx-3090", "gaming"),
        ("nvidia-t4", "inference"),
    ],
)
def test_the_reference_s_tiers_hold_for_all_parts(model: str, tier: str) -> None:
    assert gpus.agreed(gpus.parts_of(model), "tier") == tier


# --- parts and facts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "skus"),
    [
        ("NVIDIA H100 80GB HBM3", ["nvidia-h100-sxm5-80gb", "nvidia-h100-pcie-80gb"]),
        ("H100 NVL", ["nvidia-h100-nvl-94gb"]),
        ("Tesla V100-SXM2-16GB", ["nvidia-v100-sxm2-16gb"]),
        ("V100S-PCIE-32GB", ["nvidia-v100s-pcie-32gb"]),
        ("V100M16", ["nvidia-v100-sxm2-16gb", "nvidia-v100-pcie-16gb"]),
        ("A100 PCIe", ["nvidia-a100-pcie-40gb", "nvidia-a100-pcie-80gb"]),
        ("RTX 4080 SUPER", ["nvidia-rtx-4080-super-16gb"]),
        ("NVIDIA GH200 480GB", ["nvidia-gh200-96gb"]),
        ("L4 PCIe", ["nvidia-l4-24gb"]),
        ("RTX 4090 48GB", []),
    ],
)
def test_a_spelling_narrows_the_parts(name: str, skus: list[str]) -> None:
    assert [part.sku for part in gpus.parts_named(name)] == skus


@pytest.mark.parametrize(
    ("name", "memory_gib"),
    [("A100-80GB", 80), ("A100", None), ("H100-SXM", 80), ("RTX4090", 24), ("RTX 4090 48GB", None)],
)
def test_a_default_part_needs_one_memory_size(name: str, memory_gib: int | None) -> None:
    part = gpus.default_part(name)
    assert (part and part.memory_mib) == (memory_gib and memory_gib * 1024)


@pytest.mark.parametrize(
    ("model", "reported", "nominal"),
    [
        ("nvidia-h100", 81559, 81920),
        ("nvidia-h100", 95830, 94 * 1024),
        ("nvidia-t4", 15360, 16384),
        ("nvidia-t4", 16384, 16384),
        ("nvidia-a10g", 22888, 24576),
        ("nvidia-l40s", 45776, 49152),
        ("nvidia-b200", 192 * 1024, 180 * 1024),
        ("nvidia-rtx-4090", 49140, 49140),
        ("nvidia-a100", 60000, 60000),
        ("amd-unheard-of", 12345, 12345),
        ("alibaba-g1", 12345, 12345),
    ],
)
def test_a_reported_size_snaps_to_a_part_s_nominal_one(model: str, reported: int, nominal: int) -> None:
    assert gpus.nominal_memory_mib(model, reported) == nominal


@pytest.mark.parametrize("part", gpus.parts(), ids=lambda part: part.sku)
def test_every_part_is_recognised_by_its_own_figures(part: gpus.GpuPart) -> None:
    memory = part.observed_memory_mib or part.memory_mib
    stated = gpus.parts_fitting(
        part.model,
        memory_mib=memory,
        cores=part.cores,
        clock_mhz=part.clock_mhz,
        fp32_tflops=part.fp32_tflops,
        power_w=part.tdp_w,
        interconnect=gpus.interconnect_class(part, 8),
    )
    assert part in stated
    assert gpus.agreed(stated, "memory_mib") == part.memory_mib


def test_a_fact_is_filled_only_where_all_fitting_parts_agree() -> None:
    any_a100 = gpus.parts_fitting("nvidia-a100")
    assert gpus.agreed(any_a100, "memory_mib") is None
    assert gpus.agreed(any_a100, "fp16_dense_tflops") == 312
    assert gpus.agreed(any_a100, "tdp_w") is None
    with_80 = gpus.parts_fitting("nvidia-a100", memory_mib=81920, power_w=400)
    assert [part.sku for part in with_80] == ["nvidia-a100-sxm4-80gb"]
    assert gpus.parts_fitting("nvidia-a100", memory_mib=60000) == ()
    assert gpus.agreed((), "tdp_w") is None


def test_the_lowest_rating_needs_every_rating() -> None:
    assert gpus.lowest(gpus.parts_of("nvidia-h100"), "fp16_dense_tflops") == 756.4
    assert gpus.lowest(gpus.parts_of("nvidia-rtx-3080"), "fp16_dense_tflops") is None
    assert gpus.lowest((), "fp16_dense_tflops") is None


@pytest.mark.parametrize(
    ("interconnect", "forms"),
    [
        ("nvswitch", {"SXM5"}),
        ("pcie", {"PCIe dual-slot"}),
        ("infinity-fabric", set()),
        ("infiniband", {"SXM5", "PCIe dual-slot"}),
    ],
)
def test_a_stated_interconnect_rules_parts_out(interconnect: str, forms: set[str]) -> None:
    assert {p.form_factor for p in gpus.parts_fitting("nvidia-h100", interconnect=interconnect)} == forms


def test_a_name_of_another_model_fits_no_part() -> None:
    assert gpus.parts_fitting("nvidia-h100", name="A100-80GB") == ()
    assert [p.sku for p in gpus.parts_fitting("nvidia-h100", name="H100 PCIe")] == ["nvidia-h100-pcie-80gb"]


@pytest.mark.parametrize(
    ("sku", "count", "expected"),
    [
        ("nvidia-h100-sxm5-80gb", 1, None),
        ("nvidia-h100-sxm5-80gb", 4, "nvlink"),
        ("nvidia-h100-sxm5-80gb", 8, "nvswitch"),
        ("nvidia-h100-sxm5-80gb", 9, None),
        ("nvidia-h100-pcie-80gb", 2, None),
        ("nvidia-a100-sxm4-80gb", 4, "nvlink"),
        ("nvidia-a100-sxm4-80gb", 8, "nvswitch"),
        ("nvidia-v100-sxm2-16gb", 8, "nvlink"),
        ("nvidia-v100-sxm2-16gb", 16, "nvswitch"),
        ("nvidia-p100-sxm2-16gb", 8, "nvlink"),
        ("nvidia-gb200-186gb", 4, "nvswitch"),
        ("nvidia-rtx-4090-24gb", 8, "pcie"),
        ("nvidia-rtx-4090-24gb", 1, None),
        ("nvidia-rtx-3090-24gb", 2, None),
        ("amd-mi300x-192gb", 8, "infinity-fabric"),
        ("alibaba-g1", 8, None),
    ],
)
def test_what_joins_the_gpus_of_a_node(sku: str, count: int, expected: str | None) -> None:
    part = next(part for part in gpus.parts() if part.sku == sku)
    assert gpus.interconnect_class(part, count) == expected


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("nvidia-h1000", "nvidia-h100"),
        ("H100 SXM", "nvidia-h100"),
        ("rtx-4090x", "nvidia-rtx-4090"),
        ("amd-mi300", "amd-mi300a"),
    ],
)
def test_near_names_come_best_first(name: str, first: str) -> None:
    found = gpus.near(name)
    assert found[0] == first
    assert len(found) == 3


def test_nothing_is_near_to_nonsense() -> None:
    assert gpus.near("qqqqqqqq") == ()
