"""The ledger: what fits is booked, what does not is refused by name, and the rest can be booked beside it."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from flare_core import place, read_intent
from flare_core.adapters.gateway.ledger import TakenError, book, held, release
from flare_core.adapters.gateway.remaining import remaining
from flare_core.adapters.gateway.rooms import Clash, Seat, seats_of
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.store.tables import bookings
from flare_core.inventory.types import Inventory
from flare_core.placement.ledger import Demand
from tests.gateway.worlds import HOUR, NOW, SECOND, federation, offer, seat, submitted

MIG = {"model": "nvidia-h100", "memory": "80Gi", "shared": True, "sharing_strategy": "mig"}
SLOTS = {"shared": True, "sharing_strategy": "mps", "sharing_slots": 48}
PLAIN = federation(offer("a"))


class Books:
    """Bookings in a store: each of an intent of its own."""

    def __init__(self, store: Store, inventory: Inventory) -> None:
        self.store, self.inventory = store, inventory
        self.names: dict[str, str] = {}

    def book(self, name: str, *seats: Seat, now: datetime = NOW) -> tuple[Seat, ...]:
        if name not in self.names:
            self.names[name] = submitted(self.store, name).id
        with self.store.write() as connection:
            return book(connection, self.inventory, self.names[name], seats, now)

    def refused(self, name: str, *seats: Seat, now: datetime = NOW) -> tuple[Clash, ...]:
        before = self.number()
        with pytest.raises(TakenError) as refused:
            self.book(name, *seats, now=now)
        assert self.number() == before
        return refused.value.clashes

    def why(self, name: str, *seats: Seat) -> str:
        (clash,) = self.refused(name, *seats)
        return clash.what

    def number(self) -> int:
        with self.store.read() as connection:
            return connection.execute(select(func.count()).select_from(bookings)).scalar_one()

    def release(self, name: str, now: datetime = NOW) -> int:
        with self.store.write() as connection:
            return release(connection, self.names[name], now)

    def left(self) -> Inventory:
        with self.store.read() as connection:
            return remaining(self.inventory, held(connection))


@pytest.fixture
def plain(store: Store) -> Books:
    return Books(store, PLAIN)


def books(store: Store, *offers: dict[str, object]) -> Books:
    return Books(store, federation(*offers))


def test_what_is_booked_is_taken_and_the_refusal_names_it(plain: Books) -> None:
    wanted = seat("a", 0, 0, 1, cpu_milli=8000, memory_mib=1024)
    assert plain.book("one", wanted) == (wanted,)
    clash = Clash("a", 0, "GPU 1 is taken", (plain.names["one"],))
    assert plain.refused("two", seat("a", 0, 1, 2)) == (clash,)
    assert str(plain.refused("two", seat("a", 0, 1))[0]) == "a, node 0: GPU 1 is taken"
    assert plain.book("two", seat("a", 0, 2))
    assert plain.book("three", seat("a", 1, 0, 1))


def test_all_seats_are_booked_or_none(plain: Books) -> None:
    plain.book("one", seat("a", 1, 7))
    clashes = plain.refused("two", seat("a", 0, 0), seat("a", 1, 7), seat("a", 1, 6))
    assert [(c.node, c.what) for c in clashes] == [(1, "GPU 7 is taken")]
    assert plain.book("three", seat("a", 0, 0), seat("a", 1, 6))


def test_an_intent_does_not_take_a_gpu_twice_itself(plain: Books) -> None:
    assert plain.why("one", seat("a", 0, 3), seat("a", 0, 3)) == "GPU 3 is taken"
    assert plain.why("one", seat("a", 0, 3, 3)) == "GPU 3 is taken"


def test_what_is_released_is_free_and_stays_on_the_books(plain: Books) -> None:
    plain.book("one", seat("a", 0, *range(8)), seat("a", 1, 0))
    assert plain.release("one") == 2
    assert plain.release("one") == 0
    assert plain.book("two", seat("a", 0, *range(8)))
    assert plain.number() == 3
    with plain.store.read() as connection:
        assert [h.intent for h in held(connection)] == [plain.names["two"]]
        assert held(connection, {"b"}) == ()


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (seat("b", 0, 0), "the offer is gone"),
        (seat("a", 2, 0), "the node is gone"),
        (seat("a", 0, 8), "GPU 8 is not free"),
    ],
)
def test_what_the_inventory_does_not_have_is_refused(plain: Books, wrong: Seat, what: str) -> None:
    assert plain.refused("one", wrong) == (Clash(wrong.offer, wrong.node, what),)


def test_what_others_use_is_refused(store: Store) -> None:
    states = [{"node": 0, "free_gpus": [2, 3], "cpu": "4", "memory": "8Gi"}]
    some = books(store, offer("a", node_states=states))
    assert some.why("one", seat("a", 0, 1)) == "GPU 1 is not free"
    assert some.why("one", seat("a", 0, 2, cpu_milli=4001)) == "not enough cores"
    assert some.book("one", seat("a", 0, 2, cpu_milli=4000, memory_mib=8192))
    assert some.why("two", seat("a", 0, 3, memory_mib=1)) == "not enough memory"
    assert some.book("two", seat("a", 1, 1))


AMOUNTS = {"cpu_milli": (64_000, "cores"), "memory_mib": (2**19, "memory"), "storage_mib": (2**20, "storage")}


@pytest.mark.parametrize("amount", AMOUNTS)
def test_amounts_fit_to_the_last_unit(plain: Books, amount: str) -> None:
    def part(units: int) -> Seat:
        return Seat(offer="a", node=0, start=NOW, **{amount: units})  # type: ignore[arg-type]  # an amount

    most, what = AMOUNTS[amount]
    plain.book("one", part(most - 5))
    assert plain.why("two", part(6)) == f"not enough {what}"
    assert plain.book("two", part(2), part(3))


def test_a_node_billed_whole_is_one_intents(store: Store) -> None:
    some = books(store, offer("a", billing="node"))
    some.book("one", seat("a", 0, 0))
    assert some.book("one", seat("a", 0, 1))
    assert some.why("two", seat("a", 0, 2)) == "the node is another intent's"
    some.release("one")
    assert some.book("two", seat("a", 0, 2))


def test_a_node_billed_whole_that_is_used_is_not_offered(store: Store) -> None:
    some = books(store, offer("a", billing="node", used={"gpus": 1}))
    assert some.why("one", seat("a", 0, 5)) == "the node is in use"
    assert some.book("one", seat("a", 1, 5))


def test_what_never_runs_out_is_never_refused_for_others_sake(store: Store) -> None:
    some = books(store, offer("a", nodes=None, billing="node"))
    for name in ("one", "two"):
        assert some.book(name, seat("a", 0, *range(8)))
        assert some.why(name, seat("a", 0, 0)) == "GPU 0 is taken"
    assert some.left().groups.count.tolist() == [-1]


def test_slots_are_counted_exactly(store: Store) -> None:
    """48 slots are 20.83 thousandths each: 48 fit, and not one more."""
    some = books(store, offer("a", gpu=SLOTS))
    for i in range(48):
        some.book(f"n{i}", seat("a", 0, 5, slots=1))
    assert some.why("more", seat("a", 0, 5, slots=1)) == "GPU 5 has not so many slots"
    assert some.book("more", seat("a", 0, 4, slots=48))


def test_slots_whole_gpus_and_instances_do_not_mix(store: Store) -> None:
    some = books(store, offer("a", gpu=SLOTS), offer("m", gpu=MIG))
    some.book("one", seat("a", 0, 0, slots=1), seat("m", 0, 0, profile="1g.10gb"))
    assert some.why("two", seat("a", 0, 0)) == "GPU 0 is taken"
    assert some.why("two", seat("m", 0, 0)) == "GPU 0 is taken"
    assert some.why("two", seat("m", 0, 1, slots=1)) == "GPU 1 is not shared so"
    assert some.why("two", seat("a", 0, 1, profile="1g.10gb")).startswith("GPU 1 has no room")
    assert some.book("two", seat("a", 0, 1), seat("m", 0, 1))
    assert some.why("three", seat("a", 0, 1, slots=1)) == "GPU 1 is taken"


def test_slots_are_of_no_use_where_nothing_is_shared(plain: Books) -> None:
    assert plain.why("one", seat("a", 0, 0, slots=1)) == "GPU 0 is not shared so"
    assert plain.why("one", seat("a", 0, 0, profile="1g.10gb")) == "its GPUs have no MIG"


def test_instances_are_put_where_they_fit(store: Store) -> None:
    some = books(store, offer("m", gpus=1, nodes=1, gpu=MIG))
    (first,) = some.book("one", seat("m", 0, 0, profile="3g.40gb"))
    assert first.starts == (4,)  # so that a 4g, which begins only at 0, still fits
    (second,) = some.book("two", seat("m", 0, 0, profile="4g.40gb"))
    assert second.starts == (0,)
    assert "no room for 1g.10gb" in some.why("three", seat("m", 0, 0, profile="1g.10gb"))
    some.release("one")
    both = some.book("three", *2 * (seat("m", 0, 0, profile="1g.10gb"),), seat("m", 0, 0, profile="1g.20gb"))
    taken = [gpu_start for one in both for gpu_start in one.instances]
    assert len(set(taken)) == 3
    with store.read() as connection:
        assert {h.seat for h in held(connection)} == {second, *both}


def test_two_instances_of_one_task_may_share_a_gpu(store: Store) -> None:
    some = books(store, offer("m", gpus=1, nodes=1, gpu=MIG))
    (both,) = some.book("one", seat("m", 0, 0, 0, profile="3g.40gb"))
    assert sorted(both.starts) == [0, 4]
    assert "no room" in some.why("two", seat("m", 0, 0, profile="1g.10gb"))


def test_an_instance_that_is_told_where_to_be_is_checked(store: Store) -> None:
    some = books(store, offer("m", gpus=1, nodes=1, gpu=MIG))
    assert some.book("one", seat("m", 0, 0, profile="3g.40gb", starts=(0,)))
    for start in (0, 1, 8):
        wrong = seat("m", 0, 0, profile="3g.40gb", starts=(start,))
        assert some.why("two", wrong) == "GPU 0 has no room for the instances"
    assert some.book("two", seat("m", 0, 0, profile="3g.40gb", starts=(4,)))


def test_instances_of_others_are_in_the_way(store: Store) -> None:
    states = [{"node": 0, "mig": [{"gpu": 0, "profile": "4g.40gb", "start": 0}]}]
    some = books(store, offer("m", gpus=1, nodes=1, gpu=MIG, node_states=states))
    assert "no room" in some.why("one", seat("m", 0, 0, profile="4g.40gb"))
    assert some.why("one", seat("m", 0, 0)) == "GPU 0 is not free"
    assert some.book("one", seat("m", 0, 0, profile="3g.40gb"))[0].starts == (4,)


def test_what_ends_before_leaves_room_for_what_comes_after(plain: Books) -> None:
    plain.book("one", seat("a", 0, 0, end=NOW + HOUR))
    assert plain.why("two", seat("a", 0, 0, start=NOW + HOUR - SECOND)) == "GPU 0 is taken"
    assert plain.book("two", seat("a", 0, 0, start=NOW + HOUR, end=NOW + 2 * HOUR))
    assert plain.why("three", seat("a", 0, 0, start=NOW + 3 * HOUR / 2)) == "GPU 0 is taken"
    assert plain.book("three", seat("a", 0, 0, start=NOW + 2 * HOUR))


def test_what_took_long_to_find_is_booked_from_now_on(plain: Books) -> None:
    """As long as it was to be, and to the end of a second: in the past nobody runs."""
    now = NOW + timedelta(seconds=3, milliseconds=200)
    [booked] = plain.book("one", seat("a", 0, 0, end=NOW + SECOND), now=now)
    assert (booked.start, booked.end) == (NOW + 3 * SECOND, NOW + 5 * SECOND)
    found = seat("a", 0, 0, start=NOW - HOUR, end=NOW)
    assert [c.what for c in plain.refused("two", found, now=now)] == ["GPU 0 is taken"]


def test_amounts_count_at_each_moment(plain: Books) -> None:
    """Two halves one after the other leave half of the cores free all the time."""
    plain.book("one", seat("a", 0, cpu_milli=32_000, end=NOW + HOUR))
    plain.book("two", seat("a", 0, cpu_milli=32_000, start=NOW + HOUR))
    assert plain.why("three", seat("a", 0, cpu_milli=32_001)) == "not enough cores"
    assert plain.book("three", seat("a", 0, cpu_milli=32_000))


def test_who_is_late_still_has_it(plain: Books) -> None:
    plain.book("one", seat("a", 0, 0, end=NOW + HOUR))
    late = NOW + 2 * HOUR
    assert [c.what for c in plain.refused("two", seat("a", 0, 0, start=late), now=late)] == ["GPU 0 is taken"]
    plain.release("one")
    assert plain.book("two", seat("a", 0, 0, start=late), now=late)


def test_a_booking_takes_the_transaction_that_others_wait_for(plain: Books) -> None:
    record = submitted(plain.store, "one")
    with plain.store.note() as connection, pytest.raises(ValueError, match="write"):
        book(connection, PLAIN, record.id, [seat("a", 0, 0)], NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"node": -1},
        {"slots": -1},
        {"cpu_milli": -1},
        {"slots": 1, "profile": "1g.10gb"},
        {"end": NOW},
        {"end": NOW - SECOND},
    ],
)
def test_a_seat_that_is_none_cannot_be_made(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="seat"):
        Seat(**({"offer": "a", "node": 0, "start": NOW} | wrong))  # type: ignore[arg-type]  # wrong on purpose


def test_nothing_booked_leaves_the_inventory_as_it_is() -> None:
    states = [{"node": 1, "free_gpus": [2, 3], "cpu": "4", "memory": "8Gi"}]
    used = federation(offer("a", node_states=states), offer("b", gpu=None), offer("c", nodes=None))
    assert len(used) == 3
    assert all(same_nodes(remaining(some, ()), some) for some in (PLAIN, used))


def same_nodes(one: Inventory, other: Inventory) -> bool:
    arrays = ("offer", "count", "free_gpus", "free_cpu_milli", "free_memory_mib", "fresh")
    details = ("nodes", "gpus", "milli", "mig")
    mine, theirs = one.groups, other.groups
    return all(getattr(mine, n).tolist() == getattr(theirs, n).tolist() for n in arrays) and all(
        getattr(mine, n) == getattr(theirs, n) for n in details
    )


def test_what_is_booked_is_not_in_what_remains(store: Store) -> None:
    in_use = {"gpu": 0, "profile": "1g.10gb", "start": 6}
    states = [{"node": 0, "mig": [in_use], "cpu": "20", "memory": "9Gi"}]
    mig, slots = offer("m", nodes=1, gpu=MIG), offer("s", nodes=1, gpu=SLOTS)
    some = books(store, offer("a"), mig | {"node_states": states}, slots)
    some.book("one", seat("a", 1, 0, 7, cpu_milli=1000, memory_mib=1024, start=NOW + HOUR))
    some.book("two", seat("m", 0, 0, 1, profile="3g.40gb", cpu_milli=500), seat("s", 0, 3, slots=47))
    booked = [{"gpu": 0, "profile": "3g.40gb", "start": 0}, {"gpu": 1, "profile": "3g.40gb", "start": 4}]
    rest = {"node": 1, "free_gpus": [1, 2, 3, 4, 5, 6], "cpu": "63", "memory": "511Gi"}
    expected = federation(
        offer("a", node_states=[rest]),
        mig | {"node_states": [{"node": 0, "mig": [in_use, *booked], "cpu": "19500m", "memory": "9Gi"}]},
        slots | {"node_states": [{"node": 0, "gpu_milli": {"3": 21}, "cpu": "64", "memory": "512Gi"}]},
    )
    assert same_nodes(some.left(), expected)
    some.release("one")
    some.release("two")
    assert same_nodes(some.left(), some.inventory)


def test_a_node_billed_whole_does_not_remain(store: Store) -> None:
    some = books(store, offer("a", billing="node"))
    some.book("one", seat("a", 1, 0))
    left = some.left().groups
    assert left.fresh.tolist() == [True, False]
    assert (left.free_gpus[1], left.free_cpu_milli[1], left.free_memory_mib[1]) == (0, 0, 0)


def test_bookings_of_offers_that_are_gone_are_passed_over(store: Store) -> None:
    some = books(store, offer("a"), offer("b"))
    some.book("one", seat("b", 0, 0))
    some.inventory = PLAIN
    assert same_nodes(some.left(), PLAIN)


def intent(name: str, **gpu: object) -> dict[str, object]:
    return {
        "objective": "Cost_Minimization",
        "workload": {
            "type": "job",
            "name": name,
            "image": "i",
            "job": {"timeout": "1h"},
            "resources": {"cpu": "1", "memory": "1Gi", "gpu": gpu},
        },
    }


FILLS = [
    pytest.param({}, {"count": 3}, 2, id="whole"),
    pytest.param(SLOTS | {"sharing_slots": 7}, {"shared": True, "memory": "20Gi"}, 24, id="slots"),
    pytest.param(MIG, {"multi_instance": True, "memory": "40Gi"}, 16, id="mig"),
]


@pytest.mark.parametrize(("gpu", "asked", "most"), FILLS)
def test_what_is_placed_on_what_remains_can_always_be_booked(
    sqlite_store: Store, gpu: dict[str, object], asked: dict[str, object], most: int
) -> None:
    """Place, book, take off what is booked, place again: as often as the node has room, and never more."""
    some = books(sqlite_store, offer("a", nodes=1, gpu=gpu))
    for i in range(most):
        plan = place(read_intent(intent(f"n{i}", **asked)), some.left(), now=NOW)
        assert plan.placements[0].status == "placed"
        some.book(f"n{i}", *seats_of(plan, 0, Demand(1000, 1024, 0)))
    last = place(read_intent(intent("last", **asked)), some.left(), now=NOW)
    assert last.placements[0].status == "rejected"


def test_seats_of_a_plan_have_its_hours(store: Store) -> None:
    plan = place(read_intent(intent("one", count=2)), PLAIN, now=NOW)
    (one,) = seats_of(plan, 0, Demand(4000, 1024, 7))
    assert (one.start, one.end) == (NOW, NOW + timedelta(hours=1))
    assert (len(one.gpus), one.cpu_milli, one.memory_mib, one.storage_mib) == (2, 4000, 1024, 7)
    assert Books(store, PLAIN).book("one", one) == (one,)
