"""Reading the CSV files that the package ships."""

import csv
from functools import cache
from importlib.resources import files

Row = dict[str, str]


@cache
def rows(name: str) -> tuple[Row, ...]:
    """Return the rows of ``data/<name>``, in file order."""
    content = (files(__package__) / "data" / name).read_text(encoding="utf-8")
    return tuple(csv.DictReader(content.splitlines()))


def text(cell: str) -> str | None:
    """Return the cell, or None where it is empty: unknown."""
    return cell or None


def whole(cell: str) -> int | None:
    """Return the cell as an integer, or None where it is empty."""
    return int(cell) if cell else None


def number(cell: str) -> float | None:
    """Return the cell as a number, or None where it is empty."""
    return float(cell) if cell else None
