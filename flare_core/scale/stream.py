"""Tasks that arrive one by one, or a few together."""

import numpy as np

from flare_core.inventory.types import IntArray
from flare_core.scale.fleet import REFUSED, Seats
from flare_core.scale.policies import Policy, Seat


def place_in_order(policy: Policy, arrivals: IntArray, together: int = 1) -> Seats:
    """Seat one task after the other, and move none.

    Parameters
    ----------
    arrivals
        The class of each task.
    together
        How many tasks are waited for, and seated together.
    """
    tasks: list[int] = arrivals.tolist()
    found: list[Seat | None] = []
    for first in range(0, len(tasks), together):
        some = tasks[first : first + together]
        found += policy.seat_many(some) if together > 1 else [policy.seat(some[0])]
    seats = np.array([seat or (REFUSED, 0) for seat in found], np.int64).reshape(-1, 2)
    return Seats(arrivals, seats[:, 0].copy(), seats[:, 1].copy())
