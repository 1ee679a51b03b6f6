"""Everything that the client raises on purpose, in one tree.

::

    ClientError
    ├── UnreachableError        nobody answered: down, cut off, too slow
    ├── AnswerError             what answered is no gateway of FLARE
    └── ApiError                the gateway refused: status, code, message, suggestions, request id
        ├── InvalidRequestError     400, 405, 412, 413, 415, 422: the request is wrong
        ├── AuthenticationError     401: no token, or none that is good
        ├── PermissionsError        403: the token is not good for this
        ├── NotFoundError           404: there is none, or it is another user's
        ├── ConflictError           409: the state of things does not allow it
        ├── RefusedError            402, 409: the intent cannot be placed; `suggestions` say what would help
        ├── QuotaError              429: the user has as much as one user may
        ├── RateLimitedError        429: too often
        ├── UnavailableError        503: not now
        └── ServerError             any other 5xx: a bug of the gateway
"""

from collections.abc import Mapping
from typing import Any, Final

import httpx


class ClientError(Exception):
    """Anything that the client raises on purpose."""


class UnreachableError(ClientError):
    """Nobody answered; what was asked may have been done or not."""


class AnswerError(ClientError):
    """The answer is none that the API promises."""


class ApiError(ClientError):
    """The gateway refused.

    Attributes
    ----------
    status
        Status of HTTP.
    code
        Public error code, such as ``GPU_MODEL_UNAVAILABLE``.
    message
        What is wrong, in words.
    path
        Where in the request, as a JSON path; None where that is not said.
    suggestions, conflicts
        What would help, and the smallest sets of the intent's own constraints that rule everything out.
    request_id
        By which the gateway's logs tell the request.
    retry_after_s
        After how many seconds another try may help; None where that is not said.
    """

    def __init__(self, status: int, document: Mapping[str, Any], retry_after_s: int | None = None) -> None:
        self.status = status
        self.code = str(document.get("error_code") or document.get("code"))
        self.message = str(document.get("message", ""))
        self.path: str | None = document.get("path")
        self.suggestions: tuple[Mapping[str, Any], ...] = tuple(document.get("suggestions") or ())
        self.conflicts: tuple[tuple[str, ...], ...] = tuple(map(tuple, document.get("conflicts") or ()))
        self.request_id: str | None = document.get("request_id")
        self.retry_after_s = retry_after_s
        self.document = document
        super().__init__(f"{self.code}: {self.message}")

    def __reduce__(self) -> tuple[object, ...]:
        """Cross a process boundary whole."""
        return type(self), (self.status, self.document, self.retry_after_s)


class InvalidRequestError(ApiError):
    """The request is wrong, and stays so."""


class AuthenticationError(ApiError):
    """There is no token, or none that is good."""


class PermissionsError(ApiError):
    """The token is good, and not for this."""


class NotFoundError(ApiError):
    """There is no such thing, or it is another user's."""


class ConflictError(ApiError):
    """The state of things does not allow it."""


class RefusedError(ApiError):
    """The intent cannot be placed."""


class QuotaError(ApiError):
    """The user has as much as one user may."""


class RateLimitedError(ApiError):
    """Too many requests in too short a time."""


class UnavailableError(ApiError):
    """The gateway cannot do it now."""


class ServerError(ApiError):
    """The gateway failed: a bug."""


_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    401: AuthenticationError,
    402: RefusedError,
    403: PermissionsError,
    404: NotFoundError,
    409: RefusedError,
    429: RateLimitedError,
    503: UnavailableError,
}
_BY_CODE: Final[Mapping[str, type[ApiError]]] = {"CONFLICT": ConflictError, "QUOTA_EXCEEDED": QuotaError}


def error_of(response: httpx.Response) -> ApiError | AnswerError:
    """Return what an answer that is no success means."""
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict) or not (document.get("error_code") or document.get("code")):
        return AnswerError(f"found status {response.status_code} without an error code of FLARE")
    told = response.headers.get("retry-after", "")
    general = ServerError if response.status_code >= 500 else InvalidRequestError
    code = str(document.get("error_code") or document.get("code"))
    kind = _BY_CODE.get(code) or _BY_STATUS.get(response.status_code, general)
    return kind(response.status_code, document, int(told) if told.isdecimal() else None)
