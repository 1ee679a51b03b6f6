"""``flare doctor``."""

import re
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.resources import files
from importlib.util import find_spec
from typing import Annotated, Final, NamedTuple

import typer

from flare_core.adapters.cli import console
from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.output import PLACED, REFUSED, clean, emit, emit_json

EXTRAS: Final = {
    "cli": "typer",
    "client": "httpx",
    "fluidos": "lightkube",
    "gateway": "sqlalchemy",
    "otel": "opentelemetry",
    "parquet": "pyarrow",
    "plot": "matplotlib",
    "postgres": "psycopg",
    "ray": "ray",
}
"""A module of each extra, by which its presence is seen."""
OK, WARN, FAIL = "ok", "warn", "fail"
LEAST_PYTHON: Final = (3, 11)
PORT: Final = 8080


class Finding(NamedTuple):
    """What one check found: ``ok``, ``warn`` (something will not be at hand) or ``fail`` (it is broken)."""

    check: str
    status: str
    told: str


def doctor(
    store: console.StoreUrl = None,
    config: console.Config = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="A port of 127.0.0.1 that flare serve is to listen on.")
    ] = PORT,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Check that this installation works: Python, libraries, extras, solver, data, time zones, port, store.

    Leaves with status 3 where something is broken; what is merely absent is a warning.

    [bold]Examples[/bold]

      flare doctor
      flare doctor --store sqlite:///flare.db --json
    """
    found = list(findings(port, None if store is None and config is None else (store, config)))
    if as_json:
        emit_json({"ok": all(f.status != FAIL for f in found), "findings": [f._asdict() for f in found]})
    else:
        emit("".join(f"{each.status:<5}{each.check:<11}{clean(each.told)}\n" for each in found))
    raise typer.Exit(REFUSED if any(each.status == FAIL for each in found) else PLACED)


def findings(port: int, store: "tuple[str | None, console.Config] | None") -> Iterator[Finding]:
    """Yield what each check finds; the store is looked at where one is named."""
    yield _python()
    yield from map(_library, sorted(_libraries()))
    yield from (_extra(name, module) for name, module in EXTRAS.items())
    yield _tried("solver", _solver)
    yield _tried("data", _data)
    yield _tried("time zones", _zones)
    yield _port(port)
    if store is not None:
        url, config = store
        yield _tried("store", lambda: _store(url, config))


def _tried(check: str, look: Callable[[], str]) -> Finding:
    """Return what a check tells; whatever it raises is what is broken."""
    try:
        return Finding(check, OK, look())
    except Exception as error:  # any failure is the finding
        return Finding(check, FAIL, f"{type(error).__name__}: {error}")


def _python() -> Finding:
    shown = ".".join(map(str, sys.version_info[:3]))
    least = ".".join(map(str, LEAST_PYTHON))
    enough = sys.version_info >= LEAST_PYTHON
    return Finding("python", OK if enough else FAIL, f"{shown}, at least {least} is needed")


def _libraries() -> Iterator[str]:
    """Yield what the core requires, as the package states it."""
    for requirement in requires("flare-core") or ():
        if ";" not in requirement:
            yield requirement


def _library(requirement: str) -> Finding:
    """Hold what is installed against a requirement such as ``numpy>=2.1,<3``."""
    name = re.split("[<>=]", requirement)[0]
    wanted = requirement.removeprefix(name)
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding("library", FAIL, f"{name} is missing, {wanted} is needed")
    bounds = re.findall(r"(>=|<)([0-9.]+)", wanted)
    good = all((_parts(found) >= _parts(bound)) is (sign == ">=") for sign, bound in bounds)
    return Finding("library", OK if good else FAIL, f"{name} {found}, {wanted} is needed")


def _parts(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", number)[:3])


def _extra(name: str, module: str) -> Finding:
    there = find_spec(module) is not None
    told = f"{name} is there" if there else f"{name} is not: pip install flare-core[{name}]"
    return Finding("extra", OK if there else WARN, told)


def _solver() -> str:
    from flare_core.solve.selftest import solver_finds_what_is_known

    return f"OR-Tools {solver_finds_what_is_known()} proves a known optimum"


def _data() -> str:
    import flare_core as flare
    from flare_core.inventory.demo import demo_inventory

    example = files("flare_core") / "examples" / "01-llm-inference.json"
    intent, offers = flare.read_intent(example.read_text(encoding="utf-8")), demo_inventory()
    plan = flare.place(intent, offers, now="2026-01-15T10:35:00Z")
    if plan.outcome is not flare.Outcome.OPTIMAL:
        raise ValueError(f"found {plan.outcome} for {intent.name}, expected it to be placed")
    return f"{len(offers)} demonstration offers, on which {intent.name} is placed"


def _zones() -> str:
    from zoneinfo import ZoneInfo, available_timezones

    summer = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Dublin")).utcoffset()
    if summer != timedelta(hours=1):
        raise ValueError(f"found {summer} in Dublin's summer, expected an hour")
    return f"{len(available_timezones())} zones"


def _port(port: int) -> Finding:
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", port))
        except OSError as error:
            return Finding(
                "port", WARN, f"{port} cannot be listened on ({error.strerror}): --port takes another"
            )
    return Finding("port", OK, f"{port} is free")


def _store(url: str | None, config: "console.Config") -> str:
    found = console.loaded(config, store_url=url)
    with console.opened(found) as books, books.read():
        return "the store answers, with the newest schema"
