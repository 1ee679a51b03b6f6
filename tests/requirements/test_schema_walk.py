"""No field is ignored: every path of the schema has a fate, and the fate is what happens."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from flare_core.candidates.screens import BY_RULE
from flare_core.intent import field_paths
from flare_core.requirements.fates import FIELD_FATES
from tests.candidates.edges import EDGES, asking, saying
from tests.candidates.worlds import JOB, needs, offer, removed_by, screened
from tests.negotiation.pairs import PAIRS, outcome

GPU = "workload.resources.gpu"
AVAILABILITY = "constraints.availability"
VOLUME = {"name": "v", "size": "1Gi", "type": "temporary", "path": "/v"}
SOURCE = {"type": "s3", "uri": "s3://bucket/key", "credentials": "key"}
PORT = {"port": 80, "protocol": "TCP", "expose": True, "domain": "a.example.com"}
FIREWALL = {"port": 22, "protocol": "TCP", "source": "10.0.0.0/8", "action": "allow"}


def fate(kind: str) -> list[str]:
    return [path for path, what in FIELD_FATES.items() if what.partition(":")[0] == kind]


def test_every_field_has_one_fate_and_every_fate_a_field() -> None:
    assert list(FIELD_FATES) == list(field_paths())
    assert {what.partition(":")[0] for what in FIELD_FATES.values()} == {
        "rule", "meaning", "negotiated", "carried"
    }  # fmt: skip


DEADLINE: tuple[dict[str, object], dict[str, object]] = (
    {**JOB, "constraints.deadline": "2026-01-15T12:30:00Z"},
    {**JOB, "constraints.deadline": "2026-01-15T12:29:59Z"},
)
WITHOUT_EDGE = {
    "constraints.deadline": "too-late",
    "constraints.preemptible": "spot",
    f"{GPU}.interruptible": "spot",
}


def test_every_rule_has_a_screen_and_an_edge() -> None:
    for path in fate("rule"):
        assert FIELD_FATES[path].removeprefix("rule:") in BY_RULE
        assert path in EDGES or path in WITHOUT_EDGE or path.startswith(f"{AVAILABILITY}.")


@pytest.mark.parametrize("path", [path for path in fate("rule") if path in EDGES])
def test_a_rule_changes_the_outcome(path: str) -> None:
    edge = EDGES[path]
    rule = FIELD_FATES[path].removeprefix("rule:")
    good, bad = (offer(saying(edge, values[0])) for values in (edge.good, edge.bad))
    assert len(screened(asking(path, edge), [good])) == 1
    assert (path.partition(".*")[0], rule) in removed_by(screened(asking(path, edge), [bad]))


def test_the_deadline_changes_the_outcome() -> None:
    met, missed = (screened(changes, [offer()]) for changes in DEADLINE)
    assert len(met) == 1
    assert removed_by(missed) == {("constraints.deadline", "too-late")}


@pytest.mark.parametrize("path", [f"{GPU}.interruptible", "constraints.preemptible"])
def test_permission_for_spot_changes_the_outcome(path: str) -> None:
    offers = [offer({"price.spot_hourly": "1 EUR/hour"})]
    assert [screened({path: allowed}, offers).spot.tolist() for allowed in (True, False)] == [[True], [False]]


WINDOW: dict[str, object] = {"window_start": "09:00", "window_end": "17:00"}
SUNDAY: dict[str, object] = {"start": "2026-01-18T00:00:00Z", "end": "2026-01-18T01:00:00Z"}
OFFICE: Mapping[str, object] = {"availability.window_start": "08:00", "availability.window_end": "17:00"}
SHUT: Mapping[str, object] = {"availability.maintenance_windows": [SUNDAY]}
NEEDED: Mapping[str, tuple[dict[str, object], dict[str, object], Mapping[str, object]]] = {
    "window_start": (WINDOW, {**WINDOW, "window_start": "07:59"}, OFFICE),
    "window_end": (WINDOW, {**WINDOW, "window_end": "17:01"}, OFFICE),
    "timezone": (WINDOW, {**WINDOW, "timezone": "Asia/Kathmandu"}, OFFICE),
    "days_of_week": ({"days_of_week": ["Sat"]}, {"days_of_week": ["Sat", "Sun"]}, SHUT),
    "blackout_dates": (
        {"blackout_dates": ["2026-01-18", "2026-01-25", "2026-02-01", "2026-02-08", "2026-02-15"]},
        {"blackout_dates": ["2026-01-18", "2026-01-25", "2026-02-01", "2026-02-08"]},
        SHUT,
    ),
    "maintenance_windows.*.start": (
        {"maintenance_windows": [SUNDAY]},
        {"maintenance_windows": [{**SUNDAY, "start": "2026-01-18T00:00:01Z"}]},
        SHUT,
    ),
    "maintenance_windows.*.end": (
        {"maintenance_windows": [SUNDAY]},
        {"maintenance_windows": [{**SUNDAY, "end": "2026-01-18T00:59:59Z"}]},
        SHUT,
    ),
    "maintenance_windows.*.frequency": (
        {"maintenance_windows": [SUNDAY]},
        {"maintenance_windows": [{**SUNDAY, "frequency": "monthly"}]},
        SHUT,
    ),
}
"""Of each field: needed times for which an offer is there, others for which it is not, and the offer."""


@pytest.mark.parametrize("path", [path for path in fate("rule") if path.startswith(f"{AVAILABILITY}.")])
def test_the_times_in_which_capacity_is_needed_change_the_outcome(path: str) -> None:
    met, missed, changes = NEEDED[path.removeprefix(f"{AVAILABILITY}.")]
    assert len(screened({AVAILABILITY: met}, [offer(changes)])) == 1
    assert removed_by(screened({AVAILABILITY: missed}, [offer(changes)])) == {(AVAILABILITY, "needed-times")}


MEANS: Mapping[str, tuple[dict[str, object], str, object, object]] = {
    "objective": (
        {"objective": "Latency_Minimization"}, "objective", "Cost_Minimization", "Latency_Minimization"
    ),
    "workload.type": ({"workload.type": "batch"}, "workload", "service", "batch"),
    "workload.name": ({"workload.name": "other"}, "name", "web", "other"),
    "workload.scaling.min_replicas": ({"workload.scaling.min_replicas": 4}, "tasks", 1, 4),
    "workload.scaling.max_replicas": (
        {"workload.scaling": {"max_replicas": 4, "auto_scale": True}}, "max_tasks", 1, 4
    ),
    "workload.scaling.auto_scale": ({"workload.scaling.auto_scale": True}, "max_tasks", 1, 10),
    "workload.job.parallel_tasks": ({**JOB, "workload.job.parallel_tasks": 4}, "tasks", 1, 4),
    "workload.job.timeout": (dict(JOB), "length_s", None, 7200),
    "workload.job.completion_policy": (
        {**JOB, "workload.job.completion_policy": "Any"}, "any_tasks", False, True
    ),
    "workload.job.max_retries": ({**JOB, "workload.job.max_retries": 9}, "retries", 3, 9),
    "sla.backup_strategy": (
        {"sla.backup_strategy": "checkpoint", "workload.storage.volumes": [{**VOLUME, "type": "persistent"}]},
        "checkpoints", False, True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", fate("meaning"))
def test_a_meaning_is_a_figure_of_the_requirements(path: str) -> None:
    changes, figure, before, after = MEANS[path]
    assert (getattr(needs(), figure), getattr(needs(changes), figure)) == (before, after)


@pytest.mark.parametrize("path", fate("negotiated"))
def test_a_term_of_negotiation_changes_the_outcome(path: str) -> None:
    pair, term = PAIRS[path], path.rpartition(".")[2]
    assert tuple(outcome(pair, term, value) for value in pair.values) == pair.outcomes


CARRIED: Mapping[str, Any] = {
    "workload.image": "acme/other:2",
    "workload.commands": ["run"],
    "workload.env": ["A=b"],
    "workload.ports": [PORT],
    "workload.storage.volumes": [{**VOLUME, "name": "other", "path": "/o", "source": SOURCE}],
    "workload.secrets": [{"name": "s", "env": "S"}],
    "workload.scaling.target_cpu_percent": 1,
    "workload.scaling.target_gpu_percent": 1,
    "constraints.security.firewall_rules": [FIREWALL],
}


@pytest.mark.parametrize("path", fate("carried"))
def test_a_carried_field_changes_no_requirement(path: str) -> None:
    section = path.partition(".*")[0]
    base = {**JOB} if ".job." in path else {}
    if section == "workload.storage.volumes":
        base[section] = [VOLUME]
    with_it = needs({**base, section: CARRIED[section]})
    assert replace(with_it, warnings=()) == replace(needs(base), warnings=())
