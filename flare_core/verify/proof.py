"""What a plan claims about itself: its status, its objective, and how far that is proven to be the best."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flare_core.verify.capacity import Use
from flare_core.verify.figures import TOLERANCE, mean_carbon_g_per_h, same, throughput_step, throughputs
from flare_core.verify.offers import Offer
from flare_core.verify.told import Objective, Placed, Told, Violation, Violations

if TYPE_CHECKING:
    from flare_core.intent.types import Intent


def check_status(told: Told) -> Violations:
    """Check the plan's status against those of its placements, and what it proves."""
    statuses = {placed.status for placed in told.placements}
    if "placed" in statuses:
        allowed = ["feasible"] if "unknown" in statuses else ["optimal", "feasible"]
    elif "unknown" in statuses:
        allowed = ["unknown"]
    elif "queued" in statuses:
        allowed = ["optimal", "feasible"]
    else:
        allowed = ["infeasible"]
    if told.status not in allowed:
        found = (
            f"found {told.status}, expected {' or '.join(allowed)} where placements are {sorted(statuses)}"
        )
        yield Violation("status", "status", found)
    if "placed" in statuses and told.objective is None:
        yield Violation("objective", "objective", "found null in a plan that places an intent")
    claims = (told.objective, told.bound, told.gap)
    if "placed" not in statuses and claims != (None, None, None):
        found = f"found {claims} as objective, bound and gap of a plan that places nothing, expected null"
        yield Violation("objective", "objective", found)
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


def check_objective(intent: "Intent", told: Told, uses: Sequence[Use]) -> Violations:
    """Check the first term of a single intent, in its unit, and the side on which its bound lies."""
    objective, bound = told.objective, told.bound
    if told.placements[0].status != "placed" or objective is None:
        return
    if isinstance(objective, Mapping) or isinstance(bound, Mapping):
        yield Violation("objective", "objective", "found an object for a single intent, expected a number")
        return
    due = _first_term(intent, told.placements[0], uses)
    # A search counts TFLOPS and ms in whole thousandths.
    step = 1e-3 if intent.objective == "Latency_Minimization" else 0.0
    if intent.objective == "Performance_Maximization":
        step = throughput_step(intent, [(use.row, use.offer) for use in uses])
    if intent.objective == "Energy_Efficiency":
        step = 1e-6 * len(uses)  # each task is counted in whole micro-grams
    euro = intent.objective == "Cost_Minimization"
    if due is not None and not (
        round(objective * 1e6) == round(due * 1e6) if euro else same(objective, due, step)
    ):
        yield Violation("objective", "objective", f"found {objective}, expected {due}")
    if bound is not None:
        worse = objective - bound if intent.objective == "Performance_Maximization" else bound - objective
        if worse > step + TOLERANCE * max(1.0, abs(objective)):
            yield Violation("objective", "bound", f"found {bound}, and {objective} is better")


def _first_term(intent: "Intent", placed: Placed, uses: Sequence[Use]) -> float | None:
    """Return the value of the intent's first term; None where it depends on offers that are not used."""
    match intent.objective:
        case "Cost_Minimization":
            cost = placed.hourly_ueur if intent.workload.type == "service" else placed.total_ueur
            return None if cost is None else cost / 1e6
        case "Performance_Maximization":  # an unknown rating counts as 0
            return sum(filter(None, throughputs(intent, [(use.row, use.offer) for use in uses])))
        case "Latency_Minimization":
            return max((_latency_term(intent, use.offer) for use in uses), default=None)
        case "Energy_Efficiency":
            if placed.carbon_g_per_hour is None and intent.workload.type != "batch":
                return None
            return mean_carbon_g_per_h(intent, [(use.row, use.offer) for use in uses])
        case _:
            return None


def _latency_term(intent: "Intent", offer: Offer) -> float:
    """Return network latency in ms + 1 ms per second of cold start; unknown is the limit and 0."""
    latency = offer.latency_ms()
    known = intent.constraints.max_latency_ms if latency is None else latency
    return known + (offer.number("cold_start_s") or 0.0)
