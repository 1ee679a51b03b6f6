"""The placement of an intent that negotiated: what gave way, and what is only offered."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from flare_core.negotiation.deal import Deal, Verdict
from flare_core.placement.types import Offer, Placement, Status

if TYPE_CHECKING:
    from flare_core.intent.types import Intent


def under_terms(placement: Placement, deal: Deal | None, intent: "Intent", now: datetime) -> Placement:
    """Return `placement` as the answer to the intent that was asked for.

    Parameters
    ----------
    placement
        Of the intent as changed.
    deal
        How it was changed; None where it was not.
    """
    negotiation = intent.constraints.negotiation
    if deal is None or deal.terms is None or negotiation is None:
        return placement
    relaxed = deal.terms.relaxed
    whole = replace(placement, relaxed=(*placement.relaxed, *relaxed))
    if deal.verdict is not Verdict.OFFERED:
        return whole
    until = now + timedelta(seconds=negotiation.timeout_seconds)
    offer = Offer(relaxed, whole, until)
    return Placement(intent=placement.intent, status=Status.QUEUED, relaxed=relaxed, offer=offer)
