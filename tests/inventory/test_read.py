"""One inventory, however it is written; and what is reported when it is written badly."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import flare_core as flare
from flare_core.inventory.demo import demo_inventory
from flare_core.inventory.read import read_inventory, to_document, to_frame
from flare_core.inventory.types import Inventory
from tests.inventory.fleet import FULL, assert_same, offer, read, written

Write = Callable[[Inventory, Path], Any]


def _json(inventory: Inventory, path: Path) -> Path:
    path = path.with_suffix(".json")
    path.write_text(json.dumps(to_document(inventory)))
    return path


def _lines(inventory: Inventory, path: Path) -> Path:
    path = path.with_suffix(".jsonl")
    path.write_text("\r\n".join(map(json.dumps, written(inventory))) + "\n\n")
    return path


def _csv(inventory: Inventory, path: Path) -> Path:
    path = path.with_suffix(".csv")
    to_frame(inventory).to_csv(path, index=False)
    return path


def _csv_from_a_spreadsheet(inventory: Inventory, path: Path) -> Path:
    path = path.with_suffix(".csv")
    to_frame(inventory).to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")
    return path


def _csv_through_pandas(inventory: Inventory, path: Path) -> pd.DataFrame:
    """Counts become floats, cells that are missing NaN."""
    return pd.read_csv(_csv(inventory, path))


def _parquet(inventory: Inventory, path: Path) -> Path:
    path = path.with_suffix(".parquet")
    to_frame(inventory).to_parquet(path)
    return path


def _nested_parquet(inventory: Inventory, path: Path) -> Path:
    path = path.with_suffix(".parquet")
    pd.DataFrame(written(inventory)).to_parquet(path)
    return path


def _nested_frame(inventory: Inventory, path: Path) -> pd.DataFrame:
    return pd.DataFrame(written(inventory))


def _stream(inventory: Inventory, path: Path) -> io.StringIO:
    return io.StringIO("\ufeff" + json.dumps(to_document(inventory)))


WRITERS: tuple[Write, ...] = (
    lambda inventory, path: to_document(inventory),
    lambda inventory, path: json.dumps(to_document(inventory)),
    lambda inventory, path: written(inventory),
    lambda inventory, path: to_frame(inventory),
    lambda inventory, path: str(_json(inventory, path)),
    _json, _lines, _csv, _csv_from_a_spreadsheet, _csv_through_pandas, _parquet, _nested_frame, _stream,
)  # fmt: skip


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__.strip("_<>"))
def test_an_inventory_is_the_same_however_it_is_written(write: Write, tmp_path: Path) -> None:
    for number, inventory in enumerate(
        (demo_inventory(), read(FULL, offer(gpu=None), offer(id="b", nodes=3)))
    ):
        again = read_inventory(write(inventory, tmp_path / str(number)))
        assert_same(inventory, again)
        assert again.warnings == ()


def test_nested_parquet_columns_are_read(tmp_path: Path) -> None:
    inventory = read(FULL, {**FULL, "id": "b", "country": "NO"})
    assert_same(inventory, read_inventory(_nested_parquet(inventory, tmp_path / "x")))


def test_numpys_and_tuples_values_are_taken_as_what_they_are() -> None:
    document = offer(
        nodes=np.int64(4), gpu__shared=np.bool_(True), performance={"latency_ms": np.float64(18)}
    )
    document["fabric"] = {"path": ("dc1", "leaf1")}
    plain = offer(gpu__shared=True, performance={"latency_ms": 18.0}, fabric={"path": ["dc1", "leaf1"]})
    assert_same(read(document), read(plain))


@pytest.mark.parametrize("value", [float("nan"), 4.0])
def test_a_document_leaves_nothing_empty_and_counts_in_whole_numbers(value: float) -> None:
    inventory = read(offer(), offer(id="b", nodes=value))
    assert inventory.ids == ("a",)
    assert inventory.warnings[0].startswith("offers.1.nodes: found ")


def test_several_sources_are_put_together_and_told_apart(tmp_path: Path) -> None:
    for name, bad in (("one", "x"), ("two", "y")):
        offers = [offer(id=name), offer(id=f"{name}-bad", cpu=bad)]
        (tmp_path / f"{name}.json").write_text(json.dumps({"version": 1, "offers": offers}))
    one, two = str(tmp_path / "one.json"), tmp_path / "two.json"
    for inventory in (read_inventory(one, two), read_inventory([one, two])):
        assert inventory.ids == ("one", "two")
        assert inventory.source == f"{one}, {two}"
        assert [w.partition(": found")[0] for w in inventory.warnings] == [
            f"{one}: offers.1.cpu",
            f"{two}: offers.1.cpu",
        ]


def test_one_document_alone_is_named_by_its_paths(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([offer(), offer(id="b", cpu="x")]))
    assert read_inventory(path).warnings[0].startswith("offers.1.cpu: found 'x'")


def test_bad_rows_of_a_csv_are_reported_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "offers.csv"
    path.write_text(
        "id,provider,region,price.hourly,gpu.model,gpu.count,gpu.shared,zone\n"
        'a,p,r,1 EUR,H100,8,true,"two\nlines"\n'
        "b,p,r,1 USD,H100,8,,\n"
        "c,p,r,1 EUR,H100,eight,maybe,\n"
        "d,p,r,1 EUR,H100,8\n"
        "\n"
        "e,p,r,1 EUR,H100,,,\n"
        "f,p,r,1 EUR,,,,\n"
        "g,p,r, 1 EUR ,T4,1,FALSE,z\n"
    )
    inventory = read_inventory(path)
    assert inventory.ids == ("f", "g")
    assert inventory.value("shared", 1) is False
    assert inventory.value("gpu_count", 0) == 0
    assert [warning.removeprefix(str(path)).partition(" found")[0] for warning in inventory.warnings] == [
        ":2:8: zone:",
        ":4:4: price.hourly:",
        ":5:6: gpu.count:",
        ":5:7: gpu.shared:",
        ":6:",
        ":8:6: gpu.count: is missing, expected a value; the offer is skipped",
    ]


def test_bad_lines_of_json_lines_are_reported_with_their_number(tmp_path: Path) -> None:
    path = tmp_path / "offers.ndjson"
    lines = [json.dumps(offer()), "{", "", '{"id": "b", "id": "c"}', json.dumps(offer(id="d", cpu="x")), "3"]
    path.write_text("\n".join(lines))
    inventory = read_inventory(path)
    assert inventory.ids == ("a",)
    places = [warning.removeprefix(str(path)).partition(": found")[0] for warning in inventory.warnings]
    assert places == [":2", ":4: id", ":5: cpu", ":6"]


def test_bad_rows_of_a_frame_are_reported_with_their_number() -> None:
    frame = pd.DataFrame([{"id": "a", "provider": "p", "region": "r", "price.hourly": "1 EUR"}, {"id": "b"}])
    inventory = read_inventory(frame)
    assert inventory.ids == ("a",)
    assert inventory.warnings[0].startswith("row 1: price.hourly: is missing")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.json", "", "no JSON"),
        ("x.json", '{"version": 1, "offers": [', "no JSON"),
        ("x.json", '{"version": 1, "offers": [NaN]}', "not finite"),
        ("x.json", '{"version": 1, "version": 1, "offers": []}', "twice"),
        ("x.json", "3", "a list of offers"),
        ("x.csv", "", "no usable offer"),
        ("x.csv", "id,id\n", "twice"),
        ("x.csv", "id,provider\n", "no usable offer"),
        ("x.csv", 'id,"provider\n', "no CSV"),
        ("x.csv", "name,price\na,1\n", "unknown field"),
        ("x.jsonl", "\n\n", "no usable offer"),
        ("x.parquet", "PAR1", "Parquet"),
        ("x.txt", "hello", "no usable offer"),
    ],
)
def test_a_file_that_is_no_inventory_is_an_error(name: str, content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(flare.InventoryError, match=says):
        read_inventory(path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"id\n\xff\n")
    for path in (
        tmp_path / "absent.json",
        tmp_path,
        tmp_path / "latin.csv",
        "a\0b.json",
        tmp_path / "absent.parquet",
    ):
        with pytest.raises(flare.InventoryError, match=r"read|UTF-8"):
            read_inventory(path)


@pytest.mark.parametrize("source", [3, None, [], io.BytesIO(b"{}"), [3]])
def test_what_is_no_source_is_an_error(source: Any) -> None:
    with pytest.raises(flare.InventoryError):
        read_inventory(source)


def test_a_format_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "offers.txt"
    path.write_text(json.dumps(offer()))
    assert read_inventory(path, format="jsonl").ids == ("a",)
    with pytest.raises(flare.InventoryError, match="expected one of document, jsonl"):
        read_inventory(path, format="xml")


def test_a_file_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps([offer()])
    path = tmp_path / "x.json"
    path.write_text(text)
    monkeypatch.setattr("flare_core.inventory.read.MAX_BYTES", len(text))
    assert read_inventory(path).ids == read_inventory(io.StringIO(text)).ids == ("a",)
    path.write_text(text + " ")
    for source in (path, io.StringIO(text + " ")):
        with pytest.raises(flare.InventoryError, match="expected at most"):
            read_inventory(source)


def test_without_the_extra_parquet_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(flare.InventoryError, match="extra 'parquet'"):
        read_inventory(tmp_path / "x.parquet")


def test_skipped_rows_and_good_ones_are_read_in_time() -> None:
    """A document of many offers is read by distinct values, not offer by offer."""
    offers = [{**FULL, "id": f"{i:05}", "price": {"hourly": f"{i} EUR/hour"}} for i in range(2_000)]
    inventory = read(*offers)
    assert inventory.value("hourly_ueur", 1_999) == 1_999_000_000


@pytest.mark.data
def test_the_documents_of_the_shared_cases_are_read(shared: Path) -> None:
    federation = read_inventory(shared / "acceptance" / "examples" / "federation.json")
    assert len(federation) == 41
    assert federation.warnings == ()
    assert_same(federation, read_inventory(to_document(federation)))
    count = 0
    for file in sorted((shared / "acceptance" / "cases").glob("*.json")):
        for case in json.loads(file.read_text()):
            document = case["inventory"]
            if isinstance(document, dict) and "raises" not in case["expect"]:
                inventory = read_inventory(document)
                skipped = len(document["offers"]) - len(inventory)
                assert skipped == len(inventory.warnings) == ("bad-row" in case["name"]), case["name"]
                count += 1
    assert count > 100


SKYPILOT = """InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region
g6,L4,1,8.0,32.0,L4,1.00,0.40,us-east-1
"""
GPUHUNT = """instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size
g6,us-east-1,1.00,8,32.0,1,L4,24.0,False,
"""
OPENB = """sn,cpu_milli,memory_mib,gpu,model
openb-node-0000,64000,262144,2,P100
"""


@pytest.mark.parametrize(
    ("name", "text", "model", "price"),
    [
        ("aws/vms.csv", SKYPILOT, "nvidia-l4", 920_000),
        ("aws.csv", GPUHUNT, "nvidia-l4", 920_000),
        ("nodes.csv", OPENB, "nvidia-p100", None),
    ],
    ids=["skypilot", "gpuhunt", "openb"],
)
def test_other_peoples_catalogs_are_known_by_their_columns(
    name: str, text: str, model: str, price: int | None, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    inventory = read_inventory(path, {"offers": [offer(id="own")]}, usd_eur="0.92")
    row = 1 - inventory.row("own")
    assert inventory.value("gpu_model", row) == model
    assert price is None or inventory.value("hourly_ueur", row) == price
    with pytest.raises(flare.FlareError):
        read_inventory(path, format="csv")
    if price is not None:
        with pytest.raises(flare.FlareError, match="usd_eur"):
            read_inventory(path)


def test_gpuhunts_json_is_known_by_its_fields(tmp_path: Path) -> None:
    row = {
        "instance_name": "g6",
        "location": "us-east-1",
        "price": 1.0,
        "cpu": 8,
        "memory": 32.0,
        "gpu_count": 1,
    }
    row |= {"gpu_name": "L4", "gpu_memory": 24.0, "spot": False, "provider": "aws"}
    path = tmp_path / "offers.json"
    path.write_text(json.dumps([row]))
    assert read_inventory(path, usd_eur="0.92").value("gpu_model", 0) == "nvidia-l4"
    with pytest.raises(flare.InventoryError, match="unknown field"):
        read_inventory(path, format="document")
