"""Calls a backend as the gateway does, and looks at what is left in the cluster."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from flare_core.adapters.fluidos import kinds, names
from flare_core.adapters.fluidos.backend import FluidosBackend
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.settings import Deadlines
from flare_core.adapters.gateway.backend.port import BackendError, Order, Phase, RefusedError, Report
from tests.fluidos.actor import Actor
from tests.fluidos.housekeeping import FEDERATION
from tests.fluidos.worlds import NOW

ROUNDS = 60
QUICK = Deadlines(
    reservation_s=12, allocation_s=12, resources_s=12, offloading_s=12, start_s=16, release_s=12
)
"""Seconds, of which a `Clock` counts one for each call of the backend."""


class Clock:
    """A clock that goes on by as much as each look at the cluster is taken to last."""

    def __init__(self, moment: datetime = NOW, tick_s: float = 1.0) -> None:
        self.moment = moment
        self.tick = timedelta(seconds=tick_s)

    def __call__(self) -> datetime:
        self.moment += self.tick
        return self.moment


class Driver:
    """One order, driven step by step; what the backend says is kept as the gateway keeps it."""

    def __init__(self, backend: FluidosBackend, actor: Actor, order: Order) -> None:
        self.backend, self.actor, self.order = backend, actor, order
        self.refusal: RefusedError | None = None
        self.failures: list[BackendError] = []
        self.reports: list[Report] = []
        self._calls = iter(self._steps())

    def _steps(self) -> Iterator[Callable[[Order], Report]]:
        yield self.backend.reserve
        yield self.backend.commit
        while True:
            yield lambda order: self.backend.status(order)

    def call(self) -> Report | None:
        """Take the next step, again and again until it is answered."""
        step = next(self._calls)
        while True:
            try:
                return self._keep(step(self.order))
            except BackendError as error:
                self.failures.append(error)
                self.actor.step()
                if len(self.failures) > 5 * ROUNDS:
                    raise
            except RefusedError as refusal:
                self.refusal = refusal
                return None

    def _keep(self, report: Report) -> Report:
        self.reports.append(report)
        self.order = replace(self.order, handle=report.handle)
        return report

    def until(self, *phases: Phase) -> Report | None:
        """Go on until it is in one of the phases, or was refused (None)."""
        for _ in range(ROUNDS):
            report = self.call()
            if report is None or report.phase in phases:
                return report
            self.actor.step()
        raise AssertionError(f"{self.order.key} never came to {phases}: {self.reports[-1]}")

    def release(self) -> Report:
        """Give everything back."""
        for _ in range(ROUNDS):
            try:
                report = self._keep(self.backend.release(self.order))
                if report.phase is Phase.RELEASED:
                    return report
            except BackendError as error:
                self.failures.append(error)
            self.actor.step()
        raise AssertionError(f"{self.order.key} was never released: {self.reports[-1]}")


Start = Callable[..., Driver]


def left(cluster: Cluster, space: str) -> list[str]:
    """Everything in a test's federation that is neither its own nor the providers' offer."""
    found = [
        f"{kind.kind} {item['metadata']['name']}"
        for kind in (kinds.RESERVATION, kinds.TRANSACTION, kinds.CONTRACT, kinds.ALLOCATION)
        for item in cluster.list(kind, space).items
    ]
    for namespace in cluster.list(kinds.NAMESPACE, labels=f"{FEDERATION}={space}").items:
        name = namespace["metadata"]["name"]
        if name.startswith("liqo-tenant-"):
            slices = cluster.list(kinds.RESOURCE_SLICE, name).items
            found += [f"ResourceSlice {item['metadata']['name']}" for item in slices]
        else:
            found.append(f"Namespace {name}")
    nodes = cluster.list(kinds.NODE, labels=f"{FEDERATION}={space}").items
    return found + [f"Node {item['metadata']['name']}" for item in nodes]


def made(cluster: Cluster, space: str, order: Order) -> list[str]:
    """The kinds of what an order has in the cluster, each as often as it is there."""
    labels = names.selector(order.key)
    found = [
        kind.kind
        for kind in (kinds.RESERVATION, kinds.ALLOCATION)
        for _ in cluster.list(kind, space, labels=labels).items
    ]
    found += ["Contract" for _ in cluster.list(kinds.CONTRACT, space).items]
    found += ["Namespace" for _ in cluster.list(kinds.NAMESPACE, labels=labels).items]
    inside = names.namespace(order.key)
    for kind in (kinds.NAMESPACE_OFFLOADING, kinds.DEPLOYMENT, kinds.JOB):
        found += [kind.kind for _ in cluster.list(kind, inside).items]
    return found


def first(actor: Actor) -> str:
    """The name of the first flavor."""
    return next(iter(actor.flavors))
