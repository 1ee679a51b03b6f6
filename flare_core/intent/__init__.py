"""The wire document: JSON in, a validated :class:`Intent` out."""

from flare_core.intent.document import read_intent, read_intents
from flare_core.intent.json import parse_json
from flare_core.intent.refusal import InvalidIntent
from flare_core.intent.schema import field_paths
from flare_core.intent.types import Intent

__all__ = ["Intent", "InvalidIntent", "field_paths", "parse_json", "read_intent", "read_intents"]
