"""What is reached on the ``openb`` trace; ``flare bench openb`` draws it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import openb, openb_batch, openb_stream
from benchmarks.table import Row, data_folder

__all__ = ["GROUPS", "QUICK", "data_folder", "measured"]

GROUPS = openb_stream.GROUPS | openb_batch.GROUPS
"""The rows of the table, by the names under which they can be asked for alone."""
QUICK = ("stream", "batch", "batch-fair")
"""What takes minutes rather than a quarter of an hour."""


def measured(data: Path | None, only: Sequence[str] = QUICK) -> Iterator[Row]:
    """Measure one row after the other; where the trace is absent, a row says so.

    Parameters
    ----------
    data
        The folder of shared data.
    only
        Names of `GROUPS`.
    """
    if data is None or not (data / openb.FOLDER).is_dir():
        yield Row(
            "the openb trace", "rows", 0, note=f"not measured: no {openb.FOLDER} in {data or 'shared data'}"
        )
        return
    for name in only:
        yield from GROUPS[name](data)
