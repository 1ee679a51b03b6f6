"""Orphans: what carries FLARE's label and has no order behind it any more, as after a restored store."""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.buying.bodies import FEDERATION
from flare_core.adapters.fluidos.buying.ground import Memory
from flare_core.adapters.fluidos.buying.undo import Way, undo
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.errors import ClusterError
from flare_core.adapters.fluidos.kinds import ALLOCATION, NAMESPACE, RESERVATION
from flare_core.adapters.fluidos.settings import FluidosSettings


@dataclass(frozen=True, slots=True)
class Orphan:
    """The objects of an order that nobody knows.

    Attributes
    ----------
    order
        Value of the label that names it.
    objects
        What carries it: ``Kind name``.
    waits
        What is still waited for; empty once all is gone, and in a dry run.
    leftovers
        What could not be undone.
    """

    order: str
    objects: tuple[str, ...]
    waits: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()


def sweep(
    cluster: Cluster,
    settings: FluidosSettings,
    keys: Collection[str] | Callable[[], Collection[str]],
    now: datetime,
    *,
    dry_run: bool = True,
) -> tuple[Orphan, ...]:
    """Find, and undo unless `dry_run`, what no order of `keys` stands behind.

    Parameters
    ----------
    keys
        The keys of all orders that live; everything else that FLARE made for this FLUIDOS namespace goes. A
        function is called after the cluster was looked at, so that an order that comes meanwhile is known.

    Raises
    ------
    ClusterError
        The cluster does not answer.
    """
    federation = names.label_value(settings.namespace)
    of_all = f"{names.selector()},{FEDERATION}={federation},{names.ORDER}"
    found: dict[str, list[str]] = defaultdict(list)
    for kind, namespace in (
        (RESERVATION, settings.namespace),
        (ALLOCATION, settings.namespace),
        (NAMESPACE, None),
    ):
        for item in cluster.list(kind, namespace, labels=of_all).items:
            order = item["metadata"]["labels"][names.ORDER]
            found[order].append(f"{kind.kind} {item['metadata']['name']}")
    alive = {names.label_value(key) for key in (keys() if callable(keys) else keys)}
    orphans = tuple(Orphan(order, tuple(sorted(found[order]))) for order in sorted(found.keys() - alive))
    if dry_run:
        return orphans
    return tuple(_undone(cluster, settings, orphan, now) for orphan in orphans)


def _undone(cluster: Cluster, settings: FluidosSettings, orphan: Orphan, now: datetime) -> Orphan:
    labels = f"{names.selector()},{names.ORDER}={orphan.order}"
    memory = Memory()
    try:
        waits = undo(Way(cluster, settings, labels, now, memory))
    except ClusterError as error:
        waits = [error.message]
    return Orphan(orphan.order, orphan.objects, tuple(waits), tuple(memory.owed))
