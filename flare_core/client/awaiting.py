"""The client that awaits; what each method does stands at its twin's in `FlareClient`."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

import httpx

from flare_core.client.core import Core, Given, defaults
from flare_core.client.retry import Retry
from flare_core.client.types import (
    Document,
    Event,
    Gpus,
    Holder,
    Intent,
    NewToken,
    Page,
    Revoked,
    Submitted,
    Token,
)
from flare_core.client.wires import Awaiting


class AsyncFlareClient:
    """`FlareClient` for asyncio and trio.

    Examples
    --------
    ::

        async with AsyncFlareClient("https://flare.example", token) as flare:
            async for event in flare.events():
                print(event.intent_id, event.status, event.reason)
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        retry: Retry | None = None,
        timeout_s: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        http = httpx.AsyncClient(transport=transport, **defaults(url, token, timeout_s))
        self._core = Core(Awaiting(http), retry or Retry())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._core.close()

    async def submit(self, intent: Given, *, idempotency_key: str | None = None) -> Submitted:
        """Submit an intent, once, however often it must be sent."""
        return await self._core.submit(intent, idempotency_key)

    async def plan(self, intent: Given) -> Document:
        """Return the plan that an intent would get now; nothing is kept of it."""
        return await self._core.plan(intent)

    async def get(self, intent_id: str) -> Intent:
        """Return an intent and what has become of it."""
        return await self._core.get(intent_id)

    async def page(
        self,
        *,
        status: str | None = None,
        name: str | None = None,
        user: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Return up to `limit` (1 to 100) intents, newest first; of another user it takes ``admin:*``."""
        return await self._core.page(status=status, name=name, user_id=user, limit=limit, cursor=cursor)

    def intents(
        self, *, status: str | None = None, name: str | None = None, user: str | None = None
    ) -> AsyncIterator[Intent]:
        """Yield all intents, newest first, page by page."""
        return self._core.each(status=status, name=name, user_id=user)

    async def cancel(self, intent_id: str, *, version: int | None = None) -> Intent:
        """Cancel an intent; a second time changes nothing."""
        return await self._core.cancel(intent_id, version)

    async def accept(self, intent_id: str, token: str, *, version: int | None = None) -> Intent:
        """Accept an offer of negotiation, by its token."""
        return await self._core.accept(intent_id, token, version)

    async def explanation(self, intent_id: str) -> Document:
        """Return why an intent is where it is, or why it is not placed."""
        return await self._core.explanation(intent_id)

    async def wait(self, intent_id: str, *, timeout_s: float | None = None) -> Intent:
        """Return an intent once it runs, has ended or has an offer to accept, or when the time is up."""
        return await self._core.wait(intent_id, timeout_s)

    def events(self, intent_id: str | None = None, *, after: str | None = None) -> AsyncIterator[Event]:
        """Yield what happens: to an intent until its end, or to all of the user's from now on."""
        return self._core.events(intent_id, after)

    async def resources(
        self, *, model: str | None = None, provider: str | None = None, location: str | None = None
    ) -> tuple[Gpus, ...]:
        """Return what is free now."""
        return await self._core.resources(model=model, provider=provider, location=location)

    async def create_token(
        self,
        name: str,
        *,
        expires_in: str | None = None,
        permissions: Sequence[str] | None = None,
        user: str | None = None,
    ) -> NewToken:
        """Make a token; for another user it takes ``admin:*``."""
        return await self._core.create_token(name, expires_in, permissions, user)

    async def tokens(self, *, user: str | None = None) -> tuple[Token, ...]:
        """Return a user's tokens, oldest first; of another user it takes ``tokens:manage``."""
        return await self._core.tokens(user)

    async def revoke_token(self, token_id: str) -> Revoked:
        """Revoke a token for good."""
        return await self._core.revoke_token(token_id)

    async def verify(self) -> Holder:
        """Return whose token this client has, and what it is good for."""
        return await self._core.verify()
