"""Columns of nodes, classes and what is free."""

import numpy as np
import pytest

from flare_core.scale.fleet import REFUSED, Classes, Fleet, Seats, State

FLEET = Fleet.of(
    [("b", 8000, 64, 2, "T4"), ("a", 4000, 32, 0, ""), ("c", 8000, 64, 2, "T4"), ("d", 8000, 64, 1, "A10")]
)


def of(*rows: tuple[int, int, int, int, tuple[bool, ...]]) -> tuple[Classes, list[int]]:
    """Return the classes of tasks (milli-cores, MiB, GPUs, thousandths, models), and each task's class."""
    cpu, memory, gpus, milli = (np.array([row[k] for row in rows], np.int64) for k in range(4))
    made, code = Classes.of(cpu, memory, gpus, milli, np.array([row[4] for row in rows], np.bool_))
    return made, code.tolist()


ANY = (True, True)


def test_nodes_are_sorted_by_name_and_equal_ones_are_of_one_kind() -> None:
    assert FLEET.names == ("a", "b", "c", "d")
    assert FLEET.models == ("A10", "T4")
    assert FLEET.model.tolist() == [-1, 1, 1, 0]
    assert (FLEET.width, FLEET.capacity_milli) == (2, 5000)
    first, kind = FLEET.kinds()
    assert kind[1] == kind[2]
    assert len(first) == len(set(kind.tolist())) == 3
    assert kind[first].tolist() == [0, 1, 2]


def test_equal_tasks_are_of_one_class_and_what_cannot_matter_does_not() -> None:
    classes, code = of(
        (1000, 8, 1, 500, ANY),
        (1000, 8, 2, 300, ANY),
        (1000, 8, 1, 500, ANY),
        (1000, 8, 0, 700, (True, False)),
        (1000, 8, 0, 0, ANY),
        (1000, 8, 2, 1000, (True, False)),
    )
    assert code[0] == code[2]
    assert code[3] == code[4]
    assert len(classes) == len(set(code)) == 4
    assert classes.demand_milli[code].tolist() == [500, 2000, 500, 0, 0, 2000]


def test_a_model_suits_where_it_is_allowed_and_a_task_without_gpus_runs_anywhere() -> None:
    classes, code = of((1, 1, 0, 0, ANY), (1, 1, 1, 1000, (True, False)), (1, 1, 1, 500, ANY))
    suits = classes.suits(FLEET)[code]
    assert suits.tolist() == [[True] * 4, [False, False, False, True], [False, True, True, True]]


def test_a_state_takes_and_gives() -> None:
    classes, code = of((1000, 8, 1, 300, ANY), (2000, 16, 2, 1000, ANY))
    state = State.of(FLEET)
    assert state.milli.tolist() == [[0, 0], [1000, 1000], [1000, 1000], [1000, 0]]
    before = state.copy()
    state.take(classes, code[0], 2, 0b10)
    state.take(classes, code[1], 1, 0b11)
    assert state.milli.tolist() == [[0, 0], [0, 0], [1000, 700], [1000, 0]]
    assert state.cpu_milli.tolist() == [4000, 6000, 7000, 8000]
    assert state.memory_mib.tolist() == [32, 48, 56, 64]
    state.give(classes, code[0], 2, 0b10)
    state.give(classes, code[1], 1, 0b11)
    assert (state.milli == before.milli).all()
    assert (state.cpu_milli == before.cpu_milli).all()
    assert (state.memory_mib == before.memory_mib).all()


def test_what_is_allocated_is_counted_in_thousandths_of_those_that_sit() -> None:
    classes, code = of((1000, 8, 1, 300, ANY), (2000, 16, 2, 1000, ANY))
    seats = Seats(np.array([code[0], code[1], code[0]]), np.array([0, 1, REFUSED]), np.array([1, 3, 0]))
    assert seats.allocated_milli(classes) == 2300


@pytest.mark.parametrize(
    "rows",
    [[("a", 1, 1, 1, "T4")] * 2, [("a", -1, 1, 1, "T4")], [("a", 1, 1, 63, "T4")]],
    ids=["equal-names", "negative", "too-many-gpus"],
)
def test_impossible_fleets_cannot_be_built(rows: list[tuple[str, int, int, int, str]]) -> None:
    with pytest.raises(ValueError, match=r"names|zero"):
        Fleet.of(rows)


def test_a_task_of_several_gpus_takes_them_whole() -> None:
    one = np.array([1])
    with pytest.raises(ValueError, match="whole GPUs"):
        Classes(one, one, one + 1, one * 500, np.array([[True]]))
