"""Reading: every source, the reference's examples and defaults, and what is kept of the document."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from flare_core.errors import ErrorCode, IntentError
from flare_core.intent import field_paths, read_intent, read_intents
from tests.intent.documents import EXAMPLES, Document, example, job, service, value_at

# The API reference's defaults in base units, and what absence means where it names none.
DEFAULTS: dict[str, object] = {
    "workload.commands": (),
    "workload.env": (),
    "workload.ports": (),
    "workload.resources.cpu": None,
    "workload.resources.memory": None,
    "workload.resources.gpu.model": "any",
    "workload.resources.gpu.count": 1,
    "workload.resources.gpu.memory": None,
    "workload.resources.gpu.cores": None,
    "workload.resources.gpu.clock_speed": None,
    "workload.resources.gpu.compute_capability": None,
    "workload.resources.gpu.architecture": "any",
    "workload.resources.gpu.tier": "any",
    "workload.resources.gpu.shared": False,
    "workload.resources.gpu.interconnect": "any",
    "workload.resources.gpu.interruptible": False,
    "workload.resources.gpu.multi_instance": False,
    "workload.resources.gpu.dedicated": False,
    "workload.resources.gpu.fp32_tflops": None,
    "workload.resources.gpu.topology": "any",
    "workload.resources.gpu.multi_gpu_efficiency": None,
    "workload.storage.volumes": (),
    "workload.secrets": (),
    "workload.scaling.min_replicas": 1,
    "workload.scaling.max_replicas": 10,
    "workload.scaling.auto_scale": False,
    "workload.scaling.target_cpu_percent": 70,
    "workload.scaling.target_gpu_percent": 80,
    "workload.job.parallel_tasks": 1,
    "workload.job.max_retries": 3,
    "workload.job.timeout": None,
    "workload.job.completion_policy": "All",
    "constraints.max_hourly_cost": None,
    "constraints.max_total_cost": None,
    "constraints.location": "any",
    "constraints.availability_zone": None,
    "constraints.max_latency_ms": 100.0,
    "constraints.deadline": None,
    "constraints.preemptible": False,
    "constraints.providers": (),
    "constraints.availability.window_start": None,
    "constraints.availability.window_end": None,
    "constraints.availability.timezone": "UTC",
    "constraints.availability.days_of_week": None,
    "constraints.availability.blackout_dates": (),
    "constraints.availability.maintenance_windows": (),
    "constraints.negotiation.max_negotiation_rounds": 3,
    "constraints.negotiation.price_flexibility": 0.15,
    "constraints.negotiation.resource_flexibility": 0.10,
    "constraints.negotiation.timeout_seconds": 300,
    "constraints.negotiation.fallback_strategy": "queue",
    "constraints.negotiation.auto_accept_threshold": 0.05,
    "constraints.energy.max_carbon_footprint": None,
    "constraints.energy.renewable_energy_only": False,
    "constraints.energy.energy_efficiency_rating": None,
    "constraints.energy.power_usage_effectiveness": 2.0,
    "constraints.energy.green_certified_only": False,
    "constraints.compliance.data_residency": (),
    "constraints.compliance.certifications": (),
    "constraints.compliance.encryption_at_rest": False,
    "constraints.compliance.encryption_in_transit": False,
    "constraints.compliance.audit_logging": False,
    "constraints.compliance.gdpr_compliant": False,
    "constraints.compliance.hipaa_compliant": False,
    "constraints.performance.min_network_bandwidth": None,
    "constraints.performance.max_jitter_ms": 50.0,
    "constraints.performance.min_uptime_percent": 99.0,
    "constraints.performance.max_cold_start_time": None,
    "constraints.security.network_isolation": "public",
    "constraints.security.firewall_rules": (),
    "constraints.security.vpn_access": False,
    "constraints.security.bastion_host": False,
    "constraints.security.intrusion_detection": False,
    "constraints.security.vulnerability_scanning": False,
    "sla.availability": 99.0,
    "sla.max_interruption_time": None,
    "sla.backup_strategy": "none",
}
REQUIRED = {"objective", "workload.type", "workload.name", "workload.image"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_reference_is_read_and_given_back(name: str) -> None:
    document = example(name)
    intent = read_intent(document)
    assert intent.to_dict() == document
    assert intent.name == document["intent"]["workload"]["name"]
    assert read_intent(intent.to_dict()) == intent
    assert json.dumps(intent.to_dict()) == json.dumps(document)  # order too


def test_there_are_six_examples() -> None:
    assert len(EXAMPLES) == 6


def test_an_example_means_what_it_says() -> None:
    intent = read_intent(example("06-communication-aware-training.json"))
    assert intent.constraints.max_latency_ms == 50.0
    assert "max_latency_ms" in intent.constraints.model_fields_set
    assert intent.constraints.max_hourly_cost == 25_000_000
    assert intent.workload.resources.cpu == 32_000
    assert intent.workload.resources.memory == 262_144
    assert intent.workload.storage.size_mib == 2**20 + 200 * 1024
    assert intent.workload.job.timeout == 43_200
    assert (intent.sla.availability, intent.sla.max_interruption_time) == (99.5, 600)


@pytest.mark.parametrize(("path", "default"), DEFAULTS.items())
def test_what_is_left_out_has_the_default_of_the_reference(path: str, default: object) -> None:
    asked: Document = {"availability": {}, "negotiation": {}}
    document = service(constraints=asked, workload__resources={"gpu": {}})
    value = value_at(read_intent(document), path)
    assert value == default
    assert type(value) is type(default)


def test_every_optional_field_has_its_default_tested() -> None:
    beside = {path for path in field_paths() if ".*." in path} | REQUIRED
    lists = {"workload.ports", "workload.storage.volumes", "workload.secrets"}
    lists |= {"constraints.security.firewall_rules", "constraints.availability.maintenance_windows"}
    assert set(DEFAULTS) - lists == set(field_paths()) - beside


def test_what_was_written_out_is_known_apart_from_defaults() -> None:
    intent = read_intent(
        service(constraints={"max_latency_ms": 100, "energy": {"power_usage_effectiveness": 2.0}})
    )
    assert intent.constraints.model_fields_set == {"max_latency_ms", "energy"}
    assert intent.constraints.energy.model_fields_set == {"power_usage_effectiveness"}
    assert intent.constraints.performance.model_fields_set == set()


def test_absent_and_empty_availability_and_negotiation_differ() -> None:
    absent = read_intent(service()).constraints
    empty = read_intent(service(constraints={"availability": {}, "negotiation": {}})).constraints
    assert (absent.availability, absent.negotiation) == (None, None)
    assert None not in (empty.availability, empty.negotiation)


def test_the_document_can_be_cited_by_path() -> None:
    intent = read_intent(service(constraints={"max_hourly_cost": "10.00 EUR"}, workload__env=["A=1"]))
    assert intent.written("constraints.max_hourly_cost") == "10.00 EUR"
    assert intent.written("workload.env.0") == "A=1"
    for nowhere in ("constraints.location", "workload.env.1", "workload.env.x", "workload.name.x", ""):
        assert intent.written(nowhere) is None


def test_an_intent_cannot_be_changed_through_what_it_gives_or_was_given() -> None:
    document = service(workload__env=["A=1"])
    intent = read_intent(document)
    document["workload"]["env"][0] = "A=2"
    given: Any = intent.to_dict()
    given["intent"]["workload"]["env"][0] = "A=3"
    assert intent.to_dict()["intent"] == service(workload__env=["A=1"])
    with pytest.raises(ValueError, match="frozen"):
        setattr(intent.workload, "name", "other")  # noqa: B010 -- mypy knows that it cannot be set


def test_an_intent_is_a_value() -> None:
    assert read_intent(service()) == read_intent(service())
    assert read_intent(service()) != read_intent(job())
    copy = pickle.loads(pickle.dumps(read_intent(service())))  # noqa: S301  # what was pickled here
    assert copy == read_intent(service())
    assert copy.to_dict() == {"intent": service()}


def test_every_source_gives_the_same_intent(tmp_path: Path) -> None:
    expected = read_intent(service())
    text = json.dumps({"intent": service()})
    file = tmp_path / "intent.json"
    file.write_text(text)
    for source in (
        text,
        f"\n {text}",
        text.encode(),
        file,
        str(file),
        {"intent": service()},
        json.dumps(service()),
    ):
        assert read_intent(source) == expected
        assert read_intents(source) == (expected,)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("no/such/file.json", "no/such/file.json"),
        ("tests", "tests"),
        ("", ""),
        ("null", "null"),
        ("a\0b", ""),
        ("x" * 5000, ""),
    ],
    ids=["no-file", "folder", "empty", "json-that-is-no-object", "nul", "long"],
)
def test_a_source_that_cannot_be_read_is_an_intent_error(source: str, path: str) -> None:
    with pytest.raises(IntentError, match="no file that can be read") as caught:
        read_intent(source)
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID_FORMAT, path)


def test_the_system_says_why_a_file_cannot_be_read() -> None:
    with pytest.raises(IntentError, match="No such file or directory"):
        read_intent("no/such/file.json")


def test_a_file_is_read_no_further_than_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    with file.open("wb") as sparse:
        sparse.truncate(10**10)
    with pytest.raises(IntentError, match="at most 1048576 bytes"):
        read_intent(file)


@pytest.mark.parametrize(
    "text", ["[]", "[{}]", "\ufeff{}", '{"intent": 3}', '{"intent": null}', b"3", b"null", b'"{}"']
)
def test_what_is_no_single_intent_is_refused_as_a_whole(text: str | bytes) -> None:
    with pytest.raises(IntentError) as caught:
        read_intent(text)
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID_FORMAT, "")


def test_nothing_stands_beside_the_intent() -> None:
    with pytest.raises(IntentError) as caught:
        read_intent({"intent": service(), "objective": "Cost_Minimization"})
    assert caught.value.path == "objective"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ('{"intent":{"workload":{"name":"a","name":"b"}}}', "workload.name"),
        ('{"workload":{"resources":{"gpu":{"count":1e999}}}}', "workload.resources.gpu.count"),
        ('{"intent":{},"intent":{}}', ""),
    ],
)
def test_paths_of_what_json_hides_start_inside_the_intent(document: str, path: str) -> None:
    with pytest.raises(IntentError) as caught:
        read_intent(document)
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID_FORMAT, path)


def several() -> list[Document]:
    return [service(workload__name=name) for name in ("a", "b", "c")]


def test_several_intents_are_read_from_a_list_or_from_lines(tmp_path: Path) -> None:
    expected = tuple(read_intent(document) for document in several())
    lines = "\n".join(map(json.dumps, several()))
    file = tmp_path / "intents.jsonl"
    file.write_text(f"{lines}\n\n")
    pretty = json.dumps(several(), indent=2)
    for source in (
        lines,
        f"\n{lines}\r\n",
        lines.encode(),
        file,
        str(file),
        several(),
        pretty,
        json.dumps(several()),
    ):
        assert read_intents(source) == expected
    assert read_intents(json.dumps(service(), indent=2)) == (read_intent(service()),)
    assert read_intents([]) == read_intents("[]") == ()


def test_line_separators_of_unicode_do_not_end_a_line() -> None:
    document = service(workload__commands=["a\u2028b\x85c"])
    line = json.dumps(document, ensure_ascii=False)
    assert [intent.to_dict()["intent"] for intent in read_intents(f"{line}\n{line}")] == [document] * 2


@pytest.mark.parametrize(
    ("second", "path", "message"),
    [
        ('{"objective": }', "", "line 2: .* line 2, column 15"),
        (json.dumps(service(workload__name="B")), "workload.name", "line 2: found 'B'"),
        ('{"intent": {"a": 1, "a": 2}}', "a", "line 2: found this key twice"),
    ],
    ids=["syntax", "field", "duplicate"],
)
def test_an_error_among_lines_names_its_line(second: str, path: str, message: str) -> None:
    first = json.dumps(service())
    with pytest.raises(IntentError, match=message) as caught:
        read_intents(f"{first}\n{second}\n{first}")
    assert caught.value.path == path


def test_an_error_in_a_list_names_its_entry() -> None:
    documents = several()
    documents[1]["workload"]["name"] = "B"
    for source in (documents, json.dumps(documents), json.dumps(documents, indent=1)):
        with pytest.raises(IntentError, match="intent 2: found 'B'") as caught:
            read_intents(source)
        assert caught.value.path == "workload.name"


def test_a_duplicate_key_in_a_list_is_found_at_its_entry() -> None:
    with pytest.raises(IntentError) as caught:
        read_intents('[{"intent": {"workload": {"name": "a", "name": "b"}}}]')
    assert caught.value.path == "0.workload.name"
