"""What the commands of the gateway share: its settings, its store, and its errors told in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from flare_core.adapters.cli.output import UNKNOWN, WRONG_INPUT, emit_json, note, refusal

if TYPE_CHECKING:
    from flare_core.adapters.gateway.settings import Loaded
    from flare_core.adapters.gateway.store import Store

_GATEWAY = "Gateway"

Config: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        rich_help_panel=_GATEWAY,
        help="Settings in TOML; FLARE_CONFIG names one too. FLARE_<NAME> goes before it.",
    ),
]
StoreUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        rich_help_panel=_GATEWAY,
        help="Where the gateway keeps its books. \\[default: sqlite:///flare.db]",
    ),
]


def loaded(config: Path | None, **options: object) -> "Loaded":
    """Read the settings."""
    from flare_core.adapters.gateway.settings import load

    return load(config, **options)


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


@contextmanager
def opened(found: "Loaded") -> "Iterator[Store]":
    """Open the store, with the newest schema."""
    from flare_core.adapters.gateway.store import open_store

    store = open_store(found.settings)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def telling(as_json: bool) -> Iterator[None]:
    """Leave with a line, and the document if one was asked for, where the gateway refuses."""
    from flare_core.adapters.gateway.errors import GatewayError, UnavailableError

    try:
        yield
    except GatewayError as error:
        note(error.message)
        if as_json:
            emit_json(refusal(error.code.value, error.message, ""))
        raise typer.Exit(UNKNOWN if isinstance(error, UnavailableError) else WRONG_INPUT) from None
