"""Offloading: the namespace of the workload, mirrored at the providers."""

from collections.abc import Iterator

from flare_core.adapters.fluidos.buying.bodies import offloading, workload_namespace
from flare_core.adapters.fluidos.buying.ensure import ensure
from flare_core.adapters.fluidos.buying.ground import Ground
from flare_core.adapters.fluidos.buying.waits import Wait
from flare_core.adapters.fluidos.kinds import NAMESPACE, NAMESPACE_OFFLOADING


def offload(ground: Ground) -> Iterator[Wait]:
    """Have the namespace offloaded to all the providers."""
    everything = tuple(each for lot in ground.lots for each in lot.capacity)
    namespace = ensure(ground, NAMESPACE, workload_namespace(ground.order, ground.settings))
    if "deletionTimestamp" in namespace["metadata"]:
        yield Wait("an earlier namespace of the workload to go", everything)
        return
    ids = {bought.liqo_id for bought in ground.memory.bought.values()}
    body = offloading(ground.order, ground.settings, ids)
    found = ensure(ground, NAMESPACE_OFFLOADING, body, "clusterSelector", "podOffloadingStrategy")
    phase = (found.get("status") or {}).get("offloadingPhase")
    if phase != "Ready":
        yield Wait(f"the namespace to be offloaded ({phase or 'not begun'})", everything)
