"""A service account of a test's own, with the rights that it is given."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import User

from flare_core.adapters.fluidos import kinds
from flare_core.adapters.fluidos.cluster import Cluster, Json
from flare_core.adapters.fluidos.kinds import Kind

PATIENCE_S = 10.0
BY_KIND = {
    kind.kind: kind
    for kind in (
        *(kinds.ROLE, kinds.ROLE_BINDING, kinds.CLUSTER_ROLE, kinds.CLUSTER_ROLE_BINDING),
        kinds.SERVICE_ACCOUNT,
    )
}


@contextmanager
def account(
    server: SingleConfig, admin: Cluster, objects: Sequence[Json], name: str, space: str
) -> Iterator[Cluster]:
    """Connect as an account of which `objects` say what it may do; they are gone afterwards."""
    made: list[tuple[Kind, Json]] = []
    try:
        for each in objects:
            admin.create(BY_KIND[each["kind"]], each)
            made.append((BY_KIND[each["kind"]], each["metadata"]))
        with Cluster(server._replace(user=User(token=token_of(admin, name, space)))) as cluster:
            yield cluster
    finally:
        for kind, meta in reversed(made):
            admin.delete(kind, meta["name"], meta.get("namespace"))


def token_of(admin: Cluster, name: str, space: str) -> str:
    """A token as a pod of the account would have."""
    request = Kind("authentication.k8s.io", "v1", "TokenRequest", "serviceaccounts")
    path = kinds.SERVICE_ACCOUNT.path(space, name, "token")
    body = {"apiVersion": request.api_version, "kind": request.kind, "spec": {"audiences": []}}
    answer = admin._send("POST", path, body=body)
    return str(answer["status"]["token"])


def eventually(true: Callable[[], bool]) -> bool:
    """Roles take effect a moment after they were written."""
    until = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
