"""``flare verify``."""

from typing import Annotated

import typer

from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.inputs import check_stdin, read_intent_files, read_offers, read_plan
from flare_core.adapters.cli.output import PLACED, REFUSED, clean, emit, emit_json


def verify(
    plan: Annotated[
        str, typer.Argument(metavar="PLAN", help="A plan as printed by place --json; - is standard input.")
    ],
    intents: opt.Intents,
    inventory: opt.Inventories = None,
    assume: opt.Assume = None,
    usd_eur: opt.UsdEur = None,
    origin: opt.Origin = None,
    current: opt.Current = None,
    now: opt.Now = None,
    migration: opt.Migration = False,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Check a saved plan against its intents and offers, by code that shares nothing with the search.

    Give it what the plan was made from: the same intents in the same order, offers, assumptions, origin, and
    where it was made around a plan that plan and the moment.
    Exit status: 0 nothing is violated, 3 something is.

    [bold]Examples[/bold]

      flare verify plan.json intent.json -i offers.json
      flare place intent.json --json | flare verify - intent.json
    """
    import flare_core as flare
    from flare_core.errors import OptionsError

    files = inventory or []
    check_stdin(plan, *intents, *files, *([current] if current else []))
    document, before = read_plan(plan), None if current is None else read_plan(current)
    if before is not None and now is None:
        raise OptionsError("--now", "is missing, expected the moment of the plan beside --current")
    asked = read_intent_files(intents)
    offers = read_offers(files, usd_eur=usd_eur, assume=assume)
    found = flare.verify(
        document,
        asked,
        offers,
        origin=opt.read_origin(origin),
        current=before,
        now=now,
        migration=migration,
    )
    if as_json:
        violations = [{"rule": v.rule, "path": v.path, "message": v.message} for v in found]
        emit_json({"status": "violated" if found else "ok", "violations": violations})
    elif found:
        emit("".join(f"{clean(str(violation))}\n" for violation in found))
    else:
        emit("nothing is violated\n")
    raise typer.Exit(REFUSED if found else PLACED)
