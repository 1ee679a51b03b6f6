"""The placement explorer: its page, and the one question that it asks."""

import gzip
from functools import partial

from starlette.responses import Response

from flare_core.adapters.explorer.pages import POLICY, asset, names
from flare_core.adapters.explorer.question import Question
from flare_core.adapters.gateway.errors import NotFoundError
from flare_core.adapters.gateway.http.answers import told
from flare_core.adapters.gateway.http.bodies import read_json
from flare_core.adapters.gateway.http.operation import Call
from flare_core.adapters.gateway.tokens import Permission


async def ui(call: Call) -> Response:
    """Show the page, or one of its files."""
    name = call.request.path_params.get("name", "")
    if name not in names():
        raise NotFoundError("page")
    found = asset(name, gateway=True)
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if "gzip" in call.request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.body, headers=headers, media_type=found.media_type)
    return Response(gzip.decompress(found.body), headers=headers, media_type=found.media_type)


async def explore(call: Call) -> Response:
    """Answer the page; what it tells of offers is more than a dry run does."""
    call.token.require(Permission.RESOURCES_READ)
    settings, gateway = call.desk.settings, call.desk.gateway
    asked = await call.desk.books.run(partial(read_json, Question, call.body, settings.max_body_bytes))
    return await call.desk.solver.run(lambda: told(gateway.explore(asked, settings.solve_time_limit_s)))
