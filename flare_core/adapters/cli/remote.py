"""``flare submit``, ``status``, ``list``, ``cancel``, ``resources``: a gateway elsewhere."""

from typing import TYPE_CHECKING, Annotated, TypeAlias
from uuid import uuid4

import typer

from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.inputs import check_stdin, read_intent_files
from flare_core.adapters.cli.output import UNKNOWN, emit_drawn, emit_json, note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flare_core import Intent
    from flare_core.adapters.cli.far import Row
    from flare_core.client import FlareClient
    from flare_core.client import Intent as Known

_GATEWAY = "Gateway"

Url: TypeAlias = Annotated[
    str,
    typer.Option(envvar="FLARE_URL", metavar="URL", rich_help_panel=_GATEWAY, help="Where the gateway is."),
]
Token: TypeAlias = Annotated[
    str,
    typer.Option(
        envvar="FLARE_TOKEN",
        metavar="TOKEN",
        rich_help_panel=_GATEWAY,
        show_default=False,
        help="An API token; in the environment it shows in no list of processes.",
    ),
]
IntentIds: TypeAlias = Annotated[list[str], typer.Argument(metavar="INTENT_ID")]
Wait: TypeAlias = Annotated[
    bool, typer.Option("--wait", "-w", help="Follow until it runs, ends or has an offer to accept.")
]
HERE = "http://127.0.0.1:8080"


def submit(
    intents: opt.Intents,
    url: Url = HERE,
    token: Token = "",
    wait: Wait = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be placed where; keep nothing.")
    ] = False,
    key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            metavar="KEY",
            help="By which a submission of one intent is known again, to be sent twice and done once.",
        ),
    ] = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Submit intents to a gateway, one after the other.

    [bold]Examples[/bold]

      export FLARE_URL=https://flare.example FLARE_TOKEN=flr_…
      flare submit intent.json --wait
      flare submit intents.jsonl --json
    """
    from flare_core.adapters.cli import far
    from flare_core.errors import OptionsError

    check_stdin(*intents)
    asked = read_intent_files(intents)
    if key is not None and len(asked) > 1:
        raise OptionsError("--idempotency-key", f"found {len(asked)} intents, expected one for one key")
    with far.reached(url, token, as_json) as client:
        if dry_run:
            return _dry_run(client, asked, as_json)
        rows = [_submitted(client, each, key or uuid4().hex, wait) for each in asked]
    _show(rows, as_json)
    raise typer.Exit(far.worst(map(far.status_of, rows)))


def status(
    intent_ids: IntentIds,
    url: Url = HERE,
    token: Token = "",
    wait: Wait = False,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Show what has become of intents.

    [bold]Examples[/bold]

      flare status intent-417dd4cd75275bf2788d0517d0be46f4
      flare status intent-417dd4cd75275bf2788d0517d0be46f4 --wait --json
    """
    from flare_core.adapters.cli import far

    with far.reached(url, token, as_json) as client:
        rows = [_row(_followed if wait else _got, client, each) for each in intent_ids]
    _show(rows, as_json)
    raise typer.Exit(far.worst(map(far.status_of, rows)))


def list_(
    url: Url = HERE,
    token: Token = "",
    only: Annotated[
        str | None,
        typer.Option("--status", metavar="WORD", help="pending, running, completed, failed or cancelled."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only workloads of this name.")] = None,
    user: Annotated[str | None, typer.Option(help="Another user's; takes admin:*.")] = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """List your intents, newest first.

    [bold]Examples[/bold]

      flare list
      flare list --status running --json
    """
    from flare_core.adapters.cli import far

    with far.reached(url, token, as_json) as client:
        rows = list(client.intents(status=only, name=name, user=user))
    _show(rows, as_json)


def cancel(
    intent_ids: IntentIds,
    url: Url = HERE,
    token: Token = "",
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Cancel intents; what they hold is released.

    [bold]Examples[/bold]

      flare cancel intent-417dd4cd75275bf2788d0517d0be46f4
    """
    from flare_core.adapters.cli import far
    from flare_core.client import ClientError

    with far.reached(url, token, as_json) as client:
        rows = [_row(_cancelled, client, each) for each in intent_ids]
    _show(rows, as_json)
    raise typer.Exit(far.worst(far.status_of(row) for row in rows if isinstance(row, ClientError)))


def accept(
    intent_id: Annotated[str, typer.Argument(metavar="INTENT_ID")],
    offer: Annotated[str, typer.Argument(metavar="OFFER_TOKEN", help="As flare status tells it.")],
    url: Url = HERE,
    token: Token = "",
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Accept the offer that negotiation has made for an intent.

    [bold]Examples[/bold]

      flare accept intent-417dd4cd75275bf2788d0517d0be46f4 off_5f1c2b7a
    """
    from flare_core.adapters.cli import far

    with far.reached(url, token, as_json) as client:
        row = client.accept(intent_id, offer)
    _show([row], as_json)


def resources(
    url: Url = HERE,
    token: Token = "",
    model: Annotated[str | None, typer.Option(help="Only this GPU model.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider.")] = None,
    location: Annotated[str | None, typer.Option(help="Only there: EU, DE, eu-west-1.")] = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Show which GPUs are free, where, and what they cost.

    [bold]Examples[/bold]

      flare resources
      flare resources --model nvidia-h100 --location EU --json
    """
    from flare_core.adapters.cli import far

    with far.reached(url, token, as_json) as client:
        rows = client.resources(model=model, provider=provider, location=location)
    if as_json:
        emit_json({"available_gpus": [far.document_of(row) for row in rows]})
    elif rows:
        emit_drawn(far.drawn_resources(rows))
    else:
        note("nothing of that kind is free")


def _show(rows: "Sequence[Row]", as_json: bool) -> None:
    from flare_core.adapters.cli import far

    if as_json:
        return emit_json({"intents": [far.document_of(row) for row in rows]})
    if not rows:
        return note("no intents")
    emit_drawn(far.drawn_intents(rows))
    for row in rows:
        far.tell_offer(row)
    return None


def _dry_run(client: "FlareClient", asked: "Sequence[Intent]", as_json: bool) -> None:
    from flare_core.adapters.cli import far

    plans = [client.plan(each.to_dict()) for each in asked]
    if as_json:
        emit_json({"plans": plans})
    else:
        emit_drawn(far.drawn_plan(plans))
    raise typer.Exit(far.worst(map(far.status_of_plan, plans)))


def _row(ask: "Callable[[FlareClient, str], Row]", client: "FlareClient", intent_id: str) -> "Row":
    """Return what a gateway says of one of several intents; what is wrong with it hides no other."""
    from flare_core.adapters.cli import far
    from flare_core.client import ClientError

    try:
        return ask(client, intent_id)
    except ClientError as error:
        far.tell_error(error, intent_id)
        return error


def _got(client: "FlareClient", intent_id: str) -> "Known":
    return client.get(intent_id)


def _cancelled(client: "FlareClient", intent_id: str) -> "Known":
    return client.cancel(intent_id)


def _submitted(client: "FlareClient", asked: "Intent", key: str, wait: bool) -> "Row":
    from flare_core.adapters.cli import far
    from flare_core.client import ClientError

    try:
        made = client.submit(asked.to_dict(), idempotency_key=key)
        return _followed(client, made.intent_id) if wait else made
    except ClientError as error:
        far.tell_error(error, asked.name)
        return error
    except KeyboardInterrupt:
        note(f"whether {asked.name} was accepted is not known; the same again: --idempotency-key {key}")
        raise typer.Exit(UNKNOWN) from None


def _followed(client: "FlareClient", intent_id: str) -> "Known":
    """Return an intent once it runs, has ended or has an offer, telling on standard error what happens."""
    try:
        for event in client.events(intent_id):
            note(f"{intent_id} {event.state}: {event.reason}")
            if event.ended or event.status == "running":
                break
            if event.state == "queued" and client.get(intent_id).offer is not None:
                break
        return client.get(intent_id)
    except KeyboardInterrupt:
        note(f"{intent_id} goes on by itself; to go on watching: flare status {intent_id} --wait")
        raise typer.Exit(UNKNOWN) from None
