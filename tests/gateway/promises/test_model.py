"""R7: whatever one user asks in whatever order, the API says what a model of plain dicts says."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.gateway.promises import stock
from tests.gateway.promises.fleets import Fleet, fleet, tell
from tests.gateway.promises.launch import await_true
from tests.gateway.promises.load import Json, intent, job, tokens_for

NAMES = st.sampled_from(["a", "b", "c"])
KEYS = st.sampled_from(["k1", "k2"])
ENDED = {"cancelled", "completed"}
JOB_S = 600
_numbers = itertools.count()


class Users(RuleBasedStateMachine):
    """Two users of one gateway; each example has names of its own."""

    fleet: ClassVar[Fleet]
    http: ClassVar[httpx.Client]
    tokens: ClassVar[dict[str, str]]
    clock: ClassVar[Path]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.example = next(_numbers)
        self.intents: dict[str, Json] = {}  # id -> name, ends (a job), state, version; whether it is final
        self.keys: dict[str, tuple[str, int, Any]] = {}  # key -> name, status, body
        self.made: dict[str, Json] = {}  # token id -> secret, revoked

    # --- asking ---------------------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, *, user: str = "ada", json: Json | None = None, **more: Any
    ) -> httpx.Response:
        type(self).steps += 1
        token = more.pop("token", None) or self.tokens[user]
        headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
        return self.http.request(method, path, json=json, headers=headers, **more)

    def named(self, name: str) -> str:
        return f"{name}-{self.example}"

    def live(self, name: str) -> list[str]:
        return [
            i for i, known in self.intents.items() if known["name"] == name and known["state"] not in ENDED
        ]

    def some(self, data: st.DataObject) -> str:
        return str(data.draw(st.sampled_from(list(self.intents))))  # ids are random, their order is not

    # --- intents --------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        assert self.ask("GET", "/auth/verify").json()["user"] == "ada"

    @rule(name=NAMES)
    def submit(self, name: str) -> None:
        taken = self.live(self.named(name))
        said = self.ask("POST", "/intents", json=intent(self.named(name)))
        assert said.status_code == (409 if taken else 201), said.text
        if not taken:
            self.known(said, name, ends=False)

    def known(self, said: httpx.Response, name: str, *, ends: bool) -> None:
        made = said.json()["intent_id"]
        assert said.headers["location"].endswith(f"/api/v1/intents/{made}")
        new: Json = {"name": self.named(name), "ends": ends, "state": "live", "version": 0, "final": False}
        self.intents[made] = new

    @rule(name=NAMES)
    def submit_a_job(self, name: str) -> None:
        taken = self.live(self.named(name))
        said = self.ask("POST", "/intents", json=job(self.named(name), f"{JOB_S}s"))
        assert said.status_code == (409 if taken else 201), said.text
        if not taken:
            self.known(said, name, ends=True)

    @rule(name=NAMES, count=st.sampled_from([9, 64]))
    def submit_what_nobody_has(self, name: str, count: int) -> None:
        taken = self.live(self.named(name))
        said = self.ask("POST", "/intents", json=intent(self.named(name), {"count": count}))
        assert said.status_code == 409
        assert said.json()["error_code"] == ("CONFLICT" if taken else "GPU_COUNT_INSUFFICIENT")

    @rule(wrong=st.sampled_from(["objective", "workload", "x", "type"]))
    def submit_what_is_no_intent(self, wrong: str) -> None:
        document = intent(self.named("wrong"))
        if wrong == "type":
            document["intent"]["workload"]["type"] = "party"
        elif wrong == "x":
            document["intent"]["x"] = 1
        else:
            del document["intent"][wrong]
        assert self.ask("POST", "/intents", json=document).status_code == 400

    @rule(name=NAMES, key=KEYS)
    def submit_with_a_key(self, name: str, key: str) -> None:
        own = f"{key}-{self.example}"
        said = self.ask("POST", "/intents", json=intent(self.named(name)), headers={"Idempotency-Key": own})
        if own in self.keys:
            before, status, body = self.keys[own]
            same = before == name
            assert (said.status_code, said.json()) == (status, body) if same else said.status_code == 422
            return
        taken = self.live(self.named(name))
        assert said.status_code == (409 if taken else 201), said.text
        if not taken:
            self.keys[own] = name, said.status_code, said.json()
            self.known(said, name, ends=False)

    @rule(name=NAMES)
    def plan_without_submitting(self, name: str) -> None:
        said = self.ask("POST", "/intents?dry_run=true", json=intent(self.named(name)))
        if said.status_code == 503:  # its solver is still starting
            assert "retry-after" in said.headers
            return
        assert said.json()["placements"][0]["status"] == "placed", said.text

    @precondition(lambda self: self.intents)
    @rule(data=st.data())
    def get(self, data: st.DataObject) -> None:
        name = self.some(data)
        self.check(name, self.ask("GET", f"/intents/{name}"))

    def check(self, name: str, said: httpx.Response) -> None:
        """Hold what is said of an intent against what is known of it."""
        known, status = self.intents[name], said.json()["status"]
        version = int(said.headers["etag"].strip('"'))
        assert version >= known["version"]
        if known["state"] in ENDED:
            assert status == known["state"]
            assert version == known["version"] or not known["final"]
        else:
            assert status in {"pending", "running"}
        known |= {"version": version, "final": status in ENDED}

    @precondition(lambda self: self.jobs())
    @rule()
    def let_time_pass(self) -> None:
        """Whatever runs for so long is over then."""
        for name in self.jobs():
            await_true(lambda name=name: self.word(name) == "running", 20)  # type: ignore[misc]  # bound at once
        later = self.clock.with_suffix(".new")
        later.write_text(str(float(self.clock.read_text()) + JOB_S + 1))
        later.replace(self.clock)  # nobody reads half of it
        for name in self.jobs():
            await_true(lambda name=name: self.word(name) == "completed", 20)  # type: ignore[misc]  # bound at once
            self.intents[name]["state"] = "completed"
            self.check(name, self.ask("GET", f"/intents/{name}"))

    def jobs(self) -> list[str]:
        return [name for name, known in self.intents.items() if known["ends"] and known["state"] == "live"]

    def word(self, name: str) -> str:
        return str(self.ask("GET", f"/intents/{name}").json()["status"])

    @precondition(lambda self: self.intents)
    @rule(data=st.data())
    def get_what_has_not_changed(self, data: st.DataObject) -> None:
        name = self.some(data)
        first = self.ask("GET", f"/intents/{name}")
        self.check(name, first)
        again = self.ask("GET", f"/intents/{name}", headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code in ({304} if self.intents[name]["state"] in ENDED else {200, 304})

    @precondition(lambda self: self.intents)
    @rule(data=st.data())
    def get_what_is_anothers(self, data: st.DataObject) -> None:
        name = self.some(data)
        for method in ("GET", "DELETE"):
            assert self.ask(method, f"/intents/{name}", user="bob").status_code == 404

    @rule(name=NAMES)
    def list_by_name(self, name: str) -> None:
        said = self.ask("GET", "/intents", params={"name": self.named(name), "limit": 100}).json()
        assert {each["intent_id"] for each in said["intents"]} == {
            each for each, known in self.intents.items() if known["name"] == self.named(name)
        }

    @precondition(lambda self: self.intents)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = self.some(data)
        known = self.intents[name]
        said = self.ask("DELETE", f"/intents/{name}")
        assert said.status_code == (409 if known["state"] == "completed" else 202), said.text
        if said.status_code == 202:
            assert said.json()["status"] == "cancelled"
            known["state"] = "cancelled"
        self.check(name, self.ask("GET", f"/intents/{name}"))

    @precondition(lambda self: self.intents)
    @rule(data=st.data())
    def cancel_what_has_changed(self, data: st.DataObject) -> None:
        name = self.some(data)
        assert self.ask("DELETE", f"/intents/{name}", headers={"If-Match": '"0"'}).status_code == 409

    @rule()
    def cancel_what_there_is_not(self) -> None:
        assert self.ask("DELETE", f"/intents/intent-{self.example}").status_code == 404

    @precondition(lambda self: any(known["ends"] for known in self.intents.values()))
    @rule(data=st.data())
    def read_events(self, data: st.DataObject) -> None:
        """An intent's history tells every step from the first on."""
        name = self.some(data)
        steps = self.ask("GET", f"/intents/{name}").json()["history"]
        assert [step["version"] for step in steps] == list(range(1, len(steps) + 1))

    # --- tokens ---------------------------------------------------------------------------------------

    @rule(permissions=st.sampled_from([["intents:read"], ["intents:read", "intents:write"]]))
    def create_a_token(self, permissions: list[str]) -> None:
        body = {"name": self.named("t"), "expires_in": "90d", "permissions": permissions}
        said = self.ask("POST", "/auth/tokens", json=body)
        assert said.status_code == 201
        self.made[said.json()["token_id"]] = {
            "secret": said.json()["token"],
            "revoked": False,
            "may": permissions,
        }

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def use_a_token(self, data: st.DataObject) -> None:
        made = self.made[data.draw(st.sampled_from(list(self.made)))]
        said = self.ask("GET", "/auth/verify", token=made["secret"])
        assert said.status_code == (401 if made["revoked"] else 200)
        writes = self.ask("POST", "/intents", token=made["secret"], json={"intent": {}})
        may = "intents:write" in made["may"]
        assert writes.status_code == (401 if made["revoked"] else 400 if may else 403)

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def revoke_a_token(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(list(self.made)))
        assert self.ask("DELETE", f"/auth/tokens/{token}").status_code == 200
        self.made[token]["revoked"] = True

    @invariant()
    def what_is_there_is_seen(self) -> None:
        assert len(self.live_names()) == len(set(self.live_names()))

    def live_names(self) -> list[str]:
        return [known["name"] for known in self.intents.values() if known["state"] == "live"]

    def teardown(self) -> None:
        for name, known in self.intents.items():
            if known["state"] == "live":
                self.ask("DELETE", f"/intents/{name}")


@pytest.fixture(scope="module")
def machine() -> Iterator[type[Users]]:
    """The machine against one gateway, for all examples."""
    with tempfile.TemporaryDirectory() as name:
        url, clock = f"sqlite:///{os.path.join(name, 'flare.db')}", Path(name) / "clock"
        clock.write_text("0")
        more: Json = {"batch_window_s": 0.0, "submit_wait_s": 20}
        with fleet(url, Path(name), stock.ample(), count=1, clock=clock, **more) as gateways:
            tokens = tokens_for(url, ["ada"]) | {"bob": ""}
            with httpx.Client(base_url=f"{gateways.urls[0]}/api/v1", timeout=30) as http:
                bob = {
                    "name": "bob",
                    "user_id": "bob",
                    "expires_in": "1y",
                    "permissions": ["intents:read", "intents:delete"],
                }
                headers = {"Authorization": f"Bearer {tokens['ada']}"}
                tokens["bob"] = http.post("/auth/tokens", json=bob, headers=headers).json()["token"]
                Users.fleet, Users.http, Users.tokens, Users.clock = gateways, http, tokens, clock
                yield Users


def r7(machine: type[Users], examples: int, steps: int) -> None:
    machine.steps = 0
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=checks,
    )
    run_state_machine_as_test(machine, settings=run)
    tell("R7", examples=examples, steps=steps, requests=machine.steps)
    assert machine.fleet.faults() == []


def test_r7_there_are_enough_rules() -> None:
    assert sum(hasattr(own, "hypothesis_stateful_rule") for own in vars(Users).values()) >= 12


def test_r7_the_api_says_what_the_model_says(machine: type[Users]) -> None:
    r7(machine, examples=5, steps=20)


@pytest.mark.t1
def test_r7_the_api_says_what_the_model_says_at_full_count(machine: type[Users]) -> None:
    r7(machine, examples=300, steps=40)
