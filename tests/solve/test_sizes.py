"""Numbers at the edge of what is exact: a plan, or a clear refusal, and never "no resources"."""

from typing import Any

import pytest

import flare_core as flare
from flare_core.placement.types import Status
from tests.worlds import World, intent, offer, world

DEAREST = "1000000"
"""EUR an hour; an inventory believes no more."""


def two(tasks: int, objective: str, billing: str, kind: str = "service", **changes: Any) -> World:
    """Return dear offers on which a search has something to choose."""
    node: dict[str, Any] = {"nodes": None, "price__billing": billing}
    return world(
        intent("web", kind, tasks, objective=objective, **changes),
        offer("a", DEAREST, 2, **node),
        offer("b", DEAREST, 4, cpu="8", performance__latency_ms=3, **node),
    )


@pytest.mark.parametrize(
    "objective", ["Cost_Minimization", "Balanced_Optimization", "Performance_Maximization"]
)
@pytest.mark.parametrize("billing", ["gpu", "node"])
@pytest.mark.parametrize("tasks", [7, 2000])
def test_many_dear_tasks_are_placed(tasks: int, billing: str, objective: str) -> None:
    plan = two(tasks, objective, billing).place()
    [placement] = plan.placements
    assert placement.status is Status.PLACED
    assert placement.hourly_ueur == int(plan.assignments.hourly_ueur.sum())


def test_sums_beyond_what_is_exact_are_refused() -> None:
    with pytest.raises(flare.NotSupportedError, match=r"2\*\*53"):
        two(10_000, "Cost_Minimization", "node").place()


@pytest.mark.parametrize("tasks", [1, 360, 361, 5000])
def test_totals_count_up_to_the_last_micro_euro_that_is_exact(tasks: int) -> None:
    """A hundred hours at a quarter of a million EUR are 25 million a task; 2**53 micro-EUR hold 360."""
    dear = world(
        intent("web", "job", tasks, workload__job__timeout="100h"), offer("a", DEAREST, 4, nodes=None)
    )
    if tasks * 25_000_000 * 10**6 <= 2**53:
        [placement] = dear.place().placements
        assert placement.total_ueur == tasks * 25_000_000 * 10**6
        return
    with pytest.raises(flare.NotSupportedError):
        dear.place()


def test_a_run_too_dear_to_count_has_no_believable_price() -> None:
    [placement] = (
        world(intent("web", "job", workload__job__timeout="50y"), offer("a", DEAREST)).place().placements
    )
    assert placement.error is not None
    assert "price" in placement.error.message


def test_emissions_beyond_what_is_exact_are_refused() -> None:
    changes: dict[str, Any] = {
        "nodes": None,
        "price__billing": "node",
        "energy__carbon_intensity": 100_000,
        "gpu__power_w": 100_000,
    }
    dirty = world(
        intent(tasks=5000, objective="Energy_Efficiency"),
        offer("a", 2, 2, **changes),
        offer("b", 3, 4, **changes),
    )
    with pytest.raises(flare.NotSupportedError, match=r"2\*\*53"):
        dirty.place()


def test_prices_that_differ_by_a_micro_euro_are_told_apart_at_any_height() -> None:
    plan = world(
        intent(),
        offer("a", DEAREST, price__billing="node"),
        offer("b", "999999.999999", price__billing="node"),
    ).place()
    assert plan.to_dict()["placements"][0]["assignments"][0]["offer"] == "b"
    assert plan.objective == 999_999.999999
