"""gpuhunt's catalogs and dstack's offers."""

import json
import random
from pathlib import Path

import pytest

from flare_core.errors import FlareError, InventoryError
from flare_core.inventory import gpuhunt
from flare_core.inventory.build import combine
from flare_core.inventory.cells import RAGGED, Tally
from flare_core.inventory.gpuhunt import is_offers, parse_gpuhunt, read_gpuhunt
from flare_core.inventory.gpuinfo import OTHER, SHARE
from flare_core.inventory.prices import settle
from flare_core.inventory.types import Inventory

HEADER = "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor"


def read(text: str, name: str = "aws.csv") -> tuple[Inventory, Tally]:
    offers, tally = parse_gpuhunt(text, name, usd_eur="1")
    assert tally.rows == tally.used + sum(tally.skipped.values())
    return combine(settle([offers])), tally


def catalog(*rows: str, name: str = "aws.csv", header: str = HEADER) -> tuple[Inventory, Tally]:
    return read("\n".join([header, *rows]), name)


def says(inventory: Inventory, offer: str, *columns: str) -> list[object]:
    return [inventory.value(column, inventory.row(offer)) for column in columns]


def test_spot_and_on_demand_of_a_machine_are_one_offer() -> None:
    found, tally = catalog(
        "p3.8xlarge,us-east-1,3.672,32,244.0,4,V100,16.0,True,,nvidia",
        "p3.8xlarge,us-east-1,12.24,32,244.0,4,V100,16.0,False,,nvidia",
        "m5.2xlarge,us-east-1,0.384,8,32.0,0,,,False,,",
    )
    assert found.ids == ("aws/us-east-1/m5.2xlarge", "aws/us-east-1/p3.8xlarge")
    assert (tally.rows, tally.used, tally.offers) == (3, 3, 2)
    assert says(found, "aws/us-east-1/p3.8xlarge", "hourly_ueur", "spot_ueur", "billing", "nodes") == [
        *(12_240_000, 3_672_000, "node", None)
    ]
    assert says(found, "aws/us-east-1/p3.8xlarge", "gpu_model", "gpu_count", "gpu_memory_mib") == [
        *("nvidia-v100", 4, 16384)
    ]
    assert says(found, "aws/us-east-1/m5.2xlarge", "cpu_milli", "memory_mib", "gpu_count") == [8000, 32768, 0]


def test_the_provider_is_that_of_the_row_or_of_the_file() -> None:
    header = f"{HEADER},provider"
    found, _ = catalog(
        "x,r,1,8,32,1,A10,24,False,,nvidia,", "x,r,1,8,32,1,A10,24,False,,nvidia,lambdalabs", header=header
    )
    assert found.ids == ("aws/r/x", "lambda/r/x")


def test_a_location_at_google_is_a_zone() -> None:
    found, _ = catalog("a2-highgpu-1g,us-central1-a,3.67,12,85,1,A100,40,False,,nvidia", name="gcp.csv")
    assert says(found, "gcp/us-central1/us-central1-a/a2-highgpu-1g", "region", "zone", "gpu_memory_mib") == [
        *("us-central1", "us-central1-a", 40960)
    ]


def test_the_disk_is_rounded_down_to_what_is_surely_there() -> None:
    found, _ = catalog("x,r,1,8,32,1,A10,24,False,100,nvidia", name="anybody.csv")
    assert says(found, "anybody/r/x", "storage_mib") == [100 * 10**9 // 2**20]


def test_a_machine_at_several_prices_pairs_the_cheapest_and_no_order_matters() -> None:
    rows = [
        f"x,r,{price},8,32,1,A10,24,{spot},,nvidia" for price, spot in ((2, False), (1, False), (0.4, True))
    ]
    expected = catalog(*rows)[0]
    assert expected.ids == ("aws/r/x@1", "aws/r/x@2")
    assert expected.whole["spot_ueur"].tolist() == [400_000, -1]
    for seed in range(10):
        shuffled = catalog(*random.Random(seed).sample(rows, 3))[0]
        assert (shuffled.ids, shuffled.whole["spot_ueur"].tolist()) == (expected.ids, [400_000, -1])


def test_a_spot_price_of_zero_is_none_and_a_price_of_zero_is_flagged() -> None:
    found, _ = catalog(
        "x,r,2,8,32,1,A10,24,False,,nvidia", "x,r,0,8,32,1,A10,24,True,,nvidia", "y,r,0,8,32,,,,False,,"
    )
    assert says(found, "aws/r/x", "spot_ueur", "price_flag") == [None, None]
    assert says(found, "aws/r/y", "price_flag") == ["zero price"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("v5e,r,1,8,32,1,v5litepod-1,16,False,,google", OTHER),
        ("x,r,1,8,32,1,Trainium,16,False,,", OTHER),
        ("x,r,1,8,32,0.5,A10,24,False,,nvidia", SHARE),
        ("Standard_NV6ads_A10_v5,r,1,8,32,1,A10,4,False,,nvidia", SHARE),
        ("x,r,1,8", RAGGED),
        ("x,r,,8,32,1,A10,24,False,,nvidia", "no price"),
        ("x,r,cheap,8,32,1,A10,24,False,,nvidia", "found 'cheap', expected a price"),
        ("x,r,1,8,32,1,A10,24,maybe,,nvidia", "spot: found 'maybe', expected true or false"),
        ("x,r,1,8,32,1,,24,False,,nvidia", "found \"1 × ''\", expected the name and the number"),
        ("x,r,1,8,32,0,A10,24,False,,nvidia", "found \"0 × 'A10'\", expected the name and the number"),
        ("x,r,1,8,32,9999,A10,24,False,,nvidia", "gpu_count: found '9999', expected 0 to 1024"),
        ("x,r,1,8,32,1,A1000000,24,False,,nvidia", "gpu_name: found 'A1000000', expected a known GPU"),
        ("x,r,1,few,32,1,A10,24,False,,nvidia", "cpu: found 'few'"),
        ("x,r,1,8,much,1,A10,24,False,,nvidia", "memory: found 'much'"),
        (",r,1,8,32,1,A10,24,False,,nvidia", "instance_name: found ''"),
        ("x,,1,8,32,1,A10,24,False,,nvidia", "location: found ''"),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_skipped(row: str, reason: str) -> None:
    found, tally = catalog("good,r,1,8,32,1,A10,24,False,,nvidia", row, name="azure.csv")
    assert found.ids == ("azure/r/good",)
    assert len(tally.skipped) == 1
    assert next(iter(tally.skipped)).startswith(reason)
    assert found.warnings[0].startswith(f"azure.csv:3: skipped: {reason}")


def dstack_offer(**changed: object) -> dict[str, object]:
    """Return an offer as ``dstack offer --json`` prints it."""
    card = {"name": "H100", "memory_mib": 81920, "vendor": "nvidia"}
    resources = {"cpus": 24, "memory_mib": 226304, "gpus": [card, dict(card)], "spot": False}
    return {
        "backend": "runpod",
        "region": "CA-MTL-3",
        "instance_type": "NVIDIA H100 80GB HBM3",
        "resources": {**resources, "disk": {"size_mib": 102400}, "cpu_arch": "x86", "description": ""},
        "spot": False,
        "price": 5.98,
        "availability": "available",
        **changed,
    }


def dstack(*offers: object) -> str:
    return json.dumps(
        {"project": "main", "user": "admin", "max_price": None, "offers": list(offers), "total_offers": 9}
    )


def test_dstack_offers_are_read() -> None:
    found, tally = read(dstack(dstack_offer(), dstack_offer(spot=True, price=2.88)), "offers.json")
    assert (tally.rows, tally.offers) == (2, 1)
    offer = "runpod/CA-MTL-3/NVIDIA H100 80GB HBM3"
    assert says(found, offer, "hourly_ueur", "spot_ueur", "cpu_milli", "memory_mib", "storage_mib") == [
        *(5_980_000, 2_880_000, 24_000, 226_304, None)
    ]
    assert says(found, offer, "gpu_model", "gpu_count", "gpu_memory_mib") == ["nvidia-h100", 2, 81920]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"availability": "no_quota"}, gpuhunt.ABSENT),
        ({"backend": "ssh", "price": 0.0}, gpuhunt.OWN),
        ({"resources": {"gpus": [{"name": "A10"}, {"name": "T4"}]}}, gpuhunt.MIXED),
        ({"resources": "many"}, "resources: found 'many', expected an object"),
        ({"resources": {"gpus": 3}}, "resources.gpus: found 3, expected a list of objects"),
        ({"price": True}, "price: found True, expected a number"),
        ({"price": None}, "no price"),
        ({"region": 5}, "location: found 5, expected a text"),
    ],
)
def test_dstack_offers_that_cannot_be_used_are_told_by_their_number(
    changed: dict[str, object], reason: str
) -> None:
    found, tally = read(dstack(dstack_offer(), dstack_offer(**changed)), "offers.json")
    assert tally.skipped == {reason: 1}
    assert found.warnings == (f"offers.json: offers.1: skipped: {reason}",)


def test_gpuhunt_items_may_come_as_json() -> None:
    item = {"instance_name": "x", "location": "r", "price": 1.1, "cpu": 8, "memory": 32.0, "gpu_count": 1}
    item |= {
        "gpu_name": "MI300X",
        "gpu_memory": 192.0,
        "spot": False,
        "provider": "hotaisle",
        "gpu_vendor": "amd",
    }
    found, _ = read(json.dumps([item]), "items.json")
    assert says(found, "hotaisle/r/x", "gpu_model", "hourly_ueur") == ["amd-mi300x", 1_100_000]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("instance_name,price\nx,1\n", "location"),
        ('{"offers": 3}', "a list of offers"),
        ('{"offers": [NaN]}', "not finite"),
        ("[[[", "JSON"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "offers"
    path.write_text(text)
    with pytest.raises(InventoryError, match=what):
        read_gpuhunt(path, usd_eur="0.92")


def test_the_exchange_rate_must_be_given() -> None:
    with pytest.raises(FlareError, match="usd_eur"):
        parse_gpuhunt(dstack(dstack_offer()), "offers.json", usd_eur=None)


def test_such_json_is_told_from_an_inventory_document() -> None:
    assert is_offers(json.loads(dstack(dstack_offer())))
    assert is_offers([{"instance_name": "x", "location": "r"}])
    assert not is_offers({"version": 1, "offers": [{"id": "a", "provider": "p"}]})
    assert not is_offers({"version": 1, "offers": []})
    assert not is_offers("text")
