"""``flare explore``."""

import webbrowser
from datetime import UTC, datetime
from typing import Annotated

import typer

from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.inputs import DEMO, check_stdin, read_offers, tell_warnings
from flare_core.adapters.cli.output import emit


def explore(
    inventory: opt.Inventories = None,
    assume: opt.Assume = None,
    usd_eur: opt.UsdEur = None,
    now: opt.Now = None,
    origin: opt.Origin = None,
    time_limit: opt.TimeLimit = None,
    effort: opt.Effort = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 is any free one.")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Only say the address.")] = False,
    debug: opt.Debug = False,
) -> None:
    """Open the placement explorer in a browser, on this machine alone, until Ctrl-C.

    The page asks this process and nobody else. Its address holds a random key; who does not know it gets
    nothing.

    [bold]Examples[/bold]

      flare explore
      flare explore -i offers.json --origin DE
      flare explore -i catalogs/ --usd-eur 0.92 --no-open --port 8500
    """
    from flare_core.adapters.explorer.answers import World
    from flare_core.adapters.explorer.local import Explorer
    from flare_core.engine import moment_of
    from flare_core.errors import OptionsError

    files = inventory or []
    check_stdin(*files)
    settings = opt.search_options(
        seed=None,
        time_limit=time_limit,
        effort=effort,
        workers=None,
        weights=None,
        origin=origin,
        priorities=(),
    )
    fixed = None if now is None else moment_of(now)
    offers = read_offers(files, usd_eur=usd_eur, assume=assume)
    tell_warnings(offers)
    world = World.of(offers, settings)
    try:
        server = Explorer(world, lambda: fixed or datetime.now(UTC), port)
    except OSError as error:
        raise OptionsError("port", f"found no way to listen on port {port} ({error.strerror})") from None
    if not files:
        emit(f"{DEMO}\n")
    emit(f"exploring on {server.url}\nCtrl-C ends it\n")
    if not no_open:
        webbrowser.open(server.url)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
