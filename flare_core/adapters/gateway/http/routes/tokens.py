"""Making, listing, revoking and verifying tokens."""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection
from starlette.responses import Response

from flare_core.adapters.gateway.errors import GatewayCode
from flare_core.adapters.gateway.http.answers import Keyed, keep, keyed, replayed, said
from flare_core.adapters.gateway.http.bodies import idempotency_key, read_json
from flare_core.adapters.gateway.http.errors import STATUS, Refusal, error_response
from flare_core.adapters.gateway.http.models import (
    CreateToken,
    TokenList,
    TokenRevoked,
    TokensQuery,
    Verified,
)
from flare_core.adapters.gateway.http.operation import Call
from flare_core.adapters.gateway.http.render import permissions_of, token_created, token_info
from flare_core.adapters.gateway.keys import Claim, Outcome, claim
from flare_core.adapters.gateway.tokens import (
    DEFAULT,
    Minted,
    list_tokens,
    read_permissions,
    revoke,
)
from flare_core.adapters.gateway.tokens import create as create_token

T = TypeVar("T")

_SHOWN_ONCE: Final = "a token was made with this Idempotency-Key; it was shown once and is kept nowhere"


async def create(call: Call) -> Response:
    """Make a token; its secret is shown this once."""
    longest = call.desk.settings.max_body_bytes
    asked = await call.desk.books.run(partial(read_json, CreateToken, call.body, longest))
    path = call.request.scope["path"]
    request = keyed(call.token.user, idempotency_key(call.request), path, call.body)

    def work(connection: Connection) -> Minted | Claim:
        known = _known(call, connection, request)
        return known or create_token(
            connection,
            call.token,
            asked.name,
            call.desk.gateway.clock(),
            permissions=DEFAULT if asked.permissions is None else read_permissions(asked.permissions),
            life_s=asked.expires_in,
            user=asked.user_id,
            settings=call.desk.settings,
        )

    made = await _written(call, "token.create", work)
    if isinstance(made, Claim):
        return replayed(made, {})
    location = call.url(f"/api/v1/auth/tokens/{made.token.id}")
    return said(token_created(made), 201, {"Location": location})


def _known(call: Call, connection: Connection, request: Keyed | None) -> Claim | None:
    """Return what became of an earlier request with the key; None where this one is the first.

    What is kept as the answer is a refusal: the secret itself must not be kept, and must not be made twice.
    """
    if request is None:
        return None
    now, settings = call.desk.gateway.clock(), call.desk.settings
    kept = claim(connection, request.user, request.key, request.sha256, now, settings)
    if kept.outcome is not Outcome.NEW:
        return kept
    refusal = Refusal(code=GatewayCode.CONFLICT, message=_SHOWN_ONCE, status=STATUS[GatewayCode.CONFLICT])
    keep(connection, request, error_response(call.request.scope, refusal), now, settings)
    return None


async def list_own(call: Call) -> Response:
    """List tokens, without their secrets."""
    asked, gateway = call.asked(TokensQuery), call.desk.gateway

    def work() -> Response:
        with gateway.store.read() as connection:
            found = list_tokens(connection, call.token, asked.user_id)
        now = gateway.clock()
        return said(TokenList(tokens=tuple(token_info(token, now) for token in found)))

    return await call.desk.books.run(work)


async def end(call: Call) -> Response:
    """Revoke a token."""
    token_id, now = call.request.path_params["token_id"], call.desk.gateway.clock()
    token = await _written(
        call, "token.revoke", lambda connection: revoke(connection, call.token, token_id, now)
    )
    return said(TokenRevoked(token_id=token.id, revoked_at=token.revoked or now))


async def verify(call: Call) -> Response:
    """Tell whose token it is, and what it is good for."""
    token = call.token
    return said(
        Verified(
            user=token.user,
            token_id=token.id,
            permissions=permissions_of(token),
            expires_at=token.expires,
        )
    )


async def _written(call: Call, name: str, work: Callable[[Connection], T]) -> T:
    def transaction() -> T:
        with call.desk.gateway.store.write(name) as connection:
            return work(connection)

    return await call.desk.books.run(transaction)
