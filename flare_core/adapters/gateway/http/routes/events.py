"""What happens to intents, as server-sent events: in order, each once, to be taken up where it broke off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from flare_core.adapters.gateway.errors import UnavailableError
from flare_core.adapters.gateway.events import Event, events_after, newest_event
from flare_core.adapters.gateway.http.auth import bearer
from flare_core.adapters.gateway.http.desk import MOST_STREAMS
from flare_core.adapters.gateway.http.models import EventData
from flare_core.adapters.gateway.http.operation import Call
from flare_core.adapters.gateway.life import find
from flare_core.adapters.gateway.tokens import Permission, TokenError, verify
from flare_core.errors import OptionsError, found_expected

_AT_ONCE: Final = 100
_CHECK_S: Final = 1.0  # a token that was revoked ends its streams within this
_PING_S: Final = 15
_SEND_S: Final = 30.0
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class _Watch:
    """What a stream tells: everything of a user, or one intent of theirs."""

    user: str
    intent: str | None
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _News:
    events: tuple[Event, ...]
    over: bool


async def of_user(call: Call) -> Response:
    """Tell what happens to a user's intents from now on, or from where it broke off."""
    last = _last_seen(call)
    watch = _Watch(call.token.user, None, bearer(call.request.headers))
    if last is None:
        last = await call.desk.books.run(partial(_newest, call))
    return _streamed(call, watch, last)


async def of_intent(call: Call) -> Response:
    """Tell everything that happens to an intent until its end; 204 where nothing more will come."""
    intent = call.request.path_params["intent_id"]
    owner = None if call.token.may(Permission.ADMIN) else call.token.user
    user = await call.desk.books.run(partial(_owner, call, intent, owner))
    watch, last = _Watch(user, intent, bearer(call.request.headers)), _last_seen(call) or 0
    if last:
        news = await call.desk.books.run(partial(_news, call, watch, last))
        if news.over and not news.events:
            return Response(status_code=204)  # which ends the reconnecting of browsers
    return _streamed(call, watch, last)


def _last_seen(call: Call) -> int | None:
    given = call.request.headers.getlist("last-event-id")
    if not given:
        return None
    text = given[0]
    digits = text.isdecimal() and text.isascii() and len(text) < 20
    if len(given) > 1 or not digits or int(text) > _LARGEST:
        raise OptionsError("Last-Event-ID", found_expected(text, "the id of an event"))
    return int(text)


def _streamed(call: Call, watch: _Watch, last: int) -> Response:
    if call.desk.streams >= MOST_STREAMS:
        raise UnavailableError("there are too many event streams, try again", retry_after_s=5)
    return EventSourceResponse(
        _events(call, watch, last),
        ping=_PING_S,
        sep="\n",
        ping_message_factory=lambda: ServerSentEvent(comment="ping", sep="\n"),
        send_timeout=_SEND_S,
    )


async def _events(call: Call, watch: _Watch, last: int) -> AsyncIterator[ServerSentEvent]:
    desk = call.desk
    desk.streams += 1
    try:
        async with desk.bell.listening(watch.intent or watch.user) as rung:
            while not desk.closing.is_set():
                rung.clear()
                news = await desk.books.run(partial(_news, call, watch, last))
                for event in news.events:
                    yield _sent(event)
                    last = event.id
                if news.over and not news.events:
                    return
                if not news.events:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(rung.wait(), _CHECK_S)
    except (TokenError, UnavailableError):
        return  # the client asks again, and is told why
    finally:
        desk.streams -= 1


def _news(call: Call, watch: _Watch, last: int) -> _News:
    """Return what is new to a stream, and whether it is the end; refuses a token that is no longer good."""
    gateway = call.desk.gateway
    with gateway.store.read() as connection:
        verify(connection, watch.secret, gateway.clock())
        events = events_after(connection, watch.user, last, intent=watch.intent, limit=_AT_ONCE)
        over = watch.intent is not None and not find(connection, watch.intent).state.live
    return _News(events, over)


def _sent(event: Event) -> ServerSentEvent:
    data = EventData.model_validate({"intent_id": event.intent, "at": event.at, **event.data})
    return ServerSentEvent(data.model_dump_json(), event=event.kind, id=str(event.id), sep="\n")


def _newest(call: Call) -> int:
    with call.desk.gateway.store.read() as connection:
        return newest_event(connection)


def _owner(call: Call, intent: str, owner: str | None) -> str:
    with call.desk.gateway.store.read() as connection:
        return find(connection, intent, owner).user
