"""Options that several commands share, and the reading of their texts."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from flare_core import Options

_READING, _SEARCH, SHOWING = "Reading", "Search", "Showing"

Intents: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="INTENT", help="Files of one or more intents (JSON, JSON Lines); - is standard input."
    ),
]
Inventories: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--inventory",
        "-i",
        metavar="FILE",
        rich_help_panel=_READING,
        help="What is offered: a file, a directory with vms.csv below, a pattern, or -. May be repeated. "
        "Without it the bundled demonstration federation.",
    ),
]
Assume: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_READING,
        help="JSON with what you know and the offers do not say, by provider or provider/region.",
    ),
]
UsdEur: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="RATE", rich_help_panel=_READING, help="Euro for one US dollar, such as 0.92."),
]
Now: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ISO", rich_help_panel=_READING, help="When the plan is made. \\[default: the present]"
    ),
]
Current: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--current",
        metavar="PLAN",
        rich_help_panel=_READING,
        help="A plan as printed by place --json: what of it runs stays where it is.",
    ),
]
MigrationCost: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="EUR",
        rich_help_panel=_SEARCH,
        help='What moving a task of a running service costs, such as "0.50 EUR"; services may then be moved.',
    ),
]
Migration: TypeAlias = Annotated[
    bool, typer.Option("--migration", rich_help_panel=_READING, help="Running services may have been moved.")
]
Origin: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        rich_help_panel=_READING,
        help="Where the consumer sits, for latencies: 48.1,11.6 or DE or aws/eu-west-1.",
    ),
]
Seed: TypeAlias = Annotated[
    int | None, typer.Option(rich_help_panel=_SEARCH, help="Random seed of the solver. \\[default: 0]")
]
TimeLimit: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", rich_help_panel=_SEARCH, help="Wall-clock fuse of the search. \\[default: 10]"
    ),
]
Effort: TypeAlias = Annotated[
    float | None,
    typer.Option(
        rich_help_panel=_SEARCH, help="Deterministic time after which a search ends. \\[default: 1.5]"
    ),
]
Workers: TypeAlias = Annotated[
    int | None, typer.Option(rich_help_panel=_SEARCH, help="Threads of the solver. \\[default: 1]")
]
Weights: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TERM=W,...",
        rich_help_panel=_SEARCH,
        help="Weights of Balanced_Optimization: cost, performance, latency, carbon.",
    ),
]
Priorities: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--priority",
        metavar="NAME=W",
        rich_help_panel=_SEARCH,
        help="How much placing this intent counts beside the others. May be repeated. \\[default: 1]",
    ),
]
# The next two are also read by `main`, which needs them where a command was not even entered.
AsJson: TypeAlias = Annotated[
    bool,
    typer.Option("--json", rich_help_panel=SHOWING, help="Print exactly one JSON document, nothing else."),
]
Explain: TypeAlias = Annotated[
    bool, typer.Option("--explain", rich_help_panel=SHOWING, help="Show what each rule removed.")
]
Gantt: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE.svg", rich_help_panel=SHOWING, help="Draw when the tasks run into a file, too."
    ),
]
NoLive: TypeAlias = Annotated[
    bool, typer.Option("--no-live", rich_help_panel=SHOWING, help="No bound and gap while solving.")
]
Debug: TypeAlias = Annotated[
    bool, typer.Option("--debug", rich_help_panel=SHOWING, help="Show the traceback of an internal error.")
]


def search_options(
    *,
    seed: int | None,
    time_limit: float | None,
    effort: float | None,
    workers: int | None,
    weights: str | None,
    origin: str | None,
    priorities: Sequence[str],
    migration_cost: str | None = None,
) -> "Options":
    """Return the options of a search; what was not given keeps the library's default."""
    from flare_core import Options

    given = {"seed": seed, "time_limit": time_limit, "effort": effort, "workers": workers}
    return Options(
        **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]  # one type each
        weights=None if weights is None else read_pairs(weights.split(","), "weights", "cost=0.5,carbon=0.5"),
        origin=read_origin(origin),
        priorities=read_pairs(priorities, "priorities", "--priority my-service=2"),
        migration_cost=migration_cost,
    )


def read_pairs(pairs: Sequence[str], path: str, example: str) -> Mapping[str, float]:
    """Read ``name=number`` pairs, each name once."""
    from flare_core.errors import OptionsError, found_expected

    read: dict[str, float] = {}
    for pair in pairs:
        name, _, number = (part.strip() for part in pair.rpartition("="))
        if not name or name in read or not _is_number(number):
            raise OptionsError(path, found_expected(pair, f"a name once and its number, such as {example}"))
        read[name] = float(number)
    return read


def read_origin(origin: str | None) -> tuple[float, float] | str | None:
    """Read where the consumer sits: ``lat,lon`` in degrees, otherwise the name of a place as it is."""
    if origin is None or origin.count(",") != 1:
        return origin
    lat, lon = origin.split(",")
    return (float(lat), float(lon)) if _is_number(lat) and _is_number(lon) else origin


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
