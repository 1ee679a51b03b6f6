"""Structural schemas: fill defaults in, drop what no schema names, and say what is wrong at which path."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from tests.fluidos.server.faults import Cause

TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
OPEN = "x-kubernetes-preserve-unknown-fields"
TEXT_OR_NUMBER = "x-kubernetes-int-or-string"


class Schema:
    """A schema and the definitions that it refers to."""

    def __init__(self, root: Mapping[str, Any], definitions: Mapping[str, Any] | None = None) -> None:
        self.root = root
        self._definitions = definitions or {}

    def resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in node:
            node = self._definitions[node["$ref"].rsplit("/", 1)[-1]]
        return node

    def fill(self, value: Any, node: Mapping[str, Any] | None = None) -> None:
        """Put defaults in where something is absent."""
        node = self.resolve(self.root if node is None else node)
        if isinstance(value, dict):
            for name, part in node.get("properties", {}).items():
                if name not in value and "default" in part:
                    value[name] = deepcopy(part["default"])
                if name in value:
                    self.fill(value[name], part)
        elif isinstance(value, list) and "items" in node:
            for item in value:
                self.fill(item, node["items"])

    def prune(self, value: Any, node: Mapping[str, Any] | None = None, path: str = "") -> Iterator[str]:
        """Drop unknown fields in place; their paths."""
        node = self.resolve(self.root if node is None else node)
        if isinstance(value, list) and "items" in node:
            for place, item in enumerate(value):
                yield from self.prune(item, node["items"], f"{path}[{place}]")
        elif isinstance(value, dict):
            yield from self._prune_fields(value, node, path)

    def _prune_fields(self, value: dict[str, Any], node: Mapping[str, Any], path: str) -> Iterator[str]:
        known, more = node.get("properties", {}), node.get("additionalProperties")
        for name in list(value):
            here = f"{path}.{name}".lstrip(".")
            if name in known:
                yield from self.prune(value[name], known[name], here)
            elif isinstance(more, Mapping):
                yield from self.prune(value[name], more, here)
            elif not node.get(OPEN) and node.get("type") is not None and more is not True:
                del value[name]
                yield here

    def check(self, value: Any, node: Mapping[str, Any] | None = None, path: str = "") -> Iterator[Cause]:
        """Everything that is wrong, by path."""
        node = self.resolve(self.root if node is None else node)
        if not _is_of_type(value, node):
            told = "null" if value is None else type(value).__name__
            yield Cause(
                path, f"Invalid value: {told!r}: must be of type {_types(node)}", "FieldValueTypeInvalid"
            )
            return
        yield from _plain(value, node, path)
        if isinstance(value, list) and "items" in node:
            for place, item in enumerate(value):
                yield from self.check(item, node["items"], f"{path}[{place}]")
        elif isinstance(value, dict):
            yield from self._check_fields(value, node, path)

    def _check_fields(self, value: dict[str, Any], node: Mapping[str, Any], path: str) -> Iterator[Cause]:
        known, more = node.get("properties", {}), node.get("additionalProperties")
        for name in node.get("required", ()):
            if name not in value:
                yield Cause(f"{path}.{name}".lstrip("."), "Required value", "FieldValueRequired")
        for name, part in value.items():
            inner = known.get(name, more)
            if isinstance(inner, Mapping):
                yield from self.check(part, inner, f"{path}.{name}".lstrip("."))


def _types(node: Mapping[str, Any]) -> str:
    names = node.get("type")
    return "/".join(names) if isinstance(names, list) else str(names)


def _is_of_type(value: Any, node: Mapping[str, Any]) -> bool:
    if node.get(TEXT_OR_NUMBER):
        return isinstance(value, (int, str)) and not isinstance(value, bool)
    if "oneOf" in node:
        return any(_is_of_type(value, part) for part in node["oneOf"])
    names = node.get("type")
    if names is None:
        return True
    if value is None:
        return bool(node.get("nullable")) or "null" in names
    for name in names if isinstance(names, list) else [names]:
        if name != "null" and isinstance(value, TYPES[name]):
            return not isinstance(value, bool) or name == "boolean"
    return False


def _plain(value: Any, node: Mapping[str, Any], path: str) -> Iterator[Cause]:
    if "enum" in node and value is not None and value not in node["enum"]:
        told = ", ".join(f'"{one}"' for one in node["enum"])
        yield Cause(path, f'Unsupported value: "{value}": supported values: {told}', "FieldValueNotSupported")
    if isinstance(value, str) and "pattern" in node and not re.search(node["pattern"], value):
        yield Cause(path, f'Invalid value: "{value}": should match {node["pattern"]}')
    if isinstance(value, str) and len(value) > node.get("maxLength", len(value)):
        yield Cause(path, f"Too long: may not be longer than {node['maxLength']}", "FieldValueTooLong")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < node.get("minimum", value):
            yield Cause(path, f"Invalid value: {value}: should be at least {node['minimum']}")
        if value > node.get("maximum", value):
            yield Cause(path, f"Invalid value: {value}: should be at most {node['maximum']}")
