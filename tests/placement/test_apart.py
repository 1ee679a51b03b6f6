"""Which nodes stand one by one, and how many of them any plan can need."""

from itertools import product
from typing import Any

import pytest

from flare_core.placement.apart import contested, nodes_apart
from flare_core.placement.packing import Problem
from tests import insides
from tests.placement.problems import problem
from tests.placement.test_nodes import SHARED, SLOTS, read
from tests.worlds import Json, intent, offer

LINKS = [[0, 1, "nvlink", "100 GB/s"], [2, 3, "nvlink", "50 GB/s"]]
BRIDGED: dict[str, Any] = {"gpus": 4, "gpu__links": LINKS, "gpu__interconnect": None}


def apart(one: Problem) -> list[int]:
    return list(nodes_apart(one).values())


@pytest.mark.parametrize(
    ("intents", "offered", "nodes"),
    [
        ([intent("a", tasks=9)], offer("o", gpus=4, nodes=9), []),
        ([intent("a", tasks=3), intent("b", tasks=2)], offer("o", gpus=2, nodes=9), [2 + 1]),
        ([intent("a", tasks=3), intent("b", tasks=2)], offer("o", gpus=2, nodes=None), [2 + 1]),
        ([intent("a", tasks=3), intent("b", tasks=2)], offer("o", gpus=2, nodes=2), [2]),
        ([intent("a"), intent("b")], offer("o", gpus=2, nodes=9, price__billing="node"), []),
        ([intent("a", tasks=3, gpus=2)], offer("o", nodes=9, **BRIDGED), [3]),
        ([intent("a", gpus=2, tasks=2)], offer("o", nodes=9, price__billing="node", **BRIDGED), [2]),
        ([intent("a", gpus=2)], offer("o", nodes=9, **BRIDGED), []),
    ],
    ids=[
        "one-alone-fills-its-nodes",
        "two-fill-theirs",
        "elastic-as-many-as-they-fill",
        "no-more-than-there-are",
        "nobody-shares-what-is-paid-whole",
        "a-node-for-each-to-have-better-seats",
        "paid-whole-too",
        "one-task-takes-the-best-seat",
    ],
)
def test_nodes_stand_apart_where_it_matters_who_is_on_which(
    intents: list[Json], offered: Json, nodes: list[int]
) -> None:
    assert apart(problem(intents, offered)) == nodes


@pytest.mark.parametrize(
    ("asked", "offered", "fought_for"),
    [
        ([intent("a"), intent("b")], offer("o", gpus=2), False),
        ([intent("a"), intent("b", **SHARED)], offer("o", gpus=2, **SLOTS), True),
        ([intent("a", **SHARED)], offer("o", gpus=2, **SLOTS), False),
        ([intent("a"), intent("b", gpus=2)], offer("o", **BRIDGED), True),
        ([intent("a"), intent("b", gpus=2)], offer("o", gpus=4), False),
    ],
    ids=["alike", "cut-for-one", "cut-for-one-alone", "told-apart", "not-told-apart"],
)
def test_gpus_are_contested_where_they_are_cut_or_told_apart(
    asked: list[Json], offered: Json, fought_for: bool
) -> None:
    one = problem(asked, offered)
    assert bool(contested(one, nodes_apart(one))) is fought_for


def test_every_group_of_several_intents_or_grades_stands_apart() -> None:
    """But for nodes that are paid whole and have seats of one grade: those have one owner, who fills them."""
    told = 0
    for seed, make in product(range(100), (insides.linked, insides.cut, insides.inside)):
        one = read(make(seed))
        if one is None:
            continue
        for group, users in _users(one).items():
            several = len({i for i, _ in users}) > 1
            graded = len({i for i, _ in users}) < len(users)
            whole = any(one.asks[i].found.by_node[one.asks[i].found.group_candidate[g]] for i, g in users)
            assert (group in nodes_apart(one)) is (graded or (several and not whole))
            told += 1
    assert told >= 100


def _users(one: Problem) -> dict[int, list[tuple[int, int]]]:
    users: dict[int, list[tuple[int, int]]] = {}
    for i, ask in enumerate(one.asks):
        for g, group in enumerate(ask.found.group.tolist()):
            users.setdefault(group, []).append((i, g))
    return users
