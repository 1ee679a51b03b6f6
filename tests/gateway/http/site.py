"""A whole gateway behind a real server in this process, and people with tokens for it."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette

from flare_core.adapters.cli.serving import MAX_HEADER_BYTES, listening
from flare_core.adapters.gateway.app import create_app
from flare_core.adapters.gateway.service import Gateway
from flare_core.adapters.gateway.settings import Limit, Settings
from flare_core.adapters.gateway.tokens import Permission, Token, mint, verify

Json = dict[str, Any]

MUCH = Limit(1_000_000, 60, 1_000_000)
UNLIMITED: Mapping[str, Any] = {"per_token": MUCH, "per_address": MUCH, "failures": MUCH}
PATIENT_S = 60.0


@dataclass(frozen=True, slots=True)
class Site:
    """A gateway that is being served.

    Attributes
    ----------
    http
        A client without a token.
    """

    app: Starlette
    http: httpx.Client
    port: int

    @property
    def gateway(self) -> Gateway:
        gateway: Gateway = self.app.state.gateway
        return gateway

    def mint(
        self, user: str, *permissions: Permission, life_s: int = 3600, now: datetime | None = None
    ) -> str:
        """Make a token; without permissions it has all but ``admin:*``."""
        own = frozenset(permissions) or frozenset(Permission) - {Permission.ADMIN}
        with self.gateway.store.write() as connection:
            made = mint(
                connection,
                user,
                "a test's",
                now or datetime.now(UTC),
                permissions=own,
                life_s=life_s,
                settings=self.gateway.settings,
            )
        return made.secret

    def token(self, secret: str) -> Token:
        with self.gateway.store.read() as connection:
            return verify(connection, secret, datetime.now(UTC))

    def user(self, name: str, *permissions: Permission) -> httpx.Client:
        """Return a client of a user."""
        return self.client(self.mint(name, *permissions))

    def client(self, secret: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx.Client(base_url=self.http.base_url, headers=headers, timeout=PATIENT_S)


@contextmanager
def serving(settings: Settings, *, ready: bool = True) -> Iterator[Site]:
    """Serve a gateway on a free port; without `ready` its solver may still be starting."""
    app = create_app(settings)
    bound = listening(settings.model_copy(update={"port": 0}))
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    port = bound.getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENT_S) as http:
            _await_up(http, "/readyz" if ready else "/healthz")
            yield Site(app, http, port)
    finally:
        server.should_exit = True
        thread.join(PATIENT_S)
        bound.close()


def _await_up(http: httpx.Client, path: str) -> None:
    until = time.monotonic() + PATIENT_S
    while http.get(path).status_code != 200:
        assert time.monotonic() < until, http.get(path).text
        time.sleep(0.05)


# --- what there is, and what is asked for ---------------------------------------------------------------


def offer(name: str, model: str, gpus: int, nodes: int | None, hourly: str, **more: Any) -> Json:
    return {
        "id": name,
        "provider": "provider-1",
        "region": "eu-west-1",
        "zone": "eu-west-1a",
        "country": "IE",
        "nodes": nodes,
        "price": {"hourly": f"{hourly} EUR/hour", "billing": "gpu"},
        "cpu": "192",
        "memory": "2Ti",
        "storage": "20Ti",
        "gpu": {"model": model, "count": gpus} | ({"memory": "80Gi"} if model == "nvidia-h100" else {}),
        "performance": {"latency_ms": 18, "uptime_percent": 99.95, "cold_start_time": "0s"},
    } | more


OFFERS = (
    offer("eu-h100", "nvidia-h100", 8, 40, "32.00"),
    offer(
        "us-h100",
        "nvidia-h100",
        8,
        None,
        "40.00",
        provider="provider-2",
        region="us-east-1",
        zone=None,
        country="US",
        price={"hourly": "40.00 EUR/hour", "spot_hourly": "16.00 EUR/hour"},
    ),
    offer("one-t4", "nvidia-t4", 1, 1, "0.40", provider="provider-3", region="eu-central-1", country="DE"),
)


def written(folder: Path, *offers: Json) -> Path:
    path = folder / "offers.json"
    path.write_text(json.dumps({"version": 1, "offers": offers or OFFERS}))
    return path


def intent(name: str, *, model: str = "nvidia-h100", count: int = 1, **more: Any) -> Json:
    """A service on GPUs in Europe; `more` goes into the sections of the intent by their names."""
    gpu = {"model": model, "count": count} | more.pop("gpu", {})
    workload: Json = {"type": "service", "name": name, "image": "app:1", "resources": {"gpu": gpu}}
    workload |= more.pop("workload", {})
    constraints = {"location": "EU"} | more.pop("constraints", {})
    inside = {"objective": "Cost_Minimization", "workload": workload, "constraints": constraints} | more
    return {"intent": inside}
