"""What the GPUs of a node hold, against trying every way to seat the tasks, and what is left of it."""

from collections import Counter
from functools import cache
from itertools import combinations
from random import Random
from typing import Any

import pytest

import flare_core as flare
from flare_core.placement.ledger import Ledger
from flare_core.placement.nodes import Guest, free_milli_of, free_set, gpus_hold, left_milli
from flare_core.placement.packing import Problem
from tests import insides
from tests.placement.nodes import node_of, seatings
from tests.placement.problems import load, problem, problem_of, random_packing
from tests.worlds import Json, World, intent, offer, world

SEEN: Counter[str] = Counter()

SHARED: dict[str, Any] = {"workload__resources__gpu__shared": True}
SLOTS: dict[str, Any] = {"gpu__shared": True, "gpu__sharing_strategy": "mps", "gpu__sharing_slots": 2}


def read(one: World) -> Problem | None:
    try:
        found = problem_of(one)
    except flare.FlareError:  # a contradiction that the dice threw
        return None
    return found if all(len(ask.found) for ask in found.asks) else None


@cache
def worlds() -> list[Problem]:
    made = [
        make(seed) for seed in range(150) for make in (insides.linked, insides.cut, insides.inside, mixed)
    ]
    return [one for one in map(read, made) if one is not None]


def mixed(seed: int) -> World:
    """Return a world of one kind of node whose GPUs are linked unlike and may be cut into slots."""
    random = Random(f"mixed {seed}")
    gpus, slots = random.randint(2, 4), random.randint(2, 3)
    rates = ("50 GB/s", "100 GB/s")
    links = [
        [a, b, "nvlink", random.choice(rates)]
        for a, b in combinations(range(gpus), 2)
        if random.random() < 0.6
    ]
    free = sorted(random.sample(range(gpus), random.randint(1, gpus)))
    partly = {str(gpu): random.choice((250, 500, 667)) for gpu in range(gpus) if gpu not in free}
    intents = [
        intent("a", tasks=random.randint(1, 2), gpus=2),
        intent("b", tasks=random.randint(1, 3), gpus=random.randint(1, 2), **SHARED),
        intent("c", tasks=1, gpus=random.randint(1, 2)),
    ]
    node = offer(
        "o",
        gpus=gpus,
        nodes=random.choice((1, 2)),
        gpu__links=links,
        gpu__interconnect=None,
        node_states=[{"node": 0, "free_gpus": free, "gpu_milli": partly}],
        **SLOTS | {"gpu__sharing_slots": slots},
    )
    return world(random.sample(intents, random.randint(2, 3)), node)


@pytest.mark.parametrize("throw", range(4))
def test_a_node_holds_what_some_way_to_seat_it_exists_for(throw: int) -> None:
    for one in worlds():
        for (group, _), own in Ledger.of(one, random_packing(one, Random(throw))).guests.items():
            guests = [guest for guest in own.values() if guest.ask.needs.gpus]
            held = next(seatings(node_of(one.inventory, group), guests), None) is not None
            assert gpus_hold(one.inventory, group, guests) is held
            kinds = {("shares" if g.cut else "sets" if g.sets else "any") for g in guests}
            SEEN[f"{'+'.join(sorted(kinds))} {held}"] += 1
            SEEN[f"several {held}"] += len(guests) > 1


def test_nodes_of_every_kind_were_filled() -> None:
    for kind in ("any", "sets", "shares", "any+shares", "sets+shares", "several"):
        assert SEEN[f"{kind} True"] >= 5, SEEN
        assert SEEN[f"{kind} False"] >= 5, SEEN


def guests(one: Problem, *tasks: int) -> list[Guest]:
    return [Guest(ask, 0, number) for ask, number in zip(one.asks, tasks, strict=True)]


@pytest.mark.parametrize(
    ("whole", "shares", "held"), [(1, 2, True), (1, 3, False), (2, 1, False), (0, 4, True)]
)
def test_a_gpu_serves_whole_tasks_or_shares(whole: int, shares: int, held: bool) -> None:
    one = problem([intent("a", tasks=4), intent("b", tasks=4, **SHARED)], offer("o", gpus=2, **SLOTS))
    assert gpus_hold(one.inventory, 0, guests(one, whole, shares)) is held


@pytest.mark.parametrize(("shares", "held"), [(1, True), (2, True), (3, False)])
def test_shares_on_partly_used_gpus_leave_free_ones_to_whole_tasks(shares: int, held: bool) -> None:
    states = [{"node": 0, "free_gpus": [0], "gpu_milli": {"1": 999, "2": 500}}]
    one = problem(
        [intent("a", tasks=1), intent("b", tasks=4, **SHARED)],
        offer("o", gpus=3, node_states=states, **SLOTS),
    )
    assert gpus_hold(one.inventory, 0, guests(one, 1, shares)) is held
    assert free_set(one.inventory, 0) == 0b001


def test_tasks_that_want_linked_gpus_do_not_share_them() -> None:
    pairs: list[Json] = [
        intent(name, tasks=2, gpus=2, workload__resources__gpu__interconnect="nvlink") for name in "ab"
    ]
    links = [[0, 1, "nvlink", "50 GB/s"], [1, 2, "nvlink", "50 GB/s"]]
    one = problem(pairs, offer("o", gpus=4, gpu__links=links, gpu__interconnect=None))
    linked = [
        next(g for g, code in enumerate(ask.found.group_sets) if ask.found.sets[code] == (0b0011, 0b0110))
        for ask in one.asks
    ]
    a, b = (Guest(ask, g, 1) for ask, g in zip(one.asks, linked, strict=True))
    assert gpus_hold(one.inventory, 0, [a])
    assert not gpus_hold(one.inventory, 0, [a._replace(tasks=2)])
    assert not gpus_hold(one.inventory, 0, [a, b])
    rest = next(g for g in range(len(one.asks[1].found.group)) if g != linked[1])
    assert gpus_hold(one.inventory, 0, [a, b._replace(g=rest)])


def test_nobody_and_tasks_without_gpus_take_nothing() -> None:
    one = problem([intent("a", gpus=0, tasks=9), intent("b")], offer("o", cpu="32"))
    assert gpus_hold(one.inventory, 0, [])
    assert gpus_hold(one.inventory, 0, guests(one, 9, 1))
    assert gpus_hold(one.inventory, 0, guests(one, 9, 0))
    assert not gpus_hold(one.inventory, 0, guests(one, 0, 2))


# --- what is left -----------------------------------------------------------------------------------


def test_free_capacity_counts_parts_where_parts_are_sold() -> None:
    states = [{"node": 0, "free_gpus": [0], "gpu_milli": {"1": 700, "2": 300}}]
    sold = offer("a", gpus=4, node_states=states, **SLOTS)
    unsold = offer("b", gpus=4, node_states=states)
    elastic = offer("c", gpus=4, nodes=None)
    one = problem(intent(), sold, unsold, elastic)
    assert free_milli_of(one.inventory, one.inventory.groups.offer).tolist() == [1500, 1000, 0]


def test_free_instances_count_by_their_compute_slices() -> None:
    mig: dict[str, Any] = {"gpu__model": "nvidia-a100", "gpu__shared": True, "gpu__sharing_strategy": "mig"}
    used = [{"gpu": 0, "profile": "3g.20gb", "start": 0}, {"gpu": 0, "profile": "1g.5gb", "start": 4}]
    states = [{"node": 0, "free_gpus": [1], "mig": used}]
    one = problem(intent(), offer("a", gpus=2, node_states=states, **mig))
    assert free_milli_of(one.inventory, one.inventory.groups.offer).tolist() == [1000 + 1000 * 3 // 7]


def test_what_is_left_is_the_rest_of_the_nodes_that_are_touched() -> None:
    one = problem(
        [intent("a", tasks=2), intent("b", tasks=1, **SHARED)],
        offer("o", gpus=4, nodes=2, **SLOTS),
        offer("p", gpus=4, nodes=None),
    )
    together = ((load(one, "o", 2),), (load(one, "o", 1, i=1),))
    assert sorted(left_milli(one, together)) == [1500]
    apart = ((load(one, "o", 2),), (load(one, "o", 1, node=1, i=1),))
    assert sorted(left_milli(one, apart)) == [2000, 3500]
    elsewhere = ((load(one, "p", 2),), (load(one, "o", 1, i=1),))
    assert sorted(left_milli(one, elsewhere)) == [3500]
    assert list(left_milli(one, ((), ()))) == []
