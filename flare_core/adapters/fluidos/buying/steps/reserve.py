"""Reserving: a Reservation for each lot, which FLUIDOS turns into a Transaction with the provider."""

from collections.abc import Iterator

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.buying.bodies import reservation
from flare_core.adapters.fluidos.buying.ensure import ensure
from flare_core.adapters.fluidos.buying.ground import Ground
from flare_core.adapters.fluidos.buying.lots import Lot
from flare_core.adapters.fluidos.buying.outcomes import ImpossibleError
from flare_core.adapters.fluidos.buying.waits import Wait
from flare_core.adapters.fluidos.cluster import Json
from flare_core.adapters.fluidos.errors import DeniedError, InvalidError
from flare_core.adapters.fluidos.kinds import PEERING_CANDIDATE, RESERVATION

SOLVED = "Solved"
ENDED_BADLY = ("Failed", "Timed Out")


def reserve(ground: Ground) -> Iterator[Wait]:
    """Reserve every lot; none is bought before all are reserved."""
    for lot in ground.lots:
        found = _reservation(ground, lot)
        ground.sellers[lot.offer] = found["spec"]["seller"]["nodeID"]
        status = found.get("status") or {}
        refuse_if_failed(status, lot)
        if status.get("reservePhase") != SOLVED or not status.get("transactionID"):
            told = (status.get("phase") or {}).get("message") or "not begun"
            yield Wait(f"the provider of {lot.offer} to reserve it ({told})", lot.capacity)


def refuse_if_failed(status: Json, lot: Lot) -> None:
    """Raise what a Reservation that ended badly means."""
    phase = status.get("phase") or {}
    if phase.get("phase") in ENDED_BADLY:
        told = phase.get("message") or phase["phase"]
        sold = "not available" in told  # somebody was quicker: no fault of the provider's
        raise ImpossibleError(f"the provider refused {lot.offer}: {told}", lot.capacity, blame=not sold)


def _reservation(ground: Ground, lot: Lot) -> Json:
    name = names.name("reservation", ground.order.key, str(lot.index))
    seller = None
    if not ground.past and ground.cluster.find(RESERVATION, name, ground.namespace) is None:
        seller = _candidate(ground, lot)["spec"]["flavor"]["spec"]["owner"]
    # Whose a Reservation is can be seen without the candidate, which may be gone by then.
    body = reservation(ground.order, ground.settings, lot, ground.buyer, seller)
    try:
        return ensure(ground, RESERVATION, body, "solverID", "peeringCandidate", "buyer")
    except (InvalidError, DeniedError) as error:
        raise ImpossibleError(f"no reservation of {lot.offer}: {error.brief}", lot.capacity) from error


def _candidate(ground: Ground, lot: Lot) -> Json:
    found = ground.cluster.find(PEERING_CANDIDATE, names.candidate(lot.offer), ground.namespace)
    if found is None or lot.node != 0:
        raise ImpossibleError(f"{lot.offer} is not offered any more", lot.capacity, blame=False)
    if not found["spec"].get("available"):
        raise ImpossibleError(f"{lot.offer} is taken already", lot.capacity, blame=False)
    seller = str(found["spec"]["flavor"]["spec"]["owner"]["nodeID"])
    if not ground.circuits.admits(seller, ground.now):
        told = f"provider {seller} of {lot.offer} has failed too often; it is left alone for a while"
        raise ImpossibleError(told, lot.capacity, blame=False)
    return found
