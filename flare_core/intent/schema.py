"""The schema as a list of paths: what can be written in an intent, for checks, tests and messages."""

from collections.abc import Iterator
from functools import cache
from typing import get_args, get_origin

from flare_core.intent.fields import Part
from flare_core.intent.types import Intent


def field_paths() -> tuple[str, ...]:
    """Return the JSON path of every field that holds a value, in the order of the schema.

    From the intent's inside; ``*`` stands for any index of a list of objects:
    ``workload.ports.*.port``. A list of plain values is one field: ``workload.env``.
    """
    return tuple(
        f"{path}.{name}".lstrip(".")
        for path, part in _parts(Intent, "")
        for name, field in part.model_fields.items()
        if _part_in(field.annotation) is None
    )


@cache
def object_fields() -> dict[str, tuple[str, ...]]:
    """Return the field names of each object of the schema by its path; the intent's own path is empty."""
    return {path: tuple(part.model_fields) for path, part in _parts(Intent, "")}


def _parts(part: type[Part], path: str) -> Iterator[tuple[str, type[Part]]]:
    yield path, part
    for name, field in part.model_fields.items():
        if (inner := _part_in(field.annotation)) is not None:
            star = ".*" if _is_list(field.annotation) else ""
            yield from _parts(inner, f"{path}.{name}{star}".lstrip("."))


def _part_in(annotation: object) -> type[Part] | None:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return next((part for each in get_args(annotation) if (part := _part_in(each))), None)


def _is_list(annotation: object) -> bool:
    return get_origin(annotation) is tuple or any(map(_is_list, get_args(annotation)))
