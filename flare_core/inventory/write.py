"""An inventory written as the document of the specification, or as a table with the same dotted names.

What is written is what is known, stated or filled in from the catalog: reading it back gives the same
columns. Two things have no place in a document and are therefore left out: values that were only assumed
(read again with the same assumptions), and offers whose price is not believed.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flare_core.inventory.fields import canonical_json, show_value
from flare_core.inventory.types import COLUMNS, Inventory
from flare_core.quantities import format_cpu, format_memory, format_moment

if TYPE_CHECKING:
    import pandas as pd


def to_document(inventory: Inventory) -> dict[str, object]:
    """Return ``{"version": 1, "offers": […]}``, offers sorted by id, unknown fields left out."""
    offers = [_nested(flat) for flat in _flat_offers(inventory)]
    return {"version": 1, "offers": offers}


def offer_document(inventory: Inventory, row: int) -> dict[str, object]:
    """Return one offer as the document states it."""
    return _nested(_flat(inventory, row, _states(inventory).get(row)))


def to_frame(inventory: Inventory) -> "pd.DataFrame":
    """Return a table with one row an offer and a column for each dotted path that any offer states.

    Lists and objects are JSON text, so that the table can be written as CSV or Parquet as it is.
    """
    import pandas as pd

    rows = [{path: _cell(value) for path, value in flat.items()} for flat in _flat_offers(inventory)]
    paths = [
        path for path in ("id", *(c.path for c in COLUMNS), "node_states") if any(path in row for row in rows)
    ]
    # Objects, not numbers: a column of counts must not turn into floats where one is missing.
    return pd.DataFrame({path: pd.Series([row.get(path) for row in rows], dtype=object) for path in paths})


def _flat_offers(inventory: Inventory) -> Iterator[dict[str, object]]:
    states = _states(inventory)
    for row in range(len(inventory)):
        if inventory.label["price_flag"][row] is None:
            yield _flat(inventory, row, states.get(row))


def _flat(inventory: Inventory, row: int, states: list[object] | None) -> dict[str, object]:
    """Return what one offer says by dotted path."""
    assumed = (inventory.label["assumed"][row] or "").split(",")
    flat: dict[str, object] = {"id": inventory.ids[row]}
    has_gpu = inventory.value("gpu_count", row) != 0
    for column in COLUMNS:
        value = inventory.value(column.name, row)
        if value is not None and column.path not in assumed and (has_gpu or column.name != "gpu_count"):
            flat[column.path] = show_value(column, value)
    if states:
        flat["node_states"] = states
    return flat


def _nested(flat: Mapping[str, object]) -> dict[str, object]:
    """Put dotted paths under their sections."""
    nested: dict[str, object] = {}
    for path, value in flat.items():
        section, _, leaf = path.partition(".")
        if not leaf:
            nested[path] = value
            continue
        inner = nested.setdefault(section, {})
        assert isinstance(inner, dict)
        inner[leaf] = value
    return nested


def _states(inventory: Inventory) -> dict[int, list[object]]:
    """Return ``node_states`` by offer, for the nodes on which something is used."""
    groups = inventory.groups
    states: dict[int, list[tuple[int, object]]] = {}
    for group in (g for g in range(len(groups)) if not groups.fresh[g]):
        row = int(groups.offer[group])
        for k in range(int(groups.count[group])):
            node = groups.node(group, k)
            states.setdefault(row, []).append((node, _state(inventory, group, node)))
    return {row: [state for _, state in sorted(nodes, key=lambda n: n[0])] for row, nodes in states.items()}


def _state(inventory: Inventory, group: int, node: int) -> dict[str, object]:
    groups = inventory.groups
    gpu_count = int(inventory.whole["gpu_count"][groups.offer[group]])
    state: dict[str, object] = {"node": node, "free_gpus": list(groups.free_indices(group, gpu_count))}
    if group in groups.milli:
        state["gpu_milli"] = {str(gpu): milli for gpu, milli in groups.milli[group].items()}
    if group in groups.mig:
        keys = ("gpu", "profile", "start")
        state["mig"] = [dict(zip(keys, instance, strict=True)) for instance in groups.mig[group]]
    for field, column, write in (
        ("cpu", groups.free_cpu_milli, format_cpu),
        ("memory", groups.free_memory_mib, format_memory),
    ):
        if column[group] >= 0:
            state[field] = write(int(column[group]))
    if group in groups.until:
        state["until"] = format_moment(datetime.fromtimestamp(groups.until[group], UTC))
    return state


def _cell(value: object) -> object:
    return canonical_json(value) if isinstance(value, (list, dict)) else value
