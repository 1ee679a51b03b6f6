"""A plan drawn for people: what is known of it, its placements, its warnings."""

from collections.abc import Iterable, Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from flare_core.adapters.cli.gantt import begins_later, drawn_gantt
from flare_core.adapters.cli.look import Look
from flare_core.adapters.cli.output import clean
from flare_core.adapters.cli.rows import rows_of
from flare_core.adapters.cli.tables import Fitting, drawn_funnel, drawn_rows
from flare_core.placement.types import Outcome, Placement, Plan, Rejection, Status
from flare_core.quantities import format_eur, format_moment, format_rate

_COLOURS: Final = {Status.PLACED: "green", Status.REJECTED: "red", Status.QUEUED: "yellow"}


def drawn_plan(plan: Plan, looks: Iterable[Look], *, explain: bool) -> Group:
    """Return a whole plan, drawn."""
    parts: list[RenderableType] = [_headline(plan)]
    for look in looks:
        parts += ["", *_drawn_placement(look, explain=explain)]
    if begins_later(plan):
        parts += ["", Fitting(lambda width: drawn_gantt(plan, width))]
    if plan.warnings:
        parts += ["", "Warnings:", *(f"- {clean(warning)}" for warning in plan.warnings)]
    return Group(*parts)


def _headline(plan: Plan) -> Text:
    """Return what is known of the plan as a whole."""
    placed = [p for p in plan.placements if p.status is Status.PLACED]
    parts = [plan.outcome.value, f"{len(placed)} of {len(plan.placements)} placed"]
    if placed:
        parts.append(format_rate(sum(p.hourly_ueur or 0 for p in placed)))
    if any(p.total_ueur is not None for p in placed):
        parts.append(f"{format_eur(sum(p.total_ueur or 0 for p in placed))} in total")
    if plan.outcome in (Outcome.OPTIMAL, Outcome.INFEASIBLE):
        parts.append("proven")
    elif plan.gap is not None:
        parts.append(f"at most {100 * plan.gap:.2f} % from the best")
    return Text(" · ".join((*parts, f"{plan.wall_time_s:.3f} s")), style="bold")


def _drawn_placement(look: Look, *, explain: bool) -> Iterator[RenderableType]:
    placement, funnel = look.placement, look.plan.funnels[look.number]
    title = Text(clean(placement.intent), style="bold")
    yield title.append(f": {placement.status.value}", style=_COLOURS.get(placement.status, ""))
    if placement.status is Status.PLACED:
        yield from _drawn_figures(look)
    if placement.offer is not None:
        yield f"offered until {format_moment(placement.offer.valid_until)}, to accept:"
        yield from _drawn_figures(look)
    elif placement.status is Status.QUEUED:
        yield "waits for capacity: no limit that may give way helps"
    if placement.error is not None:
        message, code = clean(placement.error.message), placement.error.code.value
        yield Panel(message, title=code, title_align="left", border_style="red")
        yield from _suggested(placement.error)
    if explain or placement.status is not Status.PLACED:
        yield from ("", f"{funnel.accepted} of {funnel.offers} offers meet every constraint:")
        yield Fitting(lambda width: drawn_funnel(funnel, width))
        yield "alone: fail this rule; first: it is their first reason; only: they fail no other"


def _drawn_figures(look: Look) -> Iterator[RenderableType]:
    """Yield what is placed: its figures, what gave way, its rows."""
    yield " · ".join(_figures(look.made))
    for entry in look.made.relaxed:
        yield clean(f"relaxed: {entry['path']}, asked {entry['asked']}, got {entry['got']}")
    rows = rows_of(look)
    yield ""
    yield Fitting(lambda width: drawn_rows(rows, width))


def _suggested(error: Rejection) -> Iterator[str]:
    """Yield what could be placed instead, the cheapest first."""
    if error.suggestions:
        yield "Instead:"
    for one in error.suggestions:
        differences = [
            f"{name} {one[key]}"
            for name, key in (("cost", "cost_difference"), ("performance", "performance_impact"))
            if one[key] is not None
        ]
        told = ", ".join((one["hourly_cost"], *differences))
        yield clean(f"- {one['alternative']} ({told})")


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
