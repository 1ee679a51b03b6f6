"""The operations of the API: the one list that routes, checks and the OpenAPI document are made from."""

from typing import Final

from flare_core.adapters.explorer.question import Question
from flare_core.adapters.gateway.errors import GatewayCode
from flare_core.adapters.gateway.http import models
from flare_core.adapters.gateway.http.operation import Header, Operation, Said
from flare_core.adapters.gateway.http.routes import events, explorer, intents, resources, service, tokens
from flare_core.adapters.gateway.keys import LONGEST
from flare_core.adapters.gateway.tokens import Permission
from flare_core.errors import ErrorCode

INTENTS: Final = "/api/v1/intents"
TOKENS: Final = "/api/v1/auth/tokens"
STREAM: Final = "text/event-stream"

_KEY: Final = Header(
    "Idempotency-Key",
    "A request that is sent again with the same key has no further effect, and gets the first one's answer.",
    {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[ -~]+$"},
)
_TAG: Final = {"type": "string", "examples": ['"3"']}
_TAGS: Final = {
    "type": "string",
    "pattern": r'^(\*|(W/)?"[!#-~]+"( *, *(W/)?"[!#-~]+")*)$',
    "examples": ['"3"'],
}
_IF_MATCH: Final = Header(
    "If-Match", "Only if the intent is still of this version, as `ETag` told it.", _TAGS
)
_IF_NONE_MATCH: Final = Header("If-None-Match", "Only if the intent is no longer of this version.", _TAGS)
_LAST_EVENT: Final = Header(
    "Last-Event-ID",
    "The last event that was seen: go on after it.",
    {"type": "string", "pattern": "^[0-9]{1,18}$"},
)
_ETAG: Final = Header("ETag", "The version of the intent.", _TAG)
_LOCATION: Final = Header("Location", "Where it is now.", {"type": "string", "format": "uri-reference"})
_REPLAYED: Final = Header(
    "Idempotent-Replayed", "This is the answer to an earlier request.", {"type": "string", "const": "true"}
)

_RETRY: Final = (GatewayCode.IDEMPOTENCY_KEY_REUSED, GatewayCode.CONFLICT)
_REFUSALS: Final = (
    ErrorCode.INSUFFICIENT_RESOURCES,
    ErrorCode.GPU_MODEL_UNAVAILABLE,
    ErrorCode.GPU_MEMORY_INSUFFICIENT,
    ErrorCode.GPU_COUNT_INSUFFICIENT,
    ErrorCode.REGION_UNAVAILABLE,
    ErrorCode.COST_LIMIT_EXCEEDED,
    ErrorCode.QUOTA_EXCEEDED,
)

_INTENTS: Final = (
    Operation(
        id="submitIntent",
        method="POST",
        path=INTENTS,
        handler=intents.submit,
        summary="Submit a workload intent",
        description=(
            "Accepts the intent durably and waits up to about a second for its place. `201`: it is placed, "
            "with estimates. `202`: it is not solved yet, or waits for capacity; a later refusal is `failed` "
            "in its status. With `dry_run=true` nothing is stored, and the plan is the answer, also where it "
            "rejects."
        ),
        tag="Intents",
        needs=Permission.INTENTS_WRITE,
        query=models.SubmitQuery,
        body=models.IntentDocument,
        headers=(_KEY,),
        says={
            200: Said(description="The plan of a dry run.", model=models.Plan),
            201: Said(description="Placed.", model=models.Submitted, headers=(_LOCATION, _REPLAYED)),
            202: Said(description="Accepted.", model=models.Submitted, headers=(_LOCATION, _REPLAYED)),
        },
        errors=(*_REFUSALS, *_RETRY),
    ),
    Operation(
        id="listIntents",
        method="GET",
        path=INTENTS,
        handler=intents.list_own,
        summary="List intents",
        description="Newest first. `next_cursor` leads to the next page.",
        tag="Intents",
        needs=Permission.INTENTS_READ,
        query=models.ListQuery,
        says={200: Said(description="A page of intents.", model=models.IntentPage)},
    ),
    Operation(
        id="getIntent",
        method="GET",
        path=f"{INTENTS}/{{intent_id}}",
        handler=intents.get,
        summary="Get an intent's status",
        tag="Intents",
        needs=Permission.INTENTS_READ,
        headers=(_IF_NONE_MATCH,),
        says={
            200: Said(description="Its status.", model=models.IntentDetail, headers=(_ETAG,)),
            304: Said(
                description="It is still of that version, and does not run.", media=None, headers=(_ETAG,)
            ),
        },
    ),
    Operation(
        id="cancelIntent",
        method="DELETE",
        path=f"{INTENTS}/{{intent_id}}",
        handler=intents.cancel,
        summary="Cancel an intent",
        description="A second time changes nothing. What has completed or failed cannot be cancelled.",
        tag="Intents",
        needs=Permission.INTENTS_DELETE,
        headers=(_IF_MATCH,),
        says={202: Said(description="Its status.", model=models.IntentDetail, headers=(_ETAG,))},
        errors=(GatewayCode.CONFLICT,),
    ),
    Operation(
        id="acceptOffer",
        method="POST",
        path=f"{INTENTS}/{{intent_id}}/accept",
        handler=intents.accept,
        summary="Accept an offer of negotiation",
        tag="Intents",
        needs=Permission.INTENTS_WRITE,
        body=models.AcceptOffer,
        headers=(_IF_MATCH,),
        says={200: Said(description="Its status.", model=models.IntentDetail, headers=(_ETAG,))},
        errors=(GatewayCode.CONFLICT, *_REFUSALS),
    ),
    Operation(
        id="explainIntent",
        method="GET",
        path=f"{INTENTS}/{{intent_id}}/explanation",
        handler=intents.explain,
        summary="Explain an intent's placement",
        description="Why it is where it is, or why it is not placed, on what is free now.",
        tag="Intents",
        needs=Permission.INTENTS_READ,
        says={200: Said(description="The explanation.", model=models.Explanation)},
        errors=(GatewayCode.CONFLICT,),
    ),
    Operation(
        id="watchIntent",
        method="GET",
        path=f"{INTENTS}/{{intent_id}}/events",
        handler=events.of_intent,
        summary="Watch an intent",
        description="Server-sent events from its beginning, or after `Last-Event-ID`, until its end.",
        tag="Events",
        needs=Permission.INTENTS_READ,
        headers=(_LAST_EVENT,),
        says={
            200: Said(description="Events.", model=models.EventData, media=STREAM),
            204: Said(description="It has ended, and nothing more will come.", media=None),
        },
    ),
    Operation(
        id="watchIntents",
        method="GET",
        path="/api/v1/events",
        handler=events.of_user,
        summary="Watch all intents",
        description="Server-sent events from now on, or after `Last-Event-ID`; 0 is everything that is kept.",
        tag="Events",
        needs=Permission.INTENTS_READ,
        headers=(_LAST_EVENT,),
        says={200: Said(description="Events.", model=models.EventData, media=STREAM)},
    ),
)

_RESOURCES: Final = (
    Operation(
        id="listResources",
        method="GET",
        path="/api/v1/resources",
        handler=resources.list_free,
        summary="Get available resources",
        description=(
            "Whole GPUs that are free now, counted by model, memory, place, provider and price. `count` is "
            "null where one gets as many as one pays for."
        ),
        tag="Resources",
        needs=Permission.RESOURCES_READ,
        query=models.ResourcesQuery,
        says={200: Said(description="What is free.", model=models.Resources)},
    ),
)

_EXPLORER: Final = (
    Operation(
        id="explore",
        method="POST",
        path="/api/v1/explore",
        handler=explorer.explore,
        summary="Ask what an intent would come to",
        description=(
            "What the placement explorer shows: the placement, where it lies, what each constraint removed, "
            "why it is so, the compromises. Nothing is stored. The intent is sent as text; what is wrong "
            "with it is listed under `errors` of an answer `200`. It also takes `resources:read`."
        ),
        tag="Explorer",
        needs=Permission.INTENTS_WRITE,
        body=Question,
        says={200: Said(description="What was found.", model=models.Explored)},
    ),
    Operation(
        id="ui",
        method="GET",
        path="/ui",
        handler=explorer.ui,
        summary="The placement explorer",
        tag="Explorer",
        is_open=True,
        says={200: Said(description="The page.", media="text/html")},
    ),
    Operation(
        id="uiFile",
        method="GET",
        path="/ui/{name}",
        handler=explorer.ui,
        summary="A part of the placement explorer",
        tag="Explorer",
        is_open=True,
        says={200: Said(description="The part.", media="*/*")},
    ),
)

_TOKENS: Final = (
    Operation(
        id="createToken",
        method="POST",
        path=TOKENS,
        handler=tokens.create,
        summary="Create an API token",
        description=(
            "The secret is shown this once. It cannot give permissions that the maker's token does not have. "
            "A key that was used makes no second token, and shows the first one no more: `CONFLICT`."
        ),
        tag="Tokens",
        needs=Permission.TOKENS_MANAGE,
        body=models.CreateToken,
        headers=(_KEY,),
        says={201: Said(description="The token.", model=models.TokenCreated, headers=(_LOCATION,))},
        errors=_RETRY,
    ),
    Operation(
        id="listTokens",
        method="GET",
        path=TOKENS,
        handler=tokens.list_own,
        summary="List API tokens",
        tag="Tokens",
        query=models.TokensQuery,
        says={200: Said(description="The tokens, without their secrets.", model=models.TokenList)},
        errors=(ErrorCode.INSUFFICIENT_PERMISSIONS,),
    ),
    Operation(
        id="revokeToken",
        method="DELETE",
        path=f"{TOKENS}/{{token_id}}",
        handler=tokens.end,
        summary="Revoke an API token",
        description="At once and for good. Another user's takes `tokens:manage`.",
        tag="Tokens",
        says={200: Said(description="It is revoked.", model=models.TokenRevoked)},
    ),
    Operation(
        id="verifyToken",
        method="GET",
        path="/api/v1/auth/verify",
        handler=tokens.verify,
        summary="Verify a token",
        tag="Tokens",
        says={200: Said(description="Whose it is.", model=models.Verified)},
    ),
)

_SERVICE: Final = (
    Operation(
        id="health",
        method="GET",
        path="/healthz",
        handler=service.healthy,
        summary="Whether the process answers",
        tag="Service",
        is_open=True,
        says={200: Said(description="It does.", model=models.Health)},
    ),
    Operation(
        id="ready",
        method="GET",
        path="/readyz",
        handler=service.ready,
        summary="Whether the gateway does its work",
        description="`503` with the same body where it does not.",
        tag="Service",
        is_open=True,
        says={200: Said(description="It does.", model=models.Ready)},
    ),
    Operation(
        id="metrics",
        method="GET",
        path="/metrics",
        handler=service.metrics,
        summary="Metrics for Prometheus",
        tag="Service",
        needs=Permission.ADMIN,
        says={200: Said(description="The metrics.", media="text/plain")},
    ),
    Operation(
        id="openapi",
        method="GET",
        path="/openapi.json",
        handler=service.openapi,
        summary="This document",
        tag="Service",
        is_open=True,
        says={200: Said(description="The OpenAPI document.")},
    ),
    Operation(
        id="docs",
        method="GET",
        path="/docs",
        handler=service.docs,
        summary="The interactive page",
        tag="Service",
        is_open=True,
        says={200: Said(description="The page.", media="text/html")},
    ),
    Operation(
        id="docsFile",
        method="GET",
        path="/docs/{name}",
        handler=service.docs,
        summary="A part of the interactive page",
        tag="Service",
        is_open=True,
        says={200: Said(description="The part.", media="*/*")},
    ),
)

OPERATIONS: Final[tuple[Operation, ...]] = (*_INTENTS, *_RESOURCES, *_EXPLORER, *_TOKENS, *_SERVICE)
