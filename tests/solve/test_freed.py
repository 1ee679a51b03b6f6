"""Capacity that comes free: who begins when, against every moment on a grid of half hours."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

import flare_core as flare
from flare_core.verify import verify
from tests.solve.test_rounds import hours, job
from tests.worlds import Json, World, answer, intent, offer, world

NOW = datetime.fromisoformat("2026-01-15T10:00:00+00:00")
HALF = timedelta(minutes=30)
NOON = "2026-01-15T12:00:00Z"


def until(moment: str | None, node: int = 0, free: tuple[int, ...] = (), **more: Any) -> Json:
    """What is free on a node, until when."""
    state = {"node": node, "free_gpus": list(free), "until": moment, **more}
    return {name: value for name, value in state.items() if value is not None}


def placed(intents: list[Json] | Json, *offers: Json) -> list[tuple[str, str, str]]:
    return hours(world(intents, *offers).place().to_dict())


def where(plan: flare.Plan) -> list[tuple[str, int, list[int], str]]:
    return [
        (row["offer"], row["node"], row["gpus"], row["start_time"][11:16])
        for placement in plan.to_dict()["placements"]
        for row in placement["assignments"]
    ]


def test_a_job_begins_when_what_it_needs_comes_free_and_not_before() -> None:
    two = offer("o", gpus=2, node_states=[until(NOON, free=(1,))])
    assert placed(job("a", 1), two) == [("a", "placed", "10:00-11:00")]
    assert placed(job("a", 2), two) == [("a", "placed", "12:00-13:00")]


def test_a_job_that_would_end_too_late_is_rejected() -> None:
    two = offer("o", gpus=2, node_states=[until(NOON, free=(1,))])
    in_time, late = (job("a", 2, constraints__deadline=f"2026-01-15T{end}:00Z") for end in ("13:00", "12:59"))
    assert placed(in_time, two) == [("a", "placed", "12:00-13:00")]
    assert placed(late, two) == [("a", "rejected", "-")]


def test_what_nobody_says_to_come_free_never_does() -> None:
    assert placed(job("a", 2), offer("o", gpus=2, node_states=[until(None)])) == [("a", "rejected", "-")]


def test_a_service_does_not_wait_and_is_told_what_it_lacks() -> None:
    two = offer("o", gpus=2, node_states=[until(NOON, free=(1,))])
    assert placed(intent("s", "service"), two) == [("s", "placed", "10:00-")]
    plan = world(intent("s", "service", gpus=2), two).place().to_dict()
    [placement] = plan["placements"]
    assert placement["error"]["error_code"] == "GPU_COUNT_INSUFFICIENT"


def test_more_replicas_go_where_it_is_free_from_now_on() -> None:
    scaling: dict[str, Any] = {"workload__scaling__max_replicas": 9, "workload__scaling__auto_scale": True}
    asked = intent("s", "service", **scaling)

    def more(*states: Json) -> int:
        plan = world([asked, job("a")], offer("o", gpus=6, node_states=list(states))).place()
        headroom = plan.placements[0 if plan.placements[0].intent == "s" else 1].headroom
        assert headroom is not None
        return headroom.replicas

    assert (more(), more(until(NOON, free=(0, 1, 2))), more(until("2026-01-15T10:00:00Z"))) == (4, 1, 4)


def test_what_came_free_before_is_free() -> None:
    past = offer("o", gpus=2, node_states=[until("2026-01-15T10:00:00Z")])
    assert placed(intent("s", "service", gpus=2), past) == [("s", "placed", "10:00-")]


def test_the_tasks_of_a_gang_begin_together() -> None:
    states = [until(NOON), until("2026-01-15T14:00:00Z", 1)]
    assert placed(job("a", 2, tasks=2), offer("o", gpus=2, nodes=2, node_states=states)) == [
        ("a", "placed", "14:00-15:00")
    ]


def test_a_node_billed_whole_is_had_when_all_of_it_is_free() -> None:
    whole = offer("o", gpus=2, price__billing="node", node_states=[until(NOON, free=(1,))])
    assert placed(job("a", 1), whole) == [("a", "placed", "12:00-13:00")]


def test_a_part_of_a_gpu_is_had_beside_what_is_used_of_it() -> None:
    sharing = {"shared": True, "sharing_strategy": "mps", "sharing_slots": 4}
    half = offer("o", gpus=1, node_states=[until(NOON, gpu_milli={"0": 500}, cpu="8", memory="32Gi")])
    half["gpu"] |= sharing
    small, large = (
        job(name, workload__resources__gpu__shared=True, workload__resources__gpu__memory=memory)
        for name, memory in (("a", "20Gi"), ("b", "30Gi"))
    )
    assert placed(small, half) == [("a", "placed", "10:00-11:00")]
    assert placed(large, half) == [("b", "placed", "12:00-13:00")]


def test_cores_come_free_with_the_gpus() -> None:
    busy = offer("o", gpus=2, node_states=[until(NOON, free=(0, 1), cpu="1")])
    assert placed(job("a", 1, workload__resources__cpu="2"), busy) == [("a", "placed", "12:00-13:00")]


def batch(tasks: int, end: str) -> Json:
    deadline = f"2026-01-15T{end}:00Z"
    return intent("b", "batch", tasks, workload__job__timeout="1h", constraints__deadline=deadline)


def test_tasks_of_a_batch_begin_as_each_gpu_comes_free() -> None:
    three = offer(
        "o", gpus=3, nodes=2, node_states=[until("2026-01-15T11:00:00Z", free=(0,)), until(NOON, 1)]
    )
    plan = world(batch(7, "13:00"), three).place()
    assert sorted(start for *_, start in where(plan)) == ["10:00", "11:00", "11:00", "11:00"] + ["12:00"] * 3
    assert plan.outcome is flare.Outcome.FEASIBLE
    most = 1 + 3 * 2 + 3
    assert placed(batch(most, "13:00"), three) == [("b", "placed", "10:00-13:00")]
    rejected = world(batch(most + 1, "13:00"), three).place()
    assert [p.status for p in rejected.placements] == [flare.Status.REJECTED]


def test_a_batch_for_which_all_is_free_in_time_is_proven_best() -> None:
    one = offer("o", gpus=2, node_states=[until(NOON, free=(0,))])
    plan = world(batch(1, "13:00"), one).place()
    assert (where(plan), plan.outcome) == ([("o", 0, [0], "10:00")], flare.Outcome.OPTIMAL)


def test_several_wait_for_what_comes_free_and_for_each_other() -> None:
    two = offer("o", gpus=2, node_states=[until(NOON, free=(1,))])
    assert placed([job("a", 2), job("b", 2), intent("s", "service")], two, offer("p", 0.1)) == [
        ("a", "placed", "12:00-13:00"),
        ("b", "placed", "13:00-14:00"),
        ("s", "placed", "10:00-"),
    ]


def test_who_comes_into_the_way_of_nothing_is_placed_as_without_it() -> None:
    busy = offer("z", 9, 2, node_states=[until(NOON, free=(1,))])
    intents = [job("a"), intent("s", "service")]
    plain = world(intents, offer("o", gpus=2), offer("z", 9, 2)).document()
    assert world(intents, offer("o", gpus=2), busy).document()["placements"] == plain["placements"]


# --- what could be done about it ---------------------------------------------------------------------


def corrections(intents: list[Json] | Json, *offers: Json) -> list[list[str]]:
    plan = world(intents, *offers).place().to_dict()
    return [[c["text"] for c in p["error"]["corrections"]] for p in plan["placements"] if p["error"]]


LATE: dict[str, Any] = {"constraints__deadline": "2026-01-15T11:30:00Z"}


def test_a_later_deadline_is_named_with_which_it_would_begin_when_something_comes_free() -> None:
    two = offer("o", gpus=2, node_states=[until(NOON, free=(1,))])
    fewer = "workload.resources.gpu.count 1 instead of 2"
    later = "constraints.deadline 2026-01-15T13:00:00Z instead of 2026-01-15T11:30:00Z"
    assert corrections(job("a", 2, **LATE), two) == [[fewer, later]]
    assert corrections(job("a", 2, **LATE), offer("o", gpus=2, node_states=[until(None, free=(1,))])) == [
        [fewer]
    ]
    [placement] = world(job("a", 2, **LATE), two).place().to_dict()["placements"]
    [suggested] = [s for s in placement["error"]["suggestions"] if "constraints" in s["patch"]]
    assert suggested["placement"]["start_time"] == NOON


def test_a_later_deadline_is_named_with_which_it_would_begin_after_the_others() -> None:
    both = [job(name, 2, **LATE) for name in "ab"]
    assert corrections(both, offer("o", gpus=2)) == [
        ["constraints.deadline 2026-01-15T12:00:00Z instead of 2026-01-15T11:30:00Z"]
    ]


def test_who_waits_in_the_queue_is_told_when_there_could_be_room() -> None:
    queue: dict[str, Any] = {"constraints__negotiation": {"fallback_strategy": "queue"}}
    two = offer("o", gpus=2, node_states=[until(NOON, free=(1,))])
    assert placed(intent("s", "service", gpus=2, **queue), two) == [("s", "queued", "12:00-")]
    never = offer("o", gpus=2, node_states=[until(None, free=(1,))])
    assert placed(intent("s", "service", gpus=2, **queue), never) == [("s", "queued", "-")]


# --- against every moment ----------------------------------------------------------------------------


def some(rng: Random) -> tuple[Json, list[Json]]:
    asked = job("a", rng.randint(1, 2), tasks=rng.randint(1, 3))
    if rng.random() < 0.5:
        end = NOW + rng.randint(2, 9) * HALF
        asked["constraints"] = {"deadline": end.isoformat()}
    offers = []
    for k in range(rng.randint(1, 3)):
        nodes, gpus = rng.randint(1, 2), rng.randint(1, 3)
        states = [
            until(
                rng.choice((None, *((NOW + n * HALF).isoformat() for n in range(7)))),
                node,
                tuple(sorted(rng.sample(range(gpus), rng.randint(0, gpus)))),
            )
            for node in range(nodes)
            if rng.random() < 0.7
        ]
        billing = rng.choice(("gpu", "node"))
        offers.append(
            offer(f"o{k}", rng.randint(1, 3), gpus, nodes=nodes, price__billing=billing, node_states=states)
        )
    return asked, offers


def room(document: Json, moment: datetime, gpus: int) -> int:
    """How many tasks an offer's nodes hold at a moment."""
    states = {state["node"]: state for state in document["node_states"]}
    held = 0
    for node in range(document["nodes"]):
        state, free = states.get(node), document["gpu"]["count"]
        if state is not None and not ("until" in state and datetime.fromisoformat(state["until"]) <= moment):
            whole = document["price"]["billing"] == "node" and len(state["free_gpus"]) < free
            free = 0 if whole else len(state["free_gpus"])
        held += free // gpus
    return held


def first_moment(asked: Json, offers: list[Json]) -> datetime | None:
    """When there is room for all tasks, at the earliest and in time."""
    gpus, tasks = asked["workload"]["resources"]["gpu"]["count"], asked["workload"]["job"]["parallel_tasks"]
    end = asked.get("constraints", {}).get("deadline")
    for half in range(20):
        moment = NOW + half * HALF
        if end is not None and moment + 2 * HALF > datetime.fromisoformat(end):
            return None
        if sum(room(document, moment, gpus) for document in offers) >= tasks:
            return moment
    return None


def compared(seeds: range) -> int:
    """Compare; return how many began later."""
    later = 0
    for seed in seeds:
        asked, offers = some(Random(f"freed {seed}"))
        plan, moment = world(asked, *offers).place(), first_moment(asked, offers)
        assert plan.placements[0].start == moment, seed
        assert plan.outcome is (flare.Outcome.INFEASIBLE if moment is None else flare.Outcome.OPTIMAL), seed
        inventory = flare.read_inventory({"version": 1, "offers": offers})
        assert not verify(plan, [flare.read_intent(asked)], inventory), seed
        if moment is not None and moment > NOW:
            later += 1
            # What is free then is what an inventory without a time says at that moment.
            seen = world(asked, *(at_last(document, moment) for document in offers))
            assert where(seen.place(now=moment.isoformat())) == where(plan), seed
    return later


def at_last(document: Json, moment: datetime) -> Json:
    """Return an offer without what came free by a moment."""
    states = [
        {name: value for name, value in state.items() if name != "until"}
        for state in document["node_states"]
        if "until" not in state or datetime.fromisoformat(state["until"]) > moment
    ]
    return {**document, "node_states": states}


def test_a_job_begins_at_the_first_moment_at_which_there_is_room() -> None:
    assert compared(range(80)) > 10


@pytest.mark.t1
def test_a_job_begins_at_the_first_moment_in_two_thousand_worlds() -> None:
    assert compared(range(1000, 3000)) > 250


def shifted(seed: int) -> tuple[World, World]:
    """A world in which everything comes free at noon, and one in which it is free, at noon."""
    rng = Random(f"shifted {seed}")
    gpus = [rng.randint(1, 2) for _ in range(2)]
    intents = [job(f"j{k}", rng.randint(1, 2)) for k in range(rng.randint(1, 3))]
    used = [offer(f"o{k}", gpus=n, node_states=[until(NOON)]) for k, n in enumerate(gpus)]
    return world(intents, *used), world(intents, *(offer(f"o{k}", gpus=n) for k, n in enumerate(gpus)))


@pytest.mark.parametrize("seed", range(8))
def test_to_wait_until_all_is_free_is_to_be_asked_then(seed: int) -> None:
    used, free = shifted(seed)
    assert answer(used.place())["placements"] == answer(free.place(now=NOON))["placements"]
