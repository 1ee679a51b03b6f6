"""What one task emits: power × PUE × carbon intensity.

Power is the cards' TDP (of a part of a card that part of it) plus, for the CPU cores and the memory that the
task asks for, the averages at half load of Cloud Carbon Footprint (https://www.cloudcarbonfootprint.org/docs/methodology/).
"""

from typing import NamedTuple

import numpy as np

from flare_core.candidates.pricing import WHOLE, Parts
from flare_core.candidates.steps import courses, held
from flare_core.candidates.times import judged, moves, span
from flare_core.inventory.types import FloatArray, IntArray, Inventory, Mask
from flare_core.requirements.types import Requirements

WATT_PER_CORE = 2.12
WATT_PER_GIB = 0.42
_MOST_UG = 2.0**53


class Counted(NamedTuple):
    """Emissions in whole micro-grams per hour, and where they are known."""

    amounts: IntArray
    known: Mask


def counted(carbon: FloatArray) -> Counted:
    """Return emissions as they count: an unknown one (NaN) as the worst known."""
    known = ~np.isnan(carbon)
    worst = np.fmax.reduce(carbon, initial=0.0)
    return Counted(np.where(known, carbon, worst).astype(np.int64), known)


def emitted_at(inventory: Inventory, needs: Requirements) -> FloatArray:
    """Return the carbon intensity of offers, gCO2/kWh; NaN where it is unknown.

    Where it changes it is the lowest at which a run could begin that may begin later, and the highest while a
    service is looked at.
    """
    plain, labels = inventory.number["carbon_intensity"], inventory.label["carbon_series"]
    if not labels.values:
        return plain
    intensity, (start, end) = plain.copy(), span(needs)
    for course in courses(labels, np.arange(len(plain)), plain, start, end):
        until = end if moves(needs) else start + judged(needs)
        there = course.amounts[held(course.begins, start, until)]
        intensity[course.rows] = np.fmin.reduce(there) if moves(needs) else there.max(axis=0)
    return intensity


def carbon_ug(
    needs: Requirements,
    inventory: Inventory,
    rows: IntArray,
    parts: Parts = WHOLE,
    intensity: FloatArray | None = None,
) -> FloatArray:
    """Return the emission of one task on offers `rows`, whole micro-gram CO2 per hour.

    NaN where power (of GPUs, if the task has any), PUE or carbon intensity is unknown. W × gCO2/kWh is
    mgCO2/h, so a thousand times that is counted. Values that no float counts in ones are cut to 2**53.
    Where no `intensity` (gCO2/kWh) is given it is the plain one of the offers.
    """
    number = inventory.number
    intensity = number["carbon_intensity"][rows] if intensity is None else intensity
    host_w = WATT_PER_CORE * (needs.cpu_milli or 0) / 1000 + WATT_PER_GIB * (needs.memory_mib or 0) / 1024
    per_watt = number["pue"][rows] * intensity
    power_w: FloatArray | float = host_w
    if needs.gpus:
        power_w = needs.gpus * number["power_w"][rows] * parts.part / parts.whole + host_w
    return np.minimum(np.rint(power_w * per_watt * 1000), _MOST_UG)
