"""Preferences: what is missed stands under ``relaxed``, and nothing else does."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from flare_core.verify.told import Placed, Row, Violation, Violations

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.verify.offers import Offer

PATH: Final = "workload.resources.gpu.interconnect"
# A better class satisfies a lesser one; AMD's Infinity Fabric counts as the NVLink class.
_RANK: Final = {"pcie": 1, "nvlink": 2, "infinity-fabric": 2, "nvswitch": 3}
UNKNOWN: Final = "unknown"
"""What stands for a class that an offer does not say."""

Used = Sequence[tuple[Row, "Offer"]]


def check_preferences(intent: "Intent", placed: Placed, used: Used) -> Violations:
    """Check ``relaxed``: one entry for a preference that some task misses, with all that is had instead."""
    missed, gpu, path = _missed(intent, used), intent.workload.resources.gpu, f"{placed.path}.relaxed"
    expected = []
    if missed and gpu is not None:
        expected = [(PATH, gpu.interconnect, ", ".join(sorted(missed)))]
    told = [(entry.path, entry.asked, entry.got) for entry in placed.relaxed]
    if told != expected:
        yield Violation("preference", path, f"found {told}, expected {expected}")
    negotiation = intent.constraints.negotiation
    if missed and negotiation is not None and negotiation.fallback_strategy == "fail":
        found = f'{PATH} is hard with the fallback "fail", and the offers used have {sorted(missed)}'
        yield Violation("preference", path, found)


def _missed(intent: "Intent", used: Used) -> set[str]:
    """Return what the tasks that miss the asked interconnect have instead; empty where none misses it."""
    gpu = intent.workload.resources.gpu
    if gpu is None or gpu.count == 0 or gpu.interconnect == "any":
        return set()
    if gpu.interconnect == "infiniband":
        return _without_fabric(intent, used)
    if gpu.count < 2:
        return set()
    have = {offer.text("interconnect") or UNKNOWN for _, offer in used}
    return {name for name in have if _RANK.get(name, 0) < _RANK[gpu.interconnect]}


def _without_fabric(intent: "Intent", used: Used) -> set[str]:
    """A gang on two or more nodes lies in one InfiniBand fabric, or all its tasks miss it."""
    nodes = {(offer.row, row.node) for row, offer in used}
    if intent.workload.type != "job" or len(nodes) < 2:
        return set()
    fabrics = {_fabric(offer) for _, offer in used}
    have = {offer.text("fabric_interconnect") or UNKNOWN for _, offer in used}
    return set() if len(fabrics) == 1 and None not in fabrics and have == {"infiniband"} else have


def _fabric(offer: "Offer") -> str | None:
    path = offer.text("fabric_path")
    return None if path is None else str(json.loads(path)[0])
