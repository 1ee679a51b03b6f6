"""The ten refusals of the pages are refusals, and say what cannot be had together."""

from pathlib import Path

import pytest

import flare_core as flare
from benchmarks import refusals
from benchmarks.refusals import NOW, REFUSALS, Refusal
from flare_core.inventory.demo import demo_inventory


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_the_demonstration_federation_refuses(refusal: Refusal) -> None:
    error = flare.explain(refusal.intent(), demo_inventory(), now=NOW).placement.error
    assert error is not None
    assert error.conflicts


def test_they_can_be_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert refusals.main(["--demo"]) == 0
    printed = capsys.readouterr().out
    assert all(refusal.wish in printed for refusal in REFUSALS)
    assert refusals.main([str(tmp_path)]) == 2


@pytest.mark.data
def test_the_real_catalogs_refuse_them_too(shared: Path) -> None:
    market = refusals.catalogs(shared / "data")
    for refusal in REFUSALS:
        error = flare.explain(refusal.intent(), market, now=NOW).placement.error
        assert error is not None, refusal.wish
