"""What becomes of one intent that cannot be placed as it stands."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from flare_core.explanation.relax import Solved, Unproven
from flare_core.inventory.types import Inventory
from flare_core.negotiation.fallback import fallbacks
from flare_core.negotiation.stretch import smallest_stretch
from flare_core.negotiation.terms import Terms, Try, exact

if TYPE_CHECKING:
    from flare_core.intent.types import Intent


class Verdict(Enum):
    """How a negotiation ends."""

    PLACED = "placed"  # at once, under the terms
    OFFERED = "offered"  # the terms are to be accepted
    QUEUED = "queued"  # waits for capacity
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Deal:
    """The end of a negotiation; ``terms`` where something is placed or offered."""

    verdict: Verdict
    terms: Terms | None = None
    warnings: tuple[str, ...] = ()


class _OutOfTime(Exception):
    pass


class _Tries:
    """Tries that count as failed where nothing was proven, until time is up."""

    def __init__(self, tried: Try, timer: Callable[[], float]) -> None:
        self.tried = tried
        self.timer = timer
        self.until = float("inf")
        self.unproven = False

    def __call__(self, intent: "Intent") -> Solved | None:
        if self.timer() > self.until:
            raise _OutOfTime
        try:
            return self.tried(intent)
        except Unproven:
            self.unproven = True
            return None


def negotiate(intent: "Intent", inventory: Inventory, tried: Try, timer: Callable[[], float]) -> Deal:
    """Return what becomes of an intent with ``negotiation`` that is proven not to fit as it stands.

    Parameters
    ----------
    tried
        Places a changed intent beside what is placed already, as cheaply as possible.
    timer
        Monotonic seconds.
    """
    negotiation = intent.constraints.negotiation
    assert negotiation is not None
    tries = _Tries(tried, timer)
    tries.until = timer() + negotiation.timeout_seconds
    said: tuple[str, ...] = ()
    try:
        terms = smallest_stretch(intent, inventory, tries)
    except _OutOfTime:
        terms, said = None, ("the negotiation ran out of time: limits are not stretched",)
    tries.until = float("inf")
    deal = _fallback(intent, tries) if terms is None else _accepted(terms, negotiation.auto_accept_threshold)
    if tries.unproven:
        said += ("a search of the negotiation was cut short: less may do than is given way in",)
    return replace(deal, warnings=said)


def _accepted(terms: Terms, threshold: float) -> Deal:
    return Deal(Verdict.PLACED if terms.stretch <= exact(threshold) else Verdict.OFFERED, terms)


def _fallback(intent: "Intent", tries: Try) -> Deal:
    negotiation = intent.constraints.negotiation
    assert negotiation is not None
    if negotiation.fallback_strategy == "queue":
        return Deal(Verdict.QUEUED)
    works = (terms for terms in fallbacks(intent) if tries(terms.intent) is not None)
    terms = next(works, None)
    return Deal(Verdict.REJECTED) if terms is None else Deal(Verdict.PLACED, terms)
