"""Where the tasks of intents go: columns inside, the public document outside.

`Plan.to_dict` is the document of "What comes back"; the assignments stay columns until it is asked for.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from flare_core.candidates.types import Funnel
from flare_core.errors import ErrorCode
from flare_core.inventory.types import FloatArray, IntArray, Inventory, Mask
from flare_core.quantities import format_eur, format_moment, format_rate


class Outcome(StrEnum):
    """What is known about a plan."""

    OPTIMAL = "optimal"  # proven best, ties included
    FEASIBLE = "feasible"  # a plan; stopped before the proof
    INFEASIBLE = "infeasible"  # proven: none of the intents can be placed
    UNKNOWN = "unknown"  # stopped before either was known


class Status(StrEnum):
    """What became of one intent."""

    PLACED = "placed"
    QUEUED = "queued"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Assignments:
    """Tasks on nodes, one row a task, ordered by placement, then task.

    Attributes, shape (assignments,)
    --------------------------------
    placement
        Index of the placement.
    task
        Number of the task in its intent, from 0.
    offer
        Row in the inventory.
    node
        Number of the node in its offer.
    spot
        Bought as spot.
    hourly_ueur
        What this row adds to the hourly price; on a node billed whole its first task carries the price.
    start_s, end_s
        The interval, seconds since the epoch; ``end_s`` -1 is without end.
    efficiency
        Multi-GPU efficiency 0..1.
    mig_profile
        Name of the MIG profile of the task's instances, None without.
    gpu_milli
        Thousandths of each GPU that the task has by time-slicing or MPS, -1 without.
    gpu_offsets, gpu_indices
        GPU indices on the node: those of row ``r`` are ``gpu_indices[gpu_offsets[r]:gpu_offsets[r + 1]]``.
    """

    placement: IntArray
    task: IntArray
    offer: IntArray
    node: IntArray
    spot: Mask
    hourly_ueur: IntArray
    start_s: IntArray
    end_s: IntArray
    efficiency: FloatArray
    mig_profile: tuple[str | None, ...]
    gpu_milli: IntArray
    gpu_offsets: IntArray
    gpu_indices: IntArray

    def __len__(self) -> int:
        return len(self.task)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an intent is not placed: the error object of the API reference, and what would have to change."""

    code: ErrorCode
    message: str
    path: str
    suggestions: tuple[Mapping[str, Any], ...] = ()
    conflicts: tuple[tuple[str, ...], ...] = ()
    corrections: tuple[Mapping[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the public error object."""
        return {
            "status": "error",
            "error_code": self.code.value,
            "message": self.message,
            "suggestions": [dict(s) for s in self.suggestions],
            "conflicts": [list(c) for c in self.conflicts],
            "corrections": [dict(c) for c in self.corrections],
        }


@dataclass(frozen=True, slots=True)
class Headroom:
    """How many more replicas would fit, and what all replicas would then cost per hour."""

    replicas: int
    hourly_ueur: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A placement under limits that were stretched further than is accepted unasked.

    Attributes
    ----------
    stretched
        What gives way, as in ``relaxed``.
    placement
        What would be placed.
    valid_until
        Until when it can be accepted.
    """

    stretched: tuple[Mapping[str, Any], ...]
    placement: "Placement"
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What became of one intent; ``rows`` is its slice of the plan's assignments.

    ``kept`` is the document of one that runs and came with a plan: it is told again as it was.
    """

    intent: str
    status: Status
    rows: slice = field(default_factory=lambda: slice(0, 0))
    relaxed: tuple[Mapping[str, Any], ...] = ()
    hourly_ueur: int | None = None
    total_ueur: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    latency_ms: float | None = None
    carbon_g_per_hour: float | None = None
    performance_tflops: float | None = None
    availability_percent: float | None = None
    headroom: Headroom | None = None
    offer: Offer | None = None
    error: Rejection | None = None
    kept: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """The best candidate that was not chosen, and what all tasks on it alone would cost more per hour."""

    offer: int
    spot: bool
    more_ueur: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan:
    """The placements of all intents that were solved together.

    Attributes
    ----------
    outcome, objective, bound, gap
        What is proven: for one intent its first term in its unit (EUR/hour, EUR, TFLOPS, ms, gCO2/h, or
        the weighted sum), for several ``{"placed": n, "scaled": x}``.
    funnels
        For each placement what its constraints removed.
    runners_up
        For each placement the next best candidate, None where there is none.
    """

    outcome: Outcome
    objective: float | Mapping[str, float] | None
    bound: float | Mapping[str, float] | None
    gap: float | None
    wall_time_s: float
    warnings: tuple[str, ...]
    placements: tuple[Placement, ...]
    assignments: Assignments
    inventory: Inventory = field(repr=False)
    funnels: tuple[Funnel, ...] = field(default=(), repr=False)
    runners_up: tuple[RunnerUp | None, ...] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as the public JSON document."""
        return {
            "status": self.outcome.value,
            "objective": _plain(self.objective),
            "bound": _plain(self.bound),
            "gap": self.gap,
            "wall_time_s": self.wall_time_s,
            "warnings": list(self.warnings),
            "placements": [self._placement(p) for p in self.placements],
        }

    def svg(self) -> str:
        """Return a drawing of when the tasks run, the same bytes for the same plan; see `placement.gantt`.

        Raises
        ------
        OptionsError
            Where the extra ``plot`` is not installed.
        """
        from flare_core.placement.gantt import drawn

        return drawn(self).svg()

    def __repr__(self) -> str:
        told = ", ".join(f"{p.intent}: {p.status.value}" for p in self.placements[:3])
        more = len(self.placements) - 3
        return f"<Plan {self.outcome.value}; {told}{f' and {more} more' if more > 0 else ''}>"

    def _repr_html_(self) -> str:
        from flare_core.shown import lines, paragraph, table

        titles = ("intent", "status", "per hour", "in total", "tasks", "where", "GPUs")
        rows = (_row(p) for p in self.to_dict()["placements"])
        return (
            paragraph(f"{len(self.placements)} placed, refused or waiting", self.outcome.value)
            + table(titles, rows)
            + lines("Remarks", self.warnings)
        )

    def _placement(self, p: Placement) -> dict[str, Any]:
        if p.kept is not None:
            return dict(p.kept)
        return {
            "intent": p.intent,
            "status": p.status.value,
            "relaxed": [dict(r) for r in p.relaxed],
            "hourly_cost": None if p.hourly_ueur is None else format_rate(p.hourly_ueur),
            "total_cost": None if p.total_ueur is None else format_eur(p.total_ueur),
            "start_time": None if p.start is None else format_moment(p.start),
            "end_time": None if p.end is None else format_moment(p.end),
            "latency_ms": p.latency_ms,
            "carbon_g_per_hour": p.carbon_g_per_hour,
            "performance_tflops": p.performance_tflops,
            "availability_percent": p.availability_percent,
            "headroom": None
            if p.headroom is None
            else {"replicas": p.headroom.replicas, "hourly_cost": format_rate(p.headroom.hourly_ueur)},
            "assignments": list(self._assignments(p)),
            "offer": None if p.offer is None else self._offer(p.offer),
            "error": None if p.error is None else p.error.to_dict(),
        }

    def _offer(self, offer: Offer) -> dict[str, Any]:
        return {
            "stretched": [dict(s) for s in offer.stretched],
            "placement": self._placement(offer.placement),
            "valid_until": format_moment(offer.valid_until),
        }

    def _assignments(self, p: Placement) -> Iterator[dict[str, Any]]:
        a, label = self.assignments, self.inventory.label
        for r in range(p.rows.start, p.rows.stop):
            offer = int(a.offer[r])
            gpus = a.gpu_indices[a.gpu_offsets[r] : a.gpu_offsets[r + 1]].tolist()
            yield {
                "task": int(a.task[r]),
                "offer": self.inventory.ids[offer],
                "node": int(a.node[r]),
                "provider": label["provider"][offer],
                "region": label["region"][offer],
                "zone": label["zone"][offer],
                "gpu_model": label["gpu_model"][offer] if gpus else None,
                "gpus": gpus,
                "mig_profile": a.mig_profile[r],
                "gpu_milli": None if a.gpu_milli[r] < 0 else int(a.gpu_milli[r]),
                "spot": bool(a.spot[r]),
                "efficiency": float(a.efficiency[r]),
                "hourly_cost": format_rate(int(a.hourly_ueur[r])),
                "start_time": _moment(int(a.start_s[r])),
                "end_time": _moment(int(a.end_s[r])),
            }


def _row(placement: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what a table shows of a placement."""
    made = placement["assignments"]
    where = sorted({f"{each['provider']} {each['region']}" for each in made})
    gpus = Counter(each["gpu_model"] for each in made for _ in each["gpus"])
    error = placement["error"]
    return (
        placement["intent"],
        placement["status"],
        placement["hourly_cost"],
        placement["total_cost"],
        len(made) or None,
        ", ".join(where) if error is None else f"{error['error_code']}: {error['message']}",
        ", ".join(f"{count} × {model}" for model, count in gpus.items()) or None,
    )


def _moment(epoch_s: int) -> str | None:
    return None if epoch_s < 0 else format_moment(datetime.fromtimestamp(epoch_s, UTC))


def _plain(value: float | Mapping[str, float] | None) -> float | dict[str, float] | None:
    return dict(value) if isinstance(value, Mapping) else value
