"""Volumes: claims for what has to last, room on the node for what has not.

A persistent volume is one claim for each virtual node, large enough for the tasks there, which share it. The
content of a volume with a source has to be brought by something else: FLARE knows no image that could fetch
it, so where it comes from is told in an annotation, and that nobody fetched it in a remark.
"""

import json
from typing import TYPE_CHECKING, Any

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.deploy.groups import Group, Ordered
from flare_core.quantities import format_memory

if TYPE_CHECKING:
    from flare_core.adapters.fluidos.settings import FluidosSettings

Json = dict[str, Any]

SOURCES = "flare.io/volume-sources"
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the path that libraries expect, in a container of its own
_SHARED_MEMORY_NAME = "flare-shared-memory"


def claim_name(order: Ordered, group: Group, volume: str) -> str:
    """Return the name of the claim of a persistent volume on one virtual node."""
    return names.name(order.intent.workload.name, volume, str(group.number))


def claims(order: Ordered, group: Group, settings: "FluidosSettings") -> list[Json]:
    """Return the bodies of the claims of one virtual node, names and specs."""
    # Pods of one virtual node need not be on one machine of the provider's.
    mode = "ReadWriteOnce" if group.at_once == 1 and not _grows(order) else "ReadWriteMany"
    storage_class = {} if settings.storage_class is None else {"storageClassName": settings.storage_class}
    return [
        {
            "name": claim_name(order, group, volume.name),
            "spec": {
                "accessModes": [mode],
                **storage_class,
                "resources": {"requests": {"storage": format_memory(volume.size * group.tasks)}},
            },
        }
        for volume in order.intent.workload.storage.volumes
        if volume.type == "persistent"
    ]


def pod_volumes(order: Ordered, group: Group) -> list[Json]:
    """Return a pod's volumes."""
    found: list[Json] = []
    for volume in order.intent.workload.storage.volumes:
        if volume.type == "persistent":
            claim = {"claimName": claim_name(order, group, volume.name)}
            found.append({"name": volume.name, "persistentVolumeClaim": claim})
        else:
            found.append({"name": volume.name, "emptyDir": {"sizeLimit": format_memory(volume.size)}})
    if _shares_memory(order):
        found.append({"name": _SHARED_MEMORY_NAME, "emptyDir": {"medium": "Memory", **_memory_limit(order)}})
    return found


def mounts(order: Ordered) -> list[Json]:
    """Return where a container finds its volumes."""
    volumes = order.intent.workload.storage.volumes
    found: list[Json] = [{"name": volume.name, "mountPath": volume.path} for volume in volumes]
    if _shares_memory(order):
        found.append({"name": _SHARED_MEMORY_NAME, "mountPath": SHARED_MEMORY})
    return found


def sources(order: Ordered) -> dict[str, str]:
    """Return the annotation that tells where volumes get their content from."""
    told = [
        {
            "volume": volume.name,
            "path": volume.path,
            "type": volume.source.type,
            "uri": volume.source.uri,
            "credentials": volume.source.credentials,
        }
        for volume in order.intent.workload.storage.volumes
        if volume.source is not None
    ]
    return {SOURCES: json.dumps(told, ensure_ascii=False, sort_keys=True)} if told else {}


def _shares_memory(order: Ordered) -> bool:
    """Whether a task's processes exchange data: with 64 MiB, Kubernetes' default, NCCL does not start."""
    paths = {volume.path.rstrip("/") for volume in order.intent.workload.storage.volumes}
    return order.intent.workload.resources.gpus > 1 and SHARED_MEMORY not in paths


def _memory_limit(order: Ordered) -> dict[str, str]:
    memory = order.intent.workload.resources.memory
    return {"sizeLimit": format_memory(max(1, memory // 2))} if memory else {}


def _grows(order: Ordered) -> bool:
    workload = order.intent.workload
    return workload.type == "service" and workload.scaling.auto_scale and workload.scaling.max_replicas > 1
