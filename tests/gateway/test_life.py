"""The life of an intent: what may become of it, what it costs, and what is told."""

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.adapters.gateway.errors import ConflictError, NotFoundError
from flare_core.adapters.gateway.events import events_after, forget_events, newest_event, tell
from flare_core.adapters.gateway.ledger import TakenError, held
from flare_core.adapters.gateway.life import (
    HOLDING,
    NEXT,
    Cost,
    Record,
    State,
    Step,
    cancel,
    find,
    history_of,
    list_intents,
    move,
    reprice,
    reserve,
    submit,
    waiting,
)
from flare_core.adapters.gateway.store import Store
from flare_core.errors import OptionsError
from tests.gateway.worlds import HOUR, NOW, SECOND, federation, offer, seat, submitted

P, Q, R, U = State.PENDING, State.QUEUED, State.RESERVED, State.RUNNING
C, F, X, Z = State.COMPLETED, State.FAILED, State.CANCELLED, State.REFUSED

ALLOWED = {
    (P, Q), (P, R), (P, F), (P, X),
    (Q, R), (Q, F), (Q, X),
    (R, U), (R, Q), (R, F), (R, X),
    (U, C), (U, Q), (U, F), (U, X),
}  # fmt: skip
WAYS: dict[State, list[State]] = {P: [], Q: [Q], R: [R], U: [R, U], C: [R, U, C], F: [F], X: [X]}
ONE = federation(offer("a", gpus=1, nodes=1))


def taken_to(store: Store, states: Sequence[State], name: str = "one") -> Record:
    record = submitted(store, name)
    for state in states:
        with store.write() as connection:
            record = move(connection, record.id, state, NOW, "test")
    return record


def reserved(store: Store, name: str = "one", hourly_ueur: int = 3_600_000) -> Record:
    record = submitted(store, name)
    with store.write() as connection:
        return reserve(
            connection,
            ONE,
            record.id,
            [seat("a", 0, 0)],
            NOW,
            hourly_ueur=hourly_ueur,
            placement={"intent": name},
        )


@pytest.mark.parametrize("after", list(State))
@pytest.mark.parametrize("before", list(WAYS))
def test_nothing_becomes_of_an_intent_but_what_may(before: State, after: State, sqlite_store: Store) -> None:
    record = taken_to(sqlite_store, WAYS[before])
    with sqlite_store.write() as connection:
        if (before, after) in ALLOWED:
            assert move(connection, record.id, after, NOW, "test").state is after
        else:
            with pytest.raises(ConflictError):
                move(connection, record.id, after, NOW, "test")
        assert find(connection, record.id).state is (after if (before, after) in ALLOWED else before)


def test_the_table_is_what_the_test_says() -> None:
    assert {(before, after) for before, nexts in NEXT.items() for after in nexts} == ALLOWED
    assert {state for state in State if not state.live} == {C, F, X, Z}
    assert {R, U} == HOLDING
    assert {state: state.word for state in State if state.word != state} == {
        Q: "pending",
        R: "pending",
        Z: "failed",
    }
    assert {state.word for state in State} == {"pending", "running", "completed", "failed", "cancelled"}


def test_an_accepted_intent_is_as_it_was_given(store: Store) -> None:
    with store.write() as connection:
        record = submit(connection, "ada", "one", {"b": [1, "ü"], "a": None}, 4, NOW)
    assert record.document == '{"a":null,"b":[1,"ü"]}'
    assert (record.state, record.version, record.gpus, record.cost) == (P, 1, 4, Cost())
    assert len(record.id) == len("intent-") + 32
    with store.read() as connection:
        assert find(connection, record.id) == record == find(connection, record.id, "ada")
    with store.write() as connection:
        same = submit(connection, "bob", "two", {"a": None, "b": [1, "ü"]}, 4, NOW)
    assert same.sha256 == record.sha256
    assert submitted(store, "three").sha256 != record.sha256


def test_a_name_is_one_of_a_kind_among_what_lives(store: Store) -> None:
    first = submitted(store, "one")
    with pytest.raises(ConflictError, match="one"):
        submitted(store, "one")
    submitted(store, "one", user="bob")
    with store.write() as connection:
        cancel(connection, "ada", first.id, NOW)
    assert submitted(store, "one").id != first.id


def test_every_transition_is_in_the_history_and_told(store: Store) -> None:
    record = taken_to(store, [Q, R, U, C])
    with store.read() as connection:
        assert history_of(connection, record.id) == (
            Step(1, None, P, NOW, "received"),
            Step(2, P, Q, NOW, "test"),
            Step(3, Q, R, NOW, "test"),
            Step(4, R, U, NOW, "test"),
            Step(5, U, C, NOW, "test"),
        )
        told = events_after(connection, "ada")
    words = ["pending", "pending", "pending", "running", "completed"]
    assert [event.data["status"] for event in told] == words
    assert [event.data["version"] for event in told] == [1, 2, 3, 4, 5]
    assert [event.id for event in told] == sorted({event.id for event in told})


def test_events_are_read_on_from_any_of_them_by_their_user_alone(store: Store) -> None:
    one, two = taken_to(store, [Q]), taken_to(store, [Q], "two")
    submitted(store, "one", user="bob")
    with store.read() as connection:
        every = events_after(connection, "ada")
        assert len(every) == 4
        assert events_after(connection, "ada", every[1].id) == every[2:]
        assert events_after(connection, "ada", every[1].id, limit=1) == every[2:3]
        assert {e.intent for e in events_after(connection, "ada", intent=two.id)} == {two.id}
        assert [e.intent for e in events_after(connection, "bob", intent=one.id)] == []
        assert newest_event(connection) == every[-1].id + 1


def test_an_event_number_is_not_given_twice(store: Store) -> None:
    record = submitted(store, "one")
    with store.write() as connection:
        last = newest_event(connection)
        assert forget_events(connection, NOW) == 0
        assert forget_events(connection, NOW + SECOND) == 1
        assert newest_event(connection) == 0
        tell(connection, "ada", record.id, NOW, "test", {})
        assert newest_event(connection) > last


def test_events_take_the_transaction_that_orders_them(store: Store) -> None:
    record = submitted(store, "one")
    with store.note() as connection, pytest.raises(ValueError, match="write"):
        tell(connection, "ada", record.id, NOW, "test", {})


def test_what_has_changed_in_the_meantime_is_left_alone(store: Store) -> None:
    record = taken_to(store, [Q])
    with store.write() as connection:
        with pytest.raises(ConflictError, match="changed"):
            move(connection, record.id, F, NOW, "test", version=1)
        assert move(connection, record.id, F, NOW, "test", version=2, error={"error_code": "X"}).version == 3
        assert find(connection, record.id).error == {"error_code": "X"}


def test_another_users_intent_is_as_one_that_does_not_exist(store: Store) -> None:
    record = submitted(store, "one")
    said = []
    for intent in (record.id, "intent-none"):
        with store.write() as connection, pytest.raises(NotFoundError) as refused:
            cancel(connection, "bob", intent, NOW)
        said.append((refused.value.code, refused.value.message))
    assert said[0] == said[1]


def test_to_cancel_again_changes_nothing_and_what_has_ended_stays(store: Store) -> None:
    record = submitted(store, "one")
    with store.write() as connection:
        first = cancel(connection, "ada", record.id, NOW)
        assert cancel(connection, "ada", record.id, NOW + SECOND) == first
        assert (first.state, first.ended) == (X, NOW)
    ended = taken_to(store, [F], "two")
    with store.write() as connection, pytest.raises(ConflictError, match="failed cannot become cancelled"):
        cancel(connection, "ada", ended.id, NOW)


def test_what_is_reserved_is_held_until_its_end(store: Store) -> None:
    record = reserved(store)
    assert (record.state, record.hourly_ueur, record.placement) == (R, 3_600_000, {"intent": "one"})
    with store.read() as connection:
        assert [h.intent for h in held(connection)] == [record.id]
    with store.write() as connection:
        move(connection, record.id, U, NOW, "runs")
        assert len(held(connection)) == 1
        move(connection, record.id, C, NOW, "done")
        assert held(connection) == ()


def test_to_reserve_what_is_taken_changes_nothing(store: Store) -> None:
    reserved(store)
    with pytest.raises(TakenError):
        reserved(store, "two")
    with store.read() as connection:
        (second,), _ = list_intents(connection, "ada", name="two")
        assert (second.state, second.version, len(held(connection))) == (P, 1, 1)


def test_only_what_waits_can_be_reserved_and_the_rest_books_nothing(store: Store) -> None:
    record = taken_to(store, [F])
    with store.write() as connection:
        with pytest.raises(ConflictError):
            reserve(connection, ONE, record.id, [seat("a", 0, 0)], NOW, hourly_ueur=1, placement={})
        assert held(connection) == ()


def test_who_loses_its_nodes_waits_again_without_them(store: Store) -> None:
    record = reserved(store)
    with store.write() as connection:
        move(connection, record.id, U, NOW, "runs")
        again = move(connection, record.id, Q, NOW + HOUR, "the node is gone")
        assert (again.hourly_ueur, again.placement, again.started) == (None, None, NOW)
        assert held(connection) == ()
        assert again.cost_at(NOW + 9 * HOUR) == Cost(3_600_000)


def test_costs_run_while_it_runs(store: Store) -> None:
    record = reserved(store, hourly_ueur=10)
    assert record.cost_at(NOW + HOUR) == Cost()
    assert record.runtime_at(NOW) is None
    with store.write() as connection:
        running = move(connection, record.id, U, NOW + HOUR, "runs")
        assert running.cost_at(NOW + 3 * HOUR) == Cost(20)
        reprice(connection, record.id, 20, NOW + 2 * HOUR, "evening")
        done = move(connection, record.id, C, NOW + 4 * HOUR, "done")
    assert (done.cost, done.ended, done.settled) == (Cost(50), NOW + 4 * HOUR, None)
    assert done.cost_at(NOW + 99 * HOUR) == Cost(50)
    assert done.runtime_at(NOW + 99 * HOUR) == 3 * HOUR
    with store.read() as connection:
        assert find(connection, record.id) == done


def test_what_holds_nothing_has_no_price(store: Store) -> None:
    record = submitted(store, "one")
    with store.write() as connection, pytest.raises(ConflictError):
        reprice(connection, record.id, 20, NOW, "evening")


def test_a_clock_that_was_set_back_gives_nothing_back(store: Store) -> None:
    record = reserved(store, hourly_ueur=10)
    with store.write() as connection:
        running = move(connection, record.id, U, NOW, "runs")
        assert running.cost_at(NOW - HOUR) == Cost()
        assert running.runtime_at(NOW - HOUR) == timedelta()
        back = reprice(connection, record.id, 10, NOW - HOUR, "the clock was wrong")
        assert back.cost_at(NOW + HOUR) == Cost(10)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**13)), max_size=8))
def test_costs_are_exact(stretches: list[tuple[int, int]]) -> None:
    """Against exact fractions: however a run is cut, nothing is rounded before the end."""
    cost, exact = Cost(), Fraction(0)
    for hourly, microseconds in stretches:
        cost = cost.plus(hourly, timedelta(microseconds=microseconds))
        exact += Fraction(hourly * microseconds, 3_600_000_000)
    assert cost.ueur + Fraction(cost.rest, 3_600_000_000) == exact
    assert 0 <= cost.rest < 3_600_000_000
    assert cost.rounded_ueur == -(-exact.numerator // exact.denominator)


def test_pages_hold_every_intent_once_newest_first(store: Store) -> None:
    made = [submitted(store, f"n{i}", now=NOW + i // 2 * SECOND) for i in range(7)]
    submitted(store, "other", user="bob")
    cursor, seen = None, list[str]()
    for size in (3, 3, 1):
        with store.read() as connection:
            page, cursor = list_intents(connection, "ada", cursor=cursor, limit=3)
        assert len(page) == size
        seen += [record.id for record in page]
    assert cursor is None
    assert seen == [r.id for r in sorted(made, key=lambda r: (r.created, r.id), reverse=True)]
    with store.read() as connection:
        assert len(list_intents(connection, None)[0]) == 8


@pytest.mark.parametrize("cursor", ["", "no cursor", "1.", ".a", "9" * 18 + ".a", "1.a\0", "１.a", "1.a'--"])
def test_a_cursor_that_is_none_is_refused(store: Store, cursor: str) -> None:
    with store.read() as connection, pytest.raises(OptionsError):
        list_intents(connection, "ada", cursor=cursor)


@pytest.mark.parametrize("intent", ["", "a\0", "a\ud800", "' OR 1=1 --", "x" * 10_000])
def test_whatever_is_asked_for_is_only_not_found(store: Store, intent: str) -> None:
    submitted(store, "one")
    with store.write() as connection:
        with pytest.raises(NotFoundError):
            find(connection, intent, "ada")
        with pytest.raises(NotFoundError):
            cancel(connection, "ada", intent, NOW)


def test_lists_hold_what_is_asked_for(store: Store) -> None:
    one, two = submitted(store, "one"), taken_to(store, [Q], "two")
    with store.read() as connection:
        assert list_intents(connection, "ada", states=[Q, R])[0] == (two,)
        assert list_intents(connection, "ada", states=[P], name="two")[0] == ()
        assert waiting(connection, [P, Q]) == tuple(sorted((one, two), key=lambda r: r.id))
        assert waiting(connection, [P, Q], limit=1) == waiting(connection, [P, Q])[:1]
        assert waiting(connection, [U]) == ()
