"""Merge patches: the examples of RFC 7396, and intents that change."""

import json

import pytest

from flare_core.errors import IntentError
from flare_core.intent import read_intent
from flare_core.intent.patch import merged, patch_of, patched
from tests.worlds import intent

# Appendix A of the RFC: original, patch, result.
RFC = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('["a","b"]', '["c","d"]', '["c","d"]'),
    ('{"a":"b"}', '["c"]', '["c"]'),
    ('{"a":"foo"}', "null", "null"),
    ('{"a":"foo"}', '"bar"', '"bar"'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]


@pytest.mark.parametrize(("original", "patch", "result"), RFC)
def test_the_examples_of_the_standard(original: str, patch: str, result: str) -> None:
    document = json.loads(original)
    assert merged(document, json.loads(patch)) == json.loads(result)
    assert document == json.loads(original)  # a patch changes no document but makes one


def test_a_patched_intent_is_read_like_any() -> None:
    asked = read_intent(intent(constraints__max_hourly_cost="1 EUR"))
    dearer = patched(asked, {"constraints": {"max_hourly_cost": "2 EUR"}})
    assert (dearer.written("constraints.max_hourly_cost"), dearer.constraints.max_hourly_cost) == (
        "2 EUR",
        2_000_000,
    )
    assert asked.constraints.max_hourly_cost == 1_000_000
    with pytest.raises(IntentError) as caught:
        patched(asked, {"constraints": {"max_hourly_cost": "2 USD"}})
    assert caught.value.path == "constraints.max_hourly_cost"


def test_the_other_spelling_of_a_field_goes_where_the_first_is_written() -> None:
    asked = read_intent(intent(constraints__max_network_latency="10ms"))
    patch = patch_of(asked, {"constraints.max_latency_ms": 20})
    assert patched(asked, patch).constraints.max_latency_ms == 20
    assert patch_of(read_intent(intent()), {"constraints.max_latency_ms": 20}) == {
        "constraints": {"max_latency_ms": 20}
    }
