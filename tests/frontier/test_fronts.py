"""In worlds small enough to enumerate, the front is what exhaustion finds: points, plans, ties."""

from collections import Counter
from collections.abc import Callable

import pytest

from flare_core.frontier import search
from tests.frontier.fronts import PAIRS_AND_TRIPLES, coarse, enumerated, found, front, larger, single, wide
from tests.insides import cut, gangs, inside, linked
from tests.worlds import World

Make = Callable[[int], World | None]


def differing(seeds: range, make: Make) -> tuple[Counter[int], dict[int, str]]:
    """Return how many worlds have so many points, and where the front is another one."""
    sizes: Counter[int] = Counter()
    wrong: dict[int, str] = {}
    for seed in seeds:
        world = make(seed)
        if world is None or len(world.intents) > 1:
            continue
        terms = PAIRS_AND_TRIPLES[seed % len(PAIRS_AND_TRIPLES)]
        expected, told = enumerated(world, terms), front(world, terms)
        sizes[len(expected)] += 1
        if not told.complete or found(told) != expected:
            wrong[seed] = f"{terms}: {found(told)}, expected {expected}"
    return sizes, wrong


def test_fronts_are_those_of_exhaustion() -> None:
    sizes, wrong = differing(range(30), wide)
    assert not wrong
    assert sizes[0] >= 1
    assert sum(number for size, number in sizes.items() if size >= 3) >= 10


def test_among_placements_with_equal_terms_a_point_has_the_first() -> None:
    _, wrong = differing(range(30), coarse)
    assert not wrong


@pytest.mark.parametrize("make", [single, inside, linked, cut, gangs], ids=lambda make: make.__name__)
def test_fronts_of_every_kind_of_intent_are_those_of_exhaustion(make: Make) -> None:
    _, wrong = differing(range(8), make)
    assert not wrong


def test_searching_below_corners_finds_what_adding_up_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "sums", lambda *_: None)
    _, wrong = differing(range(12), wide)
    assert not wrong


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(5))
def test_six_hundred_fronts_are_those_of_exhaustion(chunk: int) -> None:
    seeds = range(chunk * 60, (chunk + 1) * 60)
    for make in (wide, coarse):
        sizes, wrong = differing(seeds, make)
        assert not wrong
        assert sizes.total() == 60


@pytest.mark.t1
@pytest.mark.parametrize("make", [single, larger, inside, linked, cut, gangs], ids=lambda make: make.__name__)
def test_six_hundred_fronts_of_every_kind_are_those_of_exhaustion(make: Make) -> None:
    sizes, wrong = differing(range(200), make)
    assert not wrong
    assert sizes.total() >= 50


@pytest.mark.t1
def test_searching_below_corners_finds_all_that_adding_up_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "sums", lambda *_: None)
    _, wrong = differing(range(200), wide)
    assert not wrong
