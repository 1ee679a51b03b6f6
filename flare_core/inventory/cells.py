"""Text tables of other people's catalogs: cells by column, and an account of every row.

Each row of a file ends as (part of) an offer or is skipped for one reason; `Skips` keeps the account, so
that rows read = rows used + rows skipped can be checked. Nothing here knows what a column means.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final, TypeVar

from flare_core.errors import ErrorCode, InventoryError, found_expected
from flare_core.inventory.build import shortened

T = TypeVar("T")

MAX_BYTES: Final = 256 * 2**20
"""Largest file."""

BAD = -2
"""A cell of an integer column that could not be read."""


RAGGED: Final = "more or fewer cells than the header"


class CellError(ValueError):
    """A cell that cannot be read, in the standard wording."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A text table.

    Attributes
    ----------
    source
        Short name of the file, for messages (``aws/vms.csv``).
    columns
        Cells by header, space around them removed; equal lengths.
    lines
        Line of each row in the file, from 1; a row over several lines counts as its last one.
    ragged
        Lines of the rows that have more or fewer cells than the header; they are not in `columns`.
    """

    source: str
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    ragged: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def rows(self) -> int:
        """Rows of the file, ragged ones included."""
        return len(self.lines) + len(self.ragged)

    def column(self, name: str) -> Sequence[str]:
        """Return a column; one that is missing is empty in every row."""
        found = self.columns.get(name)
        return [""] * len(self) if found is None else found


def short_name(name: str) -> str:
    """Return what names a file to people: its folder and itself.

    >>> short_name("/data/catalogs/aws/vms.csv")
    'aws/vms.csv'
    """
    return "/".join(PurePath(name).parts[-2:])


def read_text(path: str | Path) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark.

    Raises
    ------
    InventoryError
        If there is no such file, it is too large, or it is no such text.
    """
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise InventoryError(str(path), f"found more than {MAX_BYTES} bytes, expected at most that")
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InventoryError(str(path), f"cannot be read: {error}") from None


def read_cells(text: str, name: str, required: Iterable[str]) -> Cells:
    """Read CSV text with any line ends.

    Raises
    ------
    InventoryError
        If it is no CSV, a header repeats, or a required column is missing.
    """
    source = short_name(name)
    lines, rows, ragged = [], [], []
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [column.strip() for column in next(reader, [])]
        for row in reader:
            if len(row) == len(header):
                rows.append(row)
                lines.append(reader.line_num)
            elif row:
                ragged.append(reader.line_num)
    except csv.Error as error:
        raise InventoryError(f"{source}:{reader.line_num}", f"found text that is no CSV: {error}") from None
    _check_header(source, header, required)
    cells = zip(*rows, strict=True) if rows else ((),) * len(header)
    columns = {column: _stripped(texts) for column, texts in zip(header, cells, strict=True)}
    return Cells(source, columns, lines, ragged)


def _check_header(source: str, header: Sequence[str], required: Iterable[str]) -> None:
    if len(set(header)) < len(header):
        raise InventoryError(source, found_expected(",".join(header), "different column names"))
    missing = [name for name in required if name not in header]
    if missing:
        message = found_expected(",".join(header), f"a column {missing[0]!r}")
        raise InventoryError(source, message, ErrorCode.MISSING_REQUIRED_FIELD)


def _stripped(column: Sequence[str]) -> list[str]:
    # One object for equal cells: most columns repeat few texts many times.
    distinct = {text: text.strip() for text in set(column)}
    return [distinct[text] for text in column]


def convert(column: Sequence[str], parse: Callable[[str], T], bad: T) -> list[T]:
    """Return ``parse(cell)`` for each cell, asking once for each distinct text; `bad` where it fails."""
    known: dict[str, T] = {}
    for text in set(column):
        try:
            known[text] = parse(text)
        except CellError:
            known[text] = bad
    return [known[text] for text in column]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the rows of a file: ``rows == used + sum(skipped.values())``.

    Attributes
    ----------
    rows, used
        Rows of the file; those that are an offer or part of one.
    skipped
        The others, by reason.
    offers
        Offers; more than `used` where a host is sold with several accelerators.
    """

    rows: int
    used: int
    skipped: Mapping[str, int]
    offers: int


class Skips:
    """Why rows of one file gave no offer.

    Parameters
    ----------
    source
        Short name of the file.
    where
        How a row is found in it: its line after a colon, or another name with its number.
    """

    def __init__(self, source: str, where: str = ":{}") -> None:
        self._source, self._where = source, where
        self._lines: dict[str, list[int]] = {}

    def add(self, reason: str, lines: Sequence[int]) -> None:
        """Note that the rows at `lines` were skipped."""
        if lines:
            self._lines.setdefault(reason, []).extend(lines)

    @property
    def counts(self) -> dict[str, int]:
        """Rows skipped by reason, in alphabetical order."""
        return {reason: len(self._lines[reason]) for reason in sorted(self._lines)}

    def warnings(self) -> tuple[str, ...]:
        """Return one sentence for each reason."""
        return shortened([self._said(reason) for reason in sorted(self._lines)])

    def _said(self, reason: str) -> str:
        lines = self._lines[reason]
        first = f"{self._source}{self._where.format(min(lines))}"
        if len(lines) == 1:
            return f"{first}: skipped: {reason}"
        return f"{self._source}: {len(lines)} rows skipped: {reason} (first: {first})"
