"""Places: ``constraints.location`` and ``constraints.compliance.data_residency``.

A place is a location class or an ISO country code, met by the offer's country, or else a provider's
region: its name, or the beginning of its name up to a dash. A country that is not known is nowhere.
"""

from flare_core.candidates.screens.screen import Screen, names, words
from flare_core.candidates.view import View, named
from flare_core.catalog.regions import location_countries
from flare_core.inventory.types import Mask
from flare_core.requirements.types import Limit


def _elsewhere(view: View, limit: Limit) -> Mask:
    countries: set[str] = set()
    regions: list[str] = []
    for place in names(limit):
        found = location_countries(place)
        if found is None:
            regions.append(place.casefold())
        else:
            countries |= found
    label = view.inventory.label
    there = named(label["country"], countries.__contains__)
    if regions:
        there |= named(label["region"], lambda name: any(_lies_in(name.casefold(), r) for r in regions))
    return ~there


def _lies_in(region: str, wanted: str) -> bool:
    return region == wanted or region.startswith(f"{wanted}-")


PLACE: tuple[Screen, ...] = (Screen("place", _elsewhere, words),)
