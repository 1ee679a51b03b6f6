"""When a job begins whose price or carbon changes: against every second at which it could."""

from collections import Counter
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import pytest

from flare_core.quantities import Rounding, format_moment, parse_moment, parse_money_ueur
from tests.solve.seconds import BEGIN, Best, best, moment, some
from tests.worlds import Json, intent, offer, put, world


def told(one: Json, offers: list[Json]) -> tuple[str, Best | None]:
    """Return the status of the plan, and the figures of its placement."""
    made = world(one, *offers)
    plan = made.place()
    document = plan.to_dict()
    [placed] = document["placements"]
    if placed["status"] != "placed":
        return document["status"], None
    start = datetime.fromisoformat(placed["start_time"])
    cost = parse_money_ueur(placed["total_cost"], Rounding.UP)
    carbon = 0
    if one["objective"] == "Energy_Efficiency":
        carbon = round(document["objective"] * 1e6)
    return document["status"], Best(cost, carbon, int((start - BEGIN).total_seconds()))


def compared(seeds: range) -> Counter[str]:
    """Return how plans stand beside the best of all seconds."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        one, offers = some(seed)
        due, (status, found) = best(one, offers), told(one, offers)
        if due is None or found is None:
            assert due is found is None, seed
            assert status == "infeasible", seed
            counts["none"] += 1
            continue
        if one["objective"] != "Energy_Efficiency":
            found = found._replace(carbon=due.carbon)
        tasks = one["workload"]["job"]["parallel_tasks"]
        if (
            tasks > 1 and len(offers) > 1
        ):  # between two turns only the rounding of two totals is not looked at
            assert (abs(found.cost - due.cost) < tasks) or one["objective"] == "Energy_Efficiency", (
                seed,
                found,
                due,
            )
            counts["gang"] += found == due
        else:
            assert found == due, (seed, status, found, due)
        counts["later" if due.start else "now"] += 1
    return counts


def test_a_job_begins_at_the_best_of_all_seconds() -> None:
    counts = compared(range(150))
    assert counts["later"] > 40
    assert counts["none"] > 5


CHEAP = [[moment(7200), "1 EUR/hour"], [moment(14400), "3 EUR/hour"]]
"""From 12:00 to 14:00 it costs a third."""


def job(name: str = "j", tasks: int = 1, **changes: Any) -> Json:
    return intent(name, "job", tasks, workload__job__timeout="1h", **changes)


def batch(tasks: int, **changes: Any) -> Json:
    rest: Json = {"workload__job__timeout": "1h", "constraints__deadline": moment(36000)} | changes
    return intent("b", "batch", tasks, **rest)


def hours(plan: Json) -> list[str]:
    return [p["start_time"][11:16] for p in plan["placements"]]


def begun(plan: Json) -> Counter[str]:
    return Counter(row["start_time"][11:16] for row in plan["placements"][0]["assignments"])


def waiting(name: str) -> Json:
    return job(name, constraints__deadline=moment(36000))


def test_jobs_share_the_cheap_hours_of_one_gpu() -> None:
    plan = world([waiting("a"), waiting("b")], offer("o", 3, price__series=CHEAP)).document()
    assert sorted(hours(plan)) == ["12:00", "13:00"]
    assert plan["status"] == "feasible"
    assert plan["bound"] == {"placed": 2.0}


def test_who_has_no_time_to_wait_does_not() -> None:
    late = job("b", constraints__deadline=moment(3600))
    plan = world([waiting("a"), late], offer("o", 3, price__series=CHEAP)).document()
    assert hours(plan) == ["12:00", "10:00"]


def test_a_service_beside_takes_what_it_needs_now() -> None:
    plan = world([waiting("a"), intent("s")], offer("o", 3, nodes=2, price__series=CHEAP)).document()
    assert hours(plan) == ["12:00", "10:00"]
    assert plan["placements"][1]["hourly_cost"] == "3.00 EUR/hour"


def test_who_has_no_deadline_does_not_wait_for_a_better_hour() -> None:
    made = offer("o", 3, price__series=CHEAP)
    assert hours(world(job("a"), made).document()) == ["10:00"]
    assert hours(world(waiting("a"), made).document()) == ["12:00"]
    assert hours(world(job("a", constraints__max_total_cost="1 EUR"), made).document()) == ["12:00"]


def test_a_batch_fills_the_cheap_hours_before_others() -> None:
    plan = world(batch(3), offer("o", 3, price__series=CHEAP)).document()
    assert begun(plan) == {"12:00": 1, "13:00": 1, "10:00": 1}
    assert plan["placements"][0]["total_cost"] == "5.00 EUR"
    plan = world(batch(4), offer("o", 3, nodes=2, price__series=CHEAP)).document()
    assert begun(plan) == {"12:00": 2, "13:00": 2}
    assert (plan["status"], plan["bound"]) == ("optimal", 4.0)


def test_a_batch_that_fills_all_its_time_takes_every_slot() -> None:
    plan = world(batch(10), offer("o", 3, price__series=CHEAP)).document()
    assert sum(begun(plan).values()) == len(begun(plan)) == 10
    assert world(batch(11), offer("o", 3, price__series=CHEAP)).document()["status"] == "infeasible"


def test_a_node_billed_whole_does_not_pause_between_two_tasks() -> None:
    made = offer("o", 3, nodes=2, price__billing="node", price__series=CHEAP)
    plan = world(batch(3), made).document()
    assert plan["placements"][0]["status"] == "placed"
    assert begun(plan)["12:00"] == 2


def test_other_objectives_do_not_wait_but_where_a_budget_demands_it() -> None:
    made = offer("o", 3, price__series=CHEAP)
    fast = job(objective="Performance_Maximization")
    assert hours(world(fast, made).document()) == ["10:00"]
    put(fast, "constraints__max_total_cost", "2 EUR")
    # From 11:30 on half of the hour costs a third.
    assert hours(world(fast, made).document()) == ["11:30"]
    put(fast, "constraints__deadline", moment(9000))
    assert hours(world(fast, made).document()) == ["11:30"]
    put(fast, "constraints__deadline", moment(8999))
    rejected = world(fast, made).document()["placements"][0]
    assert rejected["error"]["error_code"] == "COST_LIMIT_EXCEEDED"


def test_the_greenest_hour_counts_the_mean_and_the_cap_the_highest() -> None:
    clean = offer("o", 1, energy__series=[[moment(5400), 20], [moment(7200), 400]])
    one = job(objective="Energy_Efficiency", constraints__deadline=moment(10800))
    plan = world(one, clean).document()
    assert hours(plan) == ["11:00"]
    watt = (300 + 2.12 + 4 * 0.42) * 1.25 / 1000
    assert plan["objective"] == pytest.approx(watt * (0.5 * 200 + 0.5 * 20), abs=1e-5)
    assert plan["placements"][0]["carbon_g_per_hour"] == pytest.approx(watt * 200, abs=1e-5)
    put(one, "constraints__energy__max_carbon_footprint", f"{watt * 200 + 0.001:f}g CO2/h")
    assert hours(world(one, clean).document()) == ["11:00"]
    put(one, "constraints__energy__max_carbon_footprint", f"{watt * 199:f}g CO2/h")
    [rejected] = world(one, clean).document()["placements"]
    [conflict] = rejected["error"]["conflicts"]
    assert conflict[0] == "constraints.energy.max_carbon_footprint"


def test_a_price_that_is_not_known_yet_sells_nothing() -> None:
    made = offer("o", price__hourly=None, price__spot_series=[[moment(1800), "1 EUR/hour"]])
    assert hours(world(job(constraints__preemptible=True), made).document()) == ["10:30"]
    service = world(intent(constraints__preemptible=True), made).document()
    assert service["status"] == "infeasible"


def test_a_service_costs_the_highest_hour_of_the_next_month() -> None:
    dear = [[moment(31 * 86400 - 1), "7 EUR/hour"], [moment(31 * 86400), "9 EUR/hour"]]
    plan = world(intent(), offer("o", 3, price__series=dear)).document()
    assert plan["placements"][0]["hourly_cost"] == "7.00 EUR/hour"
    ends = intent(constraints__deadline=moment(7200 + 1800))
    [placed] = world(ends, offer("o", 3, price__series=CHEAP)).document()["placements"]
    assert (placed["hourly_cost"], placed["total_cost"]) == ("3.00 EUR/hour", "6.50 EUR")


# --- relations --------------------------------------------------------------------------------------


def shifted(offers: list[Json], more: float) -> list[Json]:
    """Return offers of which every price is so much higher."""
    copies = deepcopy(offers)
    for price in (each["price"] for each in copies):
        for name in ("hourly", "spot_hourly"):
            if name in price:
                price[name] = f"{float(price[name].split()[0]) + more:f} EUR/hour"
        for name in ("series", "spot_series"):
            for step in price.get(name, ()):
                step[1] = f"{float(step[1].split()[0]) + more:f} EUR/hour"
    return copies


def split(offers: list[Json]) -> list[Json]:
    """Return offers of which each step is two that say the same."""
    copies = deepcopy(offers)
    for section in (each[name] for each in copies for name in ("price", "energy")):
        for name in section.keys() & {"series", "spot_series"}:
            moments = [parse_moment(step[0]) for step in section[name]]
            again = [
                [format_moment(at + timedelta(seconds=1)), step[1]]
                for at, step in zip(moments, section[name], strict=True)
            ]
            section[name] = sorted(
                step
                for step in (*section[name], *again)
                if step[0] in {s[0] for s in section[name]} or parse_moment(step[0]) not in moments
            )
    return copies


@pytest.mark.parametrize("seed", range(1000, 1030))
def test_steps_that_change_nothing_change_no_plan(seed: int) -> None:
    one, offers = some(seed)
    assert world(one, *split(offers)).document() == world(one, *offers).document()


@pytest.mark.parametrize("seed", range(1000, 1030))
def test_a_rise_of_all_prices_moves_no_job_that_is_billed_alike(seed: int) -> None:
    one, offers = some(seed)
    one["objective"] = "Cost_Minimization"
    for path in ("max_hourly_cost", "max_total_cost"):
        one["constraints"].pop(path, None)
    one["workload"]["job"]["timeout"] = "3600s"  # a whole hour: no total is rounded in another way
    put(one, "constraints__deadline", moment(9000))
    plans = [world(one, *each).document() for each in (offers, shifted(offers, 0.5))]
    rows = [
        [(r["offer"], r["start_time"], r["spot"]) for p in plan["placements"] for r in p["assignments"]]
        for plan in plans
    ]
    assert rows[0] == rows[1]
