"""Rows and funnels drawn, as wide as the terminal is."""

from collections.abc import Callable
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult
from rich.table import Table

from flare_core.adapters.cli.output import clean
from flare_core.adapters.cli.rows import Row
from flare_core.candidates.types import Funnel

_STYLES: Final = {"CHOSEN": "bold green", "runner-up": "yellow", "rejected": "dim"}

Layout = tuple[tuple[str, JustifyMethod, Callable[[Row], tuple[str, ...]]], ...]
"""Columns: heading, justification, and the lines of a row's cell; empty ones are left out."""


def _what(r: Row) -> tuple[str, ...]:
    return r.offer, f"{r.provider}, {r.place}", f"{r.gpus}, {r.tasks}" if r.tasks else r.gpus


WIDE: Final[Layout] = (
    ("", "left", lambda r: (r.mark,)),
    ("offer", "left", lambda r: (r.offer,)),
    ("provider", "left", lambda r: (r.provider,)),
    ("region/zone", "left", lambda r: (r.place,)),
    ("GPUs", "left", lambda r: (r.gpus,)),
    ("tasks", "left", lambda r: (r.tasks,)),
    ("", "left", lambda r: (r.spot,)),
    ("EUR/h", "right", lambda r: (r.hourly,)),
    ("EUR", "right", lambda r: (r.total,)),
    ("gCO2/h", "right", lambda r: (r.carbon,)),
    ("ms", "right", lambda r: (r.latency,)),
    ("why", "left", lambda r: (r.reason,)),
)
MEDIUM: Final[Layout] = (
    ("", "left", lambda r: (r.mark, r.spot)),
    ("offer", "left", _what),
    ("EUR/h", "right", lambda r: (r.hourly,)),
    ("EUR", "right", lambda r: (r.total,)),
    ("gCO2/h", "right", lambda r: (r.carbon,)),
    ("ms", "right", lambda r: (r.latency,)),
    ("why", "left", lambda r: (r.reason,)),
)
NARROW: Final[Layout] = (
    ("", "left", lambda r: (r.mark, r.spot)),
    ("offer", "left", lambda r: (*_what(r), r.reason)),
    ("EUR/h, EUR", "right", lambda r: (r.hourly, r.total)),
    ("gCO2/h, ms", "right", lambda r: (r.carbon, r.latency)),
)
WIDE_FROM: Final = 150
MEDIUM_FROM: Final = 80


class Fitting:
    """What is drawn in one of several ways, as the width allows."""

    def __init__(self, draw: Callable[[int], RenderableType]) -> None:
        self._draw = draw

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._draw(options.max_width)


def drawn_rows(rows: list[Row], width: int) -> Table:
    """Return the rows of a placement."""
    layout = WIDE if width >= WIDE_FROM else MEDIUM if width >= MEDIUM_FROM else NARROW
    columns = [column for column in layout if any(any(column[2](row)) for row in rows)]
    table = table_of(*((heading, justify) for heading, justify, _ in columns))
    for row in rows:
        cells = ["\n".join(filter(None, lines(row))) for _, _, lines in columns]
        table.add_row(*cells, style=_STYLES[row.mark])
    return table


def drawn_funnel(funnel: Funnel, width: int) -> Table:
    """Return what each constraint removed, in the order in which they are applied."""
    wide = width >= MEDIUM_FROM
    asked: list[tuple[str, JustifyMethod]] = [("asked", "left")] if wide else []
    figures: list[tuple[str, JustifyMethod]] = [("alone", "right"), ("first", "right"), ("only", "right")]
    table = table_of(("constraint", "left"), *asked, *figures)
    for step in funnel.steps:
        if step.alone:
            said = (clean(step.path or step.rule), clean(step.asked))
            counts = (str(step.alone), str(step.first), str(step.only))
            table.add_row(*(said if wide else ("\n  ".join(said),)), *counts)
    return table


def table_of(*columns: tuple[str, JustifyMethod]) -> Table:
    """Return an empty table in the house's style."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, justify in columns:
        table.add_column(heading, justify=justify, overflow="fold")
    return table
