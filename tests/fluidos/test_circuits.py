"""A provider that fails again and again is left alone for a while, and touches nobody else's orders."""

from datetime import timedelta

import pytest

from flare_core.adapters.fluidos.backend import FluidosBackend
from flare_core.adapters.fluidos.circuits import FAILURES, PAUSE_S, Circuits
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.settings import Deadlines, FluidosSettings
from flare_core.adapters.gateway.backend.port import Order, Phase, RefusedError
from tests.fluidos.actor import FAIL, STALL, Actor
from tests.fluidos.driving import Clock, Driver, left
from tests.fluidos.proxy import Proxy
from tests.fluidos.worlds import NOW, Provider, flavor, name_of, order, providers

QUICK = Deadlines(reservation_s=6, allocation_s=6, resources_s=6, offloading_s=6, start_s=8, release_s=6)
LATER = NOW + timedelta(seconds=PAUSE_S)


def test_it_opens_after_some_failures_in_a_row() -> None:
    circuits = Circuits()
    for _ in range(FAILURES - 1):
        circuits.failed("one", NOW)
    assert circuits.admits("one", NOW)
    circuits.worked("one")
    for _ in range(FAILURES - 1):
        circuits.failed("one", NOW)
    assert circuits.admits("one", NOW), "not in a row"
    circuits.failed("one", NOW)
    assert not circuits.admits("one", NOW)
    assert circuits.admits("other", NOW)


def test_one_order_tries_it_again_and_what_comes_of_it_decides() -> None:
    circuits = Circuits()
    for _ in range(FAILURES):
        circuits.failed("one", NOW)
    assert not circuits.admits("one", LATER - timedelta(seconds=1))
    assert [circuits.admits("one", LATER) for _ in range(3)] == [True, False, False]
    circuits.failed("one", LATER)
    assert not circuits.admits("one", LATER + timedelta(seconds=PAUSE_S - 1))
    assert circuits.admits("one", LATER + timedelta(seconds=PAUSE_S))
    circuits.worked("one")
    assert all(circuits.admits("one", LATER) for _ in range(3))


OUTAGES = {"reserve": FAIL, "purchase": FAIL, "allocate": FAIL, "slice": STALL, "node": "less"}


class Shop:
    """A federation of two providers, of which one can have an outage, and who buys in it."""

    def __init__(self, cluster: Cluster, space: str, proxy: Proxy, wire: Cluster) -> None:
        self.bad, self.good = providers(space)
        self.actor = Actor(cluster, space, [self.bad, self.good], [], eager=True)
        self.actor.open()
        self.proxy, self.clock = proxy, Clock()
        settings = FluidosSettings(namespace=space, deadlines=QUICK)
        self.backend = FluidosBackend(wire, settings, clock=self.clock)

    def order(self, provider: Provider, **outage: str) -> Order:
        """An order of a new flavor of a provider's, which the outage befalls."""
        new = flavor(provider)
        self.actor.offer(new)
        self.actor.script.update({(step, name_of(new)): how for step, how in outage.items()})
        return order([new])

    def refused(self, wanted: Order) -> bool:
        driver = Driver(self.backend, self.actor, wanted)
        driver.until(Phase.RUNNING)
        driver.release()
        return driver.refusal is not None

    def effort(self, provider: Provider) -> int:
        """How many requests a good order takes from the first one until it is given back."""
        before = len(self.proxy.requests)
        assert not self.refused(self.order(provider))
        return len(self.proxy.requests) - before


@pytest.mark.parametrize("step", OUTAGES)
def test_an_outage_touches_no_other_provider(cluster: Cluster, space: str, proxy: Proxy, step: str) -> None:
    with proxy.client() as wire:
        shop = Shop(cluster, space, proxy, wire)
        alone = shop.effort(shop.good)
        for _ in range(FAILURES):
            assert shop.refused(shop.order(shop.bad, **{step: OUTAGES[step]}))
        assert shop.effort(shop.good) == alone
        wanted = shop.order(shop.bad)
        with pytest.raises(RefusedError, match="failed too often"):
            shop.backend.reserve(wanted)
        assert left(cluster, space) == [], "it is refused before anything is made"
        assert shop.effort(shop.good) == alone
        shop.clock.moment += timedelta(seconds=PAUSE_S)
        assert shop.effort(shop.bad) == alone, "and after a while it is tried again"
        assert shop.effort(shop.bad) == alone


def test_who_sold_it_to_somebody_else_has_not_failed(cluster: Cluster, space: str, proxy: Proxy) -> None:
    with proxy.client() as wire:
        shop = Shop(cluster, space, proxy, wire)
        for _ in range(FAILURES + 1):
            wanted = shop.order(shop.bad)
            shop.actor._available(wanted.placement["assignments"][0]["offer"], value=False)
            assert shop.refused(wanted)
        shop.effort(shop.bad)
