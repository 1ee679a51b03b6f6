"""Ties that what is left behind decides: closed form, pruned search and plain search against exhaustion."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from flare_core.model.families import broken, rules_of
from flare_core.placement.order import value
from flare_core.placement.packing import Problem
from flare_core.placement.types import Outcome
from flare_core.solve.closed import closed_form
from tests import insides
from tests.placement.problems import count_places, problem
from tests.placement.test_nodes import read
from tests.solve.searching import best, offers, searched
from tests.solve.test_lexicographic import descended
from tests.worlds import Json, intent, offer

SEEN: Counter[str] = Counter()
GPU = "workload__resources__gpu"
SLOTS: dict[str, Any] = {"gpu__shared": True, "gpu__sharing_strategy": "mps", "gpu__sharing_slots": 4}


def fleet(seed: int) -> Problem:
    """Return offers of one price for each GPU, whose nodes have room of all sizes."""
    random = Random(f"fleet {seed}")
    sharing = random.random() < 0.5
    asked: dict[str, Any] = {f"{GPU}__shared": True} if sharing and random.random() < 0.7 else {}
    kind, tasks = random.choice(("service", "service", "job")), random.randint(1, 3)
    several = [intent("b", gpus=1)] if random.random() < 0.3 else []
    offered = [_offer(random, f"o{k}", sharing) for k in range(random.randint(2, 4))]
    return problem([intent("a", kind, tasks, random.choice((1, 1, 2)), **asked), *several], *offered)


def _offer(random: Random, name: str, sharing: bool) -> Json:
    gpus, nodes = random.randint(1, 4), random.choice((None, 1, 1, 2))
    changes: dict[str, Any] = dict(SLOTS) if sharing and random.random() < 0.7 else {}
    changes["provider"] = random.choice(("p1", "p1", "p2"))
    if nodes is not None and random.random() < 0.6:
        free = sorted(random.sample(range(gpus), random.randint(0, gpus)))
        partly = {str(gpu): random.choice((250, 500, 750)) for gpu in range(gpus) if gpu not in free}
        state: dict[str, Any] = {"node": 0, "free_gpus": free, "cpu": "8", "memory": "32Gi"}
        changes["node_states"] = [state | ({"gpu_milli": partly} if random.random() < 0.6 else {})]
    return offer(name, gpus, gpus, nodes, **changes)


def _agree(one: Problem) -> None:
    rules, optimum = rules_of(one), best(one)
    for name, found in (("search", searched(one)), ("plain search", descended(one))):
        assert found.outcome is (Outcome.OPTIMAL if any(found.packing) else Outcome.INFEASIBLE)
        assert value(one, found.packing) == optimum, name
    packing = None if one.several else closed_form(one, rules)
    if packing is not None and any(packing):
        SEEN["closed form"] += 1
        assert not broken(one, packing, rules)
        assert value(one, packing) == optimum
    SEEN["with something left"] += optimum.left_milli > 0
    SEEN["several"] += one.several


@pytest.mark.parametrize("chunk", range(4))
def test_on_nodes_of_all_sizes_every_path_finds_the_optimum(chunk: int) -> None:
    for seed in range(chunk * 60, chunk * 60 + 60):
        one = fleet(seed)
        if all(len(ask.found) for ask in one.asks) and count_places(one) <= 3000:
            _agree(one)


@pytest.mark.parametrize("chunk", range(4))
def test_inside_the_nodes_every_path_finds_the_optimum(chunk: int) -> None:
    for seed in range(chunk * 25, chunk * 25 + 25):
        for make in (insides.single, insides.linked, insides.cut):
            one = read(make(seed))
            if one is not None and count_places(one) <= 3000:
                _agree(one)
                SEEN["inside"] += 1


def test_ties_of_every_kind_were_settled() -> None:
    for kind in ("closed form", "with something left", "several", "inside"):
        assert SEEN[kind] >= 40, SEEN


@pytest.mark.parametrize(
    ("asked", "offered", "expected"),
    [
        (intent(), [offer("a", 4, 4), offer("b", 2, 2), offer("c", 3, 3)], {"b": 1}),
        (intent(gpus=2), [offer("a", 3, 3), offer("b", 2, 2, provider="p2")], {"b": 1}),
        (intent(tasks=2), [offer("a", 3, 3), offer("b"), offer("c", provider="p2")], {"b": 1, "c": 1}),
        (intent(), [offer("a", 2, 2), offer("b", 4, 4, nodes=None)], {"b": 1}),
        (intent(), [offer("a", 1.9, 2), offer("b")], {"a": 1}),
        (
            intent(workload__resources__gpu__shared=True),
            [offer("a"), offer("b", 4, gpu__fp32_tflops="42", gpu__power_w=1200, **SLOTS)],
            {"a": 1},
        ),
        (
            intent(workload__resources__gpu__shared=True),
            [offer("a", 4, gpu__fp32_tflops="42", gpu__power_w=1200, **SLOTS), offer("b", provider="p2")],
            {"b": 1},
        ),
    ],
    ids=[
        "the-smallest-node",
        "full-before-fewest-providers",
        "two-full-nodes-before-one-that-is-not",
        "what-never-runs-out",
        "cheaper-before-what-is-left",
        "a-full-gpu-before-three-slots-left",
        "whatever-their-ids",
    ],
)
def test_least_is_left_behind(asked: Json, offered: list[Json], expected: dict[str, int]) -> None:
    one = problem(asked, *offered)
    found = searched(one)
    assert offers(one, found.packing) == expected
    assert value(one, found.packing) == best(one)
