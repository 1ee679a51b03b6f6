"""Merge patches (RFC 7396) and JSON patches (RFC 6902)."""

from typing import Any

from tests.fluidos.server.faults import Fault
from tests.fluidos.server.storage import copied


def merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def json_patch(target: Any, steps: Any) -> Any:
    if not isinstance(steps, list):
        raise Fault(
            400, "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        )
    result = copied(target)
    for step in steps:
        result = _step(result, step)
    return result


def _step(document: Any, step: dict[str, Any]) -> Any:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
    how = step["op"]
    try:
        parent = document
        for part in parts[:-1]:
            parent = parent[int(part)] if isinstance(parent, list) else parent[part]
        last = parts[-1]
        if how == "test":
            value = parent[int(last)] if isinstance(parent, list) else parent[last]
            if value != step["value"]:
                raise Fault(
                    422, f"the server rejected our request due to an error in our request: {step['path']}"
                )
        elif isinstance(parent, list):
            _change_list(parent, how, last, step)
        elif how == "remove":
            del parent[last]
        elif how == "replace" and last not in parent:
            raise KeyError(last)
        else:
            parent[last] = step["value"]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Fault(422, f"the server rejected our request: no such path {step['path']}") from error
    return document


def _change_list(parent: list[Any], how: str, last: str, step: dict[str, Any]) -> None:
    if how == "remove":
        del parent[int(last)]
    elif how == "replace":
        parent[int(last)] = step["value"]
    else:
        parent.insert(len(parent) if last == "-" else int(last), step["value"])
