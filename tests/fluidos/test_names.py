"""Names are what an API server takes, the same each time, and different for what is different."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.adapters.fluidos import names
from tests.fluidos.orders import KEY, order

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
VALUE = re.compile(r"(([A-Za-z0-9][A-Za-z0-9_.-]*)?[A-Za-z0-9])?")
TEXT = st.text(max_size=90) | st.from_regex(r"[a-z0-9-]{1,70}", fullmatch=True)


@given(st.lists(TEXT, min_size=1, max_size=3), st.integers(20, 63))
def test_any_text_has_a_name(parts: list[str], limit: int) -> None:
    made = names.name(*parts, limit=limit)
    assert len(made) <= limit
    assert LABEL.fullmatch(made)
    assert made == names.name(*parts, limit=limit)


@given(TEXT, TEXT)
def test_different_texts_have_different_names(one: str, other: str) -> None:
    assert (names.name(one) == names.name(other)) == (one == other)
    assert (names.label_value(one) == names.label_value(other)) == (one == other)
    assert (names.namespace(one) == names.namespace(other)) == (one == other)


@given(TEXT)
def test_any_text_has_a_label_value_and_a_namespace(text: str) -> None:
    assert len(names.label_value(text)) <= 63
    assert VALUE.fullmatch(names.label_value(text))
    assert LABEL.fullmatch(names.namespace(text))


def test_a_namespace_leaves_room_for_a_clusters_id_behind_it() -> None:
    assert len(names.namespace(KEY)) + 1 + 36 <= 63


def test_names_of_fluidos_are_computed_as_fluidos_does() -> None:
    assert names.contract("fluidos.eu-k8slice-1a2b") == "contract-fluidos-eu-k8slice-1a2b-b18e"
    assert names.candidate("fluidos.eu-k8slice-1a2b") == "peeringcandidate-fluidos.eu-k8slice-1a2b"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a.b-c.1", True),
        ("a", True),
        ("", False),
        ("a..b", False),
        ("A", False),
        ("a.-b", False),
        ("a" * 64, False),
    ],
)
def test_a_subdomain_is_labels_joined_by_dots(text: str, is_one: bool) -> None:
    assert names.is_subdomain(text) is is_one


def test_an_order_is_found_by_its_label() -> None:
    told = names.labels(order(user="ana@example.org"))
    assert told[names.MANAGED_BY] == names.MANAGER
    assert names.selector(KEY) == f"{names.MANAGED_BY}=flare,flare.io/order={told[names.ORDER]}"
    assert names.selector() == f"{names.MANAGED_BY}=flare"
    assert all(VALUE.fullmatch(value) for value in told.values())
