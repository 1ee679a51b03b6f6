"""What the clients do, once for both."""

import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from importlib.metadata import version
from typing import Any, Final, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx

from flare_core.client.errors import AnswerError, ClientError, UnreachableError, error_of
from flare_core.client.reading import read
from flare_core.client.retry import Retry
from flare_core.client.sse import Message, Reader
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
from flare_core.client.wires import Wire

T = TypeVar("T")
Given = Mapping[str, Any] | str | bytes
"""An intent: a document, or its JSON text, which is sent as it is."""

_STREAM_S: Final = 45.0  # the gateway says something every 15 s
_POLL_S: Final = (0.1, 2.0)
_SAFE: Final = frozenset({"GET", "DELETE"})
_TYPE: Final = {"Content-Type": "application/json"}


def defaults(url: str, token: str, timeout_s: float) -> dict[str, Any]:
    """Return what a client of httpx is made with.

    Raises
    ------
    ValueError
        If the URL or the token cannot be one.
    """
    base = httpx.URL(url)
    if base.scheme not in ("http", "https") or not base.host or base.userinfo or base.query:
        raise ValueError("the URL of a gateway is like https://flare.example, without user and query")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("a token is a word like flr_…")
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "User-Agent": f"flare-core/{version('flare-core')}",
    }
    return {"base_url": base, "headers": headers, "timeout": timeout_s}


class Core:
    """Every call of the API, over a wire."""

    def __init__(self, wire: Wire, retry: Retry) -> None:
        self._wire = wire
        self._retry = retry

    async def close(self) -> None:
        await self._wire.close()

    # --- intents ---------------------------------------------------------------------------------------

    async def submit(self, intent: Given, idempotency_key: str | None) -> Submitted:
        more = _body(intent) | {"headers": _TYPE | {"Idempotency-Key": idempotency_key or uuid4().hex}}
        return read(Submitted, await self._json("POST", "intents", **more))

    async def plan(self, intent: Given) -> Document:
        # It changes nothing, so it may be asked for again without a key.
        dry = {"params": {"dry_run": "true"}, "headers": _TYPE}
        return await self._json("POST", "intents", repeatable=True, **dry, **_body(intent))

    async def get(self, intent_id: str) -> Intent:
        return read(Intent, await self._json("GET", _intent(intent_id)))

    async def page(self, *, cursor: str | None, limit: int, **filters: str | None) -> Page:
        params = _given(cursor=cursor, limit=str(limit), **filters)
        return read(Page, await self._json("GET", "intents", params=params))

    async def each(self, **filters: str | None) -> AsyncGenerator[Intent, None]:
        cursor: str | None = None
        while True:
            page = await self.page(cursor=cursor, limit=100, **filters)
            for intent in page.intents:
                yield intent
            cursor = page.next_cursor
            if cursor is None:
                return

    async def cancel(self, intent_id: str, version: int | None) -> Intent:
        return read(Intent, await self._json("DELETE", _intent(intent_id), headers=_seen(version)))

    async def accept(self, intent_id: str, token: str, version: int | None) -> Intent:
        body = {"token": token}
        path = f"{_intent(intent_id)}/accept"
        return read(Intent, await self._json("POST", path, json=body, headers=_seen(version)))

    async def explanation(self, intent_id: str) -> Document:
        return await self._json("GET", f"{_intent(intent_id)}/explanation")

    async def wait(self, intent_id: str, timeout_s: float | None) -> Intent:
        pause, most = _POLL_S
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            intent = await self.get(intent_id)
            left = most if end is None else end - time.monotonic()
            if intent.ended or intent.status == "running" or intent.offer is not None or left <= 0:
                return intent
            await self._wire.sleep(min(pause, left))
            pause = min(most, pause * 1.5)

    # --- events ----------------------------------------------------------------------------------------

    async def events(self, intent_id: str | None, after: str | None) -> AsyncGenerator[Event, None]:
        path, last, lost = "events" if intent_id is None else f"{_intent(intent_id)}/events", after, 0
        while True:
            reader, over, heard = Reader(), False, False
            try:
                async with aclosing(self._messages(path, last, reader)) as messages:
                    async for message in messages:
                        last, lost, heard = message.id or last, 0, True
                        event = read(Event, {**_parsed(message.data), "id": message.id})
                        over = intent_id is not None and event.ended
                        yield event
            except httpx.RequestError as error:
                lost += 1
                wait_s = self._retry.wait_s(_unreachable(error), lost, repeatable=True)
                if wait_s is None:
                    raise _unreachable(error) from error
            else:
                if over or await self._nothing_more(intent_id, heard):
                    return
                wait_s = reader.retry_s or self._retry.jitter()
            await self._wire.sleep(wait_s)

    async def _messages(self, path: str, last: str | None, reader: Reader) -> AsyncGenerator[Message, None]:
        headers = {"Accept": "text/event-stream"} | ({} if last is None else {"Last-Event-ID": last})
        timeout = httpx.Timeout(_STREAM_S)
        response = await self._send("GET", path, stream=True, headers=headers, timeout=timeout)
        try:
            async for chunk in self._wire.chunks(response):
                for message in reader.feed(chunk):
                    yield message
        finally:
            await self._wire.end(response)

    async def _nothing_more(self, intent_id: str | None, heard: bool) -> bool:
        """Whether a stream that has ended is not to be opened again."""
        return intent_id is not None and not heard and (await self.get(intent_id)).ended

    # --- resources and tokens --------------------------------------------------------------------------

    async def resources(self, **filters: str | None) -> tuple[Gpus, ...]:
        return _many(Gpus, await self._json("GET", "resources", params=_given(**filters)), "available_gpus")

    async def create_token(
        self, name: str, expires_in: str | None, permissions: Sequence[str] | None, user: str | None
    ) -> NewToken:
        body = {"name": name, "expires_in": expires_in, "user_id": user}
        body = {key: value for key, value in body.items() if value is not None}
        more = {} if permissions is None else {"permissions": list(permissions)}
        return read(NewToken, await self._json("POST", "auth/tokens", json=body | more))

    async def tokens(self, user: str | None) -> tuple[Token, ...]:
        return _many(Token, await self._json("GET", "auth/tokens", params=_given(user_id=user)), "tokens")

    async def revoke_token(self, token_id: str) -> Revoked:
        return read(Revoked, await self._json("DELETE", f"auth/tokens/{_quoted(token_id)}"))

    async def verify(self) -> Holder:
        return read(Holder, await self._json("GET", "auth/verify"))

    # --- one request -----------------------------------------------------------------------------------

    async def _json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        return _parsed((await self._send(method, path, **more)).content)

    async def _send(
        self, method: str, path: str, *, stream: bool = False, repeatable: bool = False, **more: Any
    ) -> httpx.Response:
        """Return a success, however often it takes."""
        request = self._wire.request(method, f"api/v1/{path}", **more)
        once = "if-match" in request.headers  # by itself it would make the second time a conflict
        repeatable |= (method in _SAFE and not once) or "idempotency-key" in request.headers
        tried = 0
        while True:
            tried += 1
            try:
                return await self._once(request, stream=stream)
            except ClientError as error:
                wait_s = self._retry.wait_s(error, tried, repeatable=repeatable)
                if wait_s is None:
                    raise
            await self._wire.sleep(wait_s)

    async def _once(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        try:
            response = await self._wire.send(request, stream=stream)
            if response.is_success:
                return response
            if stream:
                content = b"".join([chunk async for chunk in self._wire.chunks(response)])
                await self._wire.end(response)
                response = httpx.Response(response.status_code, headers=response.headers, content=content)
        except httpx.RequestError as error:
            raise _unreachable(error) from error
        raise error_of(response)


def _unreachable(error: httpx.RequestError) -> UnreachableError:
    made = UnreachableError(f"no answer from the gateway ({type(error).__name__}: {error})")
    made.__cause__ = error
    return made


def _body(intent: Given) -> dict[str, Any]:
    text = intent if isinstance(intent, str | bytes) else json.dumps(intent, allow_nan=False)
    content = text.encode() if isinstance(text, str) else text
    return {"content": content}


def _given(**params: str | None) -> dict[str, str]:
    return {name: value for name, value in params.items() if value is not None}


def _seen(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _intent(intent_id: str) -> str:
    return f"intents/{_quoted(intent_id)}"


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _parsed(text: str | bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AnswerError("found no JSON object in the answer")
    return document


def _many(kind: type[T], document: Mapping[str, Any], name: str) -> tuple[T, ...]:
    listed = document.get(name)
    if not isinstance(listed, list):
        raise AnswerError(f"found no {name} in the answer")
    return tuple(read(kind, each, f"{name}.{i}") for i, each in enumerate(listed))
