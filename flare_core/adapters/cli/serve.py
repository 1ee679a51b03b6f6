"""``flare serve``."""

import json
import logging
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from flare_core.adapters.cli import console
from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.inputs import DEMO
from flare_core.adapters.cli.output import emit

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flare_core.adapters.gateway.settings import Settings

_LISTENING = "Listening"
_log = logging.getLogger(__name__)

Offers: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--inventory",
        "-i",
        metavar="FILE",
        help="What is offered: a file or a folder, read again when it changes. May be repeated. "
        "Without it the bundled demonstration federation.",
    ),
]


Host: TypeAlias = Annotated[
    str | None, typer.Option(rich_help_panel=_LISTENING, help="Address to listen on. \\[default: 127.0.0.1]")
]
Port: TypeAlias = Annotated[
    int | None, typer.Option(rich_help_panel=_LISTENING, help="Port; 0 is any free one. \\[default: 8080]")
]
Workers: TypeAlias = Annotated[
    int | None, typer.Option(rich_help_panel=_LISTENING, help="Worker processes. \\[default: 1]")
]
Backend: TypeAlias = Annotated[
    str | None, typer.Option(help="Who runs what is chosen: local or fluidos. \\[default: local]")
]
LogLevel: TypeAlias = Annotated[
    str | None,
    typer.Option(rich_help_panel=opt.SHOWING, help="debug, info, warning or error. \\[default: info]"),
]
LogFormat: TypeAlias = Annotated[
    str | None, typer.Option(rich_help_panel=opt.SHOWING, help="json, or text for people. \\[default: json]")
]


def serve(
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    backend: Backend = None,
    inventory: Offers = None,
    assume: opt.Assume = None,
    usd_eur: opt.UsdEur = None,
    origin: opt.Origin = None,
    store: console.StoreUrl = None,
    config: console.Config = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Serve the REST API until it is told to stop.

    Every setting has a default; flare config show tells them all, and how to set them.

    [bold]Examples[/bold]

      flare serve
      flare serve --port 0 --workers 4 --inventory offers/ --store postgresql://flare@db/flare
      FLARE_BOOTSTRAP_TOKEN_FILE=/run/secrets/admin flare serve --config flare.toml
    """
    from flare_core.adapters.cli.serving import listening, prepared, url_of
    from flare_core.adapters.gateway import logs

    found = console.loaded(
        config,
        host=host,
        port=port,
        workers=workers,
        backend=backend,
        inventory=inventory,
        assume=assume,
        usd_eur=usd_eur,
        origin=origin,
        store_url=store,
        log_level=log_level,
        log_format=log_format,
    )
    logs.configure(found.settings)
    with console.telling(as_json), console.opened(found) as books, books.write() as connection:
        admin = has_admin(connection, found.settings, console.now())
    with listening(found.settings) as bound:
        run = prepared(found.settings, bound)
        _tell(url_of(bound), found.document(), admin, as_json)
        run()


def has_admin(connection: "Connection", settings: "Settings", now: datetime) -> bool:
    """Return whether somebody can make tokens, once the bootstrap file is read, in a ``write`` transaction.

    Raises
    ------
    OptionsError
        If the file cannot be read, or holds no token of ours.
    """
    from flare_core.adapters.gateway import tokens
    from flare_core.errors import ErrorCode, OptionsError

    if settings.bootstrap_token_file is None:
        return tokens.has_admin(connection, now)
    secret = _secret_in(settings.bootstrap_token_file)
    try:
        return tokens.verify(connection, secret, now).may(tokens.Permission.ADMIN)
    except tokens.TokenError as error:
        if error.code != ErrorCode.INVALID_TOKEN:
            _log.warning("the bootstrap token is good no more", extra={"code": error.code.value})
            return tokens.has_admin(connection, now)
    try:
        tokens.first_admin(connection, now, name="bootstrap", settings=settings, secret=secret)
    except OptionsError as error:
        raise OptionsError("bootstrap_token_file", error.message) from None
    return True


def _secret_in(path: Path) -> str:
    from flare_core.errors import OptionsError

    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no text"
        raise OptionsError("bootstrap_token_file", f"found no file that can be read ({reason})") from None


def _tell(url: str, settings: dict[str, object], admin: bool, as_json: bool) -> None:
    """Say where it is and what to do first, before the first request is answered."""
    if as_json:
        # On one line: the document does not end the output, so a reader must know where it ends.
        return emit(json.dumps({"url": url, "workers": settings["workers"], "admin_token": admin}) + "\n")
    emit(f"listening on {url}, docs at {url}/docs, explorer at {url}/ui\n")
    if not settings["inventory"] and settings["backend"] == "local":
        emit(f"{DEMO}\n")
    if not admin:
        emit("No admin token yet. To make one, with the same settings: flare token create\n")
    return None
