"""The JSON Schema of intents says what the reader takes, and refuses what the reader refuses."""

import json
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta

from flare_core.intent import json_schema
from flare_core.intent.json import parse_json
from tests.intent.documents import EXAMPLES, changed, example, job, service, with_value
from tests.intent.test_fields import FIELDS

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

# What a pattern cannot tell, or what only a spelling does that nobody writes: the reader alone judges it.
BEYOND_THE_SCHEMA = 0.1


def conforms(document: dict[str, Any]) -> bool:
    return VALIDATOR.is_valid(document.get("intent", document))


def test_it_is_a_schema() -> None:
    meta.validate(SCHEMA)
    assert json_schema("#/components/schemas/{model}")["properties"]["workload"] == {
        "$ref": "#/components/schemas/Workload"
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_reference_conform(name: str) -> None:
    assert conforms(example(name))


TAKEN = [(path, written) for path, (taken, _) in FIELDS.items() for written, _ in taken]
REFUSED = [(path, value) for path, (_, refused) in FIELDS.items() for value in refused]


def test_what_the_reader_takes_conforms() -> None:
    odd = [(path, value) for path, value in TAKEN if not conforms(with_value(path, value))]
    assert not odd


def test_what_the_reader_refuses_does_not_conform_where_a_schema_can_tell() -> None:
    missed = [(path, value) for path, value in REFUSED if conforms(with_value(path, value))]
    assert len(missed) <= BEYOND_THE_SCHEMA * len(REFUSED), missed
    # By its kind alone a value that is no list is always judged.
    assert not [each for each in missed if isinstance(each[1], bool | dict | None)]


@pytest.mark.parametrize(
    "document",
    [
        service(workload__job={"max_retries": 1}),
        job(workload__scaling={"min_replicas": 1}),
        job(workload__ports=[{"port": 80}]),
        service(workload__ports=[{"port": 80, "domain": "a.example"}]),
        service(constraints__max_total_cost="5 EUR"),
        service(constraints__availability={"window_start": "09:00"}),
        service(constraints={"max_latency_ms": 1, "max_network_latency": 1}),
        service(surprise=1),
        changed(service(), {"sla": None}),
        {"objective": "Cost_Minimization"},
    ],
)
def test_contradictions_do_not_conform(document: dict[str, Any]) -> None:
    assert not conforms(document)


def test_a_total_cost_of_a_service_that_ends_conforms() -> None:
    limits = {"max_total_cost": "5 EUR", "deadline": "2030-01-01T00:00:00Z"}
    assert conforms(service(constraints=limits))
    assert conforms(job(constraints={"max_total_cost": "5 EUR"}))
    assert conforms(job(workload__ports=[]))


def test_it_is_plain_json_without_nulls() -> None:
    def nulls(value: object) -> bool:
        if isinstance(value, dict):
            return any(map(nulls, value.values()))
        return any(map(nulls, value)) if isinstance(value, list) else value is None

    tree = parse_json(json.dumps(SCHEMA))
    assert tree == SCHEMA
    assert not nulls(tree)
