"""The shared acceptance cases, run by their own runner: each passes, or waits for a part by name.

``acceptance_waiting.csv`` lists the cases that need a part that is not built yet. One that passes has to
leave the list, and one that is not on it must never fail.
"""

import csv
import json
import runpy
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import flare_core as flare
from tests.conftest import SHARED

Differences = Callable[[Any, dict[str, Any], Path], list[str]]

CASES = SHARED / "acceptance" / "cases"
PARTS = {
    "calendar",
    "waves",
}

pytestmark = pytest.mark.data


def _waiting() -> dict[str, str]:
    with (Path(__file__).parent / "acceptance_waiting.csv").open(encoding="utf-8", newline="") as file:
        return {row["case"]: row["waits_for"] for row in csv.DictReader(file)}


WAITING = _waiting()


def _cases() -> Iterator[Any]:
    """Yield every case by the name that its runner prints; one that is skipped where there are none."""
    files = sorted(CASES.glob("*.json"))
    for file in files:
        for case in json.loads(file.read_text(encoding="utf-8")):
            yield pytest.param(case, id=f"{file.stem}/{case['name']}")
    if not files:
        yield pytest.param({}, id="none", marks=pytest.mark.skip(reason=f"no acceptance cases at {CASES}"))


@cache
def _differences() -> Differences:
    differences: Differences = runpy.run_path(str(CASES.parent / "run"))["differences"]
    return differences


@pytest.mark.parametrize("case", list(_cases()))
def test_case(case: dict[str, Any], request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.id
    wrong = _differences()(flare, case, CASES)
    if name in WAITING:
        assert wrong, f"{name} passes: take it off the list of those that wait for {WAITING[name]}"
    else:
        assert wrong == [], case["why"]


def test_the_list_names_cases_and_parts_that_there_are() -> None:
    if not CASES.is_dir():
        pytest.skip(f"no acceptance cases at {CASES}")
    assert set(WAITING) <= {param.id for param in _cases()}
    assert set(WAITING.values()) == PARTS
