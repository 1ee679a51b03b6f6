"""A share is the smallest that covers what is asked, and is paid by its part of the GPU."""

import pytest

from flare_core.sharing.cards import card_of, fraction, milli, smallest
from flare_core.sharing.types import Card, Kind


def mig(model: str, gib: int) -> Card:
    card = card_of(model, gib * 1024, "mig", None)
    assert card is not None
    return card


A100, A30, H100 = mig("nvidia-a100", 40), mig("nvidia-a30", 24), mig("nvidia-h100", 80)


def asked(
    card: Card, *, memory_gib: float | None = None, cores: int | None = None, fp32: float | None = None
) -> Kind | None:
    memory = None if memory_gib is None else int(memory_gib * 1024)
    return smallest(card, memory, cores, fp32, 40 * 1024, 6912, 19.5)


@pytest.mark.parametrize(
    ("strategy", "slots", "expected"),
    [
        ("time-slicing", 4, 4),
        ("mps", 2, 2),
        ("mps", 1, None),
        ("mps", None, None),
        ("none", 4, None),
        (None, 4, None),
    ],
)
def test_slots_need_a_strategy_and_at_least_two_of_them(
    strategy: str | None, slots: int | None, expected: int | None
) -> None:
    card = card_of("nvidia-l4", None, strategy, slots)
    assert (card and card.slots) == expected


def test_slots_need_no_known_model() -> None:
    assert card_of(None, None, "mps", 3) == Card(3)


@pytest.mark.parametrize(
    ("model", "memory_gib"),
    [("nvidia-a100", None), ("nvidia-t4", 16), ("nvidia-gb300", None), ("acme-x1", 16), (None, 80)],
    ids=["two-sizes", "no-mig", "names-not-published", "unknown", "not-stated"],
)
def test_how_a_gpu_is_cut_must_be_known(model: str | None, memory_gib: int | None) -> None:
    assert card_of(model, memory_gib and memory_gib * 1024, "mig", None) is None


def test_parts_that_are_cut_alike_are_one_card() -> None:
    assert card_of("nvidia-a100", 40536, "mig", 7) == A100  # a reported size; slots say nothing of MIG
    assert mig("nvidia-a100", 80) != A100
    assert (A100.slices, A30.slices) == ((7, 8), (4, 4))


@pytest.mark.parametrize(
    ("memory_gib", "cores", "fp32", "profile"),
    [
        (None, None, None, "1g.5gb"),
        (5, None, None, "1g.5gb"),
        (5.01, None, None, "1g.10gb"),  # fewer compute slices than 2g.10gb
        (10.01, None, None, "3g.20gb"),
        (20.01, None, None, "7g.40gb"),
        (40.01, None, None, None),
        (None, 896, None, "1g.5gb"),  # 14 of 108 multiprocessors
        (None, 897, None, "2g.10gb"),
        (None, 6272, None, "7g.40gb"),
        (None, 6273, None, None),
        (None, None, 19.5 * 56 / 108, "4g.20gb"),
        (10, 1793, None, "3g.20gb"),
    ],
)
def test_the_smallest_profile_covers_all_that_is_asked(
    memory_gib: float | None, cores: int | None, fp32: float | None, profile: str | None
) -> None:
    assert asked(A100, memory_gib=memory_gib, cores=cores, fp32=fp32) == profile


@pytest.mark.parametrize("slots", [2, 3, 7, 10])
def test_each_slot_is_an_equal_part(slots: int) -> None:
    card = Card(slots)
    for some in range(1, slots + 1):
        assert smallest(card, 24 * 1024 * some // slots, None, None, 24 * 1024, None, None) == some
        assert fraction(card, some) == (some, slots)
    assert asked(card) == 1
    assert asked(card, memory_gib=40) == slots
    assert asked(card, memory_gib=40.01) is None
    assert asked(card, memory_gib=1, cores=6912) == slots


def test_what_a_gpu_does_not_state_covers_nothing() -> None:
    for card in (A100, Card(4)):
        assert smallest(card, None, 1, None, 40 * 1024, None, None) is None
        assert smallest(card, None, None, 1.0, 40 * 1024, None, None) is None
    assert smallest(Card(4), 1, None, None, None, None, None) is None
    assert smallest(A100, 1, None, None, None, None, None) == "1g.5gb"  # its name states it


def test_a_profile_on_which_parts_disagree_is_none() -> None:
    """One H100 of 80 GB publishes its multiprocessors (16 of 132), the other's are an eighth."""
    assert len(H100.core_shares) == 2
    assert smallest(H100, None, 2048, None, None, 16896, None) == "1g.10gb"
    assert smallest(H100, None, 2080, None, None, 16896, None) is None
    assert smallest(H100, 40 * 1024, 2080, None, None, 16896, None) == "3g.40gb"


def test_no_profile_with_an_extension_is_chosen() -> None:
    pro = mig("nvidia-rtx-pro-6000", 96)
    assert smallest(pro, None, None, None, None, None, None) == "1g.24gb"
    assert smallest(pro, 96 * 1024, None, None, None, None, None) == "4g.96gb"
    extended = tuple(cut for cut in pro.cuts if not cut.plain)
    assert smallest(Card(0, extended, ((1.0,) * len(extended),)), 1, None, None, None, None, None) is None


def test_what_is_met_exactly_is_not_missed_by_a_rounding() -> None:
    assert 7 / 10 * 90 < 63
    assert smallest(Card(10), None, 63, None, None, 90, None) == 7
    assert smallest(Card(10), 63, None, None, 90, None, None) == 7


def test_a_share_is_paid_by_its_part() -> None:
    assert fraction(A100, "3g.20gb") == (3, 7)
    assert fraction(A100, "1g.10gb") == (1, 7)
    assert fraction(A30, "2g.12gb") == (2, 4)
    assert (milli(A100, "1g.5gb"), milli(A30, "1g.6gb"), milli(Card(3), 2)) == (142, 250, 666)


def test_a_share_that_the_card_lacks_is_a_mistake() -> None:
    for card, kind in ((A100, "1g.10gb+you"), (Card(4), 5), (Card(4), 0), (A100, 1)):
        with pytest.raises(ValueError, match="no"):
            fraction(card, kind)
