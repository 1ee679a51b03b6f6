"""An inventory by place, for the map: each region of each provider once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from flare_core.candidates.types import Funnel
from flare_core.catalog.regions import country, region
from flare_core.inventory.types import IntArray, Inventory

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Places:
    """Where the offers of an inventory are.

    Attributes
    ----------
    code
        The place of each offer, shape (offers,).
    facts
        Of each place: provider, region, country, latitude and longitude in degrees (None where unknown),
        whether they are exact only to the country, offers.
    """

    code: IntArray
    facts: tuple[Json, ...]

    @classmethod
    def of(cls, inventory: Inventory) -> "Places":
        """Return the places of an inventory, in the order of providers and regions."""
        provider, where, state = (inventory.label[name] for name in ("provider", "region", "country"))
        width = len(where.values) + 1
        pair = provider.codes.astype(np.int64) * width + where.codes % width
        found, first, code = np.unique(pair, return_index=True, return_inverse=True)
        counts = np.bincount(code, minlength=len(found))
        facts = tuple(
            _facts(provider[row], where[row], state[row], int(count))
            for row, count in zip(first.tolist(), counts, strict=True)
        )
        return cls(code, facts)

    def told(self, funnel: Funnel) -> list[Json]:
        """Return the places, each with how many of its offers fit an intent."""
        fit = np.bincount(self.code[funnel.first_reason < 0], minlength=len(self.facts)).tolist()
        return [{**facts, "fit": count} for facts, count in zip(self.facts, fit, strict=True)]


def _facts(provider: str | None, name: str | None, state: str | None, offers: int) -> Json:
    known = region(provider or "", name or "")
    home = country(known.country if known else state or "")
    lat, lon = (known.lat, known.lon) if known else (home.lat, home.lon) if home else (None, None)
    return {
        "provider": provider,
        "region": name,
        "country": home.name if home else state,
        "lat": lat,
        "lon": lon,
        "rough": known is None or known.precision == "country",
        "offers": offers,
    }
