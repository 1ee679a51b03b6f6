"""The GPUs of one node: that they have room, and hold whole tasks or shares, never both.

What one GPU holds at a moment is looked at together, whichever intents it is of: whole tasks are alone on a
wholly free GPU, slots stay within those that are free, and MIG instances have a placement beside those that
are there already.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from flare_core.verify.instances import fit
from flare_core.verify.shares import WHOLE, Share, mig_parts, share_due
from flare_core.verify.told import Row, Violation, Violations

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.inventory.types import Inventory
    from flare_core.verify.offers import Offer


class Guest(Protocol):
    """One task on the node."""

    @property
    def intent(self) -> "Intent": ...

    @property
    def row(self) -> Row: ...

    @property
    def offer(self) -> "Offer": ...


@dataclass(frozen=True, slots=True)
class NodeGpus:
    """The GPUs of one node: how many, what the inventory says is on them, and which shares run there."""

    count: int
    free: frozenset[int]
    milli: Mapping[int, int]
    instances: Mapping[int, tuple[tuple[str, int], ...]]
    running: Mapping[int, tuple[Share, ...]] = field(default_factory=dict)

    def free_slots(self, gpu: int, slots: int) -> int:
        """Return how many of a GPU's `slots` are free."""
        free = slots * (1000 if gpu in self.free else self.milli.get(gpu, 0)) // 1000
        return free - sum(share.slots for share in self.running.get(gpu, ()))

    def less(self, gpu: int, share: Share) -> "NodeGpus":
        """Return the GPUs beside a task that runs on one of them."""
        if not share.whole:
            return replace(self, running={**self.running, gpu: (*self.running.get(gpu, ()), share)})
        milli, instances = dict(self.milli), dict(self.instances)
        milli.pop(gpu, None)
        instances.pop(gpu, None)
        return replace(self, free=self.free - {gpu}, milli=milli, instances=instances)


def gpus_of(inventory: "Inventory", group: int, offer: "Offer") -> NodeGpus:
    """Return the GPUs of a node of a group of an offer's equal nodes."""
    groups, count = inventory.groups, offer.whole("gpu_count") or 0
    milli, instances = groups.milli.get(group, {}), groups.mig.get(group, ())
    divided = {*milli, *(gpu for gpu, _, _ in instances)}
    return NodeGpus(
        count=count,
        free=frozenset(groups.free_indices(group, count)) - divided,
        milli=milli,
        instances={
            each: tuple((profile, start) for gpu, profile, start in instances if gpu == each)
            for each, _, _ in instances
        },
    )


def all_gpus(offer: "Offer") -> NodeGpus:
    """Return the GPUs of an unused node of an offer."""
    count = offer.whole("gpu_count") or 0
    return NodeGpus(count, frozenset(range(count)), {}, {})


@dataclass(frozen=True, slots=True)
class _Held:
    """What one guest has of one GPU: `times` its share."""

    guest: Guest
    share: Share
    times: int


def check_gpus(gpus: NodeGpus, running: Sequence[Guest], moment: datetime) -> Violations:
    """Check what each GPU of a node holds at a moment."""
    shares = [share_due(guest.intent, guest.offer) or WHOLE for guest in running]
    for gpu in sorted({gpu for guest in running for gpu in guest.row.gpus if gpu < gpus.count}):
        held = [
            _Held(guest, share, guest.row.gpus.count(gpu))
            for guest, share in zip(running, shares, strict=True)
            if gpu in guest.row.gpus
        ]
        why = _why_not(gpus, gpu, held)
        if why is not None:
            others = ", ".join(each.guest.row.path for each in held[:-1])
            beside = f" (it is also given to {others})" if others else ""
            found = f"found GPU {gpu} at {moment.isoformat()}, {why}{beside}"
            yield Violation("gpus", f"{held[-1].guest.row.path}.gpus", found)


def _why_not(gpus: NodeGpus, gpu: int, held: Sequence[_Held]) -> str | None:
    """Return why a GPU cannot hold all of this, None where it can."""
    if any(each.share.whole for each in held):
        if len(held) > 1 or gpu not in gpus.free or gpus.running.get(gpu):
            return "which a task has whole, and which is not free for it alone"
        return None
    offer = held[0].guest.offer
    profiles = [each.share.profile for each in held for _ in range(each.times) if each.share.profile]
    if profiles:
        return _why_no_instances(gpus, gpu, offer, profiles)
    taken = sum(each.share.slots * each.times for each in held)
    free = gpus.free_slots(gpu, offer.whole("sharing_slots") or 0)
    return f"which has {free} free slots, for {taken}" if taken > free else None


def _why_no_instances(gpus: NodeGpus, gpu: int, offer: "Offer", profiles: Sequence[str]) -> str | None:
    there = gpus.instances.get(gpu, ())
    if gpu not in gpus.free and not there:
        return "which is in use already"
    beside = [share.profile for share in gpus.running.get(gpu, ()) if share.profile]
    if not fit(mig_parts(offer), there, [*profiles, *beside]):
        return f"on which {', '.join(profiles)} have no placement beside {list(there)}"
    return None
