"""What somebody sees of the objects and of their changes."""

from collections.abc import Callable, Mapping

from tests.fluidos.server import names
from tests.fluidos.server.resources import Resource
from tests.fluidos.server.storage import Change, Json


def meant(namespace: str | None, query: Mapping[str, str]) -> Callable[[Json], bool]:
    labels = names.by_labels(query.get("labelSelector", ""))
    fields = names.by_fields(query.get("fieldSelector", ""))

    def wanted(item: Json) -> bool:
        here = namespace is None or item["metadata"].get("namespace", "") == namespace
        return here and labels(item) and fields(item)

    return wanted


def event(change: Change, wanted: Callable[[Json], bool]) -> Json | None:
    """How a change looks to somebody who sees only what a selector means."""
    now_in = wanted(change.object)
    before_in = change.before is not None and wanted(change.before)
    if change.type == "DELETED":
        return {"type": "DELETED", "object": change.object} if before_in else None
    if not now_in:
        return {"type": "DELETED", "object": change.object} if before_in else None
    return {"type": "MODIFIED" if before_in else "ADDED", "object": change.object}


def bookmark(resource: Resource, version: int) -> Json:
    kind = resource.kind
    meta = {"resourceVersion": str(version)}
    return {
        "type": "BOOKMARK",
        "object": {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta},
    }
