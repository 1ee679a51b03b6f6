"""Failure domains: the places whose nodes fall together."""

import numpy as np

from flare_core.inventory.types import IntArray, Inventory


def domains(inventory: Inventory, rows: IntArray) -> IntArray:
    """Return codes of (provider, region, zone) of offers; an unknown zone is one zone of its region."""
    code = np.zeros(len(rows), np.int64)
    for name in ("provider", "region", "zone"):
        label = inventory.label[name]
        code *= len(label.values) + 1
        code += label.codes[rows] + 1
    return code
