"""``flare fluidos``: what would be created, what the federation offers, whether all is there to buy."""

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from flare_core.adapters.cli import console
from flare_core.adapters.cli import options as opt
from flare_core.adapters.cli.inputs import check_stdin, now_or, read_intent_files, read_offers, tell_warnings
from flare_core.adapters.cli.output import REFUSED, clean, emit, emit_drawn, emit_json, note

if TYPE_CHECKING:
    from flare_core import Inventory
    from flare_core.adapters.fluidos.buying.sweep import Orphan
    from flare_core.adapters.fluidos.cluster import Cluster
    from flare_core.adapters.fluidos.settings import FluidosSettings
    from flare_core.adapters.gateway.store import Store

fluidos = typer.Typer(help="FLUIDOS: render the objects, read the federation, check what is there.")

_CLUSTER: Final = "Cluster"
_PAUSE_S: Final = 0.5
Kubeconfig: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_CLUSTER,
        help="How to reach the cluster. \\[default: the pod's account, $KUBECONFIG, ~/.kube/config]",
    ),
]
Context: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", rich_help_panel=_CLUSTER, help="Context of the kubeconfig.")
]
Namespace: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", rich_help_panel=_CLUSTER, help="Where FLUIDOS keeps its objects. \\[default: fluidos]"
    ),
]


@fluidos.command()
def render(
    intents: opt.Intents,
    inventories: opt.Inventories = None,
    assume: opt.Assume = None,
    usd_eur: opt.UsdEur = None,
    now: opt.Now = None,
    origin: opt.Origin = None,
    namespace: Namespace = None,
    solver: Annotated[
        bool, typer.Option("--solver", help="Say the intents in FLUIDOS's own language instead: Solvers.")
    ] = False,
    output: Annotated[
        str | None, typer.Option(metavar="DIR", help="Write a file for each object, in their order.")
    ] = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Print every object that would be created for intents, as YAML; no cluster is needed.

    Settings are read from variables such as FLARE_FLUIDOS_STORAGE_CLASS.

    [bold]Examples[/bold]

      flare fluidos render intent.json --inventory flavors.yaml
      flare fluidos render intent.json --output manifests/
      flare fluidos render intent.json --solver
    """
    from flare_core import Options
    from flare_core.adapters.fluidos.render import as_yaml, rendered, solvers, write_files

    check_stdin(*intents, *(inventories or ()), *([assume] if assume else ()))
    settings, wanted = _settings(namespace), read_intent_files(intents)
    if solver:
        found = solvers(wanted, settings)
    else:
        offers = read_offers(inventories or [], usd_eur=usd_eur, assume=assume)
        tell_warnings(offers)
        search = Options(origin=opt.read_origin(origin))
        found = rendered(wanted, offers, settings, now=now_or(now), options=search)
    for remark in found.remarks:
        note(remark)
    if output is not None:
        note(f"{write_files(found.objects, output)} objects written to {output}")
    elif as_json:
        emit_json({"apiVersion": "v1", "kind": "List", "items": list(found.objects)})
    else:
        emit(as_yaml(found.objects))
    if found.refused:
        raise typer.Exit(REFUSED)


@fluidos.command()
def inventory(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    assume: opt.Assume = None,
    wait: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="How long a first answer is waited for. \\[default: 60]"),
    ] = None,
    convert: Annotated[
        str | None,
        typer.Option(metavar="OUT", help="Write the offers to a .json, .jsonl, .csv or .parquet file."),
    ] = None,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="List what was left out, skipped or guessed in reading.")
    ] = False,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Ask the federation what it offers, and show or convert it.

    [bold]Examples[/bold]

      flare fluidos inventory
      flare fluidos inventory --convert offers.json
    """
    from flare_core.adapters.cli.convert import convert_to
    from flare_core.adapters.cli.stock import drawn_stock, summary

    offers = _discovered(_settings(namespace), kubeconfig, context, assume, wait)
    if convert is not None:
        note(f"{convert_to(offers, convert)} offers written to {convert}")
    found = summary(offers)
    if as_json:
        emit_json(found.to_dict())
    elif warnings:
        emit("".join(f"{clean(warning)}\n" for warning in offers.warnings))
    else:
        emit_drawn(drawn_stock(found))


@fluidos.command()
def doctor(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Check a cluster: version, FLUIDOS and Liqo, rights, identity, providers. Nothing is changed.

    Leaves with status 3 where anything is missing.

    [bold]Examples[/bold]

      flare fluidos doctor
      flare fluidos doctor --context lab --json
    """
    from flare_core.adapters.fluidos.doctor import examine

    settings = _settings(namespace)
    with _connected(kubeconfig, context) as cluster:
        found = examine(cluster, settings)
    ok = all(finding.ok for finding in found)
    if as_json:
        listed = [{"check": each.check, "ok": each.ok, "told": each.told} for each in found]
        emit_json({"ok": ok, "findings": listed})
    else:
        emit(
            "".join(
                f"{'ok  ' if each.ok else 'FAIL'} {each.check:<10} {clean(each.told)}\n" for each in found
            )
        )
    if not ok:
        raise typer.Exit(REFUSED)


@fluidos.command()
def sweep(
    undo: Annotated[
        bool, typer.Option("--undo", help="Undo what is found; without it, it is only listed.")
    ] = False,
    store: console.StoreUrl = None,
    config: console.Config = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Find what FLARE has created and no order of the gateway stands behind, as after a restored store.

    The store has to be that of all gateways that buy for this FLUIDOS namespace: what it does not know goes.
    Leaves with status 3 while anything is left.

    [bold]Examples[/bold]

      flare fluidos sweep
      flare fluidos sweep --undo --store postgresql://flare@db/flare
    """
    found = console.loaded(config, store_url=store)
    with console.telling(as_json), console.opened(found) as books, _connected(kubeconfig, context) as cluster:
        orphans = _swept(cluster, _settings(namespace), books, undo)
    if as_json:
        emit_json({"orphans": [asdict(each) for each in orphans]})
    else:
        emit("".join(f"{clean(line)}\n" for each in orphans for line in _told(each)))
    if any(each.waits or not undo for each in orphans):
        raise typer.Exit(REFUSED)


def _told(orphan: "Orphan") -> Iterator[str]:
    yield f"{orphan.order}: {', '.join(orphan.objects)}"
    yield from (f"  waits for {each}" for each in orphan.waits)
    yield from (f"  cannot be undone: {each}" for each in orphan.leftovers)


def _swept(
    cluster: "Cluster", settings: "FluidosSettings", books: "Store", undo: bool
) -> "tuple[Orphan, ...]":
    """Look, and where that is wanted undo, until nothing is waited for or time is up."""
    from flare_core.adapters.fluidos.buying.sweep import sweep as swept
    from flare_core.adapters.fluidos.errors import ClusterError
    from flare_core.adapters.gateway.orders import living
    from flare_core.errors import OptionsError

    def alive() -> tuple[str, ...]:
        with books.read() as connection:
            return living(connection)

    until = time.monotonic() + settings.deadlines.release_s
    known: dict[str, Orphan] = {}
    while True:
        try:
            orphans = swept(cluster, settings, alive, datetime.now(UTC), dry_run=not undo)
        except ClusterError as error:
            raise OptionsError("cluster", error.message) from None
        known = {order: replace(each, waits=()) for order, each in known.items()}
        for each in orphans:
            before = known.setdefault(each.order, each)
            leftovers = dict.fromkeys((*before.leftovers, *each.leftovers))
            known[each.order] = replace(before, waits=each.waits, leftovers=tuple(leftovers))
        waits = any(each.waits for each in known.values())
        if not undo or not waits or time.monotonic() > until:
            return tuple(known.values())
        time.sleep(_PAUSE_S)


@fluidos.command()
def rbac(
    account: Annotated[str, typer.Option(metavar="NAME", help="Service account of the backend.")] = "flare",
    account_namespace: Annotated[str, typer.Option(metavar="NAME", help="Where it lies.")] = "flare",
    namespace: Namespace = None,
    as_json: opt.AsJson = False,
    debug: opt.Debug = False,
) -> None:
    """Print the account of the backend and the roles with the least that it needs, as YAML.

    [bold]Examples[/bold]

      flare fluidos rbac > rbac.yaml
      flare fluidos rbac --account gateway --account-namespace platform
    """
    from flare_core.adapters.fluidos.rbac import manifest
    from flare_core.adapters.fluidos.render import as_yaml

    objects = manifest(_settings(namespace), account=account, namespace=account_namespace)
    if as_json:
        emit_json({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    else:
        emit(as_yaml(objects))


def _settings(namespace: str | None) -> "FluidosSettings":
    from flare_core.adapters.fluidos.settings import read_settings

    found = read_settings(os.environ)
    return found if namespace is None else replace(found, namespace=namespace)


def _connected(kubeconfig: str | None, context: str | None) -> "Cluster":
    from flare_core.adapters.fluidos.cluster import Cluster
    from flare_core.adapters.fluidos.errors import ClusterError
    from flare_core.errors import OptionsError

    try:
        return Cluster.connect(kubeconfig, context)
    except ClusterError as error:
        raise OptionsError("kubeconfig", error.message) from None


def _discovered(
    settings: "FluidosSettings",
    kubeconfig: str | None,
    context: str | None,
    assume: str | None,
    wait: float | None,
) -> "Inventory":
    """Return what is offered, waiting for the first answer."""
    from flare_core.adapters.cli.inputs import read_json
    from flare_core.adapters.fluidos.errors import ClusterError
    from flare_core.adapters.fluidos.inventory import Source
    from flare_core.errors import OptionsError

    assumptions = None if assume is None else read_json(assume, "assume")
    if assumptions is not None and not isinstance(assumptions, dict):
        raise OptionsError("assume", "found no object, expected one of providers")
    patience = settings.deadlines.discovery_s if wait is None else wait
    with _connected(kubeconfig, context) as cluster:
        try:
            return Source(cluster, settings, assume=assumptions).wait(patience)
        except ClusterError as error:
            raise OptionsError("cluster", error.message) from None
