"""Where the candidates of a gang hang in the fabric between nodes."""

import json

import numpy as np

from flare_core.candidates.domain import domains
from flare_core.candidates.types import Fabric
from flare_core.inventory.types import IntArray, Inventory, Labels
from flare_core.requirements.types import Requirements
from flare_core.topology.efficiency import fabric_ppm

_SURE = 1_000_000


def fabric(needs: Requirements, inventory: Inventory, rows: IntArray, performance: IntArray) -> Fabric:
    """Return the fabric of offers `rows`, on which a task yields `performance` thousandths of a TFLOPS."""
    if not needs.gang:
        nothing = np.zeros((len(rows), 0), np.int64)
        return Fabric(nothing, nothing, np.zeros(len(rows), np.bool_))
    label = inventory.label["fabric_interconnect"].take(rows)
    infiniband = np.array([*(name == "infiniband" for name in label.values), False])[label.codes]
    known = inventory.label["fabric_path"].codes[rows] >= 0
    prefix = _prefixes(inventory, rows)
    return Fabric(prefix, _loss(inventory, rows, performance, prefix.shape[1]), infiniband & known)


def _loss(inventory: Inventory, rows: IntArray, performance: IntArray, depth: int) -> IntArray:
    number = inventory.number
    columns = [np.zeros(len(rows), np.int64)]
    for span in range(1, depth + 2):
        ppm = fabric_ppm(
            number["rating_tflops"][rows], number["fabric_gbps"][rows], number["network_gbps"][rows], span
        )
        columns.append(performance - np.rint(performance * (ppm / _SURE)).astype(np.int64))
    return np.stack(columns, axis=1)


def _prefixes(inventory: Inventory, rows: IntArray) -> IntArray:
    """Return codes of path prefixes; paths shorter than the inventory's longest repeat their last element."""
    said: Labels = inventory.label["fabric_path"].take(rows)
    paths = [tuple(json.loads(text)) for text in said.values]
    depth = max(map(len, paths), default=1) or 1
    names = sorted({path[: d + 1] for path in paths for d in range(len(path))})
    code = {name: number for number, name in enumerate(names)}
    table = np.full((len(paths) + 1, depth), -1, np.int64)
    for at, path in enumerate(paths):
        for d in range(min(depth, len(path))):
            table[at, d] = code[path[: d + 1]]
        table[at, len(path) :] = code[path] if path else -1
    prefix = table[said.codes]
    unknown = said.codes < 0
    prefix[unknown, 0] = len(names) + domains(inventory, rows[unknown])
    return prefix
