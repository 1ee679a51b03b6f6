"""The commands in one place, and the one place where errors become exit statuses."""

import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from flare_core.adapters.cli.argv import spread
from flare_core.adapters.cli.bench import bench
from flare_core.adapters.cli.config import config
from flare_core.adapters.cli.doctor import doctor
from flare_core.adapters.cli.explain import explain
from flare_core.adapters.cli.explore import explore
from flare_core.adapters.cli.fluidos import fluidos
from flare_core.adapters.cli.inventory import inventory
from flare_core.adapters.cli.output import INTERNAL, UNKNOWN, WRONG_INPUT, emit, emit_json, note, refusal
from flare_core.adapters.cli.pareto import pareto
from flare_core.adapters.cli.place import place
from flare_core.adapters.cli.remote import accept, cancel, list_, resources, status, submit
from flare_core.adapters.cli.serve import serve
from flare_core.adapters.cli.token import token
from flare_core.adapters.cli.verify import verify

app = typer.Typer(
    name="flare",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        emit(f"flare {version('flare-core')}\n")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")
]


@app.callback()
def _flare(show_version: Version = False) -> None:
    """Decide where GPU work runs: intents and offers in, a proven, checked placement out.

    [bold]Examples[/bold]

      flare doctor
      flare place intent.json
      flare explain intent.json -i offers.json

    [bold]Exit status[/bold]

      0  every intent is placed
      1  internal error, a bug in FLARE
      2  the input is wrong
      3  at least one intent is rejected or queued
      4  otherwise, of at least one intent nothing is known
    """


app.command()(place)
app.command()(explain)
app.command()(pareto)
app.command()(explore)
app.command()(inventory)
app.command()(verify)
app.command()(bench)
app.command()(doctor)
app.command()(serve)
app.command()(submit)
app.command()(status)
app.command("list")(list_)
app.command()(cancel)
app.command()(accept)
app.command()(resources)
app.add_typer(token, name="token")
app.add_typer(fluidos, name="fluidos")
app.add_typer(config, name="config")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status.

    Parameters
    ----------
    arguments
        What stands after ``flare``; the process's own where absent.
    """
    from flare_core.errors import CancelledError, FlareError, InternalError

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a name must not end the output
    given = spread(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.exit(app(given, prog_name="flare", standalone_mode=False) or 0)
    except typer.TyperException as error:
        sys.exit(_wrong(given, "INVALID_FORMAT", f"{error.format_message()} See flare --help."))
    except CancelledError as error:
        _wrong(given, error.code.value, error.message)
        sys.exit(UNKNOWN)
    except InternalError as error:
        sys.exit(_bug(given, error))
    except FlareError as error:
        sys.exit(_wrong(given, error.code.value, error.message, error.path))
    except Exception as error:  # told as the bug that it is, status 1, nothing hidden
        sys.exit(_bug(given, error))


def _wrong(given: Sequence[str], code: str, message: str, path: str = "") -> int:
    """Tell what is wrong with the input: one line on standard error, the document if one was asked for."""
    note(f"{path}: {message}" if path else message)
    if "--json" in given:
        emit_json(refusal(code, message, path))
    return WRONG_INPUT


def _bug(given: Sequence[str], error: Exception) -> int:
    if "--debug" in given:
        traceback.print_exception(error)
    note(f"this is a bug in FLARE, please report it (--debug shows where): {type(error).__name__}: {error}")
    if "--json" in given:
        emit_json(refusal("INTERNAL", str(error), ""))
    return INTERNAL
