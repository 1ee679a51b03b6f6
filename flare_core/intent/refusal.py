"""What pydantic found wrong, told as FLARE tells it: place, finding and way out.

Several findings make one error: the first in the order of the document gives code and path. Values of
fields that may hold credentials are never shown.
"""

import heapq
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from flare_core.errors import ErrorCode, IntentError
from flare_core.intent.fields import Misfit, nearest, one_of
from flare_core.intent.json import Json, dotted, kind
from flare_core.intent.schema import object_fields
from flare_core.quantities import QuantityError

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_Loc = tuple[str | int, ...]

_EXPECTED: Final[Mapping[str, str]] = {
    "bool_type": "true or false",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "int_type": "a whole number",
    "less_than_equal": "{le} or less",
    "model_type": "an object",
    "string_type": "a text",
    "too_short": "{min_length} entry or more",
    "tuple_type": "a list",
}
_SECRET: Final = {("workload", "commands"), ("workload", "env"), ("workload", "secrets")}
MAX_FINDINGS: Final = 100
_SHOWN_PATHS: Final = 8
_SHOWN_TEXT: Final = 80  # characters


class InvalidIntent(IntentError):
    """An intent with one or more things wrong.

    Attributes
    ----------
    errors
        What is wrong, in the order of the document, the first ``MAX_FINDINGS`` of it; this error itself
        speaks for the first.
    found
        How many things are wrong in all.
    """

    def __init__(self, errors: Sequence[IntentError], found: int | None = None) -> None:
        first, *more = errors
        self.found = len(errors) if found is None else found
        message = first.message
        if more:
            paths = ", ".join(error.path for error in more[:_SHOWN_PATHS])
            dots = ", ..." if len(more) > _SHOWN_PATHS else ""
            message = f"{message}; and {self.found - 1} more: {paths}{dots}"
        super().__init__(first.code, first.path, message)
        self.errors = tuple(errors)


def refusal(error: "ValidationError", tree: Json) -> InvalidIntent:
    """Translate a pydantic error.

    Parameters
    ----------
    error
        What validation of the tree raised.
    tree
        The document from the intent's inside.
    """
    positions = _Positions()
    findings = [
        (positions.of(loc, tree), number, loc, details)
        for number, details in enumerate(error.errors(include_url=False, include_input=False))
        if details["type"] != "default_factory_not_called"  # only follows from another finding
        for loc in [_loc(details)]
    ]
    first = heapq.nsmallest(MAX_FINDINGS, findings)  # numbers differ, so that no details are compared
    return InvalidIntent([_finding(loc, details, tree) for _, _, loc, details in first], len(findings))


def _loc(details: "ErrorDetails") -> _Loc:
    cause = details.get("ctx", {}).get("error")
    return details["loc"] + (cause.at if isinstance(cause, Misfit) else ())


def _finding(loc: _Loc, details: "ErrorDetails", tree: Json) -> IntentError:
    context = details.get("ctx", {})
    cause = context.get("error")
    code = ErrorCode.INVALID_FORMAT
    if details["type"] == "missing":
        code, found, expected = ErrorCode.MISSING_REQUIRED_FIELD, "nothing", "this required field"
    elif details["type"] == "extra_forbidden":
        found, expected = "an unknown field", _known_instead(loc)
    elif isinstance(cause, Misfit | QuantityError):
        own = cause.found if isinstance(cause, Misfit) else None
        found, expected = own or _shown(loc, tree), cause.expected
    else:
        found, expected = _shown(loc, tree), _expected(details, context, _value(loc, tree))
    return IntentError(code, dotted(loc), f"found {found}, expected {expected}")


def _expected(details: "ErrorDetails", context: dict[str, Any], value: object) -> str:
    if details["type"] == "literal_error":
        # pydantic writes "'a', 'b' or 'c'"; no name of the schema has a quote in it
        return one_of(value, context["expected"].split("'")[1::2])
    return _EXPECTED.get(details["type"], details["msg"]).format(**context)


def _known_instead(loc: _Loc) -> str:
    """Name the field that was probably meant: alike, or of this very name but elsewhere."""
    name, known = str(loc[-1]), object_fields()
    siblings = known[".".join("*" if isinstance(part, int) else str(part) for part in loc[:-1])]
    if near := nearest(name, siblings):
        return f"a field of the API reference; the nearest is {near!r}"
    elsewhere = [f"{path}.{name}".lstrip(".") for path, names in known.items() if name in names]
    if elsewhere:
        return f"it at {' or '.join(map(repr, elsewhere[:2]))}"
    return f"one of {', '.join(map(repr, siblings))}"


def _shown(loc: _Loc, tree: Json) -> str:
    value = _value(loc, tree)
    secret = loc[:2] in _SECRET or (
        loc[:2] == ("workload", "storage") and "source" in loc and loc[-1] != "type"
    )
    if secret or isinstance(value, bool) or not isinstance(value, str | int | float):
        return kind(value)
    if isinstance(value, str) and len(value) > _SHOWN_TEXT:
        return f"{value[:_SHOWN_TEXT]!r}..."
    return repr(value)


def _value(loc: _Loc, tree: Json) -> Json:
    for part in loc:
        if isinstance(tree, dict):
            tree = tree.get(str(part))
        elif isinstance(tree, list) and isinstance(part, int):
            tree = tree[part]
    return tree


class _Positions:
    """Where in the document paths stand."""

    def __init__(self) -> None:
        self._keys: dict[int, dict[str, int]] = {}  # by identity; the tree outlives this

    def of(self, loc: _Loc, tree: Json) -> tuple[int, ...]:
        """Return the position of each step; what is missing stands at the end of its object."""
        position = []
        for part in loc:
            if isinstance(tree, dict):
                if id(tree) not in self._keys:
                    self._keys[id(tree)] = {key: index for index, key in enumerate(tree)}
                keys = self._keys[id(tree)]
                position.append(keys.get(str(part), len(keys)))
                tree = tree.get(str(part))
            elif isinstance(tree, list) and isinstance(part, int):
                position.append(part)
                tree = tree[part]
        return tuple(position)
