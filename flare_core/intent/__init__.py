"""The wire document: JSON in, a validated :class:`Intent` out.

The pydantic models are loaded when one of these names is first used: they cost more to import than everything
else here together, and an embedder that only reads inventories or plans needs none of them.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from flare_core.intent.document import read_intent, read_intents
    from flare_core.intent.json import parse_json
    from flare_core.intent.refusal import InvalidIntent
    from flare_core.intent.schema import field_paths
    from flare_core.intent.types import Intent
    from flare_core.intent.written import json_schema

__all__ = [
    "Intent",
    "InvalidIntent",
    "field_paths",
    "json_schema",
    "parse_json",
    "read_intent",
    "read_intents",
]

_ROOMS = {
    "Intent": "types",
    "InvalidIntent": "refusal",
    "field_paths": "schema",
    "json_schema": "written",
    "parse_json": "json",
    "read_intent": "document",
    "read_intents": "document",
}


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
