"""Tasks in the slots of a plan, and beside them."""

from random import Random

import numpy as np
import pytest

from flare_core.scale.fleet import Classes, Fleet, Seats, State
from flare_core.scale.fragmentation import Fragmentation
from flare_core.scale.guided import Guided
from flare_core.scale.policies import best_fit, fitting, gradient_descent
from flare_core.scale.stream import place_in_order
from tests.scale.fleets import classes_of, fleet_of

NODES = Fleet.of([("a", 8000, 64, 2, "T4"), ("b", 8000, 64, 2, "T4"), ("c", 8000, 64, 2, "A10")])


def of(*rows: tuple[int, int, int]) -> Classes:
    """Return classes (milli-cores, GPUs, thousandths), in the order given."""
    cpu, gpus, milli = (np.array([row[k] for row in rows], np.int64) for k in range(3))
    return Classes(cpu, np.ones_like(cpu), gpus, milli, np.ones((len(rows), 2), np.bool_))


def guided(fleet: Fleet, classes: Classes, *slots: tuple[int, int, int]) -> Guided:
    """Return a policy with slots (class, node, GPUs), which expects one task of each class."""
    expected = Fragmentation.of(fleet, classes, np.ones(len(classes), np.int64))
    policy = Guided(fleet, classes, State.of(fleet), expected)
    rows = np.array(slots, np.int64).reshape(-1, 3)
    policy.hold(Seats(rows[:, 0].copy(), rows[:, 1].copy(), rows[:, 2].copy()))
    return policy


def test_a_task_takes_a_slot_of_its_class_first_on_the_node_begun_with_the_fewest_open_ones() -> None:
    classes = of((1000, 1, 500), (1000, 1, 400))
    policy = guided(NODES, classes, (0, 0, 1), (0, 0, 2), (1, 0, 1), (0, 1, 2), (1, 1, 2), (0, 2, 1))
    assert policy.seat(1) == (1, 2)  # two open slots there, three on node 0
    assert policy.seat(0) == (1, 2)  # begun
    assert policy.seat(0) == (2, 1)  # not begun, but one open slot there, three on node 0
    assert policy.seat(0) in [(0, 1), (0, 2)]


def test_a_like_slot_wastes_a_quarter_at_most_and_has_the_cores() -> None:
    classes = of((1000, 1, 400), (1000, 1, 300), (1000, 1, 299), (2000, 1, 400), (1000, 1, 401))
    for task_class, taken in ((0, True), (1, True), (2, False), (3, False), (4, False)):
        policy = guided(NODES, classes, (0, 2, 2))
        seat = policy.seat(task_class)
        assert (seat == (2, 2)) == taken, task_class
        assert seat is not None


def test_beside_the_slots_first_then_over_them_and_refused_only_where_nothing_fits() -> None:
    classes = of((1000, 1, 1000), (1000, 2, 1000))
    policy = guided(NODES, classes, (0, 0, 1), (0, 0, 2), (0, 1, 1))
    assert policy.seat(1) == (2, 3)  # what no slot claims
    assert policy.seat(1) in [(0, 3), (1, 3)]  # over slots
    assert policy.seat(1) in [(0, 3), (1, 3)]
    assert policy.seat(1) is None
    assert not policy.state.milli.any()


def test_what_is_freed_goes_back_to_the_slot_it_came_from() -> None:
    classes = of((1000, 1, 1000), (1000, 2, 1000))
    policy = guided(NODES, classes, (0, 0, 1))
    assert policy.seat(0) == (0, 1)
    policy.free(0, 0, 1)
    assert [policy.seat(1), policy.seat(1)] == [(1, 3), (2, 3)]
    assert policy.seat(0) == (0, 1)


def test_a_class_that_no_slot_was_planned_for_is_seated_all_the_same() -> None:
    classes = of((1000, 1, 1000), (1000, 2, 1000))
    policy = guided(NODES, classes, (0, 0, 1), (1, 1, 3))
    policy.extend(classes.and_more(of((500, 1, 900))))
    assert policy.seat(2) == (0, 1)  # a tenth of the slot is wasted
    assert policy.seat(2) == (0, 2)  # what no slot claims


@pytest.mark.parametrize("seed", range(8))
def test_no_task_is_refused_that_fits_and_what_is_spare_is_what_no_slot_claims(seed: int) -> None:
    random = Random(seed)
    fleet = fleet_of(random)
    classes, tasks = classes_of(random, fleet, 120)
    forecast = np.bincount(tasks, minlength=len(classes))
    planned = place_in_order(best_fit(fleet, classes, forecast, State.of(fleet)), tasks[:60])
    there = planned.node >= 0
    policy = Guided(fleet, classes, State.of(fleet), Fragmentation.of(fleet, classes, forecast))
    policy.hold(Seats(planned.task_class[there], planned.node[there], planned.gpus[there]))
    plain, sitting = State.of(fleet), []
    suits, nodes = classes.suits(fleet), np.arange(len(fleet))
    for j in random.choices(range(len(classes)), k=200):
        fits = (fitting(plain, classes, j, nodes) & suits[j]).any()
        seat = policy.seat(j)
        assert (seat is not None) == fits
        if seat is not None:
            plain.take(classes, j, *seat)
            sitting.append((j, *seat))
        if sitting and random.random() < 0.4:
            gone = sitting.pop(random.randrange(len(sitting)))
            policy.free(*gone)
            plain.give(classes, *gone)
        assert (policy.state.milli == plain.milli).all()
        assert (plain.milli >= 0).all()
        assert (plain.cpu_milli >= 0).all()
        _spare_is_what_no_slot_claims(policy)


def _spare_is_what_no_slot_claims(policy: Guided) -> None:
    for slots in policy._slots.values():
        assert slots.left == slots.count.sum() == sum(map(len, slots.gpus.values()))
    spare = policy._spare
    assert min(spare.milli.min(), spare.cpu_milli.min(), spare.memory_mib.min()) >= 0
    total = policy.state.copy()
    for like, slots in policy._slots.items():
        for node, masks in slots.gpus.items():
            for gpus in masks:
                total.take(policy.classes, like, node, gpus)
    assert (total.milli == spare.milli).all()
    assert (total.cpu_milli == spare.cpu_milli).all()
    assert (total.memory_mib == spare.memory_mib).all()


def test_without_slots_it_is_gradient_descent() -> None:
    random = Random(3)
    fleet = fleet_of(random)
    classes, tasks = classes_of(random, fleet)
    forecast = np.bincount(tasks, minlength=len(classes))
    policy = Guided(fleet, classes, State.of(fleet), Fragmentation.of(fleet, classes, forecast))
    plain = gradient_descent(fleet, classes, forecast, State.of(fleet))
    assert place_in_order(policy, tasks).node.tolist() == place_in_order(plain, tasks).node.tolist()
