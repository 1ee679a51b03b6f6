"""Connections that break, answers that are lost, gateways that ask for patience: done once, told once."""

import time
from typing import Any

import pytest

from flare_core.client import (
    AnswerError,
    ApiError,
    ConflictError,
    QuotaError,
    RateLimitedError,
    Retry,
    ServerError,
    UnavailableError,
    UnreachableError,
)
from tests.cli.worlds import service
from tests.client.both import QUICK, Driven, driven
from tests.client.proxy import PASS, RESET, Cut, Say, between, said
from tests.gateway.ops.served import Served


def refusal(code: str) -> str:
    return f'{{"error_code": "{code}", "message": "no", "request_id": "req-1"}}'


BUSY = said(503, refusal("UNAVAILABLE"), Retry_After="0")


@pytest.mark.parametrize(
    "fates",
    [
        (RESET,),
        (Cut(0),),
        (Cut(40),),
        (RESET, Cut(0), Cut(100)),
        (BUSY, BUSY),
        (said(429, refusal("RATE_LIMITED")),),
    ],
    ids=["reset", "answer lost", "answer cut", "one after the other", "busy twice", "too often"],
)
def test_a_submission_is_sent_again_and_done_once(
    gateway: Served, kind: str, token: str, fates: tuple[Cut | Say, ...]
) -> None:
    with between(gateway.url, *fates, PASS) as proxy, driven(kind, proxy.url, token, timeout_s=60.0) as flare:
        made = flare("submit", service())
        assert [each.intent_id for each in flare("page").intents] == [made.intent_id]
        posts = [head for head in proxy.heads() if head.startswith("post")]
    keys = {line for head in posts for line in head.splitlines() if line.startswith("idempotency-key")}
    assert len(posts) == len(fates) + 1
    assert len(keys) == 1


@pytest.mark.parametrize("call", ["verify", "page", "resources", "tokens"])
@pytest.mark.parametrize("fate", [RESET, Cut(0), BUSY, said(502), said(504)], ids=str)
def test_what_is_read_is_read_again(
    gateway: Served, kind: str, token: str, call: str, fate: Cut | Say
) -> None:
    if isinstance(fate, Say) and fate.text.startswith(("HTTP/1.1 502", "HTTP/1.1 504")):
        fate = Say(
            fate.text.replace("Content-Length: 0", "Content-Length: 70") + refusal("UNAVAILABLE").ljust(70)
        )
    with between(gateway.url, fate, PASS) as proxy, driven(kind, proxy.url, token, timeout_s=60.0) as flare:
        flare(call)
        assert len(proxy.seen) == 2


@pytest.mark.parametrize("fate", [RESET, Cut(0), BUSY], ids=str)
def test_what_is_not_the_same_twice_is_sent_once(
    gateway: Served, kind: str, token: str, fate: Cut | Say
) -> None:
    with between(gateway.url, fate, PASS) as proxy, driven(kind, proxy.url, token, timeout_s=60.0) as flare:
        with pytest.raises((UnreachableError, UnavailableError)):
            flare("create_token", "ci")
        made = flare("submit", service())
        with pytest.raises(ConflictError):
            flare("cancel", made.intent_id, version=99)
        assert sum(head.startswith("post /api/v1/auth") for head in proxy.heads()) == 1


def test_what_was_never_sent_may_be_sent_again(kind: str, gateway: Served, token: str) -> None:
    with between(gateway.url) as proxy:
        gone = proxy.url
    began = time.monotonic()
    with (
        driven(kind, gone, token, Retry(tries=4, first_s=0.1, jitter=lambda: 1.0)) as flare,
        pytest.raises(UnreachableError),
    ):
        flare("create_token", "ci")
    assert time.monotonic() - began >= 0.1 + 0.2 + 0.4


@pytest.mark.parametrize(
    ("fate", "error"),
    [
        (said(200, "<html>"), AnswerError),
        (said(200, "[]"), AnswerError),
        (said(200, '{"status": 3}'), AnswerError),
        (
            said(200, '{"status": "x", "user": "ada", "permissions": "all", "expires_at": "soon"}'),
            AnswerError,
        ),
        (said(200, '{"status": "x", "user": "ada", "permissions": [], "expires_at": "soon"}'), AnswerError),
        (said(302, "", Location="http://elsewhere.example"), AnswerError),
        (said(500, refusal("INTERNAL")), ServerError),
        (said(500, "Internal Server Error"), AnswerError),
        (said(429, refusal("QUOTA_EXCEEDED"), Retry_After="0"), QuotaError),
        (said(429, refusal("RATE_LIMITED"), Retry_After="3600"), RateLimitedError),
        (Say("no HTTP at all\r\n\r\n"), UnreachableError),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value)[10:40],
)
def test_other_answers_have_a_type_too(
    gateway: Served, kind: str, token: str, fate: Say, error: type[Exception]
) -> None:
    with between(gateway.url, fate) as proxy, driven(kind, proxy.url, token) as flare:
        with pytest.raises(error) as caught:
            flare("verify")
        assert len(proxy.seen) == (QUICK.tries if error is UnreachableError else 1)
    if isinstance(caught.value, ApiError):
        assert caught.value.request_id == "req-1"


def test_retry_after_is_honoured(gateway: Served, kind: str, token: str) -> None:
    patience = said(503, refusal("UNAVAILABLE"), Retry_After="1")
    began = time.monotonic()
    with between(gateway.url, patience, PASS) as proxy, driven(kind, proxy.url, token) as flare:
        assert flare("verify").status == "authenticated"
    assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize(
    ("error", "repeatable", "waits"),
    [
        (UnavailableError(503, {}, 3), True, (3.5, 3.5, None)),
        (UnavailableError(503, {}, 3), False, (None,)),
        (UnavailableError(503, {}, 31), True, (None,)),
        (RateLimitedError(429, {}, None), False, (0.1, 0.2, None)),
        (QuotaError(429, {"error_code": "QUOTA_EXCEEDED"}, 1), True, (None,)),
        (ConflictError(409, {}, 1), True, (1.5, 1.5, None)),
        (ConflictError(409, {}, None), True, (None,)),
        (ServerError(500, {}, None), True, (None,)),
        (AnswerError("?"), True, (None,)),
    ],
)
def test_how_long_to_wait(error: Any, repeatable: bool, waits: tuple[float | None, ...]) -> None:
    retry = Retry(tries=3, jitter=lambda: 0.5)
    found = [retry.wait_s(error, i + 1, repeatable=repeatable) for i in range(len(waits))]
    assert found == pytest.approx(list(waits))


def test_the_wait_has_an_upper_end() -> None:
    retry = Retry(tries=100, jitter=lambda: 1.0)
    waits = [retry.wait_s(UnreachableError(), i, repeatable=True) for i in range(1, 100)]
    assert waits[:3] == [0.2, 0.4, 0.8]
    assert max(wait or 0 for wait in waits) == 30.0


@pytest.mark.parametrize("seed", range(4))
def test_events_are_each_told_once_over_connections_that_break(
    gateway: Served, kind: str, token: str, seed: int
) -> None:
    """Streams are cut in the middle of heads, lines and characters; what is told is what there was."""
    with driven(kind, gateway.url, token, timeout_s=60.0) as flare:
        made = flare("submit", service())
        flare("wait", made.intent_id)
        flare("cancel", made.intent_id)
        whole = flare.some("events", None, made.intent_id)
    # Behind the head, so that each connection tells a little: the retries of one that tells nothing are few.
    cuts = [Cut(380 + (seed * 37 + i * 61) % 300) for i in range(12)]
    with between(gateway.url, *cuts, RESET, PASS) as proxy, driven(kind, proxy.url, token) as flare:
        assert flare.some("events", None, made.intent_id) == whole
        assert len(proxy.seen) > 1
        assert any("last-event-id" in head for head in proxy.heads())


def test_events_end_where_nobody_answers_any_more(gateway: Served, kind: str, token: str) -> None:
    with between(gateway.url, RESET) as proxy, driven(kind, proxy.url, token) as flare:
        with pytest.raises(UnreachableError):
            flare.some("events", 1)
        assert len(proxy.seen) >= QUICK.tries


def test_the_wait_for_an_intent_has_an_end(flare: Driven) -> None:
    document = service(max_hourly_cost="9.50 EUR")
    document["intent"]["constraints"]["negotiation"] = {"fallback_strategy": "queue", "price_flexibility": 0}
    made = flare("submit", document)
    began = time.monotonic()
    assert flare("wait", made.intent_id, timeout_s=0.3).state in ("pending", "queued")
    assert time.monotonic() - began < 30
