"""Whoever still waits when the server waits no longer is told so."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from starlette.types import Message

from flare_core.adapters.gateway.app import create_app
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.tokens import Permission, mint


def test_a_request_that_the_server_cancels_is_answered(sqlite_url: str) -> None:
    """503, which may be asked again: not the server's own 500."""
    settings, sent = Settings(store_url=sqlite_url), list[Message]()
    app = create_app(settings)

    async def main() -> None:
        async with app.router.lifespan_context(app):
            with app.state.gateway.store.write() as connection:
                own = frozenset({Permission.INTENTS_WRITE})
                token = mint(
                    connection, "ada", "a test's", datetime.now(UTC), permissions=own, settings=settings
                )
            reading = asyncio.Event()

            async def receive() -> Message:
                reading.set()
                await asyncio.Event().wait()  # the body never comes
                raise AssertionError

            async def send(message: Message) -> None:
                sent.append(message)

            headers = {"authorization": f"Bearer {token.secret}", "content-type": "application/json"}
            scope = {
                "type": "http",
                "http_version": "1.1",
                "method": "POST",
                "path": "/api/v1/intents",
                "raw_path": b"/api/v1/intents",
                "query_string": b"",
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
            asking = asyncio.create_task(app(scope, receive, send))
            await reading.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

    asyncio.run(main())
    assert sent[0]["status"] == 503
    assert json.loads(sent[1]["body"])["error_code"] == "UNAVAILABLE"
