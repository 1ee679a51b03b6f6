"""The same question in any order, and in any process, has the same answer to the last byte."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import pytest

from tests.metamorphic.relations import several, shuffled
from tests.worlds import Json, World, medium, patched

ROOT = Path(__file__).resolve().parents[2]
WORLDS = 5


def _world(number: int) -> World:
    """Return a world of several intents that has many equal plans."""
    return medium(4_000 + number, intents=1 + number % 3, tasks=6, offers=12)


def _sorted(document: Json) -> Json:
    """Put what follows the order of the intents into one order."""
    document["placements"].sort(key=lambda placement: placement["intent"])
    document["warnings"].sort()
    return document


@cache
def _expected(number: int) -> str:
    return json.dumps(_sorted(_world(number).document()))


def _permuted(permutation: int) -> None:
    world, random = _world(permutation % WORLDS), Random(permutation)
    intents = [shuffled(intent, random) for intent in world.intents]
    random.shuffle(intents)
    other = replace(world, intents=tuple(intents), offers=tuple(shuffled(list(world.offers), random)))
    assert json.dumps(_sorted(other.document())) == _expected(permutation % WORLDS)


def test_sixty_orders_of_offers_tasks_lists_and_keys_have_one_answer() -> None:
    for permutation in range(60):
        _permuted(permutation)


@pytest.mark.t1
def test_five_hundred_orders_of_offers_tasks_lists_and_keys_have_one_answer() -> None:
    for permutation in range(500):
        _permuted(permutation)


def test_a_rejection_does_not_depend_on_the_order_of_keys() -> None:
    world = several(10_122)
    turned = [
        patched(one, workload__storage__volumes=[dict(reversed(v.items())) for v in volumes])
        if (volumes := one["workload"].get("storage", {}).get("volumes"))
        else one
        for one in world.intents
    ]
    assert replace(world, intents=tuple(turned)).document() == world.document()


# --- fresh processes --------------------------------------------------------------------------------

_SCRIPT = """
import json
from tests.metamorphic.test_permutations import WORLDS, _world
print(json.dumps([_world(number).document() for number in range(WORLDS)]))
"""


def _in_a_process(seed: int) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_hash_seed_of_the_process_does_not_matter() -> None:
    assert len({_in_a_process(seed) for seed in range(4)}) == 1


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(20))
def test_five_hundred_fresh_processes_answer_byte_for_byte_alike(chunk: int) -> None:
    first = _in_a_process(0)
    assert {_in_a_process(seed) for seed in range(chunk * 25 + 1, chunk * 25 + 26)} == {first}
