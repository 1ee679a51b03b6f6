"""Tasks that arrive one by one."""

import numpy as np

from flare_core.inventory.types import IntArray
from flare_core.scale.fleet import REFUSED, Classes, Seats, State
from flare_core.scale.policies import Policy


def place_in_order(policy: Policy, classes: Classes, state: State, arrivals: IntArray) -> Seats:
    """Seat one task after the other, and none again; `state`, the one that `policy` looks at, changes.

    Parameters
    ----------
    arrivals
        The class of each task.
    """
    node = np.full(len(arrivals), REFUSED, np.int64)
    gpus = np.zeros(len(arrivals), np.int64)
    for k, task_class in enumerate(arrivals.tolist()):
        if (seat := policy.choose(task_class)) is not None:
            node[k], gpus[k] = seat
            state.take(classes, task_class, *seat)
            policy.changed(seat[0])
    return Seats(arrivals, node, gpus)
