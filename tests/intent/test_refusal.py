"""Messages: the code, the place, what was found, what was expected, the nearest name, and no secret."""

import json
import time
from typing import Any

import pytest

from flare_core.errors import ErrorCode
from flare_core.intent import InvalidIntent, read_intent
from flare_core.intent.refusal import MAX_FINDINGS
from tests.intent.documents import ABSENT, Document, changed, job, service, with_value

CANARY = "hunter2-canary"


def refusal(document: Document) -> InvalidIntent:
    with pytest.raises(InvalidIntent) as caught:
        read_intent(document)
    return caught.value


@pytest.mark.parametrize(
    "path",
    [
        *("objective", "workload", "workload.type", "workload.name", "workload.image", "workload.resources"),
        *(f"workload.ports.0.{field}" for field in ("port",)),
        *(f"workload.secrets.0.{field}" for field in ("name", "env")),
        *(f"workload.storage.volumes.0.{field}" for field in ("name", "size", "type", "path")),
        *(f"workload.storage.volumes.0.source.{field}" for field in ("type", "uri", "credentials")),
        *(f"constraints.availability.maintenance_windows.0.{field}" for field in ("start", "end")),
        *(
            f"constraints.security.firewall_rules.0.{field}"
            for field in ("port", "protocol", "source", "action")
        ),
    ],
)
def test_a_required_field_that_is_missing_has_its_own_code(path: str) -> None:
    error = refusal(changed(with_value(path, {} if path == "workload" else 1), {path: ABSENT}))
    assert (error.code, error.path) == (ErrorCode.MISSING_REQUIRED_FIELD, path)
    assert len(error.errors) == 1


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("constraints.max_hourly_cots", "max_hourly_cost"),
        ("constraints.maxLatencyMs", "max_latency_ms"),
        ("workload.resources.gpu.memroy", "memory"),
        ("workload.resources.gpu.Model", "model"),
        ("workload.enviroment", "env"),
        ("sla.avaliability", "availability"),
        ("constraint", "constraints"),
        ("workload.ports.0.protcol", "protocol"),
        ("workload.memory", "workload.resources.memory"),
        ("location", "constraints.location"),
        ("workload.parallel_tasks", "workload.job.parallel_tasks"),
        ("workload.scaling.zzz", "target_gpu_percent"),
    ],
)
def test_an_unknown_field_is_named_with_the_known_one_that_was_meant(path: str, named: str) -> None:
    error = refusal(with_value(path, CANARY))
    assert (error.code, error.path) == (ErrorCode.INVALID_FORMAT, path)
    assert f"{named}'" in error.message
    assert CANARY not in str(error)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("constraints.max_hourly_cost", "10 USD", "found '10 USD', expected .*EUR and no other currency"),
        ("workload.resources.gpu.count", "two", "found 'two', expected a whole number"),
        ("workload.resources.gpu.count", True, "found true, expected a whole number"),
        ("workload.resources.gpu.count", -1, "found -1, expected 0 or more"),
        ("workload.resources.gpu.count", 2**40, "found 1099511627776, expected 2147483647 or less"),
        ("workload.resources.gpu.model", "H100", "found 'H100', expected .*'nvidia-h100'"),
        ("workload.resources.gpu.model", "A100-80GB", "'nvidia-a100'"),
        ("workload.resources.gpu.tier", "Premium", "the nearest is 'premium'"),
        ("workload.resources.gpu.architecture", "hoper", "the nearest is 'hopper'"),
        ("workload.ports.0.protocol", "tcp", "expected one of 'TCP', 'UDP' .the nearest is 'TCP'"),
        ("constraints.availability.timezone", "Europe/Berlim", "such as 'Europe/Berlin'"),
        ("constraints.availability.days_of_week", [], "found a list, expected 1 entry or more"),
        ("constraints.security.firewall_rules.0.source", "10.1.2.3/8", "such as '10.0.0.0/8'"),
        ("constraints.location", None, "found null, expected a text"),
        ("constraints.deadline", None, "found null, expected a value; a field that is not meant is left out"),
        ("constraints.energy", "green", "found 'green', expected an object"),
        ("constraints.providers", "aws", "found 'aws', expected a list"),
        ("constraints.preemptible", "yes", "found 'yes', expected true or false"),
        ("workload.job.timeout", "0s", "found '0s', expected more than 0"),
        ("workload.name", "X" * 1000, "found 'X{80}'..., expected a DNS-1123 label"),
        ("workload.name", "a\n\x1b[31m", r"found 'a\\n\\x1b\[31m'"),
    ],
)
def test_a_message_says_what_was_found_and_what_was_expected(path: str, value: object, message: str) -> None:
    with pytest.raises(InvalidIntent, match=message):
        read_intent(with_value(path, value))


def test_several_findings_make_one_error_that_speaks_for_the_first_of_the_document() -> None:
    document = {
        "sla": {"availability": "often"},
        "workload": {
            "resources": {"gpu": {"memroy": 1, "count": "two"}},
            "type": "service",
            "name": "Web",
        },
        "objective": "Cheapest",
    }
    error = refusal(document)
    assert [each.path for each in error.errors] == [
        "sla.availability",
        "workload.resources.gpu.memroy",
        "workload.resources.gpu.count",
        "workload.name",
        "workload.image",  # missing: at the end of its object
        "objective",
    ]
    assert (error.code, error.path) == (ErrorCode.INVALID_FORMAT, "sla.availability")
    assert "; and 5 more: workload.resources.gpu.memroy, " in error.message
    assert error.errors[4].code is ErrorCode.MISSING_REQUIRED_FIELD


def test_a_misspelt_required_field_is_found_before_it_is_missed() -> None:
    document = {"objectve" if key == "objective" else key: value for key, value in service().items()}
    error = refusal(document)
    assert [each.path for each in error.errors] == ["objectve", "objective"]
    assert error.code is ErrorCode.INVALID_FORMAT


def test_what_only_follows_from_another_finding_is_not_told() -> None:
    error = refusal(service(workload__scaling={"min_replicas": "two"}))
    assert [each.path for each in error.errors] == ["workload.scaling.min_replicas"]


@pytest.mark.parametrize(
    "changes",
    [
        {"workload.env": [CANARY]},
        {"workload.env": [f"2A={CANARY}"]},
        {"workload.env": [f"A={CANARY}", f"A={CANARY}2"]},
        {"workload.env": CANARY},
        {"workload.env": {"A": CANARY}},
        {"workload.env": [{CANARY: CANARY}]},
        {"workload.commands": f"run --token {CANARY}"},
        {"workload.commands": [[f"run --token {CANARY}"]]},
        {"workload.secrets": CANARY},
        {"workload.secrets": [CANARY]},
        {"workload.secrets": [{"name": f"{CANARY}!", "env": f"{CANARY} x"}]},
        {"workload.secrets": [{"name": "s", "env": "A", "value": CANARY}]},
        {"workload.storage": {"volumes": [{"source": CANARY}]}},
        {
            "workload.storage": {
                "volumes": [{"source": {"type": "s3", "uri": CANARY, "credentials": f"{CANARY}!"}}]
            }
        },
        {"workload.password": CANARY},
        {"workload.type": [CANARY]},
    ],
)
def test_no_message_tells_a_secret(changes: dict[str, object]) -> None:
    error = refusal(changed(service(), changes))
    told = repr([error, *error.errors, *map(str, error.errors), error.__cause__, error.__context__])
    assert CANARY not in told


def test_an_intent_does_not_show_its_secrets() -> None:
    volume: dict[str, Any] = {"name": "v", "size": "1Gi", "type": "temporary", "path": "/v"}
    volume["source"] = {"type": "s3", "uri": f"s3://{CANARY}/", "credentials": CANARY}
    intent = read_intent(
        job(
            workload__env=[f"A={CANARY}"],
            workload__commands=[CANARY],
            workload__secrets=[{"name": CANARY, "env": "B"}],
            workload__storage={"volumes": [volume]},
        )
    )
    assert CANARY not in repr(intent)
    assert CANARY not in str(intent)


HOSTILE: dict[str, Document] = {
    "unknown-fields": service() | {f"a{i}": i for i in range(20_000)},
    "bad-entries": service(workload__env=["x"] * 10_000),
    "long-list": service(workload__ports=[{"port": 0}] * 50_000),
    "long-key": service() | {"x" * 900_000: 1},
    "long-image": service(workload__image="a-" * 400_000),
    "long-image-within-bounds": service(workload__image="a-" * 250),
    "long-domain": service(workload__ports=[{"port": 1, "expose": True, "domain": "a-" * 120 + "_"}]),
    "long-model": service(workload__resources__gpu={"model": "x" * 900_000}),
    "long-zone": service(constraints={"availability": {"timezone": "x" * 900_000}}),
    "long-quantity": service(workload__resources={"memory": "9" * 900_000 + "Gi"}),
    "large-exponent": service(workload__resources={"memory": "1e999999999Gi"}),
}


@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_is_refused_quickly_and_briefly(document: Document) -> None:
    text = json.dumps(document)
    start = time.process_time()
    error = refusal(json.loads(text))
    assert time.process_time() - start < 2  # a guard against a blow-up, not a benchmark
    assert len(str(error)) < 1000
    assert len(error.errors) <= MAX_FINDINGS <= max(error.found, MAX_FINDINGS)
