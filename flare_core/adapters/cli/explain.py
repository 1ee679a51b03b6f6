"""``flare explain``."""

from typing import TYPE_CHECKING, Annotated

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
from flare_core.adapters.cli.output import clean, emit_drawn, emit_json, note, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import RenderableType

    from flare_core import Explanation


def explain(
    intent: Annotated[
        str, typer.Argument(metavar="INTENT", help="A file of one intent; - is standard input.")
    ],
    inventory: opt.Inventories = None,
    assume: opt.Assume = None,
    usd_eur: opt.UsdEur = None,
    now: opt.Now = None,
    origin: opt.Origin = None,
    seed: opt.Seed = None,
    time_limit: opt.TimeLimit = None,
    effort: opt.Effort = None,
    workers: opt.Workers = None,
    weights: opt.Weights = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Say why an intent is placed where it is, or why it is not, and what would change that.

    Everything it tells was found by placing the intent again in a world that differs in just that.

    [bold]Examples[/bold]

      flare explain intent.json
      flare explain intent.json -i offers.json --origin DE
      flare explain - -i catalogs/ --usd-eur 0.92 --json < intent.json
    """
    import flare_core as flare
    from flare_core.errors import OptionsError

    files = inventory or []
    check_stdin(intent, *files)
    settings = opt.search_options(
        seed=seed,
        time_limit=time_limit,
        effort=effort,
        workers=workers,
        weights=weights,
        origin=origin,
        priorities=(),
    )
    asked = read_intent_files([intent])
    if len(asked) != 1:
        raise OptionsError(intent, f"found {len(asked)} intents, expected one to be explained")
    offers = read_offers(files, usd_eur=usd_eur, assume=assume)
    tell_warnings(offers)
    told = flare.explain(asked[0], offers, now=now_or(now), options=settings)
    if as_json:
        if not files:
            note(DEMO)
        emit_json(told.to_dict())
    else:
        emit_drawn(*([] if files else [DEMO]), *_drawn(told))
    raise typer.Exit(status_of(told.plan))


def _drawn(told: "Explanation") -> "Iterator[RenderableType]":
    """Yield what is told in words, then what each rule removed."""
    from rich.text import Text

    from flare_core.adapters.cli.tables import Fitting, drawn_funnel
    from flare_core.explanation.words import sections

    for number, (title, lines) in enumerate(sections(told)):
        yield Text(("\n" if number else "") + clean(title), style="bold")
        yield _listed(lines)
    yield Text("\nWhat each rule removed", style="bold")
    yield Fitting(lambda width: drawn_funnel(told.funnel, width))
    yield "alone: fail this rule; first: it is their first reason; only: they fail no other"
    if told.plan.warnings:
        yield Text("\nWarnings", style="bold")
        yield _listed(told.plan.warnings)


def _listed(lines: "Iterable[str]") -> "RenderableType":
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    for line in lines:
        table.add_row(" -", clean(line))
    return table
