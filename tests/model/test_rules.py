"""Each rule at its edge, as a value: a world that just fits and one that just does not."""

from typing import Any

import pytest

from flare_core.model.constraints.availability import Availability
from flare_core.model.constraints.budget import Budget
from flare_core.model.constraints.capacity import Capacity
from flare_core.model.constraints.demand import Demand
from flare_core.model.families import broken, rules_of
from flare_core.placement.packing import Packing, Problem
from flare_core.requirements.types import Topic
from tests.model.solving import allows
from tests.placement.problems import load, problem
from tests.worlds import Json, intent, offer


def spread(one: Problem, *loads: tuple[str, int], i: int = 0) -> Packing:
    """Loads of intent `i`, (offer, tasks) on its node 0; nothing of the others."""
    own = tuple(load(one, name, tasks, i=i) for name, tasks in loads)
    return tuple(own if k == i else () for k in range(len(one.asks)))


# --- demand -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gpus", "fits"), [(3, True), (2, False)], ids=["room-for-all", "one-gpu-short"])
def test_everyone_gets_all_tasks_or_is_not_placed(gpus: int, fits: bool) -> None:
    one = problem(intent(tasks=3), offer("a", gpus=gpus))
    assert (allows(one) is not None) is fits


@pytest.mark.parametrize("tasks", [1, 2, 3, 4])
def test_demand_counts_the_tasks(tasks: int) -> None:
    one = problem(intent(tasks=3), offer("a", gpus=4))
    packing = spread(one, ("a", tasks))
    told = list(Demand(0).audit(one, packing))
    assert (allows(one, [Demand(0)], packing) is not None) is (tasks == 3)
    assert told == ([] if tasks == 3 else [f"web: {tasks} of 3 tasks are placed"])


@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_any_takes_one_task_or_more(tasks: int) -> None:
    one = problem(intent("j", "job", 2, workload__job__completion_policy="Any"), offer("a", gpus=4))
    packing = spread(one, ("a", tasks))
    assert (allows(one, [Demand(0)], packing) is not None) is (tasks <= 2)
    assert (not list(Demand(0).audit(one, packing))) is (tasks <= 2)


def test_any_that_is_placed_has_at_least_one_task() -> None:
    one = problem(intent("j", "job", 2, workload__job__completion_policy="Any"), offer("a", gpus=1))
    solver = allows(one)
    assert solver is not None  # with the one task that fits
    assert list(Demand(0).audit(one, ((),))) == []  # not placed is nothing to complain of


def test_demand_reads_one_rule_an_intent() -> None:
    one = problem([intent("a"), intent("b")], offer("a"))
    assert list(Demand.read(one)) == [Demand(0), Demand(1)]


# --- capacity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resources", "changes", "fits"),
    [
        ({}, {"gpus": 2}, True),
        ({}, {"gpus": 1}, False),
        ({"cpu": "4"}, {"gpus": 2, "cpu": "8"}, True),
        ({"cpu": "4001m"}, {"gpus": 2, "cpu": "8"}, False),
        ({"memory": "16Gi"}, {"gpus": 2, "memory": "32Gi"}, True),
        ({"memory": "16385Mi"}, {"gpus": 2, "memory": "32Gi"}, False),
    ],
    ids=["gpus", "a-gpu-short", "cores", "two-millicores-short", "memory", "two-mib-short"],
)
def test_two_tasks_share_a_node_to_the_last_unit(
    resources: Json, changes: dict[str, Any], fits: bool
) -> None:
    given: dict[str, Any] = {f"workload__resources__{key}": text for key, text in resources.items()}
    asked = intent(tasks=2, **given)
    one = problem(asked, offer("a", **changes))
    assert (allows(one) is not None) is fits


@pytest.mark.parametrize(("size", "fits"), [("512Gi", True), ("513Gi", False)])
def test_volumes_of_two_tasks_share_the_storage(size: str, fits: bool) -> None:
    volumes = [{"name": "d", "size": size, "type": "temporary", "path": "/d"}]
    one = problem(intent(tasks=2, workload__storage__volumes=volumes), offer("a", gpus=2))
    assert (allows(one) is not None) is fits


@pytest.mark.parametrize(("tasks", "fits"), [(2, True), (3, False)])
def test_two_intents_share_a_node_billed_by_the_gpu(tasks: int, fits: bool) -> None:
    one = problem([intent("a", tasks=1), intent("b", tasks=tasks)], offer("o", gpus=3))
    packing = (spread(one, ("o", 1))[0], spread(one, ("o", tasks), i=1)[1])
    assert (allows(one, packing=packing) is not None) is fits
    told = broken(one, packing, rules_of(one))
    assert told == (() if fits else ("the GPUs of node 0 of group 0 do not hold the tasks there",))


@pytest.mark.parametrize(("billing", "fits"), [("gpu", True), ("node", False)])
def test_nobody_shares_a_node_that_is_billed_whole(billing: str, fits: bool) -> None:
    one = problem([intent("a"), intent("b")], offer("o", gpus=2, price__billing=billing))
    packing = (spread(one, ("o", 1))[0], spread(one, ("o", 1), i=1)[1])
    assert (allows(one) is not None) is fits
    told = list(Capacity().audit(one, packing))
    assert told == ([] if fits else ["node (0, 0) is billed whole and has 2 owners"])


@pytest.mark.parametrize(("nodes", "fits"), [(2, True), (1, False), (None, True)])
def test_nodes_billed_whole_are_counted_over_intents(nodes: int | None, fits: bool) -> None:
    one = problem([intent("a"), intent("b")], offer("o", gpus=2, nodes=nodes, price__billing="node"))
    assert (allows(one) is not None) is fits


def test_a_node_that_does_not_exist_is_told() -> None:
    one = problem(intent(), offer("o", nodes=2))
    there, beyond = load(one, "o", node=1), load(one, "o")._replace(node=2)
    assert list(Capacity().audit(one, ((there,),))) == []
    assert list(Capacity().audit(one, ((beyond,),))) == ["web: node 2 of group 0 does not exist"]


@pytest.mark.parametrize(("tasks", "fits"), [(1, True), (2, False)])
def test_what_runs_already_is_taken_into_account(tasks: int, fits: bool) -> None:
    one = problem(intent(tasks=tasks), offer("o", gpus=4, used={"gpus": 3}))
    assert (allows(one) is not None) is fits


# --- budgets ----------------------------------------------------------------------------------------

BUDGETS: dict[str, tuple[str, str, dict[str, Any], str, int, float]] = {
    # Two tasks at 0.333334 (1 EUR over 3 GPUs, rounded up) EUR/hour.
    "hourly": ("constraints__max_hourly_cost", "service", {}, "{:.6f} EUR", 666_668, 1e6),
    # ... over 90 minutes each costs ceil(0.500001).
    "total": (
        "constraints__max_total_cost",
        "job",
        {"workload__job__timeout": "90m"},
        "{:.6f} EUR",
        1_000_002,
        1e6,
    ),
    # (300 W + 2.12 W + 4 * 0.42 W) * 1.25 * 200 g/kWh = 75.95 g/h each.
    "carbon": (
        "constraints__energy__max_carbon_footprint",
        "service",
        {},
        "{:.6f} g CO2/h",
        151_900_000,
        1e6,
    ),
}


@pytest.mark.parametrize(("less", "fits"), [(0, True), (1, False)], ids=["exactly", "one-micro-short"])
@pytest.mark.parametrize("which", BUDGETS)
def test_budgets_bind_to_the_millionth(which: str, less: int, fits: bool) -> None:
    path, kind, changes, written, limit, unit = BUDGETS[which]
    given: dict[str, Any] = {**changes, path: written.format((limit - less) / unit)}
    one = problem(intent("web", kind, 2, **given), offer("o", gpus=3))
    (rule,) = Budget.read(one)
    assert rule.limit == limit - less
    assert rule.path == path.replace("__", ".")
    assert rule.topic is (Topic.OTHER if which == "carbon" else Topic.COST)
    packing = spread(one, ("o", 2))
    assert (allows(one, [Demand(0), Capacity(), rule]) is not None) is fits
    told = list(rule.audit(one, packing))
    assert told == ([] if fits else [f"web: {rule.path} is {limit - 1}, {limit} is spent"])


@pytest.mark.parametrize(("limit", "fits"), [("2 EUR", True), ("1.999999 EUR", False)])
def test_a_node_billed_whole_is_paid_once(limit: str, fits: bool) -> None:
    one = problem(
        intent(tasks=3, constraints__max_hourly_cost=limit),
        offer("o", price=2, gpus=3, price__billing="node"),
    )
    assert (allows(one) is not None) is fits if len(one.asks[0].found) else not fits


@pytest.mark.parametrize(("limit", "fits"), [("4 EUR", True), ("3.999999 EUR", False)])
def test_each_node_billed_whole_is_paid(limit: str, fits: bool) -> None:
    one = problem(
        intent(tasks=4, constraints__max_hourly_cost=limit),
        offer("o", price=2, gpus=3, nodes=None, price__billing="node"),
    )
    two_nodes = (load(one, "o", 3), load(one, "o", 1)._replace(node=1))
    assert (allows(one) is not None) is fits
    assert (not list(next(Budget.read(one)).audit(one, (two_nodes,)))) is fits


def test_no_budget_is_no_rule() -> None:
    one = problem([intent("a"), intent("b", constraints__max_hourly_cost="1 EUR")], offer("o"))
    assert [(rule.intent, rule.limit) for rule in Budget.read(one)] == [(1, 1_000_000)]


# --- availability -----------------------------------------------------------------------------------


def zones(*uptimes: float, gpus: int = 2) -> list[Json]:
    """Return offers in as many failure domains."""
    return [
        offer(f"z{k}", gpus=gpus, zone=f"z{k}", performance__uptime_percent=up)
        for k, up in enumerate(uptimes)
    ]


@pytest.mark.parametrize(
    ("asked", "fits"),
    [(99.0, True), (99.01, False)],
    ids=["both-zones-together-do", "a-hundredth-of-a-percent-more"],
)
def test_availability_is_bought_by_spreading(asked: float, fits: bool) -> None:
    """Two zones at 90 %: one of two tasks is up with 1 - 0.1 * 0.1."""
    low: dict[str, Any] = {"constraints__performance__min_uptime_percent": 80}
    one = problem(intent(tasks=2, sla__availability=asked, **low), *zones(90.0, 90.0))
    rules = list(Availability.read(one))
    assert [(rule.intent, rule.path) for rule in rules] == [(0, "sla.availability")]
    assert (allows(one) is not None) is fits
    apart = spread(one, ("z0", 1), ("z1", 1))
    assert list(rules[0].audit(one, apart)) == (
        [] if fits else ["web: up with probability 0.990000000, 0.990100000 is asked"]
    )
    together = spread(one, ("z0", 2))
    assert list(rules[0].audit(one, together))
    assert allows(one, packing=together) is None


def test_the_lowest_uptime_of_a_domain_counts() -> None:
    low: dict[str, Any] = {"constraints__performance__min_uptime_percent": 80, "sla__availability": 99.0}
    better, worse = zones(99.0, 89.0, gpus=1)
    worse["zone"] = better["zone"]
    one = problem(intent(tasks=2, **low), better, worse)
    (rule,) = Availability.read(one)
    assert list(rule.audit(one, spread(one, ("z0", 1), ("z1", 1)))) == [
        "web: up with probability 0.890000000, 0.990000000 is asked"
    ]


def test_where_every_candidate_alone_will_do_there_is_no_rule() -> None:
    assert (
        list(Availability.read(problem(intent(tasks=3, sla__availability=99.9), *zones(99.9, 99.95)))) == []
    )
    some = problem(intent(tasks=3, sla__availability=99.91), *zones(99.9, 99.95))
    assert list(Availability.read(some)) == [Availability(0, 0.9991)]


def test_one_task_or_a_job_has_no_joint_availability() -> None:
    assert list(Availability.read(problem(intent(sla__availability=99.0), *zones(99.5)))) == []
    assert list(Availability.read(problem(intent("j", "job", 3, sla__availability=99.0), *zones(99.5)))) == []


def test_rules_stand_in_the_order_of_their_families() -> None:
    low: dict[str, Any] = {
        "constraints__performance__min_uptime_percent": 80,
        "constraints__max_hourly_cost": "9 EUR",
    }
    one = problem(intent(tasks=2, sla__availability=99, **low), *zones(90.0, 90.0))
    assert [type(rule) for rule in rules_of(one)] == [Demand, Capacity, Budget, Availability]
