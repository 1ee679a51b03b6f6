"""The shared acceptance cases, run by their own runner."""

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

pytestmark = pytest.mark.data


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
def test_case(case: dict[str, Any]) -> None:
    assert _differences()(flare, case, CASES) == [], case["why"]
