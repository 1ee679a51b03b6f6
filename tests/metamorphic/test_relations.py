"""The relations: each in a few worlds by default, in 100 at the promised figure, in 250 to soak."""

from collections.abc import Callable

import pytest

from tests.metamorphic import inside
from tests.metamorphic.inside import INSIDE
from tests.metamorphic.relations import SEVERAL, SINGLE, Relation, tried

RELATIONS = (*SINGLE, *SEVERAL)
PROMISED = 100
SOAKED = 250

named = pytest.mark.parametrize("relation", RELATIONS, ids=lambda r: r.__name__)
Record = Callable[[str, object], None]


def test_there_are_at_least_twenty_relations_and_five_thousand_worlds() -> None:
    assert len(set(RELATIONS)) >= 20
    assert len({*RELATIONS, *INSIDE}) * PROMISED >= 5_000


@named
def test_relation(relation: Relation, record_property: Record) -> None:
    applied = tried(relation, 8)
    record_property(relation.__name__, applied)
    assert applied == 8


@pytest.mark.t1
@named
def test_relation_in_a_hundred_worlds(relation: Relation, record_property: Record) -> None:
    record_property(relation.__name__, applied := tried(relation, PROMISED, start=10_000))
    assert applied == PROMISED


@pytest.mark.soak
@named
def test_relation_in_two_hundred_and_fifty_worlds(relation: Relation, record_property: Record) -> None:
    record_property(relation.__name__, applied := tried(relation, SOAKED, start=20_000))
    assert applied == SOAKED


within = pytest.mark.parametrize("relation", INSIDE, ids=lambda r: r.__name__)


def test_there_are_at_least_ten_relations_about_the_inside_of_nodes() -> None:
    assert len(set(INSIDE)) >= 10


@within
def test_relation_inside(relation: Relation, record_property: Record) -> None:
    applied = tried(relation, 8, make=inside.known)
    record_property(relation.__name__, applied)
    assert applied == 8


@pytest.mark.t1
@within
def test_relation_inside_in_a_hundred_worlds(relation: Relation, record_property: Record) -> None:
    record_property(relation.__name__, applied := tried(relation, PROMISED, start=10_000, make=inside.known))
    assert applied == PROMISED


@pytest.mark.soak
@within
def test_relation_inside_in_two_hundred_and_fifty_worlds(relation: Relation, record_property: Record) -> None:
    record_property(relation.__name__, applied := tried(relation, SOAKED, start=20_000, make=inside.known))
    assert applied == SOAKED
