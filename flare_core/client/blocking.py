"""The client that blocks."""

from collections.abc import Iterator, Sequence
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
from flare_core.client.wires import Blocking, finished, one_by_one


class FlareClient:
    """A gateway of FLARE, over one or more connections that stay open; safe for threads.

    Every method raises a `ClientError`: an `ApiError` with code, message and suggestions where the gateway
    refuses, `UnreachableError` where it does not answer. What may be sent twice is sent again, after a wait.

    Parameters
    ----------
    url
        Where the gateway is: ``https://flare.example``.
    token
        An API token: ``flr_…``.
    retry
        When requests are sent again.
    timeout_s
        How long to wait for a connection, or for the next bytes, seconds.
    transport
        What carries the requests; for tests and special networks.

    Examples
    --------
    ::

        with FlareClient("https://flare.example", token) as flare:
            submitted = flare.submit(json.loads(Path("intent.json").read_text()))
            intent = flare.wait(submitted.intent_id)
            print(intent.status, intent.workload_url)
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        retry: Retry | None = None,
        timeout_s: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        http = httpx.Client(transport=transport, **defaults(url, token, timeout_s))
        self._core = Core(Blocking(http), retry or Retry())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        finished(self._core.close())

    def submit(self, intent: Given, *, idempotency_key: str | None = None) -> Submitted:
        """Submit an intent, once, however often it must be sent.

        Parameters
        ----------
        intent
            A document, or its JSON text.
        idempotency_key
            By which the gateway knows the same submission again; None makes one for this call.

        Raises
        ------
        RefusedError
            If it cannot be placed; `suggestions` say what would help.
        """
        return finished(self._core.submit(intent, idempotency_key))

    def plan(self, intent: Given) -> Document:
        """Return the plan that an intent would get now; nothing is kept of it."""
        return finished(self._core.plan(intent))

    def get(self, intent_id: str) -> Intent:
        """Return an intent and what has become of it."""
        return finished(self._core.get(intent_id))

    def page(
        self,
        *,
        status: str | None = None,
        name: str | None = None,
        user: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Return up to `limit` (1 to 100) intents, newest first; of another user it takes ``admin:*``."""
        return finished(self._core.page(status=status, name=name, user_id=user, limit=limit, cursor=cursor))

    def intents(
        self, *, status: str | None = None, name: str | None = None, user: str | None = None
    ) -> Iterator[Intent]:
        """Yield all intents, newest first, page by page."""
        return one_by_one(self._core.each(status=status, name=name, user_id=user))

    def cancel(self, intent_id: str, *, version: int | None = None) -> Intent:
        """Cancel an intent; a second time changes nothing.

        Parameters
        ----------
        version
            What the caller has seen: if it has changed since, it is a `ConflictError`.
        """
        return finished(self._core.cancel(intent_id, version))

    def accept(self, intent_id: str, token: str, *, version: int | None = None) -> Intent:
        """Accept an offer of negotiation, by its token."""
        return finished(self._core.accept(intent_id, token, version))

    def explanation(self, intent_id: str) -> Document:
        """Return why an intent is where it is, or why it is not placed."""
        return finished(self._core.explanation(intent_id))

    def wait(self, intent_id: str, *, timeout_s: float | None = None) -> Intent:
        """Return an intent once it runs, has ended or has an offer to accept, or when the time is up."""
        return finished(self._core.wait(intent_id, timeout_s))

    def events(self, intent_id: str | None = None, *, after: str | None = None) -> Iterator[Event]:
        """Yield what happens: to an intent until its end, or to all of the user's from now on.

        A connection that breaks is taken up where it broke.

        Parameters
        ----------
        after
            Id of the last event that is known; None is from the beginning of an intent.
        """
        return one_by_one(self._core.events(intent_id, after))

    def resources(
        self, *, model: str | None = None, provider: str | None = None, location: str | None = None
    ) -> tuple[Gpus, ...]:
        """Return what is free now."""
        return finished(self._core.resources(model=model, provider=provider, location=location))

    def create_token(
        self,
        name: str,
        *,
        expires_in: str | None = None,
        permissions: Sequence[str] | None = None,
        user: str | None = None,
    ) -> NewToken:
        """Make a token; for another user it takes ``admin:*``."""
        return finished(self._core.create_token(name, expires_in, permissions, user))

    def tokens(self, *, user: str | None = None) -> tuple[Token, ...]:
        """Return a user's tokens, oldest first; of another user it takes ``tokens:manage``."""
        return finished(self._core.tokens(user))

    def revoke_token(self, token_id: str) -> Revoked:
        """Revoke a token for good."""
        return finished(self._core.revoke_token(token_id))

    def verify(self) -> Holder:
        """Return whose token this client has, and what it is good for."""
        return finished(self._core.verify())
