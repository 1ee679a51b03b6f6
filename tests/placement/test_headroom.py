"""How many more replicas fit, against trying all ways to add them."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from flare_core.inventory.types import ELASTIC
from flare_core.model.constraints.capacity import Capacity
from flare_core.model.constraints.gpus import Gpus
from flare_core.placement.headroom import most_more
from flare_core.placement.packing import Load, Loads, Packing, Problem, totals
from tests.placement.problems import load, problem
from tests.worlds import Json, intent, offer


def growing(tasks: int, most: int, **changes: Any) -> Json:
    scaling = {"min_replicas": tasks, "max_replicas": most, "auto_scale": True}
    return intent("web", tasks=tasks, workload__scaling=scaling, **changes)


NODE: dict[str, Any] = {"price__billing": "node"}
CASES: list[tuple[str, Json, list[Json], list[tuple[str, int]], tuple[int, float]]] = [
    ("up-to-the-maximum", growing(1, 3), [offer("a", 8, 8)], [("a", 1)], (2, 3.0)),
    ("up-to-the-room", growing(1, 9), [offer("a", 8, 8)], [("a", 1)], (7, 8.0)),
    ("on-other-offers-too", growing(1, 4), [offer("a", 1), offer("b", 2)], [("a", 1)], (1, 3.0)),
    (
        "not-where-it-is-not-eligible",
        growing(1, 4, constraints__location="EU"),
        [offer("a"), offer("b", country="US")],
        [("a", 1)],
        (0, 1.0),
    ),
    (
        "within-the-budget",
        growing(1, 9, constraints__max_hourly_cost="3 EUR"),
        [offer("a", 8, 8)],
        [("a", 1)],
        (2, 3.0),
    ),
    (
        "a-micro-euro-short",
        growing(1, 9, constraints__max_hourly_cost="2.999999 EUR"),
        [offer("a", 8, 8)],
        [("a", 1)],
        (1, 2.0),
    ),
    (
        "a-begun-node-is-paid-already",
        growing(1, 9, constraints__max_hourly_cost="8 EUR"),
        [offer("a", 8, 8, **NODE)],
        [("a", 1)],
        (7, 8.0),
    ),
    ("a-fresh-node-is-paid", growing(1, 9), [offer("a", 8, 2, nodes=None, **NODE)], [("a", 1)], (8, 40.0)),
    (
        "a-fresh-node-beyond-the-budget",
        growing(1, 9, constraints__max_hourly_cost="15.9 EUR"),
        [offer("a", 8, 2, nodes=None, **NODE)],
        [("a", 1)],
        (1, 8.0),
    ),
    (
        "one-large-node-for-less-than-two-small",
        growing(1, 3),
        [offer("a", 2, 1, nodes=3, **NODE), offer("b", 3, 2, **NODE)],
        [("a", 1)],
        (2, 5.0),
    ),
    ("no-more-asked", growing(2, 2), [offer("a", 8, 8)], [("a", 2)], (0, 2.0)),
    ("no-auto-scale", intent("web", tasks=2), [offer("a", 8, 8)], [("a", 2)], (0, 2.0)),
    (
        "within-the-total",
        growing(1, 9, constraints__deadline="2026-01-15T12:00:00Z", constraints__max_total_cost="6 EUR"),
        [offer("a", 8, 8)],
        [("a", 1)],
        (2, 3.0),
    ),
]


@pytest.mark.parametrize(
    ("asked", "offers", "placed", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_more_replicas_and_their_price(
    asked: Json, offers: list[Json], placed: list[tuple[str, int]], expected: tuple[int, float]
) -> None:
    one = problem(asked, *offers)
    packing = (tuple(load(one, name, tasks) for name, tasks in placed),)
    replicas, hourly = most_more(one, packing, 0)
    assert (replicas, hourly / 1e6) == expected
    assert brute(one, packing, 0) == (replicas, hourly)


def test_other_intents_stay_where_they_are() -> None:
    shared = problem([growing(1, 9), intent("xy", gpus=2)], offer("a", 8, 8))
    packing = ((load(shared, "a", 1),), (load(shared, "a", 1, i=1),))
    assert most_more(shared, packing, 0) == (5, 6_000_000) == brute(shared, packing, 0)
    whole = problem([growing(1, 9), intent("xy", gpus=2)], offer("a", 8, 8, nodes=2, **NODE))
    packing = ((load(whole, "a", 1),), (load(whole, "a", 1, node=1, i=1),))
    assert most_more(whole, packing, 0) == (7, 8_000_000) == brute(whole, packing, 0)


def test_who_is_not_placed_does_not_grow() -> None:
    assert most_more(problem(growing(1, 9), offer("a", 8, 8)), ((),), 0) == (0, 0)


@pytest.mark.parametrize("seed", range(150))
def test_no_way_to_add_replicas_is_better(seed: int) -> None:
    random = Random(seed)
    asked: dict[str, Any] = {}
    if random.random() < 0.6:
        asked["constraints__max_hourly_cost"] = f"{random.choice((3, 4, 5, 6.5, 8))} EUR"
    others = [intent("xy", gpus=random.choice((1, 2)))] * random.randint(0, 1)
    one = problem([growing(1, random.randint(1, 4), **asked), *others], *_offers(random))
    packing = _start(one, random)
    if packing is not None:
        assert most_more(one, packing, 0) == brute(one, packing, 0)


def _offers(random: Random) -> Iterator[Json]:
    for k in range(random.randint(1, 3)):
        gpus = random.randint(1, 3)
        cpu = random.choice(("1", "2", "8"))
        billing = random.choice(("gpu", "node"))
        used = {"gpus": random.randint(0, 1)}
        price = gpus * random.choice((1, 1.5, 2))
        yield offer(f"o{k}", price, gpus, random.randint(1, 2), cpu=cpu, price__billing=billing, used=used)


def _start(one: Problem, random: Random) -> Packing | None:
    """Return some packing of one task each that keeps capacities and budgets."""
    for _ in range(20):
        packing = tuple(
            (random.choice(list(_places(ask.found, 1))),) if len(ask.found) else () for ask in one.asks
        )
        if packing[0] and _kept(one, packing, 0):
            return packing
    return None


def _places(found: Any, wanted: int) -> Iterator[Load]:
    for g, j in enumerate(found.group_candidate.tolist()):
        count = int(found.group_nodes[g])
        for node in range(wanted + 1 if count == ELASTIC else count):
            yield Load(j, g, node, 1)


def _kept(one: Problem, packing: Packing, i: int) -> bool:
    needs, sums = one.asks[i].needs, totals(one.asks[i], packing[i])
    within = needs.max_hourly_ueur is None or sums.hourly_ueur <= needs.max_hourly_ueur
    within &= needs.max_total_ueur is None or sums.total_ueur <= needs.max_total_ueur
    return within and not [*Capacity().audit(one, packing), *Gpus().audit(one, packing)]


def brute(one: Problem, packing: Packing, i: int) -> tuple[int, int]:
    """Return (most replicas more, least hourly price of all of them) by trying every way to add them."""
    needs = one.asks[i].needs
    wanted = needs.max_tasks - needs.tasks if packing[i] and needs.auto_scale else 0
    level = {_merged(packing[i])}
    for more in range(wanted + 1):
        grown = {_merged((*loads, place)) for loads in level for place in _places(one.asks[i].found, wanted)}
        kept = {loads for loads in grown if _kept(one, _with(packing, i, loads), i)}
        if not kept or more == wanted:
            return more, min(totals(one.asks[i], loads).hourly_ueur for loads in level)
        level = kept
    raise AssertionError("unreachable")


def _with(packing: Packing, i: int, loads: Loads) -> Packing:
    return tuple(loads if k == i else own for k, own in enumerate(packing))


def _merged(loads: Loads) -> Loads:
    nodes: dict[tuple[int, int, int], int] = {}
    for one in loads:
        nodes[one[:3]] = nodes.get(one[:3], 0) + one.tasks
    return tuple(Load(*place, tasks) for place, tasks in sorted(nodes.items()))
