"""What holds a part of a node, and from when until when."""

from typing import NamedTuple

from flare_core.inventory.usage import NodeState


class Held(NamedTuple):
    """One task on a node: where, its GPUs, what it takes beside them, and when it begins and ends.

    Attributes
    ----------
    offer, node
        Row of the offer, number of the node.
    gpus
        Its GPUs; of MIG instances one entry for each.
    cpu_milli, memory_mib, storage_mib
        What it takes beside them.
    start, end
        Seconds after the moment of the plan; ``end`` None is never.
    slots
        What it takes of each of its GPUs where that is slots, else 0.
    profile
        The MIG profile of its instances; None without.
    starts
        Where these begin, one for each of ``gpus``; empty where that is still open.
    left
        All that is free on the node meanwhile, where that is said instead of a task.
    """

    offer: int
    node: int
    gpus: tuple[int, ...] = ()
    cpu_milli: int = 0
    memory_mib: int = 0
    storage_mib: int = 0
    start: int = 0
    end: int | None = None
    slots: int = 0
    profile: str | None = None
    starts: tuple[int, ...] = ()
    left: NodeState | None = None

    @property
    def whole(self) -> bool:
        """Whether it has its GPUs for itself."""
        return not self.slots and self.profile is None

    def meets(self, start: int, end: int | None) -> bool:
        """Whether it runs at any moment from `start` to `end`; None is without end."""
        return (end is None or self.start < end) and (self.end is None or start < self.end)
