"""The schema of intents as JSON Schema: what is written, not what it becomes."""

from typing import Any, Final

from pydantic.json_schema import DEFAULT_REF_TEMPLATE, GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from flare_core.intent.constraints import time_zones
from flare_core.intent.types import Intent

_WITHOUT_LIMIT: Final = {"properties": {"constraints": {"not": {"required": ["max_total_cost"]}}}}
_WITH_END: Final = {"properties": {"constraints": {"required": ["deadline"]}}, "required": ["constraints"]}
_IS_SERVICE: Final = {"properties": {"type": {"const": "service"}}}


def json_schema(ref_template: str = DEFAULT_REF_TEMPLATE) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an intent's inside, as it is written, its parts under ``$defs``.

    Everything that `read_intent` takes conforms to it, but for spellings that nobody uses (long exponents,
    places in another case). What conforms is taken, but for what JSON Schema cannot say: names, paths,
    ports and variables are unique; ends come after starts, minima are below maxima; values are within the
    bounds that the descriptions name.

    Parameters
    ----------
    ref_template
        How the parts refer to one another: a format with ``{model}``.
    """
    schema = Intent.model_json_schema(ref_template=ref_template, schema_generator=_AsWritten)
    parts = schema["$defs"]
    when = parts["Availability"]["properties"]
    when["timezone"]["enum"] = sorted(time_zones())
    when["days_of_week"]["minItems"] = when["days_of_week"].pop("minLength")  # pydantic's word for a tuple's
    parts["Availability"] |= {
        "dependentRequired": {"window_start": ["window_end"], "window_end": ["window_start"]}
    }
    constraints = parts["Constraints"]
    constraints["properties"]["max_network_latency"] = constraints["properties"]["max_latency_ms"]
    constraints["not"] = {"required": ["max_latency_ms", "max_network_latency"]}
    parts["Workload"] |= {
        "if": _IS_SERVICE,
        "then": {"not": {"required": ["job"]}},
        "else": {"properties": {"ports": {"maxItems": 0}}, "not": {"required": ["scaling"]}},
    }
    parts["PortRule"]["if"] = {"required": ["domain"]}
    parts["PortRule"]["then"] = {"properties": {"expose": {"const": True}}, "required": ["expose"]}
    service = {"properties": {"workload": _IS_SERVICE}}
    return schema | {"if": service, "then": {"anyOf": [_WITHOUT_LIMIT, _WITH_END]}}


class _AsWritten(GenerateJsonSchema):
    """What is written: a field that is not meant is left out, ``null`` is never a value."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        written = super().default_schema(schema)
        default = written.get("default")
        return {key: value for key, value in written.items() if key != "default" or _tells(default)}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        # Docstrings tell the base units inside; what is written carries its unit.
        return {key: value for key, value in super().model_schema(schema).items() if key != "description"}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _tells(default: object) -> bool:
    return default is not None and not isinstance(default, dict)
