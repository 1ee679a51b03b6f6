"""What a gateway elsewhere says: reached, drawn, and as exit statuses."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import typer
from rich.table import Table

from flare_core.adapters.cli.output import (
    INTERNAL,
    PLACED,
    REFUSED,
    UNKNOWN,
    WRONG_INPUT,
    clean,
    emit_json,
    note,
    refusal,
)
from flare_core.adapters.cli.tables import table_of
from flare_core.client import (
    AnswerError,
    ApiError,
    ClientError,
    FlareClient,
    Gpus,
    Intent,
    QuotaError,
    RateLimitedError,
    RefusedError,
    ServerError,
    Submitted,
    UnavailableError,
    UnreachableError,
)
from flare_core.errors import OptionsError
from flare_core.quantities import format_moment

Row: TypeAlias = Submitted | Intent | ClientError

_STATUS: Final = {
    RefusedError: REFUSED,
    QuotaError: REFUSED,
    UnavailableError: UNKNOWN,
    RateLimitedError: UNKNOWN,
    UnreachableError: UNKNOWN,
    ServerError: INTERNAL,
    AnswerError: INTERNAL,
}
_WORST_FIRST: Final = (INTERNAL, WRONG_INPUT, REFUSED, UNKNOWN, PLACED)
_PLACED: Final = frozenset({"reserved", "running", "completed"})


@contextmanager
def reached(url: str, token: str, as_json: bool) -> Iterator[FlareClient]:
    """Speak with a gateway; what it refuses ends the command, told in a line, and as JSON if asked for."""
    if not token:
        raise OptionsError("FLARE_TOKEN", "found no API token, expected one there or by --token")
    try:
        client = FlareClient(url, token)
    except ValueError as error:
        raise OptionsError("FLARE_URL, FLARE_TOKEN", str(error)) from None
    with client:
        try:
            yield client
        except ClientError as error:
            tell_error(error)
            if as_json:
                emit_json(document_of(error))
            raise typer.Exit(status_of(error)) from None


def tell_error(error: ClientError, name: str = "") -> None:
    """Say what is wrong, and what would help, on standard error."""
    about = f"{name}: " if name else ""
    if not isinstance(error, ApiError):
        return note(f"{about}{error}")
    where = f"{error.path}: " if error.path and not error.message.startswith(error.path) else ""
    note(f"{about}{where}{error.message} ({error.code}, {error.request_id})")
    for each in error.suggestions:
        figures = (f"cost {each.get('cost_difference')}", f"performance {each.get('performance_impact')}")
        note(f"  instead: {each.get('alternative')}, {', '.join(figures)}")
    return None


def tell_offer(row: Row) -> None:
    """Say how an offer is accepted."""
    if not isinstance(row, ClientError) and row.offer is not None and row.offer.token is not None:
        until = format_moment(row.offer.valid_until)
        note(f"to accept the offer until {until}: flare accept {row.intent_id} {row.offer.token}")


def status_of(row: Row) -> int:
    """Return the exit status that tells what became of an intent."""
    if isinstance(row, ClientError):
        return _STATUS.get(type(row), WRONG_INPUT)
    if row.offer is not None or row.status in ("failed", "cancelled"):
        return REFUSED
    if isinstance(row, Submitted):
        return PLACED if row.data.assignments else UNKNOWN
    return PLACED if row.state in _PLACED else REFUSED if row.state == "queued" else UNKNOWN


def status_of_plan(plan: Mapping[str, Any]) -> int:
    """Return the exit status that tells what a plan would do with its intents."""
    became = {placement["status"] for placement in plan["placements"]}
    if became & {"rejected", "queued"}:
        return REFUSED
    return UNKNOWN if "unknown" in became else PLACED


def worst(statuses: Iterable[int]) -> int:
    """Return the exit status of several."""
    found = set(statuses)
    return next((status for status in _WORST_FIRST if status in found), PLACED)


def document_of(value: object) -> Any:
    """Return what a gateway has said as JSON; an error as its document."""
    if isinstance(value, ApiError):
        return dict(value.document)
    if isinstance(value, ClientError):
        code = "UNAVAILABLE" if isinstance(value, UnreachableError) else "INTERNAL"
        return refusal(code, str(value), "")
    if is_dataclass(value) and not isinstance(value, type):
        return document_of(asdict(value))
    if isinstance(value, Mapping):
        return {name: document_of(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [document_of(each) for each in value]
    return format_moment(value) if isinstance(value, datetime) else value


def drawn_intents(rows: Sequence[Row]) -> Table:
    """Return intents as a table."""
    headings = ("intent", "status", "EUR/h", "where", "message")
    table = table_of(*((name, "right" if name == "EUR/h" else "left") for name in headings))
    for row in rows:
        if isinstance(row, ClientError):
            code = row.code if isinstance(row, ApiError) else "no answer"
            table.add_row("", code, "", "", clean(row.message if isinstance(row, ApiError) else str(row)))
        else:
            rate = (row.estimated_cost or "").removesuffix(" EUR/hour")
            known = (_named(row), _state(row), rate, _where(row), row.message)
            table.add_row(*map(clean, known))
    return table


def _named(row: Submitted | Intent) -> str:
    return f"{row.workload.name} {row.intent_id}" if isinstance(row, Intent) else row.intent_id


def _state(row: Submitted | Intent) -> str:
    return row.state if isinstance(row, Intent) else row.status


def _where(row: Submitted | Intent) -> str:
    placed = row.assignments if isinstance(row, Intent) else row.data.assignments
    return ", ".join(sorted({f"{each.provider} {each.region}" for each in placed}))


def drawn_plan(plans: Sequence[Mapping[str, Any]]) -> Table:
    """Return what plans would do."""
    table = table_of(
        ("intent", "left"), ("status", "left"), ("EUR/h", "right"), ("where", "left"), ("why", "left")
    )
    for placement in (each for plan in plans for each in plan["placements"]):
        rate = (placement["hourly_cost"] or "").removesuffix(" EUR/hour")
        where = ", ".join(sorted({f"{a['provider']} {a['region']}" for a in placement["assignments"]}))
        why = (placement["error"] or {}).get("message", "")
        table.add_row(*map(clean, (placement["intent"], placement["status"], rate, where, why)))
    return table


def drawn_resources(rows: Sequence[Gpus]) -> Table:
    """Return free GPUs as a table."""
    table = table_of(
        ("model", "left"),
        ("memory", "right"),
        ("free", "right"),
        ("provider", "left"),
        ("location", "left"),
        ("EUR/h", "right"),
        ("spot", "right"),
    )
    for row in rows:
        prices = [(price or "").removesuffix(" EUR") for price in (row.cost_per_hour, row.spot_cost_per_hour)]
        free = "elastic" if row.count is None else str(row.count)
        cells = (row.model, row.memory or "", free, row.provider, row.location, *prices)
        table.add_row(*map(clean, cells))
    return table
