"""Moving what runs: only who may, only where it pays, and the checker sees what else was changed."""

from copy import deepcopy
from random import Random
from typing import Any

import pytest

import flare_core as flare
from flare_core.errors import OptionsError
from flare_core.verify import verify
from tests.worlds import NOW, Json, intent, offer

HALF = "2026-01-15T10:30:00Z"
HOURS = 744


def stock(*offers: Json) -> flare.Inventory:
    return flare.read_inventory({"version": 1, "offers": deepcopy(list(offers))})


def asked(*intents: Json) -> list[flare.Intent]:
    return [flare.read_intent(deepcopy(one)) for one in intents]


def place(
    intents: list[Json], offers: list[Json], now: str = NOW, current: Any = None, cost: str | None = None
) -> flare.Plan:
    options = flare.Options(migration_cost=cost)
    return flare.place(asked(*intents), stock(*offers), now=now, current=current, options=options)


def seats(plan: flare.Plan) -> list[list[str]]:
    return [[row["offer"] for row in p["assignments"]] for p in plan.to_dict()["placements"]]


def body(plan: flare.Plan) -> Json:
    document = plan.to_dict()
    del document["wall_time_s"]
    return document


def service(name: str, gpus: int = 1, replicas: int = 1, **changes: Any) -> Json:
    return intent(name, "service", replicas, gpus, **changes)


SAVED = 4 - 1  # euro an hour, from an offer of 4 to one of 1


@pytest.mark.parametrize(("cost", "where"), [(HOURS * SAVED - 0.01, "cheap"), (HOURS * SAVED, "dear")])
def test_a_service_is_moved_where_it_saves_more_than_it_costs(cost: float, where: str) -> None:
    first = place([service("s")], [offer("dear", 4)])
    both = [offer("dear", 4), offer("cheap", 1)]
    after = place([service("s")], both, HALF, first, f"{cost:.2f} EUR")
    assert seats(after) == [[where]]
    assert after.to_dict()["placements"][0]["start_time"] == (HALF if where == "cheap" else NOW)
    assert [text for text in after.warnings if "moved" in text] == (
        ["s: is moved from where it runs"] if where == "cheap" else []
    )


def test_each_task_that_moves_costs_and_the_others_do_not() -> None:
    first = place([service("s", replicas=2)], [offer("dear", 4), offer("cheap", 1)])
    wider = [offer("dear", 4), offer("cheap", 1, nodes=2)]
    assert seats(first) == [["cheap", "dear"]]
    assert seats(place([service("s", replicas=2)], wider, HALF, first, "2231 EUR")) == [["cheap", "cheap"]]
    assert seats(place([service("s", replicas=2)], wider, HALF, first, "2232 EUR")) == [["cheap", "dear"]]


def test_nothing_is_moved_unasked_nor_a_job_nor_who_is_not_given() -> None:
    both = [offer("dear", 4), offer("cheap", 1)]
    first = place([service("s")], [offer("dear", 4)])
    assert body(place([service("s")], both, HALF, first)) == body(first)
    job = intent("j", "job", workload__job__timeout="100h")
    ran = place([job], [offer("dear", 4)])
    assert body(place([job], both, HALF, ran, "0 EUR")) == body(ran)
    other = place([service("t")], both, HALF, first, "0 EUR")
    assert seats(other) == [["cheap"]]


def test_one_moves_so_that_another_finds_a_place() -> None:
    wide, narrow = offer("wide", 1, gpus=2), offer("narrow", 4, gpus=1)
    first = place([service("s")], [wide, narrow])
    assert seats(first) == [["wide"]]
    big = service("t", gpus=2)
    assert seats(place([service("s"), big], [wide, narrow], HALF, first)) == [["wide"], []]
    moved = place([service("s"), big], [wide, narrow], HALF, first, "1000 EUR")
    assert seats(moved) == [["narrow"], ["wide"]]


def test_nobody_is_worse_off_by_its_own_objective() -> None:
    near, far = offer("near", 4, performance__latency_ms=5), offer("far", 1, performance__latency_ms=50)
    fast = service("s", objective="Latency_Minimization")
    first = place([fast], [near, far])
    assert seats(first) == [["near"]]
    assert seats(place([fast], [near, far], HALF, first, "0 EUR")) == [["near"]]


def test_the_checker_knows_a_move_from_a_change() -> None:
    both = stock(offer("dear", 4), offer("cheap", 1))
    first = place([service("s")], [offer("dear", 4)])
    after = place([service("s")], [offer("dear", 4), offer("cheap", 1)], HALF, first, "1 EUR").to_dict()
    want = asked(service("s"))
    assert not verify(after, want, both, current=first, now=HALF, migration=True)
    assert [v.rule for v in verify(after, want, both, current=first, now=HALF)] == ["current"]
    early = deepcopy(after)
    early["placements"][0]["start_time"] = NOW
    early["placements"][0]["assignments"][0]["start_time"] = NOW
    assert "time" in {v.rule for v in verify(early, want, both, current=first, now=HALF, migration=True)}
    job = intent("j", "job", workload__job__timeout="100h")
    ran, new = place([job], [offer("dear", 4)]), place([job], [offer("cheap", 1)], HALF)
    wrong = verify(new, asked(job), both, current=ran, now=HALF, migration=True)
    assert [v.rule for v in wrong] == ["current"]


def test_two_are_not_seated_on_what_one_has_left() -> None:
    offers = [offer("dear", 4, nodes=2), offer("cheap", 1)]
    both = [service("s"), service("t")]
    first = place(both, offers[:1])
    after = place(both, offers, HALF, first, "1 EUR")
    assert sorted(seats(after)) == [["cheap"], ["dear"]]
    assert after.to_dict() | {"wall_time_s": 0} == place(both, offers, HALF, first, "1 EUR").to_dict() | {
        "wall_time_s": 0
    }


@pytest.mark.parametrize("cost", ["1", "-1 EUR", "", "1 USD", 1])
def test_a_cost_is_an_amount(cost: Any) -> None:
    with pytest.raises(OptionsError, match="migration_cost"):
        flare.Options(migration_cost=cost)


def test_moves_pay_in_worlds_at_random_and_one_more_would_not() -> None:
    moved = 0
    for seed in range(60):
        rng = Random(f"migration {seed}")
        count, cost = rng.randint(1, 3), rng.choice((0, 300, 900))
        intents = [service(f"s{k}", rng.randint(1, 2)) for k in range(count)]
        offers = [offer(f"o{k}", rng.randint(1, 6), gpus=rng.randint(1, 3)) for k in range(4)]
        first = place(intents, offers[:2])
        after = place(intents, offers, HALF, first, f"{cost} EUR")
        assert not verify(after, asked(*intents), stock(*offers), current=first, now=HALF, migration=True), (
            seed
        )
        stayed = place(intents, offers, HALF, first)
        changed = seats(after) != seats(stayed)
        moved += changed
        if changed:
            assert better(after, stayed, cost), seed
        again = place(intents, offers, HALF, after, f"{cost} EUR")
        assert body(again)["placements"] == body(after)["placements"], seed
    assert moved > 15


def better(after: flare.Plan, stayed: flare.Plan, cost: int) -> bool:
    many = [sum(p.status is flare.Status.PLACED for p in plan.placements) for plan in (after, stayed)]
    if many[0] != many[1]:
        return many[0] > many[1]
    saved = sum(p.hourly_ueur or 0 for p in stayed.placements) - sum(
        p.hourly_ueur or 0 for p in after.placements
    )
    tasks = sum(a != b for a, b in zip(seats(after), seats(stayed), strict=True))
    return saved * HOURS > tasks * cost * 1_000_000
