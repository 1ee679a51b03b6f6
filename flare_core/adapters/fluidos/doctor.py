"""Is everything there to buy with? Each finding says what is missing and what it is needed for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.errors import ClusterError, DeniedError, NotFoundError
from flare_core.adapters.fluidos.inventory import discovery
from flare_core.adapters.fluidos.kinds import (
    CONFIG_MAP,
    DISCOVERY,
    KNOWN_CLUSTER,
    PEERING_CANDIDATE,
    Kind,
)
from flare_core.adapters.fluidos.rbac import rights
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.inventory.flavors import part

Json = dict[str, Any]

OLDEST: Final = (1, 24)
"""Below it, indexed Jobs and ``autoscaling/v2`` are not there as they are used."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    check
        What, in few words.
    ok
        Whether it is as it has to be.
    told
        What was found.
    """

    check: str
    ok: bool
    told: str


def examine(cluster: Cluster, settings: FluidosSettings) -> tuple[Finding, ...]:
    """Look at everything; nothing is created or changed.

    Raises
    ------
    ClusterError
        The API server does not answer at all.
    """
    version = cluster.read("/version")
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _version(version),
        lambda: _kinds(cluster, settings),
        lambda: _rights(cluster, settings),
        lambda: _identity(cluster, settings),
        lambda: _providers(cluster, settings),
        lambda: _offers(cluster, settings),
    )
    return tuple(finding for check in checks for finding in _tried(check))


def _tried(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Return what a check finds; what the server refuses is a finding, too."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except ClusterError as error:
        found.append(Finding("cluster", False, error.message))
    return found


def _version(version: Json) -> Iterator[Finding]:
    told = str(version.get("gitVersion", "unknown"))
    digits = [str(version.get(key, "")).rstrip("+") for key in ("major", "minor")]
    known = all(each.isdecimal() for each in digits)
    new = known and tuple(map(int, digits)) >= OLDEST
    least = ".".join(map(str, OLDEST))
    yield Finding("version", new, f"Kubernetes {told}{'' if new else f'; at least {least} is needed'}")


def _kinds(cluster: Cluster, settings: FluidosSettings) -> Iterator[Finding]:
    """Whether every kind that is needed is served."""
    wanted = dict.fromkeys(right.kind for right in rights(settings))
    served: dict[str, set[str]] = {}
    for path in dict.fromkeys(map(_path, wanted)):
        served[path] = _served(cluster, path)
    missing = [kind for kind in wanted if kind.plural not in served[_path(kind)]]
    for kind in missing:
        yield Finding("kinds", False, f"{kind.kind} of {kind.api_version} is not served: {_source(kind)}")
    if not missing:
        yield Finding("kinds", True, f"all {len(wanted)} kinds are served")


def _path(kind: Kind) -> str:
    return f"/apis/{kind.api_version}" if kind.group else "/api/v1"


def _served(cluster: Cluster, path: str) -> set[str]:
    try:
        resources = cluster.read(path).get("resources")
    except NotFoundError:
        return set()
    return {str(part(each).get("name")) for each in (resources if isinstance(resources, list) else [])}


def _source(kind: Kind) -> str:
    if kind.group.endswith("fluidos.eu"):
        return "install FLUIDOS"
    return "install Liqo" if kind.group.endswith("liqo.io") else "this Kubernetes is too old"


def _rights(cluster: Cluster, settings: FluidosSettings) -> Iterator[Finding]:
    denied = asked = 0
    for right in rights(settings):
        where = f" in {right.namespace}" if right.namespace else ""
        for verb in right.verbs:
            names: Sequence[str | None] = right.names or (None,)
            refused = [n for n in names if not cluster.allowed(verb, right.kind, right.namespace, name=n)]
            asked += 1
            if refused:
                denied += 1
                what = f"{right.kind.plural} {', '.join(n for n in refused if n)}".strip()
                yield Finding("rights", False, f"may not {verb} {what}{where}")
    if not denied:
        yield Finding("rights", True, f"all {asked} are granted")


def _identity(cluster: Cluster, settings: FluidosSettings) -> Iterator[Finding]:
    """Who buys: without it no Reservation can be made."""
    if settings.buyer is not None:
        yield Finding("identity", True, f"{settings.buyer.node_id} of {settings.buyer.domain}, as set")
        return
    try:
        data = part(cluster.get(CONFIG_MAP, settings.identity, settings.namespace), "data")
    except (NotFoundError, DeniedError) as error:
        yield Finding("identity", False, f"ConfigMap {settings.identity}: {error.message}")
        return
    missing = [key for key in ("nodeID", "domain", "ip", "port") if not data.get(key)]
    if missing:
        lacks = f"ConfigMap {settings.identity} says no {' and no '.join(missing)}"
        yield Finding("identity", False, f"{lacks}: set the buyer (FLARE_FLUIDOS_BUYER_NODE_ID and so on)")
    else:
        yield Finding("identity", True, f"{data['nodeID']} of {data['domain']}")


def _providers(cluster: Cluster, settings: FluidosSettings) -> Iterator[Finding]:
    count = len(cluster.list(KNOWN_CLUSTER, settings.namespace).items)
    told = f"{count} known" if count else "none is known: nothing can be offered"
    yield Finding("providers", count > 0, told)


def _offers(cluster: Cluster, settings: FluidosSettings) -> Iterator[Finding]:
    """How the newest Discovery went, and whether flavors tell of GPUs."""
    found = cluster.list(DISCOVERY, settings.namespace).items
    if found:
        newest = max(found, key=discovery.turn)
        state, name = discovery.phase(newest) or "not seen by FLUIDOS", newest["metadata"]["name"]
        yield Finding("discovery", state in ("Solved", "Running"), f"{name}: {state}")
    candidates = cluster.list(PEERING_CANDIDATE, settings.namespace).items
    path = ("spec", "flavor", "spec", "flavorType", "typeData", "characteristics", "gpu")
    told = sum("count" in part(each, *path) for each in candidates)
    yield Finding("candidates", True, f"{len(candidates)} flavors, {told} of them with GPUs")
