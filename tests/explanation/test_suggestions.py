"""Each suggestion is a placement that was solved for: applying its patch gives it; none beats another."""

from collections.abc import Iterator
from copy import deepcopy
from fractions import Fraction
from typing import Any

import pytest

import flare_core as flare
from flare_core.explanation.suggestions import MOST, percent
from flare_core.intent.patch import merged
from tests.worlds import NOW, Json, World, answer, intent, offer, small, world

GPU = "workload__resources__gpu"


def of_gpu(name: str, kind: str = "service", *, gpu: Json, **changes: Any) -> Json:
    """An intent that asks for something of its GPU."""
    asked = {f"{GPU}__{field}": value for field, value in gpu.items()}
    return intent(name, kind, **asked, **changes)


def suggested(given: World) -> list[Json]:
    """What is suggested to the one intent of a world."""
    [placement] = answer(given.place())["placements"]
    made: list[Json] = placement["error"]["suggestions"]
    return made


def shown(given: World) -> list[tuple[str, str | None, str | None]]:
    return [(s["alternative"], s["cost_difference"], s["performance_impact"]) for s in suggested(given)]


def refused(seeds: range) -> Iterator[tuple[World, int, list[Json]]]:
    """Random worlds in which an intent is rejected: the world, which intent, and what is suggested to it."""
    for seed in seeds:
        given = small(seed)
        for i, placement in enumerate(answer(given.place())["placements"]):
            if placement["status"] == "rejected":
                yield given, i, placement["error"]["suggestions"]


# --- what a suggestion is ---------------------------------------------------------------------------

KEYS = [
    "alternative", "cost_difference", "performance_impact", "hourly_cost", "changes", "patch", "placement"
]  # fmt: skip


def test_a_suggestion_says_all_there_is_to_say() -> None:
    [one] = suggested(world(intent(constraints__location="FR"), offer("a", "1.5")))
    placement = one.pop("placement")
    assert [*one, "placement"] == KEYS
    assert one == {
        "alternative": "nvidia-x1 GPUs available in r1: location FR, DE instead of FR",
        "cost_difference": "+0%",
        "performance_impact": "+0%",
        "hourly_cost": "1.50 EUR/hour",
        "changes": [{"path": "constraints.location", "asked": "FR", "needed": "FR, DE"}],
        "patch": one["patch"],
    }
    assert (placement["status"], placement["hourly_cost"]) == ("placed", "1.50 EUR/hour")


def test_differences_are_told_in_whole_percents_with_a_sign() -> None:
    asked = of_gpu("web", gpu={"model": "nvidia-x1"}, constraints__location="FR")
    offers = (
        offer("here", "0.804", country="FR", gpu__model="nvidia-x2", gpu__fp32_tflops="5.25"),
        offer("there", 1),
    )
    assert [(cost, speed) for _, cost, speed in shown(world(asked, *offers))] == [
        ("-20%", "-50%"), ("+0%", "+0%")
    ]  # fmt: skip


def test_the_reference_point_is_the_request_on_demand_with_all_else_given_up() -> None:
    asked = intent(constraints__max_hourly_cost="3 EUR", constraints__location="DE")
    offers = (offer("spot", 8, price__spot_hourly="2 EUR/hour"), offer("far", 4, country="US"))
    made = shown(world(asked, *offers))
    assert [(cost, text.startswith("spot ")) for text, cost, _ in made] == [("-50%", True)] + [
        (cost, False) for _, cost, _ in made[1:]
    ]


def test_the_reference_point_is_on_demand_where_spot_is_allowed_too() -> None:
    asked = intent(constraints__preemptible=True, constraints__location="FR")
    made = shown(world(asked, offer("a", 4, price__spot_hourly="2 EUR/hour")))
    assert [cost for _, cost, _ in made] == ["-50%"]


def test_without_a_reference_the_budget_is_compared_with_and_else_nothing() -> None:
    ways: list[tuple[Json, str | None]] = [({}, None), ({"constraints__max_hourly_cost": "4 EUR"}, "-50%")]
    for budget, told in ways:
        asked = of_gpu("web", gpu={"model": "nvidia-none"}, **budget)
        assert [cost for _, cost, _ in shown(world(asked, offer("a", 2)))] == [told]


def test_a_total_budget_is_compared_with_totals() -> None:
    asked = of_gpu("j", "job", gpu={"model": "nvidia-none"}, constraints__max_total_cost="8 EUR")
    assert [cost for _, cost, _ in shown(world(asked, offer("a", 2)))] == ["-50%"]


def test_unknown_throughput_is_not_compared() -> None:
    asked = intent(constraints__location="FR")
    assert [speed for *_, speed in shown(world(asked, offer("a", gpu__fp32_tflops=None)))] == [None]


def test_what_is_dominated_is_left_out() -> None:
    """A dearer place for the same GPUs is no suggestion beside a cheaper one."""
    asked = of_gpu("web", gpu={"memory": "80Gi"}, constraints__location="DE")
    offers = (offer("small", 1), offer("far", 2, country="US", gpu__memory="80Gi"))
    assert [text.partition(":")[2] for text, *_ in shown(world(asked, *offers))] == [
        " gpu.memory 40Gi instead of 80Gi"
    ]


def test_there_are_five_at_most() -> None:
    asked = of_gpu("web", gpu={"model": "nvidia-none"})
    offers = [offer(f"o{k}", k, gpu__model=f"nvidia-m{k}", gpu__fp32_tflops=str(10 * k)) for k in range(1, 9)]
    made = suggested(world(asked, *offers))
    assert [one["hourly_cost"] for one in made] == [f"{k}.00 EUR/hour" for k in range(1, MOST + 1)]


def test_nothing_is_suggested_where_nothing_can_be_had() -> None:
    assert suggested(world(intent(), offer("a", nodes=0))) == []


def test_beside_other_intents_a_suggestion_is_what_they_leave() -> None:
    given = world(
        [intent("a"), intent("b", constraints__location="FR")],
        offer("o", 1),
        offer("p", 3),
    )
    rejected = next(p for p in answer(given.place())["placements"] if p["intent"] == "b")
    [one] = rejected["error"]["suggestions"]
    assert [row["offer"] for row in one["placement"]["assignments"]] == ["p"]


def test_what_others_take_leaves_suggestions_too() -> None:
    """Four of eight GPUs are left beside the first intent, and that is judged."""
    given = world([intent("a", gpus=4), intent("b", gpus=8)], offer("o", 8, gpus=8))
    rejected = next(p for p in answer(given.place())["placements"] if p["intent"] == "b")["error"]
    assert rejected["error_code"] == "INSUFFICIENT_RESOURCES"
    assert "other intents of this plan" in rejected["message"]
    assert rejected["conflicts"] == [["workload.resources.gpu.count"]]
    [one] = rejected["suggestions"]
    assert one["changes"] == [{"path": "workload.resources.gpu.count", "asked": "8", "needed": "4"}]


def test_without_gpus_costs_are_compared_with_the_budget_and_nothing_is_no_alternative() -> None:
    for budget in ("0.10 EUR", "0.000001 EUR"):
        made = suggested(world(intent(gpus=0, constraints__max_hourly_cost=budget), offer("a", "0.96")))
        assert made
        assert all(one["cost_difference"] is not None for one in made)
        assert all(eur(one["hourly_cost"]) for one in made)


def test_no_suggestion_needs_what_is_not_supported() -> None:
    """With half the memory one task of any number fits, and the others would have to run in waves."""
    asked = intent("j", "batch", 5, workload__resources__memory="64Gi")
    del asked["constraints"]["deadline"]
    asked["workload"]["job"]["completion_policy"] = "Any"
    given = world(asked, offer("a", gpus=1))
    for one in suggested(given):
        applied(given, 0, one)


@pytest.mark.parametrize(
    ("value", "reference", "told"),
    [(8, 10, "-20%"), (10, 10, "+0%"), (23, 20, "+15%"), (None, 10, None), (1, None, None), (1, 0, None)],
)
def test_percents(value: int | None, reference: int | None, told: str | None) -> None:
    exact = [None if number is None else Fraction(number) for number in (value, reference)]
    assert percent(*exact) == told


# --- what holds for all -----------------------------------------------------------------------------


def eur(text: str) -> Fraction:
    return Fraction(text.split()[0])


def worth(one: Json, *, total: bool) -> tuple[Fraction, Fraction, Fraction]:
    placed = one["placement"]
    tasks = len(placed["assignments"])
    cost = eur(placed["total_cost"] if total else placed["hourly_cost"]) / tasks
    speed = Fraction(repr(placed["performance_tflops"] or 0)) / tasks
    return cost, -speed, Fraction(len(one["changes"]))


def beats(a: tuple[Fraction, ...], b: tuple[Fraction, ...]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def test_suggestions_of_random_worlds_hold() -> None:
    number = 0
    for given, i, made in refused(range(120)):
        asked = given.intents[i]
        total = asked["workload"]["type"] != "service"
        worths = [worth(one, total=total) for one in made]
        assert len(made) <= MOST
        assert [w[0] for w in worths] == sorted(w[0] for w in worths)
        assert not any(beats(a, b) for a in worths for b in worths)
        for one in made:
            number += 1
            applied(given, i, one)
    assert number >= 60


def applied(given: World, i: int, one: Json) -> None:
    """Apply a suggestion: what is placed is what was suggested, and an independent checker agrees."""
    changed: Any = merged(deepcopy(given.intents[i]), one["patch"])
    intents = [flare.read_intent(deepcopy(changed))]
    offers = flare.read_inventory({"version": 1, "offers": deepcopy(list(given.offers))})
    options = flare.Options(weights=given.weights)
    plan = flare.place(intents, offers, now=NOW, options=options)
    assert flare.verify(plan, intents, offers) == ()
    placed = answer(plan)["placements"][0]
    assert placed["status"] == "placed"
    if len(given.intents) == 1:
        assert placed == one["placement"]
