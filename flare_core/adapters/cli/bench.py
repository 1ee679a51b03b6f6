"""``flare bench``."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.output import emit_drawn, emit_json, note

if TYPE_CHECKING:
    from rich.table import Table

_MEASURING = "Measuring"
_TABLES = {
    "engine": "benchmarks.table",
    "gateway": "benchmarks.gateway.table",
    "openb": "benchmarks.openb_table",
    "peers": "benchmarks.peers",
}


def bench(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[engine|gateway|openb|peers]",
            help="Placing intents, the gateway under load, thousands of tasks of the openb trace, or "
            "FLARE beside others: FLARE_PEERS_PYTHON names an interpreter with SkyPilot.",
        ),
    ] = "engine",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            rich_help_panel=_MEASURING,
            help="The shared data, with gpu-offers/ in it; otherwise FLARE_BENCH_DATA, or ../shared/data "
            "beside the repository. Rows that need it are left out where it is absent.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", rich_help_panel=_MEASURING, help="Some of the rows. May be repeated."),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", rich_help_panel=_MEASURING, help="All the rows of openb, those that take long as well."
        ),
    ] = False,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Measure what is promised of speed and memory, on this machine. Needs a checkout of the repository.

    Takes a few minutes. Times of the engine are CPU times, medians in a warm process; the least time stands
    beside them. The gateway runs as four processes, on SQLite and on PostgreSQL.

    [bold]Examples[/bold]

      flare bench
      flare bench --only single --only import --json
      flare bench gateway --only submit
      flare bench openb --all
    """
    _check("what", [what], tuple(_TABLES))
    table = _module(_TABLES[what])
    _check("only", only or [], tuple(table.GROUPS))
    wanted = only or (table.QUICK if what == "openb" and not everything else tuple(table.GROUPS))
    rows = []
    for row in table.measured(*([] if what == "gateway" else [table.data_folder(data)]), wanted):
        note(f"measured: {row.what}")
        rows.append(row)
    if as_json:
        emit_json({"rows": [row.to_dict() for row in rows]})
    else:
        emit_drawn(_drawn(rows))


def _module(name: str) -> ModuleType:
    """Return a module of the benchmarks of the checkout that this package lies in.

    Raises
    ------
    OptionsError
        If it lies in none.
    """
    from flare_core import OptionsError

    root = Path(__file__).resolve().parents[3]
    if not (root / "benchmarks" / "table.py").is_file():
        raise OptionsError(
            "bench", "found no benchmarks beside the package, expected a checkout of the repository"
        )
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return import_module(name)


def _check(option: str, wanted: list[str], known: tuple[str, ...]) -> None:
    from flare_core import OptionsError
    from flare_core.errors import found_expected

    for name in wanted:
        if name not in known:
            raise OptionsError(option, found_expected(name, f"one of {', '.join(known)}"))


def _drawn(rows: list[Any]) -> "Table":
    from flare_core.adapters.cli.tables import table_of

    table = table_of(
        ("what", "left"), ("reach", "right"), ("reached", "right"), ("least", "right"), ("met?", "left")
    )
    for row in rows:
        met = {True: "yes", False: "NO", None: "–"}[row.met]
        figures = (f"{row.reach:g} {row.unit}", _shown(row.reached), _shown(row.least))
        table.add_row("\n  ".join(filter(None, (row.what, row.note))), *figures, met)
    return table


def _shown(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.3g}"
