"""Every step of buying and giving back against all that can go wrong: nothing leaks, nothing is there twice.

The faults are put on the wire between the backend and the server; that a status never moves is the providers'
doing. A crash is a process that dies at a request, before or after the server has carried it out.
"""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from lightkube.config.kubeconfig import SingleConfig

from flare_core.adapters.fluidos.backend import FluidosBackend
from flare_core.adapters.fluidos.cluster import Cluster, Json
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.adapters.gateway.backend.port import Phase
from tests.fluidos.actor import STALL, Actor
from tests.fluidos.driving import QUICK, Clock, Driver, left, made
from tests.fluidos.proxy import Fault, Match, Proxy
from tests.fluidos.worlds import order

TIMEOUT_S = 0.25

FORWARD = {
    "reserve": ("POST", r"/reservations$"),
    "buy": ("PATCH", r"/reservations/[^/]+$"),
    "allocate": ("POST", r"/allocations$"),
    "connect": ("PATCH", r"/resourceslices/[^/]+$"),
    "namespace": ("POST", r"/api/v1/namespaces$"),
    "offload": ("POST", r"/namespaceoffloadings$"),
    "start": ("POST", r"/deployments$"),
}
LOOKS = {
    "candidate": ("GET", r"/peeringcandidates/[^/]+$"),
    "reservation": ("GET", r"/reservations/[^/]+$"),
    "contract": ("GET", r"/contracts/[^/]+$"),
    "allocation": ("GET", r"/allocations/[^/]+$"),
    "slice": ("GET", r"/resourceslices/[^/]+$"),
    "node": ("GET", r"/api/v1/nodes/[^/]+$"),
    "offloading": ("GET", r"/namespaceoffloadings/[^/]+$"),
    "deployment": ("GET", r"/deployments/[^/]+$"),
}
BACK = {
    "workload": ("DELETE", r"/deployments/[^/]+$"),
    "offloading": ("DELETE", r"/namespaceoffloadings/[^/]+$"),
    "namespace": ("DELETE", r"/api/v1/namespaces/[^/]+$"),
    "slice": ("DELETE", r"/resourceslices/[^/]+$"),
    "allocation": ("DELETE", r"/allocations/[^/]+$"),
    "contract": ("DELETE", r"/contracts/[^/]+$"),
    "transaction": ("DELETE", r"/transactions/[^/]+$"),
    "reservation": ("DELETE", r"/reservations/[^/]+$"),
}
FAULTS = ("409", "422", "429", "500", "503", "timeout", "reset", "lost", "malformed")
# Which word of the script keeps the status of a step from moving.
STALLS = {
    "reserve": "reserve",
    "notice": "notice",
    "buy": "purchase",
    "allocate": "allocate",
    "slice": "slice",
    "node": "node",
    "offload": "offload",
    "start": "workload",
}


def cells(*axes: Iterable[object]) -> list[ParameterSet]:
    """Every combination at the full figure; else a fifth, with each value of two long axes among them."""
    found = []
    for cell in product(*map(enumerate, axes)):
        whole = sum(place for place, _ in cell) % 5 != 0
        found.append(pytest.param(*(value for _, value in cell), marks=[pytest.mark.t1] if whole else []))
    return found


def requests(method: str, pattern: str) -> Match:
    return lambda how, path: how == method and re.search(pattern, path) is not None


@pytest.fixture
def driver(proxy: Proxy, space: str, actor: Actor) -> Iterator[Driver]:
    """A gang over two providers, bought through the proxy."""
    with proxy.client(TIMEOUT_S) as cluster:
        settings = FluidosSettings(namespace=space, deadlines=QUICK)
        backend = FluidosBackend(cluster, settings, clock=Clock())
        yield Driver(backend, actor, order(list(actor.flavors.values())))


WHOLE = sorted(
    ["Reservation", "Allocation", "Contract", "Deployment"] * 2 + ["Namespace", "NamespaceOffloading"]
)


def ends_clean(cluster: Cluster, space: str, driver: Driver) -> None:
    """Bought once or not at all; in the end nothing is left."""
    report = driver.until(Phase.RUNNING, Phase.FAILED, Phase.LOST)
    if report is None:
        assert left(cluster, space) == [], "a refusal is told when all is undone"
    elif report.phase is Phase.RUNNING:
        assert sorted(made(cluster, space, driver.order)) == WHOLE
    driver.release()
    assert left(cluster, space) == []
    assert all(len(sales) == 1 for sales in driver.actor.sold.values())


@pytest.mark.parametrize(("step", "fault"), cells(FORWARD, FAULTS))
def test_a_step_that_fails_once_leaks_nothing(
    cluster: Cluster, space: str, proxy: Proxy, driver: Driver, step: str, fault: str
) -> None:
    with proxy.during(Fault(fault, requests(*FORWARD[step]))) as (put,):
        ends_clean(cluster, space, driver)
    assert put.hits == 1


@pytest.mark.parametrize("step", STALLS)
def test_a_status_that_never_moves_is_given_up(
    cluster: Cluster, space: str, driver: Driver, actor: Actor, step: str
) -> None:
    stalled = next(iter(actor.flavors)) if step not in ("offload", "start") else "*"
    actor.script[STALLS[step], stalled] = STALL
    report = driver.until(Phase.RUNNING, Phase.FAILED)
    if step == "start":
        assert report is not None
        assert report.phase is Phase.FAILED
        driver.release()
    else:
        assert driver.refusal is not None
        assert (stalled, 0) in driver.refusal.capacity or stalled == "*"
    assert left(cluster, space) == []


@pytest.mark.parametrize(("step", "fault"), cells(BACK, FAULTS))
def test_what_fails_on_the_way_back_is_done_again(
    cluster: Cluster, space: str, proxy: Proxy, driver: Driver, step: str, fault: str
) -> None:
    driver.until(Phase.RUNNING)
    with proxy.during(Fault(fault, requests(*BACK[step]))) as (put,):
        driver.release()
    assert put.hits == 1
    assert left(cluster, space) == []


def test_what_never_goes_is_never_called_gone(
    cluster: Cluster, space: str, driver: Driver, actor: Actor
) -> None:
    driver.until(Phase.RUNNING)
    actor.script["release", "*"] = STALL
    for _ in range(20):
        report = driver.backend.release(driver.order)
        assert report.phase is not Phase.RELEASED
        assert report.message.startswith("waiting for ")
        driver.order = replace(driver.order, handle=report.handle)
        actor.step()
    assert left(cluster, space)
    actor.script.clear()
    driver.release()
    assert left(cluster, space) == []


@pytest.mark.t1
@pytest.mark.parametrize(("look", "fault"), cells(LOOKS, FAULTS))
def test_a_look_that_fails_leaks_nothing(
    cluster: Cluster, space: str, proxy: Proxy, driver: Driver, look: str, fault: str
) -> None:
    with proxy.during(Fault(fault, requests(*LOOKS[look]), times=2)) as (put,):
        ends_clean(cluster, space, driver)
    assert put.hits


def storm(cluster: Cluster, space: str, proxy: Proxy, driver: Driver, seed: int) -> None:
    """One request in 30 goes wrong, this way or that, on the way there and on the way back."""
    dice = random.Random(seed)
    kinds = [fault for fault in FAULTS if fault not in ("422", "timeout")]

    def strikes(_: str, __: str) -> bool:
        put.kind = dice.choice(kinds)
        return dice.random() < 1 / 30

    put = Fault("500", strikes, times=10_000)
    with proxy.during(put):
        ends_clean(cluster, space, driver)
    assert put.hits


@pytest.mark.parametrize("seed", range(2))
def test_a_storm_of_faults_leaks_nothing(
    cluster: Cluster, space: str, proxy: Proxy, driver: Driver, seed: int
) -> None:
    storm(cluster, space, proxy, driver, seed)


@pytest.mark.t1
@pytest.mark.parametrize("seed", range(2, 22))
def test_twenty_storms_of_faults_leak_nothing(
    cluster: Cluster, space: str, proxy: Proxy, driver: Driver, seed: int
) -> None:
    storm(cluster, space, proxy, driver, seed)


class Crash(BaseException):
    """The process is no more; no handler of its own sees it."""


class Mortal(Cluster):
    """A connection whose process dies at its n-th write, before or after it is carried out."""

    def __init__(self, config: SingleConfig, dies_at: int, *, after: bool) -> None:
        super().__init__(config)
        self.writes, self.dies_at, self.after = 0, dies_at, after

    def _send(self, method: str, path: str, **more: Any) -> Json:
        writes = method != "GET"
        self.writes += writes
        dies = writes and self.writes == self.dies_at
        if dies and not self.after:
            raise Crash
        answer = super()._send(method, path, **more)
        if dies:
            raise Crash
        return answer


def life(server: SingleConfig, actor: Actor, space: str, dies_at: int, *, after: bool, forgets: bool) -> bool:
    """Buy, run and give back, dying once and being succeeded; whether it came to die."""
    settings, clock = FluidosSettings(namespace=space, deadlines=QUICK), Clock()
    with Mortal(server, dies_at, after=after) as mortal, Cluster(server) as other:
        driver = Driver(
            FluidosBackend(mortal, settings, clock=clock), actor, order([*actor.flavors.values()])
        )
        died = False
        for step in (runs, Driver.release):
            try:
                step(driver)
            except Crash:
                died = True
                kept = {} if forgets else driver.order.handle
                heir = FluidosBackend(other, settings, clock=clock)
                driver = Driver(heir, actor, replace(driver.order, handle=kept))
                step(driver)
            if step is runs:
                assert sorted(made(actor.cluster, space, driver.order)) == WHOLE
    assert left(actor.cluster, space) == []
    assert all(len(sales) == 1 for sales in actor.sold.values())
    return died


def runs(driver: Driver) -> None:
    assert driver.until(Phase.RUNNING) is not None, driver.refusal


WRITES = 2 + 2 + 2 + 2 + 1 + 1 + 2  # reserve, buy, allocate, connect, namespace, offload, start
UNDOS = (
    2 + 1 + 1 + 2 + 2 + 2 + 2 + 2
)  # deployments, offloading, namespace, slices, allocations, … reservations


@pytest.mark.parametrize(("write", "after"), cells(range(1, WRITES + UNDOS + 1), [False, True]))
def test_a_process_that_dies_at_a_write_leaks_nothing(
    cluster: Cluster, space: str, server: SingleConfig, actor: Actor, write: int, after: bool
) -> None:
    forgets = (write + after) % 2 == 0
    assert life(server, actor, space, write, after=after, forgets=forgets)


@pytest.mark.t1
@pytest.mark.parametrize(("write", "after"), cells(range(1, WRITES + UNDOS + 1), [False, True]))
def test_whether_it_remembers_or_not(
    cluster: Cluster, space: str, server: SingleConfig, actor: Actor, write: int, after: bool
) -> None:
    forgets = (write + after) % 2 == 1
    assert life(server, actor, space, write, after=after, forgets=forgets)


def test_those_are_all_the_writes_there_are(
    space: str, server: SingleConfig, actor: Actor, cluster: Cluster
) -> None:
    assert not life(server, actor, space, WRITES + UNDOS + 1, after=False, forgets=False)
