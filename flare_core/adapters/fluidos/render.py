"""All objects of an intent without a cluster: what would be bought, offloaded and run, in that order.

What only a cluster can tell is told apart: who buys, the providers' addresses and their Liqo ids, for which
the providers' names stand in.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from flare_core import Inventory, Options, place, read_inventory
from flare_core.adapters.fluidos import deploy, names
from flare_core.adapters.fluidos.buying import bodies
from flare_core.adapters.fluidos.buying.lots import lots_of, slots_of
from flare_core.adapters.fluidos.inventory.flavor import flavors_of
from flare_core.adapters.fluidos.settings import FluidosSettings, Identity
from flare_core.adapters.fluidos.solver import express
from flare_core.adapters.gateway.backend import Order
from flare_core.errors import OptionsError
from flare_core.quantities import parse_moment

if TYPE_CHECKING:
    from flare_core import Intent

Json = dict[str, Any]

BUYER: Final = Identity(domain="fluidos.eu", node_id="buyer", ip="")
"""Stands for who buys, where no setting says it."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Objects, what is to be said of them, and whether an intent has none because it cannot be placed."""

    objects: tuple[Json, ...]
    remarks: tuple[str, ...]
    refused: bool = False


def rendered(
    intents: "Sequence[Intent]",
    offers: Inventory,
    settings: FluidosSettings,
    *,
    now: str | datetime,
    options: Options | None = None,
) -> Rendered:
    """Place intents, and return the objects of those that are placed.

    Offers that are no flavors (of several nodes, say) are first written as the flavors that FLUIDOS would
    make of them, one for each node.
    """
    stock = _as_flavors(offers, settings)
    plan = place(list(intents), stock, now=now, options=options)
    objects: list[Json] = []
    remarks: list[str] = list(plan.warnings)
    refused = False
    for intent, placement in zip(intents, plan.to_dict()["placements"], strict=True):
        if placement["status"] != "placed":
            refused = True
            why = (placement["error"] or {}).get("message") or placement["status"]
            remarks.append(f"{intent.name} is not placed: {why}")
            continue
        order = _order(intent, placement, now)
        objects += order_objects(order, stock, settings)
        remarks += [f"{intent.name}: {remark}" for remark in deploy.remarks(order, settings)]
    if objects:
        remarks.append("buyer, addresses and Liqo ids are the cluster's; here names stand in for them")
    return Rendered(tuple(objects), tuple(remarks), refused)


def order_objects(order: Order, stock: Inventory, settings: FluidosSettings) -> list[Json]:
    """Return the objects of one order: the purchase, the namespace, the workload."""
    slots = slots_of(stock, {str(seat["offer"]) for seat in order.placement["assignments"]})
    lots = lots_of(order, slots)
    providers = {seat["offer"]: str(seat["provider"]) for seat in order.placement["assignments"]}
    buyer = settings.buyer or BUYER
    found: list[Json] = []
    for lot in lots:
        provider = names.name(providers[lot.offer])
        seller = Identity(domain=BUYER.domain, node_id=provider, ip="").to_dict()
        found.append(bodies.reservation(order, settings, lot, buyer, seller))
    found += [bodies.allocation(order, settings, lot, names.contract(lot.offer)) for lot in lots]
    found.append(bodies.workload_namespace(order, settings))
    found.append(bodies.offloading(order, settings, map(names.name, providers.values())))
    nodes = {names.node_key(lot.offer, lot.node): names.contract(lot.offer) for lot in lots}
    where = names.namespace(order.key)
    return [*found, *deploy.objects(order, nodes, namespace=where, settings=settings, slots=slots)]


def solvers(intents: "Iterable[Intent]", settings: FluidosSettings) -> Rendered:
    """Return a Solver for each intent, and what none of them says."""
    objects: list[Json] = []
    remarks: list[str] = []
    for intent in intents:
        said = express(intent, name=intent.name, intent_id=_intent_id(intent), settings=settings)
        objects.append(said.solver)
        remarks += [f"{intent.name}: not said: {each.path}: {each.reason}" for each in said.unsaid]
    return Rendered(tuple(objects), tuple(remarks))


def as_yaml(objects: Iterable[Mapping[str, Any]]) -> str:
    """Return objects as one YAML text, keys in their order, without aliases."""
    return yaml.dump_all(
        list(objects), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, explicit_start=True
    )


def write_files(objects: Sequence[Mapping[str, Any]], folder: str) -> int:
    """Write each object to a file whose name says its place in the order; return how many.

    Raises
    ------
    OptionsError
        If the folder or a file cannot be written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for number, each in enumerate(objects, 1):
            name = f"{number:03d}-{each['kind'].lower()}-{each['metadata']['name']}.yaml"
            (Path(folder) / name).write_text(as_yaml([each]), encoding="utf-8")
    except OSError as error:
        raise OptionsError("output", f"{folder} cannot be written: {error.strerror or error}") from None
    return len(objects)


class _Dumper(yaml.SafeDumper):
    """Writes a value out wherever it stands, and text of several lines as such."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _as_flavors(offers: Inventory, settings: FluidosSettings) -> Inventory:
    one_each = all(offers.value("nodes", row) == 1 for row in range(len(offers)))
    if one_each and all(names.is_subdomain(name) for name in offers.ids):
        return offers
    return read_inventory(list(flavors_of(offers, namespace=settings.namespace, elastic=2)))


def _intent_id(intent: "Intent") -> str:
    """Return an id that is the same for the same intent."""
    document = json.dumps(intent.to_dict(), sort_keys=True, separators=(",", ":"))
    return f"intent-{hashlib.sha256(document.encode()).hexdigest()[:32]}"


def _order(intent: "Intent", placement: Mapping[str, Any], now: str | datetime) -> Order:
    moment = now if isinstance(now, datetime) else parse_moment(now)
    return Order(
        key=f"{_intent_id(intent)}-1",
        intent_id=_intent_id(intent),
        user="",
        intent=intent,
        document="",
        placement=placement,
        placed_at=moment.astimezone(UTC),
    )
