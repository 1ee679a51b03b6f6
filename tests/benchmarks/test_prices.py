"""The replay over a price history, on a history that is small enough to see what is best."""

from pathlib import Path

import pytest

from benchmarks.prices import drawn, history, replayed

HEADER = (
    "date,instance_type,accelerator,accelerator_count,region,availability_zone,price_usd_h,spot_price_usd_h\n"
)
WEEKS = [f"2024-{month:02}-{day:02}" for month in (1, 2, 3, 4) for day in (1, 8, 15, 22)]


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "aws-gpu-weekly.csv"
    rows = [
        f"{week},g5.xlarge,A10G,1.0,{region},{region}-az1,{price},{spot}"
        for k, week in enumerate(WEEKS)
        for region, price, spot in (("us-east-1", 2.0, 1.0 - 0.01 * k), ("us-west-2", 1.5, ""))
    ]
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return path


def test_the_history_is_read_by_offer(prices: Path) -> None:
    east, west = history(prices)
    assert (east.name, east.provider, east.gpu, east.count) == (
        "g5.xlarge-a10gx1-us-east-1-az1",
        "aws",
        "A10G",
        1,
    )
    assert (len(east.states), west.states[0].spot) == (len(WEEKS), None)
    assert all(there for _, there in drawn([east, west], 5, seed=1))


def test_each_freedom_costs_no_more_than_the_one_before(prices: Path) -> None:
    sums = replayed(prices, 12)
    home, anywhere, spot, now, week, month = sums.values()
    assert home >= anywhere > spot
    assert spot >= now > week > month
