"""Everything raised on purpose, in one tree.

::

    FlareError                  code + JSON path + message
    ├── IntentError             an intent that cannot be understood
    ├── InventoryError          an inventory that cannot be read at all
    ├── OptionsError            options or arguments out of range
    ├── NotSupportedError       understood, but this version does not place it
    ├── CancelledError          the caller cancelled the search before it had an answer
    └── InternalError           FLARE contradicts itself: a bug, never an answer

An intent that cannot be placed is an answer (a rejected placement), not an exception.
Programming mistakes stay ``ValueError``, ``TypeError`` and ``assert``.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """The public error codes of the API reference."""

    INVALID_FORMAT = "INVALID_FORMAT"
    MISSING_REQUIRED_FIELD = "MISSING_REQUIRED_FIELD"
    INSUFFICIENT_RESOURCES = "INSUFFICIENT_RESOURCES"
    GPU_MODEL_UNAVAILABLE = "GPU_MODEL_UNAVAILABLE"
    GPU_MEMORY_INSUFFICIENT = "GPU_MEMORY_INSUFFICIENT"
    GPU_COUNT_INSUFFICIENT = "GPU_COUNT_INSUFFICIENT"
    COST_LIMIT_EXCEEDED = "COST_LIMIT_EXCEEDED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    INVALID_TOKEN = "INVALID_TOKEN"
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    TOKEN_REVOKED = "TOKEN_REVOKED"
    AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
    REGION_UNAVAILABLE = "REGION_UNAVAILABLE"
    INTERNAL = "INTERNAL"


class FlareError(Exception):
    """Anything wrong with what the caller gave, and the place where it is wrong.

    Parameters
    ----------
    code
        Public error code.
    path
        JSON path from the document's inside, indices as numbers: ``workload.ports.0.port``.
        For files that are no JSON: ``file:line:column``. Empty where the whole is meant.
    message
        What was found and what was expected.
    """

    def __init__(self, code: ErrorCode, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.code = code
        self.path = path
        self.message = message

    def __reduce__(self) -> tuple[object, ...]:
        """Cross a process boundary whole, whatever a subclass takes to be made."""
        return _rebuilt, (type(self), self.args), self.__dict__


class IntentError(FlareError):
    """An intent that cannot be understood, and the place where reading stopped."""


class InventoryError(FlareError):
    """An inventory of which no offer can be used."""

    def __init__(self, path: str, message: str, code: ErrorCode = ErrorCode.INVALID_FORMAT) -> None:
        super().__init__(code, path, message)


class OptionsError(FlareError):
    """An option or argument that is out of range or contradicts another."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(ErrorCode.INVALID_FORMAT, path, message)


class NotSupportedError(FlareError):
    """A request that is understood but that this version does not place."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(ErrorCode.INVALID_FORMAT, path, f"not supported yet: {message}")


class CancelledError(FlareError):
    """The caller cancelled before anything was known."""

    def __init__(self, message: str = "cancelled before an answer was found") -> None:
        super().__init__(ErrorCode.INTERNAL, "", message)


class InternalError(FlareError):
    """FLARE contradicts itself; never to be read as "no resources"."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.INTERNAL, "", f"internal error: {message}")


def _rebuilt(kind: type[FlareError], args: tuple[object, ...]) -> FlareError:
    error = kind.__new__(kind)
    error.args = args
    return error


def found_expected(found: object, expected: str) -> str:
    """Return the house's standard wording, with long findings cut short.

    >>> found_expected("10 USD", "EUR, such as '10 EUR'")
    "found '10 USD', expected EUR, such as '10 EUR'"
    """
    shown = repr(found)
    return f"found {shown if len(shown) <= 80 else shown[:77] + '...'}, expected {expected}"
