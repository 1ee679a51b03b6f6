"""Which part of each GPU a task is due: a whole one, so many slots of it, or a MIG instance.

The share is the smallest that covers what is asked, so it follows from the intent and the offer alone, and a
row can only repeat it. Everything is counted in whole numbers and fractions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

from flare_core.catalog.gpus import GpuPart, parts_fitting
from flare_core.catalog.mig import MigProfile, profiles_of
from flare_core.verify.told import Row, Violation, Violations

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.verify.offers import Offer


@dataclass(frozen=True, slots=True)
class Share:
    """What a task takes of each of its GPUs.

    Attributes
    ----------
    part
        Of the GPU's price, power and throughput; 1 for a whole one.
    slots
        Slots of a GPU that is shared in time; 0 of one that is not.
    profile
        Name of the MIG profile; None without MIG.
    """

    part: Fraction
    slots: int = 0
    profile: str | None = None

    @property
    def whole(self) -> bool:
        """Whether nobody else may be on the GPU."""
        return not self.slots and self.profile is None

    @property
    def milli(self) -> int | None:
        """Thousandths of the GPU, as told of slots alone."""
        return int(1000 * self.part) if self.slots else None


WHOLE: Final = Share(Fraction(1))


class _Asked(NamedTuple):
    """What one share has to cover; None or 0 asks for nothing."""

    memory_mib: int | None
    cores: int | None
    fp32_tflops: float | None


class _Card(NamedTuple):
    """What a whole GPU is; None is unknown."""

    model: str | None
    memory_mib: int | None
    cores: int | None
    fp32_tflops: float | None


def share_due(intent: "Intent", offer: "Offer") -> Share | None:
    """Return what a task takes of each GPU of this offer; None where nothing that it sells will do."""
    gpu = intent.workload.resources.gpu
    if gpu is None or gpu.count == 0 or not (gpu.shared or gpu.multi_instance):
        return WHOLE
    if not offer.shares:
        return None if gpu.multi_instance else WHOLE
    card = _Card(
        offer.text("gpu_model"),
        offer.whole("gpu_memory_mib"),
        offer.whole("gpu_cores"),
        offer.number("fp32_tflops"),
    )
    # TFLOPS are asked of instances by name alone; of other shares they are asked of the card.
    asked = _Asked(gpu.memory, gpu.cores, gpu.fp32_tflops if gpu.multi_instance else None)
    if offer.text("sharing_strategy") == "mig":
        return _instance(asked, card)
    return None if gpu.multi_instance else _slots(asked, card, offer.whole("sharing_slots") or 0)


def takes_part(intent: "Intent", offer: "Offer") -> bool:
    """Whether a task has a part of each GPU only."""
    share = share_due(intent, offer)
    return share is not None and not share.whole


def _slots(asked: _Asked, card: _Card, slots: int) -> Share | None:
    """Return the fewest slots whose part of the card's memory and cores is enough, at least one."""
    needed = 1
    for part, there in ((asked.memory_mib, card.memory_mib), (asked.cores, card.cores)):
        if part and not there:
            return None
        if part and there:
            needed = max(needed, ceil(Fraction(part * slots, there)))
    return Share(Fraction(needed, slots), slots=needed) if needed <= slots else None


def mig_parts(offer: "Offer") -> tuple[GpuPart, ...]:
    """Return the parts that an offer's GPUs may be, by model and memory."""
    return _parts(offer.text("gpu_model"), offer.whole("gpu_memory_mib"))


@lru_cache(maxsize=1024)
def _parts(model: str | None, memory_mib: int | None) -> tuple[GpuPart, ...]:
    return () if model is None else parts_fitting(model, memory_mib=memory_mib)


@lru_cache(maxsize=1024)
def _instance(asked: _Asked, card: _Card) -> Share | None:
    """Return the smallest MIG profile, which is the same on all the parts that the GPUs may be."""
    found = {_smallest(asked, card, part) for part in _parts(card.model, card.memory_mib)}
    return found.pop() if len(found) == 1 else None


def _smallest(asked: _Asked, card: _Card, part: GpuPart) -> Share | None:
    plain = [profile for profile in profiles_of(part.sku) if not profile.extension]
    fitting = [profile for profile in plain if _covers(profile, asked, card, part, plain)]
    if not fitting:
        return None
    least = min(fitting, key=lambda profile: (profile.compute_slices, profile.memory_slices))
    all_slices = max(profile.compute_slices for profile in plain)
    return Share(Fraction(least.compute_slices, all_slices), profile=least.profile)


def _covers(
    profile: MigProfile, asked: _Asked, card: _Card, part: GpuPart, table: Sequence[MigProfile]
) -> bool:
    """Whether an instance has the memory, and its part of the multiprocessors the cores and TFLOPS."""
    if asked.memory_mib and profile.memory_mib < asked.memory_mib:
        return False
    share = _part_of_multiprocessors(part, profile, max(each.memory_slices for each in table))
    for least, there in ((asked.cores, card.cores), (asked.fp32_tflops, card.fp32_tflops)):
        if least and (there is None or share * Fraction(repr(there)) < Fraction(repr(least))):
            return False
    return True


def _part_of_multiprocessors(part: GpuPart, profile: MigProfile, memory_slices: int) -> Fraction:
    """Return an instance's part of the multiprocessors; one memory slice's for each compute slice if unsaid.

    A multiprocessor has 64 cores at compute capability 8.0 and 128 at every later one with MIG.
    """
    if profile.multiprocessors is None or part.cores is None:
        return Fraction(profile.compute_slices, memory_slices)
    return Fraction(profile.multiprocessors * (64 if part.compute_capability == 8.0 else 128), part.cores)


def check_share(intent: "Intent", row: Row, offer: "Offer") -> Violations:
    """Check the GPUs of a row, and the part of each that it tells."""
    gpu, due = intent.workload.resources.gpu, share_due(intent, offer)
    asked = 0 if gpu is None else gpu.count
    if len(row.gpus) != asked:
        yield Violation("gpus", f"{row.path}.gpus", f"found {len(row.gpus)} GPUs, expected {asked}")
    if due is None:
        found = f"{offer.id} sells no part of a GPU that covers what is asked"
        yield Violation("share", f"{row.path}.gpus", found)
        return
    for name, told, expected in (
        ("mig_profile", row.mig_profile, due.profile),
        ("gpu_milli", row.gpu_milli, due.milli),
    ):
        if told != expected:
            found = f"found {told!r}, expected {expected!r} for the smallest share of {offer.id}"
            yield Violation("share", f"{row.path}.{name}", found)
    yield from _check_set(row, offer, apart=gpu is None or gpu.shared or due.profile is None)


def _check_set(row: Row, offer: "Offer", apart: bool) -> Violations:
    """GPUs exist and are told in order, each once but for instances that are not asked apart."""
    path, gpus, count = f"{row.path}.gpus", list(row.gpus), offer.whole("gpu_count") or 0
    if max(gpus, default=-1) >= count:
        yield Violation("gpus", path, f"found {gpus}, and a node of {offer.id} has {count}, from 0")
    if apart and len(set(gpus)) < len(gpus):
        yield Violation("gpus", path, f"found {gpus}, expected different GPUs")
    if gpus != sorted(gpus):
        yield Violation("gpus", path, f"found {gpus}, expected them in ascending order")
