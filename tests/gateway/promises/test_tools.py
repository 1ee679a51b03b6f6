"""The auditor finds what is wrong, and the checker of histories what cannot have been."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from flare_core import read_inventory
from flare_core.adapters.gateway.life import State, cancel, move, reserve, submit
from flare_core.adapters.gateway.rooms import Seat
from flare_core.adapters.gateway.store import Store
from tests.gateway.promises import stock
from tests.gateway.promises.audit import (
    Books,
    Row,
    Word,
    audit,
    free_gpus,
    promise_faults,
    read_books,
    read_stock,
)
from tests.gateway.promises.linear import Op, is_linearizable, one_name
from tests.gateway.worlds import NOW, SECOND, seat

WORLD = read_inventory(stock.scarce())
STOCK = read_stock(stock.scarce())


def held(store: Store, name: str, *seats: Seat) -> str:
    with store.write() as connection:
        record = submit(connection, "ada", name, {}, 1, NOW)
        reserve(connection, WORLD, record.id, seats, NOW, hourly_ueur=1, placement={})
    return record.id


@pytest.fixture
def books(store: Store, url: str) -> Books:
    """Books in order: whole GPUs, slots, instances; one that has ended, one that came back from the queue."""
    mig = seat("d-mig", 0, 0, profile="3g.40gb")
    held(store, "whole", seat("a-by-gpu", 0, 0, 1, cpu_milli=2000, memory_mib=4096))
    held(store, "node", seat("b-by-node", 0, 0), seat("b-by-node", 0, 1))
    held(store, "slot-1", seat("c-slots", 0, 0, slots=2))
    held(store, "slot-2", seat("c-slots", 0, 0, slots=2))
    held(store, "mig-1", mig)
    held(store, "mig-2", mig)
    gone = held(store, "gone", seat("a-by-gpu", 0, 2))
    held(store, "late", seat("a-by-gpu", 0, 3, end=NOW + SECOND))
    with store.write() as connection:
        cancel(connection, "ada", gone, NOW + SECOND)
    held(store, "next", seat("a-by-gpu", 0, 2))
    with store.write() as connection:
        again = submit(connection, "ada", "again", {}, 1, NOW).id
        for node in (1, 2):
            one = seat("a-by-gpu", node, 0)
            reserve(connection, WORLD, again, [one], NOW, hourly_ueur=1, placement={})
            if node == 1:
                move(connection, again, State.QUEUED, NOW + timedelta(seconds=2), "refused by its provider")
    return read_books(url)


def test_nothing_is_wrong_with_books_in_order(books: Books) -> None:
    assert audit(books, STOCK) == []
    assert free_gpus(books, STOCK)["a-by-gpu"] == 12 - 2 - 1 - 1 - 1


def changed(name: str, **values: object) -> Callable[[Books], Books]:
    def change(books: Books) -> Books:
        (intent,) = (row["id"] for row in books.intents if row["name"] == name)
        rows = [{**row, **values} if row["intent"] == intent else row for row in books.bookings]
        return replace(books, bookings=rows)

    return change


def without(table: str, which: Callable[[Row], bool]) -> Callable[[Books], Books]:
    return lambda books: replace(books, **{table: [row for row in getattr(books, table) if not which(row)]})


PLANTED: dict[str, Callable[[Books], Books]] = {
    "a GPU twice": changed("next", gpus="1"),
    "a GPU of a late run": changed("next", gpus="3"),
    "a GPU whole and shared": changed("slot-1", slots=0),
    "a slot too many": changed("slot-1", slots=3),
    "instances that overlap": changed("mig-1", starts="2"),
    "a node that is billed whole": changed("whole", offer="b-by-node"),
    "a GPU that there is not": changed("next", gpus="4"),
    "a node that there is not": changed("next", node=3),
    "an offer that there is not": changed("next", offer="z"),
    "a core too many": changed("whole", cpu_milli=64_001),
    "a MiB too many": changed("whole", memory_mib=512 * 1024 + 1),
    "held after the end": changed("gone", released=None),
    "held by nobody": without("bookings", lambda row: row["gpus"] == "0 1"),
    "a gap in the history": without("history", lambda row: row["version"] == 2),
    "a step out of nowhere": without("history", lambda row: row["version"] == 1),
    "a lost intent": without("intents", lambda row: row["name"] == "whole"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_the_auditor_finds(fault: str, books: Books) -> None:
    if fault == "a GPU of a late run":  # which was booked when the other one should have been over
        late = [{**e, "at": e["at"] + 2_000_000} if e["id"] > 18 else e for e in books.events]
        books = replace(books, events=late)
        assert audit(books, STOCK) == []
    assert audit(PLANTED[fault](books), STOCK)


def test_the_auditor_finds_broken_promises(books: Books) -> None:
    (there,) = (row["id"] for row in books.intents if row["name"] == "whole")
    right = [Word("whole", 201, there), Word("absent", 409), Word("unknown", None), Word("busy", 503)]
    assert list(promise_faults(books, right)) == []
    for wrong in (Word("lost", 201, "intent-1"), Word("whole", 202, "intent-2"), Word("whole", 409)):
        assert len(list(promise_faults(books, [wrong]))) == 1


# --- histories --------------------------------------------------------------------------------------


def history(*ops: tuple[float, float, str, object, object]) -> bool:
    return is_linearizable([Op(*op) for op in ops], one_name, ())


SUBMIT = (0.0, 1.0, "submit", None, "i")


def test_operations_at_the_same_time_may_have_gone_in_any_order() -> None:
    cancel = (2.0, 9.0, "cancel", "i", True)
    assert history(SUBMIT, cancel, (3, 4, "get", "i", (1, "pending")), (5, 6, "get", "i", (3, "cancelled")))
    assert history(SUBMIT, cancel, (3, 4, "submit", None, None), (5, 6, "submit", None, "j"))
    assert history(SUBMIT, (2, 3, "get", "i", (4, "running")), cancel, cancel)


@pytest.mark.parametrize(
    "wrong",
    [
        [SUBMIT, (2, 3, "submit", None, "j")],
        [(0, 1, "submit", None, None)],
        [SUBMIT, (2, 3, "get", "i", (3, "running")), (4, 5, "get", "i", (2, "pending"))],
        [SUBMIT, (2, 3, "get", "i", (3, "running")), (4, 5, "get", "i", (3, "pending"))],
        [SUBMIT, (2, 3, "get", "i", (2, "cancelled"))],
        [SUBMIT, (2, 3, "cancel", "i", True), (4, 5, "get", "i", (3, "running"))],
        [SUBMIT, (2, 3, "cancel", "i", True), (4, 5, "submit", None, None)],
        [SUBMIT, (2, 3, "get", "j", (1, "pending"))],
    ],
    ids=["two-live", "refused-by-none", "back", "another-word", "by-nobody", "undone", "blocked", "unknown"],
)
def test_what_cannot_have_been_is_found(wrong: list[tuple[float, float, str, object, object]]) -> None:
    assert not history(*wrong)


def test_a_history_of_forty_operations_of_four_clients_is_searched_in_no_time() -> None:
    """Each client's next begins when its last has ended: the search is no wider than there are clients."""
    rng = Random(4)
    looks = []
    for _ in range(4):
        times = sorted(rng.uniform(1, 9) for _ in range(18))
        for call, back in zip(times[::2], times[1::2], strict=True):
            looks.append((call, back, "get", "i", (1 + int(back * 100), "running")))
    assert history(SUBMIT, *looks, (11, 12, "get", "i", (999, "running")))
    assert not history(SUBMIT, *looks, (11, 12, "get", "i", (2, "running")))
