"""Submitting, reading, accepting and cancelling intents."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from starlette.responses import Response

from flare_core.adapters.gateway.errors import (
    ConflictError,
    NotFoundError,
    PermissionsError,
    UnavailableError,
)
from flare_core.adapters.gateway.http.answers import Keyed, keep, keyed, replayed, said, told
from flare_core.adapters.gateway.http.bodies import entity_tags, idempotency_key, read_json
from flare_core.adapters.gateway.http.errors import error_response, refused_intent
from flare_core.adapters.gateway.http.models import (
    AcceptOffer,
    IntentPage,
    IntentStatus,
    ListQuery,
    SubmitQuery,
)
from flare_core.adapters.gateway.http.operation import Call
from flare_core.adapters.gateway.http.render import detail_of, status_of, submitted
from flare_core.adapters.gateway.keys import Claim, Outcome
from flare_core.adapters.gateway.life import Record, State, find, history_of, list_intents, withdraw
from flare_core.adapters.gateway.tokens import Permission
from flare_core.errors import OptionsError

_AT_ONCE: Final = 10
_FAILED: Final = frozenset({State.FAILED, State.REFUSED})
_STATES: Final[Mapping[str, frozenset[State]]] = {
    word: frozenset(state for state in State if state.word == word and state is not State.REFUSED)
    for word in sorted({state.word for state in State})
}


async def submit(call: Call) -> Response:
    """Accept an intent durably, and wait a little for its place."""
    text = _text(call.body)
    gateway, token = call.desk.gateway, call.token
    key = idempotency_key(call.request)  # a dry run needs none, but not a wrong one either
    if call.asked(SubmitQuery).dry_run:
        limit_s = call.desk.settings.solve_time_limit_s
        return await call.desk.solver.run(lambda: told(gateway.dry_run(text, limit_s)))
    request = keyed(token.user, key, call.request.scope["path"], call.body)
    done = await call.desk.intake.run(
        partial(
            gateway.submit,
            token.user,
            text,
            key=None if request is None else request.key,
            body_sha256="" if request is None else request.sha256,
        )
    )
    if done.claim is not None and done.claim.outcome is not Outcome.NEW:
        return replayed(done.claim, _place(call, done.claim))
    assert done.record is not None
    return await _concluded(call, request, await _settled(call, done.record))


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        message = f"found a byte that is not UTF-8 at offset {error.start}, expected JSON in UTF-8"
    raise OptionsError("", message)


async def _settled(call: Call, record: Record) -> Record:
    """Wait for the solver as long as a submission may, counted from when it came."""
    if record.state is State.PENDING:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(call.arrived + call.desk.settings.submit_wait_s):
                return await call.desk.bell.settled(record.id)
    return record


async def _concluded(call: Call, request: Keyed | None, record: Record) -> Response:
    """Answer a submission; with a key what is kept, where another request was quicker to say it."""
    if request is None and record.state is State.PENDING:
        return _accepted(call, record, None)  # which asks nothing of the store
    try:
        response, kept = await call.desk.answers.run(partial(_conclude, call, request, record))
    except UnavailableError:
        if request is not None:
            raise  # the key tells what has become of it
        return _accepted(call, record, None)  # it was, and must not be said to be refused
    if kept is None or (kept.status, kept.answer) == (response.status_code, bytes(response.body).decode()):
        return response
    return replayed(kept, _place(call, kept))


def _conclude(call: Call, request: Keyed | None, record: Record) -> tuple[Response, Claim | None]:
    """Return the answer to a submission, and what is kept of it; what is refused disappears with it."""
    gateway, now = call.desk.gateway, call.desk.gateway.clock()
    refused = record.state in _FAILED and record.placement is None and record.error is not None
    response = _refused(call, record) if refused else _accepted(call, record, gateway.offer(record))
    if not refused and request is None:
        return response, None
    with gateway.store.write("withdraw" if refused else "answer") as connection:
        if refused:
            with suppress(NotFoundError):  # another request with the same key was quicker
                withdraw(connection, record.id, now)
        if request is None:
            return response, None
        return response, keep(connection, request, response, now, gateway.settings)


def _refused(call: Call, record: Record) -> Response:
    assert record.error is not None
    return error_response(call.request.scope, refused_intent(record.error))


def _accepted(call: Call, record: Record, offer: Mapping[str, Any] | None) -> Response:
    headers = {"Location": call.url(f"/api/v1/intents/{record.id}")}
    return said(submitted(record, offer), 202 if record.placement is None else 201, headers)


def _place(call: Call, claim: Claim) -> dict[str, str]:
    return {} if claim.intent is None else {"Location": call.url(f"/api/v1/intents/{claim.intent}")}


async def get(call: Call) -> Response:
    """Tell the state of an intent."""
    tags = entity_tags(call.request, "if-none-match") or frozenset()
    return await call.desk.books.run(partial(_told, call, *_asked_for(call), tags=tags))


async def list_own(call: Call) -> Response:
    """List intents."""
    asked, token = call.asked(ListQuery), call.token
    if asked.user_id not in (None, token.user) and not token.may(Permission.ADMIN):
        raise PermissionsError
    return await call.desk.books.run(partial(_page, call, asked))


def _page(call: Call, asked: ListQuery) -> Response:
    """Return a page; a few intents are read at a time, since each may be as large as a body."""
    gateway, cursor = call.desk.gateway, asked.cursor
    shown: list[IntentStatus] = []
    while len(shown) < asked.limit:
        with gateway.store.read() as connection:
            records, cursor = list_intents(
                connection,
                asked.user_id or call.token.user,
                states=asked.status and _STATES[asked.status],
                name=asked.name,
                cursor=cursor,
                limit=min(_AT_ONCE, asked.limit - len(shown)),
            )
        now = gateway.clock()
        shown += [status_of(record, gateway.offer(record), now) for record in records]
        if cursor is None:
            break
    return said(IntentPage(intents=tuple(shown), next_cursor=cursor))


async def cancel(call: Call) -> Response:
    """Cancel an intent; a second time changes nothing."""
    record, expected = await _matched(call)
    await call.desk.books.run(partial(call.desk.gateway.cancel, record.user, record.id, expected))
    return await call.desk.books.run(partial(_told, call, record.id, None, status=202))


async def accept(call: Call) -> Response:
    """Accept an offer of negotiation."""
    longest = call.desk.settings.max_body_bytes
    asked = await call.desk.books.run(partial(read_json, AcceptOffer, call.body, longest))
    record, _ = await _matched(call)
    await call.desk.books.run(partial(call.desk.gateway.accept, record.user, record.id, asked.token))
    return await call.desk.books.run(partial(_told, call, record.id, None))


async def explain(call: Call) -> Response:
    """Tell why an intent is where it is, or why it is not placed."""
    record = await call.desk.books.run(partial(_find, call, *_asked_for(call)))
    return await call.desk.solver.run(lambda: told(call.desk.gateway.explanation(record)))


def _asked_for(call: Call) -> tuple[str, str | None]:
    """Return the intent of the path, and whose it must be; None where whoever asks may see every one."""
    owner = None if call.token.may(Permission.ADMIN) else call.token.user
    return call.request.path_params["intent_id"], owner


async def _matched(call: Call) -> tuple[Record, int | None]:
    """Return the intent of the path, and its version where the client says which it has seen.

    Raises
    ------
    ConflictError
        If it has seen another one.
    """
    record = await call.desk.books.run(partial(_find, call, *_asked_for(call)))
    tags = entity_tags(call.request, "if-match")
    if tags is not None and _tag(record) not in tags:
        raise ConflictError("the intent has changed in the meantime")
    return record, None if tags is None else record.version


def _find(call: Call, intent: str, owner: str | None) -> Record:
    with call.desk.gateway.store.read() as connection:
        return find(connection, intent, owner)


def _told(
    call: Call, intent: str, owner: str | None, status: int = 200, tags: frozenset[str] = frozenset()
) -> Response:
    """Return the state of an intent; nothing of it where the client has seen just this version."""
    gateway = call.desk.gateway
    with gateway.store.read() as connection:
        record, history = find(connection, intent, owner), history_of(connection, intent)
    headers = {"ETag": _tag(record)}
    # What runs costs more by the minute, so that only an intent that does not run can be unchanged.
    if record.state is not State.RUNNING and {_tag(record), f"W/{_tag(record)}"} & tags:
        return Response(status_code=304, headers=headers)
    return said(detail_of(record, gateway.offer(record), history, gateway.clock()), status, headers)


def _tag(record: Record) -> str:
    return f'"{record.version}"'
