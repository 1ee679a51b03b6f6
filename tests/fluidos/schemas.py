"""What is wrong with an object by the schemas that an API server would hold it to."""

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types

from tests.conftest import SHARED
from tests.fluidos.definitions import wanted
from tests.fluidos.server.schema import Schema

KUBERNETES = ("1.29", "1.34")


@cache
def custom() -> Mapping[str, Schema]:
    """The schemas of FLUIDOS's and Liqo's kinds."""
    found = {}
    for definition in wanted(SHARED):
        (version,) = definition["spec"]["versions"]
        found[definition["spec"]["names"]["kind"]] = Schema(version["schema"]["openAPIV3Schema"])
    return found


def faults(body: Mapping[str, Any]) -> list[str]:
    """What a server refuses of an object, and what it silently drops; nothing where all is well."""
    if body["kind"] not in custom():
        return builtin_faults(body)
    schema = custom()[body["kind"]]
    # Metadata has a schema of its own, which no definition repeats.
    inner = {key: deepcopy(value) for key, value in body.items() if key != "metadata"}
    dropped = [f"{path}: dropped" for path in schema.prune(inner)]
    return [*dropped, *(f"{cause.field}: {cause.message}" for cause in schema.check(inner))]


def builtin_faults(body: Mapping[str, Any]) -> list[str]:
    """What Kubernetes' own OpenAPI schemas refuse, unknown fields included."""
    found = []
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(dict(body), version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{version}: {'.'.join(map(str, error.path))}: {error.message}")
    return found
