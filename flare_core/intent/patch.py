"""Changed intents: a JSON merge patch (RFC 7396) on the inside of an intent, read again like any other.

Source: https://www.rfc-editor.org/rfc/rfc7396.
"""

from collections.abc import Mapping

from flare_core.intent.document import read_intent
from flare_core.intent.json import Json
from flare_core.intent.types import Intent

SPELLINGS = {"constraints.max_latency_ms": "constraints.max_network_latency"}
"""Fields that have a second spelling, which has to go where the first is written."""


def patched(intent: Intent, patch: Mapping[str, Json]) -> Intent:
    """Return the intent that the patched document is.

    Raises
    ------
    IntentError
        Where the patched document is no intent.
    """
    return read_intent(_object(merged(intent.to_dict()["intent"], dict(patch))))


def merged(document: Json, patch: Json) -> Json:
    """Return `document` with `patch` merged into it: null removes a member, a list is replaced whole."""
    if not isinstance(patch, dict):
        return patch
    result = dict(_object(document))
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def patch_of(intent: Intent, values: Mapping[str, Json]) -> dict[str, Json]:
    """Return the patch that writes `values` at their JSON paths, none of which leads into a list."""
    patch: dict[str, Json] = {}
    for path, value in values.items():
        other = SPELLINGS.get(path)
        if other is not None and intent.written(other) is not None:
            _put(patch, other, None)
        _put(patch, path, value)
    return patch


def _put(patch: dict[str, Json], path: str, value: Json) -> None:
    *way, last = path.split(".")
    at = patch
    for name in way:
        inner = at.setdefault(name, {})
        assert isinstance(inner, dict), path
        at = inner
    at[last] = value


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
