"""JSON into dataclasses, by their annotations: what is unknown is left out, what is missing is an error."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from flare_core.client.errors import AnswerError

T = TypeVar("T")


def read(kind: type[T], value: object, path: str = "") -> T:
    """Return a value of JSON as what it should be.

    Raises
    ------
    AnswerError
        If it is something else: names the place.
    """
    found: T = _read(kind, value, path)
    return found


def _read(kind: Any, value: Any, path: str) -> Any:
    origin = get_origin(kind)
    if origin is UnionType:
        inner = next(each for each in get_args(kind) if each is not NoneType)
        return None if value is None else _read(inner, value, path)
    if is_dataclass(kind) and isinstance(value, Mapping):
        return _object(kind, value, path)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(get_args(kind)[0], each, f"{path}.{i}") for i, each in enumerate(value))
    if kind is datetime and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise _wrong(value, "a moment", path) from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, Mapping if origin is Mapping else kind if isinstance(kind, type) else NoneType):
        raise _wrong(value, str(kind), path)
    return value


def _object(kind: Any, value: Mapping[str, Any], path: str) -> Any:
    known = {}
    for name, (annotation, required) in _shape(kind).items():
        if name in value:
            known[name] = _read(annotation, value[name], f"{path}.{name}".lstrip("."))
        elif required:
            raise AnswerError(f"found no {name} in {path or 'the answer'}")
    return kind(**known)


@cache
def _shape(kind: Any) -> dict[str, tuple[Any, bool]]:
    hints = get_type_hints(kind)
    return {
        each.name: (hints[each.name], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(kind)
    }


def _wrong(value: object, expected: str, path: str) -> AnswerError:
    return AnswerError(f"{path or 'the answer'}: found {type(value).__name__}, expected {expected}")
