"""Plans in which some intents wait for others, against every plan on a grid of half hours."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import product
from random import Random
from typing import Any

import pytest

import flare_core as flare
from flare_core.verify import verify
from tests.worlds import Json, intent, offer, world

NOW = datetime.fromisoformat("2026-01-15T10:00:00+00:00")
HALF = timedelta(minutes=30)
LAST = 8
"""Half hours within which everything is done that has a deadline."""


def hours(plan: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, status and hours of each placement."""
    return [
        (p["intent"], p["status"], f"{(p['start_time'] or '')[11:16]}-{(p['end_time'] or '')[11:16]}")
        for p in plan["placements"]
    ]


def placed(intents: list[Json], *offers: Json) -> list[tuple[str, str, str]]:
    return hours(world(intents, *offers).place().to_dict())


def job(name: str, gpus: int = 1, tasks: int = 1, **changes: object) -> Json:
    return intent(name, "job", tasks, gpus, workload__job__timeout="1h", **changes)


def test_jobs_take_turns_on_the_only_gpu() -> None:
    found = placed([job("a"), job("b"), job("c")], offer("o"))
    assert found == [
        ("a", "placed", "10:00-11:00"),
        ("b", "placed", "11:00-12:00"),
        ("c", "placed", "12:00-13:00"),
    ]


def test_a_gang_waits_for_the_gpus_it_needs_together_and_not_for_those_of_a_service() -> None:
    [(_, *a), (_, *b), (_, *s)] = placed(
        [job("a", 5), job("b", 3, tasks=2), intent("s", "service")], offer("o", 8, 8)
    )
    assert sorted([a, b]) == [["placed", "10:00-11:00"], ["placed", "11:00-12:00"]]
    assert s == ["placed", "10:00-"]


def test_who_cannot_wait_goes_first() -> None:
    late = job("z", constraints__deadline="2026-01-15T11:00:00Z")
    assert placed([job("a"), late], offer("o")) == [
        ("a", "placed", "11:00-12:00"),
        ("z", "placed", "10:00-11:00"),
    ]


def test_a_node_billed_whole_is_given_to_one_after_the_other() -> None:
    whole = offer("o", price__billing="node")
    assert placed([job("a"), job("b")], whole) == [
        ("a", "placed", "10:00-11:00"),
        ("b", "placed", "11:00-12:00"),
    ]


def test_who_finds_no_time_is_rejected_beside_the_others() -> None:
    two = [job(name, constraints__deadline="2026-01-15T11:30:00Z") for name in "ab"]
    plan = world(two, offer("o")).place().to_dict()
    assert (plan["status"], Counter(p["status"] for p in plan["placements"])) == (
        "optimal",
        {"placed": 1, "rejected": 1},
    )
    [error] = [p["error"] for p in plan["placements"] if p["error"]]
    assert "the other intents of this plan take what it needs" in error["message"]


def test_who_never_fits_keeps_nobody_from_a_proven_plan() -> None:
    plan = world([job("a", 2), job("b")], offer("o")).place().to_dict()
    assert plan["status"] == "optimal"
    assert hours(plan) == [("a", "rejected", "-"), ("b", "placed", "10:00-11:00")]


def test_a_batch_waits_and_then_runs_in_waves() -> None:
    batch = intent("b", "batch", 2, workload__job__timeout="1h", constraints__deadline="2026-01-15T13:00:00Z")
    found = placed([job("a", constraints__deadline="2026-01-15T11:00:00Z"), batch], offer("o"))
    assert found == [("a", "placed", "10:00-11:00"), ("b", "placed", "11:00-13:00")]


# --- against every plan ------------------------------------------------------------------------------


def some(rng: Random) -> tuple[list[Json], list[Json]]:
    intents = []
    for k in range(rng.randint(2, 3)):
        changes: dict[str, object] = {"workload__job__timeout": rng.choice(("30m", "1h", "1h30m"))}
        until = NOW + rng.randint(2, LAST) * HALF
        one = intent(f"j{k}", "job", 1, rng.randint(1, 2), constraints__deadline=until.isoformat(), **changes)
        intents.append(one)
    offers = [
        offer(
            f"o{k}", rng.randint(1, 3), rng.randint(1, 2), nodes=1, price__billing=rng.choice(("gpu", "node"))
        )
        for k in range(rng.randint(1, 2))
    ]
    if rng.random() < 0.4:
        offers[0]["availability"] = {
            "window_start": rng.choice(("10:30", "11:00", "12:00")),
            "window_end": "16:00",
        }
    return intents, offers


def most_placed(intents: list[Json], offers: list[Json]) -> int:
    """How many jobs any plan places."""
    ways: list[list[tuple[int, int, int, int] | None]] = []
    for one in intents:
        gpus, lasts = one["workload"]["resources"]["gpu"]["count"], one["workload"]["job"]["timeout"]
        length = {"30m": 1, "1h": 2, "1h30m": 3}[lasts]
        until = round((datetime.fromisoformat(one["constraints"]["deadline"]) - NOW) / HALF)
        ways.append(
            [None]
            + [
                (o, start, start + length, gpus)
                for o, document in enumerate(offers)
                for start in range(until - length + 1)
                if gpus <= document["gpu"]["count"] and start >= opening(document)
            ]
        )
    return max(sum(way is not None for way in plan) for plan in product(*ways) if fits(plan, offers))


def opening(document: Json) -> int:
    said = document.get("availability")
    return 0 if said is None else int(said["window_start"][:2]) * 2 + int(said["window_start"][3:]) // 30 - 20


def fits(plan: tuple[tuple[int, int, int, int] | None, ...], offers: list[Json]) -> bool:
    for o, document in enumerate(offers):
        whole = document["price"]["billing"] == "node"
        for moment in range(LAST):
            running = [way[3] for way in plan if way and way[0] == o and way[1] <= moment < way[2]]
            if sum(running) > document["gpu"]["count"] or (whole and len(running) > 1):
                return False
    return True


def compared(seeds: range) -> Counter[str]:
    """Count plans by status; each places as many as any plan does."""
    found: Counter[str] = Counter()
    for seed in seeds:
        intents, offers = some(Random(f"rounds {seed}"))
        plan = world(intents, *offers).place()
        many = sum(p.status is flare.Status.PLACED for p in plan.placements)
        assert many == most_placed(intents, offers), seed
        found[plan.outcome.value] += 1
        inventory = flare.read_inventory({"version": 1, "offers": offers})
        assert not verify(plan, [flare.read_intent(one) for one in intents], inventory)
    return found


def test_as_many_are_placed_as_can_be() -> None:
    assert compared(range(60))["optimal"] > 50


@pytest.mark.t1
def test_as_many_are_placed_as_can_be_in_a_thousand_worlds() -> None:
    assert compared(range(1000, 2000))["optimal"] > 880
