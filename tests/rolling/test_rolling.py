"""Plans around what runs: it stays, what begins fits beside it, and the checker knows both."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import timedelta
from random import Random
from typing import Any

import pytest

import flare_core as flare
from flare_core.errors import OptionsError
from flare_core.quantities import format_moment, parse_moment
from flare_core.verify import verify
from tests.worlds import NOW, Json, intent, medium, offer

HALF = "2026-01-15T10:30:00Z"
ROW = "current.placements.0.assignments.0"


def job(name: str, gpus: int = 1, tasks: int = 1, **changes: object) -> Json:
    return intent(name, "job", tasks, gpus, workload__job__timeout="1h", **changes)


def stock(*offers: Json) -> flare.Inventory:
    return flare.read_inventory({"version": 1, "offers": deepcopy(list(offers))})


def planned(
    intents: Sequence[Json], offers: Sequence[Json], now: str = NOW, current: Any = None
) -> flare.Plan:
    asked = [flare.read_intent(deepcopy(one)) for one in intents]
    return flare.place(asked, stock(*offers), now=now, current=current)


def told(plan: flare.Plan) -> list[tuple[str, str, str, list[tuple[str, int, list[int]]]]]:
    return [
        (
            p["intent"],
            p["status"],
            (p["start_time"] or "")[11:16],
            [(row["offer"], row["node"], row["gpus"]) for row in p["assignments"]],
        )
        for p in plan.to_dict()["placements"]
    ]


def body(plan: flare.Plan) -> Json:
    document = plan.to_dict()
    del document["wall_time_s"]
    return document


# --- what stays, and what is planned again -------------------------------------------------------------


def test_what_runs_stays_where_something_better_has_come() -> None:
    first = planned([job("a")], [offer("o", 4)])
    cheaper = [offer("o", 4), offer("p", 1)]
    assert body(planned([job("a")], cheaper, HALF, first)) == body(first)
    assert told(planned([job("a")], cheaper, HALF)) == [("a", "placed", "10:30", [("p", 0, [0])])]


def test_what_has_not_begun_is_planned_again() -> None:
    first = planned([job("a"), job("b")], [offer("o", 4)])
    assert told(first)[1] == ("b", "placed", "11:00", [("o", 0, [0])])
    after = planned([job("a"), job("b")], [offer("o", 4), offer("p", 1)], HALF, first)
    assert told(after) == [told(first)[0], ("b", "placed", "10:30", [("p", 0, [0])])]


def test_what_has_ended_holds_nothing() -> None:
    first = planned([job("a")], [offer("o")])
    new = [intent("s", "service")]
    assert told(planned(new, [offer("o")], "2026-01-15T10:59:59Z", first)) == [("s", "rejected", "", [])]
    assert told(planned(new, [offer("o")], "2026-01-15T11:00:00Z", first)) == [
        ("s", "placed", "11:00", [("o", 0, [0])])
    ]


def test_who_runs_holds_its_place_without_being_asked_for_again() -> None:
    first = planned([job("a")], [offer("o")])
    assert told(planned([job("b")], [offer("o")], HALF, first)) == [("b", "placed", "11:00", [("o", 0, [0])])]
    late = job("b", constraints__deadline="2026-01-15T11:45:00Z")
    assert told(planned([late], [offer("o")], HALF, first))[0][1] == "rejected"


def test_who_runs_without_end_never_gives_way() -> None:
    first = planned([intent("s", "service")], [offer("o")])
    assert told(planned([job("a")], [offer("o")], HALF, first))[0][1] == "rejected"


def test_a_batch_in_waves_keeps_those_that_are_to_come() -> None:
    batch = intent("b", "batch", 3, workload__job__timeout="1h", constraints__deadline="2026-01-15T13:00:00Z")
    first = planned([batch], [offer("o")])
    after = planned([batch, job("a")], [offer("o")], HALF, first)
    assert told(after)[0] == told(first)[0]
    assert told(after)[1] == ("a", "placed", "13:00", [("o", 0, [0])])


def test_cores_that_run_are_held_and_those_of_the_unknown_in_proportion() -> None:
    wide = [offer("o", gpus=4, cpu="8")]
    first = planned([job("a", workload__resources__cpu="6")], wide)
    asks = job("b", workload__resources__cpu="4")
    again = planned([job("a", workload__resources__cpu="6"), asks], wide, HALF, first)
    assert told(again)[1][2] == "11:00"
    assert told(planned([asks], wide, HALF, first))[0][2] == "10:30"  # a quarter of the cores


def test_slots_beside_those_that_run_are_had() -> None:
    shared = [offer("o", gpus=1, gpu__shared=True, gpu__sharing_strategy="mps", gpu__sharing_slots=2)]
    half: dict[str, Any] = {"workload__resources__gpu__shared": True, "workload__resources__cpu": "1"}
    first = planned([job("a", **half)], shared)
    assert told(planned([job("b", **half)], shared, HALF, first))[0][2] == "10:30"
    both = planned([job("a", **half), job("b", **half)], shared)
    assert told(planned([job("c", **half)], shared, HALF, both))[0][2] == "11:00"


def test_instances_beside_those_that_run_are_had() -> None:
    card: Json = {"gpu__model": "nvidia-a100", "gpu__memory": "40Gi", "gpu__shared": True}
    mig = [offer("o", gpus=1, **card, gpu__sharing_strategy="mig", gpu__dedicated=False)]
    cut: dict[str, Any] = {
        "workload__resources__gpu__multi_instance": True,
        "workload__resources__gpu__memory": "20Gi",
    }
    cut |= {"workload__resources__cpu": "1", "workload__resources__memory": "1Gi"}
    first = planned([job("a", **cut)], mig)
    assert told(planned([job("b", **cut)], mig, HALF, first))[0][2] == "10:30"
    both = planned([job("a", **cut), job("b", **cut)], mig)
    assert told(planned([job("c", **cut)], mig, HALF, both))[0][2] == "11:00"


def test_nodes_that_never_run_out_are_new_ones() -> None:
    endless = [offer("o", nodes=None)]
    first = planned([intent("s", "service")], endless)
    assert told(planned([intent("t", "service")], endless, HALF, first)) == [
        ("t", "placed", "10:30", [("o", 1, [0])])
    ]


# --- what cannot be read -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda d: d.pop("placements"), "current.placements"),
        (lambda d: d["placements"][0].pop("status"), "current.placements.0.status"),
        (lambda d: d["placements"][0]["assignments"][0].update(node=-1), f"{ROW}.node"),
        (lambda d: d["placements"].append(d["placements"][0]), "current.placements.1.intent"),
    ],
)
def test_what_is_no_plan_is_refused_with_its_path(change: Any, path: str) -> None:
    document = planned([job("a")], [offer("o")]).to_dict()
    change(document)
    with pytest.raises(OptionsError) as caught:
        planned([job("a")], [offer("o")], HALF, document)
    assert caught.value.path == path


def test_who_runs_where_nothing_is_any_more_cannot_be_kept() -> None:
    first = planned([job("a")], [offer("o")])
    with pytest.raises(OptionsError, match="found 'o'"):
        planned([job("a")], [offer("p")], HALF, first)
    assert told(planned([job("b")], [offer("p")], HALF, first))[0][2] == "10:30"


# --- the checker ---------------------------------------------------------------------------------------


def wrong(plan: Json, intents: list[Json], offers: list[Json], current: Json) -> list[str]:
    asked = [flare.read_intent(deepcopy(one)) for one in intents]
    return [v.rule for v in verify(plan, asked, stock(*offers), current=current, now=HALF)]


def test_the_checker_sees_who_is_moved_or_comes_into_the_way() -> None:
    wide, intents = [offer("o", gpus=2)], [job("a"), job("b")]
    first = planned(intents[:1], wide).to_dict()
    good = planned(intents, wide, HALF, first).to_dict()
    assert wrong(good, intents, wide, first) == []
    moved = deepcopy(good)
    moved["placements"][0]["assignments"][0]["gpus"] = [1]
    assert wrong(moved, intents, wide, first) == ["current"]
    clash = deepcopy(good)
    clash["placements"][1]["assignments"][0]["gpus"] = [0]
    assert wrong(clash, intents, wide, first) == ["gpus"]
    early = deepcopy(good)
    for part in (early["placements"][1], early["placements"][1]["assignments"][0]):
        part |= {"start_time": NOW, "end_time": "2026-01-15T11:00:00Z"}
    assert wrong(early, intents, wide, first) == ["time"]


def test_the_checker_holds_a_node_billed_whole_for_who_runs_there() -> None:
    whole = [offer("o", gpus=2, price__billing="node")]
    first = planned([job("a")], whole).to_dict()
    other = planned([job("b")], whole, HALF).to_dict()
    assert wrong(other, [job("b")], whole, first) == ["billing", "gpus"]
    assert told(planned([job("b")], whole, HALF, first))[0][2] == "11:00"


def test_the_checker_needs_the_moment_beside_a_plan() -> None:
    first = planned([job("a")], [offer("o")])
    with pytest.raises(ValueError, match="without now"):
        verify(first, [flare.read_intent(job("a"))], stock(offer("o")), current=first)


# --- relations -----------------------------------------------------------------------------------------


def later(now: str, minutes: int) -> str:
    return format_moment(parse_moment(now) + timedelta(minutes=minutes))


@pytest.mark.parametrize("seed", range(24))
def test_a_plan_around_itself_is_itself(seed: int) -> None:
    some = medium(seed, intents=1 + seed % 3, tasks=3, offers=6)
    asked = [flare.read_intent(deepcopy(one)) for one in some.intents]
    inventory = flare.read_inventory({"version": 1, "offers": deepcopy(list(some.offers))})
    first = flare.place(asked, inventory, now=NOW)
    again = flare.place(asked, inventory, now=NOW, current=first)
    assert told(again) == told(first)
    if first.outcome is flare.Outcome.OPTIMAL and all(
        p.status is flare.Status.PLACED for p in first.placements
    ):
        assert body(again) == body(first)


def crowd(seed: int) -> tuple[list[Json], list[Json]]:
    rng = Random(f"rolling {seed}")
    intents = [job(f"j{k}", rng.randint(1, 2), rng.randint(1, 2)) for k in range(rng.randint(2, 5))]
    offers = [offer(f"o{k}", rng.randint(1, 3), 2, nodes=rng.randint(1, 2)) for k in range(2)]
    return intents, offers


@pytest.mark.parametrize("seed", range(12))
def test_step_by_step_nothing_that_runs_moves_and_all_are_placed_in_the_end(seed: int) -> None:
    intents, offers = crowd(seed)
    plan, now = planned(intents, offers), NOW
    for minutes in (20, 70, 130):
        before, now = plan.to_dict(), later(NOW, minutes)
        plan = planned(intents, offers, now, before)
        after = plan.to_dict()
        for old, new in zip(before["placements"], after["placements"], strict=True):
            runs = old["status"] == "placed" and old["start_time"] <= now < old["end_time"]
            assert new == old if runs else new["status"] == "placed" and new["start_time"] >= now
        assert not verify(
            plan, [flare.read_intent(one) for one in intents], stock(*offers), current=before, now=now
        )
