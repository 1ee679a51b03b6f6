"""Around every request: an id, bounds on headers, and the headers that every answer has."""

import re
import secrets
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flare_core.adapters.gateway.errors import GatewayCode
from flare_core.adapters.gateway.http.errors import HEADERS_TOO_LARGE, Refusal, error_response

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
        """Answer as the application does, or refuse headers that are too large."""
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

        app = _refuse if _is_too_large(headers) else self._app
        await app(scope, reading, answering)


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else f"req-{secrets.token_hex(16)}"


def _complete(headers: MutableHeaders, request_id: str) -> None:
    headers["X-Request-ID"] = request_id
    headers["X-Content-Type-Options"] = "nosniff"
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)


def _is_too_large(headers: Headers) -> bool:
    size = sum(len(name) + len(value) for name, value in headers.raw)
    return len(headers.raw) > MOST_HEADERS or size > MOST_HEADER_BYTES


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    message = f"expected at most {MOST_HEADERS} headers of {MOST_HEADER_BYTES} bytes together"
    refusal = Refusal(code=GatewayCode.PAYLOAD_TOO_LARGE, message=message, status=HEADERS_TOO_LARGE)
    await error_response(scope, refusal)(scope, receive, send)
