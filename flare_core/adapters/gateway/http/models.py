"""What the API says and reads, as pydantic models: the OpenAPI document is made from them.

Answers hold the fields of both shapes that the API reference shows for them. What nobody reports is null.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from flare_core.adapters.gateway.life import State
from flare_core.adapters.gateway.tokens import Permission, TokenStatus
from flare_core.intent.fields import DurationS, Many, Misfit, Part
from flare_core.intent.types import Intent
from flare_core.quantities import format_moment

Status = Literal["pending", "running", "completed", "failed", "cancelled"]
"""The status words; ``cancelled`` comes to those of the API reference."""

Moment = Annotated[
    datetime,
    PlainSerializer(format_moment, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
Rate = Annotated[str, Field(examples=["8.50 EUR/hour"])]
Money = Annotated[str, Field(examples=["19.125 EUR"])]
Document = dict[str, Any]


class Answer(BaseModel):
    """A body that the API sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- errors ---------------------------------------------------------------------------------------------


class Suggestion(BaseModel):
    """A placement that exists, and what must be given up for it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    alternative: str
    cost_difference: str | None
    performance_impact: str | None


class ErrorKeys(Answer):
    """The keys of both error bodies of the API reference."""

    error_code: str
    code: str
    error: Annotated[str, Field(examples=["unauthorized", "forbidden"])]
    message: str
    suggestions: tuple[Suggestion, ...] = ()
    conflicts: Annotated[
        tuple[tuple[str, ...], ...],
        Field(description="Smallest sets of the intent's own constraints that rule everything out together."),
    ] = ()
    corrections: Annotated[
        tuple[Document, ...], Field(description="What to change in the intent, as JSON merge patches.")
    ] = ()
    path: Annotated[str | None, Field(description="Where in the request it is wrong.")] = None
    request_id: str


class Error(ErrorKeys):
    """An error."""

    status: Literal["error"] = "error"


class Problem(ErrorKeys):
    """An error as problem details (RFC 9457), where the client asks for them."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


# --- intents --------------------------------------------------------------------------------------------


class IntentDocument(Part):
    """A workload intent."""

    intent: Intent


class AcceptOffer(Part):
    """The acceptance of an offer of negotiation."""

    token: Annotated[str, Field(min_length=1, max_length=255, description="The token of the offer.")]


class Assignment(Answer):
    """One task on one node."""

    task: int
    offer: str
    node: int
    provider: str
    region: str
    zone: str | None
    gpu_model: str | None
    gpus: tuple[int, ...]
    mig_profile: str | None
    gpu_milli: int | None
    spot: bool
    efficiency: float
    hourly_cost: Rate
    start_time: str
    end_time: str | None


class GpuAllocation(Answer):
    """GPUs of one kind in one place."""

    model: str
    count: int
    location: str


class Estimates(Answer):
    """Where a workload goes; all null until it is placed.

    Over several offers provider and GPUs are those of the most expensive assignment; `assignments` has all.
    """

    estimated_cost: Rate | None = None
    estimated_total_cost: Money | None = None
    estimated_start_time: str | None = None
    selected_provider: str | None = None
    gpu_allocation: GpuAllocation | None = None
    assignments: tuple[Assignment, ...] = ()
    relaxed: tuple[Document, ...] = ()


class Offer(Answer):
    """An offer of negotiation: what would be placed under limits stretched as told, and how to accept it."""

    stretched: tuple[Document, ...]
    placement: Document
    valid_until: str
    token: Annotated[str, Field(description="What accepts it.")]


class Submitted(Answer):
    """An intent was accepted; estimates are null until it is placed."""

    intent_id: str
    status: Status
    message: str
    estimated_cost: Rate | None
    estimated_start_time: str | None
    data: Estimates
    offer: Offer | None = None


class Workload(Answer):
    """What runs."""

    name: str
    type: Literal["service", "job", "batch"]
    url: str | None
    start_time: Moment | None
    runtime: Annotated[str | None, Field(examples=["2h 15m"])]


class UsedGpu(Answer):
    """The GPUs of a workload."""

    model: str
    count: int
    utilization: Annotated[str | None, Field(examples=["85%"])]


class UsedResources(Answer):
    """Where a workload runs."""

    provider: str | None
    location: str | None
    gpu: UsedGpu | None


class Costs(Answer):
    """What a workload costs: per hour, and so far."""

    hourly_rate: Rate | None
    total_cost: Money
    currency: Literal["EUR"] = "EUR"


class Performance(Answer):
    """What the backend measures; null what it does not."""

    model_config = ConfigDict(extra="allow", frozen=True)

    latency_p50: str | None = None
    latency_p99: str | None = None
    throughput: str | None = None


class IntentStatus(Answer):
    """The state of an intent."""

    intent_id: str
    status: Status
    state: Annotated[State, Field(description="The status in detail: `pending` is also queued, reserved.")]
    version: Annotated[int, Field(description="Counts the changes of the intent; its `ETag`.")]
    message: str
    workload_url: str | None
    current_cost: Money
    runtime: str | None
    gpu_utilization: str | None
    estimated_cost: Rate | None
    estimated_start_time: str | None
    workload: Workload
    resources: UsedResources
    costs: Costs
    performance: Performance
    assignments: tuple[Assignment, ...]
    relaxed: tuple[Document, ...]
    created_at: Moment
    updated_at: Moment
    ended_at: Moment | None
    error: Document | None
    offer: Offer | None


class Transition(Answer):
    """One step in the life of an intent."""

    version: int
    status: Status
    state: State
    at: Moment
    reason: str


class IntentDetail(IntentStatus):
    """The state of an intent, and how it came there."""

    history: tuple[Transition, ...]


class IntentPage(Answer):
    """Intents, newest first."""

    intents: tuple[IntentStatus, ...]
    next_cursor: Annotated[str | None, Field(description="`cursor` of the next page, null at the end.")]


class Placement(BaseModel):
    """What became of one intent of a plan."""

    model_config = ConfigDict(extra="allow", frozen=True)

    intent: str
    status: Literal["placed", "queued", "rejected", "unknown"]
    relaxed: tuple[Document, ...]
    hourly_cost: Rate | None
    total_cost: Money | None
    start_time: str | None
    end_time: str | None
    latency_ms: float | None
    carbon_g_per_hour: float | None
    performance_tflops: float | None
    availability_percent: float | None
    headroom: Document | None
    assignments: tuple[Assignment, ...]
    offer: Document | None
    error: Document | None


class Plan(BaseModel):
    """What would be placed where; nothing is booked."""

    model_config = ConfigDict(extra="allow", frozen=True)

    status: Literal["optimal", "feasible", "infeasible", "unknown"]
    objective: float | dict[str, float] | None
    bound: float | dict[str, float] | None
    gap: float | None
    wall_time_s: float
    warnings: tuple[str, ...]
    placements: tuple[Placement, ...]


class Fault(BaseModel):
    """Something that is wrong with an intent, and where."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    path: str
    message: str


class Explored(BaseModel):
    """What the placement explorer is told; beside it what was asked for, unless the intent is wrong."""

    model_config = ConfigDict(extra="allow", frozen=True)

    ask: Literal["quick", "plan", "why", "front"]
    errors: tuple[Fault, ...]


class Explanation(BaseModel):
    """Why an intent is placed where it is, or why it is not."""

    model_config = ConfigDict(extra="allow", frozen=True)

    intent: str
    status: Literal["placed", "queued", "rejected", "unknown"]
    objective: str
    unit: str
    plan: Plan
    funnel: Document
    runner_up: Document | None
    prices: tuple[Document, ...]
    constraints: tuple[Document, ...]
    unsettled: tuple[str, ...]
    error: Document | None


class EventData(Answer):
    """The ``data`` of one server-sent event; its ``id`` goes into ``Last-Event-ID``."""

    intent_id: str
    at: Moment
    status: Status
    state: State
    version: int
    reason: str


# --- resources ------------------------------------------------------------------------------------------


class AvailableGpus(Answer):
    """Free GPUs of one kind, of one provider, in one place, at one price."""

    model: str
    count: Annotated[int | None, Field(description="Free GPUs; null where one gets as many as one pays for.")]
    memory: str | None
    location: str
    cost_per_hour: Annotated[Money, Field(description="Price of one GPU for an hour, on demand.")]
    spot_cost_per_hour: Annotated[Money | None, Field(description="The same as spot; null without.")]
    provider: str
    offers: Annotated[tuple[str, ...], Field(description="The offers that are counted here.")]


class Resources(Answer):
    """What is free across the federation now."""

    available_gpus: tuple[AvailableGpus, ...]


# --- tokens ---------------------------------------------------------------------------------------------


def _printable(text: str) -> str:
    if not text.isprintable():
        raise Misfit("printable characters")
    return text


Named = Annotated[
    str,
    # Of what is not printable the pattern names the controls; Unicode has more.
    Field(min_length=1, max_length=255, json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f-\xa0\xad]+$"}),
    BeforeValidator(lambda value: _printable(value) if isinstance(value, str) else value),
]


PermissionName = Literal[
    "intents:read", "intents:write", "intents:delete", "resources:read", "tokens:manage", "admin:*"
]


class CreateToken(Part):
    """A token to be made."""

    name: Named
    expires_in: Annotated[DurationS | None, Field(examples=["30d"], description="90 days by default.")] = None
    permissions: Annotated[
        Many[PermissionName] | None,
        Field(min_length=1, description="`intents:read` and `intents:write` by default."),
    ] = None
    user_id: Annotated[Named | None, Field(description="For another user; takes `admin:*`.")] = None


class TokenCreated(Answer):
    """A new token; its secret is shown this once."""

    token_id: str
    token: str
    name: str
    user: str
    created_at: Moment
    expires_at: Moment
    permissions: tuple[Permission, ...]


class TokenInfo(Answer):
    """A token without its secret."""

    token_id: str
    name: str
    created_at: Moment
    expires_at: Moment
    last_used: Moment | None
    permissions: tuple[Permission, ...]
    status: TokenStatus


class TokenList(Answer):
    """Tokens, oldest first."""

    tokens: tuple[TokenInfo, ...]


class TokenRevoked(Answer):
    """A token was revoked."""

    message: str = "Token revoked successfully"
    token_id: str
    revoked_at: Moment


class Verified(Answer):
    """Whose token it is, and what it is good for."""

    status: Literal["authenticated"] = "authenticated"
    user: str
    token_id: str
    permissions: tuple[Permission, ...]
    expires_at: Moment


# --- the gateway itself ---------------------------------------------------------------------------------


class Health(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(Answer):
    """Whether the gateway does its work, and how each of its parts is."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, str]


# --- query parameters -----------------------------------------------------------------------------------


def _whole(value: object) -> object:
    if not isinstance(value, str) or not value.isdecimal() or not value.isascii() or len(value) > 18:
        raise Misfit("a whole number")
    return int(value)


def _flag(value: object) -> object:
    if value not in ("true", "false"):
        raise Misfit("true or false")
    return value == "true"


class Query(Part):
    """The query parameters of an operation: none."""


class SubmitQuery(Query):
    """How to submit."""

    dry_run: Annotated[
        bool, BeforeValidator(_flag), Field(description="Plan without committing: nothing is stored.")
    ] = False


class ListQuery(Query):
    """Which intents to list."""

    status: Annotated[Status | None, Field(description="Only those of this status.")] = None
    name: Annotated[Named | None, Field(description="Only those of a workload of this name.")] = None
    limit: Annotated[
        int, BeforeValidator(_whole), Field(ge=1, le=100, description="How many there are on a page.")
    ] = 50
    cursor: Annotated[
        Named | None,
        Field(
            description="`next_cursor` of the page before.",
            json_schema_extra={"pattern": r"^[0-9]{1,17}\.[0-9A-Za-z-]{1,64}$"},
        ),
    ] = None
    user_id: Annotated[Named | None, Field(description="Another user's; takes `admin:*`.")] = None


class ResourcesQuery(Query):
    """Which resources to tell."""

    model: Annotated[Named | None, Field(description="Only this GPU model.")] = None
    provider: Annotated[Named | None, Field(description="Only this provider.")] = None
    location: Annotated[
        Named | None,
        Field(description="Only in this place: a location class, an ISO country code, or a provider region."),
    ] = None


class TokensQuery(Query):
    """Whose tokens to list."""

    user_id: Annotated[Named | None, Field(description="Another user's; takes `tokens:manage`.")] = None
