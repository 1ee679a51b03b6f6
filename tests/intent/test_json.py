"""JSON says one thing or is refused."""

import json

import pytest

from flare_core.errors import ErrorCode, IntentError
from flare_core.intent import parse_json
from flare_core.intent.json import dotted, plain

ACCEPTED = {
    "scalar": ("1", 1),
    "text": ('"a"', "a"),
    "null": ("null", None),
    "space-around": (" \t\r\n{} \n", {}),
    "nested": ('{"a":[{"b":[]}]}', {"a": [{"b": []}]}),
    "unicode": ('"h\u00fc\u2603\U0001f600"', "h\u00fc\u2603\U0001f600"),
    "surrogate-pair": (r'"\ud83d\ude00"', "\U0001f600"),
    "escaped-backslash-u": (r'"\\ud800"', r"\ud800"),
    "solidus": (r'"\/\b\f\n\r\t\"\\"', '/\b\f\n\r\t"\\'),
    "brackets-in-text": (json.dumps("[" * 50), "[" * 50),
    "quote-before-brackets": (json.dumps({"a": '\\"' + "{" * 50}), {"a": '\\"' + "{" * 50}),
    "integer-at-the-edge": (f"[{2**53},-{2**53}]", [2**53, -(2**53)]),
    "minus-zero": ("-0", 0),
    "float": ("1.5e-7", 1.5e-7),
    "large-float": ("1e308", 1e308),
    "tiny-float": ("1e-999", 0.0),
    "same-key-in-two-objects": ('[{"a":1},{"a":2}]', [{"a": 1}, {"a": 2}]),
    "keys-that-differ-in-case": ('{"a":1,"A":2}', {"a": 1, "A": 2}),
    "depth-at-the-edge": ("[" * 32 + "]" * 32, None),
    "depth-at-the-edge-and-wide": ("[" + "[" * 31 + "]" * 31 + ",[]" * 40 + "]", None),
    "wide": ("[" + ",".join(["[[]]"] * 1000) + "]", [[[]]] * 1000),
}

REFUSED: dict[str, tuple[str | bytes, str]] = {
    # name: (document, path of the error)
    "empty": ("", ""),
    "only-space": (" \n", ""),
    "trailing-text": ("{} x", ""),
    "two-documents": ("{}{}", ""),
    "trailing-comma-in-object": ('{"a":1,}', ""),
    "trailing-comma-in-list": ("[1,]", ""),
    "leading-comma": ("[,1]", ""),
    "only-comma": ("[,]", ""),
    "no-comma": ("[1 2]", ""),
    "no-colon": ('{"a" 1}', ""),
    "no-value": ('{"a":}', ""),
    "bare-key": ("{a:1}", ""),
    "single-quotes": ("{'a':1}", ""),
    "comment": ("{} // no", ""),
    "block-comment": ("/* no */ {}", ""),
    "unclosed-object": ('{"a":1', ""),
    "unclosed-list": ("[1", ""),
    "unclosed-text": ('"a', ""),
    "closed-twice": ("[]]", ""),
    "mismatched": ("[}", ""),
    "python-true": ("True", ""),
    "undefined": ("undefined", ""),
    "leading-zero": ("01", ""),
    "leading-plus": ("+1", ""),
    "leading-dot": (".5", ""),
    "trailing-dot": ("1.", ""),
    "no-exponent": ("1e", ""),
    "hexadecimal": ("0x1", ""),
    "underscore": ("1_000", ""),
    "fullwidth-digit": ("\uff11", ""),
    "tab-in-text": ('"a\tb"', ""),
    "line-in-text": ('"a\nb"', ""),
    "unknown-escape": (r'"\x41"', ""),
    "short-escape": (r'"\u12"', ""),
    "escape-with-plus": (r'"\u+123"', ""),
    "vertical-tab": ("\v{}", ""),
    "no-break-space": ("\u00a0{}", ""),
    "byte-order-mark": ("\ufeff{}", ""),
    "byte-order-mark-in-bytes": (b"\xef\xbb\xbf{}", ""),
    "utf-16": ('{"a":1}'.encode("utf-16"), ""),
    "utf-16-little-endian": ('{"a":1}'.encode("utf-16-le"), ""),
    "utf-32": ('{"a":1}'.encode("utf-32"), ""),
    "latin-1": ('{"a":"\u00fc"}'.encode("latin-1"), ""),
    "overlong-utf-8": (b'"\xc0\x80"', ""),
    "surrogate-in-utf-8": (b'"\xed\xa0\x80"', ""),
    "cut-utf-8": (b'"\xe2\x98"', ""),
    "raw-nul": ('"\0"', ""),
    "nul-after-the-end": ("{}\0", ""),
    "escaped-nul": (r'{"a":["\u0000"]}', "a.0"),
    "nul-in-key": (r'{"a":{"\u0000":1}}', "a"),
    "lone-high-surrogate": (r'{"a":"\ud800"}', "a"),
    "lone-low-surrogate": (r'["\udc00"]', "0"),
    "surrogates-in-wrong-order": (r'"\ude00\ud83d"', ""),
    "surrogate-in-key": (r'{"\ud800":1}', ""),
    "surrogate-in-a-python-text": ('["\ud800"]', "0"),
    "nan": ('{"a":NaN}', "a"),
    "infinity": ("[Infinity]", "0"),
    "minus-infinity": ("[-Infinity]", "0"),
    "float-beyond-all": ('{"a":{"b":1e999}}', "a.b"),
    "long-float-beyond-all": ("[" + "9" * 400 + ".0]", "0"),
    "integer-beyond-the-edge": (f'{{"a":{2**53 + 1}}}', "a"),
    "negative-integer-beyond-the-edge": (f"[-{2**53 + 1}]", "0"),
    "integer-of-20-digits": ("[10000000000000000000]", "0"),
    "integer-of-5000-digits": ("[" + "1" * 5000 + "]", "0"),
    "duplicate-key": ('{"a":{"count":1,"count":9}}', "a.count"),
    "duplicate-key-in-a-list": ('[0,{"b":1,"c":2,"b":1}]', "1.b"),
    "duplicate-key-by-escape": (r'{"a":1,"\u0061":2}', "a"),
    "duplicate-key-with-equal-value": ('{"a":1,"a":1}', "a"),
    "duplicate-empty-key": ('{"":1,"":2}', ""),
    "duplicate-inside-a-duplicate": ('{"a":{"x":1,"x":2},"a":{"y":1}}', "a"),
    "depth-beyond-the-edge": ("[" * 33 + "]" * 33, ""),
    "depth-of-objects": ('{"a":' * 33 + "1" + "}" * 33, ""),
    "depth-unclosed": ("[" * 100_000, ""),
    "depth-of-objects-unclosed": ('{"a":' * 100_000, ""),
    "depth-after-a-text": ('["\\\\",' + "[" * 40 + "]" * 41, ""),
    "too-large": ('"' + "a" * 2**20 + '"', ""),
    "too-large-in-utf-8": ('"' + "\u2603" * 2**19 + '"', ""),
}


@pytest.mark.parametrize(("text", "value"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_says_one_thing_is_read(text: str, value: object) -> None:
    expected = value if value is not None else json.loads(text)
    assert parse_json(text) == expected
    assert parse_json(text.encode()) == expected


@pytest.mark.parametrize(("text", "path"), REFUSED.values(), ids=REFUSED)
def test_what_hides_something_is_refused(text: str | bytes, path: str) -> None:
    with pytest.raises(IntentError) as caught:
        parse_json(text)
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID_FORMAT, path)
    assert caught.value.message.startswith("found ")
    assert len(str(caught.value)) < 300


def test_enough_documents_are_tried() -> None:
    assert len(REFUSED) >= 60


def test_a_syntax_error_names_line_and_column() -> None:
    with pytest.raises(IntentError, match="line 3, column 8"):
        parse_json('{\n  "a": 1,\n  "b": }')


def test_a_syntax_error_counts_from_the_given_line() -> None:
    with pytest.raises(IntentError, match="line 17, column 6"):
        parse_json('{"a":}', line=17)


def test_size_is_counted_in_bytes_and_bounds_are_arguments() -> None:
    assert parse_json('"ü"', max_bytes=4) == "ü"
    with pytest.raises(IntentError, match="at most 3 bytes"):
        parse_json('"ü"', max_bytes=3)
    assert parse_json("[[]]", max_depth=2) == [[]]
    with pytest.raises(IntentError, match="depth of 1"):
        parse_json("[[]]", max_depth=1)


def test_a_mapping_is_copied_into_plain_values() -> None:
    inner: dict[str, object] = {"b": (1, 2.5, None, True)}
    copy = plain({"a": inner})
    assert copy == {"a": {"b": [1, 2.5, None, True]}}
    inner["b"] = ()
    assert copy == {"a": {"b": [1, 2.5, None, True]}}


CYCLE: dict[str, object] = {}
CYCLE["a"] = CYCLE


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": float("nan")}, "a"),
        ({"a": [float("inf")]}, "a.0"),
        ({"a": 2**53 + 1}, "a"),
        ({"a": "\ud800"}, "a"),
        ({"a": "\0"}, "a"),
        ({"a": {1: 2}}, "a"),
        ({"a": {None: 2}}, "a"),
        ({"a": b"bytes"}, "a"),
        ({"a": {1, 2}}, "a"),
        ({"a": object()}, "a"),
        (CYCLE, "a.a.a.a.a.a.a.a"),
    ],
    ids=[
        *("nan", "infinity", "large-integer", "surrogate", "nul", "number-key", "null-key"),
        *("bytes", "set", "object", "cycle"),
    ],
)
def test_a_mapping_is_judged_as_a_text_is(value: object, path: str) -> None:
    with pytest.raises(IntentError) as caught:
        plain(value)
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID_FORMAT, path)


def test_strange_keys_are_escaped_and_cut_in_paths() -> None:
    assert dotted(("workload", "ports", 0, "port")) == "workload.ports.0.port"
    assert dotted(("a\n\x1b[31m\u2028",)) == r"a\n\x1b[31m\u2028"
    assert len(dotted(("x" * 1000,))) == 67
