"""From what the gateway keeps to what the API says."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

from flare_core.adapters.gateway.http.models import (
    Assignment,
    Costs,
    Estimates,
    GpuAllocation,
    IntentDetail,
    IntentStatus,
    Offer,
    Performance,
    Status,
    Submitted,
    TokenCreated,
    TokenInfo,
    Transition,
    UsedGpu,
    UsedResources,
    Workload,
)
from flare_core.adapters.gateway.life import Record, State, Step
from flare_core.adapters.gateway.tokens import Minted, Permission, Token
from flare_core.quantities import (
    Rounding,
    format_duration,
    format_eur,
    format_moment,
    format_percent,
    format_rate,
    parse_rate_ueur_per_h,
)

Document = Mapping[str, Any]

_MESSAGES: Final[Mapping[State, str]] = {
    State.PENDING: "Intent received and processing",
    State.QUEUED: "Waiting for capacity",
    State.RESERVED: "Placed, waiting to start",
    State.RUNNING: "Workload running successfully",
    State.COMPLETED: "Workload completed",
    State.FAILED: "Workload failed",
    State.CANCELLED: "Cancelled by its user",
    State.REFUSED: "Refused",
}
_OFFERED: Final = "Placeable under other limits: accept the offer, or wait for capacity"


def submitted(record: Record, offer: Document | None) -> Submitted:
    """Say that an intent was accepted, and where it goes as far as that is known.

    Parameters
    ----------
    offer
        What is offered to it, with the token that accepts it; None without.
    """
    estimates = estimates_of(record)
    placed = record.placement is not None
    return Submitted(
        intent_id=record.id,
        status=_word(record.state),
        message="Intent submitted successfully" if placed else _message(record, offer),
        estimated_cost=estimates.estimated_cost,
        estimated_start_time=estimates.estimated_start_time,
        data=estimates,
        offer=_offer(offer),
    )


def estimates_of(record: Record) -> Estimates:
    """Return where an intent goes and what that costs."""
    placement = record.placement
    if placement is None:
        start = record.estimated_start
        return Estimates(estimated_start_time=None if start is None else format_moment(start))
    assignments = _assignments(placement)
    dearest = _dearest(assignments)
    return Estimates(
        estimated_cost=placement["hourly_cost"],
        estimated_total_cost=placement["total_cost"],
        estimated_start_time=placement["start_time"],
        selected_provider=None if dearest is None else dearest.provider,
        gpu_allocation=_gpus(assignments),
        assignments=assignments,
        relaxed=placement["relaxed"],
    )


def detail_of(record: Record, offer: Document | None, history: Iterable[Step], now: datetime) -> IntentDetail:
    """Return the state of an intent, and how it came there."""
    return IntentDetail(history=tuple(map(_transition, history)), **_status(record, offer, now))


def status_of(record: Record, offer: Document | None, now: datetime) -> IntentStatus:
    """Return the state of an intent."""
    return IntentStatus(**_status(record, offer, now))


def _status(record: Record, offer: Document | None, now: datetime) -> dict[str, Any]:
    estimates, report = estimates_of(record), record.status_report or {}
    cost = format_eur(record.cost_at(now).rounded_ueur)
    runtime, percent = record.runtime_at(now), report.get("gpu_utilization_percent")
    shown_runtime = None if runtime is None else format_duration(runtime // timedelta(seconds=1))
    utilization = None if percent is None else format_percent(percent)
    workload = Workload(
        name=record.name,
        type=_type(record),
        url=report.get("url"),
        start_time=record.started,
        runtime=shown_runtime,
    )
    rate = None if record.hourly_ueur is None else format_rate(record.hourly_ueur)
    return {
        "intent_id": record.id,
        "status": _word(record.state),
        "state": record.state,
        "version": record.version,
        "message": _message(record, offer),
        "workload_url": report.get("url"),
        "current_cost": cost,
        "runtime": shown_runtime,
        "gpu_utilization": utilization,
        "estimated_cost": estimates.estimated_cost,
        "estimated_start_time": estimates.estimated_start_time,
        "workload": workload,
        "resources": _resources(estimates, utilization),
        "costs": Costs(hourly_rate=rate, total_cost=cost),
        "performance": Performance(**(report.get("performance") or {})),
        "assignments": estimates.assignments,
        "relaxed": estimates.relaxed,
        "created_at": record.created,
        "updated_at": record.changed,
        "ended_at": record.ended,
        "error": record.error,
        "offer": _offer(offer),
    }


def _resources(estimates: Estimates, utilization: str | None) -> UsedResources:
    dearest, gpus = _dearest(estimates.assignments), estimates.gpu_allocation
    return UsedResources(
        provider=None if dearest is None else dearest.provider,
        location=None if dearest is None else dearest.region,
        gpu=None if gpus is None else UsedGpu(model=gpus.model, count=gpus.count, utilization=utilization),
    )


def _message(record: Record, offer: Document | None) -> str:
    if record.message:
        return record.message
    if record.state is State.FAILED and record.error is not None:
        return str(record.error["message"])
    return _OFFERED if offer is not None else _MESSAGES[record.state]


def _word(state: State) -> Status:
    return cast(Status, state.word)


def _type(record: Record) -> Any:
    document = json.loads(record.document)
    return document.get("intent", document)["workload"]["type"]


def _assignments(placement: Mapping[str, Any]) -> tuple[Assignment, ...]:
    return tuple(Assignment.model_validate(each) for each in placement["assignments"])


def _dearest(assignments: Sequence[Assignment]) -> Assignment | None:
    """Return the most expensive assignment, the first of equal ones."""

    def ueur(each: Assignment) -> int:
        return parse_rate_ueur_per_h(each.hourly_cost, Rounding.UP)

    return max(assignments, key=ueur, default=None)


def _gpus(assignments: Sequence[Assignment]) -> GpuAllocation | None:
    """Return all GPUs of a plan on one offer, those of the most expensive assignment where it has several."""
    dearest = _dearest(assignments)
    if dearest is None or dearest.gpu_model is None:
        return None
    one_offer = len({each.offer for each in assignments}) == 1
    count = sum(len(each.gpus) for each in (assignments if one_offer else (dearest,)))
    return GpuAllocation(model=dearest.gpu_model, count=count, location=dearest.region)


def _offer(offer: Document | None) -> Offer | None:
    return None if offer is None else Offer.model_validate(offer)


def _transition(step: Step) -> Transition:
    return Transition(
        version=step.version, status=_word(step.after), state=step.after, at=step.at, reason=step.reason
    )


def token_created(minted: Minted) -> TokenCreated:
    """Return a new token with its secret."""
    token = minted.token
    return TokenCreated(
        token_id=token.id,
        token=minted.secret,
        name=token.name,
        user=token.user,
        created_at=token.created,
        expires_at=token.expires,
        permissions=permissions_of(token),
    )


def token_info(token: Token, now: datetime) -> TokenInfo:
    """Return a token without its secret."""
    return TokenInfo(
        token_id=token.id,
        name=token.name,
        created_at=token.created,
        expires_at=token.expires,
        last_used=token.last_used,
        permissions=permissions_of(token),
        status=token.status(now),
    )


def permissions_of(token: Token) -> tuple[Permission, ...]:
    """Return what a token is good for, in the order of the API reference."""
    return tuple(permission for permission in Permission if permission in token.permissions)
