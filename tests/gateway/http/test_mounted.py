"""Inside of somebody else's application, below a path of theirs."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from flare_core.adapters.gateway.app import create_app
from flare_core.adapters.gateway.store import open_store
from tests.gateway.http.conftest import settings_in
from tests.gateway.http.site import Site, intent


@pytest.fixture
def inner(tmp_path: Path) -> Starlette:
    return create_app(settings_in(tmp_path))


@pytest.fixture
def outer(inner: Starlette) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with inner.router.lifespan_context(inner):
            yield

    async def hello(request: object) -> PlainTextResponse:
        return PlainTextResponse("hello")

    return Starlette(routes=[Mount("/flare", inner), Route("/", hello)], lifespan=lifespan)


@pytest.fixture
def client(outer: Starlette) -> Iterator[TestClient]:
    with TestClient(outer) as client:
        yield client


def test_a_mounted_gateway_knows_where_it_is(client: TestClient, inner: Starlette) -> None:
    site = Site(inner, client, 0)  # type: ignore[arg-type]  # minting needs no client
    client.headers["Authorization"] = f"Bearer {site.mint('ada')}"
    assert client.get("/").text == "hello"
    answer = client.post("/flare/api/v1/intents", json=intent("mounted"))
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"].startswith("/flare/api/v1/intents/intent-")
    assert client.get(answer.headers["location"]).json()["workload"]["name"] == "mounted"
    again = client.post("/flare/api/v1/auth/tokens", json={"name": "t"})
    assert client.delete(again.headers["location"]).status_code == 200
    assert client.get("/flare/openapi.json").json()["servers"] == [{"url": "/flare"}]
    problem = client.get("/flare/nothing", headers={"Accept": "application/problem+json"}).json()
    assert problem["type"] == "/flare/docs/errors#NOT_FOUND"
    assert client.get("/flare/docs/errors").status_code == 200
    assert client.get("/api/v1/intents").status_code == 404


def test_a_gateway_whose_lifespan_is_not_run_says_so(inner: Starlette) -> None:
    client = TestClient(Starlette(routes=[Mount("/flare", inner)]))
    answer = client.get("/flare/healthz")
    assert (answer.status_code, answer.json()["error_code"]) == (503, "UNAVAILABLE")
    assert "not been started" in answer.json()["message"]


def test_it_stops_with_the_application_around_it(outer: Starlette, inner: Starlette) -> None:
    with TestClient(outer) as client:
        assert client.get("/flare/healthz").status_code == 200
    assert inner.state.desk is None
    assert client.get("/flare/healthz").status_code == 503


def test_a_store_and_a_clock_of_ones_own_are_used(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    store = open_store(settings)
    app = create_app(settings, store=store)
    assert app.state.gateway.store is store
    with TestClient(app) as client:
        assert client.get("/healthz").status_code == 200
