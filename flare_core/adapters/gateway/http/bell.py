"""Waiting for what happens in the store: one question for all who wait in this process.

Intents are solved by whichever process gets to them, so news come from the store alone. While somebody
listens, the newest events are read every few milliseconds, and wake those whom they concern.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import select

from flare_core.adapters.gateway.errors import UnavailableError
from flare_core.adapters.gateway.events import newest_event
from flare_core.adapters.gateway.http.lanes import Lane
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.store.tables import events

_EVERY_S: Final = 0.02
_AFTER_TROUBLE_S: Final = 0.5


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
        self._last: int | None = None
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
            if self._task is None or self._task.done():
                self._known.clear()
                self._task = asyncio.create_task(self._ring())
            await self._known.wait()
            yield event
        finally:
            self._listeners[key].discard(event)
            if not self._listeners[key]:
                del self._listeners[key]

    async def _ring(self) -> None:
        """Ask as long as anybody listens."""
        self._last = None
        while self._listeners:
            try:
                for key in await self._lane.run(self._news):
                    for event in self._listeners.get(key, ()):
                        event.set()
            except UnavailableError:
                await asyncio.sleep(_AFTER_TROUBLE_S)
            self._known.set()
            await asyncio.sleep(_EVERY_S)

    def _news(self) -> Iterator[str]:
        """Return the intents and users to whom something has happened since the last time."""
        with self._store.read() as connection:
            if self._last is None:
                self._last = newest_event(connection)
                return iter(())
            query = select(events.c.id, events.c.intent, events.c.user).where(events.c.id > self._last)
            rows = connection.execute(query).all()
        self._last = max((row.id for row in rows), default=self._last)
        return iter({key for row in rows for key in (row.intent, row.user)})

    async def close(self) -> None:
        """Stop asking; listeners are told, since nothing more will come."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for waiting in self._listeners.values():
            for event in waiting:
                event.set()
