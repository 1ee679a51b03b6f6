"""What of a plan runs: it stays where it is, and holds what it has there.

A placement runs from its start until its end: that of a batch in waves also between them, and with those that
are still to come. What has not begun is no part of this, nor what has ended.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from flare_core.errors import OptionsError, found_expected
from flare_core.inventory.held import Held
from flare_core.inventory.types import UNKNOWN, IntArray, Inventory
from flare_core.placement.ledger import Demand, demand
from flare_core.placement.nodes import card_at
from flare_core.placement.occupied import with_busy
from flare_core.placement.packing import Ask, Load, totals
from flare_core.placement.types import Assignments, Headroom, Outcome, Placement, Plan, Status
from flare_core.requirements.types import Requirements
from flare_core.sharing.cards import MILLI, fraction
from flare_core.verify.told import HasDocument, Misshapen, Placed, Row, read_told


@dataclass(frozen=True, slots=True)
class Running:
    """A placement that has begun and not ended: as it was read, as it was written, what was warned of."""

    placed: Placed
    document: Mapping[str, Any]
    warnings: tuple[str, ...]


def running(
    current: HasDocument | Mapping[str, Any], now: datetime, *, ahead: bool = False
) -> dict[str, Running]:
    """Return what runs of a plan, or of its document, by the name of its intent.

    Parameters
    ----------
    ahead
        What has not begun counts as well.

    Raises
    ------
    OptionsError
        If it is not the document of a plan; its path is inside ``current``.
    """
    document = current if isinstance(current, Mapping) else current.to_dict()
    try:
        told = read_told(document)
    except Misshapen as wrong:
        path = f"current.{wrong.violation.path}" if wrong.violation.path else "current"
        raise OptionsError(path, wrong.violation.message) from None
    written = document["placements"]
    assert isinstance(written, Sequence)
    alone = len(told.placements) == 1
    found: dict[str, Running] = {}
    for i, (placed, own) in enumerate(zip(told.placements, written, strict=True)):
        if placed.intent in found:
            message = found_expected(placed.intent, "a name that no other placement has")
            raise OptionsError(f"current.placements.{i}.intent", message)
        if _runs(placed, now, ahead=ahead):
            said = (text for text in told.warnings if alone or text.startswith(f"{placed.intent}: "))
            found[placed.intent] = Running(placed, own, tuple(said))
    return found


def _runs(placed: Placed, now: datetime, *, ahead: bool) -> bool:
    if placed.status != "placed" or placed.start is None:
        return False
    return (ahead or placed.start <= now) and (placed.end is None or now < placed.end)


# --- what it holds -----------------------------------------------------------------------------------


def beside(
    inventory: Inventory, runs: Iterable[Running], needs: Mapping[str, Requirements], now: datetime
) -> Inventory:
    """Return the inventory, seen from `now`, with what runs as busy.

    What tasks of intents that are not in `needs` take beside their GPUs is taken to be the same part of the
    node's cores and memory as of its GPUs, all of them without GPUs. Offers that are gone hold nothing.
    """
    return with_busy(inventory, [one for run in runs for one in _held(inventory, run.placed, needs, now)])


def _held(
    inventory: Inventory, placed: Placed, needs: Mapping[str, Requirements], now: datetime
) -> Iterator[Held]:
    known = needs.get(placed.intent)
    rows = {offer: row for row, offer in enumerate(inventory.ids)}
    for row in placed.rows:
        if row.offer not in rows or (row.end is not None and row.end <= now):
            continue
        offer = rows[row.offer]
        card = card_at(inventory, int(inventory.groups.offer.searchsorted(offer)))
        # Thousandths were rounded down, so the slots they stand for are found upwards.
        slots = -(-(row.gpu_milli or 0) * card.slots // MILLI) if card is not None else 0
        yield Held(
            offer,
            row.node,
            row.gpus,
            *(_in_proportion(inventory, offer, row) if known is None else demand(known)),
            start=int((row.start - now).total_seconds()),
            end=None if row.end is None else int((row.end - now).total_seconds()),
            slots=slots,
            profile=row.mig_profile,
        )


def _in_proportion(inventory: Inventory, offer: int, row: Row) -> Demand:
    gpus, whole = int(inventory.whole["gpu_count"][offer]), inventory.whole
    amounts = [max(0, int(whole[name][offer])) for name in ("cpu_milli", "memory_mib")]
    if not row.gpus or gpus <= 0:
        return Demand(amounts[0], amounts[1], 0)
    part, of = _share(inventory, offer, row)
    cpu, memory = (-(-amount * len(row.gpus) * part // (gpus * of)) for amount in amounts)
    return Demand(cpu, memory, 0)


def _share(inventory: Inventory, offer: int, row: Row) -> tuple[int, int]:
    """Return the part of each of its GPUs that a task has, as numerator and denominator."""
    if row.gpu_milli is not None:
        return row.gpu_milli, MILLI
    card = card_at(inventory, int(inventory.groups.offer.searchsorted(offer)))
    if row.mig_profile is None or card is None or card.slots:
        return 1, 1
    return fraction(card, row.mig_profile)


# --- what it is worth --------------------------------------------------------------------------------


def worth(ask: Ask, placed: Placed, inventory: Inventory) -> int | None:
    """Return the primary value of a placement that runs, None where the intent would not be there today."""
    loads: dict[tuple[int, int, int], int] = {}
    for row in placed.rows:
        j = _candidate(ask, row, inventory)
        if j is None or placed.start is None:
            return None
        at = (j, row.node, int((row.start - placed.start).total_seconds()))
        loads[at] = loads.get(at, 0) + 1
    first = {int(j): g for g, j in reversed(list(enumerate(ask.found.group_candidate.tolist())))}
    if any(j not in first for j, _, _ in loads):
        return None
    own = tuple(Load(j, first[j], node, tasks, start) for (j, node, start), tasks in sorted(loads.items()))
    return totals(ask, own).primary


def _candidate(ask: Ask, row: Row, inventory: Inventory) -> int | None:
    found = ask.found
    if row.offer not in inventory.ids:
        return None
    same = (found.rows == inventory.row(row.offer)) & (found.spot == row.spot)
    same &= found.efficiency_ppm == round(row.efficiency * 1e6)
    return int(np.flatnonzero(same)[0]) if same.any() else None


# --- the whole plan ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """What runs, what asks for it, and its primary value today (0 where it would not be there today)."""

    run: Running
    ask: Ask
    primary: int


def joined(
    names: Sequence[str],
    planned: Plan | None,
    kept: Mapping[str, Kept],
    inventory: Inventory,
    wall_time_s: float,
) -> Plan:
    """Return the plan of all intents: what was planned, and what is kept.

    Parameters
    ----------
    names
        The intents, in order.
    planned
        The plan of those that do not run, in the same order; None where there are none.
    """
    nothing = Plan(
        outcome=Outcome.OPTIMAL,
        objective=None,
        bound=None,
        gap=None,
        wall_time_s=wall_time_s,
        warnings=(),
        placements=(),
        assignments=_rows((), 0, inventory),
        inventory=inventory,
    )
    base = nothing if planned is None else replace(planned, wall_time_s=wall_time_s)
    rest = iter(range(len(base.placements)))
    placements: list[Placement] = []
    rows: list[Assignments] = []
    at = 0
    for i, name in enumerate(names):
        if name in kept:
            placement, own = _placement(kept[name].run), _rows(kept[name].run.placed.rows, i, base.inventory)
        else:
            placement = base.placements[next(rest)]
            own = _moved(base.assignments, placement.rows, i)
        placements.append(replace(placement, rows=slice(at, at + len(own))))
        rows.append(own)
        at += len(own)
    plan = replace(base, placements=tuple(placements), assignments=_together(rows))
    return _proven(_with_reasons(plan, names, base, kept), planned, kept)


def _with_reasons(plan: Plan, names: Sequence[str], base: Plan, kept: Mapping[str, Kept]) -> Plan:
    funnels, seconds = iter(base.funnels), iter(base.runners_up)
    said = [
        text if len(names) == 1 or text.startswith(f"{name}: ") else f"{name}: {text}"
        for name in names
        if name in kept
        for text in kept[name].run.warnings
    ]
    return replace(
        plan,
        funnels=tuple(kept[name].ask.found.funnel if name in kept else next(funnels) for name in names),
        runners_up=tuple(None if name in kept else next(seconds) for name in names),
        warnings=tuple(dict.fromkeys((*said, *base.warnings))),
    )


def _placement(run: Running) -> Placement:
    told, document = run.placed, run.document
    replicas = told.headroom
    return Placement(
        intent=told.intent,
        status=Status.PLACED,
        relaxed=tuple(document["relaxed"]),
        hourly_ueur=told.hourly_ueur,
        total_ueur=told.total_ueur,
        start=told.start,
        end=told.end,
        latency_ms=told.latency_ms,
        carbon_g_per_hour=told.carbon_g_per_hour,
        performance_tflops=told.performance_tflops,
        availability_percent=told.availability_percent,
        headroom=None if replicas is None else Headroom(*replicas),
        kept=document,
    )


def _rows(rows: Sequence[Row], number: int, inventory: Inventory) -> Assignments:
    """Return the rows of a placement that runs as columns.

    Raises
    ------
    OptionsError
        If an offer is gone on which an intent of the plan runs.
    """
    for row in rows:
        if row.offer not in inventory.ids:
            message = found_expected(row.offer, "an offer of the inventory: the intent runs there")
            raise OptionsError(f"current.{row.path}.offer", message)
    gpus = [row.gpus for row in rows]

    def column(values: Iterable[int]) -> IntArray:
        return np.array(list(values), np.int64)

    return Assignments(
        placement=column(number for _ in rows),
        task=column(row.task for row in rows),
        offer=column(inventory.row(row.offer) for row in rows),
        node=column(row.node for row in rows),
        spot=np.array([row.spot for row in rows], np.bool_),
        hourly_ueur=column(row.hourly_ueur for row in rows),
        start_s=column(int(row.start.timestamp()) for row in rows),
        end_s=column(UNKNOWN if row.end is None else int(row.end.timestamp()) for row in rows),
        efficiency=np.array([row.efficiency for row in rows], np.float64),
        mig_profile=tuple(row.mig_profile for row in rows),
        gpu_milli=column(UNKNOWN if row.gpu_milli is None else row.gpu_milli for row in rows),
        gpu_offsets=np.concatenate([[0], np.cumsum([len(own) for own in gpus])]).astype(np.int64),
        gpu_indices=column(gpu for own in gpus for gpu in own),
    )


def _moved(a: Assignments, rows: slice, number: int) -> Assignments:
    """Return some rows as those of placement `number`."""
    first, last = a.gpu_offsets[rows.start], a.gpu_offsets[rows.stop]
    columns = {name: getattr(a, name)[rows] for name in _PER_ROW}
    columns["placement"] = np.full(rows.stop - rows.start, number, np.int64)
    offsets = a.gpu_offsets[rows.start : rows.stop + 1] - first
    return Assignments(**columns, gpu_offsets=offsets, gpu_indices=a.gpu_indices[first:last])


def _together(parts: Sequence[Assignments]) -> Assignments:
    """Put rows one after the other."""
    columns = {name: np.concatenate([getattr(a, name) for a in parts]) for name in _PER_ROW if name != _TEXTS}
    lengths = np.concatenate([np.diff(a.gpu_offsets) for a in parts])
    return Assignments(
        **columns,
        mig_profile=tuple(profile for a in parts for profile in a.mig_profile),
        gpu_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        gpu_indices=np.concatenate([a.gpu_indices for a in parts]),
    )


_TEXTS = "mig_profile"
_PER_ROW = tuple(
    name for name in Assignments.__dataclass_fields__ if name not in ("gpu_offsets", "gpu_indices")
)


def _proven(plan: Plan, planned: Plan | None, kept: Mapping[str, Kept]) -> Plan:
    """Return the plan with what is proven of it: that what runs stays is given."""
    if not kept:
        return plan
    best = [one.ask.score.public(one.primary) for one in kept.values()]
    if len(plan.placements) == 1:
        return replace(plan, outcome=Outcome.OPTIMAL, objective=best[0], bound=best[0], gap=0.0)
    base, number = round(sum(best), 6), float(len(best))
    outcome = Outcome.OPTIMAL if planned is None else _outcome(planned.outcome)
    placed, scaled = _parts(None if planned is None else planned.objective)
    objective = {"placed": number + placed, "scaled": round(base + scaled, 6)}
    if outcome is Outcome.OPTIMAL or planned is None:
        return replace(plan, outcome=outcome, objective=objective, bound=objective, gap=0.0)
    most, least = _parts(planned.bound)
    if planned.bound is None or (isinstance(planned.bound, Mapping) and "scaled" not in planned.bound):
        most = float(len(planned.placements))
        gap = _gap(number + placed, number + most)
        return replace(plan, outcome=outcome, objective=objective, bound={"placed": number + most}, gap=gap)
    bound = {"placed": number + most, "scaled": round(base + least, 6)}
    gap = _gap(objective["scaled"], bound["scaled"])
    return replace(plan, outcome=outcome, objective=objective, bound=bound, gap=gap)


def _gap(best: float, bound: float) -> float:
    return round(abs(best - bound) / max(abs(best), abs(bound), 1e-9), 9)


def _outcome(planned: Outcome) -> Outcome:
    """Return what is known of a plan in which somebody runs."""
    return {Outcome.INFEASIBLE: Outcome.OPTIMAL, Outcome.UNKNOWN: Outcome.FEASIBLE}.get(planned, planned)


def _parts(objective: float | Mapping[str, float] | None) -> tuple[float, float]:
    """Return (intents placed, sum of the scaled objectives) of a plan of several intents or of one."""
    if objective is None:
        return 0.0, 0.0
    if isinstance(objective, Mapping):
        return objective["placed"], objective.get("scaled", 0.0)
    return 1.0, objective
