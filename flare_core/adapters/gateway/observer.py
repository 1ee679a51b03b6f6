"""Around every request: one line in the log, one count, one span, all without what the request holds."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flare_core.adapters.gateway.metrics import Metrics
from flare_core.adapters.gateway.spans import Spans

_log = logging.getLogger(__name__)
_TRACE: Final = (b"traceparent", b"tracestate")
_LOST: Final = 499
"""Status of a request whose client went away before the answer began (as nginx has it)."""


class Counted(Protocol):
    """What is needed of a gateway."""

    @property
    def metrics(self) -> Metrics: ...

    @property
    def spans(self) -> Spans: ...


class Observer:
    """Middleware of ASGI that must stand outermost.

    Parameters
    ----------
    app
        What answers. After it has, ``scope["state"]`` tells `operation`, `request_id` and `user`.
    gateway
        Where to count.
    timer
        Seconds of a clock that is never set.
    """

    def __init__(
        self, app: ASGIApp, gateway: Counted, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self._app, self._gateway, self._timer = app, gateway, timer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began, status = self._timer(), _LOST

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        state: Mapping[str, Any] = scope.setdefault("state", {})
        try:
            with self._gateway.spans.span("request", _parent(scope), method=scope["method"]):
                await self._app(scope, receive, noted)
                self._gateway.spans.note(route=state.get("operation", ""), status=status)
        finally:
            self._tell(scope["method"], state, status, self._timer() - began)
        return None

    def _tell(self, method: str, state: Mapping[str, Any], status: int, seconds: float) -> None:
        route = state.get("operation", "")
        self._gateway.metrics.answered(method, route, status, seconds)
        said = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 3)}
        who = {name: state[name] for name in ("request_id", "user") if state.get(name)}
        _log.info("answered", extra=said | who)


def _parent(scope: Scope) -> dict[str, str]:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return {name.decode(): value.decode("latin-1") for name, value in headers if name in _TRACE}
