"""Connecting: the slice of the provider gets its GPUs, and its virtual node shows them.

FLUIDOS asks Liqo for CPU, memory and pods alone; without this a pod that asks for a GPU stays pending.
"""

from collections.abc import Iterator

from flare_core.adapters.fluidos.buying.ground import Bought, Ground
from flare_core.adapters.fluidos.buying.lots import Lot, lacks
from flare_core.adapters.fluidos.buying.outcomes import ImpossibleError
from flare_core.adapters.fluidos.buying.waits import Wait
from flare_core.adapters.fluidos.cluster import Json
from flare_core.adapters.fluidos.errors import DeniedError, InvalidError
from flare_core.adapters.fluidos.kinds import NODE, RESOURCE_SLICE


def connect(ground: Ground) -> Iterator[Wait]:
    """See that every virtual node has what was bought."""
    for lot in ground.lots:
        bought = ground.memory.bought[lot.index]
        found = ground.cluster.find(RESOURCE_SLICE, bought.contract, bought.tenant)
        if found is None:
            yield Wait(f"the slice of the provider of {lot.offer}", lot.capacity)
            continue
        yield from _granted(_extended(ground, lot, bought, found), lot)
        yield from _shown(ground, lot, bought)


def _extended(ground: Ground, lot: Lot, bought: Bought, found: Json) -> Json:
    missing = lacks(lot.extras(), found["spec"].get("resources") or {})
    if not missing:
        return found
    change = {"spec": {"resources": missing}}
    try:
        return ground.cluster.patch(RESOURCE_SLICE, bought.contract, change, bought.tenant)
    except (InvalidError, DeniedError) as error:
        raise ImpossibleError(f"no GPUs on the node of {lot.offer}: {error.brief}", lot.capacity) from error


def _granted(found: Json, lot: Lot) -> Iterator[Wait]:
    status = found.get("status") or {}
    states = {one["type"]: one for one in status.get("conditions") or ()}
    for kind in ("Authentication", "Resources"):
        state = states.get(kind) or {}
        if state.get("status") == "Denied":
            told = state.get("message") or kind
            raise ImpossibleError(f"the provider of {lot.offer} denied its slice: {told}", lot.capacity)
        if state.get("status") != "Accepted":
            yield Wait(f"the provider of {lot.offer} to accept its slice", lot.capacity)
            return
    missing = lacks(lot.extras(), status.get("resources") or {})
    if missing:
        told = ", ".join(f"{value} {key}" for key, value in sorted(missing.items()))
        yield Wait(f"the provider of {lot.offer} to grant {told}", lot.capacity, sold_twice=True)


def _shown(ground: Ground, lot: Lot, bought: Bought) -> Iterator[Wait]:
    node = ground.cluster.find(NODE, bought.contract)
    if node is None:
        yield Wait(f"the virtual node of {lot.offer}", lot.capacity)
        return
    status = node.get("status") or {}
    ready = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    if ready.get("Ready") != "True":
        yield Wait(f"the virtual node of {lot.offer} to be ready", lot.capacity)
    missing = lacks(lot.extras(), status.get("allocatable") or {})
    if missing:
        told = ", ".join(f"{value} {key}" for key, value in sorted(missing.items()))
        yield Wait(f"the virtual node of {lot.offer} to show {told}", lot.capacity, sold_twice=True)
