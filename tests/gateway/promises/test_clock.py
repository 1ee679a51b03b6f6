"""R18: what expires does so to the second, and a clock that is set back or forward does no harm."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.promises import stock
from tests.gateway.promises.fleets import Fleet, fleet, tell
from tests.gateway.promises.launch import await_true
from tests.gateway.promises.load import Json, intent, job, tokens_for

HOUR_S = 3600.0
STORED_DAY_S = 86_400.0


class Site:
    """A gateway whose clock can be set, and a user of it."""

    def __init__(self, gateways: Fleet, clock: Path) -> None:
        self.gateways, self._clock, self._off_s = gateways, clock, 0.0
        token = tokens_for(gateways.url, ["ada"])["ada"]
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=f"{gateways.urls[0]}/api/v1", headers=headers, timeout=30)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._off_s)

    def set(self, moment: datetime) -> None:
        """Let the clock show that moment now."""
        self.shift((moment - self.now()).total_seconds())

    def shift(self, seconds: float) -> None:
        self._off_s += seconds
        temporary = self._clock.with_suffix(".new")
        temporary.write_text(repr(self._off_s))
        temporary.replace(self._clock)

    def post(self, path: str, body: Json, **headers: str) -> httpx.Response:
        return self.http.post(path, json=body, headers=headers)

    def running(self, body: Json) -> str:
        """Submit; return the id once it runs."""
        made = self.post("/intents", body)
        assert made.status_code == 201, made.text
        name = str(made.json()["intent_id"])
        await_true(lambda: self.status(name)["status"] == "running", 20)
        return name

    def status(self, name: str) -> Any:
        return self.http.get(f"/intents/{name}").json()

    def state(self, name: str) -> str:
        return self.gateways.books().states[name]


@pytest.fixture
def site(tmp_path: Path, sqlite_url: str) -> Iterator[Site]:
    clock = tmp_path / "clock"
    clock.write_text("0")
    with fleet(sqlite_url, tmp_path, stock.ample(), count=1, clock=clock) as gateways:
        site = Site(gateways, clock)
        try:
            yield site
        finally:
            site.http.close()


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


SECOND = timedelta(seconds=1)


def test_r18_what_expires_does_so_to_the_second(site: Site) -> None:
    """A token, an offer of negotiation, a key and a run: good a second before, over a second after."""
    a_token(site)
    an_offer(site)
    a_key(site)
    a_run(site)
    assert site.gateways.faults() == []


def a_token(site: Site) -> None:
    made = site.post("/auth/tokens", {"name": "short", "expires_in": "1h"}).json()
    expires = moment_of(made["expires_at"])

    def verified() -> int:
        headers = {"Authorization": f"Bearer {made['token']}"}
        return httpx.get(f"{site.http.base_url}auth/verify", headers=headers, timeout=30).status_code

    site.set(expires - SECOND)
    assert verified() == 200
    site.set(expires + SECOND)
    assert verified() == 401


def an_offer(site: Site) -> None:
    """Two are offered; one is accepted in time, the other too late."""
    stretch = {"price_flexibility": 0.15, "fallback_strategy": "fail", "timeout_seconds": 300}
    short = {"max_hourly_cost": "0.95 EUR", "negotiation": stretch}
    made = [site.post("/intents", intent(f"more-{n}", constraints=short)) for n in range(2)]
    assert {each.status_code for each in made} == {202}
    offers = [each.json() for each in made]
    assert all(each["offer"] for each in offers), offers

    def accepted(number: int) -> int:
        body = {"token": offers[number]["offer"]["token"]}
        return site.post(f"/intents/{offers[number]['intent_id']}/accept", body).status_code

    until = [moment_of(each["offer"]["valid_until"]) for each in offers]
    site.set(min(until) - SECOND)
    assert accepted(0) == 200
    site.set(max(until) + SECOND)
    assert accepted(1) == 409


def a_key(site: Site) -> None:
    """A day after it was first sent a key is a new one; the intent that it made keeps its name."""
    began = site.now()
    first = site.post("/intents", intent("keyed"), **{"Idempotency-Key": "k"})
    answered = site.now()
    site.set(began + timedelta(seconds=STORED_DAY_S) - SECOND)
    again = site.post("/intents", intent("keyed"), **{"Idempotency-Key": "k"})
    assert (again.status_code, again.content) == (first.status_code, first.content)
    site.set(answered + timedelta(seconds=STORED_DAY_S) + SECOND)
    late = site.post("/intents", intent("keyed"), **{"Idempotency-Key": "k"})
    assert (late.status_code, late.json()["error_code"]) == (409, "CONFLICT")


def a_run(site: Site) -> None:
    name = site.running(job("hour", "1h"))
    started = next(s["at"] for s in site.status(name)["history"] if s["status"] == "running")
    site.set(moment_of(started) + timedelta(seconds=HOUR_S) - SECOND)
    await_true(lambda: site.status(name)["status"] in ("running", "completed"), 5)
    assert site.status(name)["status"] == "running"
    site.set(moment_of(started) + timedelta(seconds=HOUR_S) + SECOND)
    await_true(lambda: site.status(name)["status"] == "completed", 20)
    assert site.status(name)["current_cost"] == "1.00 EUR"


@pytest.mark.parametrize(
    "step_s", [HOUR_S, pytest.param(-HOUR_S, marks=pytest.mark.t1)], ids=["forward", "back"]
)
def test_r18_a_clock_that_is_set_does_no_harm(step_s: float, site: Site) -> None:
    """What runs goes on, what is new is placed at once, what is cancelled ends, and nothing costs a step."""
    before = site.running(intent("before"))
    site.shift(step_s)
    after = site.running(intent("after"))
    ends = site.running(job("ends", "2s"))
    await_true(lambda: site.status(ends)["status"] == "completed", 20)
    assert site.status(before)["status"] == "running"
    assert euros(site.status(before)["current_cost"]) >= 0
    for name in (before, after):
        assert site.http.delete(f"/intents/{name}").status_code == 202
        assert 0 <= euros(site.status(name)["current_cost"]) <= 1.1
    site.shift(-step_s)
    site.running(intent("again"))
    assert site.gateways.faults() == []
    tell("R18", step_s=step_s)


def euros(text: str) -> float:
    return float(text.removesuffix(" EUR"))
