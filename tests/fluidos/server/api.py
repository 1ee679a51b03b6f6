"""What the server does with objects: every verb, as a genuine API server answers it."""

import base64
import secrets
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.fluidos.server import names
from tests.fluidos.server.faults import Cause, Fault, invalid, not_found
from tests.fluidos.server.patches import json_patch, merge
from tests.fluidos.server.resources import SERVED, Resource, built_in, of_definition
from tests.fluidos.server.rules import begin, broken_rules
from tests.fluidos.server.seeing import bookmark, event, meant
from tests.fluidos.server.storage import Change, Storage, copied

Json = dict[str, Any]

FUTURE_WAIT_S = 3.0
ESTABLISH_S = 0.05
BOOKMARK_BEFORE_END_S = 2.0
SERVER_SIDE = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "selfLink")


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Api:
    """The resources and the objects; what comes in is read already, what goes out is plain."""

    def __init__(self) -> None:
        self.storage = Storage()
        self.resources: dict[tuple[str, str, str], Resource] = {}
        self._pages: dict[str, tuple[list[Json], str]] = {}
        for kind in SERVED:
            self.serve(built_in(kind))
        for name in ("default", "kube-system"):
            self._system_namespace(name)

    def _system_namespace(self, name: str) -> None:
        resource = self.find("", "v1", "namespaces")
        self.create(resource, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, {})

    def serve(self, resource: Resource) -> None:
        with self.storage.lock:
            self.storage.open(resource.collection)
            self.resources[resource.kind.group, resource.kind.version, resource.kind.plural] = resource

    def find(self, group: str, version: str, plural: str) -> Resource:
        try:
            return self.resources[group, version, plural]
        except KeyError:
            raise Fault(404, "the server could not find the requested resource") from None

    # Reading

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        with self.storage.lock:
            found = self.storage.get(resource.collection, (namespace, name))
        if found is None:
            raise not_found(resource.kind.plural, name)
        return found

    def listing(self, resource: Resource, namespace: str | None, query: Mapping[str, str]) -> Json:
        token = query.get("continue")
        if token:
            if token not in self._pages:
                raise Fault(410, "The provided continue parameter is too old")
            items, version = self._pages[token]
        else:
            self._wait_for(query.get("resourceVersion", ""))
            items, version = self._snapshot(resource, namespace, query)
        limit = int(query.get("limit", 0)) or len(items)
        page, rest = items[:limit], items[limit:]
        meta: Json = {"resourceVersion": version}
        if rest:
            meta |= {
                "continue": base64.b64encode(secrets.token_bytes(12)).decode(),
                "remainingItemCount": len(rest),
            }
            self._pages[meta["continue"]] = (rest, version)
        kind = resource.kind
        return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": page}

    def _snapshot(
        self, resource: Resource, namespace: str | None, query: Mapping[str, str]
    ) -> tuple[list[Json], str]:
        wanted = meant(namespace, query)
        with self.storage.lock:
            objects = self.storage.objects[resource.collection]
            items = [objects[key] for key in sorted(objects) if wanted(objects[key])]
            version = str(self.storage.version)
        if not resource.custom:  # the items of a built-in kind come without their kind
            items = [{k: v for k, v in item.items() if k not in ("apiVersion", "kind")} for item in items]
        return items, version

    def _wait_for(self, version: str) -> None:
        if not version.isdecimal() or int(version) <= self.storage.version:
            return
        until = time.monotonic() + FUTURE_WAIT_S
        with self.storage.lock:
            while self.storage.version < int(version):
                left = until - time.monotonic()
                if left <= 0:
                    raise Fault(
                        504, f"Too large resource version: {version}, current: {self.storage.version}"
                    )
                self.storage.lock.wait(left)

    def watch(
        self, resource: Resource, namespace: str | None, query: Mapping[str, str]
    ) -> Iterator[Json | None]:
        """Events; None where nothing happened, so that the caller can see whether anybody still listens."""
        wanted = meant(namespace, query)
        end = time.monotonic() + float(query.get("timeoutSeconds") or 1800)
        version = query.get("resourceVersion", "")
        if version in ("", "0"):
            items, version = self._snapshot(resource, namespace, query)
            kind = {"apiVersion": resource.kind.api_version, "kind": resource.kind.kind}
            yield from ({"type": "ADDED", "object": {**kind, **item}} for item in items)
        bookmark_at = end - BOOKMARK_BEFORE_END_S if query.get("allowWatchBookmarks") == "true" else end + 1
        try:
            for change in self.storage.follow(resource.collection, int(version), end):
                if isinstance(change, Change):
                    yield event(change, wanted)
                elif time.monotonic() >= bookmark_at:
                    bookmark_at = end + 1
                    yield bookmark(resource, change)
                else:
                    yield None
        except Fault as fault:
            yield {"type": "ERROR", "object": fault.body}

    # Writing

    def create(self, resource: Resource, namespace: str, body: Json, query: Mapping[str, str]) -> Json:
        item = copied(body)
        meta = self._identity(resource, namespace, item)
        if not meta.get("name"):
            prefix = meta.get("generateName")
            if not prefix:
                raise invalid(
                    _what(resource),
                    "",
                    [
                        Cause(
                            "metadata.name",
                            "Required value: name or generateName is required",
                            "FieldValueRequired",
                        )
                    ],
                )
            meta["name"] = prefix + secrets.token_hex(3)[:5]
        for field in (*SERVER_SIDE, "managedFields"):
            meta.pop(field, None)
        if resource.status and resource.kind.kind != "Node":
            item.pop("status", None)
        begin(resource, item)
        self._refuse(resource, item)
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": now(), "generation": 1}
        with self.storage.lock:
            self._admit(resource, namespace)
            if (namespace, meta["name"]) in self.storage.objects[resource.collection]:
                told = {"name": meta["name"], "kind": resource.kind.plural}
                raise Fault(
                    409, f'{resource.kind.plural} "{meta["name"]}" already exists', "AlreadyExists", told
                )
            resource.owners.update(None, item, query.get("fieldManager", "unknown"), now())
            if query.get("dryRun") == "All":
                return item
            self.storage.put(resource.collection, (namespace, meta["name"]), item)
        if resource.kind.kind == "CustomResourceDefinition":
            self._establish(item)
        return item

    def _identity(self, resource: Resource, namespace: str, item: Json) -> Json:
        kind = resource.kind
        if (item.get("apiVersion"), item.get("kind")) != (kind.api_version, kind.kind):
            told = f"{item.get('apiVersion')}, Kind={item.get('kind')}"
            raise Fault(400, f"the API version or kind in the data ({told}) does not match the expected one")
        meta = item.setdefault("metadata", {})
        if not isinstance(meta, dict):
            raise Fault(400, "metadata: must be an object")
        if kind.namespaced and meta.setdefault("namespace", namespace) != namespace:
            raise Fault(
                400, "the namespace of the provided object does not match the namespace sent on the request"
            )
        if not kind.namespaced:
            meta.pop("namespace", None)
        return meta

    def _admit(self, resource: Resource, namespace: str) -> None:
        if not resource.kind.namespaced:
            return
        found = self.storage.objects["", "namespaces"].get(("", namespace))
        if found is None:
            raise not_found("namespaces", namespace)
        if "deletionTimestamp" in found["metadata"]:
            raise Fault(
                403, f"unable to create new content in namespace {namespace} because it is being terminated"
            )

    def _refuse(self, resource: Resource, item: Json) -> list[str]:
        """Fill in, prune and check; the paths that were pruned."""
        resource.schema.fill(item)
        pruned = list(resource.schema.prune(item))
        meta = item["metadata"]
        causes = [*resource.schema.check(item), *names.check_name(meta["name"], resource.kind.plural)]
        if not causes:
            causes = [*names.check_labels(meta), *broken_rules(resource, item)]
        if causes and not resource.custom and causes[0].reason == "FieldValueTypeInvalid":
            raise Fault(400, f"cannot unmarshal: {causes[0].field}: {causes[0].message}")
        if causes:
            raise invalid(_what(resource), meta["name"], causes)
        return pruned

    def pruned(self, resource: Resource, body: Json) -> list[str]:
        """What the schema does not name in a body, for warnings and strict requests."""
        return list(resource.schema.prune(copied(body)))

    def replace(
        self, resource: Resource, namespace: str, name: str, part: str, body: Json, query: Mapping[str, str]
    ) -> Json:
        item = copied(body)
        meta = self._identity(resource, namespace, item)
        if meta.get("name") != name:
            raise Fault(
                400,
                f"the name of the object ({meta.get('name')}) does not match the name on the URL ({name})",
            )
        with self.storage.lock:
            live = self.get(resource, namespace, name)
            given = meta.get("resourceVersion")
            if not given and resource.custom:
                cause = Cause(
                    "metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update"
                )
                raise invalid(_what(resource), name, [cause])
            if given and given != live["metadata"]["resourceVersion"]:
                raise _stale(resource, name)
            return self._write(resource, namespace, live, item, part, query.get("fieldManager", "unknown"))

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        part: str,
        change: Any,
        how: str,
        query: Mapping[str, str],
    ) -> tuple[Json, bool]:
        """The object, and whether it was created."""
        if how == "application/apply-patch+yaml":
            return self._apply(resource, namespace, name, part, change, query)
        with self.storage.lock:
            live = self.get(resource, namespace, name)
            if how == "application/merge-patch+json":
                item = merge(copied(live), change)
            elif how == "application/json-patch+json":
                item = json_patch(live, change)
            else:
                raise Fault(415, f"the body of the request was in an unknown format: {how}")
            if item["metadata"].get("resourceVersion") != live["metadata"]["resourceVersion"]:
                raise _stale(resource, name)
            manager = query.get("fieldManager", "unknown")
            return self._write(resource, namespace, live, item, part, manager), False

    def _apply(
        self, resource: Resource, namespace: str, name: str, part: str, body: Json, query: Mapping[str, str]
    ) -> tuple[Json, bool]:
        manager = query.get("fieldManager")
        if not manager:
            raise invalid(
                "PatchOptions.meta.k8s.io",
                "",
                [Cause("fieldManager", "Required value: is required for apply patch")],
            )
        applied = copied(body)
        self._identity(resource, namespace, applied)["name"] = name
        force = query.get("force") == "true"
        with self.storage.lock:
            live = self.storage.get(resource.collection, (namespace, name))
            if live is None:
                made = self.create(resource, namespace, applied, {"dryRun": "All"})
                made["metadata"]["managedFields"] = []
                made = resource.owners.apply(made, applied, manager, force, now())
                return self.storage.put(resource.collection, (namespace, name), made), True
            owned = resource.owners.apply(copied(live), applied, manager, force, now())
            return self._write(resource, namespace, live, owned, part, None), False

    def _write(
        self, resource: Resource, namespace: str, live: Json, item: Json, part: str, manager: str | None
    ) -> Json:
        """Put a changed object in the place of the live one: the part that is meant, if it differs."""
        meta, old = item["metadata"], live["metadata"]
        if part == "status":
            status = item.get("status")
            item = {**copied(live), **({"status": status} if status is not None else {})}
        elif part == "finalize":
            item = {**copied(live), "spec": item.get("spec", {})}
        else:
            for field in SERVER_SIDE:
                meta.pop(field, None)
                if field in old:
                    meta[field] = old[field]
            if resource.status:
                item.pop("status", None)
                item |= {"status": copied(live["status"])} if "status" in live else {}
            if manager is not None and "managedFields" in old:
                meta["managedFields"] = list(old["managedFields"])
        self._refuse(resource, item)
        if manager is not None:
            resource.owners.update(live, item, manager, now())
        if _same(live, item):
            return live
        if not part and item.get("spec") != live.get("spec"):
            item["metadata"]["generation"] = old.get("generation", 1) + 1
        key = (namespace, old["name"])
        self.storage.put(resource.collection, key, item)
        if "deletionTimestamp" in old and not _held(item):
            self.storage.remove(resource.collection, key)
        return item

    def delete(self, resource: Resource, namespace: str, name: str, options: Json) -> Json:
        with self.storage.lock:
            live = self.get(resource, namespace, name)
            meta = live["metadata"]
            for field, wanted in (options.get("preconditions") or {}).items():
                if meta.get(field) != wanted:
                    told = f"Precondition failed: {field}: {wanted}, in object meta: {meta.get(field)}"
                    raise Fault(
                        409, f'Operation cannot be fulfilled on {resource.kind.plural} "{name}": {told}'
                    )
            key = (namespace, name)
            if options.get("propagationPolicy") == "Foreground":
                meta.setdefault("finalizers", []).append("foregroundDeletion")
            if resource.kind.kind == "CustomResourceDefinition":
                self._withdraw(live)
            if not _held(live):
                self.storage.remove(resource.collection, key)
                gone = {"name": name, "kind": resource.kind.plural, "uid": meta["uid"]}
                return {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "metadata": {},
                    "status": "Success",
                    "details": gone,
                }
            if "deletionTimestamp" not in meta:
                meta |= {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
                if resource.kind.kind == "Namespace":
                    live["status"] = {"phase": "Terminating"}
                self.storage.put(resource.collection, key, live)
            return live

    # Definitions

    def _establish(self, crd: Json) -> None:
        """Serve the new kinds a moment later, and only then say so."""
        served = of_definition(crd)
        key = ("", crd["metadata"]["name"])
        collection = ("apiextensions.k8s.io", "customresourcedefinitions")

        def established() -> None:
            with self.storage.lock:
                live = self.storage.get(collection, key)
                if live is None:
                    return
                for resource in served:
                    self.serve(resource)
                told = {"status": "True", "lastTransitionTime": now(), "reason": "", "message": ""}
                conditions = [{"type": kind, **told} for kind in ("NamesAccepted", "Established")]
                live["status"] = {**live["status"], "conditions": conditions}
                self.storage.put(collection, key, live)

        timer = threading.Timer(ESTABLISH_S, established)
        timer.daemon = True
        timer.start()

    def _withdraw(self, crd: Json) -> None:
        for resource in of_definition(crd):
            self.resources.pop((resource.kind.group, resource.kind.version, resource.kind.plural), None)
            self.storage.objects.pop(resource.collection, None)


def _what(resource: Resource) -> str:
    return f"{resource.kind.kind}.{resource.kind.group}".rstrip(".")


def _stale(resource: Resource, name: str) -> Fault:
    told = "the object has been modified; please apply your changes to the latest version and try again"
    return Fault(409, f'Operation cannot be fulfilled on {resource.kind.plural} "{name}": {told}')


def _held(item: Json) -> bool:
    own = item["metadata"].get("finalizers")
    return bool(own) or bool(item["kind"] == "Namespace" and (item.get("spec") or {}).get("finalizers"))


def _same(one: Json, other: Json) -> bool:
    def plain(item: Json) -> Json:
        return {**item, "metadata": {k: v for k, v in item["metadata"].items() if k != "managedFields"}}

    return plain(one) == plain(other)
