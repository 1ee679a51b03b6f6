"""Holding a plan against the intents and the inventory."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from flare_core.quantities import parse_moment
from flare_core.verify.capacity import Use, check_capacity
from flare_core.verify.efficiency import check_efficiency
from flare_core.verify.figures import check_figures
from flare_core.verify.offers import Offer, Origin, rules_of
from flare_core.verify.preferences import check_preferences
from flare_core.verify.prices import check_headroom, check_prices
from flare_core.verify.proof import check_objective, check_status
from flare_core.verify.rows import check_rows, check_tasks, check_warned
from flare_core.verify.runs import Runs, check_runs, runs_of
from flare_core.verify.terms import NEGOTIABLE, given_way, patched_by
from flare_core.verify.told import (
    HasDocument,
    Misshapen,
    Offered,
    Placed,
    Row,
    Suggested,
    Told,
    Violation,
    Violations,
    read_told,
)

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.inventory.types import Inventory

Used = list[tuple[Row, Offer]]


def verify(
    plan: HasDocument | Mapping[str, object],
    intents: Sequence["Intent"],
    inventory: "Inventory",
    *,
    origin: Origin = None,
    current: HasDocument | Mapping[str, object] | None = None,
    now: str | datetime | None = None,
    held: Sequence["Intent"] | None = None,
    migration: bool = False,
) -> tuple[Violation, ...]:
    """Check a plan against the intents and the inventory that it was made for.

    Parameters
    ----------
    plan
        A plan, or its document (``Plan.to_dict()``, or the same read from JSON).
    intents
        The intents, in the order in which they were given to `place`.
    inventory
        The inventory that was given to `place`.
    origin
        Where the consumer sits, as in `Options`; decides which latencies count as estimated.
    current
        The plan that was given to `place`, or its document: what runs of it is looked at as it was, and what
        begins has to fit beside it.
    now
        The moment of the plan, with which nothing new may begin before it; needed beside ``current``.
    held
        Intents of ``current`` that are not among `intents`, where all that is placed there stays, begun or
        not, as `Engine` has it.
    migration
        Whether services that run may have been moved, as with the ``migration_cost`` of `Options`; who was
        moved is checked as one that begins now. Whether it paid is not.

    Returns
    -------
    tuple of Violation
        Everything that is wrong, in the order of the document; empty for a good plan.
        A document that is not of the right shape yields one violation, at the first field that is not.

    Raises
    ------
    ValueError
        If ``current`` is given without ``now``.
    """
    moment = None if now is None else parse_moment(now).replace(microsecond=0)
    runs = Runs()
    try:
        document = _document(plan)
        told = read_told(document)
        if current is not None:
            runs = runs_of(_document(current), _needed(moment), ahead=held is not None)
            runs = runs.staying(document, told, intents) if migration else runs
    except Misshapen as misshapen:
        return (misshapen.violation,)
    wrong = _check(told, intents, inventory, origin, runs, held or ())
    return (*wrong, *check_runs(document, told, runs, moment))


def _needed(moment: datetime | None) -> datetime:
    if moment is None:
        raise ValueError("found current without now, expected the moment of the plan beside it")
    return moment


def _document(plan: HasDocument | Mapping[str, object]) -> Mapping[str, object]:
    return plan if isinstance(plan, Mapping) else plan.to_dict()


def _check(
    told: Told,
    intents: Sequence["Intent"],
    inventory: "Inventory",
    origin: Origin,
    runs: Runs,
    held: Sequence["Intent"],
) -> Violations:
    names = [intent.workload.name for intent in intents]
    if [placed.intent for placed in told.placements] != names:
        found = (
            f"found {[placed.intent for placed in told.placements]}, expected the intents in order, {names}"
        )
        yield Violation("shape", "placements", found)
        return
    yield from check_status(told)
    asked, uses = list(intents), list[Use]()
    for i, placed in enumerate(told.placements):
        if placed.intent in runs.kept:
            continue  # as it was, which is what is asked of it
        if placed.status == "placed":
            asked[i], used = yield from _check_given(intents[i], placed, told, inventory, origin)
            uses += used
        else:
            yield from _check_empty(placed)
        if placed.offer is not None:
            yield from _check_offer(placed, placed.offer)
            _, used = yield from _check_given(intents[i], placed.offer.placement, told, inventory, origin)
            uses += used
        for suggested in placed.suggestions:
            yield from _check_suggested(intents[i], suggested, told, inventory, origin)
    # Offers are made beside what is placed and beside each other.
    yield from check_capacity(inventory, uses, runs.taken(inventory, [*intents, *held]))
    if len(intents) == 1 and not runs.kept.keys() & {*names}:
        yield from check_objective(asked[0], told, uses)


def _check_given(
    intent: "Intent", placed: Placed, told: Told, inventory: "Inventory", origin: Origin
) -> Generator[Violation, None, tuple["Intent", list[Use]]]:
    """Check a placement against the intent as changed by what gave way; return that, and what is used."""
    offered = ".offer." in placed.path
    given = given_way(intent, placed.relaxed, f"{placed.path}.relaxed", offered=offered)
    yield from given.wrong
    used: Used = []
    for row in placed.rows:
        try:
            used.append((row, Offer(inventory, inventory.row(row.offer), origin)))
        except KeyError:
            yield Violation("offer", f"{row.path}.offer", f"found {row.offer!r}, which is no offer")
    own = tuple(entry for entry in placed.relaxed if entry not in given.entries)
    yield from _check_placed(given.intent, replace(placed, relaxed=own), used, told.warnings)
    return given.intent, [Use(given.intent, placed.path, row, offer) for row, offer in used]


def _check_offer(placed: Placed, offer: Offered) -> Violations:
    """Check that an offer is one to a queued intent, and says what gives way in it."""
    inner, path = offer.placement, offer.path
    if (placed.status, inner.status, inner.intent) != ("queued", "placed", placed.intent):
        found = f"found {inner.intent} {inner.status} for {placed.intent} {placed.status}"
        yield Violation("status", path, f"{found}, expected a placement for the intent that is queued")
    for at, entries in ((f"{path}.stretched", offer.stretched), (f"{placed.path}.relaxed", placed.relaxed)):
        due = tuple(entry for entry in inner.relaxed if entry.path in NEGOTIABLE)
        if entries != due or not due:
            yield Violation("terms", at, "found something else than what gives way in the offered placement")


def _check_suggested(
    intent: "Intent", suggested: Suggested, told: Told, inventory: "Inventory", origin: Origin
) -> Violations:
    """Check what is suggested as a placement of its own: of the intent under the patch, on the inventory."""
    placed, changed = suggested.placement, patched_by(intent, suggested.patch)
    if changed is None or (placed.status, placed.intent) != ("placed", changed.name):
        found = f"found {placed.status} {placed.intent}, expected a placement of the intent under the patch"
        yield Violation("terms", suggested.path, found)
        return
    # What is assumed of a plan that is not made is not warned of.
    _, used = yield from _check_given(changed, placed, replace(told, warnings=("",)), inventory, origin)
    yield from check_capacity(inventory, used)
    if suggested.hourly_ueur != placed.hourly_ueur:
        yield Violation("price", f"{suggested.path}.hourly_cost", "found another price than the placement's")


def _check_placed(intent: "Intent", placed: Placed, used: Used, warnings: Sequence[str]) -> Violations:
    if placed.rejected:
        yield Violation("status", f"{placed.path}.error", "found an error on a placed intent")
    if placed.offer is not None:
        yield Violation("status", placed.offer.path, "found an offer to an intent that is placed")
    yield from check_tasks(intent, placed)
    wrong = list(check_rows(intent, rules_of(intent), placed, used))
    yield from wrong
    # How GPUs are linked is a question to GPUs that exist.
    if not any(violation.rule in ("gpus", "share") for violation in wrong):
        yield from check_preferences(intent, placed, used)
        yield from check_efficiency(intent, used)
    yield from check_warned(intent, placed, warnings)
    # Sums over offers that do not exist would say the same thing again.
    if used and len(used) == len(placed.rows):
        yield from check_prices(intent, placed, used)
        yield from check_figures(intent, placed, used)
        yield from check_headroom(intent, placed)


def _check_empty(placed: Placed) -> Violations:
    """Check that an intent that is not placed has no place and no figures."""
    figures = {
        "hourly_cost": placed.hourly_ueur,
        "total_cost": placed.total_ueur,
        # Who waits may be told when there could be room.
        "start_time": None if placed.status == "queued" and placed.offer is None else placed.start,
        "end_time": placed.end,
        "latency_ms": placed.latency_ms,
        "carbon_g_per_hour": placed.carbon_g_per_hour,
        "performance_tflops": placed.performance_tflops,
        "availability_percent": placed.availability_percent,
        "headroom": placed.headroom,
    }
    for name, figure in figures.items():
        if figure is not None:
            found = f"found {figure} for an intent that is {placed.status}, expected null"
            yield Violation("status", f"{placed.path}.{name}", found)
    if placed.rows:
        found = f"found {len(placed.rows)} for an intent that is {placed.status}, expected none"
        yield Violation("status", f"{placed.path}.assignments", found)
    if placed.relaxed and placed.offer is None:  # what is offered gives way in something
        found = f"found {len(placed.relaxed)} entries for an intent that is {placed.status}"
        yield Violation("status", f"{placed.path}.relaxed", found)
    if placed.rejected != (placed.status == "rejected"):
        expected = "an error object" if placed.status == "rejected" else "null"
        yield Violation("status", f"{placed.path}.error", f"an intent that is {placed.status} has {expected}")
