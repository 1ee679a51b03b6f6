"""What the figures of candidates rest on, where that is less than knowledge."""

from collections.abc import Iterator

import numpy as np

from flare_core.candidates.types import Candidates
from flare_core.candidates.view import View, named
from flare_core.inventory.types import Mask
from flare_core.quantities import format_latency
from flare_core.requirements.types import Workload


def warnings(view: View, found: Candidates) -> Iterator[str]:
    """Yield a sentence for each kind of figure that was assumed, estimated or left out."""
    needs, inventory = view.needs, view.inventory
    for concerned, sentence in (
        (
            ~found.latency_known,
            f"have an unknown latency: it counts as the limit, {format_latency(needs.latency_limit_ms)}",
        ),
        (inventory.flag["latency_estimated"][found.rows] == 1, "have a latency estimated from distance"),
        (~found.performance_known, "have GPUs of unknown performance: it counts as 0"),
        (~found.carbon_known, "have unknown emissions: they count as those of the worst known candidate"),
    ):
        yield from _sentence(concerned, sentence)
    if needs.gpus:
        yield from _ratings(view, found)
    if needs.workload is Workload.SERVICE and needs.needed is None:
        kept = inventory.label["calendar"].codes[found.rows] >= 0
        yield from _sentence(kept, "have maintenance or opening hours, which a service takes as they are")


def _ratings(view: View, found: Candidates) -> Iterator[str]:
    basis = view.inventory.label["rating_basis"].take(found.rows)
    fp32 = named(basis, lambda name: name.startswith("fp32"))
    lowest = named(basis, lambda name: name.endswith("-lowest"))
    yield from _sentence(fp32, "have GPUs without a tensor rating: their FP32 rating counts")
    yield from _sentence(lowest, "have a GPU model with several parts: the lowest rating counts")


def _sentence(concerned: Mask, sentence: str) -> Iterator[str]:
    count = int(np.count_nonzero(concerned))
    if count:
        yield f"{count} of {len(concerned)} candidates {sentence}"
