"""What the GPUs of one node take together."""

from flare_core.sharing.states import patterns
from flare_core.sharing.types import Card, Kind, State


def tasks_on(card: Card, states: tuple[State, ...], kind: Kind, gpus: int, apart: bool) -> int:
    """Return how many tasks of one want a node's GPUs hold.

    Parameters
    ----------
    states
        All shareable GPUs of the node, those of which nothing is taken included.
    gpus
        Shares per task, at least 1.
    apart
        Whether the shares of one task lie on different GPUs.
    """
    rooms = [patterns(card, state, (kind,))[0][0] for state in states]
    tasks = sum(rooms) // gpus
    # With no more on a GPU than there are tasks, dealing the shares out in turn keeps each task's apart.
    while apart and sum(min(room, tasks) for room in rooms) < tasks * gpus:
        tasks -= 1
    return tasks
