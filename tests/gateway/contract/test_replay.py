"""The page on the HTTP API says what the gateway answers, and the API reference what the page says."""

import importlib.util
import json
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest

from flare_core.adapters.gateway.http.errors import STATUS
from flare_core.adapters.gateway.http.openapi import document
from flare_core.adapters.gateway.http.page.codes import MEANINGS
from flare_core.adapters.gateway.http.table import OPERATIONS
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "reference" / "http-api.md").read_text()
DOCUMENT = document(OPERATIONS, version="0")


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replay", ROOT / "docs" / "replay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REPLAY = loaded()


@pytest.fixture(scope="module")
def replayed() -> Iterator[list[tuple[Any, list[str]]]]:
    with REPLAY.gateway() as (url, token):
        yield list(REPLAY.replay(url, token))


def test_every_answer_is_the_one_that_is_shown(replayed: list[tuple[Any, list[str]]]) -> None:
    assert len(replayed) == PAGE.count("```bash") == 18
    assert not [(exchange.method, exchange.path, wrong) for exchange, wrong in replayed if wrong]


def test_every_answer_conforms_to_its_schema(replayed: list[tuple[Any, list[str]]]) -> None:
    for exchange, _ in replayed:
        path = re.sub(r"/(?:intent-|tok_)[0-9a-f]+", lambda found: ID[found[0][1:4]], exchange.path)
        operation = DOCUMENT["paths"][path.partition("?")[0]][exchange.method.lower()]
        content = operation["responses"][str(exchange.status)]["content"]
        media = "application/problem+json" if "detail" in exchange.answer else "application/json"
        schema = content[media]["schema"] | {"components": DOCUMENT["components"]}
        errors = jsonschema_rs.Draft202012Validator(schema).iter_errors(exchange.answer)
        assert not [f"{path} {exchange.status}: {error.message}" for error in errors]


ID = {"int": "/{intent_id}", "tok": "/{token_id}"}

# The answers of the API reference, as it shows them; where it shows two shapes for one answer, both.
REFERENCE: dict[str, list[dict[str, Any]]] = {
    "POST /api/v1/auth/tokens": [
        {
            "token_id": "",
            "token": "",
            "name": "",
            "created_at": "2024-01-15T10:30:00Z",
            "expires_at": "2024-04-15T10:30:00Z",
            "permissions": ["intents:read"],
        }
    ],
    "GET /api/v1/auth/tokens": [
        {
            "tokens": [
                {
                    "token_id": "",
                    "name": "",
                    "created_at": "2024-01-15T10:30:00Z",
                    "expires_at": "2024-04-15T10:30:00Z",
                    "last_used": "2024-01-20T15:45:00Z",
                    "permissions": ["intents:read"],
                    "status": "active",
                }
            ]
        }
    ],
    "GET /api/v1/auth/verify": [
        {"status": "", "user": "", "permissions": ["admin:*"], "expires_at": "2024-12-31T23:59:59Z"}
    ],
    "DELETE /api/v1/auth/tokens/{token_id}": [
        {"message": "", "token_id": "", "revoked_at": "2024-01-20T16:00:00Z"}
    ],
    "GET /api/v1/resources": [
        {
            "available_gpus": [
                {
                    "model": "",
                    "count": 8,
                    "memory": "80Gi",
                    "location": "",
                    "cost_per_hour": "4.50 EUR",
                    "provider": "",
                }
            ]
        }
    ],
    "POST /api/v1/intents": [
        {
            "intent_id": "",
            "status": "pending",
            "message": "",
            "estimated_cost": "5.50 EUR/hour",
            "estimated_start_time": "2024-01-15T10:30:00Z",
        },
        {
            "intent_id": "",
            "message": "",
            "data": {
                "estimated_cost": "8.50 EUR/hour",
                "estimated_start_time": "2024-01-15T10:35:00Z",
                "selected_provider": "",
                "gpu_allocation": {"model": "", "count": 2, "location": ""},
            },
        },
    ],
    "GET /api/v1/intents/{intent_id}": [
        {
            "intent_id": "",
            "status": "running",
            "workload_url": "",
            "current_cost": "12.45 EUR",
            "runtime": "2h 15m",
            "gpu_utilization": "85%",
            "message": "",
        },
        {
            "workload": {
                "name": "",
                "type": "",
                "url": "",
                "start_time": "2024-01-15T10:35:00Z",
                "runtime": "",
            },
            "resources": {
                "provider": "",
                "location": "",
                "gpu": {"model": "", "count": 2, "utilization": "85%"},
            },
            "costs": {"hourly_rate": "8.50 EUR/hour", "total_cost": "19.12 EUR", "currency": "EUR"},
            "performance": {"latency_p50": "45ms", "latency_p99": "120ms", "throughput": "150 req/s"},
        },
    ],
    "error": [
        {"error": "", "message": "", "code": ""},
        {"status": "error", "error_code": "", "message": "", "suggestions": []},
    ],
    "refusal": [
        {"suggestions": [{"alternative": "", "cost_difference": "+15%", "performance_impact": "-10%"}]}
    ],
}


def test_every_answer_has_the_shapes_of_the_reference(replayed: list[tuple[Any, list[str]]]) -> None:
    seen, wrong = set(), []
    for exchange, _ in replayed:
        path = re.sub(r"/(?:intent-|tok_)[0-9a-f]+", lambda found: ID[found[0][1:4]], exchange.path)
        kind = f"{exchange.method} {path}" if exchange.status < 400 else "error"
        kinds = (
            [kind, "refusal"] if exchange.status == 409 else [kind] if "detail" not in exchange.answer else []
        )
        for each in kinds:
            seen.add(each)
            for shape in REFERENCE.get(each, []):
                wrong += [(each, found) for found in differences(shape, exchange.answer)]
    assert not wrong
    assert seen >= {*REFERENCE}


def differences(shape: dict[str, Any], told: Any) -> list[str]:
    """An empty text of the reference stands for any."""
    return [each for each in REPLAY.differences(shape, told) if not re.search(r"not .* as ''$", each)]


# --- the tables -----------------------------------------------------------------------------------------


def rows(heading: str) -> list[tuple[str, ...]]:
    [table] = re.findall(rf"^\| {heading} \|.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in table.splitlines()]


def test_the_page_has_every_operation() -> None:
    shown = {
        (name.strip("`"), needs.strip("`"), success)
        for name, needs, success in rows("operation \\| permission")
    }
    wanted = set()
    for each in OPERATIONS:
        needs = "none" if each.is_open else each.needs.value if each.needs else "any token"
        wanted.add((f"{each.method} {each.path}", needs, ", ".join(map(str, sorted(each.says)))))
    assert shown == wanted


def test_the_page_has_every_query_parameter() -> None:
    shown = {
        (name.strip("`"), parameter.strip("`")) for name, parameter, _ in rows("operation \\| parameter")
    }
    assert shown == {(f"{o.method} {o.path}", name) for o in OPERATIONS for name in o.query.model_fields}


def test_the_page_has_every_header() -> None:
    shown = set(re.findall(r"`([A-Z][A-Za-z-]+)`", " ".join(names for names, *_ in rows("header"))))
    assert shown >= {header.name for each in OPERATIONS for header in each.headers}


def test_the_page_has_every_code() -> None:
    shown = [(code.strip("`"), status, meaning) for code, status, meaning in rows("code")]
    assert shown == [(code, str(STATUS[code]), meaning) for code, meaning in MEANINGS.items()]


# --- the comparison itself ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({"a": 1}, {}),
        ({"a": {"b": 1}}, {"a": {}}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}, {}]}),
        ({"a": [1]}, {"a": []}),
        ({"a": "8.50 EUR/hour"}, {"a": "8.50 EUR"}),
        ({"a": "2026-01-15T10:30:00Z"}, {"a": "2026-01-15 10:30"}),
        ({"a": "NOT_FOUND"}, {"a": "INVALID_TOKEN"}),
        ({"a": 1}, {"a": "1"}),
        ({"a": True}, {"a": 1}),
        ({"a": {}}, {"a": []}),
    ],
)
def test_a_difference_is_seen(shown: Any, told: Any) -> None:
    assert list(REPLAY.differences(shown, told))
    assert not list(REPLAY.differences(shown, json.loads(json.dumps(shown))))


def test_a_command_without_an_answer_is_an_error() -> None:
    with pytest.raises(ValueError, match="without an answer"):
        REPLAY.examples("```bash\ncurl x\n```\n")
