"""Small valid intents, and ways to change one value by its JSON path."""

import copy
import json
from importlib.resources import files
from typing import Any

from flare_core.intent import Intent, read_intent

ABSENT = object()
"""Set a path to this to leave the field out."""

EXAMPLES = tuple(sorted(f.name for f in (files("flare_core") / "examples").iterdir() if f.name[0].isdigit()))

_SERVICE = {
    "objective": "Cost_Minimization",
    "workload": {
        "type": "service",
        "name": "web",
        "image": "acme/app:1",
        "resources": {"gpu": {"model": "nvidia-a100", "count": 1}},
    },
}

Document = dict[str, Any]


def example(name: str) -> Document:
    document: Document = json.loads((files("flare_core") / "examples" / name).read_bytes())
    return document


def service(**changes: object) -> Document:
    """Return a service; ``workload__name="x"`` sets ``workload.name``."""
    return changed(_SERVICE, {path.replace("__", "."): value for path, value in changes.items()})


def job(**changes: object) -> Document:
    document = changed(_SERVICE, {"workload.type": "job", "workload.name": "train"})
    return changed(document, {path.replace("__", "."): value for path, value in changes.items()})


def with_value(path: str, value: object) -> Document:
    """Return a valid document around one value: a job where the path is one of jobs, else a service."""
    document = job() if path.startswith("workload.job") else service()
    if path.startswith("workload.storage.volumes.0."):
        volume = {"name": "data", "size": "1Gi", "type": "persistent", "path": "/data"}
        document = changed(document, {"workload.storage": {"volumes": [volume]}})
    if path.startswith("workload.storage.volumes.0.source."):
        source = {"type": "s3", "uri": "s3://bucket/x", "credentials": "key"}
        document = changed(document, {"workload.storage.volumes.0.source": source})
    if path.startswith("workload.ports.0."):
        document = changed(document, {"workload.ports": [{"port": 80, "expose": True}]})
    if path.startswith("workload.secrets.0."):
        document = changed(document, {"workload.secrets": [{"name": "token", "env": "TOKEN"}]})
    if path.startswith("constraints.security.firewall_rules.0."):
        rule = {"port": 22, "protocol": "TCP", "source": "10.0.0.0/8", "action": "allow"}
        document = changed(document, {"constraints.security": {"firewall_rules": [rule]}})
    if path.startswith("constraints.availability.maintenance_windows.0."):
        window = {"start": "2026-01-04T02:00:00Z", "end": "2026-01-04T04:00:00Z"}
        document = changed(document, {"constraints.availability": {"maintenance_windows": [window]}})
    return changed(document, {path: value})


def changed(document: Document, changes: dict[str, object]) -> Document:
    document = copy.deepcopy(document)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = document
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        if value is ABSENT:
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = value
    return document


def value_at(intent: Intent, path: str) -> object:
    """Return the parsed value at a path."""
    value: Any = intent
    for part in path.split("."):
        value = value[int(part)] if part.isdecimal() else getattr(value, part)
    return value


def read_value(path: str, value: object) -> object:
    """Return what the value becomes when it stands at the path."""
    return value_at(
        read_intent(with_value(path, value)), path.replace("max_network_latency", "max_latency_ms")
    )
