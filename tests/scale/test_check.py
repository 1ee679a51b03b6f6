"""The checker of seats sees what is wrong, by sums of its own."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from flare_core.scale.batch import batch
from flare_core.scale.check import check
from flare_core.scale.fleet import REFUSED, Classes, Fleet, Seats, State
from tests.scale.fleets import classes_of, fleet_of

Columns = dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]


def world() -> tuple[Fleet, Classes, Columns]:
    random = Random(3)
    fleet = fleet_of(random, 10)
    classes, tasks = classes_of(random, fleet, 80)
    seats = batch(fleet, classes, tasks, effort=0).seats
    return (
        fleet,
        classes,
        {"task_class": seats.task_class, "node": seats.node.copy(), "gpus": seats.gpus.copy()},
    )


def first(classes: Classes, seats: Columns, gpus: int) -> int:
    """Return the first seated task of so many GPUs."""
    return int(np.flatnonzero((classes.gpus[seats["task_class"]] == gpus) & (seats["node"] != REFUSED))[0])


def lose_a_gpu(fleet: Fleet, classes: Classes, seats: Columns) -> None:
    seats["gpus"][first(classes, seats, 1)] = 0


def hold_a_gpu_that_is_not_there(fleet: Fleet, classes: Classes, seats: Columns) -> None:
    seats["gpus"][first(classes, seats, 1)] = 1 << 40


def sit_on_no_node(fleet: Fleet, classes: Classes, seats: Columns) -> None:
    seats["node"][first(classes, seats, 1)] = len(fleet)


def refused_with_a_gpu(fleet: Fleet, classes: Classes, seats: Columns) -> None:
    seats["node"][first(classes, seats, 1)] = REFUSED


def all_on_one_gpu(fleet: Fleet, classes: Classes, seats: Columns) -> None:
    one = classes.gpus[seats["task_class"]] == 1
    seats["node"][one], seats["gpus"][one] = int(fleet.gpus.argmax()), 1


def no_gpu_on_one_node(fleet: Fleet, classes: Classes, seats: Columns) -> None:
    seats["node"][classes.gpus[seats["task_class"]] == 0] = 0


def not_allowed(fleet: Fleet, classes: Classes, seats: Columns) -> None:
    forbidden = ~classes.suits(fleet)[seats["task_class"]] & (seats["node"] != REFUSED)[:, None]
    task, node = (int(each[0]) for each in np.nonzero(forbidden & (fleet.gpus > 0)))
    seats["node"][task] = node


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lose_a_gpu, "as many GPUs as they ask for"),
        (hold_a_gpu_that_is_not_there, "GPUs that their node has not"),
        (sit_on_no_node, "on no node"),
        (refused_with_a_gpu, "refused tasks hold GPUs"),
        (all_on_one_gpu, "more of a GPU than is free"),
        (all_on_one_gpu, "more CPU than is free"),
        (all_on_one_gpu, "more memory than is free"),
        (no_gpu_on_one_node, "more CPU than is free"),
        (not_allowed, "models that they do not allow"),
    ],
)
def test_harm_is_told(harm: Callable[[Fleet, Classes, Columns], None], told: str) -> None:
    fleet, classes, seats = world()
    assert not check(fleet, classes, Seats(**seats))
    harm(fleet, classes, seats)
    assert any(told in each for each in check(fleet, classes, Seats(**seats)))


def test_what_was_used_before_counts() -> None:
    fleet, classes, seats = world()
    state = State.of(fleet)
    state.milli //= 2
    assert any("more of a GPU" in each for each in check(fleet, classes, Seats(**seats), state=state))
    state = State.of(fleet)
    state.cpu_milli[:] = 0
    assert any("more CPU" in each for each in check(fleet, classes, Seats(**seats), state=state))


def test_columns_of_unequal_length_are_told() -> None:
    fleet, classes, seats = world()
    shorter = Seats(seats["task_class"], seats["node"][:-1], seats["gpus"])
    assert check(fleet, classes, shorter) == ("the columns of the seats are not equally long",)
