"""``flare inventory``: what there is, and the same in another form."""

import re
from pathlib import Path

import pytest

import flare_core
from flare_core.inventory.demo import demo_inventory
from flare_core.inventory.write import to_document
from tests.cli.conftest import Flare
from tests.cli.worlds import federation, offer, service, written

HEADER = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice"


def catalog(folder: Path, provider: str, *rows: str) -> None:
    """Write a SkyPilot catalog of a provider."""
    (folder / provider).mkdir(parents=True)
    (folder / provider / "vms.csv").write_text("\n".join((HEADER, *rows)) + "\n")


def test_a_summary_counts_what_is_there(flare: Flare, tmp_path: Path) -> None:
    done = flare("inventory", written(tmp_path, "offers.json", federation()), "--json")
    assert done.status == 0
    summary = done.document
    assert summary["offers"] == 4
    assert summary["providers"] == {"north": 1, "south": 2, "west": 1}
    assert summary["regions"] == 4
    assert summary["models"] == [
        {
            "model": "nvidia-h100",
            "offers": 3,
            "providers": 2,
            "gpus_per_node": [4],
            "least_per_gpu": "2.50 EUR/hour",
            "most_per_gpu": "3.60 EUR/hour",
        },
        {
            "model": "nvidia-l4",
            "offers": 1,
            "providers": 1,
            "gpus_per_node": [2],
            "least_per_gpu": "3.00 EUR/hour",
            "most_per_gpu": "3.00 EUR/hour",
        },
    ]
    assert summary["unknown"]["performance.latency_ms"] == 0.25
    assert summary["unknown"]["price.spot_hourly"] == 0.75
    assert "price.hourly" not in summary["unknown"]
    assert "nodes" not in summary["unknown"]


def test_what_is_about_gpus_is_not_asked_of_offers_without(flare: Flare, tmp_path: Path) -> None:
    offers = [offer("a-b-c", "1 EUR/hour", "DE"), offer("d-e-f", "1 EUR/hour", "DE", gpu=None)]
    path = written(tmp_path, "offers.json", {"version": 1, "offers": offers})
    summary = flare("inventory", path, "--json").document
    assert summary["cpu_only"] == 1
    assert "gpu.memory" not in summary["unknown"]
    assert summary["unknown"]["gpu.links"] == 1.0


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "parquet"])
def test_a_converted_inventory_reads_back_as_the_same(flare: Flare, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    done = flare("inventory", "--convert", out)
    assert done.status == 0
    assert f"54 offers written to {out}" in done.err
    assert to_document(flare_core.read_inventory(out)) == to_document(demo_inventory())


def test_catalogs_are_found_below_a_directory_and_by_a_pattern(flare: Flare, tmp_path: Path) -> None:
    catalog(tmp_path / "all", "one", "big,H100,1,8,64,2.5,eu-1,,")
    catalog(tmp_path / "all", "two", "big,H100,1,8,64,3.5,eu-1,,", "small,L4,1,8,64,0.5,eu-1,,")
    for where in (tmp_path / "all", f"{tmp_path}/all/*/vms.csv"):
        summary = flare("inventory", where, "--usd-eur", "0.9", "--json").document
        assert summary["providers"] == {"one": 1, "two": 2}
        assert summary["models"][0]["least_per_gpu"] == "2.25 EUR/hour"


def test_prices_that_are_not_believed_are_listed(flare: Flare, tmp_path: Path) -> None:
    catalog(tmp_path, "one", "free,H100,1,8,64,0,eu-1,,", "big,H100,1,8,64,2.5,eu-1,,")
    done = flare("inventory", tmp_path, "--usd-eur", "1", "--flagged")
    assert len(done.out.splitlines()) == 1
    assert "zero price" in done.out
    summary = flare("inventory", tmp_path, "--usd-eur", "1", "--json").document
    assert [flagged["why"] for flagged in summary["flagged"]] == ["zero price"]
    assert summary["models"][0]["least_per_gpu"] == "2.50 EUR/hour"


def test_a_price_that_is_not_believed_is_not_shown_as_one(flare: Flare, tmp_path: Path) -> None:
    catalog(tmp_path, "one", "free,H100,4,64,512,0,eu-1,,", "big,H100,4,64,512,2.5,eu-1,,")
    intent = written(tmp_path, "intent.json", service())
    done = flare("place", intent, "-i", tmp_path, "--usd-eur", "1")
    assert done.status == 0
    assert re.search(r"^rejected +one/eu-1/free +\? ", done.out, re.M)


def test_warnings_are_listed(flare: Flare, tmp_path: Path) -> None:
    document = federation()
    document["offers"].append(document["offers"][0] | {"id": "nowhere", "region": None})
    done = flare("inventory", written(tmp_path, "offers.json", document), "--warnings")
    assert done.status == 0
    assert done.out == "offers.4.region: is missing, expected a value; the offer is skipped\n"


def test_people_get_a_table(flare: Flare) -> None:
    done = flare("inventory")
    assert done.out.startswith("54 offers of 13 providers in 27 regions\n")
    assert "nvidia-h200" in done.out
    assert "demonstration federation" in done.err
