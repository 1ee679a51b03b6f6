"""Around a request: a count, a line and a span, whatever becomes of it."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from flare_core.adapters.gateway.metrics import Metrics
from flare_core.adapters.gateway.observer import Observer


@dataclass
class Spans:
    """Remembers what is traced."""

    told: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def span(self, name: str, parent: Mapping[str, str] | None = None, **attributes: Any) -> Any:
        self.told.append({"name": name, "parent": parent, **attributes})
        yield

    def note(self, **attributes: Any) -> None:
        self.told[-1] |= attributes

    def close(self) -> None:
        pass


@dataclass
class Gateway:
    """As much of a gateway as is counted."""

    metrics: Metrics = field(default_factory=Metrics)
    spans: Spans = field(default_factory=Spans)

    def counted(self) -> dict[tuple[str, ...], float]:
        return {
            tuple(sample.labels[name] for name in ("method", "route", "status")): sample.value
            for family in self.metrics.collect()
            for sample in family.samples
            if sample.name == "flare_request_seconds_count"
        }


def ask(gateway: Gateway, app: Any, **scope: Any) -> list[Message]:
    """Send a request through the middleware; return what came back."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    full = {"type": "http", "method": "GET", "path": "/secret", "headers": []} | scope
    ticks = iter((1.0, 1.5))
    asyncio.run(Observer(app, gateway, timer=lambda: next(ticks))(full, receive, send))
    return sent


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    scope["state"] |= {"operation": "getIntent", "request_id": "req-1", "user": "ada"}
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})


def test_an_answer_is_counted_logged_and_traced(caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway()
    caplog.set_level(logging.INFO, "flare_core")
    headers = [(b"authorization", b"Bearer hunter2"), (b"traceparent", b"00-1-2-01")]
    sent = ask(gateway, answering, headers=headers, query_string=b"token=hunter2")
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert gateway.counted() == {("GET", "getIntent", "404"): 1}
    record = caplog.records[0].__dict__
    told = {
        name: record[name] for name in ("message", "method", "route", "status", "ms", "request_id", "user")
    }
    assert told == {
        "message": "answered",
        "method": "GET",
        "route": "getIntent",
        "status": 404,
        "ms": 500.0,
        "request_id": "req-1",
        "user": "ada",
    }
    assert "hunter2" not in str(record)
    assert "secret" not in str(record)
    assert gateway.spans.told == [
        {
            "name": "request",
            "parent": {"traceparent": "00-1-2-01"},
            "method": "GET",
            "route": "getIntent",
            "status": 404,
        }
    ]


def test_what_was_never_answered_is_counted_too(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise ConnectionError("gone")

    gateway = Gateway()
    caplog.set_level(logging.INFO, "flare_core")
    with pytest.raises(ConnectionError):
        ask(gateway, failing)
    assert gateway.counted() == {("GET", "other", "499"): 1}
    assert "request_id" not in caplog.records[0].__dict__


def test_what_is_no_request_passes(caplog: pytest.LogCaptureFixture) -> None:
    async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})

    gateway = Gateway()
    assert ask(gateway, lifespan, type="lifespan") == [{"type": "lifespan.startup.complete"}]
    assert gateway.counted() == {}
    assert gateway.spans.told == []
