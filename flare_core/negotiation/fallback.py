"""What is tried where no stretch helps: lower tiers, shared GPUs, spot capacity."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flare_core.catalog.gpus import TIERS, parts_of
from flare_core.negotiation.terms import GPU, Terms, changed

if TYPE_CHECKING:
    from flare_core.intent.types import Intent


def fallbacks(intent: "Intent") -> Iterator[Terms]:
    """Yield what the fallback strategy allows instead of the intent, what is nearest to it first.

    Nothing for ``queue`` and ``fail``, and where the intent allows it already.
    """
    negotiation = intent.constraints.negotiation
    assert negotiation is not None
    match negotiation.fallback_strategy:
        case "lower_tier":
            yield from _lower_tiers(intent)
        case "shared":
            gpu = intent.workload.resources.gpu
            yield from _one(changed(intent, {f"{GPU}.shared": True}) if gpu and gpu.count else None)
        case "spot":
            gpu = intent.workload.resources.gpu
            allowed = gpu is not None and gpu.interruptible
            yield from _one(None if allowed else changed(intent, {"constraints.preemptible": True}))
        case _:
            return


def _one(terms: Terms | None) -> Iterator[Terms]:
    if terms is not None:
        yield terms


def _lower_tiers(intent: "Intent") -> Iterator[Terms]:
    """Yield the tiers below, the next one first, each with the model that is asked, then with any."""
    gpu = intent.workload.resources.gpu
    if gpu is None or not gpu.count:
        return
    for tier in TIERS[_rank(gpu.tier, gpu.model) + 1 :]:
        if gpu.tier != "any":
            yield from _one(changed(intent, {f"{GPU}.tier": tier}))
        if gpu.model != "any":
            yield from _one(changed(intent, {f"{GPU}.tier": tier, f"{GPU}.model": "any"}))


def _rank(tier: str, model: str) -> int:
    """Return the place of a tier in `TIERS`, of the model's where none is asked; beyond all if unknown."""
    tiers = {part.tier for part in parts_of(model)} if tier == "any" else {tier}
    return max((TIERS.index(one) for one in tiers if one in TIERS), default=len(TIERS))
