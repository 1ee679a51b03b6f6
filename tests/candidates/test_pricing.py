"""What is paid, to the micro-euro."""

from dataclasses import replace
from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.candidates.pricing import MAX_COST_UEUR
from flare_core.inventory.build import build_inventory
from flare_core.inventory.types import Inventory
from flare_core.requirements.types import Limit, Topic
from tests.candidates.worlds import JOB, needs, offer, removed_by, screened

GPUS = "workload.resources.gpu.count"
SPOT = "price.spot_hourly"


def bare(**columns: object) -> Inventory:
    """One offer that says nothing but these columns."""
    said = {"provider": "p", "region": "r", "gpu_count": 1, **columns}
    said["gpu_model"] = "nvidia-x1" if said["gpu_count"] else None
    return build_inventory({name: [value] for name, value in said.items()}, ["a"])


def price(amount: str, billing: str = "gpu", **more: object) -> dict[str, object]:
    return {"price.hourly": f"{amount} EUR/hour", "price.billing": billing, **more}


def test_a_node_is_paid_whole_however_little_is_used() -> None:
    found = screened({}, [offer(price("32", "node"))])
    assert (found.by_node[0], found.node_ueur[0], found.task_ueur[0]) == (True, 32_000_000, 32_000_000)


def test_billing_is_by_the_node_where_nothing_else_is_said() -> None:
    assert screened({}, [offer({"price.billing": None})]).by_node.tolist() == [True]


def test_gpus_are_paid_by_the_piece_and_their_price_is_rounded_up_once() -> None:
    found = screened({GPUS: 2}, [offer({**price("10"), "gpu.count": 3}), offer(price("34"), id="b")])
    assert found.by_node.tolist() == [False, False]
    assert found.task_ueur.tolist() == [2 * 3_333_334, 17_000_000]


@pytest.mark.parametrize(
    ("cpu", "memory", "ueur"),
    [("16", "32Gi", 4_000_000), ("16", "96Gi", 6_000_000), ("1m", "0", 250), ("64", "1Gi", 16_000_000)],
    ids=["cores-are-the-larger-share", "memory-is", "one-milli-core", "all-cores"],
)
def test_a_task_without_gpus_pays_its_larger_share(cpu: str, memory: str, ueur: int) -> None:
    found = screened({"workload.resources": {"cpu": cpu, "memory": memory}}, [offer(price("16"))])
    assert found.task_ueur.tolist() == [ueur]


def test_a_share_is_rounded_up() -> None:
    found = screened({"workload.resources": {"cpu": "1"}}, [offer({**price("1"), "cpu": "3"})])
    assert found.task_ueur.tolist() == [333_334]


def test_a_task_that_asks_for_nothing_pays_nothing_by_the_piece() -> None:
    found = screened({"workload.resources": {}}, [offer(price("1")), offer(price("1", "node"), id="b")])
    assert found.task_ueur.tolist() == [0, 1_000_000]


def test_the_whole_run_is_rounded_up_once_per_task() -> None:
    asked = {**JOB, "workload.job.timeout": "1s"}
    assert screened(asked, [offer({**price("1"), "gpu.count": 1})]).task_total_ueur.tolist() == [278]
    assert screened(JOB, [offer({**price("1"), "gpu.count": 1})]).task_total_ueur.tolist() == [2_000_000]


def test_without_an_end_the_total_is_the_hourly_price() -> None:
    found = screened({}, [offer()])
    assert found.task_total_ueur.tolist() == found.task_ueur.tolist() == [2_000_000]


@pytest.mark.parametrize("permission", ["constraints.preemptible", "workload.resources.gpu.interruptible"])
def test_spot_is_taken_where_it_is_allowed_and_cheaper(permission: str) -> None:
    offers = [
        offer({**price("4"), SPOT: "3.20 EUR/hour"}, id="cheaper"),
        offer({**price("4"), SPOT: "4 EUR/hour"}, id="equal"),
        offer({**price("4"), SPOT: "5 EUR/hour"}, id="dearer"),
        offer(price("4"), id="without"),
    ]
    found = screened({permission: True}, offers)
    assert found.spot.tolist() == [True, False, False, False]  # in the order of the ids
    assert found.node_ueur.tolist() == [3_200_000, 4_000_000, 4_000_000, 4_000_000]
    assert not screened({}, offers).spot.any()


def test_an_offer_that_has_only_spot_needs_permission() -> None:
    inventory = bare(spot_ueur=500_000)
    refused = screened({}, inventory)
    assert removed_by(refused) == {("constraints.preemptible", "spot")}
    allowed = screened({"constraints.preemptible": True}, inventory)
    assert allowed.spot.tolist() == [True]
    assert allowed.task_ueur.tolist() == [500_000]


def test_an_offer_without_any_price_is_never_chosen() -> None:
    for inventory in (bare(), bare(hourly_ueur=5, price_flag="zero")):
        for spot in (True, False):
            found = screened({"constraints.preemptible": spot}, inventory)
            assert removed_by(found) == {("", "price")}


def test_a_price_that_cannot_be_counted_over_the_run_is_not_believed() -> None:
    hourly = MAX_COST_UEUR // 24
    dear, dearer = bare(hourly_ueur=hourly), bare(hourly_ueur=hourly + 1)
    day = {**JOB, "workload.job.timeout": "1d"}
    assert screened(day, dear).task_total_ueur.tolist() == [hourly * 24]
    assert removed_by(screened(day, dearer)) == {("", "price")}
    assert len(screened({}, dearer)) == 1


amounts = st.integers(1, 10**12)


@given(
    hourly=amounts,
    gpus=st.integers(0, 8),
    more=st.integers(0, 8),
    cpu=st.integers(0, 10**9),
    memory=st.integers(0, 2**40),
    length=st.integers(1, 10**9),
    left=st.sampled_from((-(10**9), -1, 0, 1, 10**9)),
    by_node=st.booleans(),
    total=st.booleans(),
)
def test_prices_and_budgets_agree_with_fractions(
    hourly: int,
    gpus: int,
    more: int,
    cpu: int,
    memory: int,
    length: int,
    left: int,
    by_node: bool,
    total: bool,
) -> None:
    """The offer is a candidate exactly where the price, as a fraction rounded up, keeps the budget."""
    node_cpu, node_memory, node_gpus = cpu + more + 1, memory + more + 1, gpus + more
    inventory = bare(
        hourly_ueur=hourly,
        billing="node" if by_node else "gpu",
        gpu_count=node_gpus,
        cpu_milli=node_cpu,
        memory_mib=node_memory,
    )
    asked = needs({**JOB, "workload.job.timeout": f"{length}s"})
    asked = replace(asked, gpus=gpus, cpu_milli=cpu or None, memory_mib=memory or None)
    if by_node:
        per_hour = hourly
    elif gpus:
        per_hour = gpus * ceil(Fraction(hourly, node_gpus))
    else:
        per_hour = ceil(hourly * max(Fraction(cpu, node_cpu), Fraction(memory, node_memory)))
    in_all = ceil(Fraction(per_hour * length, 3600))
    free = screened(replace(asked, limits=()), inventory)
    assert (free.task_ueur.tolist(), free.task_total_ueur.tolist()) == ([per_hour], [in_all])
    rule, cost = ("total-cost", in_all) if total else ("hourly-cost", per_hour)
    limit = Limit("x", rule, "", max(0, cost + left), False, Topic.COST, "")
    kept = screened(replace(asked, limits=(limit,)), inventory)
    assert bool(len(kept)) == (cost <= max(0, cost + left))


def test_columns_are_whole_numbers() -> None:
    found = screened(JOB, [offer()])
    for column in (
        found.node_ueur,
        found.task_ueur,
        found.task_total_ueur,
        found.carbon_ug,
        found.latency_us,
    ):
        assert column.dtype == np.int64
