"""The rule of GPUs at its edge: shares, instances and linked sets that just fit on a node, or do not."""

from typing import Any

import pytest

import flare_core as flare
from flare_core.model.constraints.gpus import Gpus
from flare_core.model.draft import Draft
from flare_core.model.families import broken, rules_of
from flare_core.model.rule import Lazy
from flare_core.placement.packing import Packing, Problem
from flare_core.solve.cpsat import Run
from tests.model.solving import allows
from tests.placement.problems import load, problem
from tests.worlds import Json, intent, offer

GPU = "workload__resources__gpu"
SHARED: dict[str, Any] = {f"{GPU}__shared": True}
SLOTS: dict[str, Any] = {"gpu__shared": True, "gpu__sharing_strategy": "time-slicing"}
MIG: dict[str, Any] = {
    "gpu__model": "nvidia-a100",
    "gpu__memory": "40Gi",
    "gpu__cores": 6912,
    "gpu__shared": True,
    "gpu__sharing_strategy": "mig",
}


def instance(name: str, tasks: int, memory: str, count: int = 1, **changes: Any) -> Json:
    """Return an intent whose tasks take `count` instances that hold so much memory."""
    given: dict[str, Any] = {f"{GPU}__multi_instance": True, f"{GPU}__memory": memory, **changes}
    return intent(name, tasks=tasks, gpus=count, **given)


def whole(one: Problem) -> Packing:
    """Return all tasks of all intents on the one node."""
    return tuple((load(one, "o", ask.needs.tasks, i=i),) for i, ask in enumerate(one.asks))


def fits(one: Problem, packing: Packing) -> bool:
    """Whether model and audit let `packing` pass; that they agree is asserted."""
    rules = rules_of(one)
    told = broken(one, packing, rules)
    draft = Draft(one)
    lazy = [rule for rule in rules if isinstance(rule, Lazy)]
    accepted = allows(one, rules, packing) is not None and not any([r.cut(draft, packing) for r in lazy])
    assert accepted is (not told)
    return accepted


def shares(name: str, tasks: int, cores: int = 1) -> Json:
    """Return an intent whose tasks share GPUs of 4096 cores."""
    asked: dict[str, Any] = {**SHARED, f"{GPU}__cores": cores}
    return intent(name, tasks=tasks, **asked)


SLOT_CASES = [
    ("shares-fill-what-whole-tasks-leave", [intent("a"), shares("b", 2)], 2, True),
    ("one-share-too-many", [intent("a"), shares("b", 3)], 2, False),
    ("shares-of-two-intents-on-one-gpu", [shares("a", 1), shares("b", 3)], 2, True),
    ("which-never-exceed-it", [shares("a", 2), shares("b", 3)], 2, False),
    ("two-thirds-and-a-third", [shares("a", 2, 2730), shares("b", 2, 1365)], 3, True),
    ("two-thirds-and-a-core-more-than-a-third", [shares("a", 2, 2730), shares("b", 2, 1366)], 3, False),
]


@pytest.mark.parametrize(
    ("asked", "slots", "fit"), [case[1:] for case in SLOT_CASES], ids=[case[0] for case in SLOT_CASES]
)
def test_slots_at_the_edge(asked: list[Json], slots: int, fit: bool) -> None:
    one = problem(asked, offer("o", gpus=2, gpu__sharing_slots=slots, **SLOTS))
    assert fits(one, whole(one)) is fit


@pytest.mark.parametrize(("milli", "fit"), [(500, True), (499, False)])
def test_what_others_left_of_a_gpu_is_slots_to_the_thousandth(milli: int, fit: bool) -> None:
    states = [{"node": 0, "free_gpus": [0], "gpu_milli": {"1": milli}}]
    one = problem(
        [intent("a"), shares("b", 1)], offer("o", gpus=2, node_states=states, gpu__sharing_slots=2, **SLOTS)
    )
    assert fits(one, whole(one)) is fit


MIG_CASES = [
    ("seven-of-one-slice", [("a", 3, "5Gi"), ("b", 4, "5Gi")], [], True),
    ("eight-of-one-slice", [("a", 4, "5Gi"), ("b", 4, "5Gi")], [], False),
    ("two-halves", [("a", 1, "20Gi"), ("b", 1, "20Gi")], [], True),
    ("three-halves", [("a", 2, "20Gi"), ("b", 1, "20Gi")], [], False),
    ("three-pairs-of-slices-and-one", [("a", 3, "10Gi"), ("b", 1, "5Gi")], [], True),
    ("memory-slices-run-out-before-compute", [("a", 2, "20Gi"), ("b", 1, "5Gi")], [], False),
    ("beside-an-instance", [("a", 1, "20Gi"), ("b", 3, "5Gi")], [("1g.5gb", 0)], True),
    ("in-its-way", [("a", 1, "20Gi"), ("b", 4, "5Gi")], [("1g.5gb", 0)], False),
]


@pytest.mark.parametrize(
    ("asked", "used", "fit"), [case[1:] for case in MIG_CASES], ids=[case[0] for case in MIG_CASES]
)
def test_instances_obey_the_placement_table(
    asked: list[tuple[str, int, str]], used: list[tuple[str, int]], fit: bool
) -> None:
    there = [{"gpu": 0, "profile": profile, "start": start} for profile, start in used]
    states: dict[str, Any] = {"node_states": [{"node": 0, "mig": there, "cpu": "8", "memory": "32Gi"}]}
    one = problem([instance(*each) for each in asked], offer("o", gpus=1, **MIG, **states))
    assert fits(one, whole(one)) is fit


@pytest.mark.parametrize(("changes", "fit"), [({}, True), (SHARED, False)], ids=["instances", "shares"])
def test_shares_of_one_task_lie_on_different_gpus(changes: dict[str, Any], fit: bool) -> None:
    """The other intent has one of two GPUs for itself."""
    one = problem(
        [instance("a", 1, "5Gi", 2, **changes), instance("b", 1, "40Gi")], offer("o", gpus=2, **MIG)
    )
    assert fits(one, whole(one)) is fit


FAIL: dict[str, Any] = {"constraints__negotiation": {"fallback_strategy": "fail"}}
PAIR: dict[str, Any] = {f"{GPU}__interconnect": "nvlink", **FAIL}
SETS = [
    ("a-bridge-for-each", [[0, 1], [2, 3]], 1, True),
    ("two-bridges-for-three", [[0, 1], [2, 3]], 2, False),
    ("a-path-of-three-has-one", [[0, 1], [1, 2]], 1, False),
    ("a-ring-has-two", [[0, 1], [1, 2], [2, 3], [3, 0]], 1, True),
]


@pytest.mark.parametrize(
    ("links", "tasks", "fit"), [case[1:] for case in SETS], ids=[case[0] for case in SETS]
)
def test_tasks_that_insist_on_links_have_disjoint_sets(links: list[list[int]], tasks: int, fit: bool) -> None:
    linked = [[a, b, "nvlink", "50 GB/s"] for a, b in links]
    both = [intent("a", gpus=2, **PAIR), intent("b", tasks=tasks, gpus=2, **PAIR)]
    one = problem(both, offer("o", gpus=6, gpu__links=linked, gpu__interconnect=None))
    assert fits(one, whole(one)) is fit


def test_a_contested_node_is_read_and_a_plain_one_needs_no_more_than_a_count() -> None:
    plain = problem([intent("a"), intent("b")], offer("o", gpus=2))
    assert list(Gpus.read(problem(intent(gpus=0), offer("o")))) == []
    draft = Draft(plain)
    for rule in Gpus.read(plain):
        rule.post(draft)
    assert draft.lines == {}


def test_what_a_cut_excludes_is_excluded_on_every_node() -> None:
    linked = [[a, a + 1, "nvlink", "50 GB/s"] for a in range(2)]
    both = [intent(name, gpus=2, **PAIR) for name in "ab"]
    one = problem(both, offer("o", gpus=4, nodes=2, gpu__links=linked, gpu__interconnect=None))
    (rule,) = Gpus.read(one)
    for v in range(2):
        together = Draft(one)
        assert rule.cut(together, whole(one))
        together.model.add(together.at[0, 0, v] + together.at[1, 0, v] == 2)
        answer = Run(flare.Options(), flare.Options().timer()).minimise(together, together.total(()), None)
        assert answer.values is None
