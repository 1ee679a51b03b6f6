"""What one GPU can still take is what the vendor's placement table allows."""

from functools import cache
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.catalog.mig import Cut
from flare_core.sharing.cards import card_of
from flare_core.sharing.starts import starts_of
from flare_core.sharing.states import CLOSED, fits, free_milli, fresh, patterns, state_of
from flare_core.sharing.types import Card, State, Vector
from tests.sharing import vendor

PARTS = {
    "nvidia-a100-sxm4-40gb": ("nvidia-a100", 40),
    "nvidia-h100-nvl-94gb": ("nvidia-h100", 94),
    "nvidia-a30-24gb": ("nvidia-a30", 24),
    "nvidia-rtx-pro-6000-server-96gb": ("nvidia-rtx-pro-6000", 96),
}
A100 = "nvidia-a100-sxm4-40gb"


def card(sku: str) -> Card:
    model, gib = PARTS[sku]
    found = card_of(model, gib * 1024, "mig", None)
    assert found is not None
    return found


@cache
def feasible(sku: str, there: tuple[vendor.Instance, ...], kinds: tuple[str, ...]) -> frozenset[Vector]:
    """Every vector of counts that fits, by trying all."""
    most = [vendor.table(sku)[kind].most for kind in kinds]
    return frozenset(
        counts
        for counts in product(*(range(m + 1) for m in most))
        if sum(counts) <= 7
        and vendor.holds(sku, there, tuple(k for k, n in zip(kinds, counts, strict=True) for _ in range(n)))
    )


def at_most(a: Vector, b: Vector) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("sku", PARTS)
@pytest.mark.parametrize("seed", range(12))
def test_patterns_are_the_maximal_ones_of_all_that_fit(sku: str, seed: int) -> None:
    random = Random(seed)
    there = vendor.half_filled(sku, random, seed % 5)
    kinds = tuple(random.sample(sorted(vendor.table(sku)), 3))
    every = feasible(sku, there, kinds)
    expected = {v for v in every if not any(v != w and at_most(v, w) for w in every)}
    found = patterns(card(sku), state_of(card(sku), None, there), kinds)
    assert list(found) == sorted(expected, reverse=True)


@pytest.mark.parametrize("seed", range(20))
def test_bounds_leave_out_what_nobody_wants(seed: int) -> None:
    random = Random(seed)
    kinds = ("1g.5gb", "1g.10gb", "3g.20gb")
    there = vendor.half_filled(A100, random, seed % 3)
    bounds = tuple(random.randint(0, 4) for _ in kinds)
    every = {v for v in feasible(A100, there, kinds) if at_most(v, bounds)}
    expected = {v for v in every if not any(v != w and at_most(v, w) for w in every)}
    assert set(patterns(card(A100), state_of(card(A100), None, there), kinds, bounds)) == expected


@pytest.mark.parametrize(
    ("there", "kinds", "counts", "expected"),
    [
        ([], ["1g.5gb"], (7,), True),
        ([], ["1g.5gb"], (8,), False),
        ([("3g.20gb", 0)], ["4g.20gb"], (1,), False),  # which begins only at 0
        ([("3g.20gb", 4)], ["4g.20gb"], (1,), True),
        ([], ["3g.20gb", "1g.5gb"], (2, 0), True),
        ([], ["3g.20gb", "1g.5gb"], (2, 1), False),  # no memory slice is left
        ([], ["3g.20gb", "1g.5gb"], (1, 4), True),
        ([("3g.20gb", 0)], ["1g.5gb"], (4,), False),  # slice 7 is no start
        ([], ["1g.10gb"], (4,), True),
        ([("1g.5gb", 1)], ["1g.10gb"], (4,), False),
        ([("1g.5gb+me", 0)], ["1g.5gb+me"], (1,), False),
        ([("1g.5gb+me", 0)], ["1g.5gb"], (6,), True),
        ([("7g.40gb", 0)], ["1g.5gb"], (1,), False),
    ],
)
def test_the_traps_of_the_table(
    there: list[vendor.Instance], kinds: list[str], counts: Vector, expected: bool
) -> None:
    state = state_of(card(A100), None, tuple(there))
    assert fits(card(A100), state, tuple(kinds), counts) is expected


def test_an_a30_begins_where_its_own_table_says() -> None:
    one = card("nvidia-a30-24gb")
    assert patterns(one, (), ("1g.6gb", "2g.12gb")) == ((4, 0), (2, 1), (0, 2))
    assert patterns(one, (("1g.6gb", 1),), ("2g.12gb",)) == ((1,),)
    assert patterns(one, (("1g.6gb", 1), ("1g.6gb", 2)), ("2g.12gb",)) == ((0,),)


def test_compute_slices_and_overlapping_starts_limit_where_a_table_has_them() -> None:
    """In the vendor's tables memory slices run out first, and the starts of one profile lie side by side."""
    narrow = Card(0, (Cut("2g", 2, 1, 9, (0, 1, 2, 3), 0, True), Cut("5g", 5, 1, 9, (4,), 0, True)))
    assert patterns(narrow, (), ("2g", "5g")) == ((2, 0), (0, 1))
    assert starts_of(narrow, (), ("2g",), (2,)) == ((0, 1),)
    with pytest.raises(ValueError, match="do not fit"):
        starts_of(narrow, (), ("2g",), (3,))
    wide = Card(0, (Cut("1g", 1, 3, 9, (0, 1, 2, 3, 4), 0, True), Cut("9g", 9, 8, 1, (0,), 0, True)))
    assert patterns(wide, (), ("1g",)) == ((2,),)
    assert patterns(wide, (("1g", 2),), ("1g",)) == ((0,),)


def test_a_layout_that_cannot_be_leaves_nothing_free() -> None:
    one = card(A100)
    for there in (
        [("2g.20gb", 0)],
        [("3g.20gb", 1)],
        [("4g.20gb", 0), ("3g.20gb", 0)],
        [("1g.5gb+me", 0), ("1g.5gb+me", 1)],
    ):
        assert not vendor.allows(A100, there)
        assert state_of(one, None, tuple(there)) == CLOSED
    assert state_of(one, 400) == CLOSED  # thousandths do not say which slices
    assert patterns(one, CLOSED, ("1g.5gb", "7g.40gb")) == ((0, 0),)
    assert free_milli(one, CLOSED) == 0


def test_a_state_does_not_depend_on_the_order_of_its_instances() -> None:
    one, there = card(A100), (("1g.5gb", 6), ("3g.20gb", 0))
    assert state_of(one, None, there) == state_of(one, None, there[::-1]) == (("3g.20gb", 0), ("1g.5gb", 6))


@pytest.mark.parametrize(
    ("slots", "milli", "free"),
    [(4, None, 4), (4, 1000, 4), (4, 999, 3), (4, 250, 1), (4, 249, 0), (3, 667, 2), (3, 666, 1)],
)
def test_free_thousandths_are_whole_slots(slots: int, milli: int | None, free: int) -> None:
    assert state_of(Card(slots), milli) == free


def test_free_thousandths_of_a_state() -> None:
    one = card(A100)
    assert free_milli(one, fresh(one)) == free_milli(Card(3), fresh(Card(3))) == 1000
    assert free_milli(one, (("3g.20gb", 4),)) == 571
    assert free_milli(Card(3), 2) == 666
    assert state_of(Card(3), None, (("1g.5gb", 0),)) == 0  # a GPU of slots has no instances


@given(
    st.integers(0, 30),
    st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(0, 5), min_size=4, max_size=4),
)
def test_patterns_of_slots_fill_the_gpu(free: int, sizes: list[int], most: list[int]) -> None:
    kinds, bounds = tuple(sizes), tuple(most[: len(sizes)])
    found = patterns(Card(30), free, kinds, bounds)
    every = {
        counts
        for counts in product(*(range(b + 1) for b in bounds))
        if sum(s * n for s, n in zip(sizes, counts, strict=True)) <= free
    }
    assert set(found) == {v for v in every if not any(v != w and at_most(v, w) for w in every)}
    assert list(found) == sorted(found, reverse=True)
    unbounded = patterns(Card(30), free, kinds)
    assert all(any(at_most(v, w) for w in unbounded) for v in every)
    assert all(
        free - sum(s * n for s, n in zip(sizes, v, strict=True)) in range(min(sizes)) for v in unbounded
    )
    assert all(fits(Card(30), free, kinds, v) for v in unbounded)


@pytest.mark.parametrize("sku", PARTS)
@pytest.mark.parametrize("seed", range(25))
def test_starts_leave_the_most_room(sku: str, seed: int) -> None:
    """Of all layouts none leaves more of the largest profile, then of the next, alone."""
    random, one = Random(seed), card(sku)
    there = vendor.half_filled(sku, random, seed % 3)
    state = state_of(one, None, there)
    kinds = tuple(random.sample([cut.name for cut in one.cuts if cut.plain], 2))
    counts = random.choice(patterns(one, state, kinds))
    counts = tuple(random.randint(0, n) for n in counts)
    new = [kind for kind, n in zip(kinds, counts, strict=True) for _ in range(n)]

    def room(layout: tuple[vendor.Instance, ...]) -> list[int]:
        after = (*there, *layout)
        return [
            max(n for n in range(8) if vendor.holds(sku, after, (cut.name,) * n))
            for cut in reversed(one.cuts)
            if cut.plain
        ]

    found = starts_of(one, state, kinds, counts)
    chosen = tuple((kind, s) for kind, starts in zip(kinds, found, strict=True) for s in starts)
    assert vendor.allows(sku, (*there, *chosen))
    assert tuple(map(len, found)) == counts
    assert room(chosen) == max(map(room, vendor.layouts(sku, there, new)))


def test_the_first_small_instance_goes_to_the_end() -> None:
    """There it leaves one 4g, one 3g less and all three 2g; at 0 no 4g could begin."""
    assert starts_of(card(A100), (), ("1g.5gb", "3g.20gb"), (1, 0)) == ((6,), ())
    assert starts_of(card(A100), (), ("1g.5gb", "3g.20gb"), (0, 1)) == ((), (4,))


def test_what_does_not_fit_has_no_starts() -> None:
    state: State = (("3g.20gb", 0),)
    for counts in ((1, 0), (0, 4)):
        with pytest.raises(ValueError, match="do not fit"):
            starts_of(card(A100), state, ("4g.20gb", "1g.5gb"), counts)
