"""The steps of a purchase, in their order; each is taken again and again until it waits for nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flare_core.adapters.fluidos.buying.ground import Ground
from flare_core.adapters.fluidos.buying.steps.allocate import allocate
from flare_core.adapters.fluidos.buying.steps.buy import buy
from flare_core.adapters.fluidos.buying.steps.connect import connect
from flare_core.adapters.fluidos.buying.steps.offload import offload
from flare_core.adapters.fluidos.buying.steps.reserve import reserve
from flare_core.adapters.fluidos.buying.steps.run import start
from flare_core.adapters.fluidos.buying.waits import Wait
from flare_core.adapters.fluidos.settings import Deadlines


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes
    ----------
    name
        For people, and in handles.
    take
        Does what can be done now; yields what it waits for, nothing once it is done.
    deadline_s
        How long it may wait.
    """

    name: str
    take: Callable[[Ground], Iterator[Wait]]
    deadline_s: Callable[[Deadlines], float]


RESERVE = Step("reserve", reserve, lambda deadlines: deadlines.reservation_s)
BUY = Step("buy", buy, lambda deadlines: deadlines.reservation_s)
ALLOCATE = Step("allocate", allocate, lambda deadlines: deadlines.allocation_s)
CONNECT = Step("connect", connect, lambda deadlines: deadlines.resources_s)
OFFLOAD = Step("offload", offload, lambda deadlines: deadlines.offloading_s)
START = Step("start", start, lambda deadlines: deadlines.start_s)

STEPS = (RESERVE, BUY, ALLOCATE, CONNECT, OFFLOAD, START)
"""In their order."""

__all__ = ["ALLOCATE", "BUY", "CONNECT", "OFFLOAD", "RESERVE", "START", "STEPS", "Step"]
