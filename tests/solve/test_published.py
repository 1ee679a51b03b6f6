"""Published instances with a known optimum: all jobs end by it, and not all can end earlier or on fewer GPUs.

Items of a bin packing and jobs on parallel machines take one GPU each; squares of a squared rectangle take as
many GPUs as hours.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

import flare_core as flare
from tests.solve.falkenauer import CAPACITY, FALKENAUER
from tests.worlds import NOW, Json, World, intent, offer, world


def jobs(sizes: Sequence[tuple[int, int]], minutes: int) -> list[Json]:
    """Jobs of (GPUs, minutes) that all have to end within so many minutes."""
    until = datetime.fromisoformat(NOW) + timedelta(minutes=minutes)
    return [
        intent(
            f"j{k:03}",
            "job",
            1,
            gpus,
            workload__job__timeout=f"{lasts}m",
            constraints__deadline=until.isoformat(),
        )
        for k, (gpus, lasts) in enumerate(sizes)
    ]


def placed(one: World) -> int:
    """How many jobs are placed."""
    plan = one.place(time_limit=600)
    return sum(each.status is flare.Status.PLACED for each in plan.placements)


# E. Falkenauer 1996, see `falkenauer`. On fewer GPUs the sum of the lengths alone is too much.


@pytest.mark.parametrize("name", sorted(FALKENAUER))
def test_a_bin_packing_by_falkenauer(name: str) -> None:
    bins, sizes = FALKENAUER[name]
    lengths = [int(size) for size in sizes.split()]
    assert sum(lengths) > (bins - 1) * CAPACITY
    asked = jobs([(1, length) for length in lengths], CAPACITY)
    assert placed(world(asked, offer("o", nodes=bins))) == len(lengths)


# R. L. Graham, "Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17 (1969) 416-429:
# m machines, two jobs each of 2m - 1 … m + 1, three of m; the longest first ends at 4m - 1, the best at 3m.


@pytest.mark.parametrize("machines", [3, 5, 8])
def test_jobs_on_which_the_longest_first_is_at_its_worst(machines: int) -> None:
    lengths = [length for length in range(2 * machines - 1, machines, -1) for _ in range(2)] + [machines] * 3
    assert sum(lengths) == 3 * machines**2
    asked = jobs([(1, length) for length in lengths], 3 * machines)
    assert placed(world(asked, offer("o", 1, machines))) == len(lengths)


# Z. Moroń 1925: nine squares make a rectangle of 33 × 32. A. J. W. Duijvestijn 1978: 21 make a square of 112.

MORON = (18, 15, 14, 10, 9, 8, 7, 4, 1)
DUIJVESTIJN = (50, 42, 37, 35, 33, 29, 27, 25, 24, 19, 18, 17, 16, 15, 11, 9, 8, 7, 6, 4, 2)


@pytest.mark.parametrize(
    ("squares", "gpus", "hours"), [(MORON, 33, 32), (MORON, 32, 33), (DUIJVESTIJN, 112, 112)]
)
def test_squares_of_a_squared_rectangle(squares: Sequence[int], gpus: int, hours: int) -> None:
    assert sum(side * side for side in squares) == gpus * hours
    on_time = jobs([(side, side) for side in squares], hours)
    assert placed(world(on_time, offer("o", 1, gpus))) == len(squares)
    early = jobs([(side, side) for side in squares], hours - 1)
    assert placed(world(early, offer("o", 1, gpus))) < len(squares)
