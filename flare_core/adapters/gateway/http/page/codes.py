"""What each error code means, and what to do about it: for the page and the OpenAPI document."""

from collections.abc import Mapping
from typing import Final

from flare_core.adapters.gateway.errors import GatewayCode
from flare_core.errors import ErrorCode

MEANINGS: Final[Mapping[str, str]] = {
    ErrorCode.INVALID_FORMAT: "The request is not what the API reads; `path` says where, `message` why.",
    ErrorCode.MISSING_REQUIRED_FIELD: "A required field is missing; `path` names it.",
    ErrorCode.INSUFFICIENT_RESOURCES: "No offer has all that is asked; `suggestions` name what would do.",
    ErrorCode.GPU_MODEL_UNAVAILABLE: "Nobody offers this GPU model; try another, or wait.",
    ErrorCode.GPU_MEMORY_INSUFFICIENT: "The GPUs that are offered have less memory than required.",
    ErrorCode.GPU_COUNT_INSUFFICIENT: "No node has so many free GPUs; ask for fewer per task, or wait.",
    ErrorCode.COST_LIMIT_EXCEEDED: "It would cost more than the limit; raise it, or ask for less.",
    ErrorCode.QUOTA_EXCEEDED: "The user holds as much as one may; end something, or ask an administrator.",
    ErrorCode.INVALID_TOKEN: "The token is missing or unknown; check the `Authorization` header.",
    ErrorCode.INSUFFICIENT_PERMISSIONS: "The token is good, but not for this; ask for one that is.",
    ErrorCode.TOKEN_EXPIRED: "The token has expired; create a new one.",
    ErrorCode.TOKEN_REVOKED: "The token was revoked; create a new one.",
    ErrorCode.AUTHENTICATION_FAILED: "The `Authorization` header is not `Bearer flr_…`.",
    ErrorCode.REGION_UNAVAILABLE: "Nothing that fits is offered in this place; choose another.",
    ErrorCode.INTERNAL: "The gateway has failed; its operator finds more under the request's id.",
    GatewayCode.NOT_FOUND: "There is no such thing, or it is another user's.",
    GatewayCode.METHOD_NOT_ALLOWED: "This path has other methods; `Allow` lists them.",
    GatewayCode.PAYLOAD_TOO_LARGE: "The body, or a header, is larger than the gateway reads.",
    GatewayCode.UNSUPPORTED_MEDIA_TYPE: "Bodies are `application/json` in UTF-8.",
    GatewayCode.IDEMPOTENCY_KEY_REUSED: "The `Idempotency-Key` was used with another body; take a new one.",
    GatewayCode.CONFLICT: "It is not in a state for that: it has changed, has ended, or its name is taken.",
    GatewayCode.RATE_LIMITED: "Too many requests; wait as long as `Retry-After` says.",
    GatewayCode.UNAVAILABLE: "The gateway cannot answer now; try again after `Retry-After`.",
}
"""In plain text, code in backticks."""
