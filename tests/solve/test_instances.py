"""Shares are packed on the fewest GPUs, and every place is one that the vendor allows."""

from collections.abc import Sequence
from functools import cache
from itertools import combinations, product
from random import Random

import pytest

from benchmarks import instances as benchmark
from flare_core.sharing.cards import card_of
from flare_core.sharing.states import fresh, state_of
from flare_core.sharing.types import Card, Kind, Vector
from flare_core.solve.instances import Gpu, Packed, best_fit, first_fit, pack
from tests.sharing import vendor

SKUS = {
    "nvidia-a100-sxm4-40gb": ("nvidia-a100", 40),
    "nvidia-a100-sxm4-80gb": ("nvidia-a100", 80),
    "nvidia-h100-sxm5-80gb": ("nvidia-h100", 80),
    "nvidia-a30-24gb": ("nvidia-a30", 24),
}


@cache
def card(sku: str) -> Card:
    model, gib = SKUS[sku]
    found = card_of(model, gib * 1024, "mig", None)
    assert found is not None
    return found


class World:
    """GPUs of several parts, some of them half filled, and what is wanted of them."""

    def __init__(self, seed: int, *, gpus: int, kinds: int, most: int) -> None:
        random = Random(seed)
        some = random.sample(sorted(SKUS), random.randint(1, 2))
        self.skus = [random.choice(some) for _ in range(random.randint(1, gpus))]
        self.there = [vendor.half_filled(sku, random, random.choice((0, 2, 4))) for sku in self.skus]
        self.gpus = [
            Gpu(card(sku), state_of(card(sku), None, there))
            for sku, there in zip(self.skus, self.there, strict=True)
        ]
        plain = sorted({cut.name for sku in some for cut in card(sku).cuts if cut.plain})
        self.kinds: tuple[str, ...] = tuple(random.sample(plain, min(kinds, len(plain))))
        self.demand = tuple(random.randint(0, most) for _ in self.kinds)

    @property
    def packed(self) -> Packed | None:
        return pack(self.gpus, self.kinds, self.demand)

    def check(self, packed: Packed) -> None:
        """Find nothing wrong, by the vendor's table alone."""
        assert tuple(map(len, packed.places)) == self.demand
        new: list[list[vendor.Instance]] = [[] for _ in self.gpus]
        for kind, places in zip(self.kinds, packed.places, strict=True):
            for gpu, start in places:
                new[gpu].append((kind, start))
        for sku, there, more in zip(self.skus, self.there, new, strict=True):
            assert vendor.allows(sku, [*there, *more])
        assert packed.touched == sum(map(bool, new))
        assert packed.opened == sum(
            bool(more) and not there for there, more in zip(self.there, new, strict=True)
        )

    def holds(self, chosen: Sequence[int], left: Vector) -> bool:
        """Whether these GPUs take what is left, by trying everything."""
        if not chosen:
            return not any(left)
        sku, there = self.skus[chosen[0]], self.there[chosen[0]]
        return any(
            vendor.holds(
                sku, there, tuple(k for k, n in zip(self.kinds, counts, strict=True) for _ in range(n))
            )
            and self.holds(chosen[1:], tuple(a - n for a, n in zip(left, counts, strict=True)))
            for counts in product(*(range(n + 1) for n in left))
        )

    @property
    def best(self) -> tuple[int, int] | None:
        """The fewest fresh GPUs, and then the fewest, over all sets of GPUs."""
        numbers = range(len(self.gpus))
        sets = (chosen for size in range(len(self.gpus) + 1) for chosen in combinations(numbers, size))
        worths = ((sum(not self.there[g] for g in chosen), len(chosen), chosen) for chosen in sets)
        return next((worth[:2] for worth in sorted(worths) if self.holds(worth[2], self.demand)), None)


def worth(packed: Packed | None) -> tuple[int, int] | None:
    return None if packed is None else (packed.opened, packed.touched)


@pytest.mark.parametrize("seed", range(150))
def test_no_packing_takes_fewer_gpus(seed: int) -> None:
    world = World(seed, gpus=3, kinds=3, most=2)
    packed = world.packed
    assert worth(packed) == world.best
    if packed is not None:
        assert packed.proven
        world.check(packed)


def test_every_share_lies_where_the_vendor_allows_it() -> None:
    packings = 0
    for seed in range(600):
        world = World(seed, gpus=16, kinds=3, most=4)
        found = (
            first_fit(world.gpus, world.kinds, world.demand),
            best_fit(world.gpus, world.kinds, world.demand),
        )
        for each in (world.packed, *found):
            if each is not None:
                world.check(each)
                packings += 1
    assert packings > 500


def test_neither_first_fit_nor_best_fit_takes_fewer() -> None:
    better = 0
    for seed in range(200):
        world = World(seed, gpus=16, kinds=4, most=8)
        packed = world.packed
        for simple in (first_fit, best_fit):
            other = worth(simple(world.gpus, world.kinds, world.demand))
            if other is not None:
                assert packed is not None
                assert packed.proven
                assert (packed.opened, packed.touched) <= other
                better += (packed.opened, packed.touched) < other
    assert better > 10


@pytest.mark.parametrize("effort", [0.0, 1e-4, 1.0])
def test_a_cut_search_is_no_worse_than_the_simple_ones_and_claims_no_more_than_it_knows(
    effort: float,
) -> None:
    fleet = benchmark.fleet(0)
    cut, best = pack(fleet.gpus, tuple(benchmark.WANTED), fleet.demand, effort), fleet.packed()
    assert cut is not None
    assert best is not None
    assert benchmark.worth(cut) <= min(benchmark.worth(each) for each in fleet.simple() if each)
    assert cut.proven == (effort == 1.0)
    assert not cut.proven or benchmark.worth(cut) == benchmark.worth(best)


def test_two_hundred_instances_are_packed_and_proven() -> None:
    fleet = benchmark.fleet(1)
    packed = fleet.packed()
    assert packed is not None
    assert packed.proven
    assert packed == fleet.packed()
    assert sum(map(len, packed.places)) == 200
    assert benchmark.worth(packed) < min(benchmark.worth(each) for each in fleet.simple() if each)


def test_large_instances_make_way_for_each_other() -> None:
    """A 4g begins at slice 0 only, which is free on GPU 1 alone: the 3g has to go to GPU 0."""
    gpus = [Gpu(card("nvidia-a100-sxm4-40gb"), state) for state in ((("3g.20gb", 0),), (("3g.20gb", 4),))]
    packed = pack(gpus, ("3g.20gb", "4g.20gb"), (1, 1))
    assert packed == Packed((((0, 4),), ((1, 0),)), opened=0, touched=2, proven=True)
    assert pack(gpus, ("4g.20gb",), (2,)) is None


def test_partly_used_gpus_come_before_fresh_ones() -> None:
    one = card("nvidia-a100-sxm4-40gb")
    gpus = [Gpu(one, ()), Gpu(one, (("4g.20gb", 0),)), Gpu(one, (("4g.20gb", 0),))]
    packed = pack(gpus, ("3g.20gb",), (2,))
    assert packed == Packed((((1, 4), (2, 4)),), opened=0, touched=2, proven=True)


@pytest.mark.parametrize(
    ("sizes", "opened"), [((2, 2, 2, 2), 2), ((3, 3, 2), 3), ((3, 1, 2, 2), 2), ((3, 3, 3), 3)]
)
def test_slots_are_packed_likewise(sizes: tuple[int, ...], opened: int) -> None:
    kinds: tuple[Kind, ...] = tuple(sorted(set(sizes)))
    gpus = [Gpu(Card(4), fresh(Card(4))) for _ in range(4)]
    packed = pack(gpus, kinds, tuple(sizes.count(kind) for kind in kinds if isinstance(kind, int)))
    assert packed is not None
    assert (packed.opened, packed.proven) == (opened, True)


def test_nothing_wanted_takes_no_gpu() -> None:
    assert pack([], (), ()) == Packed((), 0, 0, proven=True)
    gpus = [Gpu(card("nvidia-a30-24gb"), ())]
    assert pack(gpus, ("1g.6gb",), (0,)) == Packed(((),), 0, 0, proven=True)
    assert pack(gpus, ("1g.5gb",), (1,)) is None  # a profile that it does not have
    assert pack([], ("1g.5gb",), (1,)) is None
