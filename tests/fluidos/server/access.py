"""Who asks, and what roles let him do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.fluidos.server.storage import Storage

Json = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"
OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")


@dataclass(frozen=True, slots=True)
class User:
    name: str
    groups: frozenset[str]


ADMIN = User("admin", frozenset({"system:masters", "system:authenticated"}))
ANONYMOUS = User("system:anonymous", frozenset({"system:unauthenticated"}))


def account(namespace: str, name: str) -> User:
    groups = {"system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"}
    return User(f"system:serviceaccount:{namespace}:{name}", frozenset(groups))


@dataclass(frozen=True, slots=True)
class Attempt:
    verb: str
    group: str
    resource: str  # with its subresource: pods/status
    namespace: str
    name: str = ""


def allows(storage: Storage, user: User, attempt: Attempt) -> bool:
    if "system:masters" in user.groups:
        return True
    if attempt.resource == "selfsubjectaccessreviews":
        return "system:authenticated" in user.groups
    return any(_permits(rule, attempt) for rule in _rules(storage, user, attempt.namespace))


def _rules(storage: Storage, user: User, namespace: str) -> Iterator[Json]:
    """The rules of all roles that are bound to the user, everywhere or in the namespace."""
    for binding in storage.objects[RBAC, "clusterrolebindings"].values():
        if _binds(binding, user):
            yield from _role(storage, binding["roleRef"], "")
    for (where, _), binding in storage.objects[RBAC, "rolebindings"].items():
        if where == namespace and _binds(binding, user):
            yield from _role(storage, binding["roleRef"], where)


def _role(storage: Storage, ref: Json, namespace: str) -> list[Json]:
    plural = "clusterroles" if ref["kind"] == "ClusterRole" else "roles"
    key = ("" if plural == "clusterroles" else namespace, ref["name"])
    return (storage.objects[RBAC, plural].get(key) or {}).get("rules") or []


def _binds(binding: Json, user: User) -> bool:
    for subject in binding.get("subjects") or ():
        name, kind = subject["name"], subject["kind"]
        if kind == "ServiceAccount":
            name, kind = f"system:serviceaccount:{subject.get('namespace', '')}:{name}", "User"
        if (kind == "User" and name == user.name) or (kind == "Group" and name in user.groups):
            return True
    return False


def _permits(rule: Json, attempt: Attempt) -> bool:
    names = rule.get("resourceNames") or []
    resources = rule.get("resources") or []
    part = "*/" + attempt.resource.split("/")[1] if "/" in attempt.resource else attempt.resource
    return (
        bool({attempt.verb, "*"} & set(rule.get("verbs") or ()))
        and bool({attempt.group, "*"} & set(rule.get("apiGroups") or ()))
        and bool({attempt.resource, part, "*"} & set(resources))
        and (not names or attempt.name in names)
    )
