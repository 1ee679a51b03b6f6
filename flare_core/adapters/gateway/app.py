"""The gateway as an ASGI application: run by itself, or mounted into somebody else's."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from itertools import groupby
from operator import attrgetter

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from flare_core.adapters.gateway.backend import Backend
from flare_core.adapters.gateway.http.desk import Desk
from flare_core.adapters.gateway.http.dispatch import Dispatch, no_such_path
from flare_core.adapters.gateway.http.guard import Guard
from flare_core.adapters.gateway.http.openapi import document
from flare_core.adapters.gateway.http.table import OPERATIONS
from flare_core.adapters.gateway.observer import Observer
from flare_core.adapters.gateway.service import Clock, Gateway, utc_now
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.work.solver import Solver


def create_app(
    settings: Settings,
    *,
    backend: Backend | None = None,
    store: Store | None = None,
    clock: Clock = utc_now,
    solvers: tuple[Solver, Solver] | None = None,
) -> Starlette:
    """Return the gateway as an application; its lifespan starts and stops it.

    Parameters
    ----------
    settings
        How it works.
    backend
        Who runs what was chosen; None is the one that the settings name.
    store
        An open store; None opens the one that the settings name.
    clock
        The time.
    solvers
        Who places, and who answers questions; None starts processes of its own.

    Notes
    -----
    Where it is mounted below a path of another application, that one must run its lifespan, since ASGI sends
    it to the outermost one alone; until then every answer is 503::

        gateway = create_app(settings)


        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            async with gateway.router.lifespan_context(gateway):
                yield


        app = Starlette(routes=[Mount("/flare", gateway)], lifespan=lifespan)
    """
    gateway = Gateway(settings, backend=backend, store=store, clock=clock, solvers=solvers)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(gateway.start)
        app.state.desk = Desk(gateway, openapi)
        try:
            yield
        finally:
            await app.state.desk.close()
            app.state.desk = None
            await asyncio.to_thread(gateway.stop, settings.stop_timeout_s)

    middleware = [Middleware(Observer, gateway=gateway), Middleware(Guard)]
    answers = {HTTPException: no_such_path}
    app = Starlette(routes=routes(), middleware=middleware, exception_handlers=answers, lifespan=lifespan)
    app.router.redirect_slashes = False  # a redirect would be written with a host that the client has named
    app.state.gateway = gateway
    return app


@cache
def openapi(server: str) -> bytes:
    """Return the OpenAPI document for a gateway that clients find below a path."""
    return json.dumps(document(OPERATIONS, version=version("flare-core"), server=server)).encode()


def routes() -> list[Route]:
    """Return one route for each path of the table."""
    by_path = groupby(sorted(OPERATIONS, key=attrgetter("path")), key=attrgetter("path"))
    return [Route(path, Dispatch(list(operations)), name=path) for path, operations in by_path]
