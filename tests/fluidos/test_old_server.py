"""On a server that lacks a kind, what needs it is left out, and everything else is as it is elsewhere."""

from typing import Any

import pytest
from lightkube.config.kubeconfig import SingleConfig

from flare_core import read_intent
from flare_core.adapters.fluidos.backend import FluidosBackend
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.errors import UnservedError
from flare_core.adapters.fluidos.kinds import AUTOSCALER, DEPLOYMENT, RESERVATION, Kind
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.adapters.gateway.backend.port import Order, Phase
from tests.fluidos.actor import Actor
from tests.fluidos.driving import Clock, Driver, left, made
from tests.fluidos.worlds import flavor, order, providers

UNKNOWN = Kind("no.such.group.example.org", "v1", "Thing", "things")


class Older(Cluster):
    """A server from before ``autoscaling/v2``."""

    def _send(self, method: str, path: str, **more: Any) -> Any:
        return super()._send(method, path.replace("/autoscaling/v2/", "/autoscaling/v2-not-yet/"), **more)


@pytest.fixture
def actor(cluster: Cluster, space: str) -> Actor:
    (seller,) = providers(space, 1)
    actor = Actor(cluster, space, [seller], [flavor(seller)])
    actor.open()
    return actor


def scaled(actor: Actor) -> Order:
    wanted = order(list(actor.flavors.values()))
    document: Any = wanted.intent.to_dict()
    document["intent"]["workload"]["scaling"] = {"min_replicas": 1, "max_replicas": 3, "auto_scale": True}
    return Order(
        key=wanted.key,
        intent_id=wanted.intent_id,
        user=wanted.user,
        intent=read_intent(document),
        document="",
        placement=wanted.placement,
        placed_at=wanted.placed_at,
    )


def test_a_kind_that_is_not_served_is_told_from_an_object_that_is_not_there(
    cluster: Cluster, space: str
) -> None:
    assert cluster.find(RESERVATION, "absent", space) is None
    with pytest.raises(UnservedError):
        cluster.find(UNKNOWN, "absent", space)
    with pytest.raises(UnservedError):
        cluster.list(UNKNOWN, space)


def test_a_service_runs_without_being_scaled(
    server: SingleConfig, cluster: Cluster, space: str, actor: Actor
) -> None:
    with Older(server) as old:
        with pytest.raises(UnservedError):
            old.list(AUTOSCALER, space)
        driver = Driver(
            FluidosBackend(old, FluidosSettings(namespace=space), clock=Clock()), actor, scaled(actor)
        )
        report = driver.until(Phase.RUNNING)
        assert report is not None
        assert DEPLOYMENT.kind in made(cluster, space, driver.order)
        assert driver.call() is not None
        driver.release()
    assert left(cluster, space) == []
