"""Clients of several gateways, and what each of them was told."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from flare_core.adapters.gateway.settings import DAY_S, Settings
from flare_core.adapters.gateway.store import open_store
from flare_core.adapters.gateway.tokens import Permission, mint
from tests.gateway.promises.audit import Word

Json = dict[str, Any]

MUCH = {"count": 1_000_000, "period_s": 60, "burst": 1_000_000}
UNLIMITED: dict[str, Any] = {"per_token": MUCH, "per_address": MUCH, "failures": MUCH}
"""Settings of a gateway whose rate limits are not what is tested."""
NO_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; no status where nothing did."""

    status: int | None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    took_s: float = 0.0

    @property
    def intent(self) -> str | None:
        accepted = isinstance(self.body, dict) and self.status in (201, 202)
        return self.body.get("intent_id") if accepted else None

    @property
    def code(self) -> str | None:
        return self.body.get("error_code") if isinstance(self.body, dict) else None


def tokens_for(url: str, users: Sequence[str]) -> dict[str, str]:
    """Return a token with every permission for each user."""
    settings = Settings(store_url=url, store_wait_s=30)
    store = open_store(settings)
    now = datetime.now(UTC)
    everything = frozenset(Permission)
    with store.write() as connection:
        made = {
            user: mint(
                connection, user, "load", now, permissions=everything, life_s=10 * DAY_S, settings=settings
            )
            for user in users
        }
    store.close()
    return {user: minted.secret for user, minted in made.items()}


async def send(
    http: httpx.AsyncClient, method: str, url: str, token: str, *, json: Any = None, **headers: str
) -> Answer:
    """Send a request; a gateway that dies meanwhile is no answer."""
    began = time.perf_counter()
    own = {"Authorization": f"Bearer {token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
    try:
        response = await http.request(method, url, json=json, headers=own)
    except httpx.TransportError:
        return Answer(None, took_s=time.perf_counter() - began)
    is_json = "json" in response.headers.get("content-type", "")
    body = response.json() if is_json else response.text
    return Answer(response.status_code, body, response.headers, time.perf_counter() - began)


def client(timeout_s: float = NO_ANSWER_S, connections: int = 2000) -> httpx.AsyncClient:
    """Return a client without retries of its own."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(timeout=timeout_s, limits=limits)


# --- intents ----------------------------------------------------------------------------------------


def intent(
    name: str, gpu: Json | None = None, *, kind: str = "service", queue: bool = False, **more: Any
) -> Json:
    """Return an intent; in a federation of H100s, one of them is what it asks for unless it says."""
    resources: Json = {"cpu": "2", "memory": "4Gi"} | more.pop("resources", {})
    if gpu is None or gpu:
        resources["gpu"] = {"model": "nvidia-h100", "count": 1} | (gpu or {})
    workload: Json = {"type": kind, "name": name, "image": "registry.example/work:1", "resources": resources}
    constraints = dict(more.pop("constraints", {}))
    if queue:
        constraints["negotiation"] = {
            "fallback_strategy": "queue",
            "price_flexibility": 0,
            "resource_flexibility": 0,
        }
    return {
        "intent": {
            "objective": more.pop("objective", "Cost_Minimization"),
            "workload": workload | more,
            "constraints": constraints,
        }
    }


def job(name: str, timeout: str, gpu: Json | None = None, *, tasks: int = 1, **more: Any) -> Json:
    """Return a job that is over after so long."""
    return intent(name, gpu, kind="job", job={"timeout": timeout, "parallel_tasks": tasks}, **more)


def of_any_kind(rng: random.Random, name: str) -> Json:
    """Return one of the intents that compete for the same nodes."""
    queue = rng.random() < 0.5
    draw = rng.random()
    if draw < 0.3:
        return intent(name, {"count": rng.choice((1, 2, 4))}, queue=queue)
    if draw < 0.45:
        return intent(name, scaling={"min_replicas": 2, "max_replicas": 2}, queue=queue)
    if draw < 0.6:
        return job(name, rng.choice(("1s", "2s", "3s")), {"count": rng.choice((1, 2))}, queue=queue)
    if draw < 0.75:
        return intent(name, {"shared": True, "memory": "10Gi"}, queue=queue)
    if draw < 0.9:
        memory = rng.choice(("10Gi", "20Gi", "40Gi"))
        return intent(name, {"multi_instance": True, "memory": memory}, queue=queue)
    return intent(name, {}, queue=queue)


# --- clients ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Crowd:
    """Clients that submit, cancel and look, at whichever gateway answers, until so many operations are done.

    Attributes
    ----------
    urls, tokens
        Of the gateways; a client for each token.
    operations
        How many in all.
    hold
        Intents that one client lets live at most.
    only_submit
        Whether nothing is cancelled or looked at; then only what was acknowledged counts as done.
    words
        What each submission was told.
    cancelled
        Intents whose cancellation was acknowledged.
    wrong
        Answers that no client should get.
    """

    urls: Sequence[str]
    tokens: Mapping[str, str]
    operations: int
    hold: int = 8
    only_submit: bool = False
    draw: Callable[[random.Random, str], Json] = of_any_kind
    seed: int = 1
    words: list[Word] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    done: int = 0
    statuses: dict[str, int] = field(default_factory=dict)

    async def run(self, beside: Callable[["Crowd"], Awaitable[None]] | None = None) -> None:
        """Let all clients work; `beside` is what is done to the gateways meanwhile."""
        async with client() as http:
            clients = [self._client(http, user) for user in self.tokens]
            await asyncio.gather(*clients, *([beside(self)] if beside else []))

    @property
    def over(self) -> bool:
        return self.done >= self.operations

    async def _client(self, http: httpx.AsyncClient, user: str) -> None:
        rng, mine, number = random.Random(f"{user}{self.seed}"), list[str](), 0
        while not self.over:
            self.done += not self.only_submit
            draw = 1.0 if self.only_submit else rng.random()
            if len(mine) >= self.hold or (mine and draw < 0.3):
                await self._cancel(http, rng, user, mine.pop(rng.randrange(len(mine))))
            elif mine and draw < 0.4:
                found = await self._send(http, rng, user, "GET", f"/api/v1/intents/{rng.choice(mine)}")
                if found.status == 404:
                    self.wrong.append(f"{user}: {found.body}")
            else:
                number += 1
                name = f"{user}-{self.seed}-{number}"
                said = await self._send(http, rng, user, "POST", "/api/v1/intents", json=self.draw(rng, name))
                self.words.append(Word(name, said.status, said.intent))
                mine += [said.intent] if said.intent else []
                self.done += self.only_submit and said.intent is not None

    async def _cancel(self, http: httpx.AsyncClient, rng: random.Random, user: str, intent: str) -> None:
        said = await self._send(http, rng, user, "DELETE", f"/api/v1/intents/{intent}")
        if said.status == 202:
            self.cancelled.add(intent)
        elif said.status == 404:
            self.wrong.append(f"{user}: {said.body}")

    async def _send(
        self, http: httpx.AsyncClient, rng: random.Random, user: str, method: str, path: str, json: Any = None
    ) -> Answer:
        url = rng.choice(self.urls)
        said = await send(http, method, url + path, self.tokens[user], json=json)
        what = f"{method} {said.status or 'no answer'} {said.code or ''}".strip()
        self.statuses[what] = self.statuses.get(what, 0) + 1
        if said.status is not None and said.status >= 500 and said.status != 503:
            self.wrong.append(f"{what}: {said.body}")
        if said.status is None:
            await asyncio.sleep(0.05)  # it is being started again
        return said
