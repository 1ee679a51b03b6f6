"""What is refused, as HTTP says it: one status for each code, one body for every client.

Every error holds the keys of both error bodies of the API reference. A client that asks for
``application/problem+json`` gets the members of RFC 9457 beside them.
"""

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Scope

from flare_core.adapters.gateway.errors import GatewayCode, GatewayError
from flare_core.adapters.gateway.http.models import Error, ErrorKeys, Problem
from flare_core.errors import ErrorCode, FlareError

STATUS: Final[Mapping[str, int]] = {
    ErrorCode.INVALID_FORMAT: 400,
    ErrorCode.MISSING_REQUIRED_FIELD: 400,
    ErrorCode.INVALID_TOKEN: 401,
    ErrorCode.TOKEN_EXPIRED: 401,
    ErrorCode.TOKEN_REVOKED: 401,
    ErrorCode.AUTHENTICATION_FAILED: 401,
    ErrorCode.COST_LIMIT_EXCEEDED: 402,
    ErrorCode.INSUFFICIENT_PERMISSIONS: 403,
    GatewayCode.NOT_FOUND: 404,
    GatewayCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.INSUFFICIENT_RESOURCES: 409,
    ErrorCode.GPU_MODEL_UNAVAILABLE: 409,
    ErrorCode.GPU_MEMORY_INSUFFICIENT: 409,
    ErrorCode.GPU_COUNT_INSUFFICIENT: 409,
    ErrorCode.REGION_UNAVAILABLE: 409,
    GatewayCode.CONFLICT: 409,
    GatewayCode.PAYLOAD_TOO_LARGE: 413,
    GatewayCode.UNSUPPORTED_MEDIA_TYPE: 415,
    GatewayCode.IDEMPOTENCY_KEY_REUSED: 422,
    ErrorCode.QUOTA_EXCEEDED: 429,
    GatewayCode.RATE_LIMITED: 429,
    ErrorCode.INTERNAL: 500,
    GatewayCode.UNAVAILABLE: 503,
}
"""The status of each code; headers that are too large are PAYLOAD_TOO_LARGE too, with 431."""
HEADERS_TOO_LARGE: Final = 431

WORDS: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "unauthorized",
    402: "payment_required",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "content_too_large",
    415: "unsupported_media_type",
    422: "unprocessable_content",
    429: "too_many_requests",
    HEADERS_TOO_LARGE: "request_header_fields_too_large",
    500: "internal_server_error",
    503: "service_unavailable",
}
"""The key ``error``; not taken from Python, whose phrases change with its version."""

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
_QUOTA_RETRY_S: Final = 60
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error on its way out; `details` are further keys of the body."""

    code: str
    message: str
    status: int
    path: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal_of(error: Exception, request_id: str) -> Refusal:
    """Return what a client is told of an exception; of one that nobody meant only the request's id."""
    match error:
        case GatewayError(code=code):
            return Refusal(
                code=code, message=error.message, status=STATUS[code], headers=_headers(code, error)
            )
        case FlareError(code=code) if code is not ErrorCode.INTERNAL:
            return Refusal(code=code, message=str(error), status=STATUS[code], path=error.path or None)
        case _:
            _report(error, request_id)
            return Refusal(code=ErrorCode.INTERNAL, message=f"internal error, see {request_id}", status=500)


def refused_intent(error: Mapping[str, Any]) -> Refusal:
    """Return the refusal of an intent that cannot be placed, from the engine's error object."""
    code = str(error["error_code"])
    details = {name: error[name] for name in ("suggestions", "conflicts", "corrections") if name in error}
    headers = _headers(code, None)
    return Refusal(code=code, message=error["message"], status=STATUS[code], details=details, headers=headers)


def body_of(refusal: Refusal, request_id: str) -> str:
    """Return the JSON body of an error."""
    return Error(**_keys(refusal, request_id)).model_dump_json()


def error_response(scope: Scope, refusal: Refusal) -> Response:
    """Return an error in the form that the client asks for."""
    request_id = scope["state"]["request_id"]
    keys = _keys(refusal, request_id)
    body: ErrorKeys = Error(**keys)
    problem = wants_problem(scope)
    if problem:
        body = Problem(
            type=f"{scope.get('root_path', '')}/docs/errors#{refusal.code}",
            title=WORDS[refusal.status].replace("_", " ").capitalize(),
            status=refusal.status,
            detail=refusal.message,
            instance=f"urn:flare:request:{request_id}",
            **keys,
        )
    headers = dict(refusal.headers) | {"Vary": "Accept"}
    return Response(body.model_dump_json(), refusal.status, headers, PROBLEM if problem else JSON)


def wants_problem(scope: Scope) -> bool:
    """Whether ``Accept`` names problem details, and no other JSON before them."""
    weights: dict[str, float] = {}
    for name, value in scope["headers"]:
        if name == b"accept":
            for part in value.decode("latin-1").split(","):
                media, *parameters = (piece.strip().lower() for piece in part.split(";"))
                weights[media] = max(weights.get(media, 0.0), _weight(parameters))
    return weights.get(PROBLEM, 0.0) > 0 and weights[PROBLEM] >= weights.get(JSON, 0.0)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def _keys(refusal: Refusal, request_id: str) -> dict[str, Any]:
    return {
        "error_code": refusal.code,
        "code": refusal.code,
        "error": WORDS[refusal.status],
        "message": refusal.message,
        "request_id": request_id,
        "path": refusal.path,
        **refusal.details,
    }


def _headers(code: str, error: GatewayError | None) -> dict[str, str]:
    if STATUS[code] == 401:
        told = "" if code == ErrorCode.AUTHENTICATION_FAILED else ', error="invalid_token"'
        return {"WWW-Authenticate": f'Bearer realm="flare"{told}'}
    if STATUS[code] == 403:
        return {"WWW-Authenticate": 'Bearer realm="flare", error="insufficient_scope"'}
    wait_s = None if error is None else error.retry_after_s
    if wait_s is None and STATUS[code] in (429, 503):
        wait_s = _QUOTA_RETRY_S if code == ErrorCode.QUOTA_EXCEEDED else 1
    return {} if wait_s is None else {"Retry-After": str(wait_s)}


def _report(error: Exception, request_id: str) -> None:
    """Log where it happened; not its message, which may hold what a user has sent."""
    where = "".join(traceback.format_tb(error.__traceback__))
    told = {"error": type(error).__name__, "request_id": request_id, "where": where}
    _LOG.error("request failed unexpectedly", extra=told)
