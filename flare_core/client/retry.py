"""When a request is sent again, and how long to wait before that."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Final

import httpx

from flare_core.client.errors import ApiError, ClientError, UnreachableError

_AGAIN: Final = frozenset({429, 502, 503, 504})
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_SECOND: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often, and how long.

    Attributes
    ----------
    tries
        How often a request is sent at most; 1 is never again.
    first_s, longest_s
        The wait before the second try is random, up to `first_s`; it doubles with each one, up to
        `longest_s`. A gateway that asks for a longer one gets none: its refusal is raised.
    jitter
        A random number from 0 to 1.
    """

    tries: int = 5
    first_s: float = 0.2
    longest_s: float = 30.0
    jitter: Callable[[], float] = field(default_factory=lambda: SystemRandom().random)

    def wait_s(self, error: ClientError, tried: int, *, repeatable: bool) -> float | None:
        """Return how long to wait before a request is sent again; None is never.

        Parameters
        ----------
        tried
            How often it was sent.
        repeatable
            Whether to do it twice is the same as once.
        """
        if tried >= self.tries or not _may(error, repeatable):
            return None
        asked = error.retry_after_s if isinstance(error, ApiError) else None
        backoff = self.jitter() * min(self.longest_s, self.first_s * 2.0 ** (tried - 1))
        if asked is None:
            return backoff
        # Those who were told the same moment must not all come at it.
        return asked + self.jitter() * _SECOND if asked <= self.longest_s else None


def _may(error: ClientError, repeatable: bool) -> bool:
    if isinstance(error, UnreachableError):
        return repeatable or isinstance(error.__cause__, _NOT_SENT)
    if not isinstance(error, ApiError) or error.code == "QUOTA_EXCEEDED":
        return False
    if error.status == 429:
        return True  # refused before anything was done
    in_flight = error.status == 409 and error.retry_after_s is not None
    return repeatable and (error.status in _AGAIN or in_flight)
