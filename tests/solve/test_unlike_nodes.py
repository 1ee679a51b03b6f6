"""An offer whose nodes are in different states: the closed form fills the fewest, and of those the lowest."""

from random import Random

import pytest

from flare_core.model.families import rules_of
from flare_core.placement.order import value
from flare_core.placement.packing import Problem
from flare_core.solve.bounds import cannot_fit
from flare_core.solve.closed import closed_form
from tests.oracle.test_paths import problem_of, searched
from tests.worlds import intent, offer, world


def _states(random: Random, nodes: int) -> list[dict[str, object]]:
    return [
        {"node": node, "free_gpus": sorted(random.sample(range(8), random.randint(1, 8)))}
        for node in range(nodes)
    ]


def _problem(random: Random) -> Problem:
    nodes = random.randint(2, 5)
    each, tasks = random.choice([1, 2, 3]), random.randint(1, 7)
    return problem_of(
        world(
            intent("a", tasks=tasks, workload__resources__gpu__count=each),
            offer("o", price=8, gpus=8, nodes=nodes, node_states=_states(random, nodes)),
        )
    )


@pytest.mark.parametrize("chunk", range(4))
def test_unlike_nodes_are_filled_as_the_search_would(chunk: int) -> None:
    tried = 0
    for seed in range(chunk * 60, chunk * 60 + 60):
        problem = _problem(Random(seed))
        if not len(problem.asks[0].found) or cannot_fit(problem.asks[0]):
            continue
        packing = closed_form(problem, rules_of(problem))
        assert packing is not None
        assert value(problem, packing) == value(problem, searched(problem))
        tried += 1
    assert tried > 30


@pytest.mark.parametrize(
    ("free", "nodes"),
    [([[0], [0, 1, 2], [4, 5]], [1, 1, 1]), ([[0], [0, 1], [4, 5]], [0, 1, 1])],
    ids=["the-fewest-before-the-lowest", "of-equally-few-the-lowest"],
)
def test_which_nodes_of_one_offer_are_filled(free: list[list[int]], nodes: list[int]) -> None:
    states = [{"node": node, "free_gpus": gpus} for node, gpus in enumerate(free)]
    asked, offered = intent("a", tasks=3), offer("o", price=8, gpus=8, nodes=3, node_states=states)
    assignments = world(asked, offered).document()["placements"][0]["assignments"]
    assert [row["node"] for row in assignments] == nodes
