"""The rows of one placement: which tasks, on which offers, bought how, from when until when."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from flare_core.quantities import format_moment
from flare_core.verify.calendar import why_closed, why_missing, why_unneeded
from flare_core.verify.offers import Rule
from flare_core.verify.series import highest, looked_at
from flare_core.verify.shares import check_share
from flare_core.verify.told import Placed, Row, Violation, Violations

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.verify.offers import Offer

DEFAULT_LENGTH: Final = timedelta(hours=1)


def tasks_of(intent: "Intent") -> int:
    """Return how many tasks the intent asks for."""
    workload = intent.workload
    return workload.scaling.min_replicas if workload.type == "service" else workload.job.parallel_tasks


def any_will_do(intent: "Intent") -> bool:
    """Whether fewer tasks than asked for are a placement too."""
    return intent.workload.type != "service" and intent.workload.job.completion_policy == "Any"


def check_tasks(intent: "Intent", placed: Placed) -> Violations:
    """Check that the tasks are 0, 1, … in this order, and as many as asked."""
    numbers, asked = [row.task for row in placed.rows], tasks_of(intent)
    path = f"{placed.path}.assignments"
    if numbers != list(range(len(numbers))):
        yield Violation("tasks", path, f"found tasks {numbers}, expected 0, 1, ... in order")
    enough = 1 <= len(numbers) <= asked if any_will_do(intent) else len(numbers) == asked
    if not enough:
        expected = f"1 to {asked}" if any_will_do(intent) else f"{asked}"
        yield Violation("tasks", path, f"found {len(numbers)} tasks, expected {expected}")


def check_rows(
    intent: "Intent", rules: Sequence[Rule], placed: Placed, used: Sequence[tuple[Row, "Offer"]]
) -> Violations:
    """Check each row against its offer, and each offer against the intent."""
    judged: set[int] = set()
    for row, offer in used:
        yield from _names(row, offer)
        yield from _purchase(intent, row, offer)
        yield from check_share(intent, row, offer)
        yield from _times(intent, placed, row, offer)
        if offer.row not in judged:
            judged.add(offer.row)
            broken = filter(None, (rule.broken_by(offer) for rule in rules))
            yield from (Violation("constraint", row.path, why) for why in broken)
    yield from _span(placed)


def _names(row: Row, offer: "Offer") -> Violations:
    model = offer.text("gpu_model") if row.gpus else row.gpu_model and offer.text("gpu_model")
    for name, told, due in (
        ("provider", row.provider, offer.text("provider")),
        ("region", row.region, offer.text("region")),
        ("zone", row.zone, offer.text("zone")),
        ("gpu_model", row.gpu_model, model),
    ):
        if told != due:
            yield Violation("offer", f"{row.path}.{name}", f"found {told!r}, and {offer.id} has {due!r}")


def _purchase(intent: "Intent", row: Row, offer: "Offer") -> Violations:
    path, gpu = f"{row.path}.spot", intent.workload.resources.gpu
    allowed = intent.constraints.preemptible or (gpu is not None and gpu.interruptible)
    if row.spot and not allowed:
        yield Violation("spot", path, "found spot, which neither gpu.interruptible nor preemptible allows")
    if highest(offer, "spot_ueur" if row.spot else "hourly_ueur", *looked_at(intent, row)) is None:
        yield Violation("spot", path, f"{offer.id} has no {'spot' if row.spot else 'on-demand'} price")
    flag = offer.text("price_flag")
    if flag is not None:
        yield Violation(
            "price", f"{row.path}.offer", f"the price of {offer.id} is not to be believed: {flag}"
        )


def _times(intent: "Intent", placed: Placed, row: Row, offer: "Offer") -> Violations:
    deadline, due = intent.constraints.deadline, end_due(intent, row.start)
    # The tasks of a batch may run one after another, but not where each lasts until the deadline.
    until_then = deadline is not None and intent.workload.job.timeout is None
    together = intent.workload.type != "batch" or until_then
    if together and row.start != placed.start:
        yield Violation(
            "time", f"{row.path}.start_time", f"found {row.start}, and the placement {placed.start}"
        )
    if row.end != due:
        yield Violation("time", f"{row.path}.end_time", f"found {row.end}, expected {due}")
    if row.end is not None and row.end <= row.start:
        yield Violation("time", f"{row.path}.end_time", "found an end that is not after the start")
    if deadline is not None and (row.end is None or row.end > deadline):
        found = f"found {row.end}, and constraints.deadline is {format_moment(deadline)}"
        yield Violation("time", f"{row.path}.end_time", found)
    yield from _calendars(intent, row, offer)


def _calendars(intent: "Intent", row: Row, offer: "Offer") -> Violations:
    """Check maintenance and opening hours; a service without a need in time takes them as they are."""
    asked, calendar = intent.constraints.availability, offer.text("calendar")
    if intent.workload.type == "service":
        missing = None if asked is None else why_missing(asked, calendar, row.start, row.end)
        reasons = [missing and f"{offer.id} {missing}"]
    elif row.end is not None:
        closed = why_closed(calendar, row.start, row.end)
        unneeded = None if asked is None else why_unneeded(asked, row.start, row.end)
        reasons = [closed and f"{offer.id} {closed}", unneeded and f"{intent.workload.name} {unneeded}"]
    else:
        return
    yield from (Violation("calendar", row.path, why) for why in reasons if why)


def end_due(intent: "Intent", start: datetime) -> datetime | None:
    """Return when a task that starts at `start` ends; None for a service without a deadline."""
    timeout, deadline = intent.workload.job.timeout, intent.constraints.deadline
    if deadline is not None:
        deadline = deadline.replace(microsecond=0)  # plans are made to the second
    if intent.workload.type == "service":
        return deadline
    if timeout is not None:
        return start + timedelta(seconds=timeout)
    return start + DEFAULT_LENGTH if deadline is None else deadline


def _span(placed: Placed) -> Violations:
    """Check that the placement lasts from its first start to its last end."""
    first = min((row.start for row in placed.rows), default=placed.start)
    if placed.start != first:
        yield Violation("time", f"{placed.path}.start_time", f"found {placed.start}, expected {first}")
    ends = [row.end for row in placed.rows if row.end is not None]
    last = max(ends, default=None) if len(ends) == len(placed.rows) else None
    if placed.end != last:
        yield Violation("time", f"{placed.path}.end_time", f"found {placed.end}, expected {last}")


def check_warned(intent: "Intent", placed: Placed, warnings: Sequence[str]) -> Violations:
    """Check that a guessed length and missing tasks come with a warning."""
    ends = intent.workload.type != "service"
    reasons: Iterator[str] = (
        reason
        for reason, given in (
            ("a length that was not stated", ends and intent.workload.job.timeout is None),
            ("fewer tasks than asked", any_will_do(intent) and len(placed.rows) < tasks_of(intent)),
        )
        if given
    )
    for reason in reasons:
        if not warnings:
            yield Violation(
                "warning", "warnings", f"found none, expected one for {reason} of {placed.intent}"
            )
