"""Preferences: what is missed stands under ``relaxed``, and nothing else does."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from flare_core.verify.fabric import node_of, one_infiniband
from flare_core.verify.links import CLASSES, NAMES, NONE, class_of, links_of
from flare_core.verify.shapes import has_shape
from flare_core.verify.shares import takes_part
from flare_core.verify.told import Placed, Row, Violation, Violations

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.intent.workload import Gpu
    from flare_core.verify.offers import Offer

AT: Final = "workload.resources.gpu"
UNKNOWN: Final = "unknown"
"""What stands for what an offer does not say."""

Used = Sequence[tuple[Row, "Offer"]]


def check_preferences(intent: "Intent", placed: Placed, used: Used) -> Violations:
    """Check ``relaxed``: one entry for a preference that some task misses, with all that is had instead."""
    path = f"{placed.path}.relaxed"
    told = [(entry.path, entry.asked, entry.got) for entry in placed.relaxed]
    missed = [(where, asked, ", ".join(sorted(had))) for where, asked, had in _wishes(intent, used) if had]
    if told != missed:
        yield Violation("preference", path, f"found {told}, expected {missed}")
    negotiation = intent.constraints.negotiation
    if negotiation is not None and negotiation.fallback_strategy == "fail":
        for where, asked, had in missed:
            found = f'{where} {asked} is hard with the fallback "fail", and the tasks have {had}'
            yield Violation("preference", path, found)


def _wishes(intent: "Intent", used: Used) -> Iterator[tuple[str, str, set[str]]]:
    """Yield what is preferred: its path, what is asked, and what the tasks that miss it have instead."""
    gpu = intent.workload.resources.gpu
    if gpu is None or gpu.count == 0:
        return
    if gpu.interconnect == "infiniband":
        yield f"{AT}.interconnect", "infiniband", _without_fabric(intent, used)
    elif gpu.interconnect != "any" and gpu.count > 1:
        yield f"{AT}.interconnect", gpu.interconnect, _worse_linked(intent, gpu.interconnect, used)
    if gpu.topology != "any" and gpu.count > 1:
        yield f"{AT}.topology", gpu.topology, _without_shape(intent, gpu, used)


def _worse_linked(intent: "Intent", asked: str, used: Used) -> set[str]:
    had = (_linked(intent, row, offer) for row, offer in used)
    return {name for kind, name in had if kind < CLASSES[asked]}


def _linked(intent: "Intent", row: Row, offer: "Offer") -> tuple[int, str]:
    """Return the class of the links that join a task's GPUs, by its number and name."""
    links = links_of(offer)
    if links.known and not takes_part(intent, offer):
        kind = class_of(links, row.gpus)
        return kind, NAMES[kind]
    kind = CLASSES.get(offer.text("interconnect"), NONE)
    return kind, NAMES[kind] if kind else UNKNOWN


def _without_shape(intent: "Intent", gpu: "Gpu", used: Used) -> set[str]:
    had = set()
    for row, offer in used:
        known = links_of(offer).known and not takes_part(intent, offer)
        if not known or not has_shape(links_of(offer), row.gpus, gpu.topology, gpu.interconnect):
            had.add("none" if known else UNKNOWN)
    return had


def _without_fabric(intent: "Intent", used: Used) -> set[str]:
    """A gang on two or more nodes lies in one InfiniBand fabric, or all its tasks miss it."""
    nodes = {node_of(row, offer) for row, offer in used}
    if intent.workload.type != "job" or len(nodes) < 2 or one_infiniband([offer for _, offer in used]):
        return set()
    return {offer.text("fabric_interconnect") or UNKNOWN for _, offer in used}
