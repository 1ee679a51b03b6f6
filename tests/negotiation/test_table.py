"""Intents that a plan leaves out negotiate on what it leaves, one after the other."""

from collections import Counter
from copy import deepcopy
from random import Random
from typing import Any

from tests.negotiation.pairs import asking
from tests.worlds import OBJECTIVES, Json, World, answer, intent, offer, put, world

BUDGET = "constraints__max_hourly_cost"
TERMS: Json = {"price_flexibility": 0.15}


def wanting(name: str, budget: str, **terms: Any) -> Json:
    return asking({**TERMS, **terms}, name=name, **{BUDGET: f"{budget} EUR"})


def by_name(given: World, **options: Any) -> dict[str, Json]:
    return {placed["intent"]: placed for placed in answer(given.place(**options))["placements"]}


def where(placed: Json) -> list[str]:
    return [row["offer"] for row in placed["assignments"]]


def test_nobody_gives_way_where_all_can_be_placed_together() -> None:
    placed = by_name(world([intent("a"), wanting("b", "1")], offer("o", 1), offer("p", "1.1")))
    assert [where(placed[name]) for name in "ab"] == [["p"], ["o"]]
    assert placed["b"]["relaxed"] == []


def test_one_gives_way_where_one_is_left_out() -> None:
    placed = by_name(world([wanting("a", "1"), wanting("b", "1")], offer("o", 1), offer("p", "1.1")))
    assert sorted(len(p["relaxed"]) for p in placed.values()) == [0, 1]
    assert {p["status"] for p in placed.values()} == {"placed"}


def test_an_offer_makes_nobody_else_worse() -> None:
    """Only on the offer of the first could the second be placed, and that is not what is left."""
    first = intent("a")
    second = asking({"auto_accept_threshold": 0}, name="b", **{BUDGET: "1 EUR"})
    given = world([first, second], offer("o", "1.05"), offer("p", 5))
    placed = by_name(given)
    assert where(placed["a"]) == ["o"]
    assert (placed["b"]["status"], placed["b"]["offer"]) == ("queued", None)


MEMORY = "workload__resources__gpu__memory"


def beside_a_cheap_one(**terms: Any) -> dict[str, Json]:
    """The first is best off on `o`, the second gives way in memory and is best off there, too."""
    second = asking(terms, name="b", **{MEMORY: "42Gi", BUDGET: "2 EUR"})
    return by_name(world([intent("a"), second], offer("o", 1), offer("p", "1.5"), offer("q", 9)))


def test_an_offer_is_the_best_of_what_is_left() -> None:
    placed = beside_a_cheap_one(auto_accept_threshold=0)
    assert where(placed["a"]) == ["o"]
    assert where(placed["b"]["offer"]["placement"]) == ["p"]


def test_who_joins_a_plan_is_placed_with_all_others() -> None:
    placed = beside_a_cheap_one()
    assert sorted(where(placed["a"]) + where(placed["b"])) == ["o", "p"]
    assert [entry["path"] for entry in placed["b"]["relaxed"]] == [MEMORY.replace("__", ".")]


def test_a_higher_priority_drives_nobody_out() -> None:
    given = world([intent("a"), wanting("b", "1")], offer("o", "1.05"), priorities={"b": 9.0})
    placed = by_name(given)
    assert (where(placed["a"]), placed["b"]["status"]) == (["o"], "queued")


def test_an_offer_stands_beside_what_is_placed() -> None:
    second = asking({"auto_accept_threshold": 0}, name="b", **{BUDGET: "1 EUR"})
    given = world([intent("a"), second], offer("o", "1.05", gpus=1), offer("p", "1.06"))
    plan = given.place()
    document = answer(plan)
    placed = {p["intent"]: p for p in document["placements"]}
    assert where(placed["a"]) == ["o"]
    assert where(placed["b"]["offer"]["placement"]) == ["p"]
    assert document["objective"]["placed"] == 1
    assert document["status"] == "optimal"


def test_those_of_higher_priority_negotiate_first() -> None:
    intents = [wanting("a", "1"), wanting("b", "1")]
    for priorities, first in (({}, "a"), ({"b": 2.0}, "b")):
        placed = by_name(world(intents, offer("o", "1.1"), priorities=priorities))
        assert {name: p["status"] for name, p in placed.items()} == {
            first: "placed",
            "ab".replace(first, ""): "queued",
        }


def test_an_offer_is_held_while_others_negotiate() -> None:
    held, other = wanting("a", "1", auto_accept_threshold=0), wanting("b", "1")
    placed = by_name(world([held, other], offer("o", "1.1")))
    assert placed["a"]["offer"] is not None
    assert (placed["b"]["status"], placed["b"]["offer"]) == ("queued", None)


def test_who_gives_way_takes_nothing_from_those_who_are_placed() -> None:
    given = world([intent("a"), wanting("b", "1")], offer("o", "1.05"))
    placed = by_name(given)
    assert where(placed["a"]) == ["o"]
    assert placed["b"]["status"] == "queued"


def test_a_plan_in_which_all_wait_is_complete() -> None:
    document = answer(world([wanting("a", "1"), wanting("b", "1")], offer("o", 9)).place())
    assert (document["status"], document["objective"], document["gap"]) == ("optimal", None, None)
    assert [p["status"] for p in document["placements"]] == ["queued", "queued"]


# --- random plans -----------------------------------------------------------------------------------

STRATEGIES = ("queue", "lower_tier", "shared", "spot", "fail")
SHARING: Json = {"gpu__shared": True, "gpu__sharing_strategy": "mps", "gpu__sharing_slots": 2}


def crowded(seed: int) -> World:
    """Two or three intents that negotiate, each in its way, on a few nodes."""
    random = Random(seed)
    intents = []
    for name in "abc"[: random.choice((2, 3))]:
        terms = {
            "fallback_strategy": random.choice(STRATEGIES),
            "price_flexibility": random.choice((0.1, 0.2, 0.3)),
            "auto_accept_threshold": random.choice((0, 0.1, 1)),
        }
        one = asking(terms, name=name, tasks=random.choice((1, 1, 2)))
        one["objective"] = random.choice(OBJECTIVES)
        put(one, BUDGET, f"{random.choice((0.5, 1, 1.5, 2))} EUR")
        if random.random() < 0.4:
            put(one, "workload__resources__gpu__memory", random.choice(("40Gi", "42Gi", "44Gi")))
        intents.append(one)
    offers = [
        offer(
            f"o{k}",
            random.choice((1, 1.05, 1.2, 1.5)),
            gpus=random.choice((1, 2)),
            price__spot_hourly=random.choice((None, "0.40 EUR/hour")),
            **(SHARING if random.random() < 0.3 else {}),
        )
        for k in range(random.randint(1, 3))
    ]
    return world(intents, *offers)


def plain(given: World) -> World:
    intents = deepcopy(given.intents)
    for one in intents:
        if one["constraints"].pop("negotiation")["fallback_strategy"] == "fail":
            one["constraints"]["negotiation"] = {"fallback_strategy": "fail"}
    return world(intents, *given.offers)


NEGOTIATED = {
    BUDGET.replace("__", "."), "constraints.preemptible", "workload.resources.gpu.memory",
    "workload.resources.gpu.tier", "workload.resources.gpu.model", "workload.resources.gpu.shared",
}  # fmt: skip


def test_random_plans_hold() -> None:
    """Who fits is placed as asked; who does not is placed, offered, waits or is refused as its terms say."""
    ends: Counter[str] = Counter()
    for seed in range(120):
        given = crowded(seed)
        without, placed = by_name(plain(given)), by_name(given)
        for one in given.intents:
            name, terms = one["workload"]["name"], one["constraints"]["negotiation"]
            now, told = placed[name], {entry["path"] for entry in placed[name]["relaxed"]}
            assert told <= NEGOTIATED
            if without[name]["status"] == "placed":
                assert (now["status"], told) == ("placed", set())
                ends["as asked"] += 1
                continue
            queues = now["offer"] is not None or terms["fallback_strategy"] == "queue"
            assert now["status"] in ("placed", "queued" if queues else "rejected")
            assert bool(told) == (now["status"] == "placed" or now["offer"] is not None)
            ends["offered" if now["offer"] else now["status"]] += 1
    assert min(ends[end] for end in ("as asked", "offered", "placed", "queued", "rejected")) >= 5, ends
