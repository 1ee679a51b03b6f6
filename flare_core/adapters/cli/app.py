"""The commands, and the one place where errors become exit statuses."""

import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.inputs import check_stdin, now_or, read_intent_files, read_offers, tell_warnings
from flare_core.adapters.cli.output import (
    INTERNAL,
    UNKNOWN,
    WRONG_INPUT,
    emit,
    emit_drawn,
    emit_error,
    emit_json,
    note,
    refusal,
    status_of,
)

app = typer.Typer(
    name="flare",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

DEMO = "no --inventory given: offers and prices are those of the bundled demonstration federation, invented"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status."""
    from flare_core.errors import CancelledError, FlareError, InternalError

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a name must not break the output
    given = sys.argv[1:] if arguments is None else list(arguments)
    as_json = "--json" in given
    try:
        sys.exit(app(given, prog_name="flare", standalone_mode=False) or 0)
    except typer.TyperException as error:
        note(error.format_message())
        if as_json:
            emit_json(refusal("INVALID_FORMAT", error.format_message(), ""))
        sys.exit(WRONG_INPUT)
    except CancelledError as error:
        emit_error(error, as_json=as_json)
        sys.exit(UNKNOWN)
    except InternalError as error:
        sys.exit(_bug(error, given))
    except FlareError as error:
        emit_error(error, as_json=as_json)
        sys.exit(WRONG_INPUT)
    except Exception as error:
        sys.exit(_bug(error, given))


def _bug(error: Exception, given: Sequence[str]) -> int:
    if "--debug" in given:
        traceback.print_exception(error)
    note(f"this is a bug in FLARE, please report it (--debug shows where): {type(error).__name__}: {error}")
    if "--json" in given:
        emit_json(refusal("INTERNAL", str(error), ""))
    return INTERNAL


def _version(wanted: bool) -> None:
    if wanted:
        emit(f"flare {version('flare-core')}\n")
        raise typer.Exit


@app.callback()
def flare(
    show_version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")] = False,
) -> None:
    """Decides where GPU work runs: intents and offers in, a proven, checked placement out."""


@app.command()
def place(
    intents: opt.Intents,
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
    priority: opt.Priorities = None,
    as_json: opt.AsJson = False,
    explain: Annotated[bool, typer.Option(help="Also show what each constraint removed.")] = False,
    live: Annotated[bool, typer.Option(help="Show bound and gap while solving, on a terminal.")] = True,
    debug: opt.Debug = False,
) -> None:
    """Place intents on offers, all of them together."""
    import flare_core as flare
    from flare_core.adapters.cli.progress import watched

    files = inventory or []
    check_stdin(*intents, *files)
    settings = opt.search_options(
        seed=seed,
        time_limit=time_limit,
        effort=effort,
        workers=workers,
        weights=weights,
        origin=origin,
        priorities=priority or (),
    )
    asked = read_intent_files(intents)
    offers = read_offers(files, usd_eur=usd_eur, assume=assume)
    tell_warnings(offers)
    moment = now_or(now)
    plan = watched(lambda given: flare.place(asked, offers, now=moment, options=given), settings, live=live)
    if not files:
        note(DEMO)
    if as_json:
        emit_json(plan.to_dict())
    else:
        from flare_core.adapters.cli.rows import looks
        from flare_core.adapters.cli.tables import drawn_plan

        emit_drawn(drawn_plan(plan, looks(plan, asked, moment), explain=explain))
    raise typer.Exit(status_of(plan))
