"""Writing an inventory: what is known, and nothing that is not."""

import json
from typing import Any

from flare_core.inventory.build import build_inventory
from flare_core.inventory.write import offer_document, to_frame
from tests.inventory.fleet import FULL, assert_same, offer, read, read_one, written


def test_an_offer_is_written_as_it_was_stated() -> None:
    said = offer_document(read(FULL), 0)
    stated = {
        key: {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        for key, value in FULL.items()
        if key != "used"
    }
    gpu = {
        "clock_speed": "1980MHz",
        "compute_capability": 9,
        "fp32_tflops": 67,
        "interconnect_bandwidth": "7200Gbps",
    }
    stated["gpu"] |= gpu
    stated["fabric"] |= {"bandwidth": "400Gbps"}
    assert said == stated
    json.dumps(said)


def test_what_is_unknown_is_left_out() -> None:
    said = offer_document(read_one(gpu=None, nodes=None, memory=None), 0)
    assert said.keys() == {"id", "provider", "region", "price", "cpu"}


def test_what_was_only_assumed_is_left_out() -> None:
    assume = {"*": {"performance.latency_ms": 3, "zone": "z"}}
    inventory = read(offer(zone="mine"), assume=assume)
    assert "performance" not in offer_document(inventory, 0)
    assert offer_document(inventory, 0)["zone"] == "mine"
    assert_same(inventory, read(*written(inventory), assume=assume))


def test_an_offer_whose_price_is_not_believed_is_left_out() -> None:
    columns: dict[str, Any] = {
        "provider": ["p", "p"],
        "region": ["r", "r"],
        "hourly_ueur": [1, 0],
        "price_flag": [None, "zero"],
    }
    inventory = build_inventory(columns, ["a", "b"])
    assert [o["id"] for o in written(inventory)] == ["a"]
    assert to_frame(inventory)["id"].tolist() == ["a"]
    assert offer_document(inventory, 1)["id"] == "b"


def test_use_is_written_as_node_states() -> None:
    state = {
        "node": 1, "free_gpus": [4, 5, 6, 7], "gpu_milli": {"1": 400}, "cpu": "20", "memory": "100Gi",
        "mig": [{"gpu": 0, "profile": "1g.10gb", "start": 0}, {"gpu": 0, "profile": "2g.20gb", "start": 2}],
    }  # fmt: skip
    assert offer_document(read_one(node_states=[state]), 0)["node_states"] == [state]
    used = read_one(used={"gpus": 10})
    assert offer_document(used, 0)["node_states"] == [
        {"node": 0, "free_gpus": [], "cpu": "0", "memory": "0Mi"},
        {"node": 1, "free_gpus": [2, 3, 4, 5, 6, 7], "cpu": "144", "memory": "1536Gi"},
    ]
    assert_same(used, read(offer_document(used, 0)))


def test_a_frame_has_the_dotted_names_and_no_numbers_in_disguise() -> None:
    frame = to_frame(read(FULL, offer(id="b", nodes=None)))
    row = frame.set_index("id").loc[FULL["id"]]
    assert row["gpu.count"] == 8
    assert row["price.hourly"] == "32.00 EUR/hour"
    assert row["compliance.certifications"] == '["ISO27001","SOC2"]'
    assert frame["nodes"].tolist() == [None, 4]
    assert "used.gpus" not in frame
