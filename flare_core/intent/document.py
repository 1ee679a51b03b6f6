"""Reading intents: a path, a JSON text or a mapping in, a validated intent out."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import ValidationError

from flare_core.errors import ErrorCode, IntentError
from flare_core.intent.json import MAX_BYTES, Json, dotted, kind, parse_json, plain
from flare_core.intent.refusal import InvalidIntent, refusal
from flare_core.intent.types import Intent

Source: TypeAlias = str | os.PathLike[str] | bytes | Mapping[str, object]

MAX_INTENTS_BYTES: Final = 64 * MAX_BYTES
"""Largest file of several intents; one intent is at most ``MAX_BYTES``."""

_MAX_PATH: Final = 255
_WRAPPER: Final = re.compile(r"^((?:\d+\.)?)intent(?:\.|$)")


def read_intent(source: Source) -> Intent:
    """Read one intent, ``{"intent": {...}}`` or its inside alone.

    Parameters
    ----------
    source
        A path, the JSON text itself (bytes, or a text that starts with ``{``), or a mapping.

    Raises
    ------
    IntentError
        ``MISSING_REQUIRED_FIELD`` or ``INVALID_FORMAT``. The path is the field's, from the intent's inside;
        empty for what is no JSON; the file's where it cannot be read.
    """
    if isinstance(source, Mapping):
        return _intent(_inside(lambda: plain(source)))
    document = _document(source, MAX_BYTES)
    return _intent(_inside(lambda: parse_json(document)))


def read_intents(source: Source | Sequence[Mapping[str, object]]) -> tuple[Intent, ...]:
    """Read one intent or several: a JSON list, or JSON Lines with one intent on each line.

    Parameters
    ----------
    source
        As for :func:`read_intent`, a text that starts with ``[``, or a sequence of mappings.

    Raises
    ------
    IntentError
        At the first intent that is wrong; the message begins with its line or its number in the list.
    """
    if isinstance(source, Mapping):
        return (read_intent(source),)
    if not isinstance(source, str | bytes | os.PathLike):
        return _entries(source)
    document = _document(source, MAX_INTENTS_BYTES)
    lines = [(number, line) for number, line in enumerate(document.split(b"\n"), 1) if line.strip()]
    if len(lines) > 1 and _stands_alone(lines[0][1]):
        return tuple(_on_line(line, number) for number, line in lines)
    tree = _inside(lambda: parse_json(document, max_bytes=MAX_INTENTS_BYTES))
    return _entries(tree) if isinstance(tree, list) else (_intent(tree),)


def _document(source: str | os.PathLike[str] | bytes, max_bytes: int) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, str) and source.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return source.encode("utf-8", "surrogatepass")
    try:
        with Path(source).open("rb") as file:
            return file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no path"
    path = os.fspath(source)
    shown = path if len(path) <= _MAX_PATH and path.isprintable() else ""
    message = f"found no file that can be read ({reason}), expected a path or a JSON text"
    raise IntentError(ErrorCode.INVALID_FORMAT, shown, message)


def _inside(read: Callable[[], Json]) -> Json:
    """Read, with paths of errors from the intent's inside."""
    try:
        return read()
    except IntentError as error:
        raise IntentError(error.code, _WRAPPER.sub(r"\1", error.path), error.message) from None


def _intent(tree: Json) -> Intent:
    if isinstance(tree, dict) and "intent" in tree:
        strangers = [name for name in tree if name != "intent"]
        if strangers:
            message = "found a field beside 'intent', expected everything inside it"
            raise IntentError(ErrorCode.INVALID_FORMAT, dotted(strangers[:1]), message)
        tree = tree["intent"]
    if not isinstance(tree, dict):
        message = f"found {kind(tree)}, expected an intent, an object with 'objective' and 'workload'"
        raise IntentError(ErrorCode.INVALID_FORMAT, "", message)
    try:
        return Intent.model_validate(tree, context=tree)
    except ValidationError as error:
        wrong = refusal(error, tree)
    raise wrong  # outside the handler, because pydantic's own error holds values that must not be told


def _stands_alone(line: bytes) -> bool:
    try:
        parse_json(line)
    except IntentError:
        return False
    return True


def _on_line(line: bytes, number: int) -> Intent:
    return _counted(f"line {number}", lambda: _intent(_inside(lambda: parse_json(line, line=number))))


def _entries(trees: Sequence[object]) -> tuple[Intent, ...]:
    def entry(tree: object) -> Intent:
        return _intent(_inside(lambda: plain(tree)))

    return tuple(_counted(f"intent {number}", partial(entry, tree)) for number, tree in enumerate(trees, 1))


def _counted(where: str, read: Callable[[], Intent]) -> Intent:
    try:
        return read()
    except IntentError as error:
        errors, found = (error.errors, error.found) if isinstance(error, InvalidIntent) else ((error,), 1)
    located = [IntentError(each.code, each.path, f"{where}: {each.message}") for each in errors]
    raise InvalidIntent(located, found)
