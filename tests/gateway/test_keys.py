"""Idempotency keys: one request, one effect."""

from datetime import timedelta

import pytest

from flare_core.adapters.gateway.keys import Claim, Outcome, answer, bind, claim, forget_keys
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.store.rows import ensure_user
from flare_core.errors import OptionsError
from tests.gateway.worlds import NOW, submitted

SETTINGS = Settings()
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _users(store: Store) -> None:
    with store.write() as connection:
        ensure_user(connection, "ada", NOW)
        ensure_user(connection, "bob", NOW)


def claimed(
    store: Store, body: str = "b", key: str = "k", user: str = "ada", after: timedelta = DAY * 0
) -> Claim:
    with store.write() as connection:
        return claim(connection, user, key, body, NOW + after, SETTINGS)


def test_a_key_is_new_once_and_then_in_flight_until_it_is_answered(store: Store) -> None:
    assert claimed(store) == Claim(Outcome.NEW)
    assert claimed(store) == Claim(Outcome.IN_FLIGHT, since=NOW)
    record = submitted(store, "one")
    with store.write() as connection:
        bind(connection, "ada", "k", record.id)
    assert claimed(store) == Claim(Outcome.IN_FLIGHT, record.id, since=NOW)
    with store.write() as connection:
        answer(connection, "ada", "k", 201, '{"ü": 1}')
        answer(connection, "ada", "k", 202, "another")
    assert claimed(store) == Claim(Outcome.ANSWERED, record.id, 201, '{"ü": 1}', since=NOW)


def test_another_body_is_told(store: Store) -> None:
    claimed(store)
    assert claimed(store, body="c") == Claim(Outcome.OTHER_BODY)


def test_each_user_has_keys_of_their_own(store: Store) -> None:
    assert claimed(store).outcome is claimed(store, body="c", user="bob").outcome is Outcome.NEW


def test_a_request_that_fails_uses_no_key(store: Store) -> None:
    def failing() -> None:
        with store.write() as connection:
            claim(connection, "ada", "k", "b", NOW, SETTINGS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert claimed(store).outcome is Outcome.NEW


def test_a_key_is_kept_for_a_day(store: Store) -> None:
    claimed(store)
    assert claimed(store, after=DAY).outcome is Outcome.IN_FLIGHT
    with store.write() as connection:
        assert forget_keys(connection, NOW + DAY, SETTINGS) == 0
    assert claimed(store, body="c", after=DAY + timedelta(microseconds=1)).outcome is Outcome.NEW
    with store.write() as connection:
        assert forget_keys(connection, NOW + 3 * DAY, SETTINGS) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b", "a\nb"])
def test_a_key_out_of_range_is_refused(store: Store, key: str) -> None:
    with pytest.raises(OptionsError):
        claimed(store, key=key)
    assert claimed(store, key="x" * 255).outcome is Outcome.NEW
