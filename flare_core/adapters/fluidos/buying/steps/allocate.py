"""Allocating: FLUIDOS peers with the provider and has Liqo make the slice of it that was bought."""

from collections.abc import Iterator

from flare_core.adapters.fluidos.buying.bodies import allocation
from flare_core.adapters.fluidos.buying.ensure import ensure
from flare_core.adapters.fluidos.buying.ground import Ground
from flare_core.adapters.fluidos.buying.outcomes import ImpossibleError
from flare_core.adapters.fluidos.buying.waits import Wait
from flare_core.adapters.fluidos.errors import DeniedError, InvalidError
from flare_core.adapters.fluidos.kinds import ALLOCATION


def allocate(ground: Ground) -> Iterator[Wait]:
    """Have every contract carried out."""
    for lot in ground.lots:
        contract = ground.memory.bought[lot.index].contract
        body = allocation(ground.order, ground.settings, lot, contract)
        try:
            found = ensure(ground, ALLOCATION, body, "contract")
        except (InvalidError, DeniedError) as error:
            raise ImpossibleError(f"no allocation of {lot.offer}: {error.brief}", lot.capacity) from error
        status = found.get("status") or {}
        told = status.get("message") or "not begun"
        if status.get("status") in ("Error", "Released"):
            raise ImpossibleError(f"no connection to the provider of {lot.offer}: {told}", lot.capacity)
        if status.get("status") != "Active":
            yield Wait(f"the connection to the provider of {lot.offer} ({told})", lot.capacity)
