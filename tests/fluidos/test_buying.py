"""What the engine chose is bought step by step, all or nothing."""

from dataclasses import replace

import pytest

from flare_core.adapters.fluidos.buying.ground import Bought, Memory
from flare_core.adapters.fluidos.buying.lots import lacks, lots_of, sold
from flare_core.adapters.fluidos.buying.workload import progress
from flare_core.adapters.fluidos.cluster import Cluster, Json
from flare_core.adapters.gateway.backend.port import Phase
from tests.fluidos.actor import Actor
from tests.fluidos.driving import Start, left, made
from tests.fluidos.worlds import NOW, flavor, name_of, order, providers


def test_a_gang_over_two_providers_runs_and_is_given_back(cluster: Cluster, space: str, start: Start) -> None:
    driver = start()
    report = driver.until(Phase.RUNNING)
    assert report is not None
    assert report.started is not None
    assert sorted(made(cluster, space, driver.order)) == sorted(
        ["Reservation", "Allocation", "Contract", "Deployment"] * 2 + ["Namespace", "NamespaceOffloading"]
    )
    released = driver.release()
    assert len(released.leftovers) == 2
    assert all("keeps its contract" in each for each in released.leftovers)
    assert left(cluster, space) == []


def test_what_is_done_again_changes_nothing(cluster: Cluster, space: str, start: Start, actor: Actor) -> None:
    driver = start()
    driver.until(Phase.RUNNING)
    before = made(cluster, space, driver.order)
    backend, wanted = driver.backend, order([*actor.flavors.values()], key=driver.order.intent_id)
    for handle in ({}, driver.order.handle):
        again = replace(wanted, handle=handle)
        phases = [step(again).phase for step in (backend.reserve, backend.commit, backend.status)]
        assert phases == [Phase.RESERVED, Phase.RUNNING, Phase.RUNNING]
    assert made(cluster, space, driver.order) == before


def test_lots_have_the_same_numbers_in_whatever_order_tasks_come() -> None:
    flavors = [flavor(each) for each in providers("space", 3)]
    wanted = order(flavors)
    seats = wanted.placement["assignments"]
    turned = replace(wanted, placement={**wanted.placement, "assignments": seats[::-1]})
    lots = lots_of(wanted)
    assert lots == lots_of(turned)
    assert [lot.offer for lot in lots] == sorted(map(name_of, flavors))
    assert [lot.gpus for lot in lots] == [2, 2, 2]
    assert dict(lots[0].wants) == {"cpu": "8", "memory": "64Gi", "pods": "1", "nvidia.com/gpu": "2"}
    assert lots[0].extras() == {"nvidia.com/gpu": "2"}


@pytest.mark.parametrize(
    ("wanted", "given", "missing"),
    [
        ({"nvidia.com/gpu": "2"}, {"nvidia.com/gpu": "2"}, {}),
        ({"nvidia.com/gpu": "2"}, {"nvidia.com/gpu": 2}, {}),
        ({"nvidia.com/gpu": "2"}, {"nvidia.com/gpu": "1"}, {"nvidia.com/gpu": "2"}),
        ({"nvidia.com/gpu": "2"}, {}, {"nvidia.com/gpu": "2"}),
        ({"nvidia.com/gpu": "2"}, {"nvidia.com/gpu": "2k"}, {}),
        ({"memory": "64Gi"}, {"memory": "65536Mi"}, {}),
        ({"memory": "64Gi"}, {"memory": "64G"}, {"memory": "64Gi"}),
        ({"cpu": "8"}, {"cpu": "7999m"}, {"cpu": "8"}),
        ({"cpu": "8"}, {"cpu": "nonsense"}, {"cpu": "8"}),
    ],
)
def test_quantities_are_compared_as_numbers(wanted: Json, given: Json, missing: Json) -> None:
    assert lacks(wanted, given) == missing


def test_a_handle_says_again_what_was_remembered() -> None:
    memory = Memory(
        reached=3,
        step="connect",
        since=NOW,
        bought={1: Bought("contract-a", "t-1", "liqo", "prov")},
        refusal=("refused", (("offer", 0), ("other", None))),
        started=NOW,
        owed=["a provider keeps something"],
        slots={"offer": 4},
    )
    assert Memory.read(memory.handle()) == memory
    assert Memory.read({}) == Memory()


def test_a_contract_for_a_whole_flavor_leaves_no_rest() -> None:
    spec = flavor(providers("space", 1)[0])["spec"]
    contract: Json = {
        "metadata": {"name": "contract"},
        "spec": {"seller": {"nodeID": "prov"}, "flavor": {"metadata": {"name": "f"}, "spec": spec}},
    }
    assert sold(contract) is None
    contract["spec"]["configuration"] = {"type": "K8Slice", "data": {"cpu": "8", "gpu": {"count": 2}}}
    part = sold(contract)
    assert part is not None
    assert (part.gpus, part.advertised, part.cpu_left_milli) == (2, 8, 184_000)


def deployment(replicas: int, available: int | None, seen: int = 1) -> Json:
    status = {"observedGeneration": seen, "availableReplicas": available}
    spec = {"replicas": replicas}
    return {"kind": "Deployment", "metadata": {"generation": 1}, "spec": spec, "status": status}


def job(parallel: int, *conditions: str, **told: object) -> Json:
    status = {"conditions": [{"type": kind, "status": "True", "message": "why"} for kind in conditions]}
    return {"kind": "Job", "metadata": {}, "spec": {"parallelism": parallel}, "status": {**status, **told}}


@pytest.mark.parametrize(
    ("objects", "any_one", "runs", "completed", "failed"),
    [
        ([deployment(2, 2), deployment(1, 1)], False, True, False, False),
        ([deployment(2, 2), deployment(1, None)], False, False, False, False),
        ([deployment(2, 2, seen=0)], False, False, False, False),
        ([job(2, ready=1, active=2)], False, False, False, False),
        ([job(2, ready=2, active=2)], False, True, False, False),
        ([job(2, active=2)], False, True, False, False),
        ([job(2, ready=1, active=1, succeeded=1)], False, True, False, False),
        ([job(1, "Complete"), job(1)], False, False, False, False),
        ([job(1, "Complete"), job(1, "Complete")], False, True, True, False),
        ([job(1, "Complete"), job(1, "Failed")], False, False, False, True),
        ([job(1, "Complete"), job(1, "Failed")], True, False, True, False),
        ([job(1, "Failed"), job(1)], True, False, False, False),
        ([job(1, "Failed"), job(1, "Failed")], True, False, False, True),
        ([job(1, "Suspended")], False, False, False, False),
    ],
)
def test_what_the_controllers_say_together(
    objects: list[Json], any_one: bool, runs: bool, completed: bool, failed: bool
) -> None:
    found = progress(objects, any_one=any_one)
    assert (found.runs, found.completed, found.failed) == (runs, completed, failed)
    assert (found.message == "why") == failed
