"""Ways to break a valid plan: every document that comes out says or does something that it must not.

A kind of damage is a function that breaks a copy of the plan in place, or returns False where it would break
nothing: moving a task to another free node of its offer is a plan as good as the first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from flare_core.intent import Intent
from flare_core.inventory.types import Inventory
from flare_core.quantities import (
    Rounding,
    format_eur,
    format_moment,
    format_rate,
    parse_moment,
    parse_money_ueur,
    parse_rate_ueur_per_h,
)

Json = dict[str, Any]
FIGURES = ("latency_ms", "carbon_g_per_hour", "performance_tflops", "availability_percent")


@dataclass(frozen=True, slots=True)
class Damage:
    """A copy of the plan that is being broken, and what the plan was made for."""

    plan: Json
    intents: Sequence[Intent]
    inventory: Inventory
    rng: Random

    @property
    def placed(self) -> list[Json]:
        return [each for each in self.plan["placements"] if each["status"] == "placed"]

    def placement(self) -> Json:
        """Return some placement that is placed."""
        return self.rng.choice(self.placed)

    def row(self) -> Json:
        """Return some assignment."""
        return self.rng.choice([row for each in self.placed for row in each["assignments"]])

    def rows(self) -> list[tuple[Json, Json]]:
        """Return every assignment with its placement."""
        return [(each, row) for each in self.placed for row in each["assignments"]]

    def intent(self, placement: Json) -> Intent:
        return next(intent for intent in self.intents if intent.name == placement["intent"])

    def says(self, row: Json, column: str) -> Any:
        return self.inventory.value(column, self.inventory.row(row["offer"]))


Kind = Callable[[Damage], bool | None]


def corruptions(
    plan_document: Mapping[str, Any], intents: Sequence[Intent], inventory: Inventory, rng: Random
) -> Iterator[tuple[str, Json]]:
    """Return broken copies of a valid plan, each with the name of what was done to it.

    Parameters
    ----------
    plan_document
        A plan that keeps every rule.
    intents, inventory
        What it was made for.
    rng
        Chooses the places; the kinds come in a fixed order, each at most once.
    """
    placed = any(each["status"] == "placed" for each in plan_document["placements"])
    for kind in (*ANYWHERE, *(ON_PLACED if placed else ())):
        damage = Damage(deepcopy(dict(plan_document)), intents, inventory, rng)
        if kind(damage) is not False:
            assert damage.plan != plan_document, f"{kind.__name__} broke nothing"
            yield kind.__name__, damage.plan


# --- money ---------------------------------------------------------------------------------------


def _rate_plus(part: Json, key: str, more: int) -> bool | None:
    price = parse_rate_ueur_per_h(part[key], Rounding.UP) + more
    if price < 0:
        return False
    part[key] = format_rate(price)
    return None


def row_a_micro_euro_dearer(d: Damage) -> bool | None:
    return _rate_plus(d.row(), "hourly_cost", 1)


def row_a_micro_euro_cheaper(d: Damage) -> bool | None:
    return _rate_plus(d.row(), "hourly_cost", -1)


def sum_a_micro_euro_dearer(d: Damage) -> bool | None:
    return _rate_plus(d.placement(), "hourly_cost", 1)


def sum_a_micro_euro_cheaper(d: Damage) -> bool | None:
    return _rate_plus(d.placement(), "hourly_cost", -1)


def row_and_sum_agree_on_a_wrong_price(d: Damage) -> bool | None:
    placement = d.placement()
    _rate_plus(d.rng.choice(placement["assignments"]), "hourly_cost", 1)
    return _rate_plus(placement, "hourly_cost", 1)


def total_a_micro_euro_off(d: Damage) -> bool | None:
    placement = d.placement()
    if placement["total_cost"] is None:
        placement["total_cost"] = "1.00 EUR"
        return None
    total = parse_money_ueur(placement["total_cost"], Rounding.UP)
    placement["total_cost"] = format_eur(total + (d.rng.choice((1, -1)) if total else 1))
    return None


def total_of_an_end_left_out(d: Damage) -> bool | None:
    placement = d.placement()
    if placement["total_cost"] is None:
        return False
    placement["total_cost"] = None
    return None


def node_price_on_a_later_task(d: Damage) -> bool | None:
    """The sum stays right; the first task on the node must carry the price."""
    for placement, first in d.rows():
        for later in placement["assignments"]:
            on_one = (later["offer"], later["node"]) == (first["offer"], first["node"])
            if later is not first and on_one and later["hourly_cost"] != first["hourly_cost"]:
                first["hourly_cost"], later["hourly_cost"] = later["hourly_cost"], first["hourly_cost"]
                return None
    return False


def another_currency(d: Damage) -> bool | None:
    placement = d.placement()
    placement["hourly_cost"] = placement["hourly_cost"].replace("EUR", "USD")
    return None


def dearer_than_the_budget(d: Damage) -> bool | None:
    """Every task goes to an offer at which one task alone is above the budget, names and sums told right."""
    for placement in d.placed:
        budget = d.intent(placement).constraints.max_hourly_cost
        gpus = len(placement["assignments"][0]["gpus"])
        if budget is None or not gpus:
            continue
        for offer in range(len(d.inventory)):
            price, count = (int(d.inventory.value(c, offer) or 0) for c in ("hourly_ueur", "gpu_count"))
            if count >= gpus and -(-price // count) * gpus > budget:
                _move(d, placement, offer, -(-price // count) * gpus)
                return None
    return False


def _move(d: Damage, placement: Json, offer: int, price: int) -> None:
    names = {
        column: d.inventory.value(column, offer) for column in ("provider", "region", "zone", "gpu_model")
    }
    for row in placement["assignments"]:
        row.update(names, offer=d.inventory.ids[offer], spot=False, hourly_cost=format_rate(price))
    placement["hourly_cost"] = format_rate(price * len(placement["assignments"]))


# --- figures -------------------------------------------------------------------------------------


def _figure(name: str) -> Kind:
    def off(d: Damage) -> bool | None:
        placement = d.placement()
        told = placement[name]
        step = (told or 0) * 1e-4 + 0.005 * len(placement["assignments"])  # thousandths may be rounded
        placement[name] = 1.5 if told is None else told + d.rng.choice((-step, step))
        return None

    off.__name__ = f"{name}_off"
    return off


def a_known_figure_unknown(d: Damage) -> bool | None:
    placement = d.placement()
    known = [name for name in FIGURES if placement[name] is not None]
    if not known:
        return False
    placement[d.rng.choice(known)] = None
    return None


def efficiency_off(d: Damage) -> bool | None:
    row = d.row()
    row["efficiency"] += d.rng.choice((-1e-5, 1e-5))
    return None


def efficiency_of_others(d: Damage) -> bool | None:
    row = d.row()
    row["efficiency"] = 0.97 if row["efficiency"] == 1 else 1.0
    return None


def headroom_wrong(d: Damage) -> bool | None:
    placement = d.placement()
    headroom, scaling = placement["headroom"], d.intent(placement).workload.scaling
    if headroom is None:
        placement["headroom"] = {"replicas": 0, "hourly_cost": placement["hourly_cost"]}
    else:
        headroom["replicas"] = scaling.max_replicas - scaling.min_replicas + 1
    return None


def headroom_left_out_or_cheap(d: Damage) -> bool | None:
    placement = d.placement()
    if placement["headroom"] is None:
        return False
    if d.rng.random() < 0.5:
        placement["headroom"] = None
        return None
    hourly = parse_rate_ueur_per_h(placement["hourly_cost"], Rounding.UP)
    placement["headroom"]["hourly_cost"] = format_rate(hourly - 1 if hourly else 1)
    if not hourly:
        placement["headroom"]["replicas"] = 0
    return None


# --- offers and nodes ----------------------------------------------------------------------------


def offer_of_nobody(d: Damage) -> bool | None:
    d.row()["offer"] += "-x"
    return None


def wrong_offer(d: Damage) -> bool | None:
    """Another offer's id beside the first one's names."""
    row = d.row()
    here = (row["provider"], row["region"], row["zone"])
    others = [
        name
        for i, name in enumerate(d.inventory.ids)
        if tuple(d.inventory.value(column, i) for column in ("provider", "region", "zone")) != here
    ]
    if not others:
        return False
    row["offer"] = d.rng.choice(others)
    return None


def _renamed(key: str) -> Kind:
    def renamed(d: Damage) -> bool | None:
        row = d.row()
        if key == "gpu_model" and not row["gpus"]:
            return False
        row[key] = f"{row[key]}-x"
        return None

    renamed.__name__ = f"{key}_renamed"
    return renamed


def node_out_of_range(d: Damage) -> bool | None:
    row = d.row()
    nodes = d.says(row, "nodes")
    row["node"] = -1 if nodes is None else int(nodes)
    return None


def node_of_another_intent(d: Damage) -> bool | None:
    """Two intents on one node that is paid whole, or on the same GPUs."""
    for placement, row in d.rows():
        for other, there in d.rows():
            whole = row["gpus"] and there["gpus"] and _whole(row)
            clash = whole or d.says(there, "billing") == "node"
            if other is not placement and clash and _meet(row, there):
                same = ("offer", "node", "provider", "region", "zone", "gpu_model")
                row.update({key: there[key] for key in same}, gpus=list(there["gpus"] or row["gpus"]))
                return None
    return False


def _meet(row: Json, there: Json) -> bool:
    """Whether two rows run at one moment; who does not may well have the same GPUs."""
    begins = max(row["start_time"], there["start_time"])
    return all(one["end_time"] is None or begins < one["end_time"] for one in (row, there))


def gpus_of_another_task(d: Damage) -> bool | None:
    for _, row in d.rows():
        for _, other in d.rows():
            on_one = all(row[key] == other[key] for key in ("offer", "node", "start_time"))
            if other is not row and on_one and row["gpus"] and other["gpus"] and _whole(row):
                row["gpus"] = list(other["gpus"])
                return None
    return False


def gpus_in_use_already(d: Damage) -> bool | None:
    """The inventory says that a GPU of the node is not free."""
    groups = d.inventory.groups
    for _, row in d.rows():
        offer, count = d.inventory.row(row["offer"]), int(d.says(row, "gpu_count") or 0)
        for group in range(len(groups)):
            taken = set(range(count)) - set(groups.free_indices(group, count))
            if groups.offer[group] == offer and taken and row["gpus"] and _whole(row):
                row["node"] = groups.node(group, 0)
                row["gpus"] = [min(taken), *row["gpus"][1:]]
                return None
    return False


# --- GPUs ----------------------------------------------------------------------------------------


def one_gpu_less(d: Damage) -> bool | None:
    row = d.row()
    if not row["gpus"]:
        return False
    row["gpus"].pop()
    return None


def one_gpu_more(d: Damage) -> bool | None:
    row = d.row()
    row["gpus"].append(max(row["gpus"], default=-1) + 1)
    return None


def gpu_twice(d: Damage) -> bool | None:
    """Instances of one task may lie on one GPU."""
    row = d.row()
    if len(row["gpus"]) < 2 or row["mig_profile"] is not None:
        return False
    row["gpus"][-1] = row["gpus"][0]
    return None


def gpu_beyond_the_node(d: Damage) -> bool | None:
    row = d.row()
    if not row["gpus"]:
        return False
    row["gpus"][d.rng.randrange(len(row["gpus"]))] = int(d.says(row, "gpu_count"))
    return None


def gpus_in_another_order(d: Damage) -> bool | None:
    row = d.row()
    if len(set(row["gpus"])) < 2:
        return False
    row["gpus"].reverse()
    return None


# --- parts of GPUs -------------------------------------------------------------------------------


def _whole(row: Json) -> bool:
    return row["mig_profile"] is None and row["gpu_milli"] is None


def _shared(d: Damage, key: str) -> list[Json]:
    return [row for _, row in d.rows() if row[key] is not None]


def part_of_a_gpu(d: Damage) -> bool | None:
    """A profile or thousandths that are not due."""
    row = d.row()
    key, value, other = d.rng.choice((("mig_profile", "1g.10gb", "3g.40gb"), ("gpu_milli", 500, 250)))
    row[key] = other if row[key] == value else value
    return None


def share_of_another_size(d: Damage) -> bool | None:
    for row in _shared(d, "gpu_milli"):
        row["gpu_milli"] += d.rng.choice((-1, 1))
        return None
    return False


def share_kept_quiet(d: Damage) -> bool | None:
    shares = [row for _, row in d.rows() if not _whole(row)]
    if not shares:
        return False
    d.rng.choice(shares).update(mig_profile=None, gpu_milli=None)
    return None


def whole_task_beside_a_share(d: Damage) -> bool | None:
    for share in (row for _, row in d.rows() if not _whole(row)):
        for _, row in d.rows():
            on_one = (row["offer"], row["node"]) == (share["offer"], share["node"])
            if on_one and row["gpus"] and _whole(row):
                row["gpus"][0] = share["gpus"][0]
                return None
    return False


def more_slots_than_a_gpu_has(d: Damage) -> bool | None:
    """All the slots of a node on one of its GPUs, where they are too many for any."""
    shares = _shared(d, "gpu_milli")
    for first in shares:
        here = [row for row in shares if (row["offer"], row["node"]) == (first["offer"], first["node"])]
        alone = all(len(row["gpus"]) == 1 for row in here)
        if alone and sum(row["gpu_milli"] for row in here) > 1000:
            for row in here:
                row["gpus"] = list(first["gpus"])
            return None
    return False


def more_instances_than_a_gpu_has_slices(d: Damage) -> bool | None:
    """All the instances of a node on one of its GPUs, where they have more than seven compute slices."""
    shares = _shared(d, "mig_profile")
    for first in shares:
        here = [row for row in shares if (row["offer"], row["node"]) == (first["offer"], first["node"])]
        slices = sum(int(row["mig_profile"][0]) * len(row["gpus"]) for row in here)
        if slices > 7 and len({gpu for row in here for gpu in row["gpus"]}) > 1:
            for row in here:
                row["gpus"] = [first["gpus"][0]] * len(row["gpus"])
            return None
    return False


# --- tasks ---------------------------------------------------------------------------------------


def task_twice(d: Damage) -> bool | None:
    rows = d.placement()["assignments"]
    rows.append(deepcopy(d.rng.choice(rows)))
    return None


def task_left_out(d: Damage) -> bool | None:
    """For a policy of Any, fewer tasks may be a plan too."""
    whole = [each for each in d.placed if d.intent(each).workload.job.completion_policy == "All"]
    if not whole:
        return False
    d.rng.choice(whole)["assignments"].pop()
    return None


def task_with_a_wrong_number(d: Damage) -> bool | None:
    d.row()["task"] += 1
    return None


def tasks_out_of_order(d: Damage) -> bool | None:
    several = [each["assignments"] for each in d.placed if len(each["assignments"]) > 1]
    if not several:
        return False
    d.rng.choice(several).reverse()
    return None


# --- purchase ------------------------------------------------------------------------------------


def spot_flipped(d: Damage) -> bool | None:
    """Not permitted, not on offer, or not at this price."""
    row = next((row for _, row in d.rows() if d.says(row, "spot_ueur") != d.says(row, "hourly_ueur")), None)
    if row is None or parse_rate_ueur_per_h(row["hourly_cost"], Rounding.UP) == 0:
        return False
    row["spot"] = not row["spot"]
    return None


def spot_without_permission(d: Damage) -> bool | None:
    for placement, row in d.rows():
        intent = d.intent(placement)
        gpu = intent.workload.resources.gpu
        if not (intent.constraints.preemptible or (gpu is not None and gpu.interruptible)):
            row["spot"] = True
            return None
    return False


# --- time ----------------------------------------------------------------------------------------


def _later(part: Json, key: str, seconds: int) -> None:
    part[key] = format_moment(parse_moment(part[key]) + timedelta(seconds=seconds))


def row_starts_later(d: Damage) -> bool | None:
    _later(d.row(), "start_time", 1)
    return None


def row_ends_otherwise(d: Damage) -> bool | None:
    row = d.row()
    if row["end_time"] is None:
        row["end_time"] = format_moment(parse_moment(row["start_time"]) + timedelta(hours=1))
    else:
        _later(row, "end_time", d.rng.choice((-1, 1)))
    return None


def row_never_ends(d: Damage) -> bool | None:
    row = d.row()
    if row["end_time"] is None:
        return False
    row["end_time"] = None
    return None


def placement_starts_otherwise(d: Damage) -> bool | None:
    _later(d.placement(), "start_time", d.rng.choice((-1, 1)))
    return None


def placement_ends_otherwise(d: Damage) -> bool | None:
    placement = d.placement()
    if placement["end_time"] is None:
        placement["end_time"] = format_moment(parse_moment(placement["start_time"]) + timedelta(hours=1))
    else:
        placement["end_time"] = None
    return None


def all_of_it_after_the_deadline(d: Damage) -> bool | None:
    """The window moves as a whole, so that only the deadline is broken."""
    for placement in d.placed:
        deadline = d.intent(placement).constraints.deadline
        if deadline is not None:
            late = int((deadline - parse_moment(placement["start_time"])).total_seconds()) + 1
            for part in (placement, *placement["assignments"]):
                _later(part, "start_time", late)
                _later(part, "end_time", late)
            return None
    return False


def gang_split(d: Damage) -> bool | None:
    """One task of several runs an hour later than the others."""
    several = [each["assignments"] for each in d.placed if len(each["assignments"]) > 1]
    if not several:
        return False
    row = d.rng.choice(several)[-1]
    _later(row, "start_time", 3600)
    if row["end_time"] is not None:
        _later(row, "end_time", 3600)
    return None


def gang_scattered(d: Damage) -> bool | None:
    """One task of a gang that is told to be on one node lies on another, at the throughput of one node."""
    for placement in d.placed:
        rows, speed = placement["assignments"], placement["performance_tflops"]
        together = len({(row["offer"], row["node"]) for row in rows}) == 1 < len(rows)
        if together and speed and d.intent(placement).workload.type == "job":
            rows[-1]["node"] += 1
            return None
    return False


def warnings_withheld(d: Damage) -> bool | None:
    """A length that was not stated, and missing tasks, come with a warning."""
    for placement in d.placed:
        workload = d.intent(placement).workload
        few = len(placement["assignments"]) < workload.job.parallel_tasks
        if workload.type != "service" and (workload.job.timeout is None or few):
            d.plan["warnings"] = []
            return None
    return False


# --- what is told about the whole ----------------------------------------------------------------


def relaxed_without_need(d: Damage) -> bool | None:
    entry = {"path": "constraints.location", "asked": "EU", "got": "US"}
    d.placement()["relaxed"].append(entry)
    return None


def relaxed_kept_quiet(d: Damage) -> bool | None:
    missed = [each for each in d.placed if each["relaxed"]]
    if not missed:
        return False
    d.rng.choice(missed)["relaxed"] = []
    return None


def relaxed_misquoted(d: Damage) -> bool | None:
    missed = [each for each in d.placed if each["relaxed"]]
    if not missed:
        return False
    d.rng.choice(missed)["relaxed"][0]["asked"] = "something else"
    return None


def placed_but_said_otherwise(d: Damage) -> bool | None:
    d.placement()["status"] = d.rng.choice(("queued", "rejected", "unknown"))
    return None


def said_to_be_placed(d: Damage) -> bool | None:
    others = [each for each in d.plan["placements"] if each["status"] != "placed"]
    if not others:
        return False
    d.rng.choice(others)["status"] = "placed"
    return None


def no_such_status(d: Damage) -> bool | None:
    part = d.rng.choice((d.plan, d.rng.choice(d.plan["placements"])))
    part["status"] = d.rng.choice(("done", "OPTIMAL", "pending", None))
    return None


def plan_status_against_its_placements(d: Damage) -> bool | None:
    d.plan["status"] = d.rng.choice(("infeasible", "unknown") if d.placed else ("optimal", "feasible"))
    return None


def error_beside_a_place(d: Damage) -> bool | None:
    d.placement()["error"] = {
        "status": "error",
        "error_code": "INSUFFICIENT_RESOURCES",
        "message": "none",
        "suggestions": [],
        "conflicts": [],
        "corrections": [],
    }
    return None


def reason_withheld(d: Damage) -> bool | None:
    refused = [each for each in d.plan["placements"] if each["status"] == "rejected"]
    if not refused:
        return False
    d.rng.choice(refused)["error"] = None
    return None


def reason_of_another_kind(d: Damage) -> bool | None:
    refused = [each for each in d.plan["placements"] if each["status"] == "rejected"]
    if not refused:
        return False
    d.rng.choice(refused)["error"]["error_code"] = "TOKEN_EXPIRED"
    return None


def refused_but_priced(d: Damage) -> bool | None:
    refused = [each for each in d.plan["placements"] if each["status"] != "placed"]
    if not refused:
        return False
    d.rng.choice(refused)["hourly_cost"] = "1.00 EUR/hour"
    return None


def relaxed_with_another_excuse(d: Damage) -> bool | None:
    missed = [entry for each in d.placed for entry in each["relaxed"]]
    if not missed:
        return False
    d.rng.choice(missed)["got"] += ", ethernet"
    return None


def objective_off(d: Damage) -> bool | None:
    """What a balanced sum or an unknown emission is worth follows from offers that are not used."""
    if isinstance(d.plan["objective"], dict):
        d.plan["objective"]["placed"] += 1
        return None
    goal = d.intents[0].objective
    dark = goal == "Energy_Efficiency" and d.placed[0]["carbon_g_per_hour"] is None
    if d.plan["objective"] is None or goal == "Balanced_Optimization" or dark:
        return False
    d.plan["objective"] += 1.0
    d.plan["bound"] = d.plan["objective"]
    return None


def bound_that_proves_nothing(d: Damage) -> bool | None:
    if d.plan["status"] != "optimal":
        return False
    d.plan["bound"] = None
    return None


def gap_in_a_proof(d: Damage) -> bool | None:
    d.plan["gap"] = 0.01 if d.plan["status"] == "optimal" else -0.01
    return None


def intent_left_out(d: Damage) -> bool | None:
    d.plan["placements"].pop()
    return None


def intent_twice(d: Damage) -> bool | None:
    d.plan["placements"].append(deepcopy(d.plan["placements"][0]))
    return None


def intents_in_another_order(d: Damage) -> bool | None:
    if len(d.plan["placements"]) < 2:
        return False
    d.plan["placements"].reverse()
    return None


def intent_renamed(d: Damage) -> bool | None:
    d.rng.choice(d.plan["placements"])["intent"] += "-x"
    return None


def field_left_out(d: Damage) -> bool | None:
    parts = [d.plan, *d.plan["placements"], *(row for _, row in d.rows())]
    part = d.rng.choice(parts)
    needed = sorted(
        key for key in part if (key, part[key]) != ("offer", None)
    )  # absent means that none is made
    del part[d.rng.choice(needed)]
    return None


def field_of_another_type(d: Damage) -> bool | None:
    parts = [d.plan, *d.plan["placements"], *(row for _, row in d.rows())]
    part = d.rng.choice(parts)
    part[d.rng.choice(sorted(part))] = {"un": ["expected"]}
    return None


ANYWHERE: tuple[Kind, ...] = (
    no_such_status,
    plan_status_against_its_placements,
    said_to_be_placed,
    reason_withheld,
    reason_of_another_kind,
    refused_but_priced,
    gap_in_a_proof,
    intent_left_out,
    intent_twice,
    intents_in_another_order,
    intent_renamed,
    field_left_out,
    field_of_another_type,
)
ON_PLACED: tuple[Kind, ...] = (
    row_a_micro_euro_dearer,
    row_a_micro_euro_cheaper,
    sum_a_micro_euro_dearer,
    sum_a_micro_euro_cheaper,
    row_and_sum_agree_on_a_wrong_price,
    total_a_micro_euro_off,
    total_of_an_end_left_out,
    node_price_on_a_later_task,
    another_currency,
    dearer_than_the_budget,
    *map(_figure, FIGURES),
    a_known_figure_unknown,
    efficiency_off,
    efficiency_of_others,
    headroom_wrong,
    headroom_left_out_or_cheap,
    offer_of_nobody,
    wrong_offer,
    *map(_renamed, ("provider", "region", "zone", "gpu_model")),
    node_out_of_range,
    node_of_another_intent,
    gpus_of_another_task,
    gpus_in_use_already,
    one_gpu_less,
    one_gpu_more,
    gpu_twice,
    gpu_beyond_the_node,
    gpus_in_another_order,
    part_of_a_gpu,
    share_of_another_size,
    share_kept_quiet,
    whole_task_beside_a_share,
    more_slots_than_a_gpu_has,
    more_instances_than_a_gpu_has_slices,
    task_twice,
    task_left_out,
    task_with_a_wrong_number,
    tasks_out_of_order,
    spot_flipped,
    spot_without_permission,
    row_starts_later,
    row_ends_otherwise,
    row_never_ends,
    placement_starts_otherwise,
    placement_ends_otherwise,
    all_of_it_after_the_deadline,
    gang_split,
    gang_scattered,
    warnings_withheld,
    relaxed_without_need,
    relaxed_kept_quiet,
    relaxed_misquoted,
    relaxed_with_another_excuse,
    placed_but_said_otherwise,
    error_beside_a_place,
    objective_off,
    bound_that_proves_nothing,
)
