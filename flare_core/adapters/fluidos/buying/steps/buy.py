"""Buying: the reservations are let go through, and each becomes a Contract."""

from collections.abc import Iterator

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.buying.ground import Bought, Ground
from flare_core.adapters.fluidos.buying.lots import Lot
from flare_core.adapters.fluidos.buying.outcomes import ImpossibleError, LostError
from flare_core.adapters.fluidos.buying.steps.reserve import SOLVED, refuse_if_failed
from flare_core.adapters.fluidos.buying.waits import Wait
from flare_core.adapters.fluidos.cluster import Json
from flare_core.adapters.fluidos.errors import InvalidError
from flare_core.adapters.fluidos.kinds import CONTRACT, RESERVATION


def buy(ground: Ground) -> Iterator[Wait]:
    """Buy every lot, and see whose the contracts are."""
    for lot in ground.lots:
        reservation = _purchased(ground, lot)
        status = reservation.get("status") or {}
        refuse_if_failed(status, lot)
        name = (status.get("contract") or {}).get("name")
        if (status.get("phase") or {}).get("phase") != SOLVED or not name:
            yield Wait(f"the provider to sell {lot.offer}", lot.capacity)
            continue
        contract = ground.cluster.find(CONTRACT, name, ground.namespace)
        if contract is None:
            if ground.past:
                raise LostError(f"the contract for {lot.offer} was deleted by somebody else")
            yield Wait(f"the contract for {lot.offer}", lot.capacity)
            continue
        _refuse_if_sold_twice(contract, status, ground, lot)
        ground.memory.bought[lot.index] = bought(contract)


def _purchased(ground: Ground, lot: Lot) -> Json:
    name = names.name("reservation", ground.order.key, str(lot.index))
    reservation = ground.cluster.get(RESERVATION, name, ground.namespace)
    if reservation["spec"].get("purchase"):
        return reservation
    try:
        return ground.cluster.patch(RESERVATION, name, {"spec": {"purchase": True}}, ground.namespace)
    except InvalidError as error:
        raise ImpossibleError(f"{lot.offer} cannot be bought: {error.brief}", lot.capacity) from error


def bought(contract: Json) -> Bought:
    """Return what a contract says of the seller, and nothing of the credentials in it."""
    spec = contract["spec"]
    liqo = (spec["seller"].get("additionalInformation") or {}).get("liqoID")
    liqo = liqo or spec["peeringTargetCredentials"]["liqoID"]
    return Bought(contract["metadata"]["name"], spec["transactionID"], liqo, spec["seller"]["nodeID"])


def _refuse_if_sold_twice(contract: Json, status: Json, ground: Ground, lot: Lot) -> None:
    """A contract is named after its flavor alone: that of another sale bears the same name."""
    spec = contract["spec"]
    mine = status.get("transactionID"), ground.buyer.node_id
    if (spec.get("transactionID"), spec["buyer"].get("nodeID")) != mine:
        told = f"{lot.offer} was sold twice: its contract belongs to another purchase"
        raise ImpossibleError(told, lot.capacity, sold_twice=True)
