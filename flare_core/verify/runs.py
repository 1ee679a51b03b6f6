"""What runs when a plan is made: it stays as it was, and what begins fits beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from flare_core.catalog.mig import profiles_of
from flare_core.errors import found_expected
from flare_core.verify.capacity import Taken
from flare_core.verify.offers import Offer
from flare_core.verify.shares import WHOLE, Share, mig_parts
from flare_core.verify.told import Misshapen, Row, Told, Violation, Violations, read_told

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.inventory.types import Inventory


@dataclass(frozen=True, slots=True)
class Runs:
    """What runs of a plan: each placement's document by its intent, and the rows that have not ended."""

    kept: Mapping[str, object] = field(default_factory=dict)
    rows: tuple[tuple[str, Row], ...] = ()

    def staying(self, document: Mapping[str, object], told: Told, intents: Sequence["Intent"]) -> "Runs":
        """Return what runs without the services that a plan has placed anew."""
        services = {intent.workload.name for intent in intents if intent.workload.type == "service"}
        listed = document["placements"]
        assert isinstance(listed, Sequence)
        moved = {
            placed.intent
            for placed, own in zip(told.placements, listed, strict=True)
            if placed.intent in self.kept.keys() & services
            and placed.status == "placed"
            and own != self.kept[placed.intent]
        }
        kept = {name: own for name, own in self.kept.items() if name not in moved}
        return Runs(kept, tuple((name, row) for name, row in self.rows if name not in moved))

    def taken(self, inventory: "Inventory", intents: Sequence["Intent"]) -> list[Taken]:
        """Return what is taken of the nodes of an inventory; nothing of offers that it does not have."""
        named = {intent.workload.name: intent for intent in intents}
        there = [(name, row) for name, row in self.rows if row.offer in inventory.ids]
        return [
            _taken(Offer(inventory, inventory.row(row.offer)), row, named.get(name)) for name, row in there
        ]


def runs_of(document: Mapping[str, object], now: datetime, *, ahead: bool = False) -> Runs:
    """Return what of a plan runs at a moment; its document breaks off where it is not of the right shape.

    What has not begun counts as well where it is said to stay (`ahead`).
    """
    try:
        told = read_told(document)
    except Misshapen as misshapen:
        wrong = misshapen.violation
        raise Misshapen(f"current.{wrong.path}", wrong.message) from None
    listed = document["placements"]
    assert isinstance(listed, Sequence)
    kept: dict[str, object] = {}
    rows: list[tuple[str, Row]] = []
    for placed, own in zip(told.placements, listed, strict=True):
        begun = placed.status == "placed" and placed.start is not None and (ahead or placed.start <= now)
        if begun and (placed.end is None or placed.end > now):
            kept[placed.intent] = own
            rows += ((placed.intent, row) for row in placed.rows if row.end is None or row.end > now)
    return Runs(kept, tuple(rows))


def check_runs(document: Mapping[str, object], told: Told, runs: Runs, now: datetime | None) -> Violations:
    """Check that what runs is told as it was, and that nothing else begins before the plan is made."""
    listed = document["placements"]
    assert isinstance(listed, Sequence)
    for placed, own in zip(told.placements, listed, strict=True):
        if placed.intent in runs.kept:
            if own != runs.kept[placed.intent]:
                found = f"found another placement of {placed.intent}, which runs, expected it as it was"
                yield Violation("current", placed.path, found)
        elif now is not None and any(row.start < now for row in placed.rows):
            yield Violation(
                "time", f"{placed.path}.start_time", found_expected(placed.start, f"{now} or later")
            )


def _taken(offer: Offer, row: Row, intent: "Intent | None") -> Taken:
    share = _share(offer, row)
    if intent is not None:
        asked = intent.workload.resources
        return Taken(offer.row, row, share, asked.cpu or 0, asked.memory or 0)
    cpu, memory = _in_proportion(offer, row, share)
    return Taken(offer.row, row, share, cpu, memory)


def _share(offer: Offer, row: Row) -> Share:
    """Return the part of its GPUs that a row tells."""
    slots = offer.whole("sharing_slots") or 0
    if row.gpu_milli is not None and slots:
        return Share(Fraction(row.gpu_milli, 1000), slots=ceil(Fraction(row.gpu_milli * slots, 1000)))
    if row.mig_profile is not None:
        return Share(_slices(offer, row.mig_profile), profile=row.mig_profile)
    return WHOLE


def _slices(offer: Offer, profile: str) -> Fraction:
    """Return which part of a GPU an instance is; all of it where the profile is unknown."""
    for part in mig_parts(offer):
        compute = {each.profile: each.compute_slices for each in profiles_of(part.sku)}
        if profile in compute:
            return Fraction(compute[profile], max(compute.values()))
    return Fraction(1)


def _in_proportion(offer: Offer, row: Row, share: Share) -> Iterator[int]:
    """Yield the cores and memory that go with a task's GPUs; all the node has where it has no GPU."""
    gpus = offer.whole("gpu_count") or 0
    part = share.part * len(row.gpus) / gpus if row.gpus and gpus else Fraction(1)
    for column in ("cpu_milli", "memory_mib"):
        yield ceil((offer.whole(column) or 0) * part)
