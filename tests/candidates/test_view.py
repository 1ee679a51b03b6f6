"""What screens look at."""

import pytest

from flare_core.candidates.view import named
from flare_core.inventory.types import Labels

LABELS = Labels.of(["a", None, "b", "c", "a"])


@pytest.mark.parametrize("wanted", ["", "b", "ab", "abc", "xyz", "axc"])
def test_named_rows_are_those_of_a_wanted_name_and_never_the_unknown(wanted: str) -> None:
    said = [LABELS[row] for row in range(len(LABELS))]
    assert named(LABELS, wanted.__contains__).tolist() == [
        name is not None and name in wanted for name in said
    ]
    assert (named(LABELS, wanted.__contains__) == LABELS.where(wanted.__contains__)).all()


def test_where_no_name_is_known_none_is_wanted() -> None:
    assert named(Labels.of([None, None]), lambda name: True).tolist() == [False, False]
