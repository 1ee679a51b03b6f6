"""The engine over intents against a plain dictionary, and against itself restored."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import flare_core as flare
from flare_core.errors import OptionsError
from flare_core.quantities import format_moment, parse_moment
from flare_core.verify import verify
from flare_core.verify.stays import without_room
from tests.worlds import NOW, Json, intent, offer

SLOTS = {"gpu__shared": True, "gpu__sharing_strategy": "time-slicing", "gpu__sharing_slots": 4}
SHARED = {"workload__resources__gpu__shared": True}
OFFERS = {
    "near": offer("near", 2, 2, nodes=2),
    "far": offer("far", 6, 4, nodes=1),
    "parts": offer("parts", 1, 1, nodes=2, gpu__dedicated=False, **SLOTS),
    "whole": offer("whole", 3, 2, nodes=1, price__billing="node"),
    "cloud": offer("cloud", 9, 2, nodes=None, price__billing="node", gpu__model="nvidia-x3"),
}
GONE: dict[str, Json] = {
    "near": offer("near", 3, 2, nodes=1),
    "far": offer("far", 6, 4, nodes=1, gpu__model="nvidia-x2"),
    "parts": offer("parts", 1, 1, nodes=2, gpu__dedicated=False, **SLOTS),
    "cloud": offer("cloud", 9, 2, nodes=None, price__billing="node", gpu__model="nvidia-x3"),
}
"""The same after a change: a node less, a dearer price, another model, an offer gone."""

KINDS: tuple[Mapping[str, Any], ...] = (
    {"gpus": 1},
    {"gpus": 2},
    {"gpus": 2, "tasks": 2},
    {"gpus": 1, **SHARED},
    {"gpus": 0},
    {"gpus": 1, "workload__resources__gpu__model": "nvidia-x3"},
    {"kind": "job", "gpus": 2, "tasks": 2, "workload__job__timeout": "1h"},
    {
        "kind": "job",
        "gpus": 4,
        "workload__job__timeout": "2h",
        "constraints__deadline": "2026-01-15T18:00:00Z",
    },
    {"kind": "batch", "gpus": 2, "tasks": 3, "workload__job__timeout": "30m"},
    {"gpus": 1, "constraints__max_hourly_cost": "1 EUR/hour"},
)


EMPTY: Json = {
    "status": "infeasible",
    "objective": None,
    "bound": None,
    "gap": None,
    "wall_time_s": 0.0,
    "warnings": [],
    "placements": [],
}


def stock(offers: Mapping[str, Json]) -> flare.Inventory:
    return flare.read_inventory({"version": 1, "offers": list(offers.values())})


def read(name: str, kind: Mapping[str, Any]) -> flare.Intent:
    return flare.read_intent(intent(name, **kind))


def told(plan: flare.Plan | None) -> Json:
    document = {} if plan is None else plan.to_dict()
    document.pop("wall_time_s", None)
    return document


class Books:
    """Rows on nodes, added up by hand."""

    def __init__(self, offers: Mapping[str, Json], placements: Mapping[str, Json]) -> None:
        self.offers = offers
        self.rows = [(name, row) for name, one in placements.items() for row in one["assignments"]]

    def free(self, offer: str, node: int, start: str, end: str | None) -> int:
        """Return how many whole GPUs of a node nobody has from one moment to another."""
        taken = {
            gpu
            for _, row in self.rows
            if (row["offer"], row["node"]) == (offer, node) and meets(row, start, end)
            for gpu in row["gpus"]
        }
        count: int = self.offers[offer]["gpu"]["count"]
        return count - len(taken)

    def hold(self) -> bool:
        """Whether nowhere more is taken than there is, at any start of a row."""
        return all(self._holds(row["offer"], row["node"], row["start_time"]) for _, row in self.rows)

    def _holds(self, name: str, node: int, start: str) -> bool:
        one = self.offers[name]
        here = [
            (intent, row)
            for intent, row in self.rows
            if (row["offer"], row["node"]) == (name, node)
            and row["start_time"] <= start
            and (row["end_time"] is None or start < row["end_time"])
        ]
        milli = [0] * one["gpu"]["count"]
        for _, row in here:
            for gpu in row["gpus"]:
                milli[gpu] += 1000 if row["gpu_milli"] is None else row["gpu_milli"]
        alone = one["price"]["billing"] == "gpu" or len({intent for intent, _ in here}) == 1
        exists = one["nodes"] is None or node < one["nodes"]
        return exists and alone and max(milli) <= 1000 and len(here) <= int(one["cpu"])


def meets(row: Json, start: str, end: str | None) -> bool:
    return (end is None or row["start_time"] < end) and (row["end_time"] is None or start < row["end_time"])


class Lifetime(RuleBasedStateMachine):
    """Intents come and go, time passes, offers change, and the engine is restored now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.offers: Mapping[str, Json] = OFFERS
        self.engine = flare.Engine(stock(OFFERS))
        self.placed: dict[str, Json] = {}
        self.intents: dict[str, flare.Intent] = {}
        self.now: datetime = parse_moment(NOW)
        self.came = 0

    def _named(self, kind: Mapping[str, Any]) -> flare.Intent:
        self.came += 1
        return read(f"i{self.came}", kind)

    def _take(self, plan: flare.Plan, intents: list[flare.Intent]) -> None:
        current = self.engine_plan
        held = list(self.intents.values())
        assert not verify(plan, intents, self.engine.inventory, current=current, now=self.now, held=held), (
            "what comes fits beside what is there"
        )
        for one, asked in zip(plan.to_dict()["placements"], intents, strict=True):
            if one["status"] == "placed":
                self.placed[asked.name], self.intents[asked.name] = one, asked
            else:
                assert self._is_full(asked)

    def _is_full(self, asked: flare.Intent) -> bool:
        """Whether nobody could place it who has no other rule than that whole GPUs are free for good."""
        gpu = asked.workload.resources.gpu
        if asked.workload.type != "service" or gpu is None or gpu.shared or asked.workload.tasks > 1:
            return True
        if asked.constraints.max_hourly_cost is not None or gpu.model not in (None, "any"):
            return True
        books, now = Books(self.offers, self.placed), format_moment(self.now)
        nodes = [(name, node) for name in ("near", "far") for node in range(self.offers[name]["nodes"])]
        return all(books.free(name, node, now, None) < gpu.count for name, node in nodes)

    @rule(kind=st.sampled_from(KINDS))
    def submit(self, kind: Mapping[str, Any]) -> None:
        asked = self._named(kind)
        self.engine_plan = self._plan()
        self._take(self.engine.submit(asked, self.now), [asked])

    @rule(kinds=st.lists(st.sampled_from(KINDS), min_size=2, max_size=3))
    def submit_many(self, kinds: list[Mapping[str, Any]]) -> None:
        asked = [self._named(kind) for kind in kinds]
        self.engine_plan = self._plan()
        alone = flare.Engine.restore(self.engine.snapshot(), self.engine.inventory)
        plan = self.engine.submit_many(asked, self.now)
        one_by_one = [alone.submit(one, self.now).placements[0].status for one in asked]
        for one, before in zip(plan.placements, one_by_one, strict=True):
            assert one.status is flare.Status.PLACED or before is not flare.Status.PLACED
        self._take(plan, asked)

    @precondition(lambda self: self.placed)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.placed)))
        self.engine.release(name)
        del self.placed[name], self.intents[name]
        with pytest.raises(OptionsError, match="no intent of this name"):
            self.engine.release(name)

    @rule(minutes=st.sampled_from([1, 20, 90]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        now = format_moment(self.now)
        self.placed = {
            name: one for name, one in self.placed.items() if one["end_time"] is None or one["end_time"] > now
        }
        self.intents = {name: self.intents[name] for name in self.placed}
        self._plan()

    @rule(offers=st.sampled_from([OFFERS, GONE]))
    def update_inventory(self, offers: Mapping[str, Json]) -> None:
        lost = self.engine.update_inventory(stock(offers), self.now)
        left = {name: one for name, one in self.placed.items() if name not in lost}
        for name in lost:
            rows = self.placed[name]["assignments"]
            known = all(
                row["offer"] in offers and row["gpu_model"] in (None, offers[row["offer"]]["gpu"]["model"])
                for row in rows
            )
            assert not known or not Books(offers, {**left, name: self.placed[name]}).hold()
        self.offers, self.placed = offers, left
        self.intents = {name: self.intents[name] for name in left}

    @rule()
    def restore(self) -> None:
        text = self.engine.snapshot()
        again = flare.Engine.restore(text, self.engine.inventory)
        assert again.snapshot() == text
        asked = read("twin", KINDS[0])
        assert told(again.submit(asked, self.now)) == told(self.engine.submit(asked, self.now))
        assert again.snapshot() == self.engine.snapshot()
        for engine in (again, self.engine):
            if asked in engine.intents:
                engine.release("twin")
        self.engine = again

    def _plan(self) -> Json:
        plan = self.engine.plan(self.now)
        document = EMPTY if plan is None else plan.to_dict()
        assert {one["intent"]: one for one in document["placements"]} == self.placed
        if plan is not None:
            assert not without_room(plan, self.engine.intents, self.engine.inventory, self.now)
        return document

    @invariant()
    def holds_what_it_says(self) -> None:
        assert [one.name for one in self.engine.intents if one.name in self.placed] == list(self.placed)
        assert Books(self.offers, self.placed).hold()


def live(examples: int, steps: int) -> None:
    how = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    run_state_machine_as_test(Lifetime, settings=how)


def test_an_engine_is_a_dictionary_of_who_is_placed_and_restores_exactly() -> None:
    live(6, 12)


@pytest.mark.t1
def test_an_engine_is_a_dictionary_of_who_is_placed_300_times_40_steps() -> None:
    live(300, 40)


def test_what_comes_does_not_move_what_has_not_begun() -> None:
    engine = flare.Engine(stock({"o": offer("o", 1, 1)}))
    job = {"kind": "job", "workload__job__timeout": "1h"}
    for k in range(3):
        engine.submit(read(f"j{k}", job), NOW)
    plan = engine.plan(NOW)
    assert plan is not None
    begins = [one["start_time"][11:16] for one in plan.to_dict()["placements"]]
    assert begins == ["10:00", "11:00", "12:00"]
    late = read("late", {**job, "constraints__deadline": "2026-01-15T12:30:00Z"})
    assert engine.submit(late, NOW).placements[0].status is flare.Status.REJECTED
    engine.release("j1")
    [placed] = engine.submit(late, NOW).to_dict()["placements"]
    assert placed["start_time"][11:16] == "11:00"


def test_who_came_is_counted_by_class() -> None:
    engine = flare.Engine(stock({"o": offer("o", 1, 2)}))
    plan = engine.submit_many([read("a", {"gpus": 2}), read("b", {"gpus": 1}), read("c", {"gpus": 1})], NOW)
    # Most would be b and c; who came first is placed.
    assert [one.status.value for one in plan.placements] == ["placed", "rejected", "rejected"]
    assert engine.accepted == {"service, 1 x 1 any": (0, 2), "service, 1 x 2 any": (1, 1)}


def test_place_is_told_to_be_fair_or_not() -> None:
    intents = [read("a", {"gpus": 2}), read("b", {"gpus": 1}), read("c", {"gpus": 1})]
    inventory = stock({"o": offer("o", 1, 2)})
    most = flare.place(intents, inventory, now=NOW)
    assert flare.acceptance(most, intents) == {"service, 1 x 1 any": (2, 2), "service, 1 x 2 any": (0, 1)}
    fair = flare.place(intents, inventory, now=NOW, options=flare.Options(fairness="first-come"))
    assert flare.acceptance(fair, intents) == {"service, 1 x 1 any": (0, 2), "service, 1 x 2 any": (1, 1)}
    assert fair.outcome is flare.Outcome.OPTIMAL
    assert fair.to_dict()["bound"] == fair.to_dict()["objective"]


def test_there_are_two_kinds_of_fairness() -> None:
    with pytest.raises(OptionsError, match="fairness: found 'last-come'"):
        flare.Options(fairness="last-come")


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"version": 2}), json.dumps({"version": 1})])
def test_what_is_no_snapshot_of_this_version_is_told(text: str) -> None:
    with pytest.raises(OptionsError, match="snapshot"):
        flare.Engine.restore(text, stock(OFFERS))


def test_a_snapshot_belongs_to_its_inventory() -> None:
    text = flare.Engine(stock(OFFERS)).snapshot()
    with pytest.raises(OptionsError, match="another inventory"):
        flare.Engine.restore(text, stock(GONE))


def test_a_name_is_placed_once_and_time_does_not_go_back() -> None:
    engine = flare.Engine(stock(OFFERS))
    engine.submit(read("a", {}), NOW)
    with pytest.raises(OptionsError, match="of which no intent is placed"):
        engine.submit(read("a", {}), NOW)
    with pytest.raises(OptionsError, match="moment of the last call"):
        engine.submit(read("b", {}), "2026-01-15T09:59:59Z")
    assert [one.name for one in engine.intents] == ["a"]
