"""What gave way: that ``negotiation`` allows it, and the intent as it stands then.

A stretch is within its flexibility, a fallback is the one that is asked for, and never both. What is placed
at once is stretched by no more than is accepted unasked, and what is offered by more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from flare_core.catalog.gpus import TIERS, parts_of
from flare_core.errors import IntentError
from flare_core.verify.told import Relaxed, Violation

if TYPE_CHECKING:
    from flare_core.intent.constraints import Negotiation
    from flare_core.intent.types import Intent

GPU: Final = "workload.resources.gpu"
PRICES: Final = ("constraints.max_hourly_cost", "constraints.max_total_cost")
MINIMA: Final = tuple(
    f"{GPU}.{name}" for name in ("memory", "cores", "clock_speed", "fp32_tflops", "multi_gpu_efficiency")
)
# What each strategy changes, and what is asked where nothing is written.
FALLBACKS: Final[Mapping[str, Mapping[str, object]]] = {
    "lower_tier": {f"{GPU}.tier": "any", f"{GPU}.model": "any"},
    "shared": {f"{GPU}.shared": False},
    "spot": {"constraints.preemptible": False},
}
_DEFAULTS: Final = {path: asked for changes in FALLBACKS.values() for path, asked in changes.items()}
NEGOTIABLE: Final = frozenset({*PRICES, *MINIMA, *_DEFAULTS})


@dataclass(frozen=True, slots=True)
class Given:
    """What gave way in one placement, the intent as it stands then, and what is wrong about it."""

    entries: tuple[Relaxed, ...]
    intent: "Intent"
    wrong: tuple[Violation, ...]


def given_way(intent: "Intent", relaxed: Sequence[Relaxed], path: str, *, offered: bool) -> Given:
    """Return what of ``relaxed`` is a matter of negotiation.

    Parameters
    ----------
    path
        JSON path of ``relaxed``.
    offered
        Whether it is offered, or placed at once.
    """
    negotiation = intent.constraints.negotiation
    entries = tuple(entry for entry in relaxed if negotiation is not None and entry.path in NEGOTIABLE)
    if negotiation is None or not entries:
        return Given((), intent, ())
    changed = _changed(intent, entries)
    if changed is None:
        text = f"found {[(entry.path, entry.got) for entry in entries]}, with which there is no such intent"
        return Given(entries, intent, (Violation("terms", path, text),))
    wrong = [*_asked(intent, entries), *_terms(intent, changed, entries, negotiation, offered=offered)]
    return Given(entries, changed, tuple(Violation("terms", path, text) for text in wrong))


def _changed(intent: "Intent", entries: Sequence[Relaxed]) -> "Intent | None":
    # Whoever has an intent has loaded pydantic; who has none need not.
    from flare_core.intent.json import plain
    from flare_core.intent.patch import patch_of

    try:
        return patched_by(intent, patch_of(intent, {entry.path: plain(entry.got) for entry in entries}))
    except IntentError:
        return None


def patched_by(intent: "Intent", patch: object) -> "Intent | None":
    """Return the intent under a JSON merge patch on its inside; None where it would be no intent."""
    from flare_core.intent.json import plain
    from flare_core.intent.patch import patched

    try:
        change = plain(patch)
        return patched(intent, change) if isinstance(change, dict) else None
    except IntentError:
        return None


def _asked(intent: "Intent", entries: Sequence[Relaxed]) -> Iterator[str]:
    for entry in entries:
        written = intent.written(entry.path)
        asked = _DEFAULTS.get(entry.path) if written is None else written
        if entry.asked != asked:
            yield f"found {entry.path} asked as {entry.asked!r}, expected {asked!r}"
    if len({entry.path for entry in entries}) < len(entries):
        yield "found a field twice, expected each once"


def _terms(
    intent: "Intent",
    changed: "Intent",
    entries: Sequence[Relaxed],
    negotiation: "Negotiation",
    *,
    offered: bool,
) -> Iterator[str]:
    stretched = [entry.path for entry in entries if entry.path not in _DEFAULTS]
    others = {entry.path for entry in entries} - set(stretched)
    largest = Fraction(0)
    for path in stretched:
        part, most = _stretch(path, intent, changed), _flexibility(path, negotiation)
        largest = max(largest, part)
        if not 0 < part <= most:
            yield f"{path} is stretched by {float(part):.6g}, and negotiation allows {float(most):.6g}"
    unasked = largest <= _exact(negotiation.auto_accept_threshold)
    if unasked == offered:
        done = "offered" if offered else "placed at once"
        yield f"found a stretch of {float(largest):.6g} {done} with {negotiation.auto_accept_threshold:g}"
    if others and (stretched or not others <= set(FALLBACKS.get(negotiation.fallback_strategy, ()))):
        yield f"found {sorted(others)} given up with the fallback {negotiation.fallback_strategy!r}"
    elif others:
        yield from _fallback(intent, changed, negotiation.fallback_strategy)


def _flexibility(path: str, negotiation: "Negotiation") -> Fraction:
    """Return how far a field may give way; beside "fail" only what is written out applies."""
    name = "price_flexibility" if path in PRICES else "resource_flexibility"
    unsaid = negotiation.fallback_strategy == "fail" and name not in negotiation.model_fields_set
    return Fraction(0) if unsaid else _exact(getattr(negotiation, name))


def _stretch(path: str, intent: "Intent", changed: "Intent") -> Fraction:
    """Return by which part of itself a price rises or a minimum falls; below 0 where it is tightened."""
    asked, got = _value(path, intent), _value(path, changed)
    if not asked:
        return Fraction(-1)
    return (got - asked if path in PRICES else asked - got) / asked


def _value(path: str, intent: "Intent") -> Fraction:
    section = intent.constraints if path in PRICES else intent.workload.resources.gpu
    return _exact(getattr(section, path.rpartition(".")[2], None) or 0)


def _exact(value: float) -> Fraction:
    return Fraction(repr(value))


def _fallback(intent: "Intent", changed: "Intent", strategy: str) -> Iterator[str]:
    """Check that a fallback allows more, and tiers go down."""
    gpu, new = intent.workload.resources.gpu, changed.workload.resources.gpu
    if strategy != "lower_tier" or gpu is None or new is None:
        if not (changed.constraints.preemptible if strategy == "spot" else new is not None and new.shared):
            yield f"found the fallback {strategy!r} told and not allowed"
        return
    tiers = {gpu.tier} if gpu.tier != "any" else {part.tier for part in parts_of(gpu.model)}
    lowest = max((TIERS.index(tier) for tier in tiers if tier in TIERS), default=len(TIERS))
    if new.tier not in TIERS or TIERS.index(new.tier) <= lowest or new.model not in (gpu.model, "any"):
        yield f"found {new.tier} {new.model} for {gpu.tier} {gpu.model}, expected a tier below"
