"""Plans drawn for people, as wide as the terminal is."""

from collections.abc import Callable, Iterator
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from flare_core.adapters.cli.output import clean
from flare_core.adapters.cli.rows import Look, Row, rows_of
from flare_core.candidates.types import Funnel
from flare_core.placement.types import Outcome, Placement, Plan, Status
from flare_core.quantities import format_eur, format_moment, format_rate

STYLES: Final = {"CHOSEN": "bold green", "runner-up": "yellow", "rejected": "dim"}
_SHOWN_OF: Final = {Status.PLACED: "green", Status.REJECTED: "red", Status.QUEUED: "yellow"}

Cell = Callable[[Row], tuple[str, ...]]
Layout = tuple[tuple[str, str, Cell], ...]
"""Columns: heading, justification, and the lines of a row's cell; empty lines are left out."""

WIDE: Final[Layout] = (
    ("", "left", lambda r: (r.mark,)),
    ("offer", "left", lambda r: (r.offer,)),
    ("provider", "left", lambda r: (r.provider,)),
    ("region/zone", "left", lambda r: (r.place,)),
    ("GPUs", "left", lambda r: (r.gpus,)),
    ("tasks", "left", lambda r: (r.tasks,)),
    ("spot", "left", lambda r: (r.spot,)),
    ("EUR/h", "right", lambda r: (r.hourly,)),
    ("EUR", "right", lambda r: (r.total,)),
    ("gCO2/h", "right", lambda r: (r.carbon,)),
    ("ms", "right", lambda r: (r.latency,)),
    ("why", "left", lambda r: (r.reason,)),
)
MEDIUM: Final[Layout] = (
    ("", "left", lambda r: (r.mark, r.spot)),
    ("offer", "left", lambda r: (r.offer, f"{r.provider} {r.place}")),
    ("GPUs, tasks", "left", lambda r: (r.gpus, r.tasks)),
    ("EUR/h", "right", lambda r: (r.hourly,)),
    ("EUR", "right", lambda r: (r.total,)),
    ("gCO2/h", "right", lambda r: (r.carbon,)),
    ("ms", "right", lambda r: (r.latency,)),
    ("why", "left", lambda r: (r.reason,)),
)
NARROW: Final[Layout] = (
    ("", "left", lambda r: (r.mark, r.spot)),
    ("offer", "left", lambda r: (r.offer, f"{r.provider} {r.place}", r.gpus, r.tasks, r.reason)),
    (
        "price, carbon, latency",
        "right",
        lambda r: (f"{r.hourly} EUR/h", r.total and f"{r.total} EUR", f"{r.carbon} gCO2/h", f"{r.latency} ms"),
    ),
)


class PlacementTable:
    """The rows of a placement, in the layout that fits the width."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield _table(self.rows, WIDE if options.max_width >= 150 else MEDIUM if options.max_width >= 90 else NARROW)


def _table(rows: list[Row], layout: Layout) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, justify, cell in layout:
        if any(any(cell(row)) for row in rows):
            table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        cells = ["\n".join(line for line in cell(row) if line) for _, _, cell in layout if any(any(cell(r)) for r in rows)]
        table.add_row(*cells, style=STYLES[row.mark])
    return table


def drawn_plan(plan: Plan, looks: list[Look], *, explain: bool) -> Group:
    """Return a whole plan, drawn."""
    parts: list[RenderableType] = [headline(plan)]
    for look in looks:
        parts += ["", *_drawn_placement(look, explain=explain)]
    if plan.warnings:
        parts += ["", "Warnings:", *(f"- {clean(warning)}" for warning in plan.warnings)]
    return Group(*parts)


def headline(plan: Plan) -> Text:
    """Return what is known of the plan as a whole, on one line."""
    placed = [p for p in plan.placements if p.status is Status.PLACED]
    parts = [plan.outcome.value, f"{len(placed)} of {len(plan.placements)} placed"]
    if placed:
        parts.append(format_rate(sum(p.hourly_ueur or 0 for p in placed)))
    if any(p.total_ueur is not None for p in placed):
        parts.append(f"{format_eur(sum(p.total_ueur or 0 for p in placed))} in total")
    if plan.outcome is Outcome.OPTIMAL:
        parts.append("proven best")
    elif plan.outcome is Outcome.INFEASIBLE:
        parts.append("proven impossible")
    elif plan.gap is not None:
        parts.append(f"at most {100 * plan.gap:.2f} % from the best")
    return Text(" · ".join((*parts, f"{plan.wall_time_s:.3f} s")), style="bold")


def _drawn_placement(look: Look, *, explain: bool) -> Iterator[RenderableType]:
    placement, funnel = look.placement, look.plan.funnels[look.number]
    title = Text(clean(placement.intent), style="bold")
    yield title.append(f": {placement.status.value}", style=_SHOWN_OF.get(placement.status, ""))
    if placement.status is Status.PLACED:
        yield " · ".join(_figures(placement))
        yield from (f"relaxed: {clean(str(r['path']))}, asked {r['asked']}, got {r['got']}" for r in placement.relaxed)
        yield PlacementTable(rows_of(look))
    if placement.error is not None:
        yield Panel(clean(placement.error.message), title=placement.error.code.value, title_align="left", style="red")
    if explain or placement.status is not Status.PLACED:
        yield drawn_funnel(funnel)


def _figures(p: Placement) -> Iterator[str]:
    """Yield what the placement as a whole is worth; what is not known is left out."""
    yield format_rate(p.hourly_ueur or 0)
    if p.total_ueur is not None:
        yield f"{format_eur(p.total_ueur)} in total"
    if p.start is not None:
        yield f"from {format_moment(p.start)}" + (f" to {format_moment(p.end)}" if p.end is not None else "")
    for value, unit in (
        (p.latency_ms, "ms"),
        (p.carbon_g_per_hour, "gCO2/h"),
        (p.performance_tflops, "TFLOPS"),
        (p.availability_percent, "% up"),
    ):
        if value is not None:
            yield f"{value:,.6g} {unit}"
    if p.headroom is not None:
        yield f"room for {p.headroom.replicas} more replicas ({format_rate(p.headroom.hourly_ueur)} for all)"


def drawn_funnel(funnel: Funnel) -> Table:
    """Return what each constraint removed, in the order in which they are applied."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.title, table.title_justify = f"{funnel.accepted} of {funnel.offers} offers meet every constraint", "left"
    for heading in ("constraint", "asked"):
        table.add_column(heading, overflow="fold")
    for heading in ("alone", "first", "only"):
        table.add_column(heading, justify="right")
    for step in funnel.steps:
        if step.alone:
            figures = (str(step.alone), str(step.first), str(step.only))
            table.add_row(clean(step.path or step.rule), clean(step.asked), *figures)
    table.caption = "removes alone · removed first · only: would be candidates without it"
    table.caption_justify = "left"
    return table
