"""``flare inventory``."""

from typing import Annotated

import typer

from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.inputs import DEMO, check_stdin, read_offers
from flare_core.adapters.cli.output import clean, emit, emit_drawn, emit_json, note


def inventory(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            show_default=False,
            help="Offers: files, directories with vms.csv below, patterns, or -. "
            "Without any the bundled demonstration federation.",
        ),
    ] = None,
    assume: opt.Assume = None,
    usd_eur: opt.UsdEur = None,
    convert: Annotated[
        str | None,
        typer.Option(metavar="OUT", help="Write the offers to a .json, .jsonl, .csv or .parquet file."),
    ] = None,
    flagged: Annotated[
        bool, typer.Option("--flagged", help="List the offers whose price is not believed.")
    ] = False,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="List what was skipped, guessed or flagged in reading.")
    ] = False,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Load offers, check them, say what is there, and convert them.

    [bold]Examples[/bold]

      flare inventory offers.json
      flare inventory catalogs/ --usd-eur 0.92 --flagged
      flare inventory 'catalogs/*/vms.csv' --usd-eur 0.92 --convert offers.parquet
    """
    from flare_core.adapters.cli.convert import convert_to
    from flare_core.adapters.cli.stock import drawn_stock, summary

    check_stdin(*files or ())
    offers = read_offers(files or [], usd_eur=usd_eur, assume=assume)
    if not files:
        note(DEMO)
    if convert is not None:
        note(f"{convert_to(offers, convert)} offers written to {convert}")
    found = summary(offers)
    if as_json:
        emit_json(found.to_dict())
        return
    if flagged:
        emit("".join(f"{clean(f'{f.offer}: {f.price}, {f.why}')}\n" for f in found.flagged))
    if warnings:
        emit("".join(f"{clean(warning)}\n" for warning in offers.warnings))
    if not (flagged or warnings):
        emit_drawn(drawn_stock(found))
