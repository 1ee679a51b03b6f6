"""Events from bytes, and JSON into dataclasses."""

import pickle
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.client import AnswerError, RefusedError
from flare_core.client.reading import read
from flare_core.client.sse import Message, Reader

STREAM = (
    ": ping\n\n"
    'id: 1\nevent: status\ndata: {"a":\ndata: 1}\n\n'
    "data:no space\r\n\r\n"
    "id\ndata\n\n"
    "retry: 1500\rid: 2\rdata: é😀\r\r"
    "id: bad\0\ndata: x\n\n"
    "event: nothing\n\n"
    "unknown: field\nretry: soon\ndata: last\n\n"
    "data: never ended"
)
MESSAGES = [
    Message("1", "status", '{"a":\n1}'),
    Message("1", "message", "no space"),
    Message("", "message", ""),
    Message("2", "message", "é😀"),
    Message("2", "message", "x"),
    Message("2", "message", "last"),
]


@given(st.lists(st.integers(0, len(STREAM.encode())), max_size=12))
def test_events_are_the_same_however_the_bytes_come(cuts: list[int]) -> None:
    reader, data = Reader(), STREAM.encode()
    places = [0, *sorted(cuts), len(data)]
    found = [m for a, b in pairwise(places) for m in reader.feed(data[a:b])]
    assert found == MESSAGES
    assert reader.retry_s == 1.5


@given(st.binary())
def test_any_bytes_are_read(data: bytes) -> None:
    for message in Reader().feed(data):
        assert "\0" not in message.id


def test_an_event_without_end_is_refused() -> None:
    reader = Reader()
    line = b"data: " + b"x" * 20_000 + b"\n"
    with pytest.raises(AnswerError, match="more than"):
        list(chain.from_iterable(reader.feed(line) for _ in range(100)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    at: datetime
    size: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    words: tuple[str, ...] = field(default_factory=tuple)
    count: int | None = None


MOMENT = "2026-01-15T10:35:00Z"


def test_known_fields_are_read_and_others_left_out() -> None:
    document = {"name": "x", "inner": {"at": MOMENT, "size": 2}, "many": [{"at": MOMENT}], "new": [{}]}
    inner = Inner(at=datetime(2026, 1, 15, 10, 35, tzinfo=UTC), size=2.0)
    found = read(Outer, document)
    assert found == Outer(name="x", inner=inner, many=(Inner(at=inner.at),))
    assert found.inner is not None
    assert isinstance(found.inner.size, float)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "found no name in the answer"),
        ({"name": 3}, "name: found int, expected <class 'str'>"),
        ({"name": None}, "name: found NoneType"),
        ({"name": "x", "count": "3"}, "count: found str"),
        ({"name": "x", "inner": {}}, "found no at in inner"),
        ({"name": "x", "inner": {"at": "soon"}}, "inner.at: found str, expected a moment"),
        ({"name": "x", "inner": {"at": MOMENT, "size": True}}, "inner.size: found bool"),
        ({"name": "x", "many": [{"at": MOMENT}, 3]}, "many.1: found int"),
        ({"name": "x", "words": "x"}, "words: found str"),
        ([], "the answer: found list"),
    ],
)
def test_what_is_no_such_document_is_named(document: Any, said: str) -> None:
    with pytest.raises(AnswerError) as caught:
        read(Outer, document)
    assert str(caught.value).startswith(said)


def test_errors_cross_to_other_processes() -> None:
    error = RefusedError(402, {"error_code": "COST_LIMIT_EXCEEDED", "message": "dear"}, 3)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # its own, as multiprocessing does it
    assert (type(again), str(again), again.retry_after_s) == (RefusedError, str(error), 3)
