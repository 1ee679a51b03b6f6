"""The funnel adds up, and says of each rule what a slow count says."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flare_core.candidates.screens import BY_RULE
from flare_core.candidates.view import View
from flare_core.inventory.types import Inventory
from flare_core.requirements.types import Requirements
from tests.candidates.edges import EDGES, asking, saying
from tests.candidates.worlds import inventory, needs, offer, screened

PATHS = tuple(path for path in EDGES if "max_total_cost" not in path)


def merged(parts: list[Mapping[str, object]]) -> dict[str, object]:
    return {path: value for part in parts for path, value in part.items()}


@st.composite
def offers(draw: st.DrawFn) -> Inventory:
    listed: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 6))):
        says = merged([saying(e, draw(st.sampled_from((*e.good, *e.bad)))) for e in EDGES.values()])
        says["used"] = {"gpus": draw(st.integers(0, 4))}
        listed.append(offer({**says, "gpu.count": 4}, id=f"o{number}"))
    return inventory(*listed)


@st.composite
def requirements(draw: st.DrawFn) -> Requirements:
    paths = draw(st.lists(st.sampled_from(PATHS), max_size=6, unique=True))
    return needs(merged([asking(path, EDGES[path]) for path in paths]))


@given(offers(), requirements())
def test_accepted_and_first_reasons_are_all_offers(offered: Inventory, asked: Requirements) -> None:
    found = screened(asked, offered)
    funnel = found.funnel
    assert funnel.accepted + sum(step.first for step in funnel.steps) == funnel.offers == len(offered)
    assert funnel.accepted == len(found)
    assert found.rows.tolist() == np.flatnonzero(funnel.first_reason == -1).tolist()


@given(offers(), requirements())
def test_each_step_counts_what_it_removes_alone_first_and_only(
    offered: Inventory, asked: Requirements
) -> None:
    view = View.of(offered, asked)
    fails = np.zeros((len(asked.limits), len(offered)), bool)
    for row, limit in enumerate(asked.limits):
        removed = BY_RULE[limit.rule].fails(view, limit)
        fails[row] = False if removed is None else removed
    funnel = screened(asked, offered).funnel
    assert [(s.path, s.rule, s.topic) for s in funnel.steps] == [
        (limit.path, limit.rule, limit.topic) for limit in asked.limits
    ]
    for row, step in enumerate(funnel.steps):
        first = [o for o in range(len(offered)) if fails[row, o] and not fails[:row, o].any()]
        only = [o for o in range(len(offered)) if fails[row, o] and fails[:, o].sum() == 1]
        assert (step.alone, step.first, step.only) == (fails[row].sum(), len(first), len(only))
        assert np.flatnonzero(funnel.first_reason == row).tolist() == first


@given(offers(), requirements())
def test_every_candidate_has_room_and_every_group_a_candidate(
    offered: Inventory, asked: Requirements
) -> None:
    found = screened(asked, offered)
    assert set(found.group_candidate.tolist()) == set(range(len(found)))
    assert (found.group_tasks >= 1).all()
    assert offered.groups.offer[found.group].tolist() == found.rows[found.group_candidate].tolist()


def test_model_memory_and_count_come_first() -> None:
    asked = needs(
        {
            "workload.resources": {
                "cpu": "1",
                "gpu": {"model": "nvidia-x1", "memory": "1Gi", "tier": "premium"},
            },
            "constraints": {"location": "EU", "max_hourly_cost": "1 EUR"},
        }
    )
    topics = [step.topic.value for step in screened(asked, inventory()).funnel.steps[:3]]
    assert topics == ["model", "memory", "count"]


def test_an_inventory_where_nothing_fits_gives_no_candidates() -> None:
    found = screened({"workload.resources.gpu.model": "nvidia-t4", "workload.scaling.min_replicas": 3})
    assert len(found) == len(found.group) == 0
    assert found.funnel.accepted == 0


def test_steps_say_what_was_asked_in_words() -> None:
    asked = {
        "workload.resources": {"cpu": "500m", "memory": "32Gi", "gpu": {"count": 2, "memory": "80Gi"}},
        "constraints": {
            "max_hourly_cost": "2.5 EUR",
            "providers": ["aws", "gcp"],
            "location": "EU",
            "max_latency_ms": 50,
            "energy": {"max_carbon_footprint": "50g CO2/h", "energy_efficiency_rating": "B"},
            "performance": {"min_network_bandwidth": "10Gbps", "max_cold_start_time": "30s"},
            "compliance": {"audit_logging": True},
        },
    }
    said = {step.path: step.asked for step in screened(asked).funnel.steps}
    assert said["workload.resources.gpu.memory"] == "at least 80Gi"
    assert said["workload.resources.gpu.count"] == "2 free on one node"
    assert said["workload.resources.cpu"] == "500m cores free on one node"
    assert said["constraints.max_hourly_cost"] == "at most 2.50 EUR/hour in all"
    assert said["constraints.providers"] == "one of aws, gcp"
    assert said["constraints.location"] == "EU"
    assert said["constraints.max_latency_ms"] == "at most 50ms"
    assert said["constraints.performance.min_network_bandwidth"] == "at least 10Gbps"
    assert said["constraints.performance.max_cold_start_time"] == "at most 30s"
    assert said["constraints.energy.max_carbon_footprint"] == "at most 50g CO2/h in all"
    assert said["constraints.energy.energy_efficiency_rating"] == "B or better"
    assert said["constraints.compliance.audit_logging"] == "yes"
    assert all(said.values())
