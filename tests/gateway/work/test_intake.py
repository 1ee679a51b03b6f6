"""Submissions that come together are accepted as if they had come one after the other."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flare_core.adapters.gateway import keys, life
from flare_core.adapters.gateway.errors import ConflictError, UnavailableError
from flare_core.adapters.gateway.keys import Outcome, Wanted
from flare_core.adapters.gateway.life import State, list_intents
from flare_core.adapters.gateway.limits import QuotaError
from flare_core.adapters.gateway.settings import Quota, Settings
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.work.intake import Intake, Submission, Submitted
from tests.gateway.work.living import Clock
from tests.gateway.worlds import settings_of


def one(
    name: str = "one", user: str = "ada", key: str | None = None, body: str = "b", **more: Any
) -> Submission:
    wanted = None if key is None else Wanted(user, key, body)
    return Submission(user, name, {"name": name}, more.get("gpus", 1), wanted)


def taken_in(store: Store, together: Sequence[Submission], **settings: Any) -> list[Any]:
    """Have submissions accepted in one transaction; return what became of each."""
    Intake(Settings(**settings), store, Clock())._write(together)
    return [each.outcome for each in together]


def count(store: Store) -> int:
    with store.read() as connection:
        return len(list_intents(connection, None, limit=1000)[0])


def test_what_comes_together_is_accepted_together(store: Store) -> None:
    outcomes = taken_in(store, [one("one"), one("two"), one("one", user="bob")])
    assert [outcome.record.name for outcome in outcomes] == ["one", "two", "one"]
    assert all(outcome.record.state is State.PENDING for outcome in outcomes)
    with store.read() as connection:
        for outcome in outcomes:
            assert life.find(connection, outcome.record.id) == outcome.record
            assert [step.reason for step in life.history_of(connection, outcome.record.id)] == ["received"]


def test_of_equal_names_the_first_has_it(store: Store) -> None:
    first, second = taken_in(store, [one(), one()])
    assert isinstance(first, Submitted)
    assert isinstance(second, ConflictError)
    [third] = taken_in(store, [one()])
    assert isinstance(third, ConflictError)
    assert count(store) == 1


def test_of_equal_keys_one_is_new(store: Store) -> None:
    same = [one(f"n{i}", key="k") for i in range(3)]
    first, second, third = taken_in(store, [*same[:2], one("other", key="k", body="c")])
    assert (first.claim.outcome, first.record.name) == (Outcome.NEW, "n0")
    assert (second.claim.outcome, second.record, second.claim.intent) == (
        Outcome.IN_FLIGHT,
        None,
        first.record.id,
    )
    assert third.claim.outcome is Outcome.OTHER_BODY
    with store.write() as connection:
        keys.answer(connection, "ada", "k", 201, "{}")
    [again] = taken_in(store, [same[2]])
    assert (again.claim.outcome, again.claim.status, again.claim.answer) == (Outcome.ANSWERED, 201, "{}")
    [bobs] = taken_in(store, [one("bobs", user="bob", key="k")])
    assert bobs.claim.outcome is Outcome.NEW
    assert count(store) == 2


def test_what_is_refused_leaves_its_key_free(store: Store) -> None:
    taken_in(store, [one()])
    refused, good = taken_in(store, [one(key="k"), one("two", key="k", body="c")])
    assert isinstance(refused, ConflictError)
    assert good.claim.outcome is Outcome.NEW


def test_a_key_whose_request_has_died_is_the_next_ones(store: Store) -> None:
    """Only when it cannot be answered any more; also where its intent was refused meanwhile."""
    clock = Clock()
    intake = Intake(Settings(request_timeout_s=30), store, clock)
    first = intake.submit(one(key="k"))
    assert first.record is not None
    clock.tick(seconds=30)
    assert intake.submit(one(key="k")).record is None
    clock.tick(seconds=1)
    assert intake.submit(one(key="k")) == Submitted(
        first.record, keys.Claim(Outcome.NEW, first.record.id, since=first.record.created)
    )
    with store.write() as connection:
        life.move(connection, first.record.id, State.FAILED, clock(), "test")
        life.withdraw(connection, first.record.id, clock())
    adopted = intake.submit(one(key="k")).record
    assert adopted is not None
    assert adopted.state is State.REFUSED


def test_quotas_count_what_was_accepted_just_before(store: Store) -> None:
    quota = Quota(gpus=5, open_intents=3)
    outcomes = taken_in(
        store,
        [
            one("a", gpus=3),
            one("b", gpus=3),
            one("c", gpus=2),
            one("d", user="bob", gpus=5),
            one("e", gpus=0),
        ],
        quota=quota,
    )
    assert [isinstance(outcome, QuotaError) for outcome in outcomes] == [False, True, False, False, False]
    [more] = taken_in(store, [one("f", gpus=0)], quota=quota)
    assert isinstance(more, QuotaError)


def test_no_more_wait_than_may(store: Store) -> None:
    outcomes = taken_in(store, [one(f"n{i}") for i in range(4)], queue_bound=3)
    assert [isinstance(outcome, UnavailableError) for outcome in outcomes] == [False] * 3 + [True]
    assert outcomes[3].retry_after_s
    assert count(store) == 3


def test_what_is_wrong_with_one_is_no_matter_of_the_others(sqlite_store: Store) -> None:
    intake = Intake(Settings(), sqlite_store, Clock())
    bad = one("bad")
    bad.document = {"what": object()}
    together = [one("one"), bad, one("two")]
    intake._waiting = list(together)
    intake._serve()
    assert [isinstance(each.outcome, Submitted) for each in together] == [True, False, True]
    with pytest.raises(TypeError):
        intake.submit(bad)
    assert count(sqlite_store) == 2


def test_many_at_once_all_have_their_answer(url: str) -> None:
    store = Store(settings_of(url, store_wait_s=30))
    intake = Intake(Settings(quota=Quota(open_intents=25)), store, Clock())
    outcomes: list[Submitted | Exception] = []

    def submit(number: int) -> None:
        try:
            outcomes.append(intake.submit(one(f"n{number}")))
        except QuotaError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=submit, args=(i,)) for i in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, Submitted) for outcome in outcomes) == count(store) == 25
    assert len(outcomes) == 40
    store.close()


def test_a_store_that_does_not_answer_accepts_nothing(tmp_path: Path) -> None:
    store = Store(settings_of(f"sqlite:///{tmp_path / 'no' / 'flare.db'}"))
    with pytest.raises(UnavailableError):
        Intake(Settings(), store, Clock()).submit(one())
    store.close()


def test_keys_are_forgotten_in_time(store: Store) -> None:
    clock = Clock()
    intake = Intake(Settings(request_timeout_s=10**6), store, clock)
    intake.submit(one("one", key="k"))
    clock.tick(days=1)
    assert intake.submit(one("two", key="k")).record is None
    clock.now += timedelta(microseconds=1)
    assert intake.submit(one("two", key="k")).record is not None
