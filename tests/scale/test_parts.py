"""Batches in parts: the same seats whoever works on them, with sites or without, killed or cancelled."""

from pathlib import Path
from random import Random
from threading import Timer
from time import monotonic
from unittest.mock import patch

import numpy as np
import pytest

from flare_core.errors import InternalError
from flare_core.inventory.types import IntArray
from flare_core.options import Cancellation
from flare_core.scale import batch as module
from flare_core.scale.batch import Batch, batch
from flare_core.scale.check import check
from flare_core.scale.executors import TRIES, Executor, Processes, Serial
from flare_core.scale.fleet import Classes, Fleet
from flare_core.scale.parts import PART_NODES, dealt
from tests.scale.fleets import classes_of, fleet_of
from tests.scale.workers import always_lost, lost_once, patient, square


def crowd(seed: int, nodes: int = 60, tasks: int = 260) -> tuple[Fleet, Classes, IntArray, IntArray]:
    """Return a fleet, tasks that fill it, and the site of each node: a small one, and two of equal size."""
    random = Random(seed)
    fleet = fleet_of(random, nodes)
    classes, of = classes_of(random, fleet, tasks)
    sites = np.array([random.choice((0, 1, 1, 1, 2, 2, 2)) for _ in range(len(fleet))], np.int64)
    return fleet, classes, of, sites


def seated(seed: int, executor: Executor | None, *, effort: float = 0.05, first_come: bool = False) -> Batch:
    fleet, classes, tasks, sites = crowd(seed)
    named = None if executor is None else sites
    return batch(fleet, classes, tasks, executor=executor, sites=named, effort=effort, first_come=first_come)


def same(one: Batch, other: Batch) -> bool:
    seats, others = one.seats, other.seats
    alike = np.array_equal(seats.node, others.node) and np.array_equal(seats.gpus, others.gpus)
    return alike and (one.value, one.bound, one.method) == (other.value, other.bound, other.method)


@pytest.mark.parametrize("seed", range(6))
def test_parts_hold_and_are_bounded_as_the_whole_is(seed: int) -> None:
    fleet, classes, *_ = crowd(seed)
    for first_come in (False, True):
        parts = seated(seed, Serial(), first_come=first_come)
        whole = seated(seed, None, first_come=first_come)
        assert not check(fleet, classes, parts.seats)
        assert parts.greedy <= parts.value <= parts.bound == whole.bound
        # Small sites lose by rounding; the bound is what all nodes together could do.
        assert parts.value >= 0.9 * whole.value


def test_first_come_seats_as_many_of_every_class_in_parts() -> None:
    for seed in range(4):
        _, classes, tasks, _ = crowd(seed)
        fair = seated(seed, Serial(), first_come=True)
        with patch.object(module, "_in_parts", lambda problem, *_: 10**9):  # the greedy policy's seats alone
            greedy = seated(seed, Serial(), first_come=True)
        assert greedy.method == "greedy"
        for j in range(len(classes)):
            of = tasks == j
            assert (fair.seats.node[of] >= 0).sum() >= (greedy.seats.node[of] >= 0).sum()


def test_without_sites_parts_are_alike_and_large() -> None:
    fleet = Fleet.of([(f"n{k:05}", 8000, 64, 2 + 2 * (k % 3 == 0), "T4") for k in range(3 * PART_NODES + 7)])
    classes, _ = classes_of(Random(0), fleet)
    from flare_core.scale.fleet import State
    from flare_core.scale.kinds import Kinds

    part_of = dealt(Kinds.of(fleet, classes, State.of(fleet)))
    sizes = np.bincount(part_of)
    assert len(sizes) == 3
    assert sizes.min() >= PART_NODES
    of_kind = [np.bincount(part_of[fleet.gpus == gpus], minlength=3) for gpus in (2, 4)]
    assert all(counts.max() - counts.min() <= 1 for counts in of_kind)


def test_processes_give_the_seats_that_one_gives() -> None:
    alone = seated(1, Serial())
    for workers in (1, 2):
        assert same(seated(1, Processes(workers)), alone)


@pytest.mark.t1
def test_any_number_of_processes_gives_the_seats_that_one_gives() -> None:
    for seed in range(4):
        alone = seated(seed, Serial(), effort=0.3)
        for workers in (1, 2, 4):
            assert same(seated(seed, Processes(workers), effort=0.3), alone)


def test_a_killed_process_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = seated(2, Serial())
    monkeypatch.setenv("FLARE_TEST_DIED", str(tmp_path / "died"))
    monkeypatch.setattr(module, "work", lost_once)
    assert same(seated(2, Processes(2)), alone)
    assert (tmp_path / "died").exists()


def test_who_loses_every_process_is_told() -> None:
    with pytest.raises(InternalError, match=f"lost {TRIES} times"):
        Processes(1).run(always_lost, 0, [0])


def test_what_was_found_is_in_the_order_of_the_parts() -> None:
    assert Processes(2).run(square, 5, [3, 1, 2]) == [14, 6, 9] == Serial().run(square, 5, [3, 1, 2])


def test_a_cancellation_reaches_the_processes(tmp_path: Path) -> None:
    cancellation = Cancellation()
    begun = monotonic()
    timer = Timer(1.5, cancellation.cancel)
    timer.start()
    found = Processes(1).run(patient, str(tmp_path), [0, 1, 2, 3, 4, 5], cancellation)
    timer.join()
    assert monotonic() - begun < 30
    assert len([each for each in found if each is None]) >= 2
    assert Serial().run(patient, str(tmp_path), [0, 1], cancellation) == [None, None]


def test_a_cancelled_batch_has_what_there_was() -> None:
    fleet, classes, tasks, sites = crowd(3)
    cancellation = Cancellation()
    cancellation.cancel()
    found = batch(fleet, classes, tasks, executor=Serial(), sites=sites, cancellation=cancellation)
    assert not check(fleet, classes, found.seats)
    assert found.value >= found.greedy
