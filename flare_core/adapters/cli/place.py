"""``flare place``."""

from functools import partial
from typing import TYPE_CHECKING

import typer

from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.inputs import (
    DEMO,
    check_stdin,
    now_or,
    read_intent_files,
    read_offers,
    read_plan,
    tell_warnings,
)
from flare_core.adapters.cli.output import emit_drawn, emit_json, note, status_of, write_drawing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from flare_core import Intent, Plan


def place(
    intents: opt.Intents,
    inventory: opt.Inventories = None,
    assume: opt.Assume = None,
    usd_eur: opt.UsdEur = None,
    now: opt.Now = None,
    current: opt.Current = None,
    origin: opt.Origin = None,
    seed: opt.Seed = None,
    time_limit: opt.TimeLimit = None,
    effort: opt.Effort = None,
    workers: opt.Workers = None,
    weights: opt.Weights = None,
    priority: opt.Priorities = None,
    migration_cost: opt.MigrationCost = None,
    as_json: opt.AsJson = False,
    explain: opt.Explain = False,
    gantt: opt.Gantt = None,
    no_live: opt.NoLive = False,
    debug: opt.Debug = False,
) -> None:
    """Place intents on offers, all of them together.

    [bold]Examples[/bold]

      flare place intent.json
      flare place intent.json -i offers.json --origin DE --explain
      flare place intent.json --current plan.json --migration-cost "0.50 EUR"
      flare place a.json b.json -i catalogs/ --usd-eur 0.92 --assume known.json
      cat intents.jsonl | flare place - --json --now 2026-01-15T10:35:00Z --weights cost=0.7,carbon=0.3
    """
    import flare_core as flare
    from flare_core.adapters.cli.progress import watched

    files = inventory or []
    check_stdin(*intents, *files, current or "")
    settings = opt.search_options(
        seed=seed,
        time_limit=time_limit,
        effort=effort,
        workers=workers,
        weights=weights,
        origin=origin,
        priorities=priority or (),
        migration_cost=migration_cost,
    )
    asked = read_intent_files(intents)
    offers = read_offers(files, usd_eur=usd_eur, assume=assume)
    tell_warnings(offers)
    before, moment = None if current is None else read_plan(current), now_or(now)
    solve = partial(flare.place, asked, offers, now=moment, current=before)  # loads the solver
    plan = watched(lambda given: solve(options=given), settings, not no_live)
    if gantt is not None:
        write_drawing("gantt", gantt, plan.svg())
    if as_json:
        _print(plan, demo=not files)
    else:
        _show(plan, asked, moment, demo=not files, explain=explain)
    raise typer.Exit(status_of(plan))


def _print(plan: "Plan", *, demo: bool) -> None:
    if demo:
        note(DEMO)
    emit_json(plan.to_dict())


def _show(
    plan: "Plan", asked: "Sequence[Intent]", moment: "str | datetime", *, demo: bool, explain: bool
) -> None:
    from flare_core.adapters.cli.look import looks
    from flare_core.adapters.cli.plans import drawn_plan

    emit_drawn(*([DEMO] if demo else []), drawn_plan(plan, looks(plan, asked, moment), explain=explain))
