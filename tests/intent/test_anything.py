"""Whatever comes, it is an intent or an IntentError; and an intent survives its own document."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flare_core.errors import IntentError
from flare_core.intent import field_paths, parse_json, read_intent, read_intents
from tests.intent.documents import EXAMPLES, example, with_value

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["any", "8Gi", "10 EUR", "2h", "1e999", "50ms", "nvidia-h100", "Mon", "9.0", "\ud800", "\0"]
    )
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
PATHS = st.sampled_from([path.replace("*", "0") for path in field_paths()])


def attempt(source: Any) -> None:
    """Read; any other exception than an IntentError is the test's failure."""
    try:
        intent = read_intent(source)
    except IntentError as error:
        told = [error.path, str(error)]
    else:
        told = []
        assert read_intent(intent.to_dict()) == intent
        assert read_intent(json.dumps(intent.to_dict())) == intent
    assert all(text.isprintable() for text in told)


@given(TREES)
def test_any_tree_as_text(tree: object) -> None:
    attempt(json.dumps(tree).encode())


@given(st.dictionaries(st.text(max_size=10), TREES, max_size=4))
def test_any_mapping(tree: dict[str, object]) -> None:
    attempt(tree)
    attempt({"intent": tree})


@given(PATHS, TREES)
def test_any_value_at_any_field(path: str, value: object) -> None:
    attempt(with_value(path, value))


@given(st.sampled_from(EXAMPLES), st.data())
def test_any_change_of_an_example(name: str, data: st.DataObject) -> None:
    document = example(name)
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not (isinstance(place[key], dict | list) and place[key]) or data.draw(st.booleans()):
            break
        place = place[key]
    if data.draw(st.booleans()):
        del place[key]
    else:
        place[key] = data.draw(TREES)
    attempt(document)


@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    attempt(raw)


@given(st.text(alphabet='{}[]",:\\u0d8e19-.+ \n', max_size=60))
def test_any_text_that_looks_like_json(text: str) -> None:
    try:
        tree = parse_json(text)
    except IntentError:
        return
    assert tree == json.loads(text)


@given(st.lists(TREES, max_size=3))
def test_any_list_of_intents(trees: list[object]) -> None:
    for source in (json.dumps(trees), "\n".join(map(json.dumps, trees)).encode()):
        try:
            read_intents(source)
        except IntentError:
            continue
