"""What a backend is.

The gateway calls it from several threads, and calls again whatever it has no answer to: each step is
idempotent by ``Order.key``. A backend keeps nothing in memory that matters: what it has to remember of an
order it gives back in ``Report.handle``, which the gateway stores and hands in with the next call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from flare_core.inventory.types import Inventory

if TYPE_CHECKING:
    from flare_core.intent.types import Intent


class Phase(StrEnum):
    """How far an order is."""

    RESERVED = "reserved"
    STARTING = "starting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"  # the workload has failed, after all its `job.max_retries`, and that is its last word
    LOST = "lost"  # the capacity is gone: the gateway looks for another place
    RELEASED = "released"  # nothing is left of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be bought for one intent.

    Attributes
    ----------
    key
        ``{intent_id}-{generation}``: the same for the same purchase, however often it is asked for.
    intent, document
        The intent, read and as canonical JSON.
    placement
        Where it goes: an entry of ``placements`` of a plan's document.
    placed_at
        When that was decided.
    handle
        What the backend said last; empty at first, and after a call whose answer was lost.
    """

    key: str
    intent_id: str
    user: str
    intent: "Intent"
    document: str
    placement: Mapping[str, Any]
    placed_at: datetime
    handle: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a backend says of an order; None is what it does not know.

    Attributes
    ----------
    message
        For the user, in one sentence.
    started, ended
        When the workload began to run, and when it ended.
    performance
        ``latency_p50``, ``latency_p99``, ``throughput`` as the API reference writes them.
    handle
        What is handed in with the next call.
    leftovers
        What could not be undone, for the operator.
    again_s
        After how many seconds there may be news; None leaves it to the gateway.
    """

    phase: Phase
    message: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    url: str | None = None
    gpu_utilization_percent: float | None = None
    performance: Mapping[str, Any] | None = None
    handle: Mapping[str, Any] = field(default_factory=dict)
    leftovers: tuple[str, ...] = ()
    again_s: float | None = None


class RefusedError(Exception):
    """The capacity cannot be had after all: for a while the intent is placed without it.

    Parameters
    ----------
    message
        For the user.
    capacity
        ``(offer id, node)`` that cannot be had; node None is the whole offer. Empty is all that the order
        asked for.
    """

    def __init__(self, message: str, capacity: tuple[tuple[str, int | None], ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.capacity = capacity


class BackendError(Exception):
    """A backend that does not answer, or not sensibly: asked again later."""


class Backend(Protocol):
    """Who has the capacity."""

    @property
    def name(self) -> str:
        """What it is called in logs, metrics and settings."""

    def discover(self) -> Inventory:
        """Return what is offered; the same object while nothing has changed, cheap then.

        Raises
        ------
        BackendError
            If nothing is known of it.
        """

    def reserve(self, order: Order) -> Report:
        """Hold the capacity of an order.

        Raises
        ------
        RefusedError
            If it cannot be had; nothing is held then.
        BackendError
            If it is not known whether it is held; so the other steps.
        """

    def commit(self, order: Order) -> Report:
        """Buy what is reserved and start the workload; refuses as `reserve` does."""

    def status(self, order: Order) -> Report:
        """Return how far an order is."""

    def release(self, order: Order) -> Report:
        """Undo an order, whatever is there of it; ``RELEASED`` when nothing is left."""

    def close(self) -> None:
        """Let go of connections."""
