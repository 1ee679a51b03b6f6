"""Prices and carbon that change over time: read in every format, checked, written back."""

from pathlib import Path
from typing import Any

import pytest

from flare_core.inventory.read import read_inventory
from flare_core.inventory.series import read_series
from flare_core.inventory.write import offer_document, to_frame
from tests.inventory.fleet import assert_same, offer, read, written

RISING = [["2026-01-15T00:00:00Z", "2.10 EUR/hour"], ["2026-01-15T07:30:00+01:00", "3.05 EUR/hour"]]
CLEAN = [["2026-01-15T00:00:00Z", 278], ["2026-01-15T12:00:00Z", 94.5]]
CHANGING: dict[str, Any] = {
    "price__series": RISING,
    "price__spot_series": RISING[:1],
    "energy__series": CLEAN,
}


def test_equal_series_are_one_label() -> None:
    inventory = read(*(offer(id=name, **CHANGING) for name in "abc"), offer(id="d"))
    labels = inventory.label["price_series"]
    assert labels.codes.tolist() == [0, 0, 0, -1]
    [text] = labels.values
    assert text == "[[1768435200,2100000],[1768458600,3050000]]"
    assert read_series(text).begins.tolist() == [1768435200, 1768458600]
    assert inventory.label["carbon_series"].values == ("[[1768435200,278.0],[1768478400,94.5]]",)
    assert inventory.warnings == ()


def test_a_series_is_written_as_it_was_read() -> None:
    said: Any = offer_document(read(offer(**CHANGING)), 0)
    assert said["price"]["series"] == [RISING[0], ["2026-01-15T06:30:00Z", "3.05 EUR/hour"]]
    assert said["price"]["spot_series"] == RISING[:1]
    assert said["energy"]["series"] == CLEAN
    assert_same(read(offer(**CHANGING)), read(*written(read(offer(**CHANGING)))))


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_every_format_holds_a_series(tmp_path: Path, suffix: str) -> None:
    inventory, path = read(offer(id="a", **CHANGING), offer(id="b")), tmp_path / f"offers.{suffix}"
    frame = to_frame(inventory)
    match suffix:
        case "csv":
            frame.to_csv(path, index=False)
        case "parquet":
            frame.to_parquet(path, index=False)
        case _:
            frame.to_json(path, orient="records", lines=True)
    read_back = read_inventory(path if suffix != "jsonl" else read_lines(path))
    assert_same(inventory, read_back)


def read_lines(path: Path) -> Any:
    import pandas as pd

    return pd.read_json(path, lines=True)


def test_a_series_can_be_assumed_for_a_region() -> None:
    inventory = read(offer(), assume={"provider-1/eu-west-1": {"energy": {"series": CLEAN}}})
    assert inventory.label["carbon_series"][0] == "[[1768435200,278.0],[1768478400,94.5]]"
    assert inventory.label["assumed"][0] == "energy.series"


def test_no_step_says_nothing() -> None:
    assert read(offer(price__series=[])).label["price_series"][0] is None


def test_an_offer_sold_as_spot_alone_may_say_so_by_a_series() -> None:
    inventory = read(offer(price={"spot_series": RISING}))
    assert (len(inventory), inventory.value("hourly_ueur", 0)) == (1, None)


@pytest.mark.parametrize(
    ("steps", "path", "found"),
    [
        ({}, "price.series", "found {}, expected a list of steps"),
        ([7], "price.series.0", "found 7, expected a step, [moment, value]"),
        ([["2026-01-15T00:00:00Z"]], "price.series.0", "expected a step, [moment, value]"),
        ([["soon", "1 EUR"]], "price.series.0.0", "found 'soon', expected a date and time"),
        ([[1768435200, "1 EUR"]], "price.series.0.0", "expected a moment to the second"),
        ([["2026-01-15T00:00:00.5Z", "1 EUR"]], "price.series.0.0", "expected a moment to the second"),
        ([RISING[0], ["2026-01-15T00:00:00Z", "x"]], "price.series.1.1", "found 'x'"),
        ([RISING[0], ["2026-01-15T00:00:00Z", "1 USD/hour"]], "price.series.1.1", "EUR"),
        ([RISING[0], RISING[0]], "price.series.1.0", "expected a moment after the step before"),
        (RISING[::-1], "price.series.1.0", "expected a moment after the step before"),
        ([["2026-01-15T00:00:00Z", "-1 EUR/hour"]], "price.series.0.1", "found '-1 EUR/hour'"),
    ],
)
def test_steps_that_are_no_series_are_named_and_their_offer_is_skipped(
    steps: Any, path: str, found: str
) -> None:
    inventory = read(offer(id="a"), offer(id="b", price__series=steps))
    assert inventory.ids == ("a",)
    [warning] = inventory.warnings
    assert warning.startswith(f"offers.1.{path}: ")
    assert found in warning
