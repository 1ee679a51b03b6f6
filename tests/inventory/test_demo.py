"""The demonstration federation: what it has to offer, and that it is honest about it."""

from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

import flare_core as flare
from flare_core.inventory.demo import demo_inventory
from flare_core.inventory.types import ELASTIC, Inventory


@pytest.fixture(scope="module")
def federation() -> Inventory:
    return demo_inventory()


def known(inventory: Inventory, name: str) -> Counter[object]:
    return Counter(inventory.value(name, row) for row in range(len(inventory)))


def test_it_is_large_and_clean(federation: Inventory) -> None:
    assert len(federation) >= 44
    assert len(federation.label["provider"].values) >= 9
    assert federation.warnings == ()
    assert "invented" in federation.source


def test_it_has_something_of_everything(federation: Inventory) -> None:
    models = {
        "nvidia-h100", "nvidia-h200", "nvidia-a100", "nvidia-l40s", "nvidia-l4", "nvidia-t4", "nvidia-v100",
        "nvidia-rtx-4090", "nvidia-rtx-4080", "nvidia-rtx-3090", "amd-mi300x", None,
    }  # fmt: skip
    assert models <= known(federation, "gpu_model").keys()
    assert known(federation, "billing").keys() == {"node", "gpu"}
    assert known(federation, "sharing_strategy").keys() == {"mig", "mps", "time-slicing", None}
    assert known(federation, "tier").keys() == {"premium", "standard", "inference", "gaming", None}
    assert {"NO", "CH", "US", "JP", "SG", "IE"} <= known(federation, "country").keys()
    assert {True, False, None} <= known(federation, "renewable_energy").keys()
    assert {True, False, None} <= known(federation, "hipaa_compliant").keys() | {False}
    assert len(known(federation, "certifications")) > 3
    assert len(known(federation, "efficiency_rating")) > 2
    assert len(known(federation, "calendar")) > 2
    assert any(federation.whole["nodes"] == ELASTIC)
    assert any(federation.whole["nodes"] > 0)
    assert any(federation.whole["spot_ueur"] > 0)
    assert any(federation.label["fabric_path"].codes >= 0)


def test_some_of_it_is_in_use(federation: Inventory) -> None:
    groups = federation.groups
    assert not groups.one_per_offer
    assert groups.mig
    assert groups.milli
    assert sum(~groups.fresh) >= 4


def test_every_gpu_has_a_rating_and_a_power(federation: Inventory) -> None:
    for row in range(len(federation)):
        if federation.value("gpu_count", row):
            assert federation.value("rating_tflops", row)
            assert federation.value("power_w", row)


EXAMPLES = sorted(Path(str(files("flare_core") / "examples")).glob("0*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_each_use_case_of_the_reference_is_placed_on_it(path: Path, federation: Inventory) -> None:
    plan = flare.place(flare.read_intent(path), federation, now="2024-11-01T00:00:00Z")
    [placement] = plan.to_dict()["placements"]
    assert placement["status"] == "placed", placement["error"]
    assert placement["relaxed"] == []


def test_the_use_cases_are_all_there() -> None:
    assert len(EXAMPLES) == 6
