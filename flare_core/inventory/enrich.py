"""What the catalog adds to what an offer says.

Nothing stated is ever changed, with one exception that is a matter of reading: GPU memory is the nominal
size, so the 81559 MiB that a card reports are its 80 GiB. Facts are looked up once for each distinct
combination of what is stated, not once for each offer.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from flare_core.catalog import gpus, providers, regions
from flare_core.catalog.gpus import GpuPart
from flare_core.inventory.fields import BY_PATH, parse_value
from flare_core.inventory.table import Table
from flare_core.inventory.types import IntArray

# What tells the parts of a model apart, most telling first, by the name it has in `gpus.parts_fitting`.
_STATED: Mapping[str, str] = {
    "gpu_memory_mib": "memory_mib",
    "gpu_cores": "cores",
    "fp32_tflops": "fp32_tflops",
    "gpu_clock_mhz": "clock_mhz",
    "power_w": "power_w",
    "interconnect": "interconnect",
}
_FACTS: Mapping[str, str] = {
    "gpu_memory_mib": "memory_mib",
    "gpu_cores": "cores",
    "gpu_clock_mhz": "clock_mhz",
    "compute_capability": "compute_capability",
    "architecture": "architecture",
    "tier": "tier",
    "fp32_tflops": "fp32_tflops",
    "power_w": "tdp_w",
}
_LINKED = ("nvswitch", "nvlink", "infinity-fabric")
_PUE_OF_RATING = (("A", 1.2), ("B", 1.4), ("C", 1.6), ("D", 1.8), ("E", 2.0))


def fill_gpu_facts(table: Table) -> None:
    """Fill in what the GPU table says, and the rating that the performance term counts.

    A fact is filled in where all the parts that fit what is stated agree on it. A stated value that no part
    has (the rest being as it is) tells nothing about the part.

    The rating is the dense FP16 tensor figure, the lowest where the fitting parts differ (``fp16-lowest``);
    the FP32 figure where the part has no other or the model is not in the table.
    """
    keys = ("gpu_model", "gpu_count", *_STATED)
    which, examples = distinct(table, keys)
    said = [{key: value_of(table, key, row) for key in keys} for row in examples]
    facts = [_gpu_facts(values) for values in said]
    nominal = [fact.get("nominal") for fact in facts]
    changed = np.array([*(value is not None for value in nominal), False], np.bool_)[which]
    table.overwrite("gpu_memory_mib", nominal, np.where(changed, which, -1))
    for name in (*_FACTS, "interconnect", "interconnect_gbps"):
        table.fill(name, [fact.get(name) for fact in facts], which)
    for name in ("rating_tflops", "rating_basis"):
        table.overwrite(name, [fact.get(name) for fact in facts], which)


def fill_place_facts(table: Table) -> None:
    """Fill in what is known of each provider and region, and the rating that follows from the PUE."""
    which, examples = distinct(table, ("provider", "region"))
    places = [
        (str(value_of(table, "provider", row)), str(value_of(table, "region", row))) for row in examples
    ]
    found = [_place_facts(*place) for place in places]
    for name in sorted({name for facts in found for name in facts}):
        table.fill(name, [facts.get(name) for facts in found], which)
    which, examples = distinct(table, ("pue",))
    table.fill(
        "efficiency_rating", [efficiency_rating(float(table.number("pue")[r])) for r in examples], which
    )


def efficiency_rating(pue: float) -> str | None:
    """Return the letter that a power usage effectiveness stands for; None where it is NaN.

    >>> efficiency_rating(1.2), efficiency_rating(1.21), efficiency_rating(2.5)
    ('A', 'B', 'F')
    """
    if pue != pue:
        return None
    return next((letter for letter, most in _PUE_OF_RATING if pue <= most), "F")


def distinct(table: Table, names: Sequence[str]) -> tuple[IntArray, list[int]]:
    """Return the combination that each row has of some columns, and one example row for each.

    Rows whose first column is unknown have none: -1.
    """
    which = np.full(table.size, -1, np.int64)
    rows = np.flatnonzero(~table.unknown(names[0]))
    if not len(rows):
        return which, []
    key = np.zeros(len(rows), np.int64)
    for name in names:
        # Ranks instead of values keep the combined key below rows squared, which fits.
        _, rank = np.unique(table.codes(name)[rows], return_inverse=True)
        _, key = np.unique(key * (int(rank.max()) + 1) + rank, return_inverse=True)
    _, first = np.unique(key, return_index=True)
    which[rows] = key
    return which, [int(row) for row in rows[first]]


def value_of(table: Table, name: str, row: int) -> int | float | str | None:
    """Return what a row says, None where it is unknown."""
    if name in table.labels:
        return table.labels[name][row]
    value: int | float = table.arrays[name][row].item()
    return value if value >= 0 else None  # NaN is not


def _gpu_facts(said: Mapping[str, int | float | str | None]) -> dict[str, object]:
    model, count = str(said["gpu_model"]), int(said["gpu_count"] or 0)
    parts = fitting_parts(model, said)
    facts: dict[str, object] = {name: gpus.agreed(parts, field) for name, field in _FACTS.items()}
    facts |= _rating(parts, said["fp32_tflops"])
    memory = said["gpu_memory_mib"]
    if memory is not None and gpus.nominal_memory_mib(model, int(memory)) > int(memory):
        facts["nominal"] = gpus.nominal_memory_mib(model, int(memory))
    joined = {gpus.interconnect_class(part, count) for part in parts}
    facts["interconnect"] = joined.pop() if len(joined) == 1 else None
    if (said["interconnect"] or facts["interconnect"]) in _LINKED and count > 1:
        facts["interconnect_gbps"] = gpus.agreed(parts, "link_gbps") or None
    return facts


def fitting_parts(model: str, said: Mapping[str, object]) -> tuple[GpuPart, ...]:
    """Return the parts of a model that what an offer says allows, at least one for a known model."""
    parts = gpus.parts_of(model)
    for name, argument in _STATED.items():
        if said[name] is None or (name == "interconnect" and said["gpu_count"] == 1):
            continue
        allowed = gpus.parts_fitting(model, **{argument: said[name]})  # type: ignore[arg-type]  # by column
        parts = tuple(part for part in parts if part in allowed) or parts
    return parts


def _rating(parts: Sequence[GpuPart], fp32: object) -> dict[str, object]:
    for basis, field in (("fp16", "fp16_dense_tflops"), ("fp32", "fp32_tflops")):
        lowest = gpus.lowest(parts, field)
        if lowest is not None:
            same = gpus.agreed(parts, field) is not None
            return {"rating_tflops": lowest, "rating_basis": basis if same else f"{basis}-lowest"}
    return {"rating_tflops": fp32, "rating_basis": None if fp32 is None else "fp32"}


def _place_facts(provider: str, region: str) -> dict[str, object]:
    facts: dict[str, object] = {}
    for fact in providers.facts(provider, region):
        column = BY_PATH[fact.field]
        value = list(fact.value) if isinstance(fact.value, tuple) else fact.value
        facts[column.name] = parse_value(column, value)
    place = regions.region(provider, region)
    if place is not None:
        facts["country"] = place.country
    return facts
