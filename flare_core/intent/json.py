"""JSON that hides nothing: read strictly, refused before anything else sees it.

The standard parser takes the last of two equal keys, reads ``NaN`` and ``1e999``, and gives up on deep
nesting with a ``RecursionError``. Here all of that is an :class:`~flare_core.errors.IntentError`
(``INVALID_FORMAT``): a document either says one thing or is refused. No message repeats a value.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Final, TypeAlias

from flare_core.errors import ErrorCode, IntentError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_BYTES: Final = 2**20
MAX_DEPTH: Final = 32

_MAX_INT: Final = 2**53  # beyond it a float, and so most JSON readers, no longer counts in ones
_MAX_SHOWN_KEY: Final = 64  # characters
_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKET: Final = re.compile(r"[^\[\]{}]+")


def parse_json(
    text: str | bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, line: int = 1
) -> Json:
    """Read one JSON document.

    Parameters
    ----------
    text
        The document; bytes are UTF-8 without a byte order mark.
    max_bytes
        Largest size in UTF-8.
    max_depth
        Deepest nesting of lists and objects.
    line
        Number of the document's first line, where it is one of JSON Lines.

    Raises
    ------
    IntentError
        ``INVALID_FORMAT``. For a syntax error the message names line and column; for a duplicate key, a
        number that is not finite, an integer beyond ±2**53, a lone surrogate or a NUL character the path
        leads to it.
    """
    document = _decoded(text, max_bytes)
    _check_depth(document, max_depth)
    try:
        tree = json.loads(document, object_pairs_hook=_object, parse_int=_whole)
    except json.JSONDecodeError as error:
        place, reason = f"line {error.lineno + line - 1}, column {error.colno}", error.msg
    else:
        return plain(tree, max_depth=max_depth)
    raise _refusal((), f"text that is no JSON at {place}", f"JSON ({reason})")


def plain(value: object, *, max_depth: int = MAX_DEPTH) -> Json:
    """Return a copy made of plain JSON values, under the same rules as :func:`parse_json`.

    Parameters
    ----------
    value
        Mappings, lists, tuples and scalars as ``json.loads`` returns them or a caller built them.
    max_depth
        Deepest nesting of lists and mappings.
    """
    return _plain(value, (), max_depth)


def dotted(path: Iterable[str | int]) -> str:
    """Write a JSON path as ``workload.ports.0.port``; keys of strangers are escaped and cut short."""
    return ".".join(_segment(str(part)) for part in path)


def kind(value: object) -> str:
    """Name the JSON kind of a value, without showing it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case _:
            return f"a Python {type(value).__name__}"


class _Twice(dict[str, object]):
    """An object of which one key stood twice: the parser does not know where it stands, the walk does."""

    key: str


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) == len(pairs):
        return table
    twice = _Twice(table)
    twice.key = Counter(key for key, _ in pairs).most_common(1)[0][0]
    return twice


def _whole(digits: str) -> int:
    # Twenty characters are beyond 2**53 already; Python would refuse to convert some thousands.
    return int(digits[:20])


def _decoded(text: str | bytes, max_bytes: int) -> str:
    if _size(text) > max_bytes:
        raise _refusal((), "a larger document", f"at most {max_bytes} bytes")
    document = _utf8(text) if isinstance(text, bytes) else text
    if document.startswith("\ufeff"):
        raise _refusal((), "a byte order mark", "JSON in UTF-8 without one")
    return document


def _size(text: str | bytes) -> int:
    if isinstance(text, bytes) or text.isascii():
        return len(text)
    return len(text.encode("utf-8", "surrogatepass"))  # lone surrogates are refused later, with their path


def _utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        offset = error.start
    raise _refusal((), f"a byte that is not UTF-8 at offset {offset}", "JSON in UTF-8")


def _check_depth(document: str, max_depth: int) -> None:
    if document.count("[") + document.count("{") <= max_depth:
        return
    brackets = _NO_BRACKET.sub("", _STRING.sub("", document))
    if max(accumulate(1 if bracket in "[{" else -1 for bracket in brackets), default=0) > max_depth:
        raise _refusal(
            (), f"lists and objects nested deeper than {max_depth}", f"a depth of {max_depth} at most"
        )


def _plain(value: object, path: tuple[str | int, ...], room: int) -> Json:
    match value:
        case str():
            return _text(value, path)
        case None | bool():
            return value
        case int():
            if abs(value) > _MAX_INT:
                raise _refusal(path, "an integer beyond 2**53", "a number that JSON readers agree on")
            return int(value)
        case float():
            if not math.isfinite(value):
                raise _refusal(path, "a number that is not finite", "a finite number")
            return float(value)
        case Mapping() | list() | tuple():
            if room == 0:
                raise _refusal(path[:8], "lists and objects in one another", "fewer levels of them")
            return _container(value, path, room - 1)
        case _:
            raise _refusal(path, kind(value), "a JSON value")


def _container(
    value: Mapping[object, object] | list[object] | tuple[object, ...], path: tuple[str | int, ...], room: int
) -> Json:
    if not isinstance(value, Mapping):
        return [_plain(item, (*path, index), room) for index, item in enumerate(value)]
    if isinstance(value, _Twice):
        raise _refusal((*path, value.key), "this key twice in one object", "it once")
    return {_key(key, path): _plain(item, (*path, str(key)), room) for key, item in value.items()}


def _key(key: object, path: tuple[str | int, ...]) -> str:
    if not isinstance(key, str):
        raise _refusal(path, f"a key that is {kind(key)}", "a text")
    return _text(key, path)


def _text(text: str, path: tuple[str | int, ...]) -> str:
    if "\0" in text:
        raise _refusal(path, "a text with a NUL character", "a text without")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise _refusal(path, "a text with a lone surrogate", "a text of Unicode characters")
    return str.__str__(text)  # a subclass, such as an enum's member, becomes what it says


def _segment(key: str) -> str:
    if len(key) > _MAX_SHOWN_KEY:
        key = f"{key[:_MAX_SHOWN_KEY]}..."
    return key if key.isprintable() else repr(key)[1:-1]


def _refusal(path: tuple[str | int, ...], found: str, expected: str) -> IntentError:
    return IntentError(ErrorCode.INVALID_FORMAT, dotted(path), f"found {found}, expected {expected}")
