"""What a bare API server leaves to controllers: emptying namespaces, letting go of claims.

It is safe beside genuine controllers: whatever is gone already is done.
"""

from flare_core.adapters.fluidos import kinds
from flare_core.adapters.fluidos.cluster import Cluster, Json
from flare_core.adapters.fluidos.errors import ConflictError, NotFoundError
from flare_core.adapters.fluidos.kinds import Kind

FEDERATION = "flare.io/federation"
CONTENT: tuple[Kind, ...] = (
    *kinds.WORKLOAD,
    *kinds.FLUIDOS,
    kinds.NAMESPACE_OFFLOADING,
    kinds.RESOURCE_SLICE,
    kinds.VIRTUAL_NODE,
    kinds.POD,
    kinds.ROLE,
    kinds.ROLE_BINDING,
)


def finish(cluster: Cluster, name: str) -> None:
    """Carry out the deletion of a namespace: empty it, then let go of it. Finalizers of content are kept."""
    inside = [(kind, item) for kind in CONTENT for item in cluster.list(kind, name).items]
    for kind, item in inside:
        cluster.delete(kind, item["metadata"]["name"], name)
    unprotect(cluster, name)
    if inside and any(cluster.list(kind, name).items for kind in CONTENT):
        return
    namespace = cluster.find(kinds.NAMESPACE, name)
    if namespace is None or "deletionTimestamp" not in namespace["metadata"]:
        return
    namespace["spec"] = {"finalizers": []}
    try:
        cluster.replace(kinds.NAMESPACE, namespace, "finalize")
    except (NotFoundError, ConflictError):
        return


def unprotect(cluster: Cluster, namespace: str) -> None:
    """Let deleted volume claims go that no pod uses."""
    for claim in cluster.list(kinds.VOLUME_CLAIM, namespace).items:
        if "deletionTimestamp" in claim["metadata"]:
            strip(cluster, kinds.VOLUME_CLAIM, claim)


def strip(cluster: Cluster, kind: Kind, item: Json) -> None:
    """Take all finalizers from an object."""
    meta = item["metadata"]
    try:
        cluster.patch(kind, meta["name"], {"metadata": {"finalizers": None}}, meta.get("namespace"))
    except (NotFoundError, ConflictError):
        return


def purge(cluster: Cluster, space: str) -> None:
    """Remove a test's namespace and all that were made for it, whatever holds them."""
    made = cluster.list(kinds.NAMESPACE, labels=f"{FEDERATION}={space}").items
    for name in [space, *(item["metadata"]["name"] for item in made)]:
        cluster.delete(kinds.NAMESPACE, name)
        finish(cluster, name)
        if cluster.find(kinds.NAMESPACE, name) is None:
            continue
        for kind in CONTENT:
            for item in cluster.list(kind, name).items:
                strip(cluster, kind, item)
        finish(cluster, name)
    for item in cluster.list(kinds.NODE, labels=f"{FEDERATION}={space}").items:
        cluster.delete(kinds.NODE, item["metadata"]["name"])
