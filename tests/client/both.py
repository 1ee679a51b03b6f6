"""The two clients, driven alike."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from flare_core.client import AsyncFlareClient, FlareClient, Retry

KINDS = ("blocking", "awaiting")
QUICK = Retry(first_s=0.01, longest_s=2.0)


class Driven:
    """A client whose calls are made by name."""

    def __init__(self, client: FlareClient | AsyncFlareClient, runner: asyncio.Runner | None) -> None:
        self.client = client
        self._runner = runner

    def __call__(self, name: str, /, *given: Any, **more: Any) -> Any:
        """Call a method and return what it comes to."""
        result = getattr(self.client, name)(*given, **more)
        return result if self._runner is None else self._runner.run(result)

    def some(self, name: str, count: int | None, /, *given: Any, **more: Any) -> list[Any]:
        """Return the first of what a method yields, or all, and end it."""
        each = getattr(self.client, name)(*given, **more)
        if self._runner is None:
            found = list(islice(each, count))
            each.close()
            return found
        return self._runner.run(_some(each, count))


async def _some(each: AsyncIterator[Any], count: int | None) -> list[Any]:
    found: list[Any] = []
    try:
        while count is None or len(found) < count:
            found.append(await anext(each))
    except StopAsyncIteration:
        pass
    await each.aclose()  # type: ignore[attr-defined]  # they are generators
    return found


@contextmanager
def driven(kind: str, url: str, token: str, retry: Retry = QUICK, **more: Any) -> Iterator[Driven]:
    """Make a client of a kind, and close it."""
    if kind == "blocking":
        with FlareClient(url, token, retry=retry, **more) as client:
            yield Driven(client, None)
        return
    with asyncio.Runner() as runner:
        awaiting = AsyncFlareClient(url, token, retry=retry, **more)
        runner.run(awaiting.__aenter__())
        try:
            yield Driven(awaiting, runner)
        finally:
            runner.run(awaiting.__aexit__(None, None, None))
