"""What the engine chose is bought step by step, all or nothing, and given back in reverse."""

from collections.abc import Callable

import pytest

from flare_core.adapters.fluidos.backend import FluidosBackend
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.settings import Deadlines, FluidosSettings
from flare_core.adapters.gateway.backend.port import Order, Phase
from tests.fluidos.actor import Actor
from tests.fluidos.driving import Clock, Driver, left, made
from tests.fluidos.worlds import flavor, order, providers

QUICK = Deadlines(
    reservation_s=8, allocation_s=8, resources_s=8, offloading_s=8, start_s=12, release_s=8, discovery_s=8
)
Start = Callable[..., Driver]


@pytest.fixture
def actor(cluster: Cluster, space: str) -> Actor:
    sellers = providers(space)
    actor = Actor(cluster, space, sellers, [flavor(seller) for seller in sellers])
    actor.open()
    return actor


@pytest.fixture
def start(cluster: Cluster, space: str, actor: Actor) -> Start:
    """Begin to drive an order: of all flavors of the federation unless it is told otherwise."""

    def start(wanted: Order | None = None, **more: object) -> Driver:
        settings = FluidosSettings(namespace=space, deadlines=QUICK)
        backend = FluidosBackend(cluster, settings, clock=Clock())
        return Driver(backend, actor, wanted or order(list(actor.flavors.values()), **more))  # type: ignore[arg-type]

    return start


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
