"""Orders at a backend that refuses, forgets, breaks and loses: one each at most, and nothing is left."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from flare_core.adapters.gateway.backend.local import LocalBackend
from flare_core.adapters.gateway.backend.port import BackendError, Order, Phase, RefusedError, Report
from flare_core.adapters.gateway.ledger import held
from flare_core.adapters.gateway.life import HOLDING, Record, State, find, history_of
from flare_core.adapters.gateway.orders import orders_of
from flare_core.adapters.gateway.service import Gateway
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.store.tables import orders
from flare_core.adapters.gateway.work.claims import EXCLUDED, exclude, read_excluded
from flare_core.adapters.gateway.work.solver import Solver
from flare_core.inventory.types import Inventory
from tests.gateway.work.living import Clock, awaited, living, offers_in, submitted, until, wish
from tests.gateway.worlds import NOW, offer, settings_of

Fault = Callable[[Order], None]
STEPS = ("reserve", "commit", "status", "release")
QUEUE = {"negotiation": {"fallback_strategy": "queue"}}


class Provider:
    """A provider that really sells: it knows what it has sold, and does to the caller what it is told.

    Attributes
    ----------
    before, after
        Faults by step: raised before anything is done, or after it was done, when the answer is lost.
    sold
        What is sold, by key.
    at_once
        The most that was sold for one intent at a time.
    says
        What it reports of an order in place of that it runs.
    """

    name = "provider"

    def __init__(self, path: Path, clock: Clock) -> None:
        self._local = LocalBackend((path,), clock=clock)
        self._lock = threading.Lock()
        self.before: dict[str, Iterator[Exception | None]] = {}
        self.after: dict[str, Iterator[Exception | None]] = {}
        self.sold: dict[str, Order] = {}
        self.at_once = 0
        self.says: Report | None = None
        self.calls: list[tuple[str, str]] = []

    def discover(self) -> Inventory:
        return self._local.discover()

    def reserve(self, order: Order) -> Report:
        return self._do("reserve", order)

    def commit(self, order: Order) -> Report:
        return self._do("commit", order)

    def status(self, order: Order) -> Report:
        return self._do("status", order)

    def release(self, order: Order) -> Report:
        return self._do("release", order)

    def close(self) -> None:
        self._local.close()

    def _do(self, step: str, order: Order) -> Report:
        self.calls.append((step, order.key))
        _raise(self.before.get(step))
        with self._lock:
            if step == "release":
                self.sold.pop(order.key, None)
            elif step in ("reserve", "commit"):
                self.sold[order.key] = order
                same = [key for key, other in self.sold.items() if other.intent_id == order.intent_id]
                self.at_once = max(self.at_once, len(same))
        _raise(self.after.get(step))
        if step == "status" and self.says is not None:
            return self.says
        report: Report = getattr(self._local, step)(order)
        return report


def _raise(faults: Iterator[Exception | None] | None) -> None:
    fault = None if faults is None else next(faults, None)
    if fault is not None:
        raise fault


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(tmp_path: Path, clock: Clock) -> Provider:
    return Provider(offers_in(tmp_path, offer("a", nodes=1), offer("b", nodes=1)), clock)


@pytest.fixture
def gateway(
    sqlite_url: str, tmp_path: Path, clock: Clock, provider: Provider, shared: Solver
) -> Iterator[Gateway]:
    offers = offer("a", nodes=1), offer("b", nodes=1)
    with living(sqlite_url, tmp_path, clock, *offers, backend=provider, solver=shared) as gateway:
        yield gateway


def at_rest(gateway: Gateway, clock: Clock, intent: str) -> Record:
    """Let time go on until nothing of an intent's orders is left to be undone; return the intent."""

    def done() -> Record | None:
        clock.tick(seconds=5)
        with gateway.store.read() as connection:
            open_ = [o for o in orders_of(connection, intent) if o.gone and not o.done]
            return None if open_ else find(connection, intent)

    return until(done)


def moved_on(gateway: Gateway, clock: Clock, intent: str, *states: State) -> Record:
    """Let time go on until an intent is in one of some states."""

    def there() -> Record | None:
        clock.tick(seconds=5)
        with gateway.store.read() as connection:
            record = find(connection, intent)
        return record if record.state in states else None

    return until(there)


@pytest.mark.parametrize("lost", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_what_is_not_answered_is_asked_again_and_bought_once(
    step: str, lost: str, gateway: Gateway, provider: Provider, clock: Clock
) -> None:
    faults = (BackendError("no answer"), TimeoutError(), ValueError("nonsense"))
    getattr(provider, lost)[step] = iter(faults)
    record = submitted(gateway, wish())
    moved_on(gateway, clock, record.id, State.RUNNING)
    if step == "status":
        later(clock, lambda: sum(call == "status" for call, _ in provider.calls) > 3, seconds=3600)
    gateway.cancel("ada", record.id, None)
    assert at_rest(gateway, clock, record.id).state is State.CANCELLED
    assert provider.sold == {}
    assert provider.at_once == 1
    assert sum(call == step for call, _ in provider.calls) >= len(faults) + 1


@pytest.mark.parametrize("step", ["reserve", "commit", "status"])
def test_what_is_refused_is_bought_elsewhere(
    step: str, gateway: Gateway, provider: Provider, clock: Clock
) -> None:
    provider.before[step] = iter([RefusedError("sold out", (("a", None),))])
    record = submitted(gateway, wish())
    running = awaited(gateway, record.id, State.RUNNING)  # the clock stands: what is refused stays excluded
    if step == "status":
        clock.tick(hours=1)
        until(lambda: provider.calls[-1][0] == "release")
        running = awaited(gateway, record.id, State.RUNNING)
    assert running.placement is not None
    assert [a["offer"] for a in running.placement["assignments"]] == ["b"]
    until(lambda: len(provider.sold) == 1)
    with gateway.store.read() as connection:
        first, second = orders_of(connection, record.id)
        assert {h.seat.offer for h in held(connection)} == {"b"}
    assert (first.generation, first.gone, second.gone) == (1, True, False)
    at_rest(gateway, clock, record.id)
    assert list(provider.sold) == [second.key]


def test_what_was_refused_is_asked_for_again_after_a_while(
    gateway: Gateway, provider: Provider, clock: Clock
) -> None:
    """It waits as long as the only place that is free is one that it was refused, and no longer."""
    moved_on(gateway, clock, submitted(gateway, wish("first", gpus=8)).id, State.RUNNING)
    provider.before["reserve"] = iter([RefusedError("sold out", (("b", None),))])
    record = submitted(gateway, wish("second", gpus=8, constraints=QUEUE))
    tried = until(lambda: [key for step, key in provider.calls if step == "reserve" and record.id in key])
    refused_at = clock.now
    awaited(gateway, record.id, State.QUEUED)
    running = moved_on(gateway, clock, record.id, State.RUNNING)
    assert clock.now - refused_at >= EXCLUDED
    assert running.placement is not None
    assert [a["offer"] for a in running.placement["assignments"]] == ["b"]
    bought = {key for step, key in provider.calls if step == "reserve" and record.id in key}
    assert len(bought - {*tried}) == 1


@pytest.mark.parametrize(("later_s", "left"), [(0, 2), (599, 2), (600, 1), (900, 0), (-3600, 0)])
def test_capacity_is_excluded_for_its_own_while(later_s: int, left: int) -> None:
    """Each from when it was refused; all of a clock that was set back since is forgotten."""
    first = exclude(None, [("a", None)], NOW)
    both = exclude(first, [("b", 0)], NOW + timedelta(seconds=300))
    found = read_excluded(both, NOW + timedelta(seconds=later_s))
    assert found == (("a", None), ("b", 0))[2 - left :]
    again = exclude(both, [("a", None)], NOW + timedelta(seconds=300))
    assert read_excluded(again, NOW + timedelta(seconds=899)) == (("a", None), ("b", 0))


def test_where_nobody_keeps_his_offer_the_intent_fails_after_some_rounds(
    gateway: Gateway, provider: Provider, clock: Clock
) -> None:
    provider.before["reserve"] = iter([RefusedError("sold out", ()) for _ in range(50)])
    record = submitted(gateway, wish())
    failed = awaited(gateway, record.id, State.FAILED)
    assert failed.error is not None
    assert failed.error["error_code"] in ("INSUFFICIENT_RESOURCES", "GPU_COUNT_INSUFFICIENT")
    at_rest(gateway, clock, record.id)
    with gateway.store.read() as connection:
        assert held(connection) == ()
        assert len(orders_of(connection, record.id)) == 2  # each offer was tried once


def test_what_is_lost_while_it_runs_is_placed_again(
    gateway: Gateway, provider: Provider, clock: Clock
) -> None:
    record = submitted(gateway, wish())
    moved_on(gateway, clock, record.id, State.RUNNING)
    provider.says = Report(phase=Phase.LOST, message="the node is gone")
    later(clock, lambda: provider.calls[-1][0] == "release", hours=2)
    provider.says = None
    again = moved_on(gateway, clock, record.id, State.RUNNING)
    with gateway.store.read() as connection:
        steps = [(step.before, step.after) for step in history_of(connection, record.id)]
    assert (State.RUNNING, State.QUEUED) in steps
    assert again.started is not None
    at_rest(gateway, clock, record.id)
    assert len(provider.sold) == 1


def test_a_workload_that_fails_has_failed_and_its_capacity_is_free(
    gateway: Gateway, provider: Provider, clock: Clock
) -> None:
    provider.says = Report(phase=Phase.FAILED, message="exit status 1", started=NOW, ended=NOW)
    record = submitted(gateway, wish())
    later(clock, lambda: now_of(gateway, record.id).state is State.FAILED, hours=2)
    failed = at_rest(gateway, clock, record.id)
    assert (failed.message, failed.error, failed.ended) == ("exit status 1", None, failed.ended)
    assert provider.sold == {}
    with gateway.store.read() as connection:
        assert held(connection) == ()


def later(clock: Clock, what: Callable[[], bool], **by: float) -> None:
    """Let time go on until something is true."""

    def there() -> bool:
        clock.tick(**by)
        return what()

    until(there)


def now_of(gateway: Gateway, intent: str) -> Record:
    with gateway.store.read() as connection:
        return find(connection, intent)


def test_what_the_backend_says_is_told_and_is_a_new_version(
    gateway: Gateway, provider: Provider, clock: Clock
) -> None:
    record = submitted(gateway, wish())
    running = moved_on(gateway, clock, record.id, State.RUNNING)
    assert running.status_report is None
    provider.says = Report(
        phase=Phase.RUNNING,
        message="two replicas",
        url="https://one.example",
        gpu_utilization_percent=85.0,
        performance={"latency_p50": "45ms"},
    )
    later(clock, lambda: now_of(gateway, record.id).status_report is not None, hours=2)
    told = now_of(gateway, record.id)
    assert told.status_report == {
        "url": "https://one.example",
        "gpu_utilization_percent": 85.0,
        "performance": {"latency_p50": "45ms"},
    }
    assert (told.message, told.version) == ("two replicas", running.version + 1)
    calls = len(provider.calls)
    later(clock, lambda: len(provider.calls) > calls + 2, seconds=60)
    assert now_of(gateway, record.id).version == told.version


def test_an_intent_that_is_cancelled_while_it_is_bought_is_undone(
    gateway: Gateway, provider: Provider, clock: Clock
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hold() -> Iterator[Exception | None]:
        asked.set()
        assert go_on.wait(60)
        yield None

    provider.before["commit"] = hold()
    record = submitted(gateway, wish())
    assert asked.wait(60)
    gateway.cancel("ada", record.id, None)
    other = submitted(gateway, wish("other"))
    assert awaited(gateway, other.id).state in HOLDING  # one call that takes long holds up nobody
    go_on.set()
    assert at_rest(gateway, clock, record.id).state is State.CANCELLED
    until(lambda: all(order.intent_id == other.id for order in provider.sold.values()))


def test_a_backend_that_says_what_no_store_can_hold_is_asked_again(
    gateway: Gateway, provider: Provider, clock: Clock
) -> None:
    provider.says = Report(phase=Phase.RUNNING, handle={"what": object()})
    record = submitted(gateway, wish())
    other = submitted(gateway, wish("other"))
    moved_on(gateway, clock, record.id, State.RUNNING)
    later(clock, lambda: sum(call == "status" for call, _ in provider.calls) > 4, hours=2)
    provider.says = None
    gateway.cancel("ada", other.id, None)
    assert at_rest(gateway, clock, other.id).state is State.CANCELLED


def test_an_order_of_a_dead_process_is_taken_over(
    sqlite_url: str, tmp_path: Path, clock: Clock, provider: Provider, shared: Solver
) -> None:
    """Its claim holds for the lease; one of a clock that was set back since holds not at all."""
    offers = offer("a", nodes=1), offer("b", nodes=1)
    with living(sqlite_url, tmp_path, clock, *offers, backend=provider, solver=shared) as gateway:
        record = submitted(gateway, wish())
        moved_on(gateway, clock, record.id, State.RUNNING)
    store = Store(settings_of(sqlite_url))
    with store.write() as connection:
        dead = {"claimed_by": "dead", "claimed_until": clock.now + timedelta(hours=1)}
        connection.execute(update(orders).values(dead | {"next_poll": clock.now}))
    store.close()
    provider.says = Report(phase=Phase.COMPLETED, ended=clock.now)
    with living(sqlite_url, tmp_path, clock, *offers, backend=provider, solver=shared) as gateway:
        moved_on(gateway, clock, record.id, State.COMPLETED)
