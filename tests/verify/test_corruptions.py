"""Plans that the engine finds pass the check; none of them does once it is broken."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pytest

import flare_core as flare
from flare_core.errors import NotSupportedError
from flare_core.intent import Intent, read_intent
from flare_core.inventory.build import combine
from flare_core.inventory.document import read_document
from flare_core.inventory.types import Inventory

from .corrupt import ANYWHERE, ON_PLACED, Json, corruptions
from .inside import INSIDE
from .scenes import NOW, scene
from .worlds import WORLDS


@dataclass(frozen=True, slots=True)
class Found:
    """A plan of the engine and what it was made for."""

    seed: int
    document: Json
    intents: tuple[Intent, ...]
    inventory: Inventory
    origin: str | None

    def violations(self, document: Json) -> tuple[flare.Violation, ...]:
        return flare.verify(document, self.intents, self.inventory, origin=self.origin)


def plans(seeds: range) -> Iterator[Found]:
    """Return what `place` makes of random scenes, but for those that ask for what is not supported yet."""
    for seed in seeds:
        rng = Random(seed)
        documents, offers = scene(rng)
        intents, inventory = tuple(map(read_intent, documents)), combine([read_document(offers)])
        origin = rng.choice((None, "DE"))
        try:
            plan = flare.place(intents, inventory, now=NOW, options=flare.Options(origin=origin))
        except NotSupportedError:
            continue
        yield Found(seed, plan.to_dict(), intents, inventory, origin)


def check(seeds: range, least: int) -> Counter[str]:
    """Check all plans of `seeds` and at least so many corruptions of them; return how often each was done."""
    done: Counter[str] = Counter()
    missed: list[tuple[int, str]] = []
    for found in plans(seeds):
        assert found.violations(found.document) == (), found.seed
        for name, document in corruptions(found.document, found.intents, found.inventory, Random(found.seed)):
            done[name] += 1
            if not found.violations(document):
                missed.append((found.seed, name))
    assert missed == []
    assert done.total() >= least
    return done


def test_every_corruption_of_a_plan_made_by_hand_is_refused() -> None:
    done: Counter[str] = Counter()
    for make in (*WORLDS, *INSIDE):
        given = make()
        for seed in range(3):
            for name, document in corruptions(given.document, given.intents, given.inventory, Random(seed)):
                done[name] += 1
                broken = flare.verify(document, given.intents, given.inventory, origin=given.origin)
                assert broken, (make.__name__, seed, name)
    assert done.total() >= 2_000


def test_every_one_of_two_thousand_corruptions_is_refused_and_no_valid_plan() -> None:
    check(range(60), 2_000)


@pytest.mark.t1
def test_every_one_of_ten_thousand_corruptions_is_refused_and_no_valid_plan() -> None:
    check(range(2_000, 2_330), 10_000)


@pytest.mark.soak
def test_every_one_of_fifty_thousand_corruptions_is_refused_and_no_valid_plan() -> None:
    done = check(range(1_500), 50_000)
    assert {kind.__name__ for kind in (*ANYWHERE, *ON_PLACED)} == done.keys()
    assert min(done.values()) >= 20, "a kind that is hardly ever tried shows nothing"
