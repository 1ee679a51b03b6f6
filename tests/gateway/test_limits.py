"""Rate limits against a bucket that is filled drop by drop, and quotas at their edge."""

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.adapters.gateway.life import State, move
from flare_core.adapters.gateway.limits import (
    Holding,
    QuotaError,
    _after,
    check,
    check_quota,
    forget_full,
    holding_of,
    quota_of,
    set_quota,
    take,
)
from flare_core.adapters.gateway.settings import Limit, Quota
from flare_core.adapters.gateway.store import Store
from flare_core.errors import ErrorCode
from tests.gateway.worlds import NOW, SECOND, submitted

TEN = Limit(count=10, period_s=60, burst=10)


def admitted(store: Store, key: str, limit: Limit, after_s: float = 0, units: int = 1) -> bool:
    with store.note() as connection:
        return take(connection, key, limit, NOW + timedelta(seconds=after_s), units) == 0


def test_a_burst_passes_and_what_is_beyond_it_waits(store: Store) -> None:
    assert [admitted(store, "a", TEN) for _ in range(12)] == [True] * 10 + [False] * 2
    assert admitted(store, "b", TEN)
    assert not admitted(store, "a", TEN, 5.999)
    assert admitted(store, "a", TEN, 6)
    assert not admitted(store, "a", TEN, 6)


def test_a_refusal_says_how_long_to_wait(store: Store) -> None:
    assert all(admitted(store, "a", TEN) for _ in range(10))
    with store.note() as connection:
        assert take(connection, "a", TEN, NOW) == 6
        assert take(connection, "a", TEN, NOW, units=3) == 18
        assert take(connection, "a", TEN, NOW + timedelta(seconds=5.5)) == 1
    assert admitted(store, "a", TEN, 6)


def test_several_at_once_are_all_or_none(store: Store) -> None:
    assert admitted(store, "a", TEN, units=7)
    assert not admitted(store, "a", TEN, units=4)
    assert admitted(store, "a", TEN, units=3)


def test_to_check_takes_nothing(store: Store) -> None:
    for _ in range(20):
        with store.read() as connection:
            assert check(connection, "a", TEN, NOW) == 0
    assert admitted(store, "a", TEN, units=10)
    with store.read() as connection:
        assert check(connection, "a", TEN, NOW) == 6


def test_a_clock_that_was_set_back_shuts_no_one_out(store: Store) -> None:
    assert admitted(store, "a", TEN, 3600, units=10)
    assert not admitted(store, "a", TEN, 0)
    assert admitted(store, "a", TEN, 60, units=10)


def test_over_a_minute_the_limit_is_kept(store: Store) -> None:
    limit = Limit(count=60, period_s=60, burst=6)
    tried = [admitted(store, "a", limit, i / 4) for i in range(241)]
    assert sum(tried) == 60 + 6  # one a second, and the burst


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 4)), max_size=40), st.integers(1, 7))
def test_the_bucket_is_the_one_that_is_filled_drop_by_drop(asks: list[tuple[int, int]], burst: int) -> None:
    """Against a level in exact fractions; the limit divides a second evenly, so nothing is rounded."""
    limit, level, last = Limit(count=2, period_s=1, burst=burst), Fraction(burst), 0
    full_ns, now = 0, 0
    for wait_ms, units in asks:
        now += wait_ms
        level, last = min(Fraction(burst), level + Fraction(now - last, 500)), now
        full_ns, wait_s = _after(full_ns, limit, now * 1_000_000, units)
        assert (wait_s == 0) == (level >= units)
        level -= 0 if wait_s else units


def test_full_buckets_are_forgotten(store: Store) -> None:
    assert admitted(store, "a", TEN, units=1)
    with store.note() as connection:
        assert forget_full(connection, NOW + 5 * SECOND) == 0
        assert forget_full(connection, NOW + 6 * SECOND) == 1


@pytest.mark.parametrize("wrong", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_limit_of_nothing_is_none(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limit(*wrong)


def within(store: Store, more: Holding, default: Quota, user: str = "ada") -> bool:
    with store.read() as connection:
        try:
            check_quota(connection, user, more, default)
        except QuotaError as error:
            return error.code is not ErrorCode.QUOTA_EXCEEDED
    return True


def test_a_quota_binds_to_the_last_unit(store: Store) -> None:
    submitted(store, "one", gpus=3)
    submitted(store, "others", user="bob", gpus=100)
    with store.read() as connection:
        assert holding_of(connection, "ada") == Holding(3, 0, 1)
    assert within(store, Holding(gpus=5), Quota(gpus=8))
    assert not within(store, Holding(gpus=6), Quota(gpus=8))
    assert within(store, Holding(open_intents=1), Quota(open_intents=2))
    assert not within(store, Holding(open_intents=1), Quota(open_intents=1))
    assert within(store, Holding(1000, 10**12, 1000), Quota())


def test_what_is_not_asked_for_cannot_be_beyond_a_quota(store: Store) -> None:
    submitted(store, "one", gpus=9)
    assert within(store, Holding(open_intents=1), Quota(gpus=8))


def test_what_has_ended_counts_no_more(store: Store) -> None:
    record = submitted(store, "one", gpus=8)
    assert not within(store, Holding(gpus=1), Quota(gpus=8))
    with store.write() as connection:
        move(connection, record.id, State.RESERVED, NOW, "placed", hourly_ueur=7)
    assert within(store, Holding(hourly_ueur=3), Quota(hourly_ueur=10))
    assert not within(store, Holding(hourly_ueur=4), Quota(hourly_ueur=10))
    with store.write() as connection:
        move(connection, record.id, State.FAILED, NOW, "lost")
        assert holding_of(connection, "ada") == Holding()
    assert within(store, Holding(gpus=8), Quota(gpus=8))


def test_a_user_may_have_a_quota_of_their_own(store: Store) -> None:
    default = Quota(open_intents=1)
    for own in (Quota(gpus=2), Quota(gpus=4, hourly_ueur=9)):
        with store.write() as connection:
            set_quota(connection, "ada", own, NOW)
        with store.read() as connection:
            assert quota_of(connection, "ada", default) == own
            assert quota_of(connection, "bob", default) == default
