"""What a genuine server fills in where an object begins, and the rules beyond schemas."""

import base64
from collections.abc import Iterator

from tests.fluidos.server.faults import Cause
from tests.fluidos.server.resources import Resource
from tests.fluidos.server.storage import Json


def begin(resource: Resource, item: Json) -> None:
    """What a genuine server fills in by itself where an object begins."""
    match resource.kind.kind:
        case "Namespace":
            item.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
            item["status"] = {"phase": "Active"}
            labels = item["metadata"].setdefault("labels", {})
            labels["kubernetes.io/metadata.name"] = item["metadata"].get("name", "")
        case "PersistentVolumeClaim":
            item["metadata"].setdefault("finalizers", []).append("kubernetes.io/pvc-protection")
            item["status"] = {"phase": "Pending"}
        case "CustomResourceDefinition":
            names = item.get("spec", {}).get("names", {})
            item["status"] = {"conditions": None, "acceptedNames": names, "storedVersions": ["v1"]}
        case "Secret" if "stringData" in item:
            text = item.pop("stringData")
            data = {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}
            item["data"] = {**item.get("data", {}), **data}


def broken_rules(resource: Resource, item: Json) -> Iterator[Cause]:
    """The rules beyond schemas that a workload's manifests can break."""
    if resource.kind.kind == "Deployment":
        selector = item["spec"]["selector"].get("matchLabels") or {}
        labels = item["spec"]["template"].get("metadata", {}).get("labels") or {}
        if not selector:
            yield Cause("spec.selector", "Required value", "FieldValueRequired")
        if not selector.items() <= labels.items():
            yield Cause(
                "spec.template.metadata.labels", "Invalid value: `selector` does not match template `labels`"
            )
