"""One request's way: token, permission, query, body, handler; and what is said where it ends early."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flare_core.adapters.gateway.errors import GatewayCode, NotFoundError, UnavailableError
from flare_core.adapters.gateway.http.auth import bearer
from flare_core.adapters.gateway.http.bodies import check_type, read_body, read_query
from flare_core.adapters.gateway.http.desk import Desk
from flare_core.adapters.gateway.http.errors import Refusal, error_response, refusal_of
from flare_core.adapters.gateway.http.operation import Call, Operation
from flare_core.adapters.gateway.tokens import Token, TokenError

_CLIENT_GONE: Final = 400  # nobody reads it


class Dispatch:
    """The operations of one path."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations: Mapping[str, Operation] = {each.method: each for each in operations}
        heads = {"HEAD"} if "GET" in self._operations else set()
        self.allowed = ", ".join(sorted(heads | {*self._operations}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, in any case."""
        request = Request(scope, receive, send)
        try:
            response = await self._answered(request)
        except asyncio.CancelledError:  # whoever serves is being stopped, and waits no longer
            stopped = UnavailableError("the gateway is being stopped, ask again what has become of it")
            await failure(request, stopped)(scope, receive, send)
            raise
        await response(scope, receive, send)

    async def _answered(self, request: Request) -> Response:
        operation = self._operations.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            return not_allowed(request, self.allowed)
        request.scope["state"]["operation"] = operation.id
        try:
            return await _in_time(operation, request)
        except ClientDisconnect:
            return Response(status_code=_CLIENT_GONE)
        except Exception as error:  # answered in the one form of errors, and logged where it is a bug
            return failure(request, error)


async def _in_time(operation: Operation, request: Request) -> Response:
    desk: Desk | None = getattr(request.app.state, "desk", None)
    if desk is None:
        raise UnavailableError("the gateway has not been started, or is being stopped")
    try:
        async with asyncio.timeout(desk.settings.request_timeout_s):
            return await _answer(desk, operation, request)
    except TimeoutError:
        raise UnavailableError("it took too long, try again") from None


async def _answer(desk: Desk, operation: Operation, request: Request) -> Response:
    arrived = asyncio.get_running_loop().time()
    if operation.body is not None:
        desk.give_way()
    token = None if operation.is_open else await _authenticate(desk, request)
    if token is not None:
        request.scope["state"]["user"] = token.user
        if operation.needs is not None:
            token.require(operation.needs)
    query = read_query(operation.query, request)
    body = b""
    if operation.body is not None:
        check_type(request)
        settings = desk.settings
        body = await read_body(request, settings.max_body_bytes, settings.request_timeout_s / 2)
    return await operation.handler(Call(desk, request, query, body, arrived, token))


async def _authenticate(desk: Desk, request: Request) -> Token:
    address = desk.addresses.of(request.scope)
    try:
        secret = bearer(request.headers)
    except TokenError:
        await desk.books.run(partial(desk.failed, address))
        raise
    return await desk.admit(secret, address)


def failure(request: Request, error: Exception) -> Response:
    """Answer what was raised."""
    return error_response(request.scope, refusal_of(error, request.scope["state"]["request_id"]))


def not_allowed(request: Request, allowed: str) -> Response:
    """Answer a method that the path does not have."""
    refusal = Refusal(
        code=GatewayCode.METHOD_NOT_ALLOWED,
        message=f"expected {allowed}",
        status=405,
        headers={"Allow": allowed},
    )
    return error_response(request.scope, refusal)


async def no_such_path(request: Request, _: Exception) -> Response:
    """Answer what the router does not know, with or without a token."""
    return failure(request, NotFoundError("path"))
