"""A watch that is cut, expires, repeats itself and comes late ends up with what a fresh list tells."""

import json
import random
import threading
import time
from collections.abc import Iterator

import pytest

from flare_core.adapters.fluidos.cluster import Cluster, Json
from flare_core.adapters.fluidos.kinds import SOLVER
from flare_core.adapters.fluidos.mirror import Mirror
from tests.fluidos.proxy import CutError, Proxy
from tests.fluidos.test_server import solver

OBJECTS = 6
EXPIRED = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}


class Havoc:
    """Rewrites what watches tell: cuts, repetitions, late events, a 410 inside of the 200, bookmarks."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.cuts = 0
        self.told: list[str] = []
        self.calm = False

    def __call__(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            if not self.calm:
                yield from self.struck(line)
            self.told = [*self.told[-20:], line]
            yield line

    def struck(self, line: str) -> Iterator[str]:
        match self.dice.randrange(10):
            case 0:
                self.cuts += 1
                raise CutError
            case 1:
                self.cuts += 1
                yield json.dumps({"type": "ERROR", "object": EXPIRED})
                raise CutError
            case 2:
                yield line  # twice
            case 3 if self.told:
                yield self.dice.choice(self.told)  # late
            case 4:
                self.cuts += 1
                yield line[: len(line) // 2]  # in the middle of a line
                raise CutError
            case 5:
                self.cuts += 1
                raise CutError
            case 6:
                version = json.loads(line)["object"]["metadata"]["resourceVersion"]
                before = {"metadata": {"resourceVersion": str(int(version) - 1)}}
                yield json.dumps({"type": "BOOKMARK", "object": before})


def churn(cluster: Cluster, space: str, dice: random.Random) -> None:
    """Create, change or delete one of some objects."""
    name = f"solver-{dice.randrange(OBJECTS)}"
    if cluster.find(SOLVER, name, space) is None:
        cluster.create(SOLVER, solver(name), space)
    elif dice.random() < 0.4:
        cluster.delete(SOLVER, name, space)
    else:
        cluster.patch(SOLVER, name, {"spec": {"intentID": f"i{dice.randrange(10**6)}"}}, space)


def state(items: tuple[Json, ...]) -> list[tuple[str, str]]:
    return sorted((item["metadata"]["name"], item["metadata"]["resourceVersion"]) for item in items)


def survives(cluster: Cluster, space: str, proxy: Proxy, seed: int, cuts: int) -> None:
    havoc, dice = Havoc(seed), random.Random(seed)
    proxy.lines = havoc
    with proxy.client() as wire:
        mirror = Mirror(wire, SOLVER, space, window_s=2.0, pause_s=0.001)
        mirror.start()
        while havoc.cuts < cuts:
            churn(cluster, space, dice)
        havoc.calm = True
        churn(cluster, space, dice)
        until = time.monotonic() + 20
        while state(mirror.items()) != state(cluster.list(SOLVER, space).items):
            assert time.monotonic() < until, "it never came to what a fresh list tells"
            time.sleep(0.02)  # the last event is on its way
        assert all(item["kind"] == "Solver" for item in mirror.items())
        mirror.stop()


def test_a_copy_survives_cuts(cluster: Cluster, space: str, proxy: Proxy) -> None:
    survives(cluster, space, proxy, seed=0, cuts=40)


@pytest.mark.t1
@pytest.mark.parametrize("seed", range(1, 6))
def test_a_copy_survives_two_hundred_cuts(cluster: Cluster, space: str, proxy: Proxy, seed: int) -> None:
    survives(cluster, space, proxy, seed, cuts=40)


def test_it_lists_again_where_its_version_has_expired(cluster: Cluster, space: str) -> None:
    mirror = Mirror(cluster, SOLVER, space, window_s=1.0)
    mirror.step()
    mirror._version = "1"
    cluster.create(SOLVER, solver("new"), space)
    mirror.step()
    assert mirror.version == ""
    mirror.step()
    assert mirror.lists == 2
    assert [item["metadata"]["name"] for item in mirror.items()] == ["new"]


def test_it_tells_of_each_change(cluster: Cluster, space: str) -> None:
    told = threading.Semaphore(0)
    mirror = Mirror(cluster, SOLVER, space, window_s=5.0, changed=told.release)
    mirror.start()
    assert told.acquire(timeout=10), "of the list"
    cluster.create(SOLVER, solver("new"), space)
    assert told.acquire(timeout=10)
    assert [item["metadata"]["name"] for item in mirror.items()] == ["new"]
    cluster.delete(SOLVER, "new", space)
    assert told.acquire(timeout=10)
    assert mirror.items() == ()
    mirror.stop()


def test_it_outlives_a_server_that_is_away(cluster: Cluster, space: str, proxy: Proxy) -> None:
    told = threading.Semaphore(0)
    with proxy.client() as wire:
        mirror = Mirror(wire, SOLVER, space, window_s=1.0, pause_s=0.01, changed=told.release)
        proxy.down = True
        mirror.start()
        assert not told.acquire(timeout=0.2)
        cluster.create(SOLVER, solver("new"), space)
        proxy.down = False
        assert told.acquire(timeout=10)
        assert [item["metadata"]["name"] for item in mirror.items()] == ["new"]
        mirror.stop()
