"""The texts of options: pairs of names and numbers, and places."""

import pytest

from flare_core import OptionsError
from flare_core.adapters.cli.options import read_origin, read_pairs


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("cost=0.5,carbon=0.5", {"cost": 0.5, "carbon": 0.5}),
        (" cost = 1 , latency = 2e-1 ", {"cost": 1.0, "latency": 0.2}),
        ("a=b=3", {"a=b": 3.0}),
    ],
)
def test_pairs_are_read(text: str, read: dict[str, float]) -> None:
    assert read_pairs(text.split(","), "weights", "") == read


@pytest.mark.parametrize("text", ["", "cost", "cost=", "=1", "cost=x", "cost=inf", "cost=1,cost=1"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(OptionsError) as refused:
        read_pairs(text.split(","), "weights", "cost=1")
    assert refused.value.path == "weights"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (None, None),
        ("48.1,11.6", (48.1, 11.6)),
        ("-33.9, 151.2", (-33.9, 151.2)),
        ("DE", "DE"),
        ("aws/eu-west-1", "aws/eu-west-1"),
        ("somewhere, else", "somewhere, else"),
        ("nan,0", "nan,0"),
        ("1,2,3", "1,2,3"),
    ],
)
def test_an_origin_is_a_point_or_a_name(text: str | None, read: object) -> None:
    assert read_origin(text) == read
