"""What is counted, for Prometheus; right for several processes and machines on one store.

Requests and searches are counted where they happen. Where ``PROMETHEUS_MULTIPROC_DIR`` is set before this
module is loaded (`flare serve` does so for several workers), any process answers for all of them. What the
store knows is asked of the store. Every label has few values: routes by their names, never by what a client
has written.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MutexValue, ValueClass
from sqlalchemy import func, select

from flare_core.adapters.gateway.life import HOLDING, State
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.store.tables import intents

DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
_SHARED: Final = ValueClass is not MutexValue  # decided when prometheus_client is loaded, so not later here

_OTHER: Final = "other"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})
_OUTCOMES: Final = frozenset({"optimal", "feasible", "infeasible", "unknown", "crashed"})
_REQUEST_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SEARCH_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
_BATCH: Final = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """What this process counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "flare_request_seconds",
            "Time from a request to the end of its answer.",
            ("method", "route", "status"),
            buckets=_REQUEST_S,
            registry=self._registry,
        )
        self._searches = Histogram(
            "flare_solve_seconds",
            "Time of a search for placements, by what was found.",
            ("outcome",),
            buckets=_SEARCH_S,
            registry=self._registry,
        )
        self._batches = Histogram(
            "flare_solve_intents",
            "Intents that were solved together.",
            buckets=_BATCH,
            registry=self._registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request.

        Parameters
        ----------
        route
            The name of what was called, as the routes have it; empty where nothing was.
        """
        method = method if method in _METHODS else _OTHER
        self._requests.labels(method, route or _OTHER, str(status)).observe(seconds)

    def solved(self, outcome: str, seconds: float, intents: int) -> None:
        """Count a search.

        Parameters
        ----------
        outcome
            What was found: ``optimal``, ``feasible``, ``infeasible``, ``unknown``, ``crashed``.
        intents
            How many were solved together.
        """
        self._searches.labels(outcome if outcome in _OUTCOMES else _OTHER).observe(seconds)
        self._batches.observe(intents)

    def collect(self) -> Iterable[Metric]:
        """Return what was counted, by all processes where they share a directory."""
        if _SHARED:
            shared: Iterable[Metric] = MultiProcessCollector(None).collect()  # type: ignore[no-untyped-call]  # theirs
            return shared
        return self._registry.collect()


class Watched(Protocol):
    """What `render` needs of a gateway."""

    store: Store
    metrics: Metrics
    inventory_at: datetime | None

    def clock(self) -> datetime: ...


def render(gateway: Watched) -> tuple[bytes, str]:
    """Return everything that is counted, and its content type.

    Raises
    ------
    UnavailableError
        If the store does not answer.
    """
    registry = CollectorRegistry()
    registry.register(gateway.metrics)
    registry.register(_Known(gateway))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Known:
    """What the store and the inventory say at the moment."""

    def __init__(self, gateway: Watched) -> None:
        self._gateway = gateway

    def collect(self) -> Iterator[Metric]:
        by_state, gpus = _counts(self._gateway.store)
        intents_by_state = GaugeMetricFamily("flare_intents", "Intents by state.", labels=["state"])
        for state in State:
            intents_by_state.add_metric([state.value], by_state.get(state.value, 0))
        yield intents_by_state
        waiting = by_state.get(State.PENDING.value, 0)
        yield GaugeMetricFamily("flare_queue_length", "Intents that wait to be solved.", waiting)
        yield GaugeMetricFamily("flare_gpus_booked", "GPUs of intents that are placed.", gpus)
        at = self._gateway.inventory_at
        if at is not None:
            age_s = (self._gateway.clock() - at).total_seconds()
            yield GaugeMetricFamily("flare_inventory_age_seconds", "Since offers were last read.", age_s)


def _counts(store: Store) -> tuple[dict[str, int], int]:
    """Return how many intents are in each state, and what those that hold something asked for."""
    each = select(intents.c.state, func.count()).group_by(intents.c.state)
    held = select(func.sum(intents.c.gpus)).where(intents.c.state.in_(sorted(HOLDING)))
    with store.read() as connection:
        by_state = {state: number for state, number in connection.execute(each)}
        return by_state, int(connection.execute(held).scalar() or 0)
