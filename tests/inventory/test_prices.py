"""Market prices: which ones are not believed, and that nothing depends on the order of lists."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.inventory.build import RawOffers, combine
from flare_core.inventory.prices import MarketOffers, flag_prices, settle
from flare_core.inventory.skypilot import parse_skypilot

EUR = 1_000_000
Offer = tuple[str, float | None, float | None]
"""Provider, EUR per hour of one GPU, spot."""


def market(*offers: Offer, gpus: int = 1, model: str = "nvidia-h100") -> dict[str, list[object]]:
    def ueur(price: float | None) -> int:
        return -1 if price is None else round(price * gpus * EUR)

    return {
        "provider": [provider for provider, _, _ in offers],
        "gpu_model": [model] * len(offers),
        "gpu_count": [gpus] * len(offers),
        "hourly_ueur": [ueur(hourly) for _, hourly, _ in offers],
        "spot_ueur": [ueur(spot) for _, _, spot in offers],
    }


def on_demand(*prices: float) -> list[Offer]:
    return [(f"p{i}", price, None) for i, price in enumerate(prices)]


def flagged(columns: dict[str, list[object]]) -> list[int]:
    return [row for row, flag in enumerate(flag_prices(columns)[0]) if flag]


def test_a_price_of_zero_is_never_believed_and_no_price_at_all_is_no_zero() -> None:
    columns = market(("a", 0, 1), ("a", None, 1))
    columns["gpu_model"], columns["gpu_count"] = [None, None], [0, 0]
    assert flag_prices(columns)[0] == ["zero price", None]


@pytest.mark.parametrize(
    ("price", "suspicious"), [(1.20, False), (1.19, True)], ids=["at the edge", "one cent below"]
)
def test_below_six_tenths_of_the_next_provider_is_far_below_the_market(
    price: float, suspicious: bool
) -> None:
    assert flagged(market(*on_demand(2.0, 2.1, 5, 12, price))) == ([4] if suspicious else [])


def test_the_message_has_the_figures() -> None:
    flags, _ = flag_prices(market(*on_demand(2.0, 2.1, 5, 12, 1.0), gpus=8, model="nvidia-h200"))
    assert flags[4] == (
        "far below the market: 8.00 EUR/hour for 8 × nvidia-h200, "
        "the next provider asks 2.00 EUR/hour and GPU"
    )


def test_three_other_providers_are_too_few_to_tell() -> None:
    assert flagged(market(*on_demand(2.0, 2.1, 5, 1.0))) == []


def test_many_offers_of_one_provider_are_one_voice() -> None:
    """A hyperscaler's two hundred zones must not make everybody else look cheap."""
    crowd: list[Offer] = [("hyper", 12.0, None)] * 200
    assert flagged(market(*crowd, *on_demand(1.8, 2.0, 2.3, 3.0, 4.0))) == []


def test_what_is_flagged_protects_nobody() -> None:
    assert flagged(market(*on_demand(2.0, 2.1, 5, 12, 1.0, 0.5))) == [4, 5]


def test_every_offer_of_the_cheap_provider_is_judged_for_itself() -> None:
    offers = [("cheap", 1.0, None), ("cheap", 1.9, None), *on_demand(2.0, 2.1, 5, 12)]
    assert flagged(market(*offers)) == [0]


@pytest.mark.parametrize(("price", "suspicious"), [(0.05, False), (0.049, True)])
def test_a_misplaced_point_shows_even_with_few_providers(price: float, suspicious: bool) -> None:
    offers: list[Offer] = [("a", 2.0, None)] * 7
    assert flagged(market(*offers, ("b", price, None))) == ([7] if suspicious else [])


def test_spot_is_compared_with_spot_and_taken_away_alone() -> None:
    offers = [(f"p{i}", 4.0, spot) for i, spot in enumerate((1.0, 1.1, 1.2, 1.3, 0.2))]
    flags, spots = flag_prices(market(*offers))
    assert flags == [None] * 5
    assert [spot is not None for spot in spots] == [False] * 4 + [True]
    alone = [*offers[:4], ("p4", None, 0.2)]
    assert flagged(market(*alone)) == [4]


def test_flags_of_the_reader_stay_and_their_prices_do_not_count() -> None:
    columns = market(*on_demand(2.0, 2.1, 5, 12, 1.0, 0.9))
    columns["price_flag"] = [None] * 5 + ["a bid floor"]
    flags, _ = flag_prices(columns)
    assert flags[5] == "a bid floor"
    assert str(flags[4]).startswith("far below the market")


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(0, 40)), max_size=30), st.randoms())
def test_flags_belong_to_offers_not_to_rows(offers: list[tuple[str, int]], shuffled: random.Random) -> None:
    rows: list[Offer] = [(provider, tenths / 10, tenths / 20) for provider, tenths in offers]
    before = sorted(zip(rows, *flag_prices(market(*rows)), strict=True), key=repr)
    shuffled.shuffle(rows)
    assert sorted(zip(rows, *flag_prices(market(*rows)), strict=True), key=repr) == before


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(1, 40)), min_size=1, max_size=30))
def test_the_dearest_half_is_never_flagged_and_somebody_always_sells(offers: list[tuple[str, int]]) -> None:
    rows: list[Offer] = [(provider, tenths / 10, None) for provider, tenths in offers]
    suspicious = {rows[row] for row in flagged(market(*rows))}
    assert suspicious < set(rows)
    assert max(rows, key=lambda row: row[1] or 0) not in suspicious


# --- several lists together ----------------------------------------------------------------------


def listed(*rows: tuple[str, str], **columns: Sequence[object]) -> MarketOffers:
    return MarketOffers(
        [name for name, _ in rows],
        {
            "provider": [name.split("/")[0] for name, _ in rows],
            "region": ["r"] * len(rows),
            "hourly_ueur": [round(float(price) * EUR) if price else -1 for _, price in rows],
            **columns,
        },
        list_prices=[price for _, price in rows],
    )


def test_a_machine_in_two_lists_is_kept_at_both_prices() -> None:
    old, new = listed(("lambda/r/x", "1.10"), ("lambda/r/y", "2")), listed(("lambda/r/x", "1.29"))
    expected = ("lambda/r/x@1.1", "lambda/r/x@1.29", "lambda/r/y")
    assert combine(settle([old, new])).ids == combine(settle([new, old])).ids == expected


def test_a_list_may_say_less_than_another_and_equal_rows_are_one() -> None:
    more = listed(("a/r/x", "1"), cpu_milli=[4000])
    found = combine(settle([more, listed(("a/r/x", "1.0")), listed(("a/r/x", "1"))]))
    assert found.ids == ("a/r/x@1", "a/r/x@1#2")
    assert sorted(found.whole["cpu_milli"]) == [-1, 4000]
    assert "merged 1 offers of market lists that repeat another in every word" in found.warnings


def test_a_document_is_taken_at_its_word() -> None:
    """A price of 0 EUR is what one's own machines cost."""
    own = RawOffers(["mine"], {"provider": ["me"], "region": ["r"], "hourly_ueur": [0]})
    found = combine(settle([own, listed(("a/r/x", "0"))]))
    assert {name: found.label["price_flag"][row] for row, name in enumerate(found.ids)} == {
        "a/r/x": "zero price",
        "mine": None,
    }
    assert "a/r/x: never chosen, because the price is suspicious: zero price" in found.warnings


def test_a_suspicious_spot_price_is_taken_away_and_told() -> None:
    names = [(f"p{i}/r/x", "4") for i in range(5)]
    spots = [round(price * EUR) for price in (1.0, 1.1, 1.2, 1.3, 0.2)]
    gpu: dict[str, Sequence[object]] = {"gpu_model": ["nvidia-h100"] * 5, "gpu_count": [1] * 5}
    found = combine(settle([listed(*names, spot_ueur=spots, **gpu)]))
    assert found.whole["spot_ueur"].tolist() == [*spots[:4], -1]
    assert any(warning.startswith("p4/r/x: offered without spot") for warning in found.warnings)


def test_bid_floors_of_an_unknown_provider_are_found_by_comparison() -> None:
    """Mithril's mistake under another name, among the prices of 2025."""
    header = "InstanceType,AcceleratorName,AcceleratorCount,Price,Region"
    prices = {"lium": 14.0, "vast": 16.0, "hyperstack": 15.2, "verda": 18.4, "nebius": 23.6, "newcomer": 8.0}
    lists = [
        parse_skypilot(f"{header}\nh100.8x,H100,8,{price},r\n", f"/{name}/vms.csv", usd_eur="0.92")[0]
        for name, price in prices.items()
    ]
    found = combine(settle(lists))
    flags = found.label["price_flag"]
    assert [found.ids[row] for row in range(len(found)) if flags[row]] == ["newcomer/r/h100.8x"]
