"""Every body that the API reference shows, with its fields, and those of both shapes where it shows two."""

import re
from typing import Any

import httpx
import pytest

from flare_core.adapters.gateway.http.models import Explanation, IntentDetail, IntentPage, Plan, Resources
from flare_core.adapters.gateway.tokens import Permission, well_formed
from tests.gateway.http.conftest import People
from tests.gateway.http.site import Json, intent

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def submitted(client: httpx.Client, name: str, **more: Any) -> Json:
    answer = client.post("/api/v1/intents", json=intent(name, **more))
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    return body


def test_a_submission_that_is_placed_at_once(ada: httpx.Client) -> None:
    answer = ada.post("/api/v1/intents", json=intent("placed", count=2))
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/intents/{body['intent_id']}"
    assert body["intent_id"].startswith("intent-")
    assert body["status"] == "pending"
    assert body["message"] == "Intent submitted successfully"
    assert body["estimated_cost"] == "8.00 EUR/hour"
    assert MOMENT.fullmatch(body["estimated_start_time"])
    data = body["data"]
    assert data["estimated_cost"] == body["estimated_cost"]
    assert data["estimated_start_time"] == body["estimated_start_time"]
    assert data["selected_provider"] == "provider-1"
    assert data["gpu_allocation"] == {"model": "nvidia-h100", "count": 2, "location": "eu-west-1"}
    assert [each["offer"] for each in data["assignments"]] == ["eu-h100"]
    assert body["offer"] is None


def test_a_plan_on_one_offer_counts_all_its_gpus(ada: httpx.Client) -> None:
    body = submitted(ada, "three", count=2, workload={"scaling": {"min_replicas": 3}})
    assert body["data"]["gpu_allocation"]["count"] == 6
    assert len(body["data"]["assignments"]) == 3


def test_a_workload_without_gpus_allocates_none(ada: httpx.Client) -> None:
    plain = intent("plain", workload={"resources": {"cpu": "4", "memory": "8Gi"}})
    body = ada.post("/api/v1/intents", json=plain).json()
    assert body["data"]["gpu_allocation"] is None
    assert body["data"]["selected_provider"] == body["data"]["assignments"][0]["provider"]


def test_a_submission_that_is_not_solved_yet(ada: httpx.Client) -> None:
    """A job of three tasks on the one T4 there is waits for nothing but a fourth: it is queued."""
    waits = intent(
        "waits", model="nvidia-t4", count=1, constraints={"negotiation": {"fallback_strategy": "queue"}}
    )
    first = ada.post("/api/v1/intents", json=intent("first", model="nvidia-t4"))
    assert first.status_code == 201
    try:
        answer = ada.post("/api/v1/intents", json=waits)
        body = answer.json()
        assert answer.status_code == 202
        assert (body["status"], body["estimated_cost"], body["estimated_start_time"]) == (
            "pending",
            None,
            None,
        )
        assert body["data"]["assignments"] == []
        detail = ada.get(answer.headers["location"]).json()
        assert (detail["status"], detail["state"]) == ("pending", "queued")
        assert ada.delete(answer.headers["location"]).json()["status"] == "cancelled"
    finally:
        ada.delete(first.headers["location"])


def test_the_status_of_an_intent_has_the_fields_of_both_shapes(ada: httpx.Client) -> None:
    location = ada.post("/api/v1/intents", json=intent("told", count=2)).headers["location"]
    answer = ada.get(location)
    body = answer.json()
    IntentDetail.model_validate_json(answer.content)
    assert answer.headers["etag"] == f'"{body["version"]}"'
    assert body["status"] in ("pending", "running")
    assert re.fullmatch(r"\d+\.\d\d\d* EUR", body["current_cost"])
    assert body["workload_url"] is None
    assert body["gpu_utilization"] is None
    assert body["message"]
    assert (body["workload"]["name"], body["workload"]["type"]) == ("told", "service")
    assert body["resources"] == {
        "provider": "provider-1",
        "location": "eu-west-1",
        "gpu": {"model": "nvidia-h100", "count": 2, "utilization": None},
    }
    assert body["costs"]["hourly_rate"] == "8.00 EUR/hour"
    assert body["costs"]["currency"] == "EUR"
    assert body["performance"] == {"latency_p50": None, "latency_p99": None, "throughput": None}
    assert [step["version"] for step in body["history"]] == list(range(1, body["version"] + 1))
    assert body["history"][0]["reason"] == "received"


def test_a_running_intent_has_a_runtime_and_a_price(ada: httpx.Client) -> None:
    location = ada.post("/api/v1/intents", json=intent("runs")).headers["location"]
    with ada.stream("GET", f"{location}/events") as events:
        next(line for line in events.iter_lines() if '"status":"running"' in line)
    body = ada.get(location).json()
    assert body["status"] == "running"
    assert re.fullmatch(r"(\d+[hms] ?)+", body["runtime"])
    assert body["workload"]["runtime"] == body["runtime"]
    assert MOMENT.fullmatch(body["workload"]["start_time"])
    assert body["costs"]["total_cost"] == body["current_cost"]


def test_a_list_holds_the_status_of_each(ada: httpx.Client) -> None:
    names = ["one", "two"]
    for name in names:
        submitted(ada, name)
    answer = ada.get("/api/v1/intents")
    page = IntentPage.model_validate_json(answer.content)
    assert [each.workload.name for each in page.intents] == names[::-1]
    assert page.next_cursor is None


def test_a_cancellation_answers_with_the_status(ada: httpx.Client) -> None:
    location = ada.post("/api/v1/intents", json=intent("ends")).headers["location"]
    first, second = ada.delete(location), ada.delete(location)
    assert (first.status_code, first.json()["status"]) == (202, "cancelled")
    assert (second.status_code, second.json()["version"]) == (202, first.json()["version"])
    assert MOMENT.fullmatch(first.json()["ended_at"])


def test_what_is_free_is_told_by_kind(ada: httpx.Client) -> None:
    answer = ada.get("/api/v1/resources", params={"model": "nvidia-h100"})
    Resources.model_validate_json(answer.content)
    eu, us = answer.json()["available_gpus"]
    assert (eu["provider"], eu["location"], eu["memory"], eu["cost_per_hour"]) == (
        "provider-1",
        "eu-west-1",
        "80Gi",
        "4.00 EUR",
    )
    assert isinstance(eu["count"], int)
    assert (us["count"], us["cost_per_hour"], us["spot_cost_per_hour"]) == (None, "5.00 EUR", "2.00 EUR")


def test_what_is_booked_is_not_free(ada: httpx.Client) -> None:
    def free() -> int:
        found = ada.get("/api/v1/resources", params={"model": "nvidia-t4"}).json()["available_gpus"]
        return sum(each["count"] for each in found)

    assert free() == 1
    location = ada.post("/api/v1/intents", json=intent("t4", model="nvidia-t4")).headers["location"]
    assert free() == 0
    ada.delete(location)
    assert free() == 1


@pytest.mark.parametrize(
    ("asked", "providers"),
    [
        ({"location": "EU"}, {"provider-1", "provider-3"}),
        ({"location": "US"}, {"provider-2"}),
        ({"location": "eu-west"}, {"provider-1"}),
        ({"provider": "Provider-2"}, {"provider-2"}),
        ({"model": "any", "location": "any"}, {"provider-1", "provider-2", "provider-3"}),
        ({"location": "eu-wes"}, set()),
    ],
)
def test_resources_are_filtered(ada: httpx.Client, asked: dict[str, str], providers: set[str]) -> None:
    found = ada.get("/api/v1/resources", params=asked).json()["available_gpus"]
    assert {each["provider"] for each in found} == providers


def test_a_token_is_made_shown_once_listed_and_revoked(ada: httpx.Client) -> None:
    wanted = {"name": "My API Token", "expires_in": "30d", "permissions": ["intents:read", "resources:read"]}
    answer = ada.post("/api/v1/auth/tokens", json=wanted)
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/auth/tokens/{made['token_id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert well_formed(made["token"])
    assert (made["name"], made["permissions"]) == ("My API Token", ["intents:read", "resources:read"])
    assert MOMENT.fullmatch(made["created_at"])
    assert MOMENT.fullmatch(made["expires_at"])
    listed = {each["token_id"]: each for each in ada.get("/api/v1/auth/tokens").json()["tokens"]}
    told = listed[made["token_id"]]
    assert "token" not in told
    assert (told["status"], told["last_used"]) == ("active", None)
    gone = ada.delete(answer.headers["location"]).json()
    assert gone["message"] == "Token revoked successfully"
    assert gone["token_id"] == made["token_id"]
    assert MOMENT.fullmatch(gone["revoked_at"])
    listed = {each["token_id"]: each for each in ada.get("/api/v1/auth/tokens").json()["tokens"]}
    assert listed[made["token_id"]]["status"] == "revoked"


def test_a_token_that_says_nothing_has_the_defaults(ada: httpx.Client) -> None:
    made = ada.post("/api/v1/auth/tokens", json={"name": "plain"}).json()
    assert made["permissions"] == ["intents:read", "intents:write"]
    assert made["expires_at"][:10] > made["created_at"][:10]


def test_verify_says_who_one_is(person: People) -> None:
    body = (
        person(Permission.INTENTS_READ, Permission.RESOURCES_READ, name="demo-user")
        .get("/api/v1/auth/verify")
        .json()
    )
    assert body["status"] == "authenticated"
    assert body["user"] == "demo-user"
    assert body["permissions"] == ["intents:read", "resources:read"]
    assert MOMENT.fullmatch(body["expires_at"])


def test_a_dry_run_plans_and_stores_nothing(ada: httpx.Client) -> None:
    answer = ada.post("/api/v1/intents", params={"dry_run": "true"}, json=intent("dry", count=4))
    plan = Plan.model_validate_json(answer.content)
    assert (answer.status_code, plan.status, plan.placements[0].status) == (200, "optimal", "placed")
    assert ada.get("/api/v1/intents").json()["intents"] == []


def test_a_dry_run_tells_a_rejection_in_the_plan(ada: httpx.Client) -> None:
    cheap = intent("dry", constraints={"max_hourly_cost": "0.01 EUR"})
    answer = ada.post("/api/v1/intents", params={"dry_run": "true"}, json=cheap)
    assert answer.status_code == 200
    assert answer.json()["placements"][0]["error"]["error_code"] == "COST_LIMIT_EXCEEDED"


def test_an_explanation(ada: httpx.Client) -> None:
    location = ada.post("/api/v1/intents", json=intent("explained")).headers["location"]
    answer = ada.get(f"{location}/explanation")
    told = Explanation.model_validate_json(answer.content)
    assert (answer.status_code, told.intent, told.status) == (200, "explained", "placed")


def test_health_readiness_metrics_and_descriptions(site_http: httpx.Client, person: People) -> None:
    assert site_http.get("/healthz").json() == {"status": "ok"}
    ready = site_http.get("/readyz").json()
    assert ready["status"] == "ready"
    assert set(ready["checks"].values()) == {"ok"}
    assert site_http.get("/openapi.json").json()["openapi"].startswith("3.1")
    assert "<html" in site_http.get("/docs").text
    assert site_http.get("/metrics").status_code == 401
    assert person().get("/metrics").status_code == 403
    assert "flare_" in person(Permission.ADMIN).get("/metrics").text


def test_head_answers_as_get_without_a_body(ada: httpx.Client) -> None:
    got, headed = ada.get("/api/v1/auth/verify"), ada.head("/api/v1/auth/verify")
    assert headed.status_code == 200
    assert headed.content == b""
    assert headed.headers["content-length"] == got.headers["content-length"]
