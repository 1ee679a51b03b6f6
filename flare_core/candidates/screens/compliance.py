"""Compliance: ``constraints.compliance.certifications``, all of them, compared in canonical form."""

from flare_core.candidates.screens.screen import Screen, names, words
from flare_core.candidates.view import View, named
from flare_core.inventory.fields import canonical_certificate
from flare_core.inventory.types import Mask
from flare_core.requirements.types import Limit


def _uncertified(view: View, limit: Limit) -> Mask:
    wanted = {canonical_certificate(name) for name in names(limit)}
    # Offers hold canonical names joined by "|".
    return ~named(view.inventory.label["certifications"], lambda held: wanted.issubset(held.split("|")))


COMPLIANCE: tuple[Screen, ...] = (Screen("certified", _uncertified, words),)
