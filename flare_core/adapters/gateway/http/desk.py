"""What all requests of one process share: the gateway, threads to ask it in, limits, and news."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from flare_core.adapters.gateway.errors import RateLimitedError, UnavailableError
from flare_core.adapters.gateway.http.auth import Addresses
from flare_core.adapters.gateway.http.bell import Bell
from flare_core.adapters.gateway.http.lanes import BUSY, Lane
from flare_core.adapters.gateway.http.rates import Rates
from flare_core.adapters.gateway.service import Gateway
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store.rows import sha256
from flare_core.adapters.gateway.tokens import Token, TokenError, is_stale, touch, verify

_QUEUE_S = 0.5
_INTAKE = 64  # what the gateway accepts in one transaction
_MOST_WAITING = 128
_SOLVERS = 4
_ANSWERS = 2
_OWN_CONNECTIONS = _ANSWERS + 3  # of those who listen, of the driver and of the follower
_MOST_THROTTLED = 1000
MOST_STREAMS = 200


class Desk:
    """What requests share; made inside of the event loop, for a gateway that has been started.

    Attributes
    ----------
    openapi
        The OpenAPI document as JSON, for the path below which clients find the gateway.
    books
        For what asks the store: short.
    intake
        For submissions: they wait for each other, to be written together.
    answers
        For what is left to do once something was accepted: it does not wait behind what is not yet.
    solver
        For what waits for the solver: a few at a time, the others are sent away.
    streams
        How many event streams are open.
    """

    def __init__(self, gateway: Gateway, openapi: Callable[[str], bytes]) -> None:
        settings = gateway.settings
        self.gateway = gateway
        self.openapi = openapi
        self.addresses = Addresses(settings.trusted_proxies)
        self.rates = Rates(gateway.store, gateway.clock)
        self.books = Lane("books", max(1, settings.store_connections - _OWN_CONNECTIONS), _QUEUE_S)
        self.intake = Lane("intake", _INTAKE, _QUEUE_S)
        self.answers = Lane("answers", _ANSWERS, settings.store_wait_s)
        self.solver = Lane("solver", _SOLVERS, _QUEUE_S)
        self._watch = Lane("watch", 1, settings.store_wait_s)
        self.bell = Bell(gateway.store, self._watch)
        self.closing = asyncio.Event()
        self._throttled: dict[str, str] = {}
        self.streams = 0

    @property
    def settings(self) -> Settings:
        """The gateway's settings."""
        return self.gateway.settings

    def give_way(self) -> None:
        """Refuse at once what would only make a long queue longer: changes, so that reading goes on.

        Raises
        ------
        UnavailableError
            If many wait already.
        """
        if self.books.waiting >= _MOST_WAITING:
            raise UnavailableError(BUSY)

    async def admit(self, secret: str, address: str) -> Token:
        """Return the token of a secret, within the limits of the address and of the token.

        Raises
        ------
        TokenError
            If there is none that is good.
        RateLimitedError
            If there were too many requests, or too many failures from that address.
        """
        # Whoever is throttled shall cost next to nothing: no thread, and no look at the store.
        self.rates.refuse_shut(f"address:{address}", self.settings.per_address)
        digest = sha256(secret)
        if digest in self._throttled:
            self.rates.refuse_shut(f"token:{self._throttled[digest]}", self.settings.per_token)
            del self._throttled[digest]
        return await self.books.run(partial(self._admit, secret, digest, address))

    def _admit(self, secret: str, digest: str, address: str) -> Token:
        settings = self.settings
        self.rates.spend(f"address:{address}", settings.per_address)
        token = self.verified(secret, address)
        try:
            self.rates.spend(f"token:{token.id}", settings.per_token)
        except RateLimitedError:
            if len(self._throttled) < _MOST_THROTTLED:
                self._throttled[digest] = token.id
            raise
        now = self.gateway.clock()
        if is_stale(token, now, settings) and not self.rates.store_is_spared:
            with suppress(UnavailableError), self.gateway.store.note() as connection:
                touch(connection, token, now, settings)
        return token

    def verified(self, secret: str, address: str) -> Token:
        """Return the token of a secret, in a thread; each failure counts against the address."""
        try:
            with self.gateway.store.read() as connection:
                return verify(connection, secret, self.gateway.clock())
        except TokenError:
            self.failed(address)
            raise

    def failed(self, address: str) -> None:
        """Count a failure to authenticate, in a thread.

        Raises
        ------
        RateLimitedError
            If there were too many.
        """
        self.rates.spend(f"failures:{address}", self.settings.failures)

    async def close(self) -> None:
        """End what still listens, and begin nothing more."""
        self.closing.set()
        await self.bell.close()
        for lane in (self.books, self.intake, self.answers, self.solver, self._watch):
            lane.close()
