"""The whole road: arguments, refusals, warnings, what is checked before a plan comes back."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import flare_core as flare
from flare_core import engine
from flare_core.errors import CancelledError, ErrorCode, InternalError, OptionsError
from flare_core.placement.types import Outcome, Status
from flare_core.requirements.lower import lower
from tests.worlds import NOW, Json, World, intent, medium, offer, world

ONE = world(intent(), offer("a"))


def inventory(*offers: Json) -> flare.Inventory:
    return flare.read_inventory({"version": 1, "offers": list(offers or (offer("a"),))})


def placed_on(plan: flare.Plan) -> list[list[str]]:
    return [[row["offer"] for row in p["assignments"]] for p in plan.to_dict()["placements"]]


# --- arguments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "now",
    [
        "2026-01-15T10:00:00Z",
        "2026-01-15T10:00:00",
        "2026-01-15T11:00:00+01:00",
        "2026-01-15T10:00:00.999Z",
        datetime(2026, 1, 15, 10, tzinfo=UTC),
        datetime(2026, 1, 15, 10),  # a naive one is UTC
        datetime(2026, 1, 15, 5, tzinfo=timezone(timedelta(hours=-5))),
    ],
    ids=str,
)
def test_now_is_a_moment_to_the_second(now: str | datetime) -> None:
    plan = flare.place(flare.read_intent(intent()), inventory(), now=now)
    assert plan.to_dict()["placements"][0]["start_time"] == "2026-01-15T10:00:00Z"


@pytest.mark.parametrize("now", ["", "now", "2026-01-15", "2026-13-01T00:00:00Z", 5, None, 1.5, b"2026"])
def test_what_is_no_moment_is_refused(now: Any) -> None:
    with pytest.raises(OptionsError) as caught:
        flare.place(flare.read_intent(intent()), inventory(), now=now)
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID_FORMAT, "now")


def test_one_intent_is_a_sequence_of_one() -> None:
    asked = flare.read_intent(intent())
    alone = flare.place(asked, inventory(), now=NOW).to_dict()
    listed = flare.place([asked], inventory(), now=NOW).to_dict()
    assert {**alone, "wall_time_s": 0} == {**listed, "wall_time_s": 0}


def test_no_intent_at_all_is_refused() -> None:
    with pytest.raises(OptionsError) as caught:
        flare.place([], inventory(), now=NOW)
    assert caught.value.path == "intents"


def test_two_intents_of_one_name_are_refused() -> None:
    with pytest.raises(flare.IntentError) as caught:
        world([intent("a"), intent("b"), intent("a")], offer("o", nodes=None)).place()
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID_FORMAT, "workload.name")
    assert "'a'" in str(caught.value)


def test_priorities_are_of_intents_of_the_plan() -> None:
    with pytest.raises(OptionsError) as caught:
        world(intent("a"), offer("o"), priorities={"b": 2}).place()
    assert caught.value.path == "priorities.b"


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("time_limit", {"time_limit": 0}),
        ("time_limit", {"time_limit": -1.0}),
        ("time_limit", {"time_limit": "10"}),
        ("time_limit", {"time_limit": float("nan")}),
        ("time_limit", {"time_limit": float("inf")}),
        ("time_limit", {"time_limit": True}),
        ("effort", {"effort": 0}),
        ("effort", {"effort": 2e9}),
        ("seed", {"seed": -1}),
        ("seed", {"seed": 2**31}),
        ("seed", {"seed": 1.0}),
        ("seed", {"seed": True}),
        ("workers", {"workers": 0}),
        ("workers", {"workers": 65}),
        ("weights.speed", {"weights": {"speed": 1}}),
        ("weights.cost", {"weights": {"cost": -1}}),
        ("weights.cost", {"weights": {"cost": "1"}}),
        ("weights.cost", {"weights": {"cost": float("nan")}}),
        ("weights", {"weights": {}}),
        ("weights", {"weights": {"cost": 0}}),
        ("weights", {"weights": ["cost"]}),
        ("priorities.a", {"priorities": {"a": 0}}),
        ("priorities.a", {"priorities": {"a": "high"}}),
        ("priorities", {"priorities": None}),
    ],
    ids=lambda value: str(value),
)
def test_options_out_of_range_are_refused_where_they_are_made(path: str, options: dict[str, Any]) -> None:
    with pytest.raises(OptionsError) as caught:
        flare.Options(**options)
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID_FORMAT, path)


@pytest.mark.parametrize(
    "options",
    [
        {"time_limit": 1e-9},
        {"effort": 1e9},
        {"seed": 2**31 - 1},
        {"workers": 64},
        {"weights": {"carbon": 1e6}},
        {"weights": {"cost": 0, "latency": 1}},
        {"priorities": {"web": 1e6}},
        {"origin": (0, 0)},
        {"origin": "DE"},
    ],
    ids=str,
)
def test_options_at_the_ends_of_their_ranges_are_taken(options: dict[str, Any]) -> None:
    assert ONE.place(**options).placements[0].status is Status.PLACED


@pytest.mark.parametrize("origin", ["nowhere", (91, 0), (0, 181), (0,), 5, ("a", "b")], ids=str)
def test_an_origin_that_is_no_place_is_refused(origin: Any) -> None:
    with pytest.raises(OptionsError) as caught:
        ONE.place(origin=origin)
    assert caught.value.path == "origin"


def test_only_the_ratios_of_weights_matter() -> None:
    offered = [
        offer("a", 1, performance__latency_ms=40),
        offer("b", 2),
        offer("c", 3, energy__carbon_intensity=1),
    ]
    documents = [
        world(intent(objective="Balanced_Optimization"), *offered, weights=weights).document()
        for weights in ({"cost": 1, "carbon": 3}, {"cost": 0.25, "carbon": 0.75, "latency": 0})
    ]
    assert documents[0] == documents[1]


# --- order ------------------------------------------------------------------------------------------


def test_placements_stand_as_the_intents_were_given() -> None:
    asked = [intent("c"), intent("a"), intent("b", constraints__location="US")]
    orders = list(itertools.permutations(asked))
    plans = [world(order, offer("x"), offer("y", 2)).document() for order in orders]
    for order, plan in zip(orders, plans, strict=True):
        assert [p["intent"] for p in plan["placements"]] == [i["workload"]["name"] for i in order]
        by_name = {p["intent"]: p for p in plan["placements"]}
        assert by_name == {p["intent"]: p for p in plans[0]["placements"]}


def test_rows_belong_to_their_placement_in_any_order() -> None:
    plan = world([intent("b", tasks=2), intent("a")], offer("x", 3, 3)).place()
    slices = [(p.rows.start, p.rows.stop) for p in plan.placements]
    assert slices == [(0, 2), (2, 3)]
    assert plan.assignments.placement.tolist() == [0, 0, 1]


def test_what_is_not_named_is_not_there_twice() -> None:
    plan = world([intent("a"), intent("b")], offer("x", 2, 2)).place()
    assert len(set(plan.warnings)) == len(plan.warnings)
    assert len(plan.funnels) == len(plan.runners_up) == 2


# --- what the plan says -----------------------------------------------------------------------------


def warnings_of(one: World, **options: Any) -> str:
    return "\n".join(one.place(**options).warnings)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (world(intent("j", "job", workload__job={"parallel_tasks": 1}), offer("a")), "1h is assumed"),
        (
            world(
                intent("j", "job", workload__job={}, constraints__deadline="2026-01-15T13:00:00Z"),
                offer("a"),
            ),
            "the time until the deadline is assumed, 3h",
        ),
        (world(intent(), offer("a", performance__latency_ms=None)), "counts as the limit, 100ms"),
        (world(intent(), offer("a", gpu__fp32_tflops=None)), "unknown performance: it counts as 0"),
        (world(intent(), offer("a", energy__carbon_intensity=None)), "unknown emissions"),
        (world(intent(), offer("a")), "FP32 rating counts"),
        (
            world(intent("j", "job", 3, workload__job__completion_policy="Any"), offer("a", 2, 2)),
            "2 of 3 tasks are placed",
        ),
        (world(intent(), offer("a"), weights={"cost": 1}), "apply to Balanced_Optimization alone"),
        (
            world(
                intent(),
                offer(
                    "a",
                    availability__maintenance_windows=[
                        {
                            "start": "2026-02-04T02:00:00Z",
                            "end": "2026-02-04T04:00:00Z",
                            "frequency": "weekly",
                        }
                    ],
                ),
            ),
            "which a service takes as they are",
        ),
    ],
)
def test_what_was_assumed_is_told(one: World, said: str) -> None:
    plan = one.place()
    assert plan.placements[0].status is Status.PLACED
    assert any(said in text for text in plan.warnings), plan.warnings


def test_a_plan_on_known_figures_is_told_without_a_word() -> None:
    known = offer("a", gpu__model="nvidia-t4", gpu__memory="16Gi", gpu__architecture=None, gpu__tier=None)
    for key in ("fp32_tflops", "cores", "clock_speed", "compute_capability", "power_w", "interconnect"):
        known["gpu"][key] = None
    assert world(intent(), known).place().warnings == ()


def test_of_several_intents_each_warning_says_whose_it_is() -> None:
    plan = world(
        [intent("a"), intent("b", constraints__location="US")], offer("x"), offer("y", country="US")
    ).place()
    assert {text.split(":")[0] for text in plan.warnings} == {"a", "b"}


def test_several_threads_are_a_warning_where_they_searched() -> None:
    searching = world(intent(tasks=2), offer("a", 2, 2, price__billing="node"), offer("b", 1, nodes=2))
    said = "several solver threads: among equal plans another one may come next time"
    assert said in searching.place(workers=2).warnings
    assert said not in searching.place().warnings
    assert said not in ONE.place(workers=2).warnings


def test_weights_that_are_used_are_no_warning() -> None:
    both = world(
        [intent("a"), intent("b", objective="Balanced_Optimization")], offer("x", 2, 2), weights={"cost": 1}
    )
    assert "apply to Balanced_Optimization alone" not in warnings_of(both)


# --- status -----------------------------------------------------------------------------------------


def test_the_five_outcomes_stay_apart() -> None:
    crowded = world([intent("x", tasks=2, gpus=2), intent("y", tasks=3)], offer("o", gpus=2))
    assert ONE.place().outcome is Outcome.OPTIMAL
    assert crowded.place().outcome is Outcome.INFEASIBLE
    hard = medium(16, intents=3, tasks=30, offers=60)
    stopped = hard.document(effort=1e-3, time_limit=1e6)
    assert stopped["status"] == "feasible"
    assert stopped["gap"] > 0


def test_a_time_limit_without_an_answer_is_unknown_and_no_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    """V8: nothing placed, nothing proven."""
    monkeypatch.setattr("flare_core.solve.search.greedy", lambda problem: tuple(() for _ in problem.asks))
    both = world([intent("x"), intent("y")], offer("o", gpus=2))
    document = both.document(time_limit=1e-9)
    assert (document["status"], document["objective"], document["bound"]) == ("unknown", None, None)
    assert {(p["status"], p["error"]) for p in document["placements"]} == {("unknown", None)}
    assert any("wall-clock" in text for text in document["warnings"])


def test_who_is_left_out_of_an_unproven_plan_is_unknown_unless_nothing_could_serve() -> None:
    asked = [
        intent("x", tasks=8),
        intent("y", tasks=8, constraints__max_hourly_cost="8 EUR"),
        intent("z", constraints__location="US"),
    ]
    offered = [offer(f"o{k}", 1 + k / 10, 1 + k % 2) for k in range(6)]
    document = world(asked, *offered).document(time_limit=1e-9)
    status = {p["intent"]: p["status"] for p in document["placements"]}
    if document["status"] == "feasible":
        assert status == {"x": "placed", "y": "unknown", "z": "rejected"}
        assert document["gap"] > 0
    else:
        assert document["status"] == "optimal"  # a bound of another kind has proven it


def test_a_proven_plan_has_no_gap_and_its_bound_is_its_objective() -> None:
    for one in (ONE, world([intent("a"), intent("b")], offer("x"), offer("y", 2))):
        document = one.document()
        assert (document["status"], document["gap"]) == ("optimal", 0.0)
        assert document["objective"] == document["bound"]


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("Cost_Minimization", 2.0),
        ("Performance_Maximization", 21.0),
        ("Latency_Minimization", 50.0),
        ("Energy_Efficiency", 151.9),
        ("Balanced_Optimization", 0.0),
    ],
)
def test_the_objective_of_one_intent_is_its_first_term_in_its_unit(objective: str, expected: float) -> None:
    assert world(intent(tasks=2, objective=objective), offer("a", 2, 2)).place().objective == expected


def test_time_is_measured_by_the_given_timer() -> None:
    ticks = itertools.count(0, 0.25)
    plan = ONE.place(timer=lambda: float(next(ticks)))
    assert plan.wall_time_s > 0
    assert plan.wall_time_s % 0.25 == 0


# --- what begins later -------------------------------------------------------------------------

CLOSED = offer("a", availability={"window_start": "12:00", "window_end": "18:00"})


@pytest.mark.parametrize(
    ("asked", "offered", "starts"),
    [
        (intent("j", "batch", 2, constraints__deadline="2026-01-15T14:00:00Z"), offer("a"), ["10", "12"]),
        (intent("j", "job"), CLOSED, ["12"]),
        (
            intent(constraints__availability={"window_start": "09:00", "window_end": "17:00"}),
            offer("a"),
            ["10"],
        ),
    ],
    ids=["waves", "closed", "calendar"],
)
def test_what_cannot_begin_at_once_begins_later(asked: Json, offered: Json, starts: list[str]) -> None:
    [placement] = world(asked, offered).place().to_dict()["placements"]
    assert placement["status"] == "placed"
    assert [row["start_time"] for row in placement["assignments"]] == [
        f"2026-01-15T{hour}:00:00Z" for hour in starts
    ]


@pytest.mark.parametrize(
    ("asked", "offered"),
    [
        (intent("j", "batch", 3, constraints__deadline="2026-01-15T13:59:59Z"), [offer("a")]),
        (intent("j", "job", 3), [offer("a")]),
        (intent("j", "batch", 3, constraints__max_total_cost="5.99 EUR"), [offer("a")]),
        (intent("j", "job", constraints__location="US"), [CLOSED]),
    ],
    ids=["no-time-for-two-waves", "a-gang-has-no-waves", "no-money-for-waves", "elsewhere-anyway"],
)
def test_where_nothing_would_help_it_is_an_answer(asked: Json, offered: list[Json]) -> None:
    assert world(asked, *offered).place().outcome is Outcome.INFEASIBLE


# --- progress and cancellation ----------------------------------------------------------------------

HARD = (9, 23, 32)


def told(seed: int) -> tuple[list[flare.Progress], Json]:
    said: list[flare.Progress] = []
    document = medium(seed, intents=3, tasks=30, offers=60).document(
        on_progress=said.append, effort=1e3, time_limit=1e6
    )
    return said, document


@pytest.mark.parametrize("seed", HARD)
def test_progress_only_ever_gets_better(seed: int) -> None:
    said, _ = told(seed)
    assert said
    seconds = [p.time_s for p in said]
    incumbents = [p.incumbent for p in said if p.incumbent is not None]
    bounds = [p.bound for p in said if p.bound is not None]
    assert seconds == sorted(seconds)
    assert incumbents == sorted(incumbents, reverse=True)
    assert bounds == sorted(bounds)
    assert all(p.gap is None or p.gap >= 0 for p in said)


@pytest.mark.parametrize("seed", HARD)
def test_progress_promises_nothing_that_the_plan_does_not_keep(seed: int) -> None:
    said, document = told(seed)
    assert document["status"] == "optimal"
    scaled = document["objective"]["scaled"]
    assert all(p.incumbent is None or p.incumbent >= scaled - 2e-6 for p in said)
    assert all(p.bound is None or p.bound <= scaled + 2e-6 for p in said)


def test_who_watches_gets_the_same_plan() -> None:
    one = medium(9, intents=2, tasks=12, offers=20)
    assert one.document(on_progress=lambda _: None) == one.document()


def test_progress_of_performance_counts_upwards() -> None:
    said: list[flare.Progress] = []
    asked = intent(tasks=3, objective="Performance_Maximization", constraints__max_hourly_cost="9 EUR")
    offered = [
        offer(f"o{k}", 2 + k % 3, 1 + k % 2, price__billing="node", gpu__fp32_tflops=str(10 + k))
        for k in range(9)
    ]
    plan = world(asked, *offered).place(on_progress=said.append)
    assert isinstance(plan.objective, float)
    incumbents = [p.incumbent for p in said if p.incumbent is not None]
    assert incumbents == sorted(incumbents)
    assert all(p.incumbent is None or p.incumbent <= plan.objective + 1e-6 for p in said)


def test_cancelled_with_a_plan_in_hand_it_is_returned() -> None:
    cancellation = flare.Cancellation()
    cancellation.cancel()
    document = medium(16, intents=3, tasks=30, offers=60).document(cancellation=cancellation)
    assert document["status"] == "feasible"
    assert "the search was cancelled" in document["warnings"]


def test_cancelled_with_nothing_in_hand_it_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flare_core.solve.search.greedy", lambda problem: tuple(() for _ in problem.asks))
    cancellation = flare.Cancellation()
    cancellation.cancel()
    with pytest.raises(CancelledError):
        world([intent("a"), intent("b")], offer("x", 2, 2)).place(cancellation=cancellation)


def test_what_needs_no_search_is_answered_though_cancelled() -> None:
    cancellation = flare.Cancellation()
    cancellation.cancel()
    assert ONE.place(cancellation=cancellation).outcome is Outcome.OPTIMAL
    assert world(intent(constraints__location="US"), offer("a")).place(cancellation=cancellation).outcome is (
        Outcome.INFEASIBLE
    )


# --- the check --------------------------------------------------------------------------------------


def _shifted(honest: Callable[..., Any], change: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *args, **options: change(honest(*args, **options))


def _dearer(plan: flare.Plan) -> flare.Plan:
    first, *rest = plan.placements
    return replace(plan, placements=(replace(first, hourly_ueur=(first.hourly_ueur or 0) + 1), *rest))


def _same_gpu(settled: tuple[Any, list[list[Any]]]) -> tuple[Any, list[list[Any]]]:
    return settled[0], [[seat._replace(gpus=(0,)) for seat in own] for own in settled[1]]


@pytest.mark.parametrize(
    ("name", "change"),
    [("_plan", _dearer), ("settled", _same_gpu)],
    ids=["a-wrong-price", "a-gpu-given-twice"],
)
def test_a_broken_plan_never_comes_back(
    name: str, change: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """V1: whatever breaks a plan on its way is found by the check, and is an internal error."""
    one = world(intent(tasks=2), offer("a", 2, 2))
    assert one.place().outcome is Outcome.OPTIMAL
    monkeypatch.setattr(engine, name, _shifted(getattr(engine, name), change))
    with pytest.raises(InternalError, match="does not pass the check") as caught:
        one.place()
    assert caught.value.code is ErrorCode.INTERNAL


def test_a_search_in_a_wrong_offer_is_found_by_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen that lets everything through places an intent outside of its location."""
    one = world(intent(constraints__location="US"), offer("a"))
    monkeypatch.setattr(engine, "lower", lambda i, now: replace(lower(i, now=now), limits=()))
    with pytest.raises(InternalError, match=r"constraints\.location"):
        one.place()
