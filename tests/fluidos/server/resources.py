"""What is served: the built-in kinds that a FLUIDOS backend touches, and those of definitions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources as packages
from typing import Any

from flare_core.adapters.fluidos import kinds
from flare_core.adapters.fluidos.kinds import Kind
from tests.fluidos.server.faults import Cause, invalid
from tests.fluidos.server.owners import Owners
from tests.fluidos.server.schema import OPEN, Schema

Json = dict[str, Any]

BUILT_IN = "v1.36.0-local"
WITH_STATUS = {"Namespace", "Node", "Pod", "Service", "PersistentVolumeClaim", "Deployment", "Job", "Ingress"}
WITH_STATUS |= {"HorizontalPodAutoscaler", "CustomResourceDefinition"}
SERVED = (
    kinds.NAMESPACE,
    kinds.NODE,
    *kinds.WORKLOAD,
    kinds.POD,
    kinds.CLUSTER_ROLE,
    kinds.CLUSTER_ROLE_BINDING,
    kinds.ROLE,
    kinds.ROLE_BINDING,
    kinds.DEFINITION,
    Kind("", "v1", "Endpoints", "endpoints"),
    Kind("", "v1", "Event", "events"),
)
# What a definition does not say of metadata is what every object's metadata holds.
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@cache
def definitions() -> Json:
    folder = packages.files("kubernetes_validate") / "kubernetes-json-schema" / BUILT_IN
    found: Json = json.loads((folder / "_definitions.json").read_text())["$defs"]
    return found


@dataclass(frozen=True)
class Resource:
    kind: Kind
    schema: Schema
    status: bool
    custom: bool

    @property
    def collection(self) -> tuple[str, str]:
        return self.kind.group, self.kind.plural

    @property
    def owners(self) -> Owners:
        return Owners(self.schema)

    @property
    def subresources(self) -> tuple[str, ...]:
        more = {"namespaces": ("finalize",), "serviceaccounts": ("token",)}.get(self.kind.plural, ())
        return (*(("status",) if self.status else ()), *more)


def built_in(kind: Kind) -> Resource:
    return Resource(kind, Schema(_root(kind), definitions()), kind.kind in WITH_STATUS, custom=False)


def _root(kind: Kind) -> Mapping[str, Any]:
    wanted = {"group": kind.group, "kind": kind.kind, "version": kind.version}
    for schema in definitions().values():
        if wanted in schema.get("x-kubernetes-group-version-kind", ()):
            found: Json = schema
            return found
    raise LookupError(kind)


def of_definition(crd: Json) -> list[Resource]:
    """The resources that a definition brings; refused where it is no valid one."""
    spec = crd["spec"]
    names = spec["names"]
    expected = f"{names['plural']}.{spec['group']}"
    if crd["metadata"]["name"] != expected:
        cause = Cause("metadata.name", f'Invalid value: "{crd["metadata"]["name"]}": must be {expected}')
        raise invalid("CustomResourceDefinition.apiextensions.k8s.io", crd["metadata"]["name"], [cause])
    found = []
    for version in spec["versions"]:
        if version["served"]:
            namespaced = spec["scope"] == "Namespaced"
            kind = Kind(spec["group"], version["name"], names["kind"], names["plural"], namespaced)
            root = dict(version["schema"]["openAPIV3Schema"])
            plain = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"$ref": META}}
            if not root.get(OPEN):
                root["properties"] = {**root.get("properties", {}), **plain}
            schema = Schema(root, definitions())
            found.append(Resource(kind, schema, "status" in (version.get("subresources") or {}), custom=True))
    return found
