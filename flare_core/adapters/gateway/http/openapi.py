"""The OpenAPI 3.1 document: from the table of operations, their models, and the intent's own schema.

Nothing is described here that an operation or a model does not say by itself.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from flare_core.adapters.gateway.errors import GatewayCode
from flare_core.adapters.gateway.http.errors import HEADERS_TOO_LARGE, PROBLEM, STATUS
from flare_core.adapters.gateway.http.models import Error, IntentDocument, Problem
from flare_core.adapters.gateway.http.operation import JSON, Header, Operation, Said
from flare_core.adapters.gateway.http.page.codes import MEANINGS
from flare_core.intent import json_schema

Json = dict[str, Any]

VERSION: Final = "3.1.0"
_REF: Final = "#/components/schemas/{model}"
_INTENT: Final = "Intent"
_STREAM: Final = "text/event-stream"
_BOUNDS: Final = {"ge": "minimum", "le": "maximum"}
_ID: Final = {"type": "string", "minLength": 1}
_SECURITY: Final = "token"
_ABOUT: Final = (
    "Submit GPU workloads, follow them, and ask what is free. Every request but those for health and "
    "descriptions takes an API token; every error has one of the codes of `docs/errors`."
)
_HEADERS: Final = {
    "WWW-Authenticate": ((401, 403), "What the gateway wants to see."),
    "Retry-After": ((429, 503), "How long to wait before another try, seconds."),
    "Allow": ((405,), "The methods that the path has."),
}


def document(operations: Sequence[Operation], *, version: str, server: str = "/") -> Json:
    """Return the document.

    Parameters
    ----------
    operations
        All of them, in the order in which they are shown.
    version
        Of the API.
    server
        The path below which clients find it.
    """
    paths: dict[str, Json] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation, operations)
    return {
        "openapi": VERSION,
        "info": {
            "title": "FLARE API Gateway",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in operations)],
        "paths": dict(paths),
        "components": {
            "schemas": _schemas(operations),
            "securitySchemes": {
                _SECURITY: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "flr_…",
                    "description": "An API token, as `POST /api/v1/auth/tokens` makes them.",
                }
            },
        },
    }


def _operation(operation: Operation, operations: Sequence[Operation]) -> Json:
    needs = "" if operation.needs is None else f"Needs the permission `{operation.needs.value}`."
    described = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": "\n\n".join(filter(None, (operation.description, needs))),
        "security": [] if operation.is_open else [{_SECURITY: []}],
        "parameters": list(_parameters(operation)),
        "responses": dict(sorted(_responses(operation, operations))),
    }
    if operation.body is not None:
        content: Json = {"schema": {"$ref": _REF.format(model=operation.body.__name__)}}
        if operation.body is IntentDocument:
            content["examples"] = _examples()
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    return described


# --- what is sent ---------------------------------------------------------------------------------------


def _parameters(operation: Operation) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": dict(_ID)}
    query = operation.query.model_json_schema(schema_generator=_WithoutNull)
    for name, schema in query.get("properties", {}).items():
        said = schema.pop("description", "")
        # Of what is read from a text first, pydantic leaves the bounds in its own words.
        schema = {_BOUNDS.get(word, word): value for word, value in schema.items()}
        yield {
            "name": name,
            "in": "query",
            "required": name in query.get("required", ()),
            "schema": schema,
        } | ({"description": said} if said else {})
    for header in operation.headers:
        yield {"name": header.name, "in": "header", "required": False} | _header(header)


def _header(header: Header) -> Json:
    return {"description": header.description, "schema": dict(header.schema)}


class _WithoutNull(GenerateJsonSchema):
    """A query parameter that is not meant is left out."""

    def nullable_schema(self, schema: Any) -> Json:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> Json:
        written = super().default_schema(schema)
        return {k: v for k, v in written.items() if k != "default" or v is not None}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _examples() -> dict[str, Json]:
    """Return the examples of the API reference."""
    found = sorted((files("flare_core") / "examples").iterdir(), key=lambda file: file.name)
    return {
        file.name.removesuffix(".json"): {"value": json.loads(file.read_bytes())}
        for file in found
        if file.name[0].isdigit()
    }


# --- what is answered -----------------------------------------------------------------------------------


def _responses(operation: Operation, operations: Sequence[Operation]) -> Iterator[tuple[str, Json]]:
    for status, said in operation.says.items():
        yield str(status), _success(said, _links(operation, status, operations))
    by_status: dict[int, list[str]] = defaultdict(list)
    by_status[HEADERS_TOO_LARGE].append(GatewayCode.PAYLOAD_TOO_LARGE)
    for code in dict.fromkeys((*operation.common_errors, *operation.errors)):
        by_status[STATUS[code]].append(code)
    for status, codes in by_status.items():
        yield str(status), _error(status, codes)


def _success(said: Said, links: Mapping[str, Json]) -> Json:
    answer: Json = {"description": said.description, "headers": _common_headers() | _sent(said.headers)}
    if said.media is not None:
        answer["content"] = {said.media: _body(said)}
    return answer | ({"links": dict(links)} if links else {})


def _body(said: Said) -> Json:
    if said.model is None:
        return {"schema": {"type": "string"}} if said.media != JSON else {}
    ref = {"$ref": _REF.format(model=said.model.__name__)}
    if said.media == _STREAM:
        return {"schema": {"type": "string", "contentMediaType": JSON, "contentSchema": ref}}
    return {"schema": ref}


def _error(status: int, codes: Sequence[str]) -> Json:
    def schema(model: type[BaseModel]) -> Json:
        keys = {name: {"enum": sorted(codes)} for name in ("error_code", "code")}
        return {"schema": {"allOf": [{"$ref": _REF.format(model=model.__name__)}, {"properties": keys}]}}

    own = tuple(Header(name, said) for name, (statuses, said) in _HEADERS.items() if status in statuses)
    return {
        "description": "\n".join(f"- `{code}`: {MEANINGS[code]}" for code in sorted(codes)),
        "headers": _common_headers() | _sent(own),
        "content": {JSON: schema(Error), PROBLEM: schema(Problem)},
    }


def _common_headers() -> Json:
    return _sent([Header("X-Request-ID", "The id of the request, its own or the one that it came with.")])


def _sent(headers: Iterable[Header]) -> Json:
    return {header.name: _header(header) for header in headers}


def _links(operation: Operation, status: int, operations: Sequence[Operation]) -> dict[str, Json]:
    """Return what can be asked about what was made: the paths below one of the collection's own."""
    if operation.method != "POST" or status not in (HTTPStatus.CREATED, HTTPStatus.ACCEPTED):
        return {}
    below = re.compile(re.escape(operation.path) + r"/{(\w+)}")
    return {
        other.id: {
            "operationId": other.id,
            "parameters": {found[1]: f"$response.body#/{found[1]}"},
        }
        for other in operations
        if (found := below.match(other.path)) and not any(m == _STREAM for m in _media(other))
    }


def _media(operation: Operation) -> Iterator[str | None]:
    return (said.media for said in operation.says.values())


# --- schemas --------------------------------------------------------------------------------------------


def _schemas(operations: Sequence[Operation]) -> Json:
    wanted: dict[type[BaseModel], JsonSchemaMode] = {Error: "serialization", Problem: "serialization"}
    for operation in operations:
        if operation.body is not None and operation.body is not IntentDocument:
            wanted[operation.body] = "validation"
        wanted |= {said.model: "serialization" for said in operation.says.values() if said.model is not None}
    _, made = models_json_schema(list(wanted.items()), ref_template=_REF)
    schemas: Json = made.get("$defs", {}) | _intent_schemas()
    missing = {model.__name__ for model in wanted} - schemas.keys()
    assert not missing, f"two models of one name: {sorted(missing)}"
    return dict(sorted((name, _lists_counted(schema)) for name, schema in schemas.items()))


def _lists_counted(schema: Any) -> Any:
    """Return a schema whose lists have a least number of entries, where pydantic says a length of text."""
    if isinstance(schema, list):
        return [_lists_counted(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    words = {"minLength": "minItems", "maxLength": "maxItems"} if schema.get("type") == "array" else {}
    return {words.get(key, key): _lists_counted(value) for key, value in schema.items()}


def _intent_schemas() -> Json:
    """Return the intent as it is written, whole or its inside alone, and its parts by names of their own."""
    inside = json_schema(ref_template=_REF.format(model=_INTENT + "{model}"))
    parts = {f"{_INTENT}{name}": schema for name, schema in inside.pop("$defs").items()}
    ref = {"$ref": _REF.format(model=_INTENT)}
    whole = {
        "type": "object",
        "properties": {"intent": ref},
        "required": ["intent"],
        "additionalProperties": False,
    }
    return {
        **parts,
        _INTENT: inside,
        IntentDocument.__name__: {
            "description": "A workload intent, or its inside alone.",
            "anyOf": [whole, ref],
        },
    }
