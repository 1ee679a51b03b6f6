"""Threads for what may wait: the event loop only ever passes on what they have found."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

from flare_core.adapters.gateway.errors import UnavailableError

T = TypeVar("T")

BUSY: Final = "there is too much to do at the moment, try again"


class Lane:
    """So many threads for one kind of work; whoever waits too long for one of them is sent away.

    Parameters
    ----------
    name
        Of the threads.
    threads
        How many, at least 1.
    wait_s
        How long to wait for one, seconds.

    Attributes
    ----------
    waiting
        How many wait for a thread.
    """

    def __init__(self, name: str, threads: int, wait_s: float) -> None:
        self._free = asyncio.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads, f"flare-{name}")
        self._wait_s = wait_s
        self.waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Return what the work returns, in a thread.

        Raises
        ------
        UnavailableError
            If there is no thread for it in time, or no more; it is not begun then.
        """
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise UnavailableError(BUSY) from None
        finally:
            self.waiting -= 1
        try:
            running = self._pool.submit(copy_context().run, work)
        except RuntimeError:  # closed in the meantime
            self._free.release()
            raise UnavailableError("the gateway is being stopped") from None
        loop = asyncio.get_running_loop()
        # The thread is taken until the work is done, also where nobody waits for it any more.
        running.add_done_callback(lambda _: _call(loop, self._free.release))
        return await asyncio.wrap_future(running)

    def close(self) -> None:
        """Begin nothing more; what has a thread ends by itself."""
        self._pool.shutdown(wait=False)


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(what)
