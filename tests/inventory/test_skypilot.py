"""SkyPilot's catalogs: every trap on a few rows, and the real files as they are."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flare_core.errors import ErrorCode, FlareError, InventoryError
from flare_core.inventory import skypilot
from flare_core.inventory.build import combine
from flare_core.inventory.cells import RAGGED, Tally
from flare_core.inventory.gpuinfo import OTHER, SHARE, read_gpu
from flare_core.inventory.prices import settle
from flare_core.inventory.skypilot import parse_skypilot, read_skypilot
from flare_core.inventory.types import Inventory

HEADER = ",".join(
    [
        *("InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB", "GpuInfo"),
        *("Price", "SpotPrice", "Region", "AvailabilityZone"),
    ]
)
A100 = "\"{'Gpus': [{'Name': 'A100', 'MemoryInfo': {'SizeInMiB': 40960}}], 'TotalGpuMemoryInMiB': 327680}\""


def catalog(*rows: str, provider: str = "aws", header: str = HEADER) -> tuple[Inventory, Tally]:
    """Read rows as the catalog of a provider, at 1 EUR a dollar."""
    offers, tally = parse_skypilot("\n".join([header, *rows]), f"/data/{provider}/vms.csv", usd_eur="1")
    assert tally.rows == tally.used + sum(tally.skipped.values())
    assert tally.offers == len(offers.ids)
    return combine(settle([offers])), tally


def says(inventory: Inventory, offer: str, *columns: str) -> list[object]:
    row = inventory.row(offer)
    return [inventory.value(column, row) for column in columns]


def test_a_row_is_one_elastic_machine_billed_whole() -> None:
    found, _ = catalog(f"p4d.24xlarge,A100,8.0,96.0,1152.0,{A100},32.7726,9.83,us-east-1,use1-az2")
    assert found.ids == ("aws/us-east-1/use1-az2/p4d.24xlarge",)
    assert says(found, found.ids[0], "provider", "region", "zone", "nodes", "billing") == [
        *("aws", "us-east-1", "use1-az2", None, "node")
    ]
    assert says(found, found.ids[0], "hourly_ueur", "spot_ueur", "cpu_milli", "memory_mib") == [
        *(32_772_600, 9_830_000, 96_000, 1152 * 1024)
    ]
    assert says(found, found.ids[0], "gpu_model", "gpu_count", "gpu_memory_mib") == ["nvidia-a100", 8, 40960]


@pytest.mark.parametrize(
    ("price", "rate", "ueur"),
    [
        ("0.1", "0.92", 92_000),
        ("0.1", 0.92, 92_000),
        ("3.2000000000999997", "0.92", 2_944_001),  # up, and no binary float on the way
        ("0.000001", "0.92", 1),
        ("1e-05", "1", 10),
        ("10", "0.9199999999999999999999", 9_200_000),
    ],
)
def test_prices_are_exact_and_rounded_up(price: str, rate: object, ueur: int) -> None:
    text = f"{HEADER}\nm5.large,,,2,8,,{price},,us-east-1,"
    offers, _ = parse_skypilot(text, "aws/vms.csv", usd_eur=rate)
    assert list(offers.columns["hourly_ueur"]) == [ueur]  # type: ignore[arg-type]  # a column of any kind


@pytest.mark.parametrize("rate", [None, "0", "-1", "x", "NaN", "inf", True, "1 EUR"])
def test_the_rate_must_be_given_and_make_sense(rate: object) -> None:
    with pytest.raises(FlareError, match="usd_eur") as caught:
        parse_skypilot(f"{HEADER}\nm5.large,,,2,8,,1,,us-east-1,", "aws/vms.csv", usd_eur=rate)
    assert caught.value.code is ErrorCode.INVALID_FORMAT
    assert caught.value.path == "usd_eur"


def test_columns_may_stand_anywhere_be_missing_and_end_in_crlf() -> None:
    header = "Price,Region,InstanceType,GpuInfo,AcceleratorName,AcceleratorCount,UpstreamCloudId"
    text = f'\ufeff{header}\r\n2.49,"Hafnarfjarðarkaupstaður, IS, EU",1x-H100_SXM-32-65536,,H100,1,x\r\n'
    offers, _ = parse_skypilot(text.removeprefix("\ufeff"), "vast/vms.csv", usd_eur="1")
    found = combine(settle([offers]))
    assert found.ids == ("vast/Hafnarfjarðarkaupstaður, IS, EU/1x-H100_SXM-32-65536",)
    assert says(found, found.ids[0], "cpu_milli", "memory_mib", "spot_ueur", "zone") == [None] * 4
    assert says(found, found.ids[0], "country", "power_w") == ["IS", 700.0]


def test_a_file_may_begin_with_a_byte_order_mark_and_be_named_by_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "lambda"
    folder.mkdir()
    (folder / "vms.csv").write_bytes(
        b"\xef\xbb\xbf" + f"{HEADER}\r\ngpu_1x_a10,A10,1,30,200,,0.75,,us-west-1,\r\n".encode()
    )
    offers = read_skypilot(folder, usd_eur="0.92")
    assert list(offers.ids) == ["lambda/us-west-1/gpu_1x_a10"]
    assert (
        read_skypilot(folder / "vms.csv", usd_eur="0.92", provider="my-cloud").ids[0].startswith("my-cloud/")
    )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", "InstanceType"),
        (b"a,a\n1,2\n", "different column names"),
        (b"InstanceType,Price\nx,1\n", "AcceleratorName"),
        (f"{HEADER}\n{'x' * 200_000},,,,,,1,,r,\n".encode(), "no CSV"),
    ],
    ids=["no UTF-8", "empty", "header twice", "column missing", "endless cell"],
)
def test_what_is_no_catalog_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "vms.csv"
    path.write_bytes(content)
    with pytest.raises(InventoryError, match=what):
        read_skypilot(path, usd_eur="1")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="cannot be read"):
        read_skypilot(tmp_path / "absent.csv", usd_eur="1")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,,,2,8,,,,us-east-1,", skypilot.NO_PRICE),
        ("x,,,2,8,,,0.00,us-east-1,", skypilot.NO_PRICE),
        ("x,,,2,8,,1,,,", skypilot.NO_REGION),
        (",,,2,8,,1,,us-east-1,", skypilot.NO_NAME),
        (",A100,8,2,8,,1,,us-east-1,", skypilot.NO_NAME),
        ("x,Inferentia,1,2,8,,1,,us-east-1,", OTHER),
        ("x,Virtex UltraScale (VU9P),1,2,8,,1,,us-east-1,", OTHER),
        ("x,A100,0.5,2,8,,1,,us-east-1,", SHARE),
        ("x,A100,,2,8,,1,,us-east-1,", skypilot.NO_COUNT),
        ("x,,1,2,8,,1,,us-east-1,", skypilot.NO_COUNT),
        ("x,,,2,8,,1", RAGGED),
        ("x,,,2,8,,free,,us-east-1,", "Price: found 'free', expected a price in USD"),
        ("x,,,2,8,,-1,,us-east-1,", "Price: found '-1', expected a price in USD"),
        ("x,,,2,8,,1,nan,us-east-1,", "SpotPrice: found 'nan', expected a price in USD"),
        ("x,,,2,8,,1e99,,us-east-1,", "Price: found '1E+99', expected at most"),
        ("x,,,two,8,,1,,us-east-1,", "vCPUs: found 'two', expected"),
        ("x,,,2,lots,,1,,us-east-1,", "MemoryGiB: found 'lots', expected"),
        ("x,A100,many,2,8,,1,,us-east-1,", "AcceleratorCount: found 'many', expected"),
        ("x,A100,5000,2,8,,1,,us-east-1,", "AcceleratorCount: found '5000', expected"),
        ("x,H1000,1,2,8,,1,,us-east-1,", "AcceleratorName: found 'H1000', expected a known GPU; near it: "),
        ("x\u0007y,,,2,8,,1,,us-east-1,", "InstanceType: found"),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_skipped(row: str, reason: str) -> None:
    found, tally = catalog("good,,,2,8,,1,,us-east-1,", row)
    assert found.ids == ("aws/us-east-1/good",)
    assert [text for text in tally.skipped if text.startswith(reason)]
    (warning,) = found.warnings
    assert warning.startswith(f"aws/vms.csv:3: skipped: {reason}")


def test_equal_reasons_are_told_once() -> None:
    found, tally = catalog("good,,,2,8,,1,,r,", "a,,,2,8,,,,r,", "b,,,2,8,,,,r,")
    assert tally.skipped == {"no price": 2}
    assert found.warnings == ("aws/vms.csv: 2 rows skipped: no price (first: aws/vms.csv:3)",)


def test_an_offer_may_have_a_spot_price_alone_and_a_spot_price_of_zero_is_none() -> None:
    found, _ = catalog("a,,,2,8,,,0.5,r,", "b,,,2,8,,2,0.00,r,")
    assert says(found, "aws/r/a", "hourly_ueur", "spot_ueur", "price_flag") == [None, 500_000, None]
    assert says(found, "aws/r/b", "hourly_ueur", "spot_ueur", "price_flag") == [2_000_000, None, None]


def test_a_count_of_zero_is_a_machine_without_gpus() -> None:
    found, _ = catalog("cpu-d3,,0,4,16,,0.0992,,eu-north1,", provider="nebius")
    assert says(found, found.ids[0], "gpu_count", "gpu_model") == [0, None]


def test_the_same_row_twice_is_one_offer_and_two_prices_are_two() -> None:
    found, _ = catalog("a,,,2,8,,1.0,,r,", "a,,,2,8,,1.0,,r,", "b,,,2,8,,0.676,,r,", "b,,,2,8,,0.602,,r,")
    assert found.ids == ("aws/r/a", "aws/r/b@0.602", "aws/r/b@0.676")
    assert "1 machines are listed more than once at different terms, kept all: aws/r/b" in found.warnings


def test_a_bid_floor_is_no_price() -> None:
    header = "InstanceType,AcceleratorName,AcceleratorCount,Price,SpotPrice,Region"
    rows = ("h100.8x,H100,8,8.0,8.0,us-central2-a", "h100.1x,H100,1,3.5,1.0,us-central2-a", "cpu,,,1.0,,us")
    found, _ = catalog(*rows, provider="mithril", header=header)
    assert says(found, "mithril/us-central2-a/h100.8x", "price_flag") == [skypilot.BID_FLOOR]
    assert says(found, "mithril/us-central2-a/h100.1x", "price_flag") == [None]
    assert says(found, "mithril/us/cpu", "price_flag") == [None]


def test_azure_counts_are_those_of_its_documentation() -> None:
    found, tally = catalog(
        "Standard_NV6ads_A10_v5,A10,1,6.0,55,A10,0.454,0.1135,eastus,",
        "Standard_NV36ads_A10_v5,A10,1,36.0,440,A10,3.2,0.8,eastus,",
        "Standard_ND96isr_H100_v5,H100,12,96.0,1900,H100,117.984,29.496,eastus,",
        provider="azure",
    )
    assert tally.skipped == {SHARE: 1}
    assert says(found, "azure/eastus/Standard_NV36ads_A10_v5", "gpu_count") == [1]
    assert says(found, "azure/eastus/Standard_ND96isr_H100_v5", "gpu_count") == [8]


def test_clouds_that_list_in_eur_leave_a_doubt() -> None:
    found, _ = catalog("RENDER-S,P100,1,10,42,,1.2426,,fr-par,fr-par-1", provider="scaleway")
    assert any("scaleway lists in EUR" in warning for warning in found.warnings)


# --- GpuInfo -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "count", "info", "memory_gib"),
    [
        (["H100"], 8, "{'Gpus': [{'MemoryInfo': {'SizeInMiB': 81559}}], 'TotalGpuMemoryInMiB': 652472}", 80),
        (["A100-80G-PCIe"], 1, "{'Gpus': [{'Name': 'x', 'Manufacturer': null, 'SizeInMiB': 81920}]}", 80),
        (["B300"], 2, '{"Gpus": [{"SizeInMiB": 268800}], "TotalGpuMemoryInMiB": 537600}', 270),
        (["H100"], 8, "{'gpus': [{'memoryinfo': {'sizeinmib': 81559}}], 'totalgpumemoryinmib': 81559}", 80),
        (["A100"], 16, "{'Gpus': [{'MemoryInfo': {'SizeInMiB': 40960}}]}", 40),
        (["B200"], 8, "{'Gpus': [{'SizeInMiB': 183296}, 'TotalGpuMemoryInMiB': 1466368}]}", 180),
        (["V100"], 8, "{'Gpus': [{'SizeInMiB': 16384}], 'TotalGpuMemoryInMiB': 16384}", 16),
        (["L4"], 4, "{'Gpus': [{'SizeInMiB': 91553}], 'TotalGpuMemoryInMiB': 366212}", 24),
        (["H200"], 8, "{'Gpus': [{'SizeInMiB': 1150168}], 'TotalGpuMemoryInMiB': 1150168}", 141),
        (["A100_SXM4", "A100"], 2, "{'Gpus': [{'SizeInMiB': 81920}], 'TotalGpuMemoryInMiB': 81920}", 40),
        (["A100"], 2, "{'Gpus': [{'SizeInMiB': 81920}], 'TotalGpuMemoryInMiB': 163840}", 80),
        (["A100-80GB"], 2, "{'Gpus': [{'SizeInMiB': 81920}], 'TotalGpuMemoryInMiB': 81920}", 80),
        (["A100-80GB"], 4, "A100-80GB", 80),
        (
            ["V100-32GB"],
            4,
            "{'Gpus': [{'Name': 'V100', 'SizeInMiB': 32510}], 'TotalGpuMemoryInMiB': 32510}",
            32,
        ),
        (["H100"], 8, "{'Gpus': [{'SizeInMiB': 0}], 'TotalGpuMemoryInMiB': 652472}", 80),
        (["RTX PRO 6000 96GB"], 1, "{'Gpus': [{'SizeInMiB': 0}], 'TotalGpuMemoryInMiB': 0}", None),
        (["A100"], 1, "A100", None),
        (["A100"], 1, "", None),
        (["A100"], 1, "{'Gpus': [{'SizeInMiB': 1.2.3}]}", None),
        (["A100"], 1, "__import__('os').system('false')", None),
    ],
)
def test_gpu_texts_tell_the_memory_of_one_gpu(
    names: list[str], count: int, info: str, memory_gib: int | None
) -> None:
    gpu = read_gpu(tuple(names), count, info)
    assert gpu is not None
    assert gpu.memory_mib == (None if memory_gib is None else memory_gib * 1024)


def test_a_size_that_no_part_has_is_believed_where_nothing_speaks_against_it() -> None:
    """A 4090 with 48 GiB is sold; a size of two such cards that may be one's or both's stays open."""
    one, two = (
        read_gpu(("RTX4090",), n, "{'SizeInMiB': 49140, 'TotalGpuMemoryInMiB': 49140}") for n in (1, 3)
    )
    assert one is not None
    assert two is not None
    assert (one.memory_mib, two.memory_mib) == (49140, None)


def test_the_name_in_gpuinfo_narrows_the_part_and_stands_in_for_a_missing_one() -> None:
    pcie = read_gpu(("H100",), 1, "{'Name': 'NVIDIA H100 PCIe', 'SizeInMiB': 81559}")
    assert pcie is not None
    assert pcie.tdp_w == 350
    assert read_gpu(("mystery",), 1, "{'Name': 'L40S'}") == read_gpu(("L40S",), 1, "")
    assert read_gpu(("mystery",), 1, "{'Name': 'riddle'}") is None


def test_vast_names_the_card_in_its_machine_type() -> None:
    found, _ = catalog(
        '2x-RTX_4070S_Ti-32-65536,RTX4070,2,32,64.0,,0.36,0.00,"Bulgaria, BG, EU",', provider="vast"
    )
    assert says(found, found.ids[0], "gpu_model", "country") == ["nvidia-rtx-4070-ti-super", "BG"]


# --- Google --------------------------------------------------------------------------------------


def host(name: str, cpu: int, memory: float, zone: str = "us-central1-a", price: str = "1") -> str:
    return f"{name},,,{cpu},{memory},,{price},0.5,{zone[:-2]},{zone}"


def cards(name: str, count: int, zone: str = "us-central1-a", price: str = "10", spot: str = "3") -> str:
    info = "{'Gpus': [{'MemoryInfo': {'SizeInMiB': 16384}}]}"
    return f",{name},{count}.0,,,{info},{price},{spot},{zone[:-2]},{zone}"


def test_a_google_offer_is_its_host_and_its_gpus() -> None:
    found, _ = catalog(host("n1-standard-8", 8, 30), cards("T4", 2), provider="gcp")
    whole = "gcp/us-central1/us-central1-a/n1-standard-8+2xT4"
    assert found.ids == ("gcp/us-central1/us-central1-a/n1-standard-8", whole)
    assert says(found, whole, "hourly_ueur", "spot_ueur", "cpu_milli", "memory_mib", "gpu_count") == [
        *(11_000_000, 3_500_000, 8000, 30 * 1024, 2)
    ]
    assert says(found, found.ids[0], "gpu_count", "hourly_ueur") == [0, 1_000_000]


def test_sums_are_rounded_once() -> None:
    """Two prices of half a micro-euro are one micro-euro together."""
    rows = (host("n1-standard-8", 8, 30, price="0.0000005"), cards("T4", 1, price="0.0000005"))
    found, _ = catalog(*rows, provider="gcp")
    assert says(found, "gcp/us-central1/us-central1-a/n1-standard-8+1xT4", "hourly_ueur") == [1]


def test_spot_of_a_google_offer_needs_both_spot_prices() -> None:
    found, _ = catalog(host("n1-standard-8", 8, 30), cards("T4", 1, spot=""), provider="gcp")
    assert says(found, "gcp/us-central1/us-central1-a/n1-standard-8+1xT4", "spot_ueur") == [None]


@pytest.mark.parametrize(
    ("machine", "cpu", "memory", "card", "count"),
    [
        *[(f"a2-highgpu-{n}g", 12 * n, 85 * n, "A100", n) for n in (1, 2, 4, 8)],
        ("a2-megagpu-16g", 96, 1360, "A100", 16),
        *[(f"a2-ultragpu-{n}g", 12 * n, 170 * n, "A100-80GB", n) for n in (1, 2, 4, 8)],
        ("a3-highgpu-8g", 208, 1872, "H100", 8),
        *[
            (f"g2-standard-{cpu}", cpu, 4 * cpu, "L4", n)
            for cpu, n in ((4, 1), (8, 1), (12, 1), (16, 1), (24, 2), (32, 1), (48, 4), (96, 8))
        ],
    ],
)
def test_machines_with_built_in_gpus_are_sold_with_exactly_those(
    machine: str, cpu: int, memory: int, card: str, count: int
) -> None:
    others = [cards(card, n) for n in (1, 2, 4, 8, 16) if n != count]
    rows = [host(machine, cpu, memory), cards(card, count), *others, cards("T4", count)]
    found, _ = catalog(host("e2-small", 2, 2), *rows, provider="gcp")
    whole = f"gcp/us-central1/us-central1-a/{machine}"
    assert set(found.ids) == {"gcp/us-central1/us-central1-a/e2-small", whole}
    assert says(found, whole, "gpu_count") == [count]


@pytest.mark.parametrize(
    ("card", "count", "zone", "largest"),
    [
        ("T4", 1, "us-central1-a", 32),
        ("T4", 4, "us-central1-a", 96),
        ("P4", 1, "us-central1-a", 16),
        ("V100", 1, "us-central1-a", 8),
        ("V100", 8, "us-central1-a", 96),
        ("P100", 4, "us-central1-a", 96),
        ("P100", 4, "europe-west1-b", 32),
        ("K80", 1, "us-central1-a", 8),
        ("K80", 8, "asia-east1-a", 32),
        ("P4", 8, "us-central1-a", 0),
        ("L4", 1, "us-central1-a", 0),
    ],
)
def test_n1_hosts_must_not_be_too_large_for_their_gpus(
    card: str, count: int, zone: str, largest: int
) -> None:
    """The edge by memory: 6.5 GiB a vCPU of n1-highmem, which binds as the vCPUs do or sooner."""
    sizes = (2, 4, 8, 16, 32, 64, 96)
    hosts = [host(f"n1-highmem-{cpu}", cpu, 6.5 * cpu, zone) for cpu in sizes]
    found, _ = catalog(*hosts, cards(card, count, zone), provider="gcp")
    paired = {int(name.split("-")[-1].split("+")[0]) for name in found.ids if "+" in name}
    assert paired == {cpu for cpu in sizes if cpu <= largest}


def test_what_google_does_not_sell_is_no_offer() -> None:
    found, tally = catalog(
        host("n1-standard-8", 8, 30),
        host("n1-highcpu-8", 8, 7.2),
        host("a3-megagpu-8g", 208, 1872),
        host("n1-340-48-tpu", 48, 340),
        cards("T4", 1, "us-east1-b"),
        cards("T4", 1),
        cards("tpu-v3-8", 1),
        provider="gcp",
    )
    at = "gcp/us-central1/us-central1-a"
    assert found.ids == (f"{at}/n1-highcpu-8", f"{at}/n1-standard-8", f"{at}/n1-standard-8+1xT4")
    assert tally.skipped == {skypilot.NO_GPUS: 2, skypilot.NO_HOST: 1, OTHER: 1}


# --- order, and the real files -------------------------------------------------------------------


def described(inventory: Inventory) -> list[list[object]]:
    columns = [*inventory.whole, *inventory.number, *inventory.flag, *inventory.label]
    return [[name, *(inventory.value(c, row) for c in columns)] for row, name in enumerate(inventory.ids)]


MIXED = (
    host("n1-standard-8", 8, 30),
    host("n1-standard-8", 8, 30, price="1.5"),
    cards("T4", 1),
    cards("T4", 2),
    host("g2-standard-4", 4, 16),
    cards("L4", 1),
    "x,,,2,8,,1,,r,",
    "x,,,2,8,,1,,r,",
    "x,,,2,9,,1,,r,",
    "x,,,2,8,,1,0.4,r,",
    "y,,,2,8,,,0.4,r,",
    "y,,,2,8,,,0.3,r,",
)


def test_the_order_of_rows_does_not_matter() -> None:
    expected = described(catalog(*MIXED, provider="gcp")[0])
    assert [row[0] for row in expected if "@" in str(row[0]) and "/r/" in str(row[0])] == [
        *("gcp/r/x@1", "gcp/r/x@1#2", "gcp/r/x@1#3", "gcp/r/y@spot", "gcp/r/y@spot#2")
    ]
    shuffled = random.Random(1)
    for _ in range(50):
        rows = shuffled.sample(MIXED, len(MIXED))
        assert described(catalog(*rows, provider="gcp")[0]) == expected


REAL: dict[str, tuple[int, int, int]] = {
    # Rows of the file, rows that are (part of) an offer, offers.
    "skypilot-v5-2024-06/aws": (32357, 31926, 31926),
    "skypilot-v5-2024-06/azure": (6829, 6724, 6724),
    "skypilot-v5-2024-06/fluidstack": (25, 25, 25),
    "skypilot-v5-2024-06/gcp": (16580, 16281, 19020),
    "skypilot-v5-2024-06/ibm": (54, 54, 54),
    "skypilot-v5-2024-06/lambda": (182, 182, 182),
    "skypilot-v5-2024-06/oci": (1025, 1025, 1025),
    "skypilot-v5-2024-06/ovhcloud": (42, 42, 42),
    "skypilot-v5-2024-06/paperspace": (15, 15, 15),
    "skypilot-v5-2024-06/runpod": (480, 480, 480),
    "skypilot-v5-2024-06/scaleway": (5, 5, 5),
    "skypilot-v5-2024-06/scp": (443, 443, 443),
    "skypilot-v6/do": (38, 38, 38),
    "skypilot-v8/hyperstack": (25, 25, 25),
    "skypilot-v8/lambda": (408, 408, 408),
    "skypilot-v8/lium": (40, 40, 40),
    "skypilot-v8/mithril": (4, 4, 4),
    "skypilot-v8/nebius": (61, 61, 61),
    "skypilot-v8/seeweb": (75, 59, 59),
    "skypilot-v8/vast": (67, 67, 67),
    "skypilot-v8/verda": (33, 33, 33),
}
SKIPPED: dict[str, dict[str, int]] = {
    "skypilot-v5-2024-06/aws": {OTHER: 372, skypilot.NO_PRICE: 59},
    "skypilot-v5-2024-06/azure": {SHARE: 42, skypilot.NO_PRICE: 63},
    "skypilot-v5-2024-06/gcp": {OTHER: 102, skypilot.NO_GPUS: 185, skypilot.NO_HOST: 12},
    "skypilot-v8/seeweb": {skypilot.NO_REGION: 16},
}


def real_catalogs(shared: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted((shared / "data" / "gpu-offers").glob("skypilot-*/*/vms.csv")):
        yield f"{path.parts[-3]}/{path.parts[-2]}", path


@pytest.mark.data
def test_every_row_of_the_real_catalogs_is_an_offer_or_told(shared: Path) -> None:
    found, skipped = {}, {}
    for name, path in real_catalogs(shared):
        text = path.read_text(encoding="utf-8-sig")
        _, tally = parse_skypilot(text, str(path), usd_eur="0.92")
        found[name] = (tally.rows, tally.used, tally.offers)
        assert tally.rows == tally.used + sum(tally.skipped.values())
        if tally.skipped:
            skipped[name] = dict(tally.skipped)
    assert found == REAL
    assert skipped == SKIPPED


@pytest.fixture(scope="module")
def market(shared: Path) -> Inventory:
    """All the real catalogs at once."""
    return combine(settle([read_skypilot(path, usd_eur="0.92") for _, path in real_catalogs(shared)]))


@pytest.mark.data
def test_the_real_catalogs_make_one_inventory(market: Inventory) -> None:
    gpus = market.whole["gpu_count"] > 0
    assert (len(market), int(gpus.sum()), len(market.label["provider"].values)) == (60676, 6972, 20)
    assert not (market.label["gpu_model"].codes[gpus] < 0).any()
    assert not (market.whole["gpu_memory_mib"][~gpus] >= 0).any()


@pytest.mark.data
def test_only_the_known_mistakes_of_the_real_catalogs_are_flagged(market: Inventory) -> None:
    flags = market.label["price_flag"]
    assert {name: flags[row] for row, name in enumerate(market.ids) if flags[row] is not None} == {
        **{
            f"azure/{place}/{machine}": "zero price"
            for machine, *places in (
                ("Standard_NC40ads_H100_v5", "eastus", "southcentralus"),
                ("Standard_NC80adis_H100_v5", "eastus", "southcentralus"),
                ("Standard_ND48s_H100_v5", "northcentralus"),
            )
            for place in places
        },
        "mithril/us-central2-a/h100-80gb.sxm.1x": skypilot.BID_FLOOR,
        "mithril/us-central2-a/h100-80gb.sxm.8x": skypilot.BID_FLOOR,
        "mithril/us-central2-b/ccs-h200.sxm.1x": skypilot.BID_FLOOR,
        "mithril/us-central2-b/ccs-h200.sxm.8x": skypilot.BID_FLOOR,
    }


@pytest.mark.data
@pytest.mark.parametrize(
    ("offer", "usd", "gpus", "memory_gib"),
    [
        ("gcp/us-central1/us-central1-a/a3-highgpu-8g", "88.2490", 8, 80),
        ("hyperstack/CANADA-1/n3-H100-SXM5x8", "19.2", 8, 80),
        ("lium/US/B200_8x", "52.0", 8, 180),
        ("vast/, US, NA/4x-H200-32-65536", "10.59", 4, 141),
        ("seeweb/it-fr2/ECS1GPU3", "0.99", 1, 80),
    ],
)
def test_offers_of_the_real_catalogs(
    market: Inventory, offer: str, usd: str, gpus: int, memory_gib: int
) -> None:
    hourly, count, memory = says(market, offer, "hourly_ueur", "gpu_count", "gpu_memory_mib")
    assert hourly == pytest.approx(float(usd) * 0.92e6, rel=0.005)
    assert (count, memory) == (gpus, memory_gib * 1024)


LOAD = """
import glob, sys, time
from flare_core.inventory.read import read_inventory
start = time.process_time()
found = read_inventory(*sorted(glob.glob(sys.argv[1])), usd_eur="0.92")
with open("/proc/self/status") as status:  # ru_maxrss would count the parent before exec, too
    peak_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(len(found), time.process_time() - start, peak_kib / 1024)
"""


@pytest.mark.data
def test_all_the_real_catalogs_load_within_three_seconds_and_300_mib(shared: Path) -> None:
    """In a fresh process, CPU time of reading and peak memory of all; 0.8 s and 115 MiB when written."""
    pattern = str(shared / "data" / "gpu-offers" / "skypilot-*" / "*" / "vms.csv")
    done = subprocess.run([sys.executable, "-c", LOAD, pattern], capture_output=True, text=True, check=True)
    offers, cpu_s, peak_mib = map(float, done.stdout.split())
    assert offers == 60676
    assert cpu_s <= 3
    assert peak_mib <= 300
