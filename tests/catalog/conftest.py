"""Reading the tables that are not shipped; tests that do are marked ``data``."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

Rows = list[dict[str, str]]


@pytest.fixture
def read_shared(shared: Path) -> Callable[[str], Rows]:
    """Return a reader of all rows of the CSV files that match a pattern in the shared data."""

    def read(pattern: str) -> Rows:
        found: Rows = []
        for path in sorted((shared / "data").glob(pattern)):
            with path.open(encoding="utf-8-sig", newline="") as lines:
                found += csv.DictReader(lines)
        assert found, f"no {pattern} in {shared}"
        return found

    return read
