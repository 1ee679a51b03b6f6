"""What the gateway answers, as frozen dataclasses; money and durations are written as the API writes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

ENDED: Final = frozenset({"completed", "failed", "cancelled"})
"""Status words of an intent whose life is over."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One task on one node."""

    task: int
    offer: str
    node: int
    provider: str
    region: str
    zone: str | None
    gpu_model: str | None
    gpus: tuple[int, ...]
    mig_profile: str | None
    gpu_milli: int | None
    spot: bool
    efficiency: float
    hourly_cost: str
    start_time: datetime
    end_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuAllocation:
    """GPUs of one kind in one place."""

    model: str
    count: int
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Where a workload goes; None until it is placed."""

    estimated_cost: str | None = None
    estimated_total_cost: str | None = None
    estimated_start_time: datetime | None = None
    selected_provider: str | None = None
    gpu_allocation: GpuAllocation | None = None
    assignments: tuple[Assignment, ...] = ()
    relaxed: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What would be placed under limits that are stretched; `token` accepts it."""

    stretched: tuple[Document, ...]
    placement: Document
    valid_until: datetime
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """An intent that was accepted; estimates are None until it is placed."""

    intent_id: str
    status: str
    message: str
    estimated_cost: str | None = None
    estimated_start_time: datetime | None = None
    data: Estimates = Estimates()
    offer: Offer | None = None

    @property
    def solved(self) -> bool:
        """Whether it is known already what becomes of it."""
        return bool(self.data.assignments) or self.offer is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What runs; `url` and the like are None where nobody reports them."""

    name: str
    type: str
    url: str | None = None
    start_time: datetime | None = None
    runtime: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One step in the life of an intent."""

    version: int
    status: str
    state: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An intent and what has become of it.

    Attributes
    ----------
    status, state
        The status word, and the state in detail: ``pending`` is also ``queued`` and ``reserved``.
    version
        Counts its changes; `cancel` and `accept` take it to act on nothing else than what was seen.
    error
        Why it failed: the error object with `suggestions`.
    history
        Its life from the beginning; only where one intent is asked for.
    """

    intent_id: str
    status: str
    state: str
    version: int
    message: str
    current_cost: str
    workload: Workload
    created_at: datetime
    updated_at: datetime
    workload_url: str | None = None
    runtime: str | None = None
    gpu_utilization: str | None = None
    estimated_cost: str | None = None
    estimated_start_time: datetime | None = None
    resources: Document = field(default_factory=dict)
    costs: Document = field(default_factory=dict)
    performance: Document = field(default_factory=dict)
    assignments: tuple[Assignment, ...] = ()
    relaxed: tuple[Document, ...] = ()
    ended_at: datetime | None = None
    error: Document | None = None
    offer: Offer | None = None
    history: tuple[Transition, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether its life is over."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Intents, newest first, and the cursor of the next page; None at the end."""

    intents: tuple[Intent, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change of an intent; `id` is where to go on after it."""

    id: str
    intent_id: str
    at: datetime
    status: str
    state: str
    version: int
    reason: str

    @property
    def ended(self) -> bool:
        """Whether the intent's life is over."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """Free GPUs of one kind, of one provider, in one place, at one price; `count` None is without limit."""

    model: str
    count: int | None
    memory: str | None
    location: str
    cost_per_hour: str
    provider: str
    spot_cost_per_hour: str | None = None
    offers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token without its secret."""

    token_id: str
    name: str
    created_at: datetime
    expires_at: datetime
    permissions: tuple[str, ...]
    status: str
    last_used: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token that was just made; `token` is its secret, never to be had again."""

    token_id: str
    token: str = field(repr=False)
    name: str
    created_at: datetime
    expires_at: datetime
    permissions: tuple[str, ...]
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """A token that is good for nothing any more."""

    token_id: str
    revoked_at: datetime
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a token."""

    status: str
    user: str
    permissions: tuple[str, ...]
    expires_at: datetime
