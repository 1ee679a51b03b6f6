"""Who owns which field: what an update takes over, what an apply may set, and what it takes back."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from tests.fluidos.server.faults import Cause, Fault
from tests.fluidos.server.schema import Schema

Json = dict[str, Any]
Path = tuple[str, ...]  # "f:spec", "f:ports", 'k:{"port":80}', "f:name": the steps of fieldsV1

IDENTITY = {
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata",),
    ("f:metadata", "f:name"),
    ("f:metadata", "f:namespace"),
}
SERVED = ("managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")


class Owners:
    """Ownership in objects of one schema, in which lists with keys are merged; others are one value."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def leaves(self, item: Json) -> dict[Path, Any]:
        meta = {key: value for key, value in item.get("metadata", {}).items() if key not in SERVED}
        found = dict(self._walk({**item, "metadata": meta}, self._schema.root, ()))
        return {path: value for path, value in found.items() if path and path not in IDENTITY}

    def _walk(self, value: Any, node: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any]]:
        node = self._schema.resolve(node)
        keys = node.get("x-kubernetes-list-map-keys")
        if isinstance(value, dict) and value and node.get("x-kubernetes-map-type") != "atomic":
            known, more = node.get("properties", {}), node.get("additionalProperties")
            for name, part in value.items():
                inner = known.get(name, more if isinstance(more, Mapping) else {})
                yield from self._walk(part, inner, (*path, f"f:{name}"))
        elif isinstance(value, list) and value and keys:
            for item in value:
                step = "k:" + json.dumps({key: item[key] for key in keys if key in item}, sort_keys=True)
                yield (*path, step), {key: item[key] for key in keys if key in item}
                yield from self._walk(item, node["items"], (*path, step))
        else:
            yield path, value

    def update(self, before: Json | None, after: Json, manager: str, moment: str) -> None:
        """Give what changed to the manager."""
        old, new = self.leaves(before or {}), self.leaves(after)
        changed = {path for path, value in new.items() if path not in old or old[path] != value}
        gone = old.keys() - new.keys()
        if not changed and not gone:
            return
        entries = _entries(after)
        for entry in entries.values():
            entry -= changed | gone
        entries.setdefault((manager, "Update"), set()).update(changed)
        _store(after, entries, moment)

    def apply(self, live: Json | None, applied: Json, manager: str, force: bool, moment: str) -> Json:
        """The object after an apply; `live` is changed in place."""
        result: Json = live if live is not None else {"metadata": {}}
        for key in ("apiVersion", "kind"):
            result[key] = applied[key]
        wanted, present = self.leaves(applied), self.leaves(result)
        entries = _entries(result)
        mine = entries.pop((manager, "Apply"), set())
        held = {
            path: who
            for (who, _), paths in entries.items()
            for path in paths & wanted.keys()
            if who != manager and present.get(path) != wanted[path]
        }
        if held and not force:
            causes = [
                Cause(_dotted(p), f'conflict with "{who}"', "FieldManagerConflict") for p, who in held.items()
            ]
            raise Fault(
                409,
                f"Apply failed with {len(held)} conflicts: " + ", ".join(_dotted(path) for path in held),
                details={"causes": [cause.to_dict() for cause in causes]},
            )
        for paths in entries.values():
            paths -= held.keys()
        kept = set().union(*entries.values())
        for path in sorted(mine - wanted.keys() - kept, key=len, reverse=True):
            _remove(result, path)
        for path, value in wanted.items():
            _set(result, path, value)
        entries[manager, "Apply"] = set(wanted)
        _store(result, entries, moment)
        return result


def _dotted(path: Path) -> str:
    return "".join(f".{step[2:]}" if step.startswith("f:") else f"[{step[2:]}]" for step in path)


def _entries(item: Json) -> dict[tuple[str, str], set[Path]]:
    return {
        (entry["manager"], entry["operation"]): set(_read(entry["fieldsV1"], ()))
        for entry in item["metadata"].get("managedFields") or ()
    }


def _read(tree: Json, path: Path) -> Iterator[Path]:
    for step, inner in tree.items():
        if step == ".":
            yield path
        elif inner:
            yield from _read(inner, (*path, step))
        else:
            yield (*path, step)


def _write(paths: Iterable[Path]) -> Json:
    tree: Json = {}
    for path in sorted(paths):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        if any(other != path and other[: len(path)] == path for other in paths):
            node["."] = {}
    return tree


def _store(item: Json, entries: Mapping[tuple[str, str], set[Path]], moment: str) -> None:
    item["metadata"]["managedFields"] = [
        {
            "manager": manager,
            "operation": operation,
            "apiVersion": item["apiVersion"],
            "time": moment,
            "fieldsType": "FieldsV1",
            "fieldsV1": _write(paths),
        }
        for (manager, operation), paths in entries.items()
        if paths
    ]


def _item(values: list[Json], step: str) -> Json | None:
    keys = json.loads(step[2:])
    return next((v for v in values if all(v.get(k) == wanted for k, wanted in keys.items())), None)


def _set(item: Json, path: Path, value: Any) -> None:
    node: Any = item
    for step, after in pairwise(path):
        if step.startswith("f:"):
            empty: Any = [] if after.startswith("k:") else {}
            if not isinstance(node.get(step[2:]), type(empty)):
                node[step[2:]] = empty
            node = node[step[2:]]
        else:
            found = _item(node, step)
            if found is None:
                node.append(found := json.loads(step[2:]))
            node = found
    if path[-1].startswith("f:"):
        node[path[-1][2:]] = value
    elif _item(node, path[-1]) is None:
        node.append(dict(value))


def _remove(item: Json, path: Path) -> None:
    node: Any = item
    for step in path[:-1]:
        node = node.get(step[2:]) if step.startswith("f:") else _item(node, step)
        if node is None:
            return
    if path[-1].startswith("f:"):
        node.pop(path[-1][2:], None)
    else:
        found = _item(node, path[-1])
        if found is not None:
            node.remove(found)
