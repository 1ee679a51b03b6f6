"""``flare token``: tokens on the console, straight in the store, so that there can be a first one."""

from typing import TYPE_CHECKING, Annotated

import typer

from flare_core.adapters.cli import console
from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.output import clean, emit, emit_drawn, emit_json, note

if TYPE_CHECKING:
    from datetime import datetime

    from flare_core.adapters.gateway.tokens import Token

token = typer.Typer(help="Make, list and revoke API tokens, in the store itself: no token is needed.")

User = Annotated[str | None, typer.Option("--user", metavar="USER", help="Whose; all users where absent.")]


@token.command()
def create(
    name: Annotated[str, typer.Option(help="What it is for.")] = "console",
    user: Annotated[str, typer.Option(metavar="USER", help="Whose; made known when new.")] = "admin",
    permission: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What it is good for. May be repeated. \\[default: admin:*]"),
    ] = None,
    expires_in: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Such as 30d or 1y. \\[default: token_life_s]")
    ] = None,
    store: console.StoreUrl = None,
    config: console.Config = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Make a token, and print it: it is never shown again.

    Nothing else is printed on standard output: TOKEN=$(flare token create) works.

    [bold]Examples[/bold]

      flare token create
      flare token create --user ada --permission intents:read --permission intents:write --expires-in 30d
    """
    from flare_core.adapters.gateway.tokens import Permission, mint, read_permissions

    found, now = console.loaded(config, store_url=store), console.now()
    with console.telling(as_json), console.opened(found) as books, books.write("token.create") as connection:
        made = mint(
            connection,
            user,
            name,
            now,
            permissions=read_permissions(permission or [Permission.ADMIN]),
            life_s=None if expires_in is None else _seconds(expires_in),
            settings=found.settings,
        )
    if as_json:
        emit_json({**_document(made.token, now), "token": made.secret})
    else:
        emit(f"{made.secret}\n")
        shown = _document(made.token, now)
        good_for = ", ".join(sorted(made.token.permissions))
        note(f"{made.token.id} of {user}, good for {good_for}, until {shown['expires_at']}")


@token.command("list")
def list_(
    user: User = None,
    store: console.StoreUrl = None,
    config: console.Config = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """List tokens, without what is secret.

    [bold]Examples[/bold]

      flare token list
      flare token list --user ada --json
    """
    from flare_core.adapters.cli.tables import table_of
    from flare_core.adapters.gateway.tokens import every_token

    found, now = console.loaded(config, store_url=store), console.now()
    with console.telling(as_json), console.opened(found) as books, books.read() as connection:
        rows = [_document(each, now) for each in every_token(connection, user)]
    if as_json:
        return emit_json({"tokens": rows})
    columns = ("token_id", "user", "name", "permissions", "expires_at", "last_used", "status")
    table = table_of(*((name.replace("_", " "), "left") for name in columns))
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    return emit_drawn(table) if rows else note("no tokens yet: flare token create")


@token.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN_ID", help="Such as tok_0123….")],
    store: console.StoreUrl = None,
    config: console.Config = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Revoke a token for good, on all workers at once.

    [bold]Examples[/bold]

      flare token revoke tok_0f1e2d3c4b5a69788796a5b4c3d2e1f0
    """
    from flare_core.adapters.gateway.tokens import Permission, Token
    from flare_core.adapters.gateway.tokens import revoke as revoked

    found, now = console.loaded(config, store_url=store), console.now()
    by = Token("console", "console", "console", frozenset({Permission.ADMIN}), now, now)
    with console.telling(as_json), console.opened(found) as books, books.write("token.revoke") as connection:
        done = revoked(connection, by, token_id, now)
    if as_json:
        emit_json(_document(done, now))
    else:
        note(f"{done.id} of {done.user} is revoked")


@token.command()
def secret() -> None:
    """Print a new secret that is no token yet: for the file that bootstrap_token_file names.

    [bold]Examples[/bold]

      flare token secret > admin.token
    """
    from flare_core.adapters.gateway.tokens import new_secret

    emit(f"{new_secret()}\n")


def _seconds(duration: str) -> int:
    from flare_core.errors import OptionsError
    from flare_core.quantities import QuantityError, parse_duration_s

    try:
        return parse_duration_s(duration)
    except QuantityError as error:
        raise OptionsError("expires_in", str(error)) from None


def _document(each: "Token", now: "datetime") -> dict[str, "str | list[str] | None"]:
    return {
        "token_id": each.id,
        "user": each.user,
        "name": each.name,
        "permissions": sorted(each.permissions),
        "created_at": _moment(each.created),
        "expires_at": _moment(each.expires),
        "last_used": None if each.last_used is None else _moment(each.last_used),
        "status": each.status(now).value,
    }


def _cell(value: str | list[str] | None) -> str:
    if isinstance(value, list):
        return "\n".join(value)
    return "never" if value is None else clean(value)


def _moment(moment: "datetime") -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
