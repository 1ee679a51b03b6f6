"""Waiting for what happens in the store: one question for all who wait in this process.

Intents are solved by whichever process gets to them, so news come from the store alone. While somebody
listens, the newest events are read every few milliseconds, and wake those whom they concern.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import select

from flare_core.adapters.gateway.errors import UnavailableError
from flare_core.adapters.gateway.events import newest_event
from flare_core.adapters.gateway.http.lanes import Lane
from flare_core.adapters.gateway.life import Record, State, record_of
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.store.tables import events, intents

_LOG: Final = logging.getLogger(__name__)
_EVERY_S: Final = 0.02
_AFTER_TROUBLE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class _News:
    """What one look has found: up to which event, whom it concerns, and which intents are settled."""

    last: int
    keys: frozenset[str]
    settled: tuple[Record, ...]


class Bell:
    """Wakes listeners by the id of an intent or of a user.

    Parameters
    ----------
    store
        Where the events are.
    lane
        Whose thread asks.
    """

    def __init__(self, store: Store, lane: Lane) -> None:
        self._store = store
        self._lane = lane
        self._listeners: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._pending: dict[str, set[asyncio.Future[Record]]] = defaultdict(set)
        self._fresh: set[str] = set()
        self._known = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listening(self, key: str) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set when something happens to an intent or a user; whoever waits clears it.

        What happened before the block is not told: ask the store after it has begun.
        """
        event = asyncio.Event()
        self._listeners[key].add(event)
        try:
            self._begin()
            await self._known.wait()
            yield event
        finally:
            self._listeners[key].discard(event)
            if not self._listeners[key]:
                del self._listeners[key]

    async def settled(self, intent: str) -> Record:
        """Return an intent once it is no longer pending; all who wait are looked up together."""
        waiting: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        self._pending[intent].add(waiting)
        self._fresh.add(intent)
        try:
            self._begin()
            return await waiting
        finally:
            self._pending[intent].discard(waiting)
            if not self._pending[intent]:
                del self._pending[intent]

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._known.clear()
            self._task = asyncio.create_task(self._ring())

    async def _ring(self) -> None:
        """Ask as long as anybody listens."""
        last: int | None = None
        while self._listeners or self._pending:
            fresh, self._fresh = self._fresh, set()
            try:
                news = await self._lane.run(partial(self._look, last, fresh, set(self._pending)))
            except Exception as error:  # many wait for this: it goes on whatever happens
                if not isinstance(error, UnavailableError):
                    _LOG.exception("looking for news failed")
                self._fresh |= fresh
                await asyncio.sleep(_AFTER_TROUBLE_S)
                continue
            last = news.last
            self._known.set()
            self._tell(news)
            await asyncio.sleep(_EVERY_S)

    def _look(self, last: int | None, fresh: set[str], pending: set[str]) -> _News:
        """Return what has happened since the last event, and which of those who wait are settled."""
        with self._store.read() as connection:
            if last is None:
                last, keys = newest_event(connection), frozenset[str]()
            else:
                query = select(events.c.id, events.c.intent, events.c.user).where(events.c.id > last)
                rows = connection.execute(query).all()
                last = max((row.id for row in rows), default=last)
                keys = frozenset(key for row in rows for key in (row.intent, row.user))
            # What is fresh may have been settled before anybody listened for it.
            asked = sorted((fresh | keys) & pending)
            found = select(intents).where(intents.c.id.in_(asked), intents.c.state != State.PENDING)
            return _News(last, keys, tuple(map(record_of, connection.execute(found))) if asked else ())

    def _tell(self, news: _News) -> None:
        for key in news.keys:
            for event in self._listeners.get(key, ()):
                event.set()
        for record in news.settled:
            for waiting in self._pending.get(record.id, ()):
                if not waiting.done():
                    waiting.set_result(record)

    async def close(self) -> None:
        """Stop asking; listeners are told, since nothing more will come."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for waiting in self._listeners.values():
            for event in waiting:
                event.set()
