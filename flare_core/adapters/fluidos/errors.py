"""What a Kubernetes API server refuses, and what goes wrong on the way to it.

::

    ClusterError                 anything; `temporary` says whether the same request may succeed later
    ├── NotFoundError            404
    │   └── UnservedError        404 for the whole kind: this server does not know it
    ├── DeniedError              401, 403
    ├── ConflictError            409: a stale version, a wrong precondition
    │   └── ExistsError          409: an object of that name is there already
    ├── InvalidError             400, 422: the server will never take this
    ├── ExpiredError             410, also inside a watch that answered 200: list again
    ├── ThrottledError           429, with `retry_after_s`
    ├── UnavailableError         5xx, a time-out, a connection cut: the request may have been carried out
    └── MalformedError           an answer that is none: the request may have been carried out
"""

from typing import ClassVar


class ClusterError(Exception):
    """A request to the API server that came to nothing.

    Parameters
    ----------
    message
        What was asked and what was answered; never holds a body that was sent, a token or a header.
    status
        HTTP status of the answer, None where there was none.
    """

    temporary: ClassVar[bool] = False

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    @property
    def brief(self) -> str:
        """What it comes to, for users: nothing of the cluster's insides."""
        return "the cluster does not answer" if self.status is None else f"the cluster answers {self.status}"


class NotFoundError(ClusterError):
    """There is no such object, or no such kind."""


class UnservedError(NotFoundError):
    """The server does not know the kind."""


class DeniedError(ClusterError):
    """The credentials are not good for this."""


class ConflictError(ClusterError):
    """The object is no longer the one that was read."""


class ExistsError(ConflictError):
    """An object of that name is there already."""


class InvalidError(ClusterError):
    """The server takes no such object."""


class ExpiredError(ClusterError):
    """The version from which to go on is too old: list again."""


class TemporaryError(ClusterError):
    """The same request may succeed later; a write may have been carried out all the same."""

    temporary = True


class ThrottledError(TemporaryError):
    """Too many requests.

    Parameters
    ----------
    retry_after_s
        What the server asks to wait, seconds; 1 where it does not say.
    """

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message, 429)
        self.retry_after_s = retry_after_s


class UnavailableError(TemporaryError):
    """No answer, or one that the server failed to give."""


class MalformedError(TemporaryError):
    """An answer that is no object of the kind that was asked for."""
