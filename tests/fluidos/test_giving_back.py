"""What was bought is given back, whoever remembers it; what nobody knows is shown first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from flare_core.adapters.fluidos import kinds, names
from flare_core.adapters.fluidos.backend import FluidosBackend
from flare_core.adapters.fluidos.buying.sweep import sweep
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.adapters.gateway.backend.port import Phase
from tests.fluidos.actor import STALL, Actor
from tests.fluidos.driving import QUICK, Clock, Start, first, left, made
from tests.fluidos.worlds import NOW, order


@pytest.mark.parametrize("calls", range(0, 10, 3))
def test_it_can_be_cancelled_at_any_time(
    cluster: Cluster, space: str, start: Start, actor: Actor, calls: int
) -> None:
    driver = start()
    for _ in range(calls):
        driver.call()
        actor.step()
    driver.release()
    assert left(cluster, space) == []
    assert driver.release().phase is Phase.RELEASED


def test_a_reservation_under_way_is_waited_for_before_it_is_deleted(
    cluster: Cluster, space: str, start: Start, actor: Actor, backend: FluidosBackend
) -> None:
    driver = start(order([actor.flavors[first(actor)]]))
    while not any(item["spec"]["purchase"] for item in cluster.list(kinds.RESERVATION, space).items):
        driver.call()
        if not any(item["spec"]["purchase"] for item in cluster.list(kinds.RESERVATION, space).items):
            actor.step()
    report = backend.release(driver.order)
    assert "to come to an end" in report.message
    actor.step()  # and it is sold, after it was cancelled
    assert cluster.list(kinds.CONTRACT, space).items
    assert driver.release().leftovers
    assert left(cluster, space) == []


def test_a_reservation_that_never_ends_is_reported(
    cluster: Cluster, space: str, start: Start, actor: Actor
) -> None:
    actor.script["reserve", "*"] = STALL
    driver = start(order([actor.flavors[first(actor)]]))
    driver.call()
    actor.step()
    released = driver.release()
    assert any("may yet sell it" in each for each in released.leftovers)
    assert left(cluster, space) == []


def test_only_what_is_the_orders_own_is_given_back(
    cluster: Cluster, space: str, start: Start, actor: Actor
) -> None:
    one, other = (start(order([each])) for each in actor.flavors.values())
    one.until(Phase.RUNNING)
    other.until(Phase.RUNNING)
    one.release()
    assert sorted(made(cluster, space, other.order)) == sorted(
        ["Reservation", "Allocation", "Contract", "Namespace", "NamespaceOffloading", "Deployment"]
    )
    report = other.call()
    assert report is not None
    assert report.phase is Phase.RUNNING
    other.release()
    assert left(cluster, space) == []


# Several processes


def test_two_processes_at_one_order_buy_it_once(cluster: Cluster, space: str, actor: Actor) -> None:
    wanted = order(list(actor.flavors.values()))
    settings = FluidosSettings(namespace=space, deadlines=QUICK)
    together = threading.Barrier(3)

    def work() -> Phase:
        backend, mine = FluidosBackend(cluster, settings, clock=Clock(tick_s=0.01)), wanted
        together.wait()
        report = backend.reserve(mine)
        while report.phase is not Phase.RUNNING:
            mine = replace(mine, handle=report.handle)
            report = backend.commit(mine)
        return report.phase

    with actor.acting(), ThreadPoolExecutor(3) as threads:
        ends = [threads.submit(work) for _ in range(3)]
        assert {end.result(timeout=60) for end in ends} == {Phase.RUNNING}
    assert sorted(made(cluster, space, wanted)) == sorted(
        ["Reservation", "Allocation", "Contract", "Deployment"] * 2 + ["Namespace", "NamespaceOffloading"]
    )
    assert all(len(sales) == 1 for sales in actor.sold.values())


# Orphans


def test_orphans_are_shown_first_and_only_then_undone(
    cluster: Cluster, space: str, start: Start, actor: Actor
) -> None:
    settings = FluidosSettings(namespace=space, deadlines=QUICK)
    one, other = (start(order([each])) for each in actor.flavors.values())
    one.until(Phase.RUNNING)
    other.until(Phase.RUNNING)
    before = left(cluster, space)
    (orphan,) = sweep(cluster, settings, [other.order.key], NOW)
    assert orphan.order == names.label_value(one.order.key)
    assert {each.split()[0] for each in orphan.objects} == {"Reservation", "Allocation", "Namespace"}
    assert left(cluster, space) == before, "a dry run touches nothing"
    told: set[str] = set()
    for _ in range(10):
        found = sweep(cluster, settings, [other.order.key], NOW, dry_run=False)
        told |= {each for orphan in found for each in orphan.leftovers}
        actor.step()
    assert sweep(cluster, settings, [other.order.key], NOW) == ()
    assert any("keeps its contract" in each for each in told)
    report = other.call()
    assert report is not None
    assert report.phase is Phase.RUNNING
    other.release()
    assert left(cluster, space) == []


def test_another_installation_is_no_orphan(cluster: Cluster, space: str, start: Start, actor: Actor) -> None:
    start().until(Phase.RUNNING)
    assert sweep(cluster, FluidosSettings(namespace="elsewhere"), [], NOW) == ()
