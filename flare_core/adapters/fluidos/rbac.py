"""What the backend may do, and nothing beside: one list for the manifest and for the check of it.

FLUIDOS's own objects lie in one namespace, so a Role is enough for them. Workloads get a namespace each and
Liqo makes one for every provider, whose names are not known beforehand: what lies there needs a ClusterRole.
Of Secrets the backend has no right at all, unless it is told to copy them. Contracts hold credentials of
providers: who may read them is as good as the consumer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from flare_core.adapters.fluidos.kinds import (
    ALLOCATION,
    AUTOSCALER,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CONFIG_MAP,
    CONTRACT,
    DEPLOYMENT,
    DISCOVERY,
    INGRESS,
    JOB,
    KNOWN_CLUSTER,
    NAMESPACE,
    NAMESPACE_OFFLOADING,
    NETWORK_POLICY,
    NODE,
    PEERING_CANDIDATE,
    POD,
    RESERVATION,
    RESOURCE_SLICE,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    TRANSACTION,
    VOLUME_CLAIM,
    Kind,
)
from flare_core.adapters.fluidos.settings import FluidosSettings

Json = dict[str, Any]

ACCOUNT: Final = "flare"
_KEPT: Final = ("create", "delete", "get", "list")
_WORKLOAD: Final = (
    *(SERVICE, VOLUME_CLAIM, DEPLOYMENT, JOB, INGRESS, NETWORK_POLICY, AUTOSCALER),
    *(NAMESPACE, NAMESPACE_OFFLOADING),
)


@dataclass(frozen=True, slots=True)
class Right:
    """What may be done to one kind.

    Attributes
    ----------
    namespace
        Where; None is everywhere.
    names
        To which objects; empty is all.
    """

    kind: Kind
    verbs: tuple[str, ...]
    namespace: str | None = None
    names: tuple[str, ...] = ()


def rights(settings: FluidosSettings) -> tuple[Right, ...]:
    """Return all that the backend needs with these settings."""
    own = settings.namespace
    found = [
        Right(DISCOVERY, ("create", "delete", "list", "watch"), own),
        Right(
            PEERING_CANDIDATE,
            (*(("delete",) if settings.delete_candidates else ()), "get", "list", "watch"),
            own,
        ),
        Right(RESERVATION, (*_KEPT, "patch"), own),
        Right(CONTRACT, ("delete", "get", "list", "watch"), own),
        Right(TRANSACTION, ("delete", "get"), own),
        Right(ALLOCATION, _KEPT, own),
        Right(KNOWN_CLUSTER, ("list",), own),
        *(Right(kind, _KEPT) for kind in _WORKLOAD),
        Right(RESOURCE_SLICE, ("delete", "get", "patch")),
        Right(NODE, ("get", "list", "watch") if settings.nodes else ("get",)),
    ]
    if settings.buyer is None:
        found.append(Right(CONFIG_MAP, ("get",), own, (settings.identity,)))
    found.append(Right(POD, ("list", "watch") if settings.nodes else ("list",)))
    if settings.secrets_namespace is not None:
        found += [Right(SECRET, ("get",), settings.secrets_namespace), Right(SECRET, _KEPT)]
    return tuple(found)


def manifest(
    settings: FluidosSettings, *, account: str = ACCOUNT, namespace: str = ACCOUNT
) -> tuple[Json, ...]:
    """Return the account of the backend and its roles.

    Parameters
    ----------
    account, namespace
        The service account that the backend runs as, and where that lies.
    """
    found: list[Json] = [
        {
            "apiVersion": SERVICE_ACCOUNT.api_version,
            "kind": SERVICE_ACCOUNT.kind,
            "metadata": {"name": account, "namespace": namespace},
        }
    ]
    subject = {"kind": SERVICE_ACCOUNT.kind, "name": account, "namespace": namespace}
    ordered = sorted(rights(settings), key=lambda right: right.namespace or "")
    for where, own in groupby(ordered, key=lambda right: right.namespace):
        found += _role(where, list(own), account, subject)
    return tuple(found)


def _role(where: str | None, own: Sequence[Right], account: str, subject: Json) -> Iterator[Json]:
    role, binding = (CLUSTER_ROLE, CLUSTER_ROLE_BINDING) if where is None else (ROLE, ROLE_BINDING)
    metadata = {"name": account, **({} if where is None else {"namespace": where})}
    yield {
        "apiVersion": role.api_version,
        "kind": role.kind,
        "metadata": metadata,
        "rules": [_rule(right) for right in own],
    }
    yield {
        "apiVersion": binding.api_version,
        "kind": binding.kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": role.group, "kind": role.kind, "name": account},
        "subjects": [subject],
    }


def _rule(right: Right) -> Json:
    names = {"resourceNames": list(right.names)} if right.names else {}
    resources = [right.kind.plural]
    return {"apiGroups": [right.kind.group], "resources": resources, **names, "verbs": sorted(right.verbs)}
