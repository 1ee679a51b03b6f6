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

Used = Sequence[tuple[Row, "Offer"]]


def check_preferences(intent: "Intent", placed: Placed, used: Used) -> Violations:
    """Check ``relaxed`` against the offers used."""
    missed, gpu = _missed(intent, used), intent.workload.resources.gpu
    told = [entry for entry in placed.relaxed if entry.path == PATH]
    for i, entry in enumerate(placed.relaxed):
        path = f"{placed.path}.relaxed.{i}"
        if entry.path != PATH or not missed:
            yield Violation("preference", path, f"{entry.path} gives way in nothing")
        elif gpu is None or entry.asked != gpu.interconnect or entry.got not in missed:
            yield Violation("preference", path, f"found {entry}, and the offers used have {missed}")
    if not missed:
        return
    negotiation, path = intent.constraints.negotiation, f"{placed.path}.relaxed"
    if negotiation is not None and negotiation.fallback_strategy == "fail":
        found = f'{PATH} is hard with the fallback "fail", and the offers used have {missed}'
        yield Violation("preference", path, found)
    if not told or len(told) > len(missed):
        found = f"found {len(told)} entries for {PATH}, which {len(missed)} tasks miss"
        yield Violation("preference", path, found)


def _missed(intent: "Intent", used: Used) -> list[str | None]:
    """Return, for each task that misses the asked interconnect, what it has instead."""
    gpu = intent.workload.resources.gpu
    if gpu is None or gpu.count == 0 or gpu.interconnect == "any":
        return []
    if gpu.interconnect == "infiniband":
        return _without_fabric(intent, used)
    if gpu.count < 2:
        return []
    have = [offer.text("interconnect") for _, offer in used]
    return [name for name in have if _RANK.get(name or "", 0) < _RANK[gpu.interconnect]]


def _without_fabric(intent: "Intent", used: Used) -> list[str | None]:
    """A gang on two or more nodes lies in one InfiniBand fabric, or all its tasks miss it."""
    nodes = {(offer.row, row.node) for row, offer in used}
    if intent.workload.type != "job" or len(nodes) < 2:
        return []
    fabrics = {_fabric(offer) for _, offer in used}
    have = [offer.text("fabric_interconnect") for _, offer in used]
    one = len(fabrics) == 1 and None not in fabrics and set(have) == {"infiniband"}
    return [] if one else have


def _fabric(offer: "Offer") -> str | None:
    path = offer.text("fabric_path")
    return None if path is None else str(json.loads(path)[0])
