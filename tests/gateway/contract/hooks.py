"""What schemathesis asks of each answer beyond its own checks; loaded by it, in its process.

A value can conform to the schema and still be refused, where JSON Schema cannot tell: sizes beyond what is
counted, names that are not unique, ends before starts. That is allowed for the fields named here, and nowhere
else; how often it happens is counted.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.core.transport import Response

from flare_core.adapters.gateway.http.table import OPERATIONS

BEYOND_THE_SCHEMA = re.compile(
    r"(constraints|sla|workload)\.[a-z_0-9.]*"  # an intent's quantities, uniqueness and order
    r"|name|user_id|model|provider|location|expires_in|token"  # odd characters; lives over a year
)
ALWAYS_TOLD = {"x-request-id", "x-content-type-options", "cache-control"}


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Leave out the examples of whole intents: each would be varied in thousands of requests."""
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                content.pop("examples", None)


@schemathesis.check
def refused_by_what_no_schema_tells(
    ctx: schemathesis.CheckContext, response: Response, case: schemathesis.Case[Any]
) -> None:
    """What conforms is refused for a reason that a client can read, and only where the schema cannot tell."""
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    body = json.loads(response.content) if response.status_code >= 400 else {}
    path = body.get("path") or ""
    line = [case.operation.label, positive, response.status_code, body.get("error_code"), path]
    with Path(os.environ["FLARE_TEST_TALLY"]).open("a") as tally:
        tally.write(json.dumps(line) + "\n")
    if positive and response.status_code == 400 and _conforms(case, path):
        assert body["error_code"] == "INVALID_FORMAT", body
        # What only the search finds out (a field that is not supported, an end after 2200) has no path.
        assert BEYOND_THE_SCHEMA.fullmatch(path) or (not path and "JSON" not in body["message"]), body


def _conforms(case: schemathesis.Case[Any], path: str) -> bool:
    """Whether the value that was refused is one that the description allows: generated headers may not be."""
    sent = {name.lower(): str(value) for name, value in (case.headers or {}).items()}
    described = {header.name.lower(): header.schema for each in OPERATIONS for header in each.headers}
    return (
        path not in described or re.search(described[path].get("pattern", ""), sent.get(path, "")) is not None
    )


@schemathesis.check
def errors_tell_nothing_of_the_inside(
    ctx: schemathesis.CheckContext, response: Response, case: schemathesis.Case[Any]
) -> None:
    """No trace, path, SQL or host is in an error, and each has the headers that all answers have."""
    from tests.gateway.security.served import LEAK

    names = {name.lower() for name in response.headers}
    assert names >= ALWAYS_TOLD, ALWAYS_TOLD - names
    assert "server" not in names
    if response.status_code >= 400:
        text = response.content.decode()
        sent = json.dumps([str(case.body), str(case.query), str(case.path_parameters), str(case.headers)])
        assert not [found[0] for found in LEAK.finditer(text) if found[0] not in sent], text
