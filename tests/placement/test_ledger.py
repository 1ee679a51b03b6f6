"""What is free on nodes while a placement is put together."""

import pytest

from flare_core.placement.ledger import Demand, Ledger, capacity, demand, tasks_that_fit
from tests.placement.problems import group_of, load, problem
from tests.worlds import intent, offer

STATES = [{"node": 1, "free_gpus": [3], "cpu": "4", "memory": "16Gi"}]


def test_demand_counts_what_is_not_asked_as_nothing() -> None:
    volumes = [{"name": "d", "size": "10Gi", "type": "temporary", "path": "/d"}]
    one = problem(
        [intent("a", gpus=2, workload__storage__volumes=volumes), intent("b", gpus=0)], offer("o", gpus=2)
    )
    assert demand(one.asks[0].needs) == Demand(1000, 4096, 10240)
    assert demand(one.asks[1].needs) == Demand(1000, 4096, 0)
    assert Demand(2, 3, 4).times(3).plus(Demand(1, 1, 1)) == Demand(7, 10, 13)


def test_capacity_is_what_is_left_beside_what_runs_and_unknown_is_nothing() -> None:
    one = problem(intent(gpus=0, workload__resources={}), offer("o", gpus=4, nodes=2, node_states=STATES))
    fresh, used = (int(one.asks[0].found.group[group_of(one, "o", node=node)]) for node in (0, 1))
    assert capacity(one.inventory, fresh) == Demand(32_000, 131_072, 1_048_576)
    assert capacity(one.inventory, used) == Demand(4_000, 16_384, 1_048_576)
    bare = problem(
        intent(workload__resources={"gpu": {"count": 1}}), offer("o", cpu=None, memory=None, storage=None)
    )
    assert capacity(bare.inventory, 0) == Demand(0, 0, 0)


@pytest.mark.parametrize(
    ("free", "task", "fit"),
    [
        (Demand(8, 8, 0), Demand(2, 3, 0), 2),
        (Demand(8, 9, 0), Demand(2, 3, 0), 3),
        (Demand(8, 9, 0), Demand(4, 0, 0), 2),
        (Demand(8, 9, 0), Demand(0, 0, 0), 7),
        (Demand(8, 9, 0), Demand(1, 1, 1), 0),
    ],
)
def test_the_scarcest_resource_decides_how_many_tasks_fit(free: Demand, task: Demand, fit: int) -> None:
    assert tasks_that_fit(free, task, 7) == fit


def test_room_shrinks_by_what_is_booked() -> None:
    one = problem([intent("a", tasks=4), intent("b", tasks=4, gpus=2)], offer("o", gpus=4, nodes=2))
    ledger = Ledger(one.inventory)
    a, b = one.asks
    g = group_of(one, "o")
    assert (ledger.room(0, a, g, 0), ledger.room(1, b, g, 0), ledger.unused(b, g, 9)) == (4, 2, 2)
    ledger.take(0, a, load(one, "o", 1))
    assert (ledger.room(0, a, g, 0), ledger.room(1, b, g, 0)) == (3, 1)
    assert (ledger.unused(a, g, 9), ledger.next_unused(a, g)) == (1, 1)
    ledger.take(1, b, load(one, "o", 1, i=1))
    assert (ledger.room(0, a, g, 0), ledger.room(1, b, g, 0)) == (1, 0)
    assert ledger.room(0, a, g, 1) == 4


def test_a_node_billed_whole_has_room_for_its_owner_alone() -> None:
    one = problem([intent("a", tasks=2), intent("b", tasks=2)], offer("o", gpus=4, price__billing="node"))
    ledger = Ledger.of(one, ((load(one, "o", 1),), ()))
    assert ledger.room(0, one.asks[0], 0, 0) == 2  # three GPUs are free, two tasks is all there is
    assert ledger.room(1, one.asks[1], 0, 0) == 0


def test_an_elastic_offer_never_runs_out_of_nodes() -> None:
    one = problem(intent(tasks=3), offer("o", nodes=None))
    ledger = Ledger.of(one, (tuple(load(one, "o")._replace(node=k) for k in (0, 1, 3)),))
    assert ledger.unused(one.asks[0], 0, 5) == 5
    assert ledger.next_unused(one.asks[0], 0) == 2
