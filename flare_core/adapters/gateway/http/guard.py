"""Around every request: an id, bounds on headers, and the headers that every answer has."""

import re
import secrets
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flare_core.adapters.gateway.errors import GatewayCode
from flare_core.adapters.gateway.http.errors import HEADERS_TOO_LARGE, STATUS, Refusal, error_response
from flare_core.errors import ErrorCode

MOST_HEADERS: Final = 100
MOST_HEADER_BYTES: Final = 16 * 1024

_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_ALWAYS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class Guard:
    """Middleware of ASGI that stands before everything that may refuse.

    Parameters
    ----------
    app
        What answers; finds ``scope["state"]["request_id"]``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or refuse headers that are too large or ambiguous."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        scope.setdefault("state", {}).update(request_id=request_id, operation="")
        unread = "content-length" in headers or "transfer-encoding" in headers

        async def reading() -> Message:
            nonlocal unread
            message = await receive()
            unread = unread and message.get("more_body", False)
            return message

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(MutableHeaders(scope=message), request_id)
                if unread and scope["http_version"].startswith("1"):
                    # Whoever is refused before the end of the body shall not go on sending it.
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        refusal = _refusal(headers, scope["http_version"])
        app = self._app if refusal is None else error_response(scope, refusal)
        await app(scope, reading, answering)


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else f"req-{secrets.token_hex(16)}"


def _complete(headers: MutableHeaders, request_id: str) -> None:
    headers["X-Request-ID"] = request_id
    headers["X-Content-Type-Options"] = "nosniff"
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)


def _refusal(headers: Headers, http_version: str) -> Refusal | None:
    size = sum(len(name) + len(value) for name, value in headers.raw)
    if len(headers.raw) > MOST_HEADERS or size > MOST_HEADER_BYTES:
        message = f"expected at most {MOST_HEADERS} headers of {MOST_HEADER_BYTES} bytes together"
        return Refusal(code=GatewayCode.PAYLOAD_TOO_LARGE, message=message, status=HEADERS_TOO_LARGE)
    if "transfer-encoding" not in headers:
        return None
    # A proxy before us may have read another length, and the rest as another request.
    if "content-length" in headers:
        return _ambiguous("found both Content-Length and Transfer-Encoding, expected one of them")
    if http_version == "1.0":  # RFC 9112, section 6.1
        return _ambiguous("found Transfer-Encoding, which HTTP/1.0 does not have")
    return None


def _ambiguous(message: str) -> Refusal:
    return Refusal(code=ErrorCode.INVALID_FORMAT, message=message, status=STATUS[ErrorCode.INVALID_FORMAT])
