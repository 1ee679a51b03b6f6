"""Several files after one option, as a shell's globs write them."""

import pytest

from flare_core.adapters.cli.argv import spread


@pytest.mark.parametrize(
    ("given", "spread_out"),
    [
        ("place i -i a b c --json", "place i -i a -i b -i c --json"),
        ("place i --inventory a", "place i --inventory a"),
        ("place i j --inventory a b --seed 1", "place i j --inventory a --inventory b --seed 1"),
        ("place i --inventory - b", "place i --inventory - --inventory b"),
        ("place i -i a -i b c", "place i -i a -i b -i c"),
        ("place i -i a b -- c -i d", "place i -i a -i b -- c -i d"),
        ("place --inventory a i", "place --inventory a i"),
        ("place", "place"),
        ("--help", "--help"),
    ],
)
def test_each_value_gets_the_option(given: str, spread_out: str) -> None:
    assert spread(given.split()) == spread_out.split()
