"""A client of the gateway's REST API, blocking or awaiting; needs the extra ``client``.

::

    blocking, awaiting   FlareClient, AsyncFlareClient: the calls
    core                 what they do, once for both
    wires                httpx, awaited or not
    retry                when a request is sent again
    sse                  events from bytes
    reading              JSON into dataclasses
    types, errors        what comes back, what is raised
"""

from flare_core.client.awaiting import AsyncFlareClient
from flare_core.client.blocking import FlareClient
from flare_core.client.errors import (
    AnswerError,
    ApiError,
    AuthenticationError,
    ClientError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionsError,
    QuotaError,
    RateLimitedError,
    RefusedError,
    ServerError,
    UnavailableError,
    UnreachableError,
)
from flare_core.client.retry import Retry
from flare_core.client.types import (
    Assignment,
    Estimates,
    Event,
    GpuAllocation,
    Gpus,
    Holder,
    Intent,
    NewToken,
    Offer,
    Page,
    Revoked,
    Submitted,
    Token,
    Transition,
    Workload,
)

__all__ = [
    "AnswerError",
    "ApiError",
    "Assignment",
    "AsyncFlareClient",
    "AuthenticationError",
    "ClientError",
    "ConflictError",
    "Estimates",
    "Event",
    "FlareClient",
    "GpuAllocation",
    "Gpus",
    "Holder",
    "Intent",
    "InvalidRequestError",
    "NewToken",
    "NotFoundError",
    "Offer",
    "Page",
    "PermissionsError",
    "QuotaError",
    "RateLimitedError",
    "RefusedError",
    "Retry",
    "Revoked",
    "ServerError",
    "Submitted",
    "Token",
    "Transition",
    "UnavailableError",
    "UnreachableError",
    "Workload",
]
