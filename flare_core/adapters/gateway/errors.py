"""What the gateway refuses on purpose; the adapter of HTTP gives each code its status."""

from enum import StrEnum

from flare_core.errors import ErrorCode


class GatewayCode(StrEnum):
    """The codes that come to those of the API reference."""

    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    CONFLICT = "CONFLICT"
    RATE_LIMITED = "RATE_LIMITED"
    UNAVAILABLE = "UNAVAILABLE"


class GatewayError(Exception):
    """A refusal with its public code.

    Parameters
    ----------
    code
        Public code.
    message
        For the user; never holds SQL, a path, a secret or what belongs to another user.
    retry_after_s
        After how many seconds it may be worth another try; None where nobody can tell.
    """

    def __init__(
        self, code: ErrorCode | GatewayCode, message: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


class NotFoundError(GatewayError):
    """There is no such thing, or it is another user's: the two are not told apart."""

    def __init__(self, what: str) -> None:
        super().__init__(GatewayCode.NOT_FOUND, f"no such {what}")


class ConflictError(GatewayError):
    """The state of things does not allow it now."""

    def __init__(self, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(GatewayCode.CONFLICT, message, retry_after_s=retry_after_s)


class PermissionsError(GatewayError):
    """The token is good, and not for this."""

    def __init__(self, message: str = "Insufficient permissions for this operation") -> None:
        super().__init__(ErrorCode.INSUFFICIENT_PERMISSIONS, message)


class UnavailableError(GatewayError):
    """Not now: the store does not answer (full, locked, damaged, gone), or there is too much to do."""

    def __init__(
        self, message: str = "the store does not answer, try again", *, retry_after_s: int = 1
    ) -> None:
        super().__init__(GatewayCode.UNAVAILABLE, message, retry_after_s=retry_after_s)


class RateLimitedError(GatewayError):
    """Too many requests of one token, or from one address.

    Parameters
    ----------
    wait_s
        When the next one will be admitted, seconds from now.
    """

    def __init__(self, wait_s: int) -> None:
        message = f"too many requests, the next one is admitted in {wait_s} s"
        super().__init__(GatewayCode.RATE_LIMITED, message, retry_after_s=wait_s)
