"""What interruptions of spot may cost a placement beside what it costs without any."""

from collections.abc import Iterator
from math import ceil

from flare_core.candidates import loss
from flare_core.inventory.types import Inventory
from flare_core.placement.packing import Ask, Loads, totals
from flare_core.quantities import format_eur
from flare_core.requirements.types import Workload


def risks(ask: Ask, loads: Loads, inventory: Inventory) -> Iterator[str]:
    """Yield what a job or batch on spot is expected to cost, and the most it can, where that is more.

    Expected is the total of each task times how much longer its run is expected to be (`candidates.loss`); at
    most each is started again as often as it may be.
    """
    needs, length = ask.needs, ask.needs.length_s
    if needs.workload is Workload.SERVICE or not length:
        return
    plain, mean, most = 0, 0, 0
    for one in _alike(ask, loads):
        total = totals(ask, one).total_ueur
        row = ask.found.rows[[one[0].candidate]]
        on_spot = (
            ask.found.at(one[0].start).spot[one[0].candidate] and loss.may_be_interrupted(inventory, row)[0]
        )
        plain += total
        mean += ceil(total * float(loss.expected(needs, inventory, row)[0])) if on_spot else total
        most += ceil(total * float(loss.longest_s(needs, inventory, row)[0]) / length) if on_spot else total
    if most > plain:
        again = f"{needs.retries} retries" if needs.retries > 1 else "one retry"
        yield (
            f"on spot {format_eur(mean)} are expected with what interruptions cost, and at most "
            f"{format_eur(most)} with {again} of each task"
        )


def _alike(ask: Ask, loads: Loads) -> Iterator[Loads]:
    """Yield the loads on each candidate that begin together."""
    keys = sorted({(load.candidate, load.start) for load in loads})
    for key in keys:
        yield tuple(load for load in loads if (load.candidate, load.start) == key)
