"""What an intent means: lengths, defaults, what is refused, and what was assumed."""

from datetime import UTC, datetime, timedelta

import pytest

from flare_core.errors import ErrorCode, IntentError
from flare_core.requirements.types import Linking, Objective, Share, Topic, Workload
from tests.candidates.worlds import JOB, NOW, needs, offer, removed_by, screened

GPU = "workload.resources.gpu"
TYPE = "workload.type"
DEADLINE = "constraints.deadline"
NEGOTIATION = "constraints.negotiation"


def test_a_service_runs_until_cancelled_or_its_deadline() -> None:
    assert (needs().start, needs().end, needs().length_s) == (NOW, None, None)
    bounded = needs({DEADLINE: "2026-01-15T20:30:00Z"})
    assert (bounded.end, bounded.length_s) == (NOW + timedelta(hours=10), 36_000)
    assert not bounded.costs_in_total


def test_a_timeout_is_the_length_and_nothing_is_assumed() -> None:
    job = needs({**JOB, DEADLINE: "2026-01-16T00:00:00Z"})
    assert (job.length_s, job.warnings, job.costs_in_total) == (7200, (), True)


def test_without_a_timeout_the_length_is_what_the_deadline_leaves() -> None:
    job = needs({TYPE: "job", DEADLINE: "2026-01-15T12:00:00+01:00"})
    assert job.length_s == 1800
    assert job.warnings == ("no timeout: the time until the deadline is assumed, 30m",)


def test_without_both_the_length_is_an_hour() -> None:
    job = needs({TYPE: "batch"})
    assert job.length_s == 3600
    assert job.warnings == ("no timeout and no deadline: 1h is assumed",)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({**JOB, DEADLINE: "2026-01-15T12:30:00Z"}, True),
        ({**JOB, DEADLINE: "2026-01-15T12:29:59Z"}, False),
        ({**JOB, TYPE: "batch", DEADLINE: "2026-01-15T12:29:59Z"}, False),
        ({**JOB, DEADLINE: "2025-01-01T00:00:00Z"}, False),
        ({TYPE: "job", DEADLINE: "2026-01-15T10:30:01Z"}, True),
        ({TYPE: "job", DEADLINE: "2026-01-15T10:30:00Z"}, False),
        ({TYPE: "job", DEADLINE: "2025-01-01T00:00:00Z"}, False),
        ({DEADLINE: "2026-01-15T10:30:01Z"}, True),
        ({DEADLINE: "2026-01-15T10:30:00Z"}, False),
        ({DEADLINE: "2025-01-01T00:00:00Z"}, False),
    ],
)
def test_a_deadline_that_leaves_no_time_removes_every_offer(changes: dict[str, object], fits: bool) -> None:
    found = screened(changes, [offer()])
    assert bool(len(found)) == fits
    assert removed_by(found) == (set() if fits else {(DEADLINE, "too-late")})
    assert needs(changes).length_s is not None
    if not fits:
        (step,) = [step for step in found.funnel.steps if step.alone]
        assert step.topic.code is ErrorCode.INSUFFICIENT_RESOURCES
        assert step.asked.startswith("done by 202")


def test_a_run_beyond_what_dates_can_say_is_refused_at_its_timeout() -> None:
    assert needs({**JOB, "workload.job.timeout": "170y"}).length_s == 170 * 365 * 86400
    for timeout in ("180y", "9000y", "200000000y"):
        with pytest.raises(IntentError, match="before the year 2201") as caught:
            needs({**JOB, "workload.job.timeout": timeout})
        assert (caught.value.path, caught.value.code) == ("workload.job.timeout", ErrorCode.INVALID_FORMAT)


def test_figures_of_the_whole_are_in_base_units() -> None:
    volume = {"name": "v", "size": "100Gi", "type": "temporary", "path": "/v"}
    asked = needs(
        {
            "objective": "Energy_Efficiency",
            "workload.resources": {"cpu": "4.5", "memory": "32Gi", "gpu": {"count": 2, "shared": True}},
            "workload.storage.volumes": [volume, {**volume, "name": "w", "path": "/w"}],
            "workload.scaling": {"min_replicas": 3, "max_replicas": 7, "auto_scale": True},
            "constraints.max_hourly_cost": "10 EUR",
            "constraints.energy.max_carbon_footprint": "1.001 g CO2/h",
            "constraints.max_latency_ms": "40ms",
            "sla.availability": "99.9%",
        }
    )
    assert (asked.name, asked.workload, asked.objective) == ("web", Workload.SERVICE, Objective.ENERGY)
    assert (asked.gpus, asked.cpu_milli, asked.memory_mib, asked.storage_mib) == (
        2,
        4500,
        32 * 1024,
        200 * 1024,
    )
    assert (asked.tasks, asked.max_tasks, asked.auto_scale, asked.any_tasks) == (3, 7, True, False)
    assert (asked.max_hourly_ueur, asked.max_total_ueur, asked.max_carbon_ug) == (10_000_000, None, 1_001_000)
    assert (asked.spot, asked.latency_limit_ms) == (False, 40.0)
    assert asked.share == Share(None, None, None, instances=False, apart=True)
    assert asked.availability == pytest.approx(0.999)
    assert asked.availability_explicit


def test_jobs_count_parallel_tasks_and_say_whether_fewer_will_do() -> None:
    changes = {**JOB, "workload.job.parallel_tasks": 5, "workload.job.completion_policy": "Any"}
    job = needs({**changes, "constraints.max_total_cost": "2 EUR"})
    assert (job.tasks, job.max_tasks, job.any_tasks, job.max_total_ueur) == (5, 5, True, 2_000_000)
    assert job.availability is None


def test_what_is_not_asked_is_none() -> None:
    asked = needs({"workload.resources": {"cpu": "0", "memory": "0"}})
    assert (asked.gpus, asked.cpu_milli, asked.memory_mib, asked.storage_mib) == (0, None, None, None)
    assert asked.max_tasks == asked.tasks == 1
    assert asked.availability is None  # of a single task its offer decides
    assert asked.latency_limit_ms == 100.0


def test_several_replicas_have_the_default_availability_together() -> None:
    asked = needs({"workload.scaling.min_replicas": 2})
    assert (asked.availability, asked.availability_explicit) == (0.99, False)
    assert all(limit.path != "sla.availability" for limit in asked.limits)


def test_topics_follow_the_error_codes() -> None:
    asked = needs(
        {
            f"{GPU}.model": "nvidia-t4",
            f"{GPU}.memory": "16Gi",
            "constraints": {
                "location": "EU",
                "availability_zone": "z",
                "compliance": {"data_residency": ["EU"]},
                "max_hourly_cost": "1 EUR",
                "max_total_cost": "1 EUR",
                "deadline": "2027-01-01T00:00:00Z",
            },
        }
    )
    topics = {limit.path: limit.topic for limit in asked.limits if limit.topic is not Topic.OTHER}
    assert topics == {
        f"{GPU}.model": Topic.MODEL,
        f"{GPU}.memory": Topic.MEMORY,
        f"{GPU}.count": Topic.COUNT,
        "constraints.location": Topic.PLACE,
        "constraints.availability_zone": Topic.PLACE,
        "constraints.compliance.data_residency": Topic.PLACE,
        "constraints.max_hourly_cost": Topic.COST,
        "constraints.max_total_cost": Topic.COST,
    }


GANG = {TYPE: "job", "workload.job.parallel_tasks": 2}
ALLOWED = [
    {f"{GPU}.topology": "ring"},
    {f"{GPU}.topology": "any", f"{GPU}.count": 2},
    {f"{GPU}.multi_gpu_efficiency": "0.9"},
    {f"{GPU}.multi_gpu_efficiency": 0, f"{GPU}.count": 2},
    {f"{GPU}.count": 0, f"{GPU}.multi_instance": True},
    {TYPE: "job", f"{GPU}.interconnect": "infiniband"},
    {**GANG, TYPE: "batch", f"{GPU}.interconnect": "infiniband"},
    {"constraints.availability": {}},
    {**JOB, "constraints.availability.timezone": "Europe/Berlin"},
    {NEGOTIATION: {}},
    {NEGOTIATION: {"fallback_strategy": "fail"}},
    {NEGOTIATION: {"fallback_strategy": "fail", "price_flexibility": 0, "max_negotiation_rounds": 5}},
]


@pytest.mark.parametrize("changes", ALLOWED)
def test_what_asks_for_nothing_is_not_refused(changes: dict[str, object]) -> None:
    assert len(screened(changes, [offer()])) == 1


def test_fail_makes_preferences_hard() -> None:
    asked = {f"{GPU}.count": 2, f"{GPU}.interconnect": "nvlink"}
    for soft in (asked, {**asked, NEGOTIATION: {}}):
        assert [limit.rule for limit in needs(soft).preferences] == ["interconnect"]
    hard = needs({**asked, NEGOTIATION: {"fallback_strategy": "fail"}})
    assert hard.preferences == ()
    assert [limit.rule for limit in hard.limits].count("interconnect") == 1


SHARES = [
    ({}, None),
    ({"shared": True, "count": 0}, None),
    ({"shared": True}, Share(None, None, None, instances=False, apart=True)),
    (
        {"shared": True, "memory": "10Gi", "cores": 896, "fp32_tflops": 2.5},
        Share(10240, 896, None, instances=False, apart=True),
    ),
    (
        {"multi_instance": True, "memory": "10Gi", "fp32_tflops": 2.5},
        Share(10240, None, 2.5, instances=True, apart=False),
    ),
    ({"multi_instance": True, "shared": True}, Share(None, None, None, instances=True, apart=True)),
]


@pytest.mark.parametrize(("gpu", "share"), SHARES)
def test_a_share_is_what_one_part_of_a_gpu_has_to_cover(gpu: dict[str, object], share: Share | None) -> None:
    """TFLOPS choose an instance; of slots they are a limit on the card alone."""
    assert needs({GPU: {"count": 1, **gpu}}).share == share


def test_the_instances_of_a_task_need_mig_and_a_shared_task_needs_nothing_of_the_kind() -> None:
    def rules(**gpu: object) -> list[tuple[str, object]]:
        limits = needs({GPU: {"count": 1, **gpu}}).limits
        return [(limit.path, limit.asked) for limit in limits if limit.rule == "share"]

    assert rules() == []
    assert rules(shared=True) == [(f"{GPU}.shared", "any")]
    assert rules(multi_instance=True) == rules(multi_instance=True, shared=True)
    assert rules(multi_instance=True) == [(f"{GPU}.multi_instance", "mig")]


LINKINGS = [
    ({"count": 2}, Linking()),
    ({"count": 2, "interconnect": "nvlink", "topology": "ring"}, Linking(2, "ring")),
    ({"count": 2, "interconnect": "pcie"}, Linking(1)),
    ({"count": 2, "interconnect": "nvswitch"}, Linking(3)),
    ({"count": 2, "interconnect": "infiniband", "topology": "mesh"}, Linking(0, "mesh")),
    ({"count": 2, "multi_gpu_efficiency": 0.85}, Linking(efficiency_ppm=850_000)),
    ({"count": 1, "interconnect": "nvlink", "topology": "ring", "multi_gpu_efficiency": 1}, Linking()),
]


@pytest.mark.parametrize(("gpu", "linking"), LINKINGS)
def test_links_are_asked_for_by_tasks_of_several_gpus(gpu: dict[str, object], linking: Linking) -> None:
    assert needs({GPU: gpu}).linking == linking


INFINIBAND = f"{GPU}.interconnect"


@pytest.mark.parametrize(
    ("changes", "gang", "infiniband"),
    [
        ({**GANG, INFINIBAND: "infiniband"}, True, True),
        ({**GANG, INFINIBAND: "nvlink"}, True, False),
        ({**GANG, "workload.job.parallel_tasks": 1, INFINIBAND: "infiniband"}, False, False),
        ({**GANG, TYPE: "batch", INFINIBAND: "infiniband"}, False, False),
        ({"workload.scaling.min_replicas": 2, INFINIBAND: "infiniband"}, False, False),
        ({**GANG, INFINIBAND: "infiniband", f"{GPU}.count": 0}, True, False),
    ],
)
def test_a_gang_is_a_job_of_several_tasks_and_infiniband_is_for_gangs(
    changes: dict[str, object], gang: bool, infiniband: bool
) -> None:
    asked = needs(changes)
    assert (asked.gang, asked.infiniband) == (gang, infiniband)
    assert ("fabric" in [wish.rule for wish in asked.preferences]) is infiniband


def test_fail_makes_every_wish_hard() -> None:
    wishes = {f"{GPU}.count": 2, f"{GPU}.interconnect": "nvlink", f"{GPU}.topology": "ring"}
    soft, hard = needs(wishes), needs({**wishes, NEGOTIATION: {"fallback_strategy": "fail"}})
    assert ([wish.rule for wish in soft.preferences], soft.hard_wishes) == (
        ["interconnect", "topology"],
        False,
    )
    assert (hard.preferences, hard.hard_wishes) == ((), True)
    assert {"interconnect", "topology"} <= {limit.rule for limit in hard.limits}
    assert hard.linking == soft.linking
    gang = needs({**GANG, INFINIBAND: "infiniband", NEGOTIATION: {"fallback_strategy": "fail"}})
    assert (gang.preferences, gang.infiniband, gang.hard_wishes) == ((), True, True)


def test_now_decides_and_nothing_else_does() -> None:
    later = datetime(2027, 5, 1, tzinfo=UTC)
    assert needs(JOB) == needs(JOB)
    assert needs(JOB, now=later).start == later
