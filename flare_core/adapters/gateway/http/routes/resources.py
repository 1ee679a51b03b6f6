"""What there is to be had."""

from starlette.responses import Response

from flare_core.adapters.gateway.http.answers import said
from flare_core.adapters.gateway.http.available import available
from flare_core.adapters.gateway.http.models import Resources, ResourcesQuery
from flare_core.adapters.gateway.http.operation import Call


async def list_free(call: Call) -> Response:
    """Tell the free GPUs."""
    asked, gateway = call.asked(ResourcesQuery), call.desk.gateway

    def work() -> Response:
        gpus = available(gateway.free(), asked.model, asked.provider, asked.location)
        return said(Resources(available_gpus=gpus))

    return await call.desk.books.run(work)
