"""The plan's document, read field by field: what the plan tells.

Nothing is believed: every value is of its type and within what the word can mean, or reading stops with the
first violation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn, Protocol, TypeVar

from flare_core.errors import ErrorCode, found_expected
from flare_core.quantities import Rounding, parse_moment, parse_money_ueur, parse_rate_ueur_per_h

T = TypeVar("T")

PLAN_STATUS: Final = ("optimal", "feasible", "infeasible", "unknown")
PLACEMENT_STATUS: Final = ("placed", "queued", "rejected", "unknown")
# Of the public codes, those that say why a well-formed intent is not placed.
REJECTION_CODES: Final = (
    ErrorCode.INSUFFICIENT_RESOURCES,
    ErrorCode.GPU_MODEL_UNAVAILABLE,
    ErrorCode.GPU_MEMORY_INSUFFICIENT,
    ErrorCode.GPU_COUNT_INSUFFICIENT,
    ErrorCode.COST_LIMIT_EXCEEDED,
    ErrorCode.REGION_UNAVAILABLE,
)


_GREATEST: Final = 1e300
"""Beyond it a whole number is no float, and the product of a float is infinite."""


class HasDocument(Protocol):
    """Anything that can show itself as the public plan document."""

    def to_dict(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that a plan says or does and must not.

    Attributes
    ----------
    rule
        Short word for the kind: ``shape``, ``status``, ``tasks``, ``offer``, ``node``, ``gpus``, ``share``,
        ``capacity``, ``billing``, ``spot``, ``constraint``, ``preference``, ``price``, ``budget``, ``time``,
        ``calendar``, ``figure``, ``headroom``, ``objective``, ``warning``, ``terms``, ``current``,
        ``unsupported``.
    path
        JSON path in the plan's document, ``placements.0.assignments.1.gpus``; for rule ``constraint`` that
        of the assignment, with the intent's path in the message.
    message
        What was found and what was expected, with figures.
    """

    rule: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.path}: {self.message}" if self.path else f"{self.rule}: {self.message}"


Violations = Iterator[Violation]


class Misshapen(Exception):
    """The document is not of the shape that it must have; ends its reading."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.violation = Violation("shape", path, message)


@dataclass(frozen=True, slots=True)
class Row:
    """One assignment as told; money in micro-EUR per hour, ``gpu_milli`` in thousandths of each GPU."""

    path: str
    task: int
    offer: str
    node: int
    provider: str | None
    region: str | None
    zone: str | None
    gpu_model: str | None
    gpus: tuple[int, ...]
    mig_profile: str | None
    gpu_milli: int | None
    spot: bool
    efficiency: float
    hourly_ueur: int
    start: datetime
    end: datetime | None

    def runs_at(self, moment: datetime) -> bool:
        """Whether the task holds its place at a moment; the end is not part of the run."""
        return self.start <= moment and (self.end is None or moment < self.end)


@dataclass(frozen=True, slots=True)
class Relaxed:
    """One entry of ``relaxed`` as told."""

    path: str
    asked: object
    got: object


@dataclass(frozen=True, slots=True)
class Placed:
    """One placement as told; money in micro-EUR (per hour)."""

    path: str
    intent: str
    status: str
    relaxed: tuple[Relaxed, ...]
    hourly_ueur: int | None
    total_ueur: int | None
    start: datetime | None
    end: datetime | None
    latency_ms: float | None
    carbon_g_per_hour: float | None
    performance_tflops: float | None
    availability_percent: float | None
    headroom: tuple[int, int] | None
    rows: tuple[Row, ...]
    rejected: bool
    offer: "Offered | None" = None
    suggestions: "tuple[Suggested, ...]" = ()


@dataclass(frozen=True, slots=True)
class Suggested:
    """What could be placed instead, as told."""

    path: str
    patch: object
    hourly_ueur: int | None
    placement: Placed


@dataclass(frozen=True, slots=True)
class Offered:
    """What an intent is offered under stretched limits, as told."""

    path: str
    stretched: tuple[Relaxed, ...]
    placement: Placed
    valid_until: datetime


Objective = float | Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class Told:
    """A whole plan as told."""

    status: str
    objective: Objective
    bound: Objective
    gap: float | None
    warnings: tuple[str, ...]
    placements: tuple[Placed, ...]


def read_told(document: object) -> Told:
    """Read a plan's document.

    Raises
    ------
    Misshapen
        At the first field that is missing or not of its type.
    """
    plan = _Part("", document)
    plan.take("wall_time_s", _amount)
    return Told(
        status=plan.take("status", _one_of(PLAN_STATUS)),
        objective=plan.take("objective", _objective),
        bound=plan.take("bound", _objective),
        gap=plan.take("gap", _maybe(_amount)),
        warnings=plan.take("warnings", _texts),
        placements=tuple(map(_placement, plan.parts("placements"))),
    )


class _Part:
    """One object of the document and its path."""

    __slots__ = ("_fields", "path")

    def __init__(self, path: str, found: object) -> None:
        self.path = path
        if not isinstance(found, Mapping):
            self.fail("", found_expected(found, "an object"))
        self._fields: Mapping[object, object] = found

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path and key else self.path or key

    def fail(self, key: str, message: str) -> NoReturn:
        raise Misshapen(self.at(key), message)

    def take(self, key: str, read: Callable[[object], T]) -> T:
        """Return a field as `read` understands it; a field that is absent violates the shape."""
        if key not in self._fields:
            self.fail(key, "found no such field, expected it")
        try:
            return read(self._fields[key])
        except ValueError as error:
            self.fail(key, str(error))

    def maybe(self, key: str, read: Callable[["_Part"], T]) -> T | None:
        """Return an object that a plan need not have."""
        found = self._fields.get(key)
        return None if found is None else read(_Part(self.at(key), found))

    def parts(self, key: str) -> Iterator["_Part"]:
        """Return the objects of a list."""
        for i, part in enumerate(self.take(key, _list)):
            yield _Part(f"{self.at(key)}.{i}", part)


def _placement(part: _Part, *, offers: bool = True) -> Placed:
    error = part.take("error", _maybe(lambda found: _error(_Part(part.at("error"), found))))
    return Placed(
        path=part.path,
        intent=part.take("intent", _text),
        status=part.take("status", _one_of(PLACEMENT_STATUS)),
        relaxed=tuple(map(_relaxed, part.parts("relaxed"))),
        hourly_ueur=part.take("hourly_cost", _maybe(_rate)),
        total_ueur=part.take("total_cost", _maybe(_money)),
        start=part.take("start_time", _maybe(_moment)),
        end=part.take("end_time", _maybe(_moment)),
        latency_ms=part.take("latency_ms", _maybe(_amount)),
        carbon_g_per_hour=part.take("carbon_g_per_hour", _maybe(_amount)),
        performance_tflops=part.take("performance_tflops", _maybe(_amount)),
        availability_percent=part.take("availability_percent", _maybe(_amount)),
        headroom=part.take("headroom", _maybe(lambda found: _headroom(_Part(part.at("headroom"), found)))),
        rows=tuple(map(_row, part.parts("assignments"))),
        rejected=error is not None,
        suggestions=error or (),
        offer=part.maybe("offer", _offer if offers else _no_offer),
    )


def _offer(part: _Part) -> Offered:
    return Offered(
        path=part.path,
        stretched=tuple(map(_relaxed, part.parts("stretched"))),
        placement=_inner(part),
        valid_until=part.take("valid_until", _moment),
    )


def _inner(part: _Part) -> Placed:
    return part.take("placement", lambda found: _placement(_Part(part.at("placement"), found), offers=False))


def _no_offer(part: _Part) -> NoReturn:
    part.fail("", "found an offer in an offer, expected null")


def _row(part: _Part) -> Row:
    return Row(
        path=part.path,
        task=part.take("task", _count),
        offer=part.take("offer", _text),
        node=part.take("node", _count),
        provider=part.take("provider", _maybe(_text)),
        region=part.take("region", _maybe(_text)),
        zone=part.take("zone", _maybe(_text)),
        gpu_model=part.take("gpu_model", _maybe(_text)),
        gpus=part.take("gpus", lambda found: tuple(map(_count, _list(found)))),
        mig_profile=part.take("mig_profile", _maybe(_text)),
        gpu_milli=part.take("gpu_milli", _maybe(_count)),
        spot=part.take("spot", _flag),
        efficiency=part.take("efficiency", _amount),
        hourly_ueur=part.take("hourly_cost", _rate),
        start=part.take("start_time", _moment),
        end=part.take("end_time", _maybe(_moment)),
    )


def _relaxed(part: _Part) -> Relaxed:
    return Relaxed(part.take("path", _text), part.take("asked", _as_is), part.take("got", _as_is))


def _headroom(part: _Part) -> tuple[int, int]:
    return part.take("replicas", _count), part.take("hourly_cost", _rate)


def _error(part: _Part) -> tuple[Suggested, ...]:
    """Read an error object; return the suggestions that have a placement."""
    part.take("status", _one_of(("error",)))
    part.take("message", _text)
    part.take("conflicts", lambda found: tuple(map(_texts, _list(found))))
    part.take("corrections", _list)
    part.take("error_code", _one_of(REJECTION_CODES))
    return tuple(filter(None, map(_suggestion, part.parts("suggestions"))))


def _suggestion(part: _Part) -> Suggested | None:
    part.take("alternative", _text)
    for difference in ("cost_difference", "performance_impact"):
        part.take(difference, _maybe(_text))
    if part.maybe("placement", lambda _: True) is None:  # more than the reference asks for
        return None
    return Suggested(part.path, part.take("patch", _as_is), part.take("hourly_cost", _rate), _inner(part))


def _bad(found: object, expected: str) -> NoReturn:
    raise ValueError(found_expected(found, expected))


def _maybe(read: Callable[[object], T]) -> Callable[[object], T | None]:
    return lambda found: None if found is None else read(found)


def _one_of(words: Sequence[str]) -> Callable[[object], str]:
    def read(found: object) -> str:
        return (
            found if isinstance(found, str) and found in words else _bad(found, f"one of {', '.join(words)}")
        )

    return read


def _as_is(found: object) -> object:
    return found


def _text(found: object) -> str:
    return found if isinstance(found, str) and found else _bad(found, "a text")


def _list(found: object) -> Sequence[object]:
    return found if isinstance(found, list | tuple) else _bad(found, "a list")


def _texts(found: object) -> tuple[str, ...]:
    return tuple(map(_text, _list(found)))


def _flag(found: object) -> bool:
    return found if isinstance(found, bool) else _bad(found, "true or false")


def _count(found: object) -> int:
    good = isinstance(found, int) and not isinstance(found, bool) and found >= 0
    return found if isinstance(found, int) and good else _bad(found, "a whole number, 0 or more")


def _number(found: object) -> float:
    good = isinstance(found, int | float) and not isinstance(found, bool) and abs(found) <= _GREATEST
    return found if isinstance(found, int | float) and good else _bad(found, "a number")


def _amount(found: object) -> float:
    return number if (number := _number(found)) >= 0 else _bad(found, "a number, 0 or more")


def _objective(found: object) -> Objective:
    if isinstance(found, Mapping):
        return {_text(key): _number(value) for key, value in found.items()}
    return None if found is None else _number(found)


def _moment(found: object) -> datetime:
    return parse_moment(found) if isinstance(found, str) else _bad(found, "a moment as text")


def _rate(found: object) -> int:
    return _exactly(parse_rate_ueur_per_h, found)


def _money(found: object) -> int:
    return _exactly(parse_money_ueur, found)


def _exactly(parse: Callable[[object, Rounding], int], found: object) -> int:
    """Read an amount of whole micro-EUR; a finer one is no amount that anyone pays."""
    amount = parse(found, Rounding.UP)
    return amount if amount == parse(found, Rounding.DOWN) else _bad(found, "whole micro-euros")
