"""What two fields say together: accepted where it makes sense, refused where it contradicts itself."""

from typing import Any

import pytest

from flare_core.errors import ErrorCode, IntentError
from flare_core.intent import read_intent
from tests.intent.documents import Document, job, service

VOLUME = {"name": "v", "size": "1Gi", "type": "persistent", "path": "/v"}
GPU = {"model": "any", "count": 1}


def volumes(*changes: dict[str, object]) -> Document:
    return {"volumes": [{**VOLUME, **change} for change in changes]}


ACCEPTED: dict[str, Document] = {
    "port-on-two-protocols": service(workload__ports=[{"port": 53}, {"port": 53, "protocol": "UDP"}]),
    "two-ports": service(workload__ports=[{"port": 80}, {"port": 81}]),
    "domain-with-expose": service(workload__ports=[{"port": 80, "expose": True, "domain": "a.com"}]),
    "empty-ports-on-a-job": job(workload__ports=[]),
    "job-on-a-batch": job(workload__type="batch", workload__job={"parallel_tasks": 2}),
    "equal-replicas": service(workload__scaling={"min_replicas": 3, "max_replicas": 3}),
    "more-than-the-default-maximum": service(workload__scaling={"min_replicas": 11}),
    "dedicated-alone": service(workload__resources__gpu={**GPU, "dedicated": True, "shared": False}),
    "shared-instance": service(workload__resources__gpu={**GPU, "shared": True, "multi_instance": True}),
    "two-volumes": service(workload__storage=volumes({}, {"name": "w", "path": "/w"})),
    "volume-below-another": service(workload__storage=volumes({}, {"name": "w", "path": "/v/w"})),
    "secret-beside-env": service(
        workload__env=["A=1"], workload__secrets=[{"name": "s", "env": "B"}, {"name": "s", "env": "C"}]
    ),
    "total-of-a-service-with-deadline": service(
        constraints={"max_total_cost": "10 EUR", "deadline": "2026-01-15T12:00:00Z"}
    ),
    "total-of-a-job": job(constraints={"max_total_cost": "10 EUR"}),
    "checkpoint-with-volume": job(
        sla={"backup_strategy": "checkpoint"}, workload__storage=volumes({"type": "persistent"})
    ),
    "other-backup-without-volume": job(sla={"backup_strategy": "daily"}),
    "no-gpu": service(workload__resources={"cpu": "1"}),
    "nothing-asked": service(workload__resources={}),
}

REFUSED: dict[str, tuple[Document, str]] = {
    "port-twice": (
        service(workload__ports=[{"port": 80}, {"port": 80, "protocol": "TCP"}]),
        "workload.ports.1.port",
    ),
    "domain-without-expose": (
        service(workload__ports=[{"port": 80, "domain": "a.com"}]),
        "workload.ports.0.domain",
    ),
    "domain-with-expose-false": (
        service(workload__ports=[{"port": 80, "expose": False, "domain": "a.com"}]),
        "workload.ports.0.domain",
    ),
    "ports-on-a-job": (job(workload__ports=[{"port": 80}]), "workload.ports"),
    "scaling-on-a-job": (job(workload__scaling={"min_replicas": 1}), "workload.scaling"),
    "empty-scaling-on-a-batch": (job(workload__type="batch", workload__scaling={}), "workload.scaling"),
    "job-on-a-service": (service(workload__job={}), "workload.job"),
    "minimum-over-maximum": (
        service(workload__scaling={"min_replicas": 4, "max_replicas": 3}),
        "workload.scaling.min_replicas",
    ),
    "dedicated-and-shared": (
        service(workload__resources__gpu={**GPU, "dedicated": True, "shared": True}),
        "workload.resources.gpu.dedicated",
    ),
    "dedicated-and-instance": (
        service(workload__resources__gpu={**GPU, "dedicated": True, "multi_instance": True}),
        "workload.resources.gpu.dedicated",
    ),
    "volume-name-twice": (
        service(workload__storage=volumes({}, {"path": "/w"})),
        "workload.storage.volumes.1.name",
    ),
    "mount-path-twice": (
        service(workload__storage=volumes({}, {"name": "w"})),
        "workload.storage.volumes.1.path",
    ),
    "mount-path-twice-but-for-a-slash": (
        service(workload__storage=volumes({}, {"name": "w", "path": "/v/"})),
        "workload.storage.volumes.1.path",
    ),
    "env-twice": (service(workload__env=["A=1", "B=1", "A=2"]), "workload.env.2"),
    "secret-env-twice": (
        service(workload__secrets=[{"name": "s", "env": "A"}, {"name": "t", "env": "A"}]),
        "workload.secrets.1.env",
    ),
    "secret-env-in-env": (
        service(workload__env=["A=1"], workload__secrets=[{"name": "s", "env": "A"}]),
        "workload.secrets.0.env",
    ),
    "both-latencies": (
        service(constraints={"max_latency_ms": 50, "max_network_latency": "50ms"}),
        "constraints.max_network_latency",
    ),
    "total-of-a-service": (service(constraints={"max_total_cost": "10 EUR"}), "constraints.max_total_cost"),
    "checkpoint-without-volume": (job(sla={"backup_strategy": "checkpoint"}), "sla.backup_strategy"),
    "checkpoint-with-temporary-volume": (
        job(sla={"backup_strategy": "checkpoint"}, workload__storage=volumes({"type": "temporary"})),
        "sla.backup_strategy",
    ),
}


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED)
def test_fields_that_agree_are_read(document: dict[str, Any]) -> None:
    assert read_intent(document).to_dict() == {"intent": document}


@pytest.mark.parametrize(("document", "path"), REFUSED.values(), ids=REFUSED)
def test_fields_that_contradict_each_other_are_refused(document: dict[str, Any], path: str) -> None:
    with pytest.raises(IntentError) as caught:
        read_intent(document)
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID_FORMAT, path)


@pytest.mark.parametrize(("least", "most"), [(1, 10), (10, 10), (11, 11)])
def test_the_most_replicas_are_ten_or_as_many_as_asked_at_least(least: int, most: int) -> None:
    assert (
        read_intent(service(workload__scaling={"min_replicas": least})).workload.scaling.max_replicas == most
    )


def test_tasks_are_replicas_or_parallel_tasks() -> None:
    assert read_intent(service(workload__scaling={"min_replicas": 3})).workload.tasks == 3
    assert read_intent(job(workload__job={"parallel_tasks": 4})).workload.tasks == 4
    assert read_intent(service()).workload.tasks == read_intent(job()).workload.tasks == 1


def test_storage_adds_up_and_gpus_are_counted() -> None:
    storage = volumes({"type": "temporary"}, {"name": "w", "path": "/w", "size": "2Gi"})
    workload = read_intent(service(workload__storage=storage)).workload
    assert (workload.storage.size_mib, workload.storage.persistent) == (3072, True)
    assert workload.resources.gpus == 1
    assert read_intent(service(workload__resources={})).workload.resources.gpus == 0
