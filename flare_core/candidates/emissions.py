"""What one task emits: power × PUE × carbon intensity.

Power is the cards' TDP (of a part of a card that part of it) plus, for the CPU cores and the memory that the
task asks for, the averages at half load of Cloud Carbon Footprint (https://www.cloudcarbonfootprint.org/docs/methodology/).
"""

import numpy as np

from flare_core.candidates.pricing import WHOLE, Parts
from flare_core.inventory.types import FloatArray, IntArray, Inventory
from flare_core.requirements.types import Requirements

WATT_PER_CORE = 2.12
WATT_PER_GIB = 0.42
_MOST_UG = 2.0**53


def carbon_ug(needs: Requirements, inventory: Inventory, rows: IntArray, parts: Parts = WHOLE) -> FloatArray:
    """Return the emission of one task on offers `rows`, whole micro-gram CO2 per hour.

    NaN where power (of GPUs, if the task has any), PUE or carbon intensity is unknown. W × gCO2/kWh is
    mgCO2/h, so a thousand times that is counted. Values that no float counts in ones are cut to 2**53.
    """
    number = inventory.number
    host_w = WATT_PER_CORE * (needs.cpu_milli or 0) / 1000 + WATT_PER_GIB * (needs.memory_mib or 0) / 1024
    per_watt = number["pue"][rows] * number["carbon_intensity"][rows]
    power_w: FloatArray | float = host_w
    if needs.gpus:
        power_w = needs.gpus * number["power_w"][rows] * parts.part / parts.whole + host_w
    return np.minimum(np.rint(power_w * per_watt * 1000), _MOST_UG)
