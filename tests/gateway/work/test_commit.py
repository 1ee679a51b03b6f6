"""What becomes of a search in the store, outcome by outcome."""

from datetime import timedelta
from typing import Any

import pytest

from flare_core.adapters.gateway.ledger import held, more_capacity
from flare_core.adapters.gateway.life import Record, State, find, move
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.work.claims import Work, claim, find_work, hand_back, renew
from flare_core.adapters.gateway.work.commit import QUEUE_PAUSE, Desk, crashed, postpone, refuse, settle
from flare_core.adapters.gateway.work.request import origin_of, seat_document, seat_from
from flare_core.quantities import format_moment
from tests.gateway.worlds import HOUR, NOW, SECOND, federation, offer, seat, submitted

WORLD = federation(offer("a", gpus=2, nodes=1))
LEASE = timedelta(seconds=15)
UNKNOWN: dict[str, Any] = {"placement": {"status": "unknown", "error": None, "offer": None}}
ME = "me"


def placed(*gpus: int) -> dict[str, Any]:
    placement = {"status": "placed", "start_time": format_moment(NOW), "error": None, "offer": None}
    return {"placement": placement, "seats": [seat_document(seat("a", 0, *gpus))], "hourly_ueur": 5}


def desk(capacity: int = 0, now_s: int = 0, **settings: Any) -> Desk:
    return Desk(Settings(**settings), ME, WORLD, capacity, NOW + now_s * SECOND)


def gathered(store: Store, now_s: int = 0, capacity: int = 0, me: str = ME) -> tuple[Work, ...]:
    """Claim all that there is to do."""
    with store.write() as connection:
        found = find_work(connection, NOW + now_s * SECOND, LEASE, capacity, 100)
        ids = [work.record.id for work in found]
        claim(connection, me, ids, NOW + now_s * SECOND + LEASE)
    return found


def settled(store: Store, group: tuple[Work, ...], *outcomes: Any, at: Desk | None = None) -> list[Work]:
    with store.write() as connection:
        return settle(connection, at or desk(), group, outcomes)


def several(store: Store, *names: str) -> list[Record]:
    """Submit intents, one a moment after the other."""
    return [submitted(store, name, now=NOW + i * timedelta(microseconds=1)) for i, name in enumerate(names)]


def now_of(store: Store, record: Record) -> Record:
    with store.read() as connection:
        return find(connection, record.id)


def test_what_is_placed_is_booked_and_what_was_taken_is_given_back(store: Store) -> None:
    one, two, three = several(store, "one", "two", "three")
    group = gathered(store)
    again = settled(store, group, placed(0), placed(0), placed(1))
    assert [work.record.name for work in again] == ["two"]
    assert [now_of(store, r).state for r in (one, two, three)] == [
        State.RESERVED,
        State.PENDING,
        State.RESERVED,
    ]
    with store.read() as connection:
        assert sorted(h.seat.gpus for h in held(connection)) == [(0,), (1,)]
    assert gathered(store) == ()  # the second is still claimed


def test_unknown_is_tried_again_alone_with_more_time_and_then_later_and_never_refused(store: Store) -> None:
    record = submitted(store, "one")
    for number in range(3):
        [work] = gathered(store)
        assert (work.unknowns, work.alone) == (number, number > 0)
        assert settled(store, (work,), UNKNOWN) == []
        assert now_of(store, record).state is State.PENDING
    [work] = gathered(store)
    settled(store, (work,), UNKNOWN)
    waiting = now_of(store, record)
    assert (waiting.state, waiting.error) == (State.QUEUED, None)
    assert gathered(store) == ()
    pause = round(QUEUE_PAUSE.total_seconds())
    assert gathered(store, now_s=pause - 1) == ()
    [work] = gathered(store, now_s=pause)
    assert work.unknowns == 0
    settled(store, (work,), placed(0), at=desk(now_s=pause))
    assert now_of(store, record).state is State.RESERVED


def test_a_solver_that_dies_is_no_answer_but_the_second_time(store: Store) -> None:
    one, two = several(store, "one", "two")
    group = gathered(store)
    with store.write() as connection:
        crashed(connection, desk(), group)
    group = gathered(store)
    assert [work.alone for work in group] == [True, True]
    settled(store, group[:1], placed(0))
    with store.write() as connection:
        crashed(connection, desk(), group[1:])
    assert now_of(store, one).state is State.RESERVED
    failed = now_of(store, two)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.error["error_code"] == "INTERNAL"


def test_what_somebody_else_has_or_has_changed_is_left_alone(store: Store) -> None:
    one, two = several(store, "one", "two")
    group = gathered(store)
    with store.write() as connection:
        hand_back(connection, ME, [one.id])
    assert [work.record.id for work in gathered(store, me="other")] == [one.id]
    with store.write() as connection:
        move(connection, two.id, State.CANCELLED, NOW, "test")
    assert settled(store, group, placed(0), placed(1)) == []
    with store.write() as connection:
        crashed(connection, desk(), group)
        postpone(connection, desk(), group)
        refuse(connection, desk(), group[0], {"code": "INTERNAL", "message": "", "path": ""})
    assert now_of(store, one) == one
    assert now_of(store, two).state is State.CANCELLED
    with store.read() as connection:
        assert held(connection) == ()


def test_what_makes_no_sense_holds_up_nobody_and_fails_the_second_time(store: Store) -> None:
    one, two = several(store, "one", "two")
    nonsense = placed(0) | {"seats": [{"offer": "a"}]}
    settled(store, gathered(store), nonsense, placed(1))
    assert [now_of(store, r).state for r in (one, two)] == [State.PENDING, State.RESERVED]
    settled(store, gathered(store), nonsense)
    assert now_of(store, one).state is State.FAILED


def test_whose_capacity_is_taken_again_and_again_waits_a_moment(store: Store) -> None:
    submitted(store, "one")
    group = gathered(store)
    with store.write() as connection:
        postpone(connection, desk(), group)
    assert gathered(store) == ()
    assert len(gathered(store, now_s=1)) == 1


def waiting(start_s: int | None = None, valid_s: int | None = None) -> dict[str, Any]:
    offered = None if valid_s is None else {"valid_until": format_moment(NOW + valid_s * SECOND)}
    start = None if start_s is None else format_moment(NOW + start_s * SECOND)
    placement = {"status": "queued", "offer": offered, "error": None, "start_time": start}
    return placed(0) | {"placement": placement}


def queued(store: Store, valid_s: int | None = None, capacity: int = 0, start_s: int | None = None) -> Record:
    record = submitted(store, "one")
    settled(store, gathered(store), waiting(start_s, valid_s), at=desk(capacity))
    return now_of(store, record)


def test_the_queue_is_tried_when_there_is_more_capacity_or_after_a_while(store: Store) -> None:
    record = queued(store, capacity=3)
    assert record.state is State.QUEUED
    assert gathered(store, capacity=3) == ()
    assert len(gathered(store, capacity=4)) == 1
    with store.write() as connection:
        hand_back(connection, ME)
    assert len(gathered(store, capacity=3, now_s=60)) == 1


def test_the_queue_is_tried_ever_more_rarely_while_nothing_changes(store: Store) -> None:
    queued(store)
    tries, now_s = list[int](), 0
    while now_s < 5 * 3600:
        now_s += 60
        work = gathered(store, now_s=now_s)
        if work:
            tries.append(now_s // 60)
            settled(store, work, waiting(), at=desk(now_s=now_s))
    assert tries == [1, 2, 4, 8, 16, 32, 64, 124, 184, 244]


def test_the_queue_is_tried_when_there_could_be_room_and_says_when(store: Store) -> None:
    record = queued(store, start_s=5000)
    assert record.estimated_start == NOW + 5000 * SECOND
    assert gathered(store, now_s=4999) == ()
    work = gathered(store, now_s=5000)
    settled(store, work, waiting(9000), at=desk(now_s=5000))
    later = now_of(store, record)
    assert (later.estimated_start, later.version) == (NOW + 9000 * SECOND, record.version + 1)
    work = gathered(store, now_s=5001, capacity=1)
    settled(store, work, waiting(9000), at=desk(1, now_s=5001))
    assert now_of(store, record) == later
    [work] = [gathered(store, now_s=9000)]
    settled(store, work, placed(0), at=desk(now_s=9000))
    assert now_of(store, record).estimated_start == NOW


def test_an_offer_stands_until_its_moment_whatever_comes_free(store: Store) -> None:
    record = queued(store, valid_s=300)
    assert record.offer is not None
    with store.write() as connection:
        more_capacity(connection)
    assert gathered(store, capacity=9, now_s=299) == ()
    assert len(gathered(store, capacity=9, now_s=300)) == 1


@pytest.mark.parametrize(("later_s", "free"), [(14, False), (15, True), (-3600, True), (-14, False)])
def test_a_claim_holds_for_its_lease_and_not_for_a_clock_that_was_set_back(
    later_s: int, free: bool, store: Store
) -> None:
    submitted(store, "one")
    assert len(gathered(store)) == 1
    assert bool(gathered(store, now_s=later_s, me="other")) is free


def test_a_claim_that_is_renewed_goes_on(store: Store) -> None:
    submitted(store, "one")
    gathered(store)
    with store.write() as connection:
        renew(connection, ME, NOW + LEASE + 10 * SECOND)
        renew(connection, "other", NOW + HOUR)
    assert gathered(store, now_s=24, me="other") == ()
    assert len(gathered(store, now_s=25, me="other")) == 1


def test_new_intents_come_before_those_that_wait_and_difficult_ones_last(store: Store) -> None:
    queued(store, capacity=0)
    difficult = submitted(store, "difficult")
    settled(store, gathered(store), UNKNOWN)
    new = submitted(store, "new", now=NOW + SECOND)
    order = [work.record.name for work in gathered(store, now_s=1, capacity=1)]
    assert order == [new.name, difficult.name, "one"]


@pytest.mark.parametrize(
    "taken",
    [
        seat("a", 1, 0, 3),
        seat("a", 0, 1, slots=2),
        seat("a", 0, 1, profile="1g.10gb", cpu_milli=500, memory_mib=3, storage_mib=4, end=NOW + HOUR),
    ],
)
def test_seats_come_back_from_their_documents(taken: Any) -> None:
    assert seat_from(seat_document(taken)) == taken


@pytest.mark.parametrize(
    ("text", "origin"), [(None, None), ("DE", "DE"), ("48.1,11.6", (48.1, 11.6)), ("aws/eu-west-1",) * 2]
)
def test_where_consumers_sit_is_a_place_or_two_numbers(text: str | None, origin: Any) -> None:
    assert origin_of(Settings(origin=text)) == origin
