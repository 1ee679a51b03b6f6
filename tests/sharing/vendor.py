"""The vendor's placement table, read anew, and what it allows: shares no code with what is tested."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from random import Random
from typing import NamedTuple

import flare_core

TABLE = Path(flare_core.__file__).parent / "catalog" / "data" / "mig_profiles.csv"
Instance = tuple[str, int]


class Row(NamedTuple):
    compute: int
    memory: int
    most: int
    starts: tuple[int, ...]


@cache
def table(sku: str) -> dict[str, Row]:
    with TABLE.open(encoding="utf-8") as file:
        return {
            row["profile"]: Row(
                int(row["compute_slices"]),
                int(row["memory_slices"]),
                int(row["max_instances"]),
                tuple(map(int, row["placement_starts"].split())),
            )
            for row in csv.DictReader(file)
            if row["sku"] == sku
        }


def allows(sku: str, instances: Iterable[Instance]) -> bool:
    """Whether one GPU can hold all of these."""
    listed, rows = list(instances), table(sku)
    if any(name not in rows or start not in rows[name].starts for name, start in listed):
        return False
    spans = [(start, start + rows[name].memory) for name, start in listed]
    names = [name for name, _ in listed]
    return (
        all(a[1] <= b[0] or b[1] <= a[0] for a, b in combinations(spans, 2))
        and sum(rows[name].compute for name in names) <= max(row.compute for row in rows.values())
        and all(names.count(name) <= rows[name].most for name in names)
    )


def layouts(sku: str, there: Sequence[Instance], new: Sequence[str]) -> Iterator[tuple[Instance, ...]]:
    """Every way to place `new` beside what is there."""
    if not new:
        yield ()
        return
    for start in table(sku)[new[0]].starts if new[0] in table(sku) else ():
        first = (new[0], start)
        if allows(sku, [*there, first]):
            for rest in layouts(sku, [*there, first], new[1:]):
                yield (first, *rest)


@cache
def holds(sku: str, there: tuple[Instance, ...], new: tuple[str, ...]) -> bool:
    return next(layouts(sku, there, new), None) is not None


def half_filled(sku: str, random: Random, tries: int) -> tuple[Instance, ...]:
    """What may be in use on a GPU, profiles with extensions included."""
    there: list[Instance] = []
    for _ in range(tries):
        name = random.choice(sorted(table(sku)))
        instance = (name, random.choice(table(sku)[name].starts))
        if allows(sku, [*there, instance]):
            there.append(instance)
    return tuple(there)
