"""What the gateway says of itself."""

from functools import partial
from typing import Final

from starlette.responses import Response

from flare_core.adapters.gateway.http import page
from flare_core.adapters.gateway.http.answers import said
from flare_core.adapters.gateway.http.models import Health, Ready
from flare_core.adapters.gateway.http.operation import Call
from flare_core.adapters.gateway.metrics import render

_FINE: Final = "ok"


async def healthy(call: Call) -> Response:
    """Tell that the process answers; asks nobody."""
    return said(Health())


async def ready(call: Call) -> Response:
    """Tell whether the gateway does its work; what exactly is wrong stands in the log."""
    found = await call.desk.books.run(call.desk.gateway.ready)
    checks = {name: _FINE if text == _FINE else "not ok" for name, text in found.checks.items()}
    return said(Ready(status="ready" if found.ok else "not_ready", checks=checks), 200 if found.ok else 503)


async def metrics(call: Call) -> Response:
    """Tell what is counted, for Prometheus."""
    body, media = await call.desk.books.run(partial(render, call.desk.gateway))
    return Response(body, headers={"Content-Type": media})


async def docs(call: Call) -> Response:
    """Show the interactive page."""
    return page.response(call.request, call.request.path_params.get("name", ""))


async def openapi(call: Call) -> Response:
    """Tell the OpenAPI document."""
    return Response(call.desk.openapi(call.url("") or "/"), media_type="application/json")
