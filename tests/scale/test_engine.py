"""The engine against a plain dictionary, and against itself restored."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from flare_core.errors import OptionsError
from flare_core.scale.engine import Engine, Node, Placed, Task
from flare_core.scale.replay import MAKERS

NODES = [
    Node("a", 8000, 64, 2, "T4"),
    Node("b", 8000, 64, 4, "A10"),
    Node("c", 4000, 32, 1, "A10"),
    Node("d", 16000, 128),
]
TASKS = [
    Task(1000, 8, 1, 300),
    Task(1000, 8, 1, 500, ("A10",)),
    Task(2000, 16, 1),
    Task(2000, 16, 2),
    Task(4000, 32, 4, models=("A10",)),
    Task(3000, 8),
]
EXPECTED = {task: 3 for task in TASKS[:4]}
tasks = st.builds(
    Task,
    st.sampled_from([500, 1000, 4000]),
    st.sampled_from([4, 8, 32]),
    st.sampled_from([0, 1, 1, 1, 2, 3]),
    st.sampled_from([100, 250, 500, 810, 1000]),
    st.sampled_from([(), ("T4",), ("A10",), ("A10", "T4"), ("H100",)]),
) | st.sampled_from(TASKS)
fleets = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(
        st.sampled_from([2000, 8000]),
        st.sampled_from([16, 64]),
        st.integers(0, 4),
        st.sampled_from(["T4", "A10"]),
    ),
    min_size=1,
).map(lambda rows: [Node(name, *row) for name, row in rows.items()])


def takes(task: Task, gpus: int) -> int:
    """Return the thousandths that a task takes of one of so many GPUs."""
    return (task.milli if gpus == 1 else 1000) if gpus else 0


class Books:
    """What is free of each node, counted from scratch out of who sits where."""

    def __init__(self, nodes: list[Node], sitting: Mapping[str, tuple[Task, Placed]]) -> None:
        self.nodes = {node.name: node for node in nodes}
        self.cpu = {node.name: node.cpu_milli for node in nodes}
        self.memory = {node.name: node.memory_mib for node in nodes}
        self.gpus = {node.name: [1000] * node.gpus for node in nodes}
        for task, place in sitting.values():
            assert len(place.gpus) == task.gpus
            assert not task.gpus or not task.models or self.nodes[place.node].model in task.models
            self.cpu[place.node] -= task.cpu_milli
            self.memory[place.node] -= task.memory_mib
            for g in place.gpus:
                self.gpus[place.node][g] -= takes(task, task.gpus)

    def hold(self) -> bool:
        gpus = [min(free, default=0) for free in self.gpus.values()]
        return min(*self.cpu.values(), *self.memory.values(), *gpus) >= 0

    def fits(self, task: Task) -> bool:
        return any(
            self.cpu[name] >= task.cpu_milli
            and self.memory[name] >= task.memory_mib
            and (not task.gpus or not task.models or node.model in task.models)
            and sum(free >= takes(task, task.gpus) for free in self.gpus[name]) >= task.gpus
            for name, node in self.nodes.items()
        )


class Lifetime(RuleBasedStateMachine):
    """Tasks come and go, machines change, and a second engine, restored now and then, does the same."""

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.nodes = NODES
        self.engine, self.twin = Engine(NODES), Engine(NODES)
        self.sitting: dict[str, tuple[Task, Placed]] = {}
        self.count = self.plans = 0

    def _name(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def _seated(self, name: str, task: Task, place: Placed | None) -> None:
        assert (place is not None) == Books(self.nodes, self.sitting).fits(task)
        if place is not None:
            self.sitting[name] = task, place

    @rule(target=names, task=tasks)
    def submit(self, task: Task) -> str:
        name = self._name()
        place = self.engine.submit(name, task)
        assert self.twin.submit(name, task) == place
        self._seated(name, task, place)
        return name

    @rule(several=st.lists(tasks, max_size=5))
    def submit_many(self, several: list[Task]) -> None:
        asked = {self._name(): task for task in several}
        places = self.engine.submit_many(asked)
        assert self.twin.submit_many(asked) == places
        self.sitting |= {name: (asked[name], place) for name, place in places.items() if place is not None}
        books = Books(self.nodes, self.sitting)
        assert not any(books.fits(asked[name]) for name, place in places.items() if place is None)

    @rule(name=consumes(names))
    def release(self, name: str) -> None:
        for engine in (self.engine, self.twin):
            if name in self.sitting:
                engine.release(name)
            else:
                with pytest.raises(OptionsError, match="no task"):
                    engine.release(name)
        self.sitting.pop(name, None)

    @rule(nodes=fleets | st.just(NODES))
    def update_inventory(self, nodes: list[Node]) -> None:
        lost = self.engine.update_inventory(nodes)
        assert self.twin.update_inventory(nodes) == lost
        self.nodes = nodes
        left = {name: each for name, each in self.sitting.items() if name not in lost}
        for name in lost:
            task, place = self.sitting[name]
            there = {node.name: node for node in nodes}.get(place.node)
            small = there is None or there.gpus <= max(place.gpus, default=-1)
            if small or (task.gpus and task.models and there is not None and there.model not in task.models):
                continue
            assert not Books(nodes, {**left, name: (task, place)}).hold()
        self.sitting = left

    @precondition(lambda self: self.plans < 2)  # each costs as much as hundreds of other steps
    @rule(among=st.sampled_from([("plan for 103%",), ("plan for 97%",), ("assignment",), tuple(MAKERS)]))
    def plan(self, among: tuple[str, ...]) -> None:
        self.plans += 1
        chosen = self.engine.plan(EXPECTED, among=among, effort=0)
        assert self.twin.plan(EXPECTED, among=among, effort=0) == chosen

    @rule()
    def restore(self) -> None:
        text = self.twin.snapshot()
        self.twin = Engine.restore(text)
        assert self.twin.snapshot() == text == self.engine.snapshot()

    @invariant()
    def holds_what_it_says(self) -> None:
        assert dict(self.engine.tasks) == {name: place for name, (_, place) in self.sitting.items()}
        books = Books(self.nodes, self.sitting)
        assert books.hold()
        capacity = 1000 * sum(node.gpus for node in self.nodes)
        free = sum(sum(gpus) for gpus in books.gpus.values())
        assert self.engine.allocation == (1 - free / capacity if capacity else 0)


def test_an_engine_is_a_dictionary_of_who_sits_where_and_restores_exactly() -> None:
    run_state_machine_as_test(
        Lifetime, settings=settings(max_examples=10, stateful_step_count=20, deadline=None)
    )


@pytest.mark.t1
def test_an_engine_is_a_dictionary_of_who_sits_where_300_times_40_steps() -> None:
    run_state_machine_as_test(
        Lifetime, settings=settings(max_examples=300, stateful_step_count=40, deadline=None)
    )


def test_until_it_knows_what_to_expect_it_fits_best_and_then_what_suits() -> None:
    engine = Engine(NODES)
    assert engine.policy == "best fit"
    choice = engine.plan(EXPECTED, effort=0)
    assert set(choice.allocated) >= {
        "first match",
        "best fit",
        "gradient descent",
        "assignment",
        "plan for 100%",
    }
    assert choice.allocated[choice.name] == max(choice.allocated.values())
    assert engine.policy in (choice.name, "plan")


def test_what_is_of_no_use_to_the_expected_is_told() -> None:
    engine = Engine([Node("a", 8000, 64, 4, "A10")])
    assert engine.fragment == 4
    engine.plan({Task(1000, 8, 4): 1}, effort=0)
    assert engine.fragment == 0
    engine.submit("one", Task(1000, 8, 1))
    assert engine.fragment == 3
    assert engine.allocation == 0.25


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Task(-1, 0), "nothing less than zero"),
        (Task(1, 1, 1, 0), "thousandths"),
        (Task(1, 1, 1, 1001), "thousandths"),
    ],
)
def test_impossible_tasks_are_told_and_nothing_is_seated(task: Task, message: str) -> None:
    engine = Engine(NODES)
    with pytest.raises(OptionsError, match=message):
        engine.submit_many({"good": TASKS[0], "bad": task})
    assert not engine.tasks
    with pytest.raises(OptionsError, match=message):
        engine.submit("bad", task)


def test_a_name_sits_once() -> None:
    engine = Engine(NODES)
    engine.submit("one", TASKS[0])
    with pytest.raises(OptionsError, match="one: a task of this name"):
        engine.submit("one", TASKS[0])


def test_nodes_of_equal_names_are_no_fleet_and_change_nothing() -> None:
    engine = Engine(NODES)
    engine.submit("one", TASKS[0])
    before = engine.snapshot()
    with pytest.raises(OptionsError, match="names"):
        engine.update_inventory([NODES[0], NODES[0]])
    assert engine.snapshot() == before


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"version": 2})])
def test_what_is_no_snapshot_of_this_version_is_told(text: str) -> None:
    with pytest.raises(OptionsError, match="snapshot"):
        Engine.restore(text)


def test_tasks_without_gpus_are_seated_where_no_node_has_any_whatever_is_expected() -> None:
    engine = Engine([Node("a", 8000, 64)])
    engine.plan(EXPECTED, among=["gradient descent"], effort=0)
    assert engine.submit("one", Task(1000, 8)) == Placed("a", ())
    assert engine.submit("two", Task(1000, 8, 1)) is None


def test_a_policy_that_there_is_not_is_told() -> None:
    with pytest.raises(OptionsError, match="among: found"):
        Engine(NODES).plan(EXPECTED, among=["plan for 100%", "worst fit"])


def test_nothing_expected_is_no_plan() -> None:
    with pytest.raises(OptionsError, match="expected"):
        Engine(NODES).plan({})
