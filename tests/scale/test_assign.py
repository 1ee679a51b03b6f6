"""Tasks that arrive together: every round is the cheapest of all assignments."""

from collections import Counter
from itertools import permutations
from random import Random

import numpy as np
import pytest

from flare_core.scale.assign import Assigning, assigning
from flare_core.scale.check import check
from flare_core.scale.fleet import State
from flare_core.scale.policies import NOWHERE, fitting, gradient_descent
from flare_core.scale.stream import place_in_order
from tests.scale.fleets import classes_of, fleet_of


def cheapest(policy: Assigning, tasks: list[int]) -> int:
    """Return the least cost of any assignment: each task to a node of its own, or waiting."""
    nodes = len(policy.fleet)
    waits = {j: int(2 * 101 + policy.classes.demand_milli[j]) * nodes for j in set(tasks)}
    costs = []
    for places in permutations([*range(nodes), *[NOWHERE] * len(tasks)], len(tasks)):
        cost = 0
        for j, node in zip(tasks, places, strict=True):
            score = NOWHERE if node == NOWHERE else int(policy._row(j).score[node])
            if node != NOWHERE and score == NOWHERE:
                break
            cost += waits[j] if node == NOWHERE else (101 - score) * nodes + node
        else:
            costs.append(cost)
    return min(costs)


@pytest.mark.parametrize("seed", range(12))
def test_a_round_costs_least_of_all_assignments(seed: int) -> None:
    random = Random(seed)
    fleet = fleet_of(random, 4)
    classes, tasks = classes_of(random, fleet)
    policy = assigning(fleet, classes, np.bincount(tasks, minlength=len(classes)), State.of(fleet))
    place_in_order(policy, tasks[:6])
    some = tasks[6:10].tolist()
    found = policy._round(Counter(some))
    nodes, left = len(fleet), Counter(some)
    left.subtract(j for j, _ in found)
    cost = sum(left[j] * int(2 * 101 + classes.demand_milli[j]) * nodes for j in left)
    cost += sum((101 - int(policy._row(j).score[node])) * nodes + node for j, node in found)
    assert min(left.values()) >= 0
    assert len({node for _, node in found}) == len(found)
    assert cost == cheapest(policy, some)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("together", [2, 7, 64])
def test_who_arrives_together_is_refused_only_where_nothing_fits(seed: int, together: int) -> None:
    random = Random(seed)
    fleet = fleet_of(random)
    classes, tasks = classes_of(random, fleet, 80)
    forecast = np.bincount(tasks, minlength=len(classes))
    policy = assigning(fleet, classes, forecast, State.of(fleet))
    seats = place_in_order(policy, tasks, together)
    assert not check(fleet, classes, seats)
    assert (seats.node < 0).any()
    nodes, suits = np.arange(len(fleet)), classes.suits(fleet)
    for j in set(seats.task_class[seats.node < 0].tolist()):
        assert not (fitting(policy.state, classes, j, nodes) & suits[j]).any()


def test_alone_a_task_goes_where_gradient_descent_has_it() -> None:
    random = Random(9)
    fleet = fleet_of(random)
    classes, tasks = classes_of(random, fleet)
    forecast = np.bincount(tasks, minlength=len(classes))
    alone = place_in_order(assigning(fleet, classes, forecast, State.of(fleet)), tasks)
    descent = place_in_order(gradient_descent(fleet, classes, forecast, State.of(fleet)), tasks)
    assert alone.node.tolist() == descent.node.tolist()
