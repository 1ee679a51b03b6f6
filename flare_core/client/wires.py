"""What carries requests: httpx, waiting by awaiting or by blocking.

`Blocking` has the methods of `Awaiting` but none of them ever suspends. So one and the same code serves both,
and `finished` runs it to its end without an event loop.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

import anyio
import httpx

T = TypeVar("T")


class Wire(Protocol):
    """What the calls need of a client of HTTP."""

    def request(self, method: str, path: str, **more: Any) -> httpx.Request:
        """Return a request to the gateway."""
        ...

    async def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        """Return the answer; with `stream` before its body has come."""
        ...

    def chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        ...

    async def end(self, response: httpx.Response) -> None:
        """Read no further."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Awaiting:
    """The wire of the asynchronous client."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    def request(self, method: str, path: str, **more: Any) -> httpx.Request:
        return self._http.build_request(method, path, **more)

    async def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        return await self._http.send(request, stream=stream)

    def chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        return response.aiter_bytes()

    async def end(self, response: httpx.Response) -> None:
        await response.aclose()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    async def close(self) -> None:
        await self._http.aclose()


class Blocking:
    """The wire of the blocking client."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def request(self, method: str, path: str, **more: Any) -> httpx.Request:
        return self._http.build_request(method, path, **more)

    async def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        return self._http.send(request, stream=stream)

    async def chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        for chunk in response.iter_bytes():
            yield chunk

    async def end(self, response: httpx.Response) -> None:
        response.close()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def close(self) -> None:
        self._http.close()


def finished(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine that never suspends comes to."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise AssertionError("the wire of a blocking client has suspended")


def one_by_one(each: AsyncGenerator[T, None]) -> Iterator[T]:
    """Yield what an asynchronous generator yields that never suspends."""
    try:
        while True:
            try:
                yield finished(each.__anext__())
            except StopAsyncIteration:
                return
    finally:
        finished(each.aclose())
