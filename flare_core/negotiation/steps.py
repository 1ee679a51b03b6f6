"""To which values a minimum of GPUs can fall so that it makes a difference: those that offers have."""

from collections.abc import Iterator
from math import floor

import numpy as np

from flare_core.explanation.relax import Solved
from flare_core.inventory.types import FloatArray, IntArray, Inventory
from flare_core.negotiation.terms import GPU

_COLUMNS = {
    f"{GPU}.memory": "gpu_memory_mib",
    f"{GPU}.cores": "gpu_cores",
    f"{GPU}.clock_speed": "gpu_clock_mhz",
    f"{GPU}.fp32_tflops": "fp32_tflops",
}
_OF_SHARES = (f"{GPU}.memory", f"{GPU}.cores", f"{GPU}.fp32_tflops")


def granted(solved: Solved, inventory: Inventory, path: str) -> tuple[float, ...]:
    """Return the values of a minimum at `path` that candidates grant, ascending.

    Parameters
    ----------
    solved
        A placement under the loosest minima, whose candidates are all that come into question.
    """
    found = solved.ask.found
    if path not in _COLUMNS:
        return _ascending(found.efficiency_ppm / 1e6)
    columns = inventory.whole if _COLUMNS[path] in inventory.whole else inventory.number
    whole = columns[_COLUMNS[path]][found.rows]
    values: list[float] = whole[whole >= 0].tolist()
    if path in _OF_SHARES:
        values += _of_shares(solved, whole, path)
    return _ascending(values)


def _of_shares(solved: Solved, whole: IntArray | FloatArray, path: str) -> Iterator[float]:
    """Yield what parts of those GPUs have that can be shared, rounded down."""
    found = solved.ask.found
    for code in np.unique(found.cut[found.cut >= 0]).tolist():
        cut = found.cuts[code]
        assert cut is not None  # it is the share of some candidate
        card = cut.card
        if path == f"{GPU}.memory" and not card.slots:
            yield from (profile.memory_mib for profile in card.cuts)
            continue
        slots = [slot / card.slots for slot in range(1, card.slots)]
        parts = slots or [part for row in card.core_shares for part in row]
        unit = 1e6 if path == f"{GPU}.fp32_tflops" else 1
        for value in np.unique(whole[found.cut == code]).tolist():
            yield from (floor(part * value * unit) / unit for part in parts if value > 0)


def _ascending(values: FloatArray | list[float]) -> tuple[float, ...]:
    return tuple(np.unique(values).tolist())
