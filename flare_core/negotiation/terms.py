"""What an intent gives way in, and the fields that can be stretched."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from flare_core.errors import IntentError
from flare_core.explanation.relax import Solved
from flare_core.intent.json import Json
from flare_core.quantities import format_clock, format_eur, format_memory, format_rate

if TYPE_CHECKING:
    from flare_core.intent.types import Intent

GPU = "workload.resources.gpu"

Try = Callable[["Intent"], Solved | None]
"""Places a changed intent beside what is placed, as cheaply as possible; None where that is impossible."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A changed intent, and how it differs from the one that was asked for.

    Attributes
    ----------
    intent
        The intent as changed.
    relaxed
        ``{"path", "asked", "got"}`` for each field that gives way, in the notation of intents.
    stretch
        The largest relative stretch of a field; 0 where none is stretched.
    """

    intent: "Intent"
    relaxed: tuple[Mapping[str, Json], ...]
    stretch: Fraction = Fraction(0)


def changed(intent: "Intent", values: Mapping[str, Json]) -> Terms | None:
    """Return `intent` with `values` at their paths; None where that changes nothing or is no intent."""
    # pydantic's models are loaded when an intent is changed for the first time
    from flare_core.intent.patch import patch_of, patched

    differing = {path: value for path, value in values.items() if asked_at(intent, path) != value}
    if not differing:
        return None
    try:
        new = patched(intent, patch_of(intent, differing))
    except IntentError:
        return None
    relaxed = ({"path": p, "asked": asked_at(intent, p), "got": v} for p, v in differing.items())
    return Terms(new, tuple(relaxed))


def asked_at(intent: "Intent", path: str) -> Json:
    """Return what is asked at `path` as written, else the default."""
    written = intent.written(path)
    return _UNWRITTEN.get(path) if written is None else written


_UNWRITTEN: Mapping[str, Json] = {
    f"{GPU}.model": "any",
    f"{GPU}.tier": "any",
    f"{GPU}.shared": False,
    "constraints.preemptible": False,
}


@dataclass(frozen=True, slots=True)
class Field:
    """A number that can be stretched: a price limit upwards, a minimum of GPUs downwards.

    Attributes
    ----------
    path
        Its JSON path.
    price
        Whether it is a price limit.
    read
        Its value in an intent, base units; None where it is not asked.
    write
        A value in the notation of intents.
    whole
        Whether it counts in whole base units.
    """

    path: str
    price: bool
    read: Callable[["Intent"], float | None]
    write: Callable[[float], Json]
    whole: bool = True

    def asked(self, intent: "Intent") -> Fraction:
        """Return what an intent asks, exactly; 0 asks for nothing that could be stretched."""
        return exact(self.read(intent) or 0)

    def allowed(self, asked: Fraction, stretch: Fraction) -> float:
        """Return the value at which `asked` is stretched by `stretch`, and no further."""
        value = asked * (1 + stretch if self.price else 1 - stretch)
        return (floor(value) if self.price else ceil(value)) if self.whole else float(value)

    def stretch(self, asked: Fraction, value: float) -> Fraction:
        """Return how far `value` is from `asked`, as a part of `asked`; not below 0."""
        difference = exact(value) - asked
        return max(Fraction(0), (difference if self.price else -difference) / asked)


def exact(value: float) -> Fraction:
    """Return the shortest decimal that stands for `value`: what was written."""
    return Fraction(repr(value))


def _of_gpu(name: str) -> Callable[["Intent"], float | None]:
    def read(intent: "Intent") -> float | None:
        gpu = intent.workload.resources.gpu
        if gpu is None or not gpu.count or (name == "multi_gpu_efficiency" and gpu.count < 2):
            return None
        value: float | None = getattr(gpu, name)
        return value

    return read


PRICES: tuple[Field, ...] = (
    Field(
        "constraints.max_hourly_cost",
        True,
        lambda intent: intent.constraints.max_hourly_cost,
        lambda value: format_rate(int(value)),
    ),
    Field(
        "constraints.max_total_cost",
        True,
        lambda intent: intent.constraints.max_total_cost,
        lambda value: format_eur(int(value)),
    ),
)
MINIMA: tuple[Field, ...] = (
    Field(f"{GPU}.memory", False, _of_gpu("memory"), lambda value: format_memory(int(value))),
    Field(f"{GPU}.cores", False, _of_gpu("cores"), int),
    Field(f"{GPU}.clock_speed", False, _of_gpu("clock_speed"), format_clock, whole=False),
    Field(f"{GPU}.fp32_tflops", False, _of_gpu("fp32_tflops"), float, whole=False),
    Field(f"{GPU}.multi_gpu_efficiency", False, _of_gpu("multi_gpu_efficiency"), float, whole=False),
)


def stretchable(intent: "Intent") -> Iterator[tuple[Field, Fraction]]:
    """Yield the fields that can be stretched and how far ``negotiation`` allows it."""
    terms = intent.constraints.negotiation
    assert terms is not None
    # "fail" alone stretches nothing: beside it only what is written out applies.
    unsaid = terms.fallback_strategy == "fail"
    for name, fields in (("price_flexibility", PRICES), ("resource_flexibility", MINIMA)):
        most = exact(getattr(terms, name))
        if most and not (unsaid and name not in terms.model_fields_set):
            yield from ((field, most) for field in fields if field.asked(intent))
