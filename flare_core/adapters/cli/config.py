"""``flare config``."""

import typer

from flare_core.adapters.cli import console
from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.output import clean, emit_drawn, emit_json, note

config = typer.Typer(help="The settings of the gateway.")


@config.callback()
def _config() -> None:
    """Keep `show` a word of its own."""


@config.command()
def show(
    config: console.Config = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Show every setting of flare serve, its value, and where it comes from; secrets are masked.

    [bold]Examples[/bold]

      flare config show
      FLARE_WORKERS=4 flare config show --config flare.toml --json
    """
    from flare_core.adapters.cli.tables import table_of

    found = console.loaded(config)
    values = found.document()
    flat = {name: _at(values, name) for name in found.origins}
    if as_json:
        rows = {name: {"value": value, "from": found.origins[name]} for name, value in flat.items()}
        return emit_json({"settings": rows, "unknown": list(found.unknown)})
    table = table_of(("setting", "left"), ("value", "left"), ("from", "left"))
    for name, value in flat.items():
        table.add_row(name, clean(_shown(value)), clean(found.origins[name]))
    for name in found.unknown:
        note(f"{name} is no setting")
    return emit_drawn(table)


def _at(values: dict[str, object], name: str) -> object:
    outer, _, inner = name.partition(".")
    value = values[outer]
    return value[inner] if inner and isinstance(value, dict) else value


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    if isinstance(value, bool):
        return str(value).lower()
    return "–" if value is None else str(value)
