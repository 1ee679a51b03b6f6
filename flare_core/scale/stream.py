"""Tasks that arrive one by one."""

import numpy as np

from flare_core.inventory.types import IntArray
from flare_core.scale.fleet import REFUSED, Seats
from flare_core.scale.policies import Policy


def place_in_order(policy: Policy, arrivals: IntArray) -> Seats:
    """Seat one task after the other, and move none.

    Parameters
    ----------
    arrivals
        The class of each task.
    """
    nowhere = (REFUSED, 0)
    seats = np.array([policy.seat(each) or nowhere for each in arrivals.tolist()], np.int64).reshape(-1, 2)
    return Seats(arrivals, seats[:, 0].copy(), seats[:, 1].copy())
