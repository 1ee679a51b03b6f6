"""Every call of both clients, against a gateway that is being served."""

import inspect
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flare_core.adapters.gateway.tokens import Permission
from flare_core.client import (
    AsyncFlareClient,
    AuthenticationError,
    ConflictError,
    FlareClient,
    InvalidRequestError,
    NotFoundError,
    PermissionsError,
    RefusedError,
)
from tests.cli.worlds import batch, service
from tests.client.both import Driven, driven
from tests.gateway.ops.served import Served


def test_an_intent_is_submitted_followed_and_cancelled(flare: Driven) -> None:
    made = flare("submit", service())
    assert made.solved
    assert (made.status, made.estimated_cost) == ("pending", "10.00 EUR/hour")
    assert made.data.selected_provider == "north"
    assert made.data.gpu_allocation.count == 4
    assert abs(made.estimated_start_time - datetime.now(UTC)) < timedelta(minutes=1)

    running = flare("wait", made.intent_id)
    assert (running.status, running.workload.name, running.ended) == ("running", "chat", False)
    assert [step.state for step in running.history][-1] == "running"
    assert running.assignments == made.data.assignments

    ended = flare("cancel", made.intent_id, version=running.version)
    assert (ended.status, ended.ended) == ("cancelled", True)
    assert flare("get", made.intent_id).status == "cancelled"

    events = flare.some("events", None, made.intent_id)  # ends by itself
    assert events[0].status == "pending"
    assert events[-1].ended
    assert [event.version for event in events] == list(range(1, ended.version + 1))
    later = flare.some("events", None, made.intent_id, after=events[1].id)
    assert later == events[2:]
    assert flare.some("events", None, made.intent_id, after=events[-1].id) == []


@pytest.mark.parametrize("form", ["document", "text", "bytes"])
def test_an_intent_is_a_document_or_its_text(flare: Driven, form: str) -> None:
    text = json.dumps(service())
    given: Any = {"document": service(), "text": text, "bytes": text.encode()}[form]
    assert flare("submit", given).solved
    assert flare("plan", given)["placements"][0]["status"] == "placed"


def test_all_of_a_users_events_come_from_now_on(flare: Driven, gateway: Served, token: str) -> None:
    flare("submit", service("before"))
    with FlareClient(gateway.url, token) as other:
        events = other.events(after="0")
        first = next(events)
        made = flare("submit", service("after"))
        while first.intent_id != made.intent_id:
            first = next(events)
    assert (first.state, first.version) == ("pending", 1)


def test_pages_are_followed(flare: Driven) -> None:
    names = [f"chat-{i}" for i in range(5)]
    for name in names:
        flare("submit", service(name))
    flare("cancel", flare("page", name="chat-0").intents[0].intent_id)
    page = flare("page", limit=2)
    assert [each.workload.name for each in page.intents] == ["chat-4", "chat-3"]
    assert [e.workload.name for e in flare("page", limit=2, cursor=page.next_cursor).intents] == [
        "chat-2",
        "chat-1",
    ]
    assert [each.workload.name for each in flare.some("intents", None)] == names[::-1]
    assert [each.workload.name for each in flare.some("intents", 3)] == names[:1:-1]
    assert [each.workload.name for each in flare.some("intents", None, status="cancelled")] == ["chat-0"]


def test_what_would_be_placed_and_why_is_told(flare: Driven) -> None:
    plan = flare("plan", service(max_hourly_cost="1 EUR"))
    assert plan["placements"][0]["error"]["error_code"] == "COST_LIMIT_EXCEEDED"
    assert flare("page").intents == ()
    made = flare("submit", service())
    assert flare("explanation", made.intent_id)["status"] == "placed"


def test_a_refusal_says_what_would_help(flare: Driven) -> None:
    with pytest.raises(RefusedError) as caught:
        flare("submit", service(max_hourly_cost="1 EUR"))
    error = caught.value
    assert (error.status, error.code) == (402, "COST_LIMIT_EXCEEDED")
    assert error.suggestions[0]["alternative"]
    assert ("constraints.max_hourly_cost",) in error.conflicts
    assert error.request_id
    assert str(error) == f"COST_LIMIT_EXCEEDED: {error.message}"


def test_an_offer_is_accepted(flare: Driven) -> None:
    document = service(max_hourly_cost="9.50 EUR")
    document["intent"]["constraints"]["negotiation"] = {"price_flexibility": 0.15}
    made = flare("submit", document)
    assert made.offer is not None
    waiting = flare("wait", made.intent_id)
    assert (waiting.state, waiting.offer.valid_until) == ("queued", made.offer.valid_until)
    assert waiting.offer.token not in repr(waiting)
    with pytest.raises(ConflictError):
        flare("accept", made.intent_id, "acc_wrong")
    accepted = flare("accept", made.intent_id, waiting.offer.token)
    assert accepted.assignments
    assert flare("wait", made.intent_id).status == "running"


def test_what_is_wrong_has_a_type(flare: Driven, gateway: Served, kind: str) -> None:
    with pytest.raises(InvalidRequestError) as invalid:
        flare("submit", {"intent": {"objective": "Cost_Minimization"}})
    assert (invalid.value.code, invalid.value.path) == ("MISSING_REQUIRED_FIELD", "workload")
    made = flare("submit", service())
    with pytest.raises(ConflictError, match="has not ended"):
        flare("submit", service())
    with pytest.raises(ConflictError, match="changed in the meantime"):
        flare("cancel", made.intent_id, version=99)
    with pytest.raises(NotFoundError):
        flare("get", "intent-0/../../auth/verify?x#y")
    with driven(kind, gateway.url, "flr_nobody") as nobody, pytest.raises(AuthenticationError) as unknown:
        nobody("verify")
    assert unknown.value.code == "INVALID_TOKEN"
    reader = gateway.token(Permission.INTENTS_READ, user="reader")
    with driven(kind, gateway.url, reader) as other:
        with pytest.raises(PermissionsError):
            other("submit", service())
        with pytest.raises(NotFoundError):
            other("get", made.intent_id)


def test_a_key_is_one_submission(flare: Driven) -> None:
    first = flare("submit", service(), idempotency_key="key")
    assert flare("submit", service(), idempotency_key="key") == first
    with pytest.raises(InvalidRequestError) as reused:
        flare("submit", batch(), idempotency_key="key")
    assert (reused.value.status, reused.value.code) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_what_is_free_is_told(flare: Driven) -> None:
    models = {each.model for each in flare("resources")}
    assert models == {"nvidia-h100", "nvidia-l4"}
    found = flare("resources", model="nvidia-l4", provider="west", location="FR")
    assert [(each.count, each.memory, each.spot_cost_per_hour) for each in found] == [
        (None, "24Gi", "1.20 EUR")
    ]


def test_tokens_are_made_listed_and_revoked(flare: Driven, gateway: Served, kind: str, user: str) -> None:
    made = flare("create_token", "ci", expires_in="2h", permissions=["intents:read"])
    assert made.expires_at - made.created_at == timedelta(hours=2)
    assert made.token not in repr(made)
    with driven(kind, gateway.url, made.token) as other:
        holder = other("verify")
        assert (holder.user, holder.permissions, holder.status) == (user, ("intents:read",), "authenticated")
    assert {each.name: each.status for each in flare("tokens")}["ci"] == "active"
    assert flare("revoke_token", made.token_id).token_id == made.token_id
    assert {each.name: each.status for each in flare("tokens")}["ci"] == "revoked"
    with pytest.raises(PermissionsError):
        flare("create_token", "other", user="somebody-else")


def test_both_clients_have_the_same_calls() -> None:
    def calls(kind: type) -> dict[str, inspect.Signature]:
        own = {name: each for name, each in vars(kind).items() if not name.startswith("_")}
        return {name: inspect.signature(each) for name, each in own.items()}

    blocking, awaiting = calls(FlareClient), calls(AsyncFlareClient)
    assert blocking.keys() == awaiting.keys()
    for name, signature in blocking.items():
        assert signature.parameters == awaiting[name].parameters
        made, awaited = signature.return_annotation, awaiting[name].return_annotation
        assert str(made) == str(awaited).replace("AsyncIterator", "Iterator")


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("flare.example", "flr_x"),
        ("ftp://flare.example", "flr_x"),
        ("http://ada:hunter2@flare.example", "flr_x"),
        ("http://flare.example?token=hunter2", "flr_x"),
        ("http://flare.example", ""),
        ("http://flare.example", "hunter2\r\nX: y"),
        ("http://flare.example", "hunter2 y"),
    ],
)
@pytest.mark.parametrize("client", [FlareClient, AsyncFlareClient])
def test_what_can_be_no_gateway_or_token_is_refused(client: Any, url: str, token: str) -> None:
    with pytest.raises(ValueError, match=r"URL of a gateway|token is a word") as caught:
        client(url, token)
    assert "hunter2" not in str(caught.value)


def test_a_gateway_may_be_mounted_below_a_path(flare: Driven, gateway: Served, token: str, kind: str) -> None:
    with driven(kind, f"{gateway.url}/below/", token) as lost, pytest.raises(NotFoundError):
        lost("verify")
    with driven(kind, f"{gateway.url}/", token) as found:
        assert found("verify").status == "authenticated"
