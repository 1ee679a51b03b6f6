"""Which names, labels and annotations the server takes, and which objects a selector means."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.fluidos.server.faults import Cause, Fault

Json = dict[str, Any]

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
ROLE = re.compile(r"[^/%]+")
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
MOST_ANNOTATIONS = 256 * 1024


def check_name(name: str, plural: str) -> Iterator[Cause]:
    if plural in ("namespaces", "services"):
        rule, length = LABEL, 63
    elif "role" in plural:
        rule, length = ROLE, 253
    else:
        rule, length = SUBDOMAIN, 253
    if not rule.fullmatch(name) or len(name) > length:
        yield Cause("metadata.name", f'Invalid value: "{name}": must be a lowercase RFC 1123 name')


def check_labels(meta: Json) -> Iterator[Cause]:
    for key, value in (meta.get("labels") or {}).items():
        if not _is_key(key):
            yield Cause("metadata.labels", f'Invalid value: "{key}": name part must be a qualified name')
        if not VALUE.fullmatch(value) or len(value) > 63:
            yield Cause("metadata.labels", f'Invalid value: "{value}": must be a valid label value')
    annotations = meta.get("annotations") or {}
    yield from (
        Cause("metadata.annotations", f'Invalid value: "{key}": name part must be a qualified name')
        for key in annotations
        if not _is_key(key.lower())
    )
    if sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items()) > MOST_ANNOTATIONS:
        yield Cause(
            "metadata.annotations",
            f"Too long: may not be more than {MOST_ANNOTATIONS} bytes",
            "FieldValueTooLong",
        )


def _is_key(key: str) -> bool:
    prefix, _, name = key.rpartition("/")
    if prefix and (not SUBDOMAIN.fullmatch(prefix) or len(prefix) > 253):
        return False
    return bool(name) and len(name) <= 63 and VALUE.fullmatch(name) is not None


PARTS = re.compile(r"[^,(]+(?:\([^)]*\))?")
IN = re.compile(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)")


def by_labels(selector: str) -> Callable[[Json], bool]:
    tests = [_label_test(part.strip()) for part in PARTS.findall(selector) if part.strip()]
    return lambda item: all(test(item["metadata"].get("labels") or {}) for test in tests)


def _label_test(part: str) -> Callable[[Json], bool]:
    if among := IN.fullmatch(part):
        key, how, text = among.groups()
        values = {value.strip() for value in text.split(",")}
        return lambda labels: (labels.get(key) in values) == (how == "in")
    if "!=" in part:
        key, value = (side.strip() for side in part.split("!=", 1))
        return lambda labels: labels.get(key) != value
    if "=" in part:
        key, value = (side.strip() for side in part.replace("==", "=").split("=", 1))
        return lambda labels: labels.get(key) == value
    if part.startswith("!"):
        return lambda labels: part[1:] not in labels
    return lambda labels: part in labels


def by_fields(selector: str) -> Callable[[Json], bool]:
    wanted = [part.replace("==", "=").split("=", 1) for part in selector.split(",") if part]
    for key, *_ in wanted:
        if key not in ("metadata.name", "metadata.namespace"):
            raise Fault(400, f"field label not supported: {key}")
    return lambda item: all(item["metadata"].get(key.split(".")[1], "") == value for key, value in wanted)
