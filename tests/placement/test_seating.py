"""Which GPUs tasks get: the best of all ways to seat them, and what "best" means, step by step."""

from collections import Counter
from itertools import islice
from random import Random
from typing import Any

import pytest

from flare_core.candidates.inside import linked
from flare_core.errors import InternalError
from flare_core.inventory.kinds import read_kind
from flare_core.placement import seating
from flare_core.placement.ledger import Ledger
from flare_core.placement.nodes import Guest, gpus_hold
from flare_core.placement.packing import Load, Problem
from flare_core.placement.seating import Guests, Placed, seat
from flare_core.topology.rate import tree_rate
from tests.placement.nodes import Gpus, Node, node_of, seatings
from tests.placement.problems import group_of, problem, random_packing
from tests.placement.test_nodes import SHARED, SLOTS, worlds
from tests.worlds import Json, intent, offer

MOST_WAYS = 2000

SEEN: Counter[str] = Counter()
GPU = "workload__resources__gpu"


def guests_of(one: Problem, group: int, own: dict[tuple[int, int], Guest]) -> list[Guests]:
    """Return the guests of a node as `seat` takes them, by the names of their intents."""
    loads: dict[int, list[Load]] = {}
    for (i, g), guest in sorted(own.items()):
        j = int(one.asks[i].found.group_candidate[g])
        loads.setdefault(i, []).append(Load(j, g, 0, guest.tasks))
    return [Guests(one.asks[i], 0, some) for i, some in loads.items()]


@pytest.mark.parametrize("throw", range(3))
def test_no_way_to_seat_the_tasks_of_a_node_is_better(throw: int) -> None:
    for one in worlds():
        for (group, _), own in Ledger.of(one, random_packing(one, Random(throw))).guests.items():
            if gpus_hold(one.inventory, group, own.values()):
                _is_best(one, group, guests_of(one, group, own))


def _is_best(one: Problem, group: int, guests: list[Guests]) -> None:
    node = node_of(one.inventory, group)
    found = seat(one.inventory, group, guests)
    together = [Guest(g.ask, g.loads[0].group, sum(load.tasks for load in g.loads)) for g in guests]
    told = tuple(tuple(placed.gpus for placed in own) for own in found)
    ways = list(islice(seatings(node, together, any_grade=True), MOST_WAYS + 1))
    if len(ways) > MOST_WAYS:
        return
    worths = [_worth(one, node, together, way) for way in ways]
    assert _worth(one, node, together, told) == min(worths)
    for guest, own in zip(together, found, strict=True):
        assert own == sorted(own)
        for placed in own:
            assert _is_seat(guest, placed)
    several = len(set(worths)) > 1
    SEEN["shares"] += several and any(guest.cut is not None for guest in together)
    SEEN["whole"] += several and any(guest.cut is None for guest in together)
    SEEN["several"] += several and len(guests) > 1


def _is_seat(guest: Guest, placed: Placed) -> bool:
    sets = guest._replace(g=placed.group).sets
    return not sets or sum(1 << gpu for gpu in placed.gpus) in sets


def _worth(
    one: Problem, node: Node, guests: list[Guest], way: tuple[tuple[Gpus, ...], ...]
) -> tuple[Any, ...]:
    """Return the place of a way to seat tasks; the numbers of shares are left out."""
    misses = primary = speed = 0
    taken: set[int] = set()
    shared: set[int] = set()
    for guest, own in zip(guests, way, strict=True):
        for gpus in own:
            (shared if guest.cut is not None else taken).update(gpus)
            if guest.cut is None and gpus:
                j = _candidate(guest, gpus)
                misses += int(guest.ask.found.misses[j])
                primary += int(guest.ask.score.task[j])
                speed += int(guest.ask.found.performance_mtflops[j])
    left = set(node.free) - taken - shared
    text = next(
        one.inventory.label["gpu_kind"][int(guest.ask.found.rows[guest.ask.found.group_candidate[guest.g]])]
        for guest in guests
    )
    graph = None if text is None else linked(read_kind(text))
    mask = sum(1 << gpu for gpu in left)
    rate = tree_rate(graph, mask) if graph is not None and not graph.ports and len(left) > 1 else 0.0
    numbers = () if shared else tuple(tuple(sorted(own)) for own in way)
    return misses, primary, -speed, len(shared & set(node.free)), len(shared), -rate, numbers


def _candidate(guest: Guest, gpus: Gpus) -> int:
    """Return the candidate of the grade that a set of GPUs is of."""
    found, mask = guest.ask.found, sum(1 << gpu for gpu in gpus)
    for g in range(len(found.group)):
        sets = guest._replace(g=g).sets
        if found.group[g] == found.group[guest.g] and (not sets or mask in sets):
            return int(found.group_candidate[g])
    raise LookupError(f"no grade has {gpus}")


def test_there_was_a_choice_on_nodes_of_every_kind() -> None:
    assert min(SEEN["shares"], SEEN["whole"], SEEN["several"]) >= 20, SEEN


# --- one step after the other -----------------------------------------------------------------------


def pair(name: str = "a", tasks: int = 1, **changes: Any) -> Json:
    return intent(name, tasks=tasks, gpus=2, **changes)


def node(links: list[list[Any]], gpus: int = 4, **changes: Any) -> Json:
    """Return an offer of one node with these links."""
    return offer("o", gpus=gpus, gpu__links=links, gpu__interconnect=None, **changes)


def seated(one: Problem, *tasks: int, grades: tuple[int, ...] = (0, 0)) -> list[list[Gpus]]:
    """Seat so many tasks of each intent, counted in such grades of the node."""
    loads = [
        Load(grade, group_of(one, "o", i) + grade, 0, number)
        for i, (number, grade) in enumerate(zip(tasks, grades, strict=False))
    ]
    guests = [Guests(ask, 0, [load]) for ask, load in zip(one.asks, loads, strict=True) if load.tasks]
    group = int(one.asks[0].found.group[loads[0].group])
    return [[placed.gpus for placed in own] for own in seat(one.inventory, group, guests)]


FAST, SLOW = "100 GB/s", "50 GB/s"


def test_the_fastest_pair_that_is_free() -> None:
    links = [[0, 1, "nvlink", SLOW], [2, 3, "nvlink", FAST]]
    assert seated(problem(pair(), node(links)), 1) == [[(2, 3)]]
    states = [{"node": 0, "free_gpus": [0, 1, 2]}]
    assert seated(problem(pair(), node(links, node_states=states)), 1) == [[(0, 1)]]


def test_a_preference_before_speed() -> None:
    links = [[0, 1, "pcie", "900 GB/s"], [2, 3, "nvlink", SLOW]]
    wish: dict[str, Any] = {f"{GPU}__interconnect": "nvlink"}
    assert seated(problem(pair(**wish), node(links)), 1) == [[(2, 3)]]
    assert seated(problem(pair(), node(links)), 1) == [[(0, 1)]]


def test_among_equal_pairs_the_one_that_leaves_the_best_links() -> None:
    """A path of four: taking its middle tears the ends apart, taking an end leaves a pair."""
    path = [[1, 2, "nvlink", FAST], [0, 1, "nvlink", FAST], [2, 3, "nvlink", FAST]]
    assert seated(problem(pair(), node(path)), 1) == [[(0, 1)]]
    renumbered = [[0, 1, "nvlink", FAST], [0, 2, "nvlink", FAST], [1, 3, "nvlink", FAST]]
    assert seated(problem(pair(), node(renumbered)), 1) == [[(0, 2)]]


def test_tasks_of_several_intents_are_seated_together() -> None:
    """Counted are a fast pair for the first and a slow one for the second: the other way round is as good."""
    links = [[0, 1, "nvlink", FAST], [1, 2, "nvlink", FAST], [0, 3, "nvlink", SLOW]]
    one = problem([pair("a"), pair("b")], node(links))
    fast, slow = (0b0011, 0b0110), (0b1001,)
    found = [ask.found for ask in one.asks]
    assert {sets for f in found for sets in f.sets} >= {fast, slow}
    assert seated(one, 1, 1, grades=(0, 1)) == [[(0, 3)], [(1, 2)]]


def test_smallest_numbers_last_by_intent_then_task() -> None:
    one = problem([intent("a", tasks=2), intent("b", gpus=2)], offer("o", gpus=8))
    assert seated(one, 2, 1) == [[(0,), (1,)], [(2, 3)]]


def test_shares_take_partly_used_gpus_before_free_ones() -> None:
    states = [{"node": 0, "free_gpus": [0, 1], "gpu_milli": {"2": 500}}]
    one = problem(intent(tasks=2, **SHARED), offer("o", gpus=3, node_states=states, **SLOTS))
    assert seated(one, 1) == [[(2,)]]
    assert seated(one, 2) == [[(0,), (0,)]]  # on one GPU rather than on two
    three = problem(intent(tasks=3, **SHARED), offer("o", gpus=3, node_states=states, **SLOTS))
    assert seated(three, 3) == [[(0,), (0,), (2,)]]


def test_shares_open_the_gpu_that_others_miss_least() -> None:
    links = [[0, 1, "nvlink", FAST], [0, 2, "nvlink", FAST]]
    one = problem(intent(tasks=1, **SHARED), node(links, gpus=3, **SLOTS))
    assert seated(one, 1) == [[(1,)]]


def test_instances_of_one_task_may_lie_on_one_gpu_and_shares_may_not() -> None:
    mig: dict[str, Any] = {"gpu__model": "nvidia-a100", "gpu__shared": True, "gpu__sharing_strategy": "mig"}
    instances: dict[str, Any] = {f"{GPU}__multi_instance": True}
    assert seated(problem(pair(**instances), offer("o", gpus=2, **mig)), 1) == [[(0, 0)]]
    assert seated(problem(pair(**instances, **SHARED), offer("o", gpus=2, **mig)), 1) == [[(0, 1)]]


def test_tasks_without_gpus_sit_nowhere() -> None:
    assert seated(problem(intent(gpus=0, tasks=2), offer("o", gpus=2)), 2) == [[(), ()]]


def test_beyond_what_can_be_compared_the_counted_grades_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    links = [[a, a + 1, "nvlink", FAST] for a in range(5)]
    one = problem(pair(tasks=3), node(links, gpus=6))
    best = seated(one, 3)
    assert best == [[(0, 1), (2, 3), (4, 5)]]
    monkeypatch.setattr(seating, "MOST_FAMILIES", 0)
    assert sorted(seated(one, 3)[0]) == best[0]


def test_tasks_that_do_not_fit_are_an_internal_error() -> None:
    links = [[0, 1, "nvlink", FAST]]
    with pytest.raises(InternalError):
        seated(problem(pair(tasks=2), node(links, node_states=[{"node": 0, "free_gpus": [0, 1, 2]}])), 2)
    crowded = problem(intent(tasks=5, **SHARED), offer("o", gpus=2, **SLOTS))
    with pytest.raises(InternalError):
        seated(crowded, 5)
