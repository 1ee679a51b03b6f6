"""Rate limits as requests meet them: near enough to the limit, shared, and cheap."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from flare_core.adapters.gateway.errors import RateLimitedError
from flare_core.adapters.gateway.http.rates import Rates
from flare_core.adapters.gateway.settings import Limit, Settings
from flare_core.adapters.gateway.store import Store

NOW = datetime(2026, 1, 15, 10, 35, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admitted(rates: Rates, limit: Limit, key: str = "token:a") -> bool:
    try:
        rates.spend(key, limit)
    except RateLimitedError:
        return False
    return True


@pytest.mark.parametrize(
    "limit", [Limit(600, 60, 100), Limit(60, 60, 10), Limit(6000, 60, 6000), Limit(7, 60, 1)]
)
@pytest.mark.parametrize("processes", [1, 4])
def test_s13_a_minute_of_too_much_admits_what_the_limit_says(
    limit: Limit, processes: int, store: Store, clock: Clock
) -> None:
    """Whoever asks all the time gets the burst and then the rate, to five percent or a unit a process."""
    all_of_them = [Rates(store, clock) for _ in range(processes)]
    step, count = timedelta(milliseconds=50), 0
    tries = -(-2 * limit.count // 1200)  # twice as many as are admitted
    for i in range(1200):
        clock.now = NOW + i * step
        count += sum(admitted(all_of_them[(i + k) % processes], limit) for k in range(tries))
    due = limit.burst + limit.count
    assert abs(count - due) <= max(0.05 * due, processes)


def test_who_waits_as_long_as_told_is_admitted(store: Store, clock: Clock) -> None:
    limit, rates = Limit(60, 60, 2), Rates(store, clock)
    assert [admitted(rates, limit) for _ in range(3)] == [True, True, False]
    with pytest.raises(RateLimitedError) as refused:
        rates.spend("token:a", limit)
    assert refused.value.retry_after_s is not None
    assert 1 <= refused.value.retry_after_s <= limit.period_s
    clock.now += timedelta(seconds=refused.value.retry_after_s)
    assert admitted(rates, limit)


def test_one_key_takes_nothing_from_another(store: Store, clock: Clock) -> None:
    limit, rates = Limit(60, 60, 1), Rates(store, clock)
    assert admitted(rates, limit, "token:a")
    assert not admitted(rates, limit, "token:a")
    assert admitted(rates, limit, "token:b")


@pytest.fixture
def writes(sqlite_store: Store) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(conn: object, cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = sqlite_store._engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_most_requests_ask_the_store_nothing(sqlite_store: Store, clock: Clock, writes: list[str]) -> None:
    rates = Rates(sqlite_store, clock)
    for _ in range(100):
        rates.spend("token:a", Limit(6000, 60, 1000))
    assert sum("UPDATE buckets" in each for each in writes) <= 2


def test_who_is_refused_asks_the_store_no_more(sqlite_store: Store, clock: Clock, writes: list[str]) -> None:
    rates, limit = Rates(sqlite_store, clock), Limit(60, 60, 1)
    assert [admitted(rates, limit) for _ in range(2)] == [True, False]
    writes.clear()
    assert not any(admitted(rates, limit) for _ in range(100))
    assert writes == []


def test_a_clock_that_is_set_back_shuts_nobody_out(sqlite_store: Store, clock: Clock) -> None:
    rates, limit = Rates(sqlite_store, clock), Limit(60, 60, 1)
    assert [admitted(rates, limit) for _ in range(2)] == [True, False]
    clock.now -= timedelta(hours=1)
    assert not admitted(rates, limit)
    clock.now += timedelta(seconds=61)
    assert admitted(rates, limit)


def test_a_store_that_cannot_be_written_stops_no_reading(clock: Clock) -> None:
    with closing(Store(Settings(store_url="sqlite:////nowhere/flare.db"))) as broken:
        rates = Rates(broken, clock)
        assert all(admitted(rates, Limit(60, 60, 1)) for _ in range(10))
        assert rates.store_is_spared
        clock.now += timedelta(seconds=6)
        assert not rates.store_is_spared


def test_many_addresses_take_no_more_than_so_much_room(
    sqlite_store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flare_core.adapters.gateway.http.rates._MOST_PURSES", 10)
    rates = Rates(sqlite_store, clock)
    for i in range(50):
        rates.spend(f"address:{i}", Limit(60, 60, 10))
    assert len(rates._purses) <= 11
