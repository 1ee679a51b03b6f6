"""Which rows no other beats, and the corners below which points may be missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.frontier.explore import Corner, Unknown, explore
from flare_core.frontier.undominated import undominated

Row = tuple[int, ...]


def rows_of(width: int) -> st.SearchStrategy[list[Row]]:
    return st.lists(st.tuples(*[st.integers(-3, 3)] * width), min_size=1, max_size=30)


def beats(one: Row, other: Row) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


@given(st.integers(1, 5).flatmap(rows_of))
def test_undominated_rows_are_those_that_no_other_beats(rows: list[Row]) -> None:
    kept = undominated(np.array(rows, np.int64))
    assert kept.tolist() == [not any(beats(other, row) for other in rows) for row in rows]


def test_of_nothing_nothing_is_beaten() -> None:
    assert undominated(np.zeros((0, 2), np.int64)).tolist() == []


# --- corners ----------------------------------------------------------------------------------------


class Oracle:
    """Answers from a list of rows; of those below a corner the one with the least sum."""

    def __init__(self, rows: list[Row], unknown: int = -1) -> None:
        self.rows, self.unknown, self.asked = rows, unknown, 0

    def __call__(self, corner: Corner) -> tuple[Row, str] | None:
        self.asked += 1
        if self.asked == self.unknown:
            raise Unknown
        return min(
            ((row, "plan") for row in self.rows if below(row, corner)),
            key=lambda r: (sum(r[0]), r),
            default=None,
        )


def below(row: Row, corner: Corner) -> bool:
    return all(limit is None or value < limit for value, limit in zip(row, corner, strict=True))


def front_of(rows: list[Row]) -> list[Row]:
    return sorted({row for row in rows if not any(beats(other, row) for other in rows)})


def start(rows: list[Row]) -> dict[Row, str]:
    return {min(rows, key=lambda row: (sum(row), row)): "plan"}


@given(st.integers(2, 3).flatmap(rows_of))
def test_asking_below_corners_finds_the_whole_front(rows: list[Row]) -> None:
    width = len(rows[0])
    told = explore(Oracle(rows), (-3,) * width, (3,) * width, start(rows), 1000)
    assert list(told.points) == front_of(rows)
    assert not told.open


@given(st.integers(2, 3).flatmap(rows_of), st.integers(1, 5), st.integers(1, 4))
def test_what_is_missing_is_below_an_open_corner_and_what_is_known_below_none(
    rows: list[Row], most: int, unknown: int
) -> None:
    width = len(rows[0])
    told = explore(Oracle(rows, unknown), (-3,) * width, (3,) * width, start(rows), most)
    assert len(told.points) <= most
    missing = set(front_of(rows)) - set(told.points)
    assert all(any(below(row, corner) for corner in told.open) for row in missing)
    assert not any(below(row, corner) for row in told.points for corner in told.open)
    assert not missing or told.open


@pytest.mark.parametrize("size", [5, 50])
def test_a_front_of_two_terms_takes_two_answers_a_point_at_most(size: int) -> None:
    rows: list[Row] = [(k, size - k) for k in range(size)]
    oracle = Oracle(rows)
    assert len(explore(oracle, (0, 1), (size, size), start(rows), 1000).points) == size
    assert oracle.asked <= 2 * size
