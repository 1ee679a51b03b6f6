"""Holding a plan against the intents and the inventory."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from flare_core.quantities import format_rate
from flare_core.verify.capacity import Use, check_capacity
from flare_core.verify.figures import TOLERANCE, check_figures, same
from flare_core.verify.offers import Offer, Origin, rules_of
from flare_core.verify.preferences import check_preferences
from flare_core.verify.prices import check_prices
from flare_core.verify.rows import check_rows, check_tasks, check_warned, tasks_of
from flare_core.verify.told import (
    HasDocument,
    Misshapen,
    Objective,
    Placed,
    Row,
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

    Returns
    -------
    tuple of Violation
        Everything that is wrong, in the order of the document; empty for a good plan.
        A document that is not of the right shape yields one violation, at the first field that is not.
    """
    try:
        told = read_told(plan if isinstance(plan, Mapping) else plan.to_dict())
    except Misshapen as misshapen:
        return (misshapen.violation,)
    return tuple(_check(told, intents, inventory, origin))


def _check(told: Told, intents: Sequence["Intent"], inventory: "Inventory", origin: Origin) -> Violations:
    names = [intent.workload.name for intent in intents]
    if [placed.intent for placed in told.placements] != names:
        found = (
            f"found {[placed.intent for placed in told.placements]}, expected the intents in order, {names}"
        )
        yield Violation("shape", "placements", found)
        return
    yield from _check_status(told)
    uses: list[Use] = []
    for intent, placed in zip(intents, told.placements, strict=True):
        if placed.status != "placed":
            yield from _check_empty(placed)
            continue
        used: Used = []
        for row in placed.rows:
            try:
                used.append((row, Offer(inventory, inventory.row(row.offer), origin)))
            except KeyError:
                yield Violation("offer", f"{row.path}.offer", f"found {row.offer!r}, which is no offer")
        yield from _check_placed(intent, placed, used, told.warnings)
        uses += (Use(intent, placed.path, row, offer) for row, offer in used)
    yield from check_capacity(inventory, uses)
    if len(intents) == 1:
        yield from _check_objective(intents[0], told, uses)


def _check_placed(intent: "Intent", placed: Placed, used: Used, warnings: Sequence[str]) -> Violations:
    for path in unsupported(intent):
        yield Violation("unsupported", placed.path, f"{path} cannot be checked yet, and is not placed")
    if placed.rejected:
        yield Violation("status", f"{placed.path}.error", "found an error on a placed intent")
    yield from check_tasks(intent, placed)
    yield from check_rows(intent, rules_of(intent), placed, used)
    yield from check_preferences(intent, placed, used)
    yield from check_warned(intent, placed, warnings)
    # Sums over offers that do not exist would say the same thing again.
    if used and len(used) == len(placed.rows):
        yield from check_prices(intent, placed, used)
        yield from check_figures(intent, placed, used)
        yield from _check_headroom(intent, placed)


def unsupported(intent: "Intent") -> Iterator[str]:
    """Return the paths of fields that are refused before placement."""
    gpu = intent.workload.resources.gpu
    if gpu is not None and gpu.multi_instance:
        yield "workload.resources.gpu.multi_instance"
    if gpu is not None and gpu.count >= 2 and gpu.topology != "any":
        yield "workload.resources.gpu.topology"
    if gpu is not None and gpu.multi_gpu_efficiency is not None:
        yield "workload.resources.gpu.multi_gpu_efficiency"
    if intent.constraints.availability is not None:
        yield "constraints.availability"


def _check_empty(placed: Placed) -> Violations:
    """Check that an intent that is not placed has no place and no figures."""
    figures = {
        "hourly_cost": placed.hourly_ueur,
        "total_cost": placed.total_ueur,
        "start_time": placed.start,
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
    # Only negotiation stretches what is then offered.
    if placed.relaxed and placed.status != "queued":
        found = f"found {len(placed.relaxed)} entries for an intent that is {placed.status}"
        yield Violation("status", f"{placed.path}.relaxed", found)
    if placed.rejected != (placed.status == "rejected"):
        expected = "an error object" if placed.status == "rejected" else "null"
        yield Violation("status", f"{placed.path}.error", f"an intent that is {placed.status} has {expected}")


def _check_status(told: Told) -> Violations:
    """Check the plan's status against those of its placements, and what it proves."""
    statuses = {placed.status for placed in told.placements}
    if "placed" in statuses:
        allowed = ["feasible"] if "unknown" in statuses else ["optimal", "feasible"]
    elif "unknown" in statuses:
        allowed = ["unknown"]
    elif "queued" in statuses:
        allowed = ["optimal", "feasible", "infeasible"]
    else:
        allowed = ["infeasible"]
    if told.status not in allowed:
        found = (
            f"found {told.status}, expected {' or '.join(allowed)} where placements are {sorted(statuses)}"
        )
        yield Violation("status", "status", found)
    if "placed" in statuses and told.objective is None:
        yield Violation("objective", "objective", "found null in a plan that places an intent")
    if told.status == "optimal":
        yield from _check_proof(told)
    placed = sum(placed.status == "placed" for placed in told.placements)
    if isinstance(told.objective, Mapping) and told.objective.get("placed") != placed:
        yield Violation("objective", "objective.placed", f"found {told.objective}, expected {placed} placed")


def _check_proof(told: Told) -> Violations:
    if told.gap != 0 and told.objective is not None:
        yield Violation("objective", "gap", f"found {told.gap} in a plan that is proven best, expected 0")
    if not _same_objective(told.objective, told.bound):
        yield Violation("objective", "bound", f"found {told.bound}, expected the objective, {told.objective}")


def _same_objective(a: Objective, b: Objective) -> bool:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return not isinstance(a, Mapping) and not isinstance(b, Mapping) and same(a, b)


def _check_objective(intent: "Intent", told: Told, uses: Sequence[Use]) -> Violations:
    """Check the first term of a single intent, in its unit, and the side on which its bound lies."""
    placed = told.placements[0]
    if placed.status != "placed" or told.objective is None:
        return
    if isinstance(told.objective, Mapping) or isinstance(told.bound, Mapping):
        yield Violation("objective", "objective", "found an object for a single intent, expected a number")
        return
    due = _first_term(intent, placed, uses)
    if due is not None and not same(told.objective, due):
        yield Violation("objective", "objective", f"found {told.objective}, expected {due}")
    if told.bound is not None:
        more = told.bound - told.objective
        wrong = -more if intent.objective == "Performance_Maximization" else more
        if wrong > TOLERANCE * max(1.0, abs(told.objective)):
            yield Violation(
                "objective", "bound", f"found {told.bound}, which {told.objective} is better than"
            )


def _first_term(intent: "Intent", placed: Placed, uses: Sequence[Use]) -> float | None:
    """Return the value of the intent's first term; None where it depends on offers that are not used."""
    match intent.objective:
        case "Cost_Minimization":
            cost = placed.hourly_ueur if intent.workload.type == "service" else placed.total_ueur
            return None if cost is None else cost / 1e6
        case "Performance_Maximization":
            return placed.performance_tflops
        case "Latency_Minimization":
            return max((_latency_term(intent, use.offer) for use in uses), default=None)
        case "Energy_Efficiency":
            return placed.carbon_g_per_hour
        case _:
            return None


def _latency_term(intent: "Intent", offer: Offer) -> float:
    """Return network latency in ms + 1 ms per second of cold start; unknown is the limit and 0."""
    latency = offer.latency_ms()
    known = intent.constraints.max_latency_ms if latency is None else latency
    return known + (offer.number("cold_start_s") or 0.0)


def _check_headroom(intent: "Intent", placed: Placed) -> Violations:
    """Check that the headroom is in range and within the budget."""
    scaling, path = intent.workload.scaling, f"{placed.path}.headroom"
    if not (intent.workload.type == "service" and scaling.auto_scale):
        if placed.headroom is not None:
            yield Violation("headroom", path, "found one, expected null without auto_scale")
        return
    if placed.headroom is None or placed.hourly_ueur is None:
        yield Violation("headroom", path, "found null, expected one with auto_scale")
        return
    replicas, hourly = placed.headroom
    most, budget = scaling.max_replicas - tasks_of(intent), intent.constraints.max_hourly_cost
    if replicas > most:
        yield Violation("headroom", f"{path}.replicas", f"found {replicas}, expected at most {most}")
    if hourly < placed.hourly_ueur or (replicas == 0 and hourly != placed.hourly_ueur):
        least = format_rate(placed.hourly_ueur)
        found = f"found {format_rate(hourly)} for all replicas, and those placed cost {least}"
        yield Violation("headroom", f"{path}.hourly_cost", found)
    if budget is not None and hourly > budget:
        found = f"{format_rate(hourly)} is above constraints.max_hourly_cost, {format_rate(budget)}"
        yield Violation("headroom", f"{path}.hourly_cost", found)
