"""A plan around what runs, where prices change: who waits keeps its hour, who runs pays what it does."""

from typing import Any

import flare_core as flare
from tests.solve.seconds import moment
from tests.worlds import Json, intent, offer

CHEAP = [[moment(7200), "1 EUR/hour"], [moment(14400), "3 EUR/hour"]]


def job(name: str) -> flare.Intent:
    return flare.read_intent(
        intent(name, "job", workload__job__timeout="1h", constraints__deadline=moment(36000))
    )


def inventory(**changes: Any) -> flare.Inventory:
    told: Json = {"price__series": CHEAP, **changes}
    made = offer("o", 3, **told)
    return flare.read_inventory({"version": 1, "offers": [made]})


def begun(plan: flare.Plan) -> list[str]:
    return [placed["start_time"][11:16] for placed in plan.to_dict()["placements"]]


def test_who_waits_keeps_the_hours_and_who_runs_stays() -> None:
    jobs = [job("a"), job("b")]
    plan = flare.place(jobs, inventory(), now=moment(0))
    first = begun(plan)
    assert sorted(first) == ["12:00", "13:00"]
    for second in (0, 900, 7200, 9000):
        plan = flare.place(jobs, inventory(), now=moment(second), current=plan)
        assert begun(plan) == first


def test_who_runs_through_a_step_pays_what_it_was_placed_for() -> None:
    rising = inventory(price__hourly="1 EUR/hour", price__series=[[moment(1800), "2 EUR/hour"]])
    plan = flare.place(job("a"), rising, now=moment(0))
    again = flare.place(job("a"), rising, now=moment(900), current=plan)
    assert again.objective == plan.objective == 1.5


def test_a_job_waits_for_what_is_in_use_and_for_a_better_hour() -> None:
    used = inventory(node_states=[{"node": 0, "free_gpus": [], "until": moment(9000)}])
    assert begun(flare.place(job("a"), used, now=moment(0))) == ["12:30"]
    soon = inventory(node_states=[{"node": 0, "free_gpus": [], "until": moment(600)}])
    assert begun(flare.place(job("a"), soon, now=moment(0))) == ["12:00"]
