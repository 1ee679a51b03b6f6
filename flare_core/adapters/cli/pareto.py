"""``flare pareto``."""

from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.inputs import (
    DEMO,
    check_stdin,
    now_or,
    read_intent_files,
    read_offers,
    tell_warnings,
)
from flare_core.adapters.cli.output import (
    PLACED,
    REFUSED,
    UNKNOWN,
    clean,
    emit_drawn,
    emit_json,
    note,
    write_drawing,
)
from flare_core.quantities import format_eur

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from flare_core import Front, Intent

_MOST_GAPS: Final = 5
"""Gaps that are shown."""


_Intent: TypeAlias = Annotated[
    str, typer.Argument(metavar="INTENT", help="File of one intent (JSON); - is standard input.")
]
_Terms: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="TERM,TERM",
        rich_help_panel=opt.SHOWING,
        help="What is weighed against each other: two or three of cost, performance, latency, carbon.",
    ),
]
_Points: TypeAlias = Annotated[
    int | None,
    typer.Option(
        rich_help_panel=opt.SHOWING,
        help="Most points; a larger front is told in part, and where the gaps are. \\[default: 1000]",
    ),
]
_Plot: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="FILE.svg", rich_help_panel=opt.SHOWING, help="Draw the front into a file, too."),
]


def pareto(
    intent: _Intent,
    inventory: opt.Inventories = None,
    terms: _Terms = "cost,carbon",
    assume: opt.Assume = None,
    usd_eur: opt.UsdEur = None,
    now: opt.Now = None,
    origin: opt.Origin = None,
    seed: opt.Seed = None,
    time_limit: opt.TimeLimit = None,
    effort: opt.Effort = None,
    workers: opt.Workers = None,
    points: _Points = None,
    plot: _Plot = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """List the placements of one intent that no other beats in all of some terms: the Pareto front.

    [bold]Examples[/bold]

      flare pareto intent.json
      flare pareto intent.json -i offers.json --terms cost,performance,carbon --json
      flare pareto intent.json -i catalogs/ --usd-eur 0.92 --origin DE --terms cost,latency --plot front.svg
    """
    import flare_core as flare

    files = inventory or []
    check_stdin(intent, *files)
    settings = opt.search_options(
        seed=seed,
        time_limit=time_limit,
        effort=effort,
        workers=workers,
        weights=None,
        origin=origin,
        priorities=(),
    )
    asked = _one(intent)
    offers = read_offers(files, usd_eur=usd_eur, assume=assume)
    tell_warnings(offers)
    wanted = [term.strip() for term in terms.split(",")]
    limit = {} if points is None else {"most_points": points}
    front = flare.pareto(asked, offers, now=now_or(now), terms=wanted, options=settings, **limit)
    if plot is not None:
        write_drawing("plot", plot, front.svg())
    if as_json:
        if not files:
            note(DEMO)
        emit_json(front.to_dict())
    else:
        emit_drawn(*([] if files else [DEMO]), *_drawn(front))
    raise typer.Exit(_status(front))


def _one(path: str) -> "Intent":
    """Read the one intent of a file."""
    from flare_core.errors import OptionsError, found_expected

    intents = read_intent_files([path])
    if len(intents) != 1:
        raise OptionsError("intents", found_expected(f"{len(intents)} intents", "one intent"))
    return intents[0]


def _status(front: "Front") -> int:
    """Return the exit status: whether the intent can be placed."""
    if front.points:
        return PLACED
    return REFUSED if front.complete else UNKNOWN


def _drawn(front: "Front") -> "list[RenderableType]":
    from rich.panel import Panel
    from rich.text import Text

    parts: list[RenderableType] = [Text(_headline(front), style="bold")]
    if front.points:
        parts += ["", _table(front)]
    if front.error is not None:
        title = front.error.code.value
        parts.append(Panel(clean(front.error.message), title=title, title_align="left", border_style="red"))
    if front.gaps:
        parts += ["", "Further points may lie where all of this holds:", *_gaps(front)]
    if front.warnings:
        parts += ["", "Warnings:", *(f"- {clean(warning)}" for warning in front.warnings)]
    return parts


def _headline(front: "Front") -> str:
    number = f"{len(front)} point" + ("" if len(front) == 1 else "s")
    known = "complete, proven" if front.complete else "others may be missing"
    return f"{clean(front.intent)}: {front.outcome.value} · {' × '.join(front.terms)} · {number}, {known}"


def _table(front: "Front") -> "Table":
    """Return the points: first the terms that are weighed, then the others; what is assumed is marked."""
    from flare_core.adapters.cli.tables import table_of
    from flare_core.frontier.front import named

    names = list(front.points[0].terms)
    headings = [f"{name}\n{front.units[name]}" for name in names]
    table = table_of(*((heading, "right") for heading in headings), ("offers", "left"))
    for point in front.points:
        cells = [_shown(name, point.terms[name]) + "?" * (name in point.assumed) for name in names]
        table.add_row(*cells, clean(named(point.offers)))
    return table


def _gaps(front: "Front") -> list[str]:
    """Return where points may be missing, in words."""
    words = {term: "more" if term == "performance" else "less" for term in front.terms}
    shown = [
        "- " + ", ".join(f"{words[t]} than {_shown(t, value)} {front.units[t]}" for t, value in gap.items())
        for gap in front.gaps[:_MOST_GAPS]
    ]
    more = len(front.gaps) - _MOST_GAPS
    return [*shown, f"- and {more} more"] if more > 0 else shown


def _shown(term: str, value: float) -> str:
    return format_eur(round(value * 1e6)).removesuffix(" EUR") if term == "cost" else f"{value:,.6g}"
