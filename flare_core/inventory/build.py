"""The one door into an `Inventory`: rows of any source in, sorted, completed and frozen columns out.

The order of what is known, best first: what the source states; what the GPU model determines; what the
caller assumes; what is known of the provider and region. Whatever is left stays unknown.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from flare_core.errors import InventoryError
from flare_core.inventory.assume import Assumptions, apply_assumptions, read_assumptions
from flare_core.inventory.enrich import fill_gpu_facts, fill_place_facts
from flare_core.inventory.kinds import fill_gpu_kinds
from flare_core.inventory.layouts import check_layouts
from flare_core.inventory.table import Table, Values, frozen_labels
from flare_core.inventory.types import IntArray, Inventory, freeze
from flare_core.inventory.usage import NodeKind, Usage, UsageError, check_usage, node_groups

MAX_OFFERS: Final = 1_000_000
"""Most offers of one inventory."""
MAX_WARNINGS: Final = 200
"""Warnings that one source is shown with; the rest is counted."""

_KIND = ("nodes", "gpu_count", "cpu_milli", "memory_mib")


@dataclass(frozen=True, slots=True)
class RawOffers:
    """Offers of one source, unsorted, as the source states them.

    Attributes
    ----------
    ids
        Offer ids.
    columns
        By name of `COLUMNS` or `DERIVED`, in base units, None (or -1, NaN) where the source says nothing.
        Columns that are missing are unknown, except: ``gpu_count`` is 0, ``billing`` is ``"node"``, and an
        unknown ``nodes`` is elastic.
    warnings
        What was skipped or guessed, one sentence each.
    source
        Where the offers came from, for people.
    usage
        What is used already, by row.
    where
        Where each row stands, for messages (``offers.3``, ``offers.csv:12``); empty is by its id.
    """

    ids: Sequence[str]
    columns: Mapping[str, Values]
    warnings: tuple[str, ...] = ()
    source: str = ""
    usage: Mapping[int, Usage] = field(default_factory=dict)
    where: Sequence[str] = ()

    def place(self, row: int) -> str:
        """Return where a row stands, for a message."""
        return self.where[row] if self.where else f"offer {self.ids[row]!r}"


def build_inventory(
    columns: Mapping[str, Values],
    ids: Sequence[str],
    *,
    usage: Mapping[int, Usage] | None = None,
    warnings: Iterable[str] = (),
    source: str = "",
    where: Sequence[str] = (),
    assume: object = None,
) -> Inventory:
    """Build an inventory from the columns of one source; see `RawOffers` and `combine`."""
    return combine([RawOffers(ids, columns, tuple(warnings), source, usage or {}, where)], assume=assume)


def combine(sources: Sequence[RawOffers], *, assume: object = None) -> Inventory:
    """Build an inventory from the offers of one or several sources.

    Rows that repeat an id and say the same are merged; where they say different things, none of them is
    taken, because nothing tells which is right. Both are reported.

    Parameters
    ----------
    sources
        Offers as read.
    assume
        Values for absent fields by provider or region, see `flare_core.inventory.assume`.

    Raises
    ------
    InventoryError
        If no offer is left, there are too many, or `assume` is wrong.
    """
    assumptions: Assumptions = {} if assume is None else read_assumptions(assume)
    raw = sources[0] if len(sources) == 1 else _joined(sources)
    if len(raw.ids) > MAX_OFFERS:
        raise InventoryError("", f"found {len(raw.ids)} offers, expected at most {MAX_OFFERS}")
    table = Table(raw.columns, len(raw.ids))
    rows, repeated = _distinct_ids(raw, table)
    table = table.take(rows)
    everywhere = np.zeros(len(rows), np.int64)
    table.fill("gpu_count", [0], everywhere)
    fill_gpu_facts(table)
    assumed = apply_assumptions(table, assumptions) if assumptions else []
    if assumptions:
        fill_gpu_facts(table)
    table.fill("billing", ["node"], everywhere)
    fill_place_facts(table)
    fill_gpu_kinds(table)
    misused = _misused(raw, table, rows)
    kept = np.array([i for i, row in enumerate(rows.tolist()) if row not in misused], np.int64)
    said = (*raw.warnings, *repeated, *(misused[row] for row in sorted(misused)), *assumed)
    if not len(kept):
        raise no_offers(raw.source, said)
    if len(kept) < len(rows):
        table, rows = table.take(kept), rows[kept]
    usage = {new: raw.usage[old] for new, old in enumerate(rows.tolist()) if raw.usage.get(old)}
    return _frozen(table, tuple(raw.ids[row] for row in rows.tolist()), usage, said, raw.source)


def empty_inventory(source: str = "", warnings: Iterable[str] = ()) -> Inventory:
    """Return an inventory without an offer: what a source says that can be reached and has nothing."""
    return _frozen(Table({}, 0), (), {}, tuple(warnings), source)


def no_offers(source: str, warnings: Sequence[str]) -> InventoryError:
    """Return the error for a source without a usable offer, saying what was wrong with the first ones."""
    because = "; ".join(warnings[:3])
    more = f" (and {len(warnings) - 3} more)" if len(warnings) > 3 else ""
    return InventoryError(
        source, f"found no usable offer, expected at least one{f': {because}' * bool(because)}{more}"
    )


def shortened(warnings: Sequence[str]) -> tuple[str, ...]:
    """Return at most `MAX_WARNINGS` warnings, the last one counting the rest."""
    if len(warnings) <= MAX_WARNINGS:
        return tuple(warnings)
    return (
        *warnings[:MAX_WARNINGS],
        f"{len(warnings) - MAX_WARNINGS} more warnings of this kind are not shown",
    )


def _distinct_ids(raw: RawOffers, table: Table) -> tuple[IntArray, list[str]]:
    """Return one row for each id that can be trusted, sorted by id, and warnings about the others."""
    order = sorted(range(len(raw.ids)), key=raw.ids.__getitem__)
    counts = Counter(raw.ids)
    if len(counts) == len(order):
        return np.array(order, np.int64), []
    says: dict[str, set[object]] = {}
    first: dict[str, int] = {}
    for row in order:
        name = raw.ids[row]
        first.setdefault(name, row)
        if counts[name] > 1:
            says.setdefault(name, set()).add((table.fingerprint(row), raw.usage.get(row) or None))
    conflicting = [name for name in says if len(says[name]) > 1]
    merged = [name for name in says if len(says[name]) == 1]
    warnings = [
        f"offer {name!r}: found {counts[name]} offers of this id that differ, skipped all"
        for name in conflicting
    ]
    if merged:
        extra = sum(counts[name] - 1 for name in merged)
        shown = ", ".join(merged[:5]) + (", ..." if len(merged) > 5 else "")
        warnings.append(f"merged {extra} offers that repeat another in every word: {shown}")
    return np.array([row for name, row in first.items() if len(says.get(name, ())) < 2], np.int64), list(
        shortened(warnings)
    )


def _misused(raw: RawOffers, table: Table, rows: IntArray) -> dict[int, str]:
    """Return a warning for each row, by its number in the source, whose use does not fit its nodes."""
    kinds = [table.whole(name) for name in _KIND]
    models, memory = table.labels["gpu_model"], table.whole("gpu_memory_mib")
    found: dict[int, str] = {}
    used = [(i, row) for i, row in enumerate(rows.tolist()) if raw.usage.get(row)] if raw.usage else []
    for i, row in used:
        try:
            check_usage(raw.usage[row], NodeKind(*(int(column[i]) for column in kinds)))
            check_layouts(raw.usage[row], models[i], int(memory[i]) if memory[i] >= 0 else None)
        except UsageError as error:
            found[row] = f"{raw.place(row)}.{error.path}: {error.message}; the offer is skipped"
    return found


def _frozen(
    table: Table, ids: tuple[str, ...], usage: Mapping[int, Usage], warnings: Sequence[str], source: str
) -> Inventory:
    nodes, gpus, cpu, memory = (table.whole(name) for name in _KIND)
    return Inventory(
        ids=ids,
        whole=freeze({name: array.astype(np.int64) for name, array in table.of("whole").items()}),
        number=freeze({name: array.astype(np.float64) for name, array in table.of("number").items()}),
        flag=freeze({name: array.astype(np.int8) for name, array in table.of("flag").items()}),
        label={name: frozen_labels(labels) for name, labels in table.labels.items()},
        groups=node_groups(nodes, gpus, cpu, memory, usage),
        warnings=tuple(warnings),
        source=source,
    )


def _joined(sources: Sequence[RawOffers]) -> RawOffers:
    """Put the offers of several sources one after the other."""
    tables = [Table(source.columns, len(source.ids)) for source in sources]
    starts = np.cumsum([0, *(len(source.ids) for source in sources)]).tolist()
    columns: dict[str, Values] = {
        name: np.concatenate([table.arrays[name] for table in tables]) for name in tables[0].arrays
    }
    for name in tables[0].labels:
        columns[name] = [
            value for table in tables for value in map(table.labels[name].__getitem__, range(table.size))
        ]
    return RawOffers(
        ids=[name for source in sources for name in source.ids],
        columns=columns,
        warnings=tuple(warning for source in sources for warning in source.warnings),
        source=", ".join(source.source for source in sources if source.source),
        usage={
            start + row: use
            for start, s in zip(starts, sources, strict=False)
            for row, use in s.usage.items()
        },
        where=[source.place(row) for source in sources for row in range(len(source.ids))],
    )
