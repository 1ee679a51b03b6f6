"""Creating idempotently."""

from collections.abc import Mapping
from typing import Any

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.buying.ground import Ground
from flare_core.adapters.fluidos.buying.outcomes import FailedError, LostError
from flare_core.adapters.fluidos.cluster import Json
from flare_core.adapters.fluidos.errors import ExistsError
from flare_core.adapters.fluidos.kinds import Kind


def ensure(ground: Ground, kind: Kind, body: Json, *fixed: str) -> Json:
    """Return the object of that name: the one that is there, if it is the order's own, else a new one.

    Parameters
    ----------
    fixed
        Fields of ``spec`` that must be as `body` says.

    Raises
    ------
    LostError
        It was made once, and is gone.
    FailedError
        There is one of that name that is not the order's.
    """
    name, namespace = body["metadata"]["name"], body["metadata"].get("namespace")
    found = ground.cluster.find(kind, name, namespace)
    if found is None:
        if ground.past:
            raise LostError(f"{kind.kind} {name} was deleted by somebody else")
        try:
            return ground.cluster.create(kind, body, namespace)
        except ExistsError:
            # Made in the meantime by another process for the same order, or by a request without an answer.
            found = ground.cluster.get(kind, name, namespace)
    if not is_own(found, body["metadata"]["labels"]) or not _agrees(found, body, fixed):
        raise FailedError(f"{kind.kind} {name} exists already and belongs to something else")
    return found


def is_own(found: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether an object carries the order's label."""
    carried = found["metadata"].get("labels") or {}
    return all(carried.get(key) == labels[key] for key in (names.MANAGED_BY, names.ORDER))


def _agrees(found: Json, body: Json, fixed: tuple[str, ...]) -> bool:
    spec, wanted = found.get("spec") or {}, body.get("spec") or {}
    return all(_includes(spec.get(key), wanted.get(key)) for key in fixed)


def _includes(found: object, wanted: object) -> bool:
    """Whether everything that is wanted is there; a server adds defaults."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_includes(found.get(k), v) for k, v in wanted.items())
    return found == wanted
