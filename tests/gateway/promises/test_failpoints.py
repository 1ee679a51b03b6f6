"""R2: wherever a gateway is killed, breaks or hangs, the next one goes on and nothing is wrong.

A lane is one store and one gateway after another, each armed at another point: each recovers what the one
before it has left, and at the end one that is not armed recovers the rest.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from threading import Lock

import httpx
import pytest

from flare_core.adapters.gateway.failpoints import POINTS
from tests.gateway.promises import stock
from tests.gateway.promises.audit import Word, audit, promise_faults
from tests.gateway.promises.fleets import Fleet, fleet, tell
from tests.gateway.promises.launch import Gateway, await_true
from tests.gateway.promises.load import UNLIMITED, Answer, Json, client, intent, job, send, tokens_for

ACTIONS = ("kill", "raise", "hang")
CASES = list(product(POINTS, ACTIONS))
LANES = 12
HUNG_S = 3.0
PAUSE_S = 0.3
ONE_MIGRATION = Lock()
"""Alembic keeps what it migrates in one place of the process."""
LONG_S = 4.0
"""What is done behind the answers has been done after so long, on a machine that is not busy."""


NOTED = """
import os, pathlib
from flare_core.adapters.gateway import failpoints
def noted(act):
    return lambda name: (pathlib.Path(os.environ["STRUCK"]).touch(), act(name))
failpoints._ACTIONS.update({name: noted(act) for name, act in failpoints._ACTIONS.items()})
"""
"""In every process of a gateway, its solvers too: a file is made where a failpoint acts."""


@dataclass(slots=True)
class Told:
    """What one lane's clients were told."""

    words: list[Word] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    revoked: dict[str, str] = field(default_factory=dict)


class NoAnswerError(Exception):
    """The gateway is dead, or hangs."""


@dataclass(slots=True)
class Visitor:
    """A client that does everything once."""

    http: httpx.AsyncClient
    url: str
    token: str
    told: Told

    async def visit(self, name: str) -> None:
        """Submit, be refused, be offered, accept, make and revoke tokens, run, cancel."""
        one = await self._submit(f"{name}-one", intent(f"{name}-one"))
        await self._submit(f"{name}-no", intent(f"{name}-no", {"count": 16}))
        stretch = {"price_flexibility": 0.15, "fallback_strategy": "fail"}
        short = {"max_hourly_cost": "0.95 EUR", "negotiation": stretch}
        offered = await self._submit(f"{name}-more", intent(f"{name}-more", constraints=short))
        await self._accept(offered)
        ends = await self._submit(f"{name}-job", job(f"{name}-job", "1s"))
        await self._tokens(name)
        await self._until_over(ends)
        if one.intent is not None:
            said = await self._send("DELETE", f"intents/{one.intent}")
            self.told.cancelled += [one.intent] if said.status == 202 else []
        await asyncio.sleep(PAUSE_S)  # what was cancelled is released behind its answer

    async def _send(self, method: str, path: str, json: Json | None = None, **headers: str) -> Answer:
        said = await send(self.http, method, f"{self.url}/api/v1/{path}", self.token, json=json, **headers)
        if said.status is None:
            raise NoAnswerError
        return said

    async def _submit(self, name: str, body: Json) -> Answer:
        self.told.words.append(Word(name, None))
        said = await self._send("POST", "intents", json=body, idempotency_key=name)
        self.told.words[-1] = Word(name, said.status, said.intent)
        return said

    async def _accept(self, offered: Answer) -> None:
        found = offered
        for _ in range(10):
            if not isinstance(found.body, dict) or found.status not in (200, 201, 202):
                return
            if found.body.get("offer"):
                intent = found.body["intent_id"]
                await self._send("POST", f"intents/{intent}/accept", {"token": found.body["offer"]["token"]})
                return
            await asyncio.sleep(0.1)
            found = await self._send("GET", f"intents/{offered.intent}")

    async def _tokens(self, name: str) -> None:
        for number in range(2):
            asked = {"name": f"{name}-{number}", "expires_in": "1d"}
            said = await self._send("POST", "auth/tokens", asked)
            if said.status == 201:
                self.told.made[said.body["token_id"]] = said.body["token"]
        for token in list(self.told.made)[-1:]:
            secret = self.told.made.pop(token)  # what a revocation without an answer has done is open
            said = await self._send("DELETE", f"auth/tokens/{token}")
            if said.status == 200:
                self.told.revoked[token] = secret

    async def _until_over(self, accepted: Answer) -> None:
        end = asyncio.get_running_loop().time() + LONG_S
        while accepted.intent is not None and asyncio.get_running_loop().time() < end:
            said = await self._send("GET", f"intents/{accepted.intent}")
            if said.status == 200 and said.body["status"] == "completed":
                return
            await asyncio.sleep(0.1)


async def visit(gateway: Gateway, token: str, told: Told, name: str, patience_s: float = 20) -> None:
    async with client(timeout_s=patience_s) as http:
        with suppress(NoAnswerError):
            await Visitor(http, gateway.url, token, told).visit(name)


def strike(gateways: Fleet, token: str, told: Told, point: str, action: str) -> bool:
    """Run a gateway that is armed at a point, and everything against it; return whether it came there."""
    [gateway] = gateways.gateways
    gateway.failpoints, struck = f"{point}={action}", gateway.folder / "struck"
    struck.unlink(missing_ok=True)
    gateway.start()
    await_true(lambda: struck.exists() or not gateway.runs or gateway.is_ready(), 60)
    if gateway.runs and not point.startswith("migrate"):
        name = f"{point}-{action}".replace(".", "-").replace("_", "-")
        asyncio.run(visit(gateway, token, told, name, HUNG_S if action == "hang" else 20))
    gateway.kill()
    return struck.exists()


def lane(folder: Path, cases: Sequence[tuple[str, str]]) -> list[str]:
    """Strike at each point, then recover; return what is wrong."""
    folder.mkdir()
    url = f"sqlite:///{folder / 'flare.db'}"
    settings = {"submit_wait_s": 2.0, "batch_window_s": 0.0, "request_timeout_s": 3.0, "lease_s": 1.0}
    settings["solve_time_limit_s"] = 1.0
    with fleet(url, folder, stock.ample(), count=0) as empty:
        own = {"store_url": url, "inventory": [str(folder / "offers.json")], "poll_s": 0.1} | UNLIMITED
        (folder / "sitecustomize.py").write_text(NOTED)
        gateway = Gateway(folder / "gateway", own | settings, {"provider": str(empty.provider)})
        gateway.environment = {"PYTHONPATH": str(folder), "STRUCK": str(folder / "gateway" / "struck")}
        gateways = Fleet(url, [gateway], empty.stock, empty.provider)
        try:
            return struck(gateways, cases)
        finally:
            gateway.kill() if gateway.process else None


def struck(gateways: Fleet, cases: Sequence[tuple[str, str]]) -> list[str]:
    """Strike at the points of migrations while there is no table yet, each the first time that it can be."""
    told, wrong, token = Told(), [], ""
    for point, action in sorted(cases, key=lambda case: not case[0].startswith("migrate")):
        if point.startswith("migrate"):
            emptied(gateways.url)
        token = "" if point.startswith("migrate") else token or token_for(gateways.url)
        if not strike(gateways, token, told, point, action):
            wrong.append(f"{point} {action}: never came there")
        if token:
            wrong += [f"{point} {action}: {fault}" for fault in audit(gateways.books(), gateways.stock)]
    return wrong + recovered(gateways, token or token_for(gateways.url), told)


def emptied(url: str) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        (path.parent / name).unlink(missing_ok=True)


def token_for(url: str) -> str:
    with ONE_MIGRATION:
        return tokens_for(url, ["ada"])["ada"]


def recovered(gateways: Fleet, token: str, told: Told) -> list[str]:
    """Start a gateway that is not armed; return what is wrong once it has recovered everything."""
    [gateway] = gateways.gateways
    gateway.failpoints = ""
    gateway.start().until_ready()
    wrong = [*gateways.faults(told.words), *promise_faults(gateways.books(), told.words)]
    states = gateways.books().states
    wrong += [f"{i}: cancelled, and is {states[i]}" for i in told.cancelled if states[i] != "cancelled"]
    for secrets, status in ((told.made, 200), (told.revoked, 401)):
        for name, secret in secrets.items():
            headers = {"Authorization": f"Bearer {secret}"}
            found = httpx.get(f"{gateway.url}/api/v1/auth/verify", headers=headers, timeout=10).status_code
            wrong += [f"{name}: {found} where {status} was acknowledged"] if found != status else []
    asyncio.run(visit(gateway, token, told, "after"))
    acknowledged = [word.status for word in told.words if word.name.startswith("after")]
    return wrong + ([] if acknowledged == [201, 409, 202, 201] else [f"after all: {acknowledged}"])


def r2(folder: Path, cases: Sequence[tuple[str, str]], lanes: int) -> None:
    with ThreadPoolExecutor(lanes) as pool:
        parts = [cases[i::lanes] for i in range(lanes)]
        found = pool.map(lane, [folder / f"lane-{i}" for i in range(lanes)], parts)
        wrong = [fault for own in found for fault in own]
    tell(
        "R2",
        points=len({point for point, _ in cases}),
        cases=len(cases),
        wrong="".join(f"\n{w}" for w in wrong),
    )
    assert wrong == []


def test_r2_there_are_enough_points() -> None:
    assert len(POINTS) >= 25


def test_r2_some_crash_points_are_survived(tmp_path: Path) -> None:
    r2(tmp_path, [(point, "kill") for point in ("place.after_commit", "backend.commit.after")], lanes=1)


@pytest.mark.t1
def test_r2_every_crash_point_is_survived(tmp_path: Path) -> None:
    r2(tmp_path, CASES, LANES)
